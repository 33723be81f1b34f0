"""The one clock that all panes follow: which frame index stands at a moment. Knows no Qt and no decoder."""

from collections.abc import Callable
from dataclasses import dataclass

RATES = (0.25, 0.5, 1.0, 1.5, 2.0)
"""Playback rates to choose from, as multiples of the clip's own."""


@dataclass(slots=True, kw_only=True)
class TransportClock:
    """Frame index as a function of time. `now` gives monotonic seconds."""

    now: Callable[[], float]
    fps: float = 24.0
    num_frames: int = 0
    rate: float = 1.0
    loops: bool = True
    playing: bool = False
    stretch: tuple[int, int] | None = None
    """Frames `[start, stop)` that are repeated once the playhead is before their end; None for the whole."""
    waits: bool = False
    """Whether the frame that is due is not decoded yet."""
    _index: int = 0
    _since_s: float = 0.0

    def load(self, num_frames: int, fps: float) -> None:
        """Starts over, paused at frame 0, with another length and no stretch. Raises ValueError unless fps > 0."""
        if fps <= 0:
            raise ValueError(f"fps is {fps}, must be above 0")
        self.num_frames, self.fps, self.stretch = num_frames, fps, None
        self.playing, self.waits, self._index = False, False, 0

    def repeat(self, start: int, stop: int) -> None:
        """Plays `[start, stop)` over and over, whether or not the whole loops. Raises ValueError for a stretch that is none."""
        if not 0 <= start < stop <= self.num_frames:
            raise ValueError(f"[{start}, {stop}) is not a stretch of {self.num_frames} frames")
        self.stretch = (start, stop)
        if not start <= self._index < stop:
            self._index = start
        self._since_s = self.now()

    @property
    def index(self) -> int:
        """The frame that stands on the screen."""
        return self._index

    def due(self) -> int:
        """The frame that should stand on the screen now, not yet shown."""
        if not self.playing or self.num_frames < 2:
            return self._index
        ahead = int((self.now() - self._since_s) * self.fps * self.rate + 1e-6)
        target, (start, stop) = self._index + ahead, self.span
        if target < stop:
            return target
        return start + (target - stop) % (stop - start) if self.goes_round else stop - 1

    @property
    def place_s(self) -> float:
        """Seconds of the clip, at its own rate, between its beginning and the moment; it may lie behind the end of `span`."""
        into_s = (self.now() - self._since_s) * self.rate if self.playing else 0.0
        return self._index / self.fps + into_s

    @property
    def span(self) -> tuple[int, int]:
        """Frames `[start, stop)` that are played from here: the stretch, unless the playhead was put behind it."""
        if self.stretch is not None and self._index < self.stretch[1]:
            return self.stretch
        return 0, self.num_frames

    @property
    def goes_round(self) -> bool:
        """Whether `span` is played over and over."""
        return self.loops or self.span == self.stretch

    def arrive(self, index: int) -> None:
        """All panes show `index`: time goes on from here, so a late decoder delays and never splits the panes."""
        if index == self._index:
            return
        self.waits = False
        if self.playing:
            _, stop = self.span
            self._since_s += sum(map(len, self.passed(index))) / (self.fps * self.rate)
            late_s = self.now() - self._since_s
            if late_s > 1 / (self.fps * self.rate):
                self._since_s = self.now()
            if index == stop - 1 and not self.goes_round:
                self.playing = False
        self._index = index

    def passed(self, index: int) -> tuple[range, ...]:
        """The frames that stand on the screen, in turn, when playing comes to `index`: without the present one, with `index`."""
        if index >= self._index:
            return (range(self._index + 1, index + 1),)
        start, stop = self.span
        return range(self._index + 1, stop), range(start, index + 1)

    def hold(self) -> None:
        """The frame that is due is not decoded yet: time waits."""
        self.waits = True
        self._since_s = self.now()

    def play(self) -> None:
        if self.num_frames < 2:
            return
        if self._index == self.num_frames - 1 and not self.loops:
            self._index = 0
        self.playing, self.waits = True, False
        self._since_s = self.now()

    def pause(self) -> None:
        self.playing = False

    def seek(self, index: int) -> int:
        """Pauses at the nearest existing frame and gives it."""
        self.playing = False
        self._index = min(max(index, 0), max(self.num_frames - 1, 0))
        return self._index

    def step(self, frames: int) -> int:
        """Pauses and moves by frames, around the ends when looping."""
        target = self._index + frames
        if self.loops and self.num_frames:
            target %= self.num_frames
        return self.seek(target)

    def change_rate(self, steps: int) -> float:
        """Moves along RATES and gives the new rate; the frame on the screen stays."""
        place = min(range(len(RATES)), key=lambda i: abs(RATES[i] - self.rate))
        self.rate = RATES[min(max(place + steps, 0), len(RATES) - 1)]
        self._since_s = self.now()
        return self.rate
