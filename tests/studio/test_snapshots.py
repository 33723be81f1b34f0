"""Pages as they looked when somebody last looked at them: small grey pictures, compared with room for other fonts.

`SNAPSHOTS=write python -m pytest tests/studio/test_snapshots.py` keeps what is shown now; look at it before you commit it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QAbstractItemView, QApplication, QWidget

from backend.workspace import Workspace
from studio.charts.cut_plot import CutPlot
from studio.pages import PAGES
from studio.pages.judge import JudgePage
from studio.sessions.verify import Phase
from studio.window import Window
from tests.studio.served import Service, served_window, toy_workspace, window_over
from tests.studio.settling import settle
from tests.studio.world import World

pytestmark = pytest.mark.slow
KEPT = Path(__file__).parent / "snapshots"
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


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_verify_looks_as_it_was_kept(qtbot, opened, world: World, theme: str) -> None:
    window = opened(world)
    window.resize(*SIZE)
    window.set_theme(theme)
    page = window.page
    assert isinstance(page, JudgePage)
    qtbot.waitUntil(lambda: page.session.phase is Phase.JUDGING)
    page.deck.seek(0)
    compare(qtbot, window, f"verify-{theme}")


@pytest.mark.parametrize("name", [name for name in PAGES if name != "verify"])
def test_an_empty_page_looks_as_it_was_kept(qtbot, empty: Workspace, tmp_path: Path, name: str) -> None:
    with served_window(empty, tmp_path, name) as window:
        window.resize(*SIZE)
        compare(qtbot, window, f"empty-{name}")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with toy_workspace(tmp_path_factory.mktemp("snapshots")) as workspace:
        made = Service(workspace)
        made.start()
        yield made
        made.stop()


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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="QT_SCALE_FACTOR is tried where CI runs")
def test_verify_looks_the_same_where_a_pixel_has_four(tmp_path: Path) -> None:
    picture = tmp_path / "double.png"
    environment = {**os.environ, "QT_SCALE_FACTOR": "2", "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-m", "tests.studio.verify_picture", str(picture)]
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
