"""A library of a million subjects: filters and sorts through the service, scrolling and jumping through it in the window.

The catalog is made of rows alone (no videos, no pictures); everything that reads it is the product's own.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from PySide6.QtWidgets import QApplication

from backend.api import Api
from backend.client import RemoteApi, ServicePlace
from backend.engine.plan import Gate, Plan, Step
from backend.service import serving
from backend.workspace import Workspace
from bench.plan import FIND, PROBE, SPLIT
from bench.qt import application, pause, wait
from bench.screens import tell
from studio.app import open_window
from studio.pages.library import LibraryPage
from studio.sessions.library import Look

SUBJECTS = 1_000_000
SUBJECTS_PER_CLIP, CLIPS_PER_VIDEO = 4, 50
ROUNDS = 7
SCROLL_STEPS = 240
FILTERS = {
    "by category": "category = 'dog'",
    "by a range of a score": "sureness >= 0.25 and sureness < 0.26",
    "by a part of the text": "phrase contains 'blue'",
    "by category, range and state": "category in ('dog', 'mug') and sureness > .5 and state = 'kept'",
}
CATEGORIES = ("dog", "cat", "mug", "woman", "man", "car", "bird", "shoe", "bottle", "horse")
COLOURS = ("red", "blue", "grey", "striped", "old", "small", "wooden", "shiny")
STALL_MS = 100.0
"""A turn of the event loop above this is one that a person sees."""


def run(folder: Path | None = None) -> list[dict]:
    """One row per figure: `area`, `name`, `value`, `unit`, `target` (None where there is none)."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        root = Path(name)
        workspace = Workspace(root / "project", create=True)
        try:
            fill(workspace, SUBJECTS)
            with serving(cast(Api, workspace), workspace.layout.root):
                remote = cast(Api, RemoteApi(ServicePlace(workspace.layout.root)))
                return [*_reads(remote), *_window(remote, root)]
        finally:
            workspace.close()


PLAN = Plan(
    steps=(
        Step(PROBE),
        Step(SPLIT),
        Step(FIND, (Gate(record="subject", score="sureness", comparison=">=", value=0.05, source="bench"),)),
    )
)
"""One subject of twenty is held back."""


def fill(workspace: Workspace, num_subjects: int) -> None:
    """Gives the workspace a plan and rows as its stages would have made them: videos, clips, subjects and a score each."""
    workspace.plan = PLAN
    num_clips = num_subjects // SUBJECTS_PER_CLIP
    num_videos = max(1, num_clips // CLIPS_PER_VIDEO)
    keys = {stage: PLAN.stage_key(stage) for stage in (PROBE, SPLIT, FIND)}
    video_of_clip = f"i // {CLIPS_PER_VIDEO} % {num_videos}"
    clip_of_subject = f"i // {SUBJECTS_PER_CLIP} % {num_clips}"

    def insert(table: str, count: int, stage: Any, item: str, columns: str) -> None:
        key = keys.get(stage, "")
        workspace.catalog.query(
            f"""INSERT INTO {table} BY NAME SELECT '{key}:' || {item} AS work_key, '{key}' AS stage_key, {columns}
            FROM range({count}) t(i)"""
        )

    def of(values: tuple[str, ...], salt: str) -> str:
        return f"[{', '.join(repr(value) for value in values)}][1 + (hash(i || '{salt}') % {len(values)})::INTEGER]"

    insert(
        "source",
        num_videos,
        None,
        "''",
        "'source_' || i AS id, format('/films/film_{:05d}.mp4', i) AS uri, 1 AS num_bytes, 1 AS modified_ns",
    )
    insert(
        "video",
        num_videos,
        PROBE,
        "'source_' || i",
        """'video_' || i AS id, 'source_' || i AS source_id, 24.0 AS fps, 1280 AS width, 720 AS height, 4800 AS num_frames,
        200.0 AS duration_s, 'h264' AS codec, false AS has_audio""",
    )
    insert(
        "clip",
        num_clips,
        SPLIT,
        f"'video_' || ({video_of_clip})",
        f"""'clip_' || i AS id, 'video_' || ({video_of_clip}) AS video_id, i % {CLIPS_PER_VIDEO} * 96 AS start_frame,
        i % {CLIPS_PER_VIDEO} * 96 + 96 AS stop_frame, i % {CLIPS_PER_VIDEO} * 4.0 AS start_s,
        i % {CLIPS_PER_VIDEO} * 4.0 + 4.0 AS stop_s, 'cut' AS opens_with""",
    )
    insert(
        "subject",
        num_subjects,
        FIND,
        f"'clip_' || ({clip_of_subject})",
        f"""'subject_' || i AS id, 'clip_' || ({clip_of_subject}) AS clip_id, '' AS track_id, {of(CATEGORIES, "k")} AS category,
        'a ' || {of(COLOURS, "c")} || ' ' || {of(CATEGORIES, "k")} AS phrase, false AS is_living""",
    )
    insert(
        "score",
        num_subjects,
        FIND,
        f"'clip_' || ({clip_of_subject})",
        """'score_' || i AS id, 'subject_' || i AS target, 'sureness' AS name, 'bench' AS producer,
        hash(i) / 18446744073709551615.0 AS value""",
    )
    workspace.catalog.version += 1


def _reads(api: Api) -> list[dict]:
    started = time.perf_counter()
    total = api.items(kind="subject").total
    rows = [_row(f"first window of {total:,} subjects (the plan is evaluated)", time.perf_counter() - started, "s", None)]
    for name, where in FILTERS.items():
        rows.append(_row(f"filter {name}, median", 1000 * statistics.median(_filtered(api, where)), "ms", 200))
    took = [_timed(lambda n=n: api.items(kind="subject", search=f"small dog film_{n:05d}")) for n in range(ROUNDS)]
    rows.append(_row("search of three words, median", 1000 * statistics.median(took), "ms", 200))
    rows.append(
        _row(
            "sort by a score, the first time",
            1000 * _timed(lambda: api.items(kind="subject", order="-sureness")),
            "ms",
            None,
        )
    )
    took = [
        _timed(lambda n=n: api.items(kind="subject", where=f"category = '{CATEGORIES[n]}'", order="-sureness"))
        for n in range(ROUNDS)
    ]
    rows.append(_row("filter of a sorted list, median", 1000 * statistics.median(took), "ms", 200))
    took = [_timed(lambda n=n: api.items(kind="subject", offset=n * 131_071 % SUBJECTS)) for n in range(1, ROUNDS + 1)]
    rows.append(_row("window anywhere in the list, median", 1000 * statistics.median(took), "ms", None))
    return rows


def _filtered(api: Api, where: str) -> list[float]:
    """Seconds of a filter with another bound each time, so that nothing which was kept from before may answer."""
    return [
        _timed(lambda n=n: api.items(kind="subject", where=f"{where} and start_s >= {-n}")) for n in range(1, ROUNDS + 1)
    ]


def _window(api: Api, root: Path) -> list[dict]:
    app = application()
    window = open_window(api, project=root, rater="bench", theme="light", state=root / "state" / "p", page="library")
    window.resize(1440, 900)
    window.show()
    page = window.page
    assert isinstance(page, LibraryPage)
    try:
        page.look_at(Look(kind="subject"))
        wait(lambda: page.session.is_known and page.session.row(0) is not None)
        scrolled = _scroll(page, app)
        jump = statistics.median(_jump(page, n * 131_071 % SUBJECTS) for n in range(1, ROUNDS + 1))
        page.look_at(Look(kind="subject", layout="grid"))
        in_grid = _scroll(page, app)
    finally:
        window.close()
    return [
        _row("scrolling the table: longest turn of the event loop", scrolled[-1], "ms", STALL_MS),
        _row("scrolling the table: turn of the event loop, p95", scrolled[int(len(scrolled) * 0.95)], "ms", 16),
        _row("jump to a far row until it is painted, median", jump, "ms", None),
        _row("scrolling the grid: longest turn of the event loop", in_grid[-1], "ms", STALL_MS),
        _row("scrolling the grid: turn of the event loop, p95", in_grid[int(len(in_grid) * 0.95)], "ms", 16),
    ]


def _scroll(page: LibraryPage, app: QApplication) -> list[float]:
    """Milliseconds of each turn of the event loop while the list is scrolled by a third of a screen at a time."""
    bar = page.list.verticalScrollBar()
    took = []
    for step in range(SCROLL_STEPS):
        started = time.perf_counter()
        bar.setValue(step * page.list.viewport().height() // 3)
        page.list.viewport().repaint()
        app.processEvents()
        took.append(1000 * (time.perf_counter() - started))
        pause(0.008)
    return sorted(took)


def _jump(page: LibraryPage, row: int) -> float:
    started = time.perf_counter()
    page.list.scrollTo(page.model.index(row, 0))
    wait(lambda: page.session.row(row) is not None)
    page.list.viewport().repaint()
    return 1000 * (time.perf_counter() - started)


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _row(name: str, value: float, unit: str, target: float | None) -> dict:
    return {"area": "library", "name": name, "value": round(value, 3), "unit": unit, "target": target}


if __name__ == "__main__":
    tell(run())
