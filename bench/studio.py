"""How quickly Studio starts and answers a key, over the real service: a queue of 100,128 pairs, and a small curated project.

`bench.studio_player` has the figures of the player. As a module it prints its rows as JSON (`bench.screens`).
"""

import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtTest import QTest

from backend.sampleworld import render_world
from bench import studio_player
from bench.qt import application, wait
from bench.screens import tell
from bench.studio_queue import PlantQueue, served
from bench.studio_start import opened
from studio.pages.judge import JudgePage
from studio.sessions.verify import Phase
from studio.window import Window

NUM_KEYS = 400
NUM_COLD = 15
COLD = PlantQueue(clips=8, frames=120, subjects=2, width=1280, height=720)  # 120 pairs of clips of 5 s
NUM_STARTS = 3
SMALL_WORLD = {"videos": 3, "duration_s": 6.0, "size": (480, 270)}


def run(folder: Path | None = None) -> list[dict]:
    """One row per figure: `area`, `name`, `value`, `unit`, `target` (None where there is none)."""
    application()
    with tempfile.TemporaryDirectory(dir=folder) as name:
        root = Path(name)
        with served(root / "queue", PlantQueue()) as project:
            rows = [*_warm_starts(project, root), *_verdicts(project, root)]
        return [*rows, *_cold_next(root), *_cold_starts(root), *studio_player.run(root)]


def _started(project: Path, root: Path, page: str) -> tuple[float, float]:
    """Median seconds and MiB of a few starts."""
    said = []
    for number in range(NUM_STARTS):
        command = [sys.executable, "-m", "bench.studio_start", str(project), str(root / f"state-{page}-{number}"), page]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        said.append((float(told[-2]), float(told[-1])))
    seconds, mib = zip(*said, strict=True)
    return statistics.median(seconds), statistics.median(mib)


def _warm_starts(project: Path, root: Path) -> list[dict]:
    _, without = _started(project, root, "library")
    seconds, mib = _started(project, root, "verify")
    return [
        _row("start to usable queue of 100,128 pairs, service running, median", seconds, "s", 1.5),
        _row("memory of an open window without pictures and clips", without, "MiB", 250),
        _row("memory at the first pair (its clips and the next decoding)", mib, "MiB", None),
    ]


def _cold_starts(root: Path) -> list[dict]:
    """The service is Studio's child: it starts with the window and ends with it."""
    world, project = root / "world", root / "small"
    render_world(world, **SMALL_WORLD)
    command = [sys.executable, "-m", "backend.cli", "demo", "--no-open", "--project", str(project), str(world / "videos")]
    subprocess.run(command, check=True, capture_output=True)
    seconds, _ = _started(project, root / "cold", "verify")
    return [_row("start to usable queue, the service too, median", seconds, "s", 4.0)]


def _verdicts(project: Path, root: Path) -> list[dict]:
    with closing(opened(project, root / "state", "verify")) as window:
        took = [_verdict(_judge_page(window), judged) for judged in range(NUM_KEYS)]
    took.sort()
    return [
        _row("key to vote on disk to next pair painted, median", 1000 * statistics.median(took), "ms", None),
        _row("key to vote on disk to next pair painted, p95", 1000 * took[int(len(took) * 0.95)], "ms", 50),
        _row("key to vote on disk to next pair painted, p99", 1000 * took[int(len(took) * 0.99)], "ms", 100),
    ]


def _cold_next(root: Path) -> list[dict]:
    """From the key to the first frame of both clips of a pair of which nothing is held: it is leased, its pictures are read,
    its previews are found (or made), opened and decoded."""
    with served(root / "cold", COLD) as project, closing(opened(project, root / "cold-state", "verify")) as window:
        page, api = _judge_page(window), window.link.api
        for trial in api.next_trials(study_id=page.study_id, rater="somebody else", limit=COLD.clips * COLD.subjects):
            for one in trial.stimuli:
                if one.clip_media is not None:
                    api.media(media_id=one.clip_media)
        there = [_first_frames(page) for _ in range(NUM_COLD)]
        made = []
        for _ in range(NUM_COLD):
            wait(lambda: len(page.session.held) > 1 and _all_found(page))
            api.clear_storage(kinds=("previews",))
            made.append(_first_frames(page))
    return [
        _row(
            "cold next: key to first frame of both clips, 5 s of 720p, median", 1000 * statistics.median(there), "ms", 300
        ),
        _row("cold next, slowest", 1000 * max(there), "ms", 300),
        _row("cold next whose previews are made then, median", 1000 * statistics.median(made), "ms", None),
    ]


def _first_frames(page: JudgePage) -> float:
    wait(lambda: page.session.phase is Phase.JUDGING and _all_found(page))
    last = page.session.current
    page.session.upcoming.clear()
    for held in (page.loader.stills, page.loader.clips, page.deck.cache):
        held.clear()
    movies = [view.movie for view in page.form_view.views.values()]
    started = time.perf_counter()
    QTest.keyClick(page, Qt.Key.Key_2)
    wait(lambda: page.session.current not in (None, last) and all(movie.frame is not None for movie in movies))
    for movie in movies:
        movie.repaint()
    return time.perf_counter() - started


def _all_found(page: JudgePage) -> bool:
    return all(held.id in page.loader.clips for held in page.session.held)


def _judge_page(window: Window) -> JudgePage:
    """The window's page, once keys come to it: where no window manager runs, nobody else gives them to a new window."""
    assert isinstance(window.page, JudgePage)
    window.activateWindow()
    wait(window.isActiveWindow)
    return window.page


def _verdict(page: JudgePage, judged: int) -> float:
    """Seconds from the key to the paint of the next pair's both pictures, once that pair is loaded."""
    wait(lambda: page.session.phase is Phase.JUDGING and _next_is_loaded(page))
    done, painted = QEventLoop(), set[str]()
    views = page.form_view.views

    def paint(slot: str) -> None:
        if page.session.judged == judged + 1 and not views[slot].still.image.isNull():
            painted.add(slot)
            if len(painted) == len(views):
                done.quit()

    links = [view.still.painted.connect(lambda slot=slot: paint(slot)) for slot, view in views.items()]
    started = time.perf_counter()
    QTest.keyClick(page, Qt.Key.Key_2)  # different: the verdict that asks nothing more
    QTimer.singleShot(5000, done.quit)
    done.exec()
    took = time.perf_counter() - started
    assert len(painted) == len(views), f"verdict {judged + 1}: painted {sorted(painted)} of {sorted(views)} in 5 s"
    for view, link in zip(views.values(), links, strict=True):
        view.still.painted.disconnect(link)
    return took


def _next_is_loaded(page: JudgePage) -> bool:
    upcoming = page.session.upcoming
    return bool(upcoming) and upcoming[0].trial.id in page.loader.stills and upcoming[0].trial.id in page.loader.clips


def _row(name: str, value: float, unit: str, target: float | None) -> dict:
    return {"area": "studio", "name": name, "value": round(value, 3), "unit": unit, "target": target}


if __name__ == "__main__":
    tell(run())
