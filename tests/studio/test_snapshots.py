"""Pages as they looked when somebody last looked at them: small grey pictures, compared with room for other fonts.

`SNAPSHOTS=write python -m pytest tests/studio/test_snapshots.py` keeps what is shown now; look at it before you commit it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from backend.workspace import Workspace
from studio.pages import PAGES
from studio.pages.judge import JudgePage
from studio.sessions.verify import Phase
from studio.window import Window
from tests.studio.served import served_window
from tests.studio.world import World

pytestmark = pytest.mark.slow
KEPT = Path(__file__).parent / "snapshots"
SIZE, SMALL = (1280, 800), (128, 80)
MEAN, BLOCK = 6.0, 48.0
"""How far grey levels may be off on the whole, and in any block of 8 x 8 of the small picture (80 x 80 on the screen)."""
SETTLE_MS = 1500


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
    qtbot.waitUntil(lambda: page.session.phase is Phase.JUDGING, timeout=20_000)
    page.deck.seek(0)
    qtbot.wait(SETTLE_MS)
    compare(window, f"verify-{theme}")


@pytest.mark.parametrize("name", [name for name in PAGES if name != "verify"])
def test_an_empty_page_looks_as_it_was_kept(qtbot, empty: Workspace, tmp_path: Path, name: str) -> None:
    with served_window(empty, tmp_path, name) as window:
        window.resize(*SIZE)
        qtbot.wait(SETTLE_MS)
        compare(window, f"empty-{name}")


def compare(window: Window, name: str) -> None:
    """Fails where the window looks otherwise than its kept picture, and says by how much."""
    QApplication.processEvents()
    assert (window.width(), window.height()) == SIZE, "the page does not fit into a small screen"
    seen = small(window.grab().toImage())
    path = KEPT / f"{name}.png"
    if os.environ.get("SNAPSHOTS") == "write":
        KEPT.mkdir(exist_ok=True)
        Image.fromarray(seen).save(path)
    kept = np.asarray(Image.open(path).convert("L"))
    off = np.abs(seen.astype(float) - kept)
    blocks = off.reshape(SMALL[1] // 8, 8, SMALL[0] // 8, 8).mean(axis=(1, 3))
    assert off.mean() <= MEAN, f"{name} is {off.mean():.1f} grey levels off on the whole"
    row, column = np.unravel_index(blocks.argmax(), blocks.shape)
    assert blocks.max() <= BLOCK, f"{name} is {blocks.max():.0f} grey levels off around ({column * 80}, {row * 80})"


def small(image: QImage) -> np.ndarray:
    """Grey uint8 `(80, 128)`: each value the mean of 10 x 10 pixels."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    pixels = rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3)
    return np.asarray(Image.fromarray(pixels).convert("L").resize(SMALL, Image.Resampling.BOX))
