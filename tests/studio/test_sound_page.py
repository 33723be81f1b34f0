"""Sound in the Compare page, over the real service: by keys, one side at a time, the one that is said to be heard."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from backend.api import Api
from backend.media.writer import write_video
from backend.workspace import Workspace
from studio.pages.compare import ComparePage
from studio.player import sound as sound_module
from studio.player.sound_feed import SOUND_RATE
from studio.player.sound_output import NoSound
from studio.sessions.verify import Phase
from studio.window import Window
from tests.backend.workspace.study_project import SHADES, named, write_benchmark
from tests.studio.loudspeaker import SILENT, Loudspeaker
from tests.studio.served import served_window
from tests.studio.test_compare_page import agree

pytestmark = pytest.mark.slow
TONES_HZ = {"fair": 500, "poor": 1500}
SECONDS = 2


@pytest.fixture
def page(qtbot, tmp_path: Path) -> Iterator[ComparePage]:
    """The first trial of a study of sound; each system has its own brightness and its own tone."""
    folder = write_benchmark(tmp_path / "videos", cases=2)
    times = np.arange(SECONDS * SOUND_RATE) / SOUND_RATE
    for system, tone in TONES_HZ.items():
        for path in (folder / system).glob("*.mp4"):
            shade = np.full((48, 64, 3), SHADES[system], np.uint8)
            audio = (0.3 * np.sin(2 * np.pi * tone * times)).astype(np.float32)
            write_video(path, [shade] * 12 * SECONDS, fps=12, preset="ultrafast", audio=(audio, SOUND_RATE))
    with closing(made_study(tmp_path, folder)) as opened, served_window(opened, tmp_path, "compare") as window:
        shown = agree(qtbot, window, practice="one for practice")
        qtbot.waitUntil(lambda: shown.session.phase is Phase.JUDGING and shown.sound.has_sound)
        yield shown


def made_study(tmp_path: Path, folder: Path) -> Workspace:
    opened = Workspace(tmp_path / "p", create=True)
    cast(Api, opened).create_study(
        name="taste",
        form="gloria",
        aspects=("av_sync",),
        systems=named(folder)[1:],
        cases=str(folder / "cases.json"),
        trials=2,
    )
    return opened


def missing() -> Loudspeaker:
    raise NoSound("No sound device was found; connect one.")


def test_one_side_is_heard_by_keys_and_it_is_the_one_that_is_seen(qtbot, page: ComparePage, monkeypatch) -> None:
    window = page.window()
    assert isinstance(window, Window)
    assert page.sound_view.isVisible()
    assert page.sound_view.words.text() == "Sound off"
    monkeypatch.setattr(sound_module, "open_output", missing)
    QTest.keyClick(page, Qt.Key.Key_V)
    assert window.banner_words.text() == page.sound_view.words.text() == "No sound device was found; connect one."
    QTest.keyClick(page, Qt.Key.Key_V)
    begun = time.perf_counter()
    speaker = Loudspeaker(lambda: time.perf_counter() - begun, most_s=120)
    monkeypatch.setattr(sound_module, "open_output", lambda: speaker)
    for key, shift, side in ((Qt.Key.Key_V, False, 0), (Qt.Key.Key_V, True, 1), (Qt.Key.Key_V, True, 0)):
        QTest.keyClick(page, key, Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier)
        qtbot.waitUntil(lambda: page.sound.heard is not None)
        heard = page.sound.heard
        assert heard is not None
        assert heard is page.deck.sides[side]
        views = list(page.form_view.views.values())
        said = {view.panel.label: view.aside.text() for view in views if view.layout_of == "movie"}
        assert list(said.values()) == ["heard" if place == side else "" for place in (0, 1)]
        assert page.sound_view.words.text() == f"{list(said)[side]} is heard"
        if not page.deck.clock.playing:
            QTest.keyClick(page, Qt.Key.Key_Space)
        brightness = float(np.asarray(heard.pane.frame).mean())
        system = min(TONES_HZ, key=lambda name: abs(SHADES[name] - brightness))
        qtbot.wait(300)
        qtbot.waitUntil(lambda tone=TONES_HZ[system]: abs(speaker.tone(time.perf_counter() - begun - 0.08) - tone) < 100)
    QTest.keyClick(page, Qt.Key.Key_V)
    assert page.sound.heard is None
    off = time.perf_counter() - begun
    qtbot.wait(200)
    assert speaker.tone(off + 0.05) == SILENT
    assert_a_side_that_is_ahead_locks_the_verdict(page)


def assert_a_side_that_is_ahead_locks_the_verdict(page: ComparePage) -> None:
    page.deck.pause()
    page.deck.load([(side.pane, side.reel) for side in page.deck.sides], play=False)
    page.deck.shift(page.deck.sides[1], 3)
    label = page.sides.name_of(page.deck.sides[1])
    QTest.keyClick(page, Qt.Key.Key_Down)
    assert page.session.judged == 0
    assert page.hint.text().startswith(f"{label} is 3 frames ahead, so its first ones are never shown: shift it back (Alt+")
