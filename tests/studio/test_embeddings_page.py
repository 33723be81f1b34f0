"""A map of three planted vectors by keys alone, over the real service."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from backend.domain import Appearance, Context, Embedding, Item, Ok, Resources, Result
from backend.engine.plan import Step
from backend.workspace import embedding_maps
from studio.pages.embeddings import EmbeddingsPage
from studio.sessions.embeddings import enclosed
from tests.studio.served import served_window, toy_workspace

pytestmark = pytest.mark.slow  # together they take too long for the fast run

PLACES = ((1.0, 0.0), (0.0, 1.0), (-0.6, -0.8))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantVectors:
    """A unit vector for each of the three appearances, by its frame."""

    name: ClassVar[str] = "plant_vectors"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Appearance
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Embedding,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        found: list[Result] = []
        for item in items:
            (appearance,) = item.records[Appearance]
            vector = np.array(PLACES[appearance.frame // 10], np.float32)
            found.append(
                Ok(item.id, (Embedding(appearance_id=item.id, space="appearance", model="planted", vector=vector),))
            )
        return found


@pytest.fixture
def page(qtbot, tmp_path: Path) -> Iterator[EmbeddingsPage]:
    with (
        toy_workspace(tmp_path, Step(PlantVectors())) as workspace,
        served_window(workspace, tmp_path, "embeddings") as window,
    ):
        found = window.page
        assert isinstance(found, EmbeddingsPage)
        qtbot.waitUntil(lambda: found.session.found is not None)
        yield found


def legend(page: EmbeddingsPage) -> list[str]:
    return [page.legend.item(n).data(Qt.ItemDataRole.AccessibleTextRole) for n in range(page.legend.count())]


def press(page: EmbeddingsPage, *keys: Qt.Key) -> None:
    page.window().activateWindow()
    QApplication.processEvents()
    page.plot.setFocus()
    for key in keys:
        QTest.keyClick(page.plot, key)


def test_points_are_chosen_by_keys_and_their_pairs_are_sent(qtbot, page: EmbeddingsPage) -> None:
    found = page.session.found
    assert found is not None
    assert (found.total, len(found.x), sum(found.explained)) == (3, 3, pytest.approx(1.0))
    press(page, Qt.Key.Key_V)
    assert "first" in page.status.text()
    centre, radius = page.session.centre, page.session.radius
    press(page, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Plus)
    assert page.session.centre == pytest.approx((centre[0] + radius / 4, centre[1] + radius / 4))
    assert page.session.radius == pytest.approx(radius * 1.25)
    press(page, Qt.Key.Key_Left, Qt.Key.Key_Down, Qt.Key.Key_Minus)
    for _ in range(20):
        press(page, Qt.Key.Key_Plus)
    press(page, Qt.Key.Key_Space)
    assert page.status.text().startswith("3 subjects chosen (3 points)")
    assert page.strip.count() == 3
    press(page, Qt.Key.Key_V)
    qtbot.waitUntil(lambda: "2 pairs are first in the queue" in page.status.text())
    press(page, Qt.Key.Key_Escape)
    assert page.session.selection() is None


def test_shapes_go_by_category_or_by_who_pairs_hold_for_one(qtbot, page: EmbeddingsPage) -> None:
    assert legend(page) == ["●  mug  3"]
    press(page, Qt.Key.Key_C)
    assert legend(page) == ["●  #1  3"], ".9 and .6 join all three"


def test_the_circle_begins_around_a_point(page: EmbeddingsPage) -> None:
    press(page, Qt.Key.Key_Space)
    assert page.status.text().startswith("1 subject chosen (1 point)")


def test_a_lasso_chooses_what_it_encloses(page: EmbeddingsPage) -> None:
    found = page.session.found
    assert found is not None
    x, y = found.x[0], found.y[0]
    line = [(x - 0.1, y - 0.1), (x + 0.1, y - 0.1), (x, y + 0.1)]

    def seen() -> int:
        x_of_line, _ = page.plot._line.getData()
        return 0 if x_of_line is None else len(x_of_line)

    page.plot._box.drawing.emit(line[:2])
    assert seen() == 2, "the line is seen while it is drawn"
    assert page.session.chosen == set()
    page.plot._box.drawn.emit(line)
    assert page.session.chosen == {0}
    assert seen() == 0
    assert page.status.text().startswith("1 subject chosen (1 point)")


def test_a_space_without_vectors_says_what_to_do(qtbot, page: EmbeddingsPage) -> None:
    page.boxes["space"].setCurrentIndex(1)
    qtbot.waitUntil(lambda: page.stack.currentIndex() == 1)
    assert "there are appearance" in page.rest.words.text()


def test_umap_without_its_package_says_what_to_install(
    qtbot, page: EmbeddingsPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)  # as if it were not installed
    monkeypatch.setattr(embedding_maps, "LEAST_OF_UMAP", 3)
    page.boxes["method"].setCurrentIndex(1)
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.rest)
    assert "umap-learn is not installed; pip install umap-learn, or look at the map pca" in page.rest.words.text()
    page.boxes["method"].setCurrentIndex(0)
    qtbot.waitUntil(lambda: page.stack.currentIndex() == 0)
    assert page.plot.isVisible()


def test_enclosed_agrees_with_matplotlib_on_a_star() -> None:
    turn = np.arange(10) * np.pi / 5
    reach = np.where(np.arange(10) % 2, 0.4, 1.0)
    star = np.column_stack([reach * np.cos(turn), reach * np.sin(turn)])
    points = np.random.default_rng(1).uniform(-1, 1, (500, 2))
    inside = enclosed(points[:, 0], points[:, 1], star)
    assert inside.tolist() == Outline(star).contains_points(points).tolist()
    assert 50 < inside.sum() < 250
