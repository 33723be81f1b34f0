"""How quickly Studio starts, answers a key, steps and plays, over a service in the same process.

The service is the small one of the tests, so that the figures are Studio's own. Runs offscreen unless a display is set.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.app import open_window
from studio.pages.judge import JudgePage
from studio.player.deck import Deck
from studio.player.decoder import Reel
from studio.player.pane import Pane
from studio.sessions.verify import Phase
from studio.window import Window
from tests.studio.world import World, read_barcode

NUM_KEYS = 100
NUM_STARTS = 3
NUM_STEPS = 200
PLAY_S = 10.0
VERIFY_SIZE, COMPARE_SIZE = (640, 360), (1280, 720)


def run(folder: Path | None = None) -> list[dict]:
    """One row per figure: `area`, `name`, `value`, `unit`, `target` (None where there is none)."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        root = Path(name)
        _application()
        return [*_starts(root), *_verdicts(root), *_player(root)]


def start_once(root: Path) -> None:
    """Opens the window and writes to stdout how long that took, in seconds; run in a process of its own."""
    started = time.perf_counter() - _age_s()
    app = _application()
    with closing(_open(_world(root), root / f"state{os.getpid()}")) as window:
        page = _judge_page(window)
        _wait(lambda: page.session.phase is Phase.JUDGING)
        app.processEvents()
        sys.stdout.write(f"{time.perf_counter() - started:.3f} {_resident_mib():.0f}\n")
        sys.stdout.flush()


def _starts(root: Path) -> list[dict]:
    world = _world(root)
    for number in range(world.num_scenes):
        for side in ("target", "reference"):
            world.make(f"crop_{number}_{side}")
            world.make(f"clip_{number}_{side}")
    code = f"from pathlib import Path; from bench.studio import start_once; start_once(Path({str(root)!r}))"
    said = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(NUM_STARTS)
    ]
    seconds = [float(line[0]) for line in said]
    return [
        _row("start to usable queue, service running, median", statistics.median(seconds), "s", 1.5),
        _row("memory at the first pair (its clips and the next decoding)", float(said[-1][1]), "MiB", None),
    ]


def _verdicts(root: Path) -> list[dict]:
    with closing(_open(_world(root, num_pairs=NUM_KEYS + 4), root / "state")) as window:
        took = [_verdict(_judge_page(window), judged) for judged in range(NUM_KEYS)]
    took.sort()
    return [
        _row("key to vote on disk to next pair painted, median", 1000 * statistics.median(took), "ms", None),
        _row("key to vote on disk to next pair painted, p95", 1000 * took[int(len(took) * 0.95)], "ms", 50),
        _row("key to vote on disk to next pair painted, p99", 1000 * took[int(len(took) * 0.99)], "ms", 100),
    ]


def _judge_page(window: Window) -> JudgePage:
    assert isinstance(window.page, JudgePage)
    return window.page


def _verdict(page: JudgePage, judged: int) -> float:
    """Seconds from the key to the paint of the next pair's both pictures, once that pair is loaded."""
    _wait(lambda: page.session.phase is Phase.JUDGING and _next_is_loaded(page))
    done, painted = QEventLoop(), set[str]()
    views = page.form_view.views

    def paint(slot: str) -> None:
        if page.session.judged == judged + 1 and not views[slot].still.image.isNull():
            painted.add(slot)
            if len(painted) == len(views):
                done.quit()

    links = [view.still.painted.connect(lambda slot=slot: paint(slot)) for slot, view in views.items()]
    started = time.perf_counter()
    QTest.keyClick(page, Qt.Key.Key_1)
    QTimer.singleShot(5000, done.quit)
    done.exec()
    took = time.perf_counter() - started
    for view, link in zip(views.values(), links, strict=True):
        view.still.painted.disconnect(link)
    return took


def _player(root: Path) -> list[dict]:
    world = World(folder=root, num_frames=120, size=COMPARE_SIZE, barcode=True)
    reels = []
    for media_id in ("clip_900_target", "clip_901_reference"):
        file = world.make(media_id)
        reels.append(Reel(path=file.path, num_frames=file.num_frames, fps=file.fps))
    deck, panes = Deck(), (Pane("A"), Pane("B"))
    for pane in panes:
        pane.resize(700, 500)
        pane.show()
    started = time.perf_counter()
    deck.load(list(zip(panes, reels, strict=True)), play=False)
    _wait(lambda: deck._asked is None)
    first_s = time.perf_counter() - started
    _wait(lambda: all(deck.cache.has(reel.path, index) for reel in reels for index in range(reel.num_frames)))
    steps = sorted(_step(deck, panes) for _ in range(NUM_STEPS))
    shown, unequal = _play(deck, panes)
    deck.close()
    for pane in panes:
        pane.close()
    return [
        _row("cold 720p pair to first frame on both sides", 1000 * first_s, "ms", 300),
        _row("frame step of both sides, cached, painted, p95", 1000 * steps[int(NUM_STEPS * 0.95)], "ms", 16),
        _row(f"frames skipped in {PLAY_S:.0f} s of 2 x 720p at 24 fps", round(PLAY_S * 24) - shown, "frames", 0),
        _row("ticks with different frames on the sides", unequal, "ticks", 0),
    ]


def _step(deck: Deck, panes: tuple[Pane, Pane]) -> float:
    started = time.perf_counter()
    deck.step(1)
    for pane in panes:
        pane.repaint()
    return time.perf_counter() - started


def _play(deck: Deck, panes: tuple[Pane, Pane]) -> tuple[int, int]:
    """Frames shown in PLAY_S, and ticks in which the barcodes of the sides differed."""
    pairs: list[tuple[int, int]] = []

    def look(_: int) -> None:
        assert panes[0].frame is not None
        assert panes[1].frame is not None
        pairs.append((read_barcode(panes[0].frame), read_barcode(panes[1].frame)))

    deck.moved.connect(look)
    deck.toggle()
    _pause(PLAY_S)
    deck.pause()
    return len(pairs), sum(a != b for a, b in pairs)


def _next_is_loaded(page: JudgePage) -> bool:
    upcoming = page.session.upcoming
    return bool(upcoming) and upcoming[0].trial.id in page.loader.stills and upcoming[0].trial.id in page.loader.clips


def _world(root: Path, num_pairs: int = 12) -> World:
    return World(folder=root, num_pairs=num_pairs, num_frames=24, size=VERIFY_SIZE)


def _open(world: World, state: Path) -> Window:
    window = open_window(world.api, project=state, rater="bench", theme="light", state=state / "p", page="verify")
    window.show()
    return window


def _application() -> QApplication:
    app = QApplication.instance() or QApplication(["bench"])
    assert isinstance(app, QApplication)
    return app


def _wait(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not claim():
        assert time.monotonic() < deadline, "not reached within 30 s"
        _pause(0.005)


def _pause(seconds: float) -> None:
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def _age_s() -> float:
    """Seconds since this process was started by the system."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _row(name: str, value: float, unit: str, target: float | None) -> dict:
    return {"area": "studio", "name": name, "value": round(value, 3), "unit": unit, "target": target}
