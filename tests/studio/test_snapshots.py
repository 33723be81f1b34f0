"""Pages as they looked when somebody last looked at them: small grey pictures, compared with room for other fonts.

`SNAPSHOTS=write python -m pytest tests/studio/test_snapshots.py` keeps what is shown now; look at it before you commit it.
"""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QAbstractItemView, QApplication, QWidget

from backend.api import Api
from backend.domain import Trial
from backend.domain.studies import MAIN
from backend.engine.plan import Step
from backend.workspace import Workspace
from bench.studio_queue import PlantQueue
from studio.charts.cut_plot import CutPlot
from studio.pages import PAGES
from studio.pages.compare import ComparePage
from studio.pages.embeddings import EmbeddingsPage
from studio.pages.judge import JudgePage
from studio.pages.results import ResultsPage
from studio.pages.studies import StudiesPage
from studio.sessions.verify import Phase
from studio.window import Window
from tests.backend.workspace.study_project import create, finished, write_benchmark
from tests.studio.served import Service, planted_queue, served_window, toy_workspace, window_over
from tests.studio.settling import settle
from tests.studio.studies.test_studies_page import ranked
from tests.studio.test_compare_page import go_to
from tests.studio.test_embeddings_page import PlantVectors

pytestmark = pytest.mark.slow
KEPT = Path(__file__).parent / "snapshots"
THEMES = ("light", "dark")
SIZE, SMALL = (1280, 800), (128, 80)
MEAN, BLOCK = 6.0, 48.0
"""How far grey levels may be off on the whole, and in any block of 8 x 8 of the small picture (80 x 80 on the screen)."""
LITTLE, MANY = 8.0, 30
"""Of 160 blocks no more may be off by that little: a light chart that is missing moves 38, as tried."""
LOOK_MS, PATIENCE_S = 250, 60.0
CONTENT: dict[str, Callable[[QWidget], list[QWidget]]] = {
    "library": lambda page: [page.list],  # type: ignore[attr-defined]
    "thresholds": lambda page: [*page.findChildren(CutPlot)],
    "jobs": lambda page: [*page.findChildren(QAbstractItemView)],
}
"""Pages of the toy project, and what they are there to show."""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A project in which nothing was done."""
    opened = Workspace(tmp_path_factory.mktemp("snapshots") / "empty", create=True)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Six pairs whose similarities and pictures are drawn by a fixed seed: one is always the first."""
    with planted_queue(tmp_path_factory.mktemp("snapshots"), PlantQueue(clips=2, subjects=2)) as workspace:
        made = Service(workspace)
        made.start()
        yield made
        made.stop()


def test_verify_looks_as_it_was_kept(qtbot, queue: Service, tmp_path: Path) -> None:
    with window_over(queue, tmp_path, "verify") as window:
        window.resize(*SIZE)
        page = window.page
        assert isinstance(page, JudgePage)
        qtbot.waitUntil(lambda: page.session.phase is Phase.JUDGING and len(page.deck.sides) == 2)
        for theme in THEMES:
            window.set_theme(theme)
            page.deck.seek(0)
            compare(qtbot, window, f"verify-{theme}")
        page.form_view.hide()
        assert difference(seen_of(window), kept("verify-dark")), "a page that lost its main part passes"


@pytest.mark.parametrize("name", [name for name in PAGES if name != "verify"])
def test_an_empty_page_looks_as_it_was_kept(qtbot, empty: Workspace, tmp_path: Path, name: str) -> None:
    with served_window(empty, tmp_path, name) as window:
        window.resize(*SIZE)
        compare(qtbot, window, f"empty-{name}")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("snapshots")
    with toy_workspace(folder, Step(PlantVectors())) as workspace:
        create(cast(Api, workspace), write_benchmark(folder / "benchmark", cases=4, frames=2), trials=12)
        for _ in range(3):
            finished(cast(Api, workspace), "taste", divided(workspace))
        made = Service(workspace)
        made.start()
        yield made
        made.stop()


def divided(workspace: Workspace) -> Callable[[Trial, str], str]:
    """Somebody who knows what is shown, and of every third pair likes the worse: no system wins always."""
    knows, seen = ranked(workspace), itertools.count(1)

    def choose(trial: Trial, question: str) -> str:
        said = knows(trial, question)
        _, item, _ = workspace._shelf.trial(trial.item_id)
        return said if item.role != MAIN or next(seen) % 3 else {"left": "right", "right": "left"}[said]

    return choose


@pytest.mark.parametrize("name", CONTENT)
def test_a_page_with_content_looks_as_it_was_kept_and_without_its_main_part_it_does_not(
    qtbot, toy: Service, tmp_path: Path, name: str
) -> None:
    with window_over(toy, tmp_path, name) as window:
        window.resize(*SIZE)
        compare(qtbot, window, f"toy-{name}")
        for part in CONTENT[name](window.page):
            part.hide()
        assert difference(seen_of(window), kept(f"toy-{name}")), "a page that lost its main part passes"


def mapped(qtbot, page: EmbeddingsPage) -> None:
    qtbot.waitUntil(lambda: page.session.found is not None)


def ranked_systems(qtbot, page: ResultsPage) -> None:
    qtbot.waitUntil(lambda: bool(page.studies))
    page.run("view_wins")
    qtbot.waitUntil(lambda: bool(page.sheet.rows))


def monitored(qtbot, page: StudiesPage) -> None:
    qtbot.waitUntil(lambda: page.layout_of.monitor.figures["counting"].text() == "3")


def in_a_trial(qtbot, page: ComparePage) -> None:
    """The first trial of somebody new, watched to its end, at its first frame."""
    for button in ("taste", "agree", "start"):
        go_to(qtbot, page, button)
    qtbot.waitUntil(lambda: page.session.phase is Phase.JUDGING and page.watched)
    page.deck.pause()
    page.deck.seek(0)


JUDGED: dict[str, tuple[Callable[..., None], Callable[[Any], list[QWidget]]]] = {
    "embeddings": (mapped, lambda page: [page.plot, page.legend]),
    "results": (ranked_systems, lambda page: [page.layout_of.stack]),
    "studies": (monitored, lambda page: [page.layout_of.monitor]),
    "compare": (in_a_trial, lambda page: [page.form_view]),
}
"""Pages of what people judged: how each comes to show it, and what it is there to show."""


@pytest.mark.parametrize("name", JUDGED)
def test_a_page_of_what_people_judged_looks_as_it_was_kept_and_without_its_main_part_it_does_not(
    qtbot, toy: Service, tmp_path: Path, name: str
) -> None:
    prepare, main_parts = JUDGED[name]
    with window_over(toy, tmp_path, name) as window:
        window.resize(*SIZE)
        prepare(qtbot, window.page)
        for theme in THEMES:
            window.set_theme(theme)
            compare(qtbot, window, f"toy-{name}-{theme}")
        for part in main_parts(window.page):
            part.hide()
        assert difference(seen_of(window), kept(f"toy-{name}-dark")), "a page that lost its main part passes"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="QT_SCALE_FACTOR is tried where CI runs")
def test_verify_looks_the_same_where_a_pixel_has_four(queue: Service, tmp_path: Path) -> None:
    picture = tmp_path / "double.png"
    environment = {**os.environ, "QT_SCALE_FACTOR": "2", "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-m", "tests.studio.verify_picture", str(queue.workspace.layout.root), str(picture)]
    subprocess.run(command, env=environment, check=True, timeout=200, capture_output=True)
    double = QImage(str(picture))
    assert (double.width(), double.height()) == (2 * SIZE[0], 2 * SIZE[1])
    assert not difference(small(double), kept("verify-light"))
    rows = np.asarray(Image.open(picture).convert("L")).astype(int)
    assert np.abs(np.diff(rows[:, ::2] - rows[:, 1::2])).sum() > 0, "drawn in the small and blown up"


def compare(qtbot, window: Window, name: str) -> None:
    """Fails where the window goes on looking otherwise than its kept picture, and says by how much."""
    settle(qtbot, window)
    if os.environ.get("SNAPSHOTS") == "write":
        qtbot.wait(20 * LOOK_MS)
        KEPT.mkdir(exist_ok=True)
        Image.fromarray(seen_of(window)).save(KEPT / f"{name}.png")
    problem = difference(seen_of(window), kept(name))
    until = time.monotonic() + PATIENCE_S
    while problem and time.monotonic() < until:  # clips are still being read, on a busy machine
        qtbot.wait(LOOK_MS)
        problem = difference(seen_of(window), kept(name))
    assert not problem, f"{name} is {problem}"


def kept(name: str) -> np.ndarray:
    return np.asarray(Image.open(KEPT / f"{name}.png").convert("L"))


def difference(seen: np.ndarray, before: np.ndarray) -> str:
    """How a window differs from before, both grey uint8 `(80, 128)`; empty where it looks alike."""
    off = np.abs(seen.astype(float) - before)
    blocks = off.reshape(SMALL[1] // 8, 8, SMALL[0] // 8, 8).mean(axis=(1, 3))
    if off.mean() > MEAN:
        return f"{off.mean():.1f} grey levels off on the whole"
    if (changed := int((blocks > LITTLE).sum())) > MANY:
        return f"off in {changed} places"
    row, column = np.unravel_index(blocks.argmax(), blocks.shape)
    return f"{blocks.max():.0f} grey levels off around ({column * 80}, {row * 80})" if blocks.max() > BLOCK else ""


def seen_of(window: Window) -> np.ndarray:
    QApplication.processEvents()
    assert (window.width(), window.height()) == SIZE, "the page does not fit into a small screen"
    return small(window.grab().toImage())


def small(image: QImage) -> np.ndarray:
    """Grey uint8 `(80, 128)`: each value the mean of 10 x 10 pixels."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    pixels = rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3)
    return np.asarray(Image.fromarray(pixels).convert("L").resize(SMALL, Image.Resampling.BOX))
