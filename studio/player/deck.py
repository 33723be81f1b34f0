"""The deck: one clock, one decoder, any number of panes that always show the same moment."""

import time
from collections.abc import Sequence
from itertools import chain

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from studio.player.cache import FrameCache
from studio.player.clock import TransportClock
from studio.player.decoder import CHUNK, Decoder, Reel, Want
from studio.player.pane import Pane
from studio.player.played_side import PlayedSide
from studio.preferences import MIB, preferences

TICK_MS = 8  # half a frame of 60 per second, so that no frame of a preview is late by more than that
AHEAD = 60
"""Frames of a prefetched clip to hold ready: two seconds and a half."""


class Deck(QObject):
    """Plays reels in panes. A frame is shown in all panes in one tick, or in none.

    `align` is `index` (frame i beside frame i, for takes of one length) or `time` (the same second beside the same
    second, for clips of different rates). A shorter clip rests on its last frame. A side can be shifted against the others, and
    a stretch repeated, until other reels come. Frames take at most `max_bytes`, or what the person allows.
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
        self._sides: list[PlayedSide] = []
        self.stretch_from: int | None = None
        """Where a stretch to repeat begins, while its end is not chosen yet."""
        self._prefetch: tuple[Reel, ...] = ()
        self._asked: int | None = None
        self._play_when_shown = False
        self._wanted_at: object = None
        self._timer = QTimer(self, interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._ready.connect(self._on_ready)
        self._failed.connect(self._on_failed)

    def prepare(self) -> None:
        """Has what decodes there before anything is to be decoded."""
        self._decoder.start()

    def load(self, sides: Sequence[tuple[Pane, Reel]], *, play: bool) -> None:
        """Puts reels into panes at frame 0 and plays as soon as the first frames are there.

        What failed before is tried again: a preview is made anew at the same place.
        """
        for _, reel in sides:
            if self.failures.pop(reel.path, None) is not None:
                self._decoder.try_again(reel.path)
                self._wanted_at = None
        fps = sides[0][1].fps if sides else 24.0
        self._sides = [
            PlayedSide(pane=pane, reel=reel, frames_per_frame=1.0 if self.align == "index" else reel.fps / fps)
            for pane, reel in sides
        ]
        self.clock.load(max((side.length for side in self._sides), default=0), fps)
        self.stretch_from = None
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
    def sides(self) -> tuple[PlayedSide, ...]:
        return tuple(self._sides)

    @property
    def index(self) -> int:
        return self.clock.index

    @property
    def watched(self) -> bool:
        """Whether every frame of every side was shown, in whatever order; true when there is nothing to play."""
        return self.clock.num_frames < 2 or all(side.is_watched for side in self._sides)

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
        return next((side.index_of(frame) for side in self._sides if side.pane is pane), None)

    def shift(self, side: PlayedSide, frames: int) -> None:
        """Puts a side ahead by `frames` of its clip (back, below 0); the moment stays, and playing goes on."""
        most = side.reel.num_frames - 1
        side.shift = min(max(side.shift + frames, -most), most)
        self.clock.num_frames = max(one.length for one in self._sides)
        last = self.clock.num_frames - 1
        if self.clock.stretch is not None and self.clock.stretch[1] > last + 1:
            self.clock.stretch = None
        if self.stretch_from is not None and self.stretch_from > last:
            self.stretch_from = None
        self._play_when_shown = self._play_when_shown or self.clock.playing
        self._asked = min(self.clock.index if self._asked is None else self._asked, last)
        self._want()
        self._tick()
        self.changed.emit()

    def mark_stretch(self) -> None:
        """In turn: the stretch begins at the frame on the screen, ends there and is repeated, and the whole is played again."""
        here, first = min(self.clock.index, max(self.clock.num_frames - 1, 0)), self.stretch_from
        if self.clock.stretch is not None:
            self.clock.stretch = None
        elif first is None:
            self.stretch_from = here if self.clock.num_frames > 1 else None
        else:
            self.stretch_from = None
            if first != here:
                self.clock.repeat(min(first, here), max(first, here) + 1)
        self.changed.emit()

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
        self.cache.clear()

    def _tick(self) -> None:
        target = self.clock.due() if self._asked is None else self._asked
        if self._asked is None and target == self.clock.index:
            return
        frames = [self.cache.get(side.reel.path, side.frame_at(target)) for side in self._sides]
        if any(frame is None for frame in frames):
            self.clock.hold()
            self._want(target)
            return
        shown = (range(target, target + 1),) if self._asked is not None else self.clock.passed(target)
        for side, frame in zip(self._sides, frames, strict=True):
            assert frame is not None
            side.pane.show_frame(frame, side.frame_at(target))
            side.see(chain(*shown))
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
        present = tuple((side.reel.path, side.shift) for side in self._sides)
        state = (head // CHUNK, present, tuple(reel.path for reel in self._prefetch))
        if state == self._wanted_at:
            return
        self._wanted_at = state
        frame_bytes = self._decoder.max_edge_px**2 * 9 // 16 * 3
        room = max(2 * CHUNK, self.cache.max_bytes * 8 // 10 // frame_bytes)
        later = [Want(reel=reel, rank=1 + n, horizon=AHEAD) for n, reel in enumerate(self._prefetch)]
        share = max(2 * CHUNK, (room - AHEAD * len(later)) // max(1, len(self._sides)))
        now = [Want(reel=side.reel, playhead=side.frame_at(head), horizon=share) for side in self._sides]
        self._decoder.want([*now, *later])

    def _on_ready(self, path: str) -> None:
        if self._asked is not None and any(side.reel.path == path for side in self._sides):
            self._tick()

    def _on_failed(self, path: str, reason: str) -> None:
        self.failures[path] = reason
        for side in self._sides:
            if side.reel.path == path:
                side.pane.show_sentence(reason)
        self._sides = [side for side in self._sides if side.reel.path != path]
        self.changed.emit()
        if self._asked is not None and self._sides:
            self._tick()
