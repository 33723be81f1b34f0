"""How well videos are split, and borders, overlays and copies found: on sample worlds against their truth, on real video with labels.

`python -m bench.accuracy_clips WORLD… [--seeds 0-3] [--real DIR]`. Shots are split by the whole video; borders and overlays
are judged on the true shots, overlays inside the borders that were found, as the stages do it; so are near-duplicates.
"""

import argparse
import csv
import itertools
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from backend.domain import Box, Clip, Context, Footage, FrameReader, Item, Ok, Region, Video
from backend.geometry import boxes
from backend.measures import copies
from backend.measures.shots import Transition, find_transitions
from backend.media.reader import VideoReader
from backend.models.classical_text import ClassicalTextSpotter
from backend.sampleworld import Truth, VideoTruth, read_truth, render_world
from backend.stages.borders import FindBorders
from backend.stages.duplicates import READ_PX
from backend.stages.motion import small_pictures
from backend.stages.overlays import FindOverlays
from backend.stages.shots import SplitShots
from bench.table import show

CUT_F1, GRADUAL, PRESENCE_F1, BORDER_PX, OVERLAY_IOU = 0.98, 0.8, 0.9, 4.0, 0.3
COPIES = 0.95
REAL_CUT_RECALL, REAL_FALSE_CUTS, REAL_GRADUAL_RECALL = 0.975, 2, 0.7
CUT_TOLERANCE = 1  # frames
MIN_FRAMES = 12  # shorter shots pass no gate: half a second, see the recipe
MIN_INSIDE = 0.5  # an overlay that lies mostly in the black borders is cut off with them
BORDER_KINDS = ("letterbox_content", "pillarbox_content", "content_without_right_bar")
Row = dict[str, Any]
Span = tuple[int, int]


def run(world_dirs: Sequence[Path], real_dir: Path | None) -> list[Row]:
    """Rows `{area, name, value, target, n, note}` over worlds (mean and minimum) and, when given, the real folder `dev`."""
    rows: list[Row] = []
    if world_dirs:
        rows += world_rows([world_counts(Path(folder)) for folder in world_dirs])
    if real_dir is not None:
        rows += real_changes(Path(real_dir))
        rows += real_regions(Path(real_dir))
    return rows


@dataclass
class Hits:
    """What was wanted, given, and right of both; more than one given thing may answer one wanted thing."""

    wanted: int = 0
    given: int = 0
    found: int = 0
    right: int = 0

    @property
    def recall(self) -> float | None:
        return self.found / self.wanted if self.wanted else None

    @property
    def precision(self) -> float | None:
        return self.right / self.given if self.given else None

    @property
    def f1(self) -> float | None:
        both = self.wanted + self.given
        return (self.found + self.right) / both if both else None

    def presence(self, wanted: bool, given: bool) -> None:
        self.wanted += wanted
        self.given += given
        self.found += wanted and given
        self.right += wanted and given

    def cuts(self, wanted: Sequence[int], given: Sequence[int]) -> list[int]:
        """Counts cuts one to one, and gives those of `given` that answer none."""
        left = sorted(given)
        for frame in sorted(wanted):
            near = [other for other in left if abs(other - frame) <= CUT_TOLERANCE]
            if near:
                left.remove(min(near, key=lambda other: abs(other - frame)))
        matched = len(given) - len(left)
        self.wanted, self.given = self.wanted + len(wanted), self.given + len(given)
        self.found, self.right = self.found + matched, self.right + matched
        return left

    def spans(self, wanted: Sequence[Span], given: Sequence[Span]) -> None:
        """Counts spans that overlap."""
        self.wanted, self.given = self.wanted + len(wanted), self.given + len(given)
        self.found += sum(any(_overlap(span, other) for other in given) for span in wanted)
        self.right += sum(any(_overlap(span, other) for other in wanted) for span in given)


@dataclass
class WorldCounts:
    """What one world gave."""

    cuts: Hits = field(default_factory=Hits)
    gradual: Hits = field(default_factory=Hits)
    borders: Hits = field(default_factory=Hits)
    border_errors_px: list[float] = field(default_factory=list)
    overlays: Hits = field(default_factory=Hits)
    overlay_ious: list[float] = field(default_factory=list)
    shots: dict[str, np.ndarray] = field(default_factory=dict)
    """Small frames of each true shot, by its video and first frame."""
    copies: Hits = field(default_factory=Hits)
    unlike_copies: int = 0
    """Planted copies whose picture is of another shape than the original's."""
    mistakes: list[str] = field(default_factory=list)


def world_counts(folder: Path) -> WorldCounts:
    """Runs the stages on every video of a rendered world."""
    counts, whole = WorldCounts(), read_truth(folder)
    for truth in whole.videos:
        with VideoReader(folder / truth.file) as reader:
            _count_changes(truth, changes_of(reader, truth.fps), counts)
            for shot in truth.shots:
                if shot.stop_frame - shot.start_frame >= MIN_FRAMES:
                    _count_shot(truth, reader, (shot.start_frame, shot.stop_frame), counts, f"{folder.name}/{truth.name}")
    _count_copies(whole, counts)
    return counts


def world_rows(worlds: Sequence[WorldCounts]) -> list[Row]:
    """The table of some worlds."""
    mistakes = " | ".join(mistake for world in worlds for mistake in world.mistakes)
    errors = [error for world in worlds for error in world.border_errors_px]
    unlike, planted = sum(w.unlike_copies for w in worlds), sum(w.copies.wanted for w in worlds)
    note = f"{unlike} of {planted} planted pairs are in pictures of two shapes, cut and scaled to fit"
    return [
        *_mean_and_least("near-duplicates recall", [(w.copies.recall, w.copies.wanted) for w in worlds], COPIES, note),
        *_mean_and_least("near-duplicates precision", [(w.copies.precision, w.copies.given) for w in worlds], COPIES),
        *_mean_and_least("hard cuts F1", [(w.cuts.f1, w.cuts.wanted) for w in worlds], CUT_F1),
        *_mean_and_least("gradual changes recall", [(w.gradual.recall, w.gradual.wanted) for w in worlds], GRADUAL),
        *_mean_and_least("gradual changes precision", [(w.gradual.precision, w.gradual.given) for w in worlds], GRADUAL),
        *_mean_and_least("borders presence F1", [(w.borders.f1, w.borders.wanted) for w in worlds], PRESENCE_F1),
        _row("sample world", "border error px, mean", float(np.mean(errors)) if errors else None, BORDER_PX, len(errors)),
        _row("sample world", "border error px, greatest", max(errors, default=None), BORDER_PX, len(errors)),
        *_mean_and_least(
            "overlay presence F1", [(w.overlays.f1, w.overlays.wanted) for w in worlds], PRESENCE_F1, mistakes
        ),
        *_mean_and_least(
            "overlay IoU (0 when missed)",
            [(float(np.mean(w.overlay_ious)) if w.overlay_ious else None, len(w.overlay_ious)) for w in worlds],
            OVERLAY_IOU,
        ),
    ]


def real_changes(real_dir: Path) -> list[Row]:
    """Changes of shot of real videos against labels/scene_cuts.csv; rows called not_a_cut or ambiguous count neither way."""
    cuts, gradual = Hits(), Hits()
    false, missed, num_files = [], [], 0
    for file, labels in _labels(real_dir, "scene_cuts.csv").items():
        hard = [int(r["start_frame"]) for r in labels if r["type"] == "cut" or r["type"].startswith("jump_cut")]
        slow = [_span(r) for r in labels if r["start_frame"] and not _is_hard(r) and not _is_open(r)]
        either = [_span(r) for r in labels if _is_open(r)]
        with VideoReader(real_dir / file) as reader:
            found = changes_of(reader, reader.num_frames / _duration_s(reader))
        num_files += 1
        given = [c.start for c in found if c.kind == "cut" and not any(_within(c.start, span) for span in either)]
        before = gradual.found
        false += [f"{Path(file).name}:{frame}" for frame in cuts.cuts(hard, given)]
        gradual.spans(slow, [(c.start, c.stop) for c in found if c.kind == "gradual"])
        if gradual.found - before < len(slow):
            missed.append(f"{Path(file).name} {len(slow) - gradual.found + before}")
    return [
        _row("real video", "hard cuts recall", cuts.recall, REAL_CUT_RECALL, cuts.wanted),
        _row("real video", "false hard cuts", len(false), REAL_FALSE_CUTS, num_files, ", ".join(false)),
        _row(
            "real video", "gradual changes recall", gradual.recall, REAL_GRADUAL_RECALL, gradual.wanted, ", ".join(missed)
        ),
        _row("real video", "false gradual changes", gradual.given - gradual.right, None, gradual.given),
    ]


def real_regions(real_dir: Path) -> list[Row]:
    """Borders and overlays of the labelled shots of every video, for each row of labels/overlays.csv."""
    rows: list[Row] = []
    labels = _labels(real_dir, "overlays.csv")
    unlabelled, num_shots = [], 0
    shots: dict[str, np.ndarray] = {}
    for file, changes in _labels(real_dir, "scene_cuts.csv").items():
        with VideoReader(real_dir / file) as reader:
            seen = {span: regions_of(reader, span) for span in _shots(changes, reader.num_frames)}
            shots |= {f"{Path(file).name}:{s[0]}": _small_frames(reader, s, content) for s, (content, _) in seen.items()}
        wanted = [(row, _box(row)) for row in labels.get(file, ())]
        rows += [_real_row(row, box, seen) for row, box in wanted]
        num_shots += len(seen)
        marks = [box for row, box in wanted if row["kind"] not in BORDER_KINDS]
        for (start, _), (_, overlays) in seen.items():
            if any(all(boxes.intersection(o, mark) is None for mark in marks) for o in overlays):
                unlabelled.append(f"{Path(file).name}:{start}")
    rows.append(
        _row("real video", "shots with unlabelled overlays", len(unlabelled), None, num_shots, ", ".join(unlabelled))
    )
    copied = sorted(_copies_among(shots))
    note = ", ".join(f"{a} and {b}" for a, b in copied)
    rows.append(_row("real video", "near-duplicates among different shots", len(copied), 0, len(shots), note))
    return rows


def changes_of(reader: FrameReader, fps: float) -> list[Transition]:
    """Changes of shot as SplitShots finds them."""
    width = SplitShots().width_px
    size = None if reader.width <= width else (width, max(1, round(reader.height * width / reader.width)))
    return find_transitions((frames for _, frames in reader.stream(size=size)), fps)


def regions_of(reader: FrameReader, span: Span) -> tuple[Box, list[Box]]:
    """The picture inside the borders of a shot, and the overlays in it."""
    context = _File(reader)
    item = _clip_item(reader, span)
    content = _regions(FindBorders(), item, context)["content"][0]
    context.content = content
    return content, _regions(FindOverlays(), item, context).get("overlay", [])


class _File:
    """A `Context` over one open file."""

    def __init__(self, reader: FrameReader) -> None:
        self._reader = reader
        self.content: Box = (0.0, 0.0, float(reader.width), float(reader.height))

    def frames(self, item: Item) -> FrameReader:
        return self._reader

    def footage(self, item: Item) -> Footage:
        return Footage(item.one(Video), item.one(Clip), self._reader, self.content)

    def role(self, name: str) -> object:
        return {"TextSpotter": ClassicalTextSpotter()}[name]


def _regions(stage: FindBorders | FindOverlays, item: Item, context: _File) -> dict[str, list[Box]]:
    (result,) = stage([item], cast(Context, context))
    assert isinstance(result, Ok), f"{stage.name} failed: {result}"
    kinds: dict[str, list[Box]] = {}
    for row in result.rows:
        if isinstance(row, Region):
            kinds.setdefault(row.kind, []).append(row.box)
    return kinds


def _clip_item(reader: FrameReader, span: Span) -> Item:
    duration_s = _duration_s(reader)
    video = Video(
        content_hash="",
        source_id="",
        num_frames=reader.num_frames,
        fps=reader.num_frames / duration_s,
        duration_s=duration_s,
        width=reader.width,
        height=reader.height,
        rotation=0,
        codec="",
        has_audio=False,
        index="",
    )
    clip = Clip(
        video_id=video.id,
        start_frame=span[0],
        stop_frame=span[1],
        start_s=float(reader.times_s[span[0]]),
        stop_s=float(reader.times_s[span[1] - 1]),
        opens_with="start",
    )
    return Item(clip.id, {Clip: (clip,), Video: (video,)})


def _count_changes(truth: VideoTruth, found: Sequence[Transition], counts: WorldCounts) -> None:
    hard = [t.start_frame for t in truth.transitions if t.kind == "cut"]
    slow = [(t.start_frame, t.new_shot_frame) for t in truth.transitions if t.kind != "cut"]
    counts.cuts.cuts(hard, [c.start for c in found if c.kind == "cut"])
    counts.gradual.spans(slow, [(c.start, c.stop) for c in found if c.kind == "gradual"])


def _count_shot(truth: VideoTruth, reader: FrameReader, span: Span, counts: WorldCounts, name: str) -> None:
    content, overlays = regions_of(reader, span)
    counts.shots[f"{truth.name}:{span[0]}"] = _small_frames(reader, span, content)
    whole = (0.0, 0.0, float(truth.width), float(truth.height))
    counts.borders.presence(truth.content != whole, content != whole)
    if truth.content != whole and content != whole:
        counts.border_errors_px.append(_error_px(content, truth.content))
    laid = [o.box for o in truth.overlays if _overlap((o.start_frame, o.stop_frame), span)]
    wanted = [boxes.clip(box, truth.content) for box in laid if boxes.contain(box, truth.content) >= MIN_INSIDE]
    cut_off = [box for box in laid if boxes.contain(box, truth.content) < MIN_INSIDE]
    overlays = [box for box in overlays if not any(boxes.contain(box, other) >= MIN_INSIDE for other in cut_off)]
    counts.overlays.presence(bool(wanted), bool(overlays))
    counts.overlay_ious += [_best_iou(box, overlays) for box in wanted]
    if bool(wanted) != bool(overlays):
        counts.mistakes.append(f"{name}:{span[0]} {'missed' if wanted else 'false'}")


def _small_frames(reader: FrameReader, span: Span, content: Box) -> np.ndarray:
    """What HashClips keeps of a shot."""
    item = _clip_item(reader, span)
    indices = np.linspace(span[0], span[1] - 1, copies.NUM_FRAMES).round().astype(int).tolist()
    footage = Footage(item.one(Video), item.one(Clip), reader, content)
    return copies.small_frames(small_pictures(footage, indices, longer_px=READ_PX))


def _copies_among(shots: Mapping[str, np.ndarray]) -> set[tuple[str, str]]:
    hashes = {name: copies.window_hashes(frames) for name, frames in shots.items()}
    return {(a, b) for a, b, _ in copies.near_duplicates(hashes, shots.__getitem__)}


def _count_copies(truth: Truth, counts: WorldCounts) -> None:
    """Shots planted as copies of one are copies of each other."""
    shape = {
        video.name: (video.content[2] - video.content[0], video.content[3] - video.content[1]) for video in truth.videos
    }
    families: dict[str, set[str]] = {}
    for planted in truth.duplicates:
        one, other = f"{planted.video_a}:{planted.span_a[0]}", f"{planted.video_b}:{planted.span_b[0]}"
        family = families.get(one, {one}) | families.get(other, {other})
        families |= dict.fromkeys(family, family)
    wanted = {tuple(sorted(pair)) for family in families.values() for pair in itertools.combinations(family, 2)}
    wanted = {pair for pair in wanted if all(shot in counts.shots for shot in pair)}
    found = _copies_among(counts.shots)
    right = len(wanted & found)
    counts.copies = Hits(wanted=len(wanted), given=len(found), found=right, right=right)
    counts.unlike_copies = sum(len({shape[shot.partition(":")[0]] for shot in pair}) > 1 for pair in wanted)


def _real_row(row: dict[str, str], box: Box, seen: dict[Span, tuple[Box, list[Box]]]) -> Row:
    """The mean over the shots in which a labelled thing stands for at least MIN_FRAMES."""
    stands = (int(row["first"] or 0), int(row["last"]) + 1 if row["last"] else 1 << 60)
    shots = [found for (a, b), found in seen.items() if min(b, stands[1]) - max(a, stands[0]) >= MIN_FRAMES]
    name = f"{Path(row['file']).stem} {row['kind']}"
    if row["kind"] in BORDER_KINDS:
        errors = [_error_px(content, box) for content, _ in shots]
        right = f"greatest; {sum(error <= BORDER_PX for error in errors)} of {len(errors)} shots within the target"
        return _row("real video", f"{name}, error px", max(errors, default=None), BORDER_PX, len(shots), right)
    ious = [_best_iou(box, overlays) for _, overlays in shots]
    target = None if row["kind"] == "picture_in_picture" else OVERLAY_IOU
    note = "" if target else "panels are found round steady marks only"
    return _row("real video", f"{name}, IoU", float(np.mean(ious)) if ious else None, target, len(shots), note)


def _shots(labels: Sequence[dict[str, str]], num_frames: int) -> list[Span]:
    """Labelled shots of at least MIN_FRAMES frames."""
    changes = sorted(_span(row) for row in labels if row["start_frame"] and not _is_open(row))
    starts, stops = [0, *(stop for _, stop in changes)], [*(start for start, _ in changes), num_frames]
    return [span for span in zip(starts, stops, strict=True) if span[1] - span[0] >= MIN_FRAMES]


def _labels(real_dir: Path, name: str) -> dict[str, list[dict[str, str]]]:
    """Rows of a table of labels by file, in the order of the table."""
    rows: dict[str, list[dict[str, str]]] = {}
    with (real_dir / "labels" / name).open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            rows.setdefault(row["file"], []).append(row)
    return rows


def _is_hard(row: dict[str, str]) -> bool:
    return row["type"] == "cut" or row["type"].startswith("jump_cut")


def _is_open(row: dict[str, str]) -> bool:
    return row["type"].startswith(("ambiguous", "not_a_cut"))


def _span(row: dict[str, str]) -> Span:
    return int(row["start_frame"]), int(row["new_shot_frame"])


def _box(row: dict[str, str]) -> Box:
    x, y, w, h = (float(row[name]) for name in "xywh")
    return x, y, x + w, y + h


def _within(frame: int, span: Span) -> bool:
    return span[0] - CUT_TOLERANCE <= frame <= span[1] + CUT_TOLERANCE


def _overlap(a: Span, b: Span) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def _error_px(found: Box, true: Box) -> float:
    return max(abs(a - b) for a, b in zip(found, true, strict=True))


def _best_iou(box: Box, found: Iterable[Box]) -> float:
    return max((boxes.iou(box, other) for other in found), default=0.0)


def _duration_s(reader: FrameReader) -> float:
    """By the mean distance of frames; one frame lasts a 25th of a second."""
    times = reader.times_s
    return float(times[-1] * len(times) / (len(times) - 1)) if len(times) > 1 else 0.04


def _mean_and_least(name: str, values: Sequence[tuple[float | None, int]], target: float, note: str = "") -> list[Row]:
    defined = [value for value, _ in values if value is not None]
    num = sum(n for _, n in values)
    mean, least = (float(np.mean(defined)), min(defined)) if defined else (None, None)
    return [
        _row("sample world", f"{name}, mean", mean, target, num, note),
        _row("sample world", f"{name}, least", least, target, len(defined)),
    ]


def _row(area: str, name: str, value: float | None, target: float | None, n: int, note: str = "") -> Row:
    return {"area": area, "name": name, "value": value, "target": target, "n": n, "note": note}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy_clips", description=__doc__)
    parser.add_argument("worlds", nargs="*", type=Path, help="rendered worlds")
    parser.add_argument("--seeds", help="worlds to render and judge, as 0-3")
    parser.add_argument("--real", type=Path, help="the folder of real media with labels")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rendered = []
        if wanted.seeds:
            first, _, last = wanted.seeds.partition("-")
            for seed in range(int(first), int(last or first) + 1):
                rendered.append(Path(scratch) / f"seed_{seed}")
                render_world(rendered[-1], seed=seed)
        show(run([*wanted.worlds, *rendered], wanted.real), title="clips")


if __name__ == "__main__":
    main()
