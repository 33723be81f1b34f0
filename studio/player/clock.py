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
    passes: int = 0
    """How often the end has been reached while playing."""
    _index: int = 0
    _since_s: float = 0.0

    def load(self, num_frames: int, fps: float) -> None:
        """Starts over, paused at frame 0, with another length. Raises ValueError unless fps > 0."""
        if fps <= 0:
            raise ValueError(f"fps is {fps}, must be above 0")
        self.num_frames, self.fps = num_frames, fps
        self.playing, self.passes, self._index = False, 0, 0

    @property
    def index(self) -> int:
        """The frame that stands on the screen."""
        return self._index

    def due(self) -> int:
        """The frame that should stand on the screen now, not yet shown."""
        if not self.playing or self.num_frames < 2:
            return self._index
        ahead = int((self.now() - self._since_s) * self.fps * self.rate + 1e-6)
        target = self._index + ahead
        if target < self.num_frames:
            return target
        return target % self.num_frames if self.loops else self.num_frames - 1

    def arrive(self, index: int) -> None:
        """All panes show `index`: time goes on from here, so a late decoder delays and never splits the panes."""
        if index == self._index:
            return
        if self.playing:
            steps = (index - self._index) % self.num_frames
            self._since_s += steps / (self.fps * self.rate)
            late_s = self.now() - self._since_s
            if late_s > 1 / (self.fps * self.rate):
                self._since_s = self.now()
            if index < self._index or (index == self.num_frames - 1 and not self.loops):
                self.passes += 1
            if index == self.num_frames - 1 and not self.loops:
                self.playing = False
        self._index = index

    def hold(self) -> None:
        """The frame that is due is not decoded yet: time waits."""
        self._since_s = self.now()

    def play(self) -> None:
        if self.num_frames < 2:
            return
        if self._index == self.num_frames - 1 and not self.loops:
            self._index = 0
        self.playing = True
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
