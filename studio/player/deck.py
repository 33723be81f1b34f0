"""The deck: one clock, one decoder, any number of panes that always show the same moment."""

import math
import time
from collections.abc import Sequence

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from studio.player.cache import FrameCache
from studio.player.clock import TransportClock
from studio.player.decoder import CHUNK, Decoder, Reel, Want
from studio.player.pane import Pane
from studio.preferences import MIB, preferences

TICK_MS = 8  # half a frame of 60 per second, so that no frame of a preview is late by more than that
AHEAD = 60
"""Frames of a prefetched clip to hold ready: two seconds and a half."""


class Deck(QObject):
    """Plays reels in panes. A frame is shown in all panes in one tick, or in none.

    `align` is `index` (frame i beside frame i, for takes of one length) or `time` (the same second beside the same
    second, for clips of different rates). A shorter clip rests on its last frame. Frames take at most `max_bytes`, or what
    the person allows.
    """

    moved = Signal(int)
    changed = Signal()
    _ready = Signal(str)
    _failed = Signal(str, str)

    def __init__(self, *, align: str = "index", max_bytes: int | None = None, max_edge_px: int = 1280) -> None:
        super().__init__()
        self.align = align
        self.clock = TransportClock(now=time.perf_counter)
        self.cache = FrameCache(max_bytes=preferences().frames_mib * MIB if max_bytes is None else max_bytes)
        self.failures: dict[str, str] = {}
        self._decoder = Decoder(cache=self.cache, ready=self._ready.emit, failed=self._failed.emit, max_edge_px=max_edge_px)
        self._sides: list[tuple[Pane, Reel]] = []
        self._prefetch: tuple[Reel, ...] = ()
        self._asked: int | None = None
        self._play_when_shown = False
        self._wanted_at: object = None
        self._timer = QTimer(self, interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._ready.connect(self._on_ready)
        self._failed.connect(self._on_failed)

    def load(self, sides: Sequence[tuple[Pane, Reel]], *, play: bool) -> None:
        """Puts reels into panes at frame 0 and plays as soon as the first frames are there."""
        for pane, reel in sides:
            if reel.path in self.failures:
                pane.show_sentence(self.failures[reel.path])
        self._sides = [side for side in sides if side[1].path not in self.failures]
        fps = self._sides[0][1].fps if self._sides else 24.0
        self.clock.load(max((self._length(reel, fps) for _, reel in self._sides), default=0), fps)
        self._asked = 0 if self._sides else None
        self._play_when_shown = play
        self._want()
        self._tick()
        self.changed.emit()

    def prefetch(self, reels: Sequence[Reel]) -> None:
        """Clips that come next: their first seconds are decoded when the present ones are held."""
        self._prefetch = tuple(reels)
        self._want()

    @property
    def sides(self) -> tuple[tuple[Pane, Reel], ...]:
        return tuple(self._sides)

    @property
    def index(self) -> int:
        return self.clock.index

    @property
    def watched(self) -> bool:
        """Whether everything has been played to its end once; true when there is nothing to play."""
        return not self._sides or self.clock.num_frames < 2 or self.clock.passes > 0

    def toggle(self) -> None:
        """Plays or pauses."""
        if self.clock.playing:
            self.clock.pause()
        else:
            self.clock.play()
        self._run()

    def pause(self) -> None:
        self.clock.pause()
        self._play_when_shown = False
        self._run()

    def step(self, frames: int) -> None:
        """Pauses and moves by frames."""
        self.seek((self.clock.index if self._asked is None else self._asked) + frames)

    def seek(self, index: int) -> None:
        """Pauses at a frame; the panes change together once all have it."""
        if not self._sides:
            return
        self.clock.pause()
        last = self.clock.num_frames - 1
        self._asked = index % (last + 1) if self.clock.loops else min(max(index, 0), last)
        self._play_when_shown = False
        self._want()
        self._tick()
        self.changed.emit()

    def place_of(self, pane: Pane, frame: int) -> int | None:
        """The index of the clock at which a pane shows a frame of its clip; None while it plays none."""
        reel = next((reel for each, reel in self._sides if each is pane), None)
        if reel is None or self.align == "index":
            return None if reel is None else frame
        return math.ceil(frame * self.clock.fps / reel.fps - 1e-6)

    def set_loops(self, loops: bool) -> None:
        self.clock.loops = loops
        self.changed.emit()

    def change_rate(self, steps: int) -> None:
        self.clock.change_rate(steps)
        self.changed.emit()

    def close(self) -> None:
        """Stops the clock and the threads; frames that are still on their way are shown nowhere."""
        self._sides, self._asked, self._play_when_shown = [], None, False
        self.clock.pause()
        self._timer.stop()
        self._decoder.close()

    def _length(self, reel: Reel, fps: float) -> int:
        if self.align == "index":
            return reel.num_frames
        return max(1, round(reel.num_frames / reel.fps * fps))

    def _local(self, reel: Reel, index: int) -> int:
        """The frame of a reel that belongs to a frame of the clock."""
        local = index if self.align == "index" else int(index / self.clock.fps * reel.fps + 1e-6)
        return min(local, reel.num_frames - 1)

    def _tick(self) -> None:
        target = self.clock.due() if self._asked is None else self._asked
        if self._asked is None and target == self.clock.index:
            return
        frames = [self.cache.get(reel.path, self._local(reel, target)) for _, reel in self._sides]
        if any(frame is None for frame in frames):
            self.clock.hold()
            self._want(target)
            return
        for (pane, reel), frame in zip(self._sides, frames, strict=True):
            assert frame is not None
            pane.show_frame(frame, self._local(reel, target))
        if self._asked is None:
            self.clock.arrive(target)
        else:
            self.clock.seek(target)
            self._asked = None
            if self._play_when_shown:
                self._play_when_shown = False
                self.clock.play()
        self._want()
        self._run()
        self.moved.emit(target)

    def _run(self) -> None:
        if self.clock.playing != self._timer.isActive():
            if self.clock.playing:
                self._timer.start()
            else:
                self._timer.stop()
        self.changed.emit()

    def _want(self, playhead: int | None = None) -> None:
        """Asks for the whole of the present clips as far as the cache allows, then for the next ones' beginnings."""
        head = playhead if playhead is not None else (self.clock.index if self._asked is None else self._asked)
        state = (head // CHUNK, tuple(reel.path for _, reel in self._sides), tuple(reel.path for reel in self._prefetch))
        if state == self._wanted_at:
            return
        self._wanted_at = state
        frame_bytes = self._decoder.max_edge_px**2 * 9 // 16 * 3
        room = max(2 * CHUNK, self.cache.max_bytes * 8 // 10 // frame_bytes)
        later = [Want(reel=reel, rank=1 + n, horizon=AHEAD) for n, reel in enumerate(self._prefetch)]
        share = max(2 * CHUNK, (room - AHEAD * len(later)) // max(1, len(self._sides)))
        now = [Want(reel=reel, playhead=self._local(reel, head), horizon=share) for _, reel in self._sides]
        self._decoder.want([*now, *later])

    def _on_ready(self, path: str) -> None:
        if self._asked is not None and any(reel.path == path for _, reel in self._sides):
            self._tick()

    def _on_failed(self, path: str, reason: str) -> None:
        self.failures[path] = reason
        for pane, _ in [side for side in self._sides if side[1].path == path]:
            pane.show_sentence(reason)
        self._sides = [side for side in self._sides if side[1].path != path]
        self.changed.emit()
        if self._asked is not None and self._sides:
            self._tick()
