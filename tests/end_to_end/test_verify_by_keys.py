"""A video pair and a hundred pairs with pictures from outside are verified in Studio's window without touching the mouse."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtTest import QTest

from backend.api import Api
from backend.domain import (
    VERIFY_STUDY,
    Appearance,
    Context,
    Filtered,
    Item,
    Mask,
    Ok,
    Pair,
    Record,
    Resources,
    Result,
    Score,
    Source,
    Subject,
    Video,
)
from backend.engine.plan import Step
from backend.geometry.rle import encode
from backend.media.images import encode_png
from backend.workspace import Workspace
from studio.pages.verify import VerifyPage
from studio.sessions.verify import Phase
from tests.backend.workspace.conftest import curated
from tests.studio.served import served_window, toy_workspace

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

NUM_PICTURES = 100


def picture(number: int) -> bytes:
    return encode_png(np.full((48, 48, 4), (number, 255 - number, 90, 255), np.uint8))


def outside(artifact: str) -> Appearance:
    """What a picture from outside shows: itself."""
    box = (0.0, 0.0, 48.0, 48.0)
    return Appearance(subject_id=None, frame=None, box=box, confidence=1.0, origin="external", artifact=artifact)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantPictures:
    """Each picture is a subject from outside."""

    name: ClassVar[str] = "plant_pictures"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Appearance, Mask)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._found(item, context) for item in items]

    def _found(self, item: Item, context: Context) -> Result:
        path = Path(item.one(Source).uri)
        if path.suffix != ".png":
            return Filtered(item.id, "not a picture")
        artifact = context.artifacts.put(path.read_bytes(), "png")
        shown = outside(artifact)
        counts = encode(np.ones((48, 48), bool))
        mask = Mask(appearance_id=shown.id, author="planted", height=48, width=48, counts=counts, crop=artifact)
        return Ok(item.id, (shown, mask))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantPicturePairs:
    """Each picture is a reference of the first clip's subject."""

    name: ClassVar[str] = "plant_picture_pairs"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = (Subject, Appearance)
    makes: ClassVar[tuple[type, ...]] = (Pair, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [Ok(item.id, self._rows(item, context)) for item in items]

    def _rows(self, item: Item, context: Context) -> tuple[Record, ...]:
        target = min(item.all(Appearance), key=lambda one: one.frame or 0)
        assert target.subject_id is not None
        rows: list[Record] = []
        for number in range(NUM_PICTURES):
            pair = Pair(
                target_subject_id=target.subject_id,
                target_appearance_id=target.id,
                reference_subject_id=None,
                reference_appearance_id=outside(context.artifacts.put(picture(number), "png")).id,
                kind="cross_video",
            )
            rows += [pair, Score(target=pair.id, name="similarity", value=0.8, producer="planted")]
        return tuple(rows)


@contextmanager
def project(folder: Path) -> Iterator[Workspace]:
    """A video of three clips with a subject each, and a folder of pictures."""
    (folder / "pictures").mkdir()
    for number in range(NUM_PICTURES):
        (folder / "pictures" / f"{number:03}.png").write_bytes(picture(number))
    with toy_workspace(folder, Step(PlantPictures()), Step(PlantPicturePairs())) as workspace:
        workspace.ingest(paths=(str(folder / "pictures"),), licence="CC0-1.0")
        curated(cast(Api, workspace))
        yield workspace


class Mouse(QObject):
    """Counts what a mouse does to an application."""

    def __init__(self) -> None:
        super().__init__()
        self.presses = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.presses += event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseMove, QEvent.Type.Wheel)
        return False


@pytest.mark.slow
@pytest.mark.server
def test_a_video_pair_and_a_hundred_picture_pairs_are_verified_by_keys_alone(qtbot, qapp, tmp_path: Path) -> None:
    mouse = Mouse()
    with (
        project(tmp_path) as workspace,
        served_window(workspace, tmp_path, "verify") as window,
    ):
        qapp.installEventFilter(mouse)
        page = window.page
        assert isinstance(page, VerifyPage)
        qtbot.waitUntil(window.isActiveWindow, timeout=9000)
        given: dict[str, str] = {}
        watched = 0
        while True:
            qtbot.waitUntil(lambda: page.session.phase in (Phase.JUDGING, Phase.EMPTY), timeout=30_000)
            held = page.session.current
            if held is None:
                break
            is_picture = held.trial.stimuli[1].clip_media is None
            assert page.form_view.views["reference"].note.text() == ("A picture, no clip" if is_picture else "")
            if not is_picture:
                watch_by_keys(qtbot, page)
                watched += 1
            given[held.trial.item_id] = "different" if is_picture else "near_duplicate"
            QTest.keyClicks(page, "2" if is_picture else "3")
            qtbot.waitUntil(lambda before=held: page.session.current is not before, timeout=30_000)
        assert sum(choice == "different" for choice in given.values()) == NUM_PICTURES
        assert watched >= 1
        assert page.rest.head.text() == "All pairs are judged"
        qtbot.waitUntil(lambda: page.link.outbox.counts().pending == 0, timeout=20_000)
        stored = {vote.item_id: vote.choice for vote in workspace.votes(study_id=VERIFY_STUDY)}
        assert stored == given
        qapp.removeEventFilter(mouse)
    assert mouse.presses == 0


def watch_by_keys(qtbot, page: VerifyPage) -> None:
    """Plays a pair's clips, stops them, goes on and back by a frame, and to the frame of each picture."""
    qtbot.waitUntil(lambda: len(page.deck.sides) == 2, timeout=20_000)
    QTest.keyClick(page, Qt.Key.Key_T)
    qtbot.waitUntil(lambda: page.deck.index == 5 and not page.deck.clock.playing, timeout=9000)
    QTest.keyClicks(page, ".")
    assert page.deck.index == 6
    QTest.keyClicks(page, ",,")
    assert page.deck.index == 4
    QTest.keyClick(page, Qt.Key.Key_Space)
    assert page.deck.clock.playing
