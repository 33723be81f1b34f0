"""The first start, without a project: the cards of the welcome page, over services that Studio starts itself."""

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Event

import psutil
import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest

from backend.api import Api
from backend.client import connect
from studio.app import open_window
from studio.desk import Desk
from studio.projects import RecentProjects, Sample, Stopped, is_project, make_project, require_videos
from studio.welcome import Welcome
from studio.window import Window
from tests.backend.workspace.toy_project import write_toy_video

UNWRITABLE = Path("/proc/self")  # not even by root


@pytest.fixture
def desk(qtbot, tmp_path: Path) -> Iterator[Desk]:
    mine, before = psutil.Process(), set(psutil.Process().children(recursive=True))

    def show(api: Api, project: Path) -> Window:
        return open_window(api, project=project, rater="ann", theme="light", state=tmp_path / "state" / "p", page="library")

    made = Desk(
        connect=partial(connect, start=True),
        open_window=show,
        prefs=QSettings(str(tmp_path / "studio.ini"), QSettings.Format.IniFormat),
        recent=RecentProjects(tmp_path / "recent.json"),
        theme="light",
        sample=Sample(videos=1, duration_s=1.0),
    )
    made.show_welcome()
    yield made
    made.close()
    for child in set(mine.children(recursive=False)) - before:
        child.terminate()
        child.wait(30)


@pytest.fixture
def welcome(desk: Desk) -> Welcome:
    assert desk.welcome is not None
    return desk.welcome


def choose(welcome: Welcome, card: str, *folders: Path | None) -> None:
    """Presses a card by its key; the dialogs give these folders, None where a person cancels."""
    given = iter(folders)
    welcome._ask_folder = lambda parent, title: next(given)
    welcome.cards[card].setFocus()
    QTest.keyClick(welcome.cards[card], Qt.Key.Key_Space)
    assert next(given, "all asked") == "all asked"


def told(qtbot, welcome: Welcome) -> str:
    """What the page says once it can be used again."""
    qtbot.waitUntil(lambda: welcome.cards["open"].isEnabled() and welcome.words.text() != "")
    return welcome.words.text()


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.slow
@pytest.mark.server
def test_a_folder_of_videos_becomes_a_project_that_is_curated_opened_and_listed(
    qtbot, desk: Desk, welcome: Welcome, tmp_path: Path
) -> None:
    videos, place = tmp_path / "my videos", tmp_path / "new"
    videos.mkdir()
    write_toy_video(videos / "mug.mp4")
    choose(welcome, "videos", videos, place)
    qtbot.waitUntil(lambda: desk.window is not None, timeout=300_000)
    assert desk.window is not None
    assert not welcome.isVisible()
    assert desk.recent.paths() == (place,)
    api = desk.window.link.api
    assert [row.kind for row in api.jobs()] == ["curate"]
    assert sum(api.status().states.values()) == 1, "one source is listed"
    assert kept(videos) == ["mug.mp4"], "the videos stay as they are"


@pytest.mark.slow
@pytest.mark.server
def test_the_sample_is_drawn_curated_and_opened_and_then_opens_from_the_list(
    qtbot, desk: Desk, welcome: Welcome, tmp_path: Path
) -> None:
    place = tmp_path / "sample"
    choose(welcome, "sample", place)
    assert not any(card.isEnabled() for card in welcome.cards.values())
    assert welcome.stop.isVisible()
    qtbot.waitUntil(lambda: desk.window is not None, timeout=300_000)
    assert desk.window is not None
    api = desk.window.link.api
    assert [row.kind for row in api.jobs()] == ["curate"]
    assert sum(api.status().states.values()) == 1
    first = desk.window
    desk.show_welcome()
    qtbot.waitUntil(welcome.isActiveWindow)
    QTest.keyClick(welcome.recent[0], Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: desk.window is not first, timeout=120_000)


def test_what_is_no_folder_of_videos_is_said_and_no_project_is_made(
    qtbot, desk: Desk, welcome: Welcome, tmp_path: Path
) -> None:
    notes, place = tmp_path / "notes", tmp_path / "new"
    notes.mkdir()
    choose(welcome, "videos", notes, place)
    assert told(qtbot, welcome).startswith(f"{notes} holds no video among its 0 files")
    (notes / "a.txt").write_text("Not a video.")
    (notes / "b.png").write_bytes(b"")
    choose(welcome, "videos", notes, place)
    assert told(qtbot, welcome) == f"{notes} holds no video among its 2 files. Choose the folder that your videos are in."
    assert not place.exists()
    (notes / "without an ending").write_bytes(b"")
    require_videos(notes)  # only the service can tell


def used(folder: Path) -> Path:
    folder.mkdir()
    (folder / "letter.txt").write_text("Keep me.")
    return folder


def a_project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "project.toml").write_text("")
    return folder


@pytest.mark.parametrize("card", ["sample", "videos"])
@pytest.mark.parametrize(
    ("place", "says"),
    [
        (lambda tmp_path: used(tmp_path / "used"), "is not empty. Choose an empty folder"),
        (lambda tmp_path: a_project(tmp_path / "p"), "is a project already: open it"),
        (lambda tmp_path: UNWRITABLE / "new", f"Nothing can be written in {UNWRITABLE / 'new'}: "),
        (lambda tmp_path: used(tmp_path / "used") / "letter.txt", "Nothing can be written in "),
    ],
)
def test_a_place_that_cannot_take_a_project_is_said_and_left_as_it_is(
    qtbot, desk: Desk, welcome: Welcome, tmp_path: Path, card: str, place: Callable[[Path], Path], says: str
) -> None:
    where, videos = place(tmp_path), tmp_path / "videos"
    videos.mkdir()
    (videos / "a.mp4").write_bytes(b"")
    before = sorted(tmp_path.rglob("*"))
    choose(welcome, card, *((videos, where) if card == "videos" else (where,)))
    assert says in told(qtbot, welcome)
    assert sorted(tmp_path.rglob("*")) == before
    assert desk.window is None


def test_what_is_no_project_is_not_opened_and_it_is_said_what_one_is(
    qtbot, desk: Desk, welcome: Welcome, tmp_path: Path
) -> None:
    choose(welcome, "open", tmp_path)
    assert told(qtbot, welcome).startswith(f"{tmp_path} holds no project.toml, so it is no project.")
    assert not (tmp_path / "project.toml").exists()


@pytest.mark.parametrize(
    ("card", "folders"), [("sample", (None,)), ("open", (None,)), ("videos", (None,)), ("videos", (Path("videos"), None))]
)
def test_a_cancelled_dialog_changes_nothing(welcome: Welcome, card: str, folders: tuple[Path | None, ...]) -> None:
    choose(welcome, card, *folders)
    assert welcome.words.text() == ""
    assert all(one.isEnabled() for one in welcome.cards.values())


@pytest.mark.slow
def test_a_sample_that_is_stopped_leaves_its_folder_empty_and_no_process(
    qtbot, desk: Desk, welcome: Welcome, tmp_path: Path
) -> None:
    place, mine = tmp_path / "sample", psutil.Process()
    before = set(mine.children(recursive=True))
    desk.sample = Sample()
    choose(welcome, "sample", place)
    qtbot.waitUntil(lambda: is_project(place))
    qtbot.waitUntil(lambda: welcome.stop.hasFocus())
    QTest.keyClick(welcome.stop, Qt.Key.Key_Space)
    assert told(qtbot, welcome) in {"Stopped; what was made by then was deleted.", "Drawing the sample videos …"}
    qtbot.waitUntil(lambda: welcome.words.text().startswith("Stopped"))
    assert kept(place) == []
    assert set(mine.children(recursive=True)) - before == set()


def test_a_command_that_fails_is_said_in_its_own_words_and_leaves_the_folder_empty(tmp_path: Path) -> None:
    place = tmp_path / "new"
    with pytest.raises(Exception, match=r"The sample could not be made: .*duration"):
        make_project(place, stop=Event(), sample=Sample(videos=1, duration_s=0.5))
    assert kept(place) == []


def test_what_is_stopped_before_it_begins_makes_nothing(tmp_path: Path) -> None:
    stop = Event()
    stop.set()
    began = time.monotonic()
    with pytest.raises(Stopped):
        make_project(tmp_path / "new", stop=stop)
    assert time.monotonic() - began < 30
    assert os.listdir(tmp_path / "new") == []
