"""One side of a deck: which frame of its clip belongs to a frame of the clock, and which of its frames were seen."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from studio.player.decoder import Reel
from studio.player.pane import Pane


@dataclass(slots=True, kw_only=True)
class PlayedSide:
    """A clip in a pane. `frames_per_frame` is 1 where frame i stands beside frame i, else the ratio of its rate to the clock's."""

    pane: Pane
    reel: Reel
    frames_per_frame: float = 1.0
    shift: int = 0
    """How many frames of its clip this side is ahead; below 0, it begins that much later."""
    seen: bytearray = field(init=False)
    """1 for each frame of the clip that was on the screen, or passed by while it played."""

    def __post_init__(self) -> None:
        self.seen = bytearray(self.reel.num_frames)

    @property
    def length(self) -> int:
        """Frames of the clock until everything of the clip can have been shown; one that is ahead rests on its last frame."""
        return max(1, round((self.reel.num_frames + max(0, -self.shift)) / self.frames_per_frame))

    def frame_at(self, index: int) -> int:
        """The frame of the clip at a frame of the clock: before its beginning the first, behind its end the last."""
        return min(max(self._at(index), 0), self.reel.num_frames - 1)

    def index_of(self, frame: int) -> int:
        """The first frame of the clock at which a frame of the clip stands, or 0 where it is shifted out of sight."""
        return max(0, math.ceil((frame - self.shift) / self.frames_per_frame - 1e-6))

    def see(self, indices: Iterable[int]) -> None:
        """These frames of the clock were shown; what lies between two of them was, for a side that is faster than the clock."""
        for index in indices:
            first = max(self._at(index), 0)
            stop = self.reel.num_frames if index == self.length - 1 else max(self._at(index + 1), self._at(index) + 1)
            for frame in range(first, min(stop, self.reel.num_frames)):
                self.seen[frame] = 1

    @property
    def is_watched(self) -> bool:
        return 0 not in self.seen

    def _at(self, index: int) -> int:
        return int(index * self.frames_per_frame + 1e-6) + self.shift
