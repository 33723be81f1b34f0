"""Two clips of 720p in step with each other: how quickly Studio's player steps, what it skips; QMediaPlayer beside it."""

import random
import statistics
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from PySide6.QtCore import QUrl
from PySide6.QtGui import QImage
from PySide6.QtMultimedia import QMediaPlayer, QVideoFrame, QVideoSink

from bench.qt import application, pause, wait
from studio.player.deck import Deck
from studio.player.decoder import Reel
from studio.player.pane import Pane
from tests.studio.world import World, read_barcode

NUM_FRAMES, SIZE, PANE = 120, (1280, 720), (640, 360)
NUM_STEPS, PEER_STEPS = 200, 60
PLAY_S = 10.0
PATIENCE_S = 2.0  # until a step of the peer counts as one that never showed its frame


def run(root: Path) -> list[dict]:
    """Rows of figures on one pair of clips whose frames carry their number."""
    application()
    world = World(folder=root, num_frames=NUM_FRAMES, size=SIZE, barcode=True)
    files = [world.make(media_id) for media_id in ("clip_900_target", "clip_901_reference")]
    return [*_deck([Reel(path=f.path, num_frames=f.num_frames, fps=f.fps) for f in files]), *_peer(files[0].path)]


def _deck(reels: list[Reel]) -> list[dict]:
    deck, panes = Deck(), (Pane("A"), Pane("B"))
    for pane in panes:
        pane.resize(*PANE)
        pane.show()
    started = time.perf_counter()
    deck.load(list(zip(panes, reels, strict=True)), play=False)
    wait(lambda: panes[0].frame is not None and panes[1].frame is not None)
    first_s = time.perf_counter() - started
    wait(lambda: all(deck.cache.has(reel.path, index) for reel in reels for index in range(reel.num_frames)))
    steps = [_step(deck, panes, 1) for _ in range(NUM_STEPS)]
    jumps = [_step(deck, panes, n) for n in _jumps()]
    played = _play(deck, panes)
    deck.close()
    for pane in panes:
        pane.close()
    took = sorted(seconds for seconds, _ in steps)
    return [
        _row("cold 720p pair to first frame on both sides", 1000 * first_s, "ms", 300),
        _row("frame step of both sides, cached, painted, p95", 1000 * took[int(NUM_STEPS * 0.95)], "ms", 16),
        _row("wrong frame after a step", statistics.mean(wrong for _, wrong in steps), "", 0),
        _row("wrong frame after a jump", statistics.mean(wrong for _, wrong in jumps), "", 0),
        _row(f"frames skipped in {PLAY_S:.0f} s of 2 x 720p at 24 fps", _skipped([a for a, _ in played]), "frames", 0),
        _row("frames shown in that time", len(played), "frames", None),
        _row("ticks with different frames on the sides", sum(a != b for a, b in played), "ticks", 0),
    ]


def _step(deck: Deck, panes: tuple[Pane, Pane], by: int) -> tuple[float, bool]:
    """Seconds until both sides are painted, and whether either shows another frame than was asked for."""
    wanted = (deck.clock.index + by) % NUM_FRAMES
    started = time.perf_counter()
    deck.step(by)
    for pane in panes:
        pane.repaint()
    took = time.perf_counter() - started
    return took, any(_painted(pane) != wanted for pane in panes)


def _play(deck: Deck, panes: tuple[Pane, Pane]) -> list[tuple[int, int]]:
    """Numbers of the frames that both sides showed, tick by tick, over PLAY_S."""
    shown: list[tuple[int, int]] = []

    def look(_: int) -> None:
        shown.append((_painted(panes[0]), _painted(panes[1])))

    deck.moved.connect(look)
    deck.toggle()
    pause(PLAY_S)
    deck.pause()
    return shown


def _skipped(numbers: list[int]) -> int:
    """Frames between those that were shown one after the other, over the loop's end too."""
    return sum(max(0, (after - before) % NUM_FRAMES - 1) for before, after in pairwise(numbers))


def _peer(path: str) -> list[dict]:
    """QMediaPlayer asked for the same frames by their times, one side only: it has no second one to keep in step with."""
    player, sink = QMediaPlayer(), QVideoSink()
    player.setVideoSink(sink)
    frames: list[QVideoFrame] = []
    sink.videoFrameChanged.connect(frames.append)
    player.setSource(QUrl.fromLocalFile(path))
    player.pause()
    wait(lambda: bool(frames))
    steps = [_ask(player, frames, n) for n in range(1, PEER_STEPS + 1)]
    places, jumps = PEER_STEPS, []
    for by in _jumps():
        places = (places + by) % NUM_FRAMES
        jumps.append(_ask(player, frames, places))
    player.stop()
    took = sorted(seconds for seconds, _ in steps)
    return [
        _row("QMediaPlayer: frame step of one side, p95", 1000 * took[int(len(took) * 0.95)], "ms", None),
        _row("QMediaPlayer: wrong frame after a step", statistics.mean(wrong for _, wrong in steps), "", None),
        _row("QMediaPlayer: wrong frame after a jump", statistics.mean(wrong for _, wrong in jumps), "", None),
    ]


def _ask(player: QMediaPlayer, frames: list[QVideoFrame], number: int) -> tuple[float, bool]:
    """Seconds until the peer shows the frame (its middle is asked for), and whether what it shows in the end is another."""
    frames.clear()
    started = time.perf_counter()
    player.setPosition(round(1000 * (number + 0.5) / 24))
    while time.perf_counter() - started < PATIENCE_S:
        pause(0.001)
        if frames and _number(frames[-1].toImage()) == number:
            return time.perf_counter() - started, False
    return time.perf_counter() - started, True


def _painted(pane: Pane) -> int:
    """The number in the picture that the pane paints; the pane has the shape of the clip, so that nothing is beside it."""
    return _number(pane.grab().toImage())


def _number(picture: QImage) -> int:
    picture = picture.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(picture.constBits(), np.uint8).reshape(picture.height(), picture.bytesPerLine())
    return read_barcode(rows[:, : picture.width() * 3].reshape(picture.height(), picture.width(), 3))


def _jumps() -> list[int]:
    draw = random.Random(0)
    return [draw.randrange(2, NUM_FRAMES - 1) for _ in range(PEER_STEPS)]


def _row(name: str, value: float, unit: str, target: float | None) -> dict:
    return {"area": "studio", "name": name, "value": round(value, 3), "unit": unit, "target": target}
