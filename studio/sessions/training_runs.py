"""A training run as one person looks at it: curves and how smooth, two validations beside each other, what Compare can be given. No widget."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from backend.domain.jobs import TrainingCurves, TrainingRun, ValidationVideo

FIRST_CURVES = ("loss", "validation/loss")
"""What is drawn at first of what a run says."""
SMOOTHEST = 0.99
FEW = 50
"""Points of a curve that is drawn as it was said: validations are means already."""
AT_ONCE = 4
"""Videos of a validation that stand beside each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One value along the steps, as it was said and smoothed."""

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]
    smooth: tuple[float, ...]


@dataclass(slots=True, kw_only=True)
class RunsSession:
    """State of one person at the runs of a project."""

    runs: tuple[TrainingRun, ...] = ()
    shown: str = ""
    curves: TrainingCurves | None = None
    drawn: tuple[str, ...] = FIRST_CURVES
    smoothing: float = 0.6
    """0 as said, towards 1 smoother."""
    is_log: bool = False
    sides: tuple[int | None, int | None] = (None, None)
    """The validations that stand left and right, by step."""
    first_video: int = 0
    videos: dict[int, tuple[ValidationVideo, ...]] = field(default_factory=dict)
    """By step, as far as they were asked for."""
    is_known: bool = False

    def know(self, runs: Iterable[TrainingRun]) -> bool:
        """Takes the runs anew; gives whether another one is shown now."""
        self.runs, self.is_known = tuple(runs), True
        if self.run is None:
            return self.show(self.runs[0].run if self.runs else "")
        self._keep_sides()
        return False

    def show(self, run: str) -> bool:
        """Looks at another run, at its first and its last validation; gives whether it is another."""
        changed = run != self.shown
        if changed:
            self.shown, self.curves, self.sides, self.first_video, self.videos = run, None, (None, None), 0, {}
        self._keep_sides()
        return changed

    @property
    def run(self) -> TrainingRun | None:
        """The run that is looked at."""
        return next((one for one in self.runs if one.run == self.shown), None)

    def names(self) -> tuple[str, ...]:
        """What the run says of itself: what is drawn at first before the rest."""
        said = () if self.curves is None else tuple(self.curves.values)
        return (*(n for n in FIRST_CURVES if n in said), *sorted(n for n in said if n not in FIRST_CURVES))

    def draw(self, names: Iterable[str]) -> None:
        """Chooses what is drawn."""
        wanted = set(names)
        self.drawn = tuple(name for name in self.names() if name in wanted)

    def lines(self) -> tuple[Curve, ...]:
        """What is drawn."""
        if self.curves is None:
            return ()
        found = self.curves
        return tuple(
            Curve(
                name=name,
                steps=found.steps[name],
                values=found.values[name],
                smooth=smoothed(found.values[name], self.smoothing if len(found.values[name]) > FEW else 0.0),
            )
            for name in self.names()
            if name in self.drawn
        )

    def put(self, side: int, step: int) -> bool:
        """Puts a validation left (0) or right (1); gives whether another one stands there."""
        run = self.run
        if run is None or step not in run.samples or self.sides[side] == step:
            return False
        self.sides = (step, self.sides[1]) if side == 0 else (self.sides[0], step)
        return True

    def move(self, side: int, by: int) -> bool:
        """Puts the next or the previous validation there."""
        run, present = self.run, self.sides[side]
        if run is None or present not in run.samples:
            return False
        place = run.samples.index(present) + by
        return 0 <= place < len(run.samples) and self.put(side, run.samples[place])

    def missing(self) -> tuple[int, ...]:
        """Validations whose videos are to be asked for."""
        return tuple(dict.fromkeys(step for step in self.sides if step is not None and step not in self.videos))

    def pairs(self) -> tuple[tuple[str, tuple[ValidationVideo | None, ValidationVideo | None]], ...]:
        """The videos that are shown now, by name: at the left step and at the right one."""
        return tuple(self._all_pairs()[self.first_video : self.first_video + AT_ONCE])

    @property
    def num_videos(self) -> int:
        return len(self._all_pairs())

    def more_videos(self) -> bool:
        """Shows the videos behind those that are shown, then the first again; gives whether these are others."""
        before = self.first_video
        self.first_video = before + AT_ONCE if before + AT_ONCE < self.num_videos else 0
        return before != self.first_video

    @property
    def comparable(self) -> tuple[int, int] | None:
        """The two steps that Compare can be given; None while they are one, or have no video in common."""
        left, right = self.sides
        if left is None or right is None or left == right:
            return None
        common = any(all(pair) for _, pair in self._all_pairs())
        return (left, right) if common else None

    def _all_pairs(self) -> list[tuple[str, tuple[ValidationVideo | None, ValidationVideo | None]]]:
        found = [{} if step is None else {video.name: video for video in self.videos.get(step, ())} for step in self.sides]
        names = dict.fromkeys([*found[0], *found[1]])
        return [(name, (found[0].get(name), found[1].get(name))) for name in names]

    def _keep_sides(self) -> None:
        """Sides that the run does not have become its first and its last validation."""
        samples = self.run.samples if self.run is not None else ()
        left, right = self.sides
        self.sides = (
            left if left in samples else (samples[0] if samples else None),
            right if right in samples else (samples[-1] if samples else None),
        )


def smoothed(values: Sequence[float], weight: float) -> tuple[float, ...]:
    """The exponential moving average that TensorBoard draws: without pull towards zero at the start.

    Values that are no numbers stay as they are, and count for nothing.
    """
    kept, total, found = 0.0, 0.0, []
    weight = min(max(weight, 0.0), SMOOTHEST)
    for value in values:
        if value != value:  # a loss that was no number
            found.append(value)
            continue
        kept = weight * kept + (1 - weight) * value
        total = weight * total + (1 - weight)
        found.append(kept / total)
    return tuple(found)
