"""The command `studio`: what it says when it cannot start, what it imports, what it records when it breaks."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from backend.cli.demo import studio_command
from backend.domain import ProjectError
from studio.app import find_project, install_crash_hook, main, require_display, run, state_folder
from tests.studio.world import World

HEAVY = ("torch", "duckdb", "cv2", "fastapi", "scipy", "pyarrow", "matplotlib")


def make_project(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "project.toml").write_text("")
    return folder


def test_help_needs_no_qt_and_no_project() -> None:
    code = (
        "import sys; from studio.app import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "assert not [name for name in sys.modules if name.startswith('PySide6')]"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "PROJECT" in told.stdout


def test_demo_opens_studio_by_its_module(tmp_path: Path) -> None:
    told = subprocess.run(studio_command(tmp_path / "nowhere"), capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "does not exist" in told.stderr


def test_the_window_and_all_its_pages_bring_nothing_heavy_into_its_process() -> None:
    code = (
        "import importlib, sys\n"
        "import studio.window, studio.desk, studio.app, backend.client\n"
        "from studio.pages import PAGES\n"
        "for page in PAGES.values():\n    importlib.import_module(page.place.partition(':')[0])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], 'pyqtgraph' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[] True", "charts are drawn by pyqtgraph, and nothing brings more than that"


def test_qt_leaves_python_its_own_import() -> None:
    """PySide6's reads the source of each module that is imported from then on, and pydantic's cannot all be looked at while they load."""
    code = "import builtins; own = builtins.__import__\n{}\nprint(builtins.__import__ is own)"
    loaded = [
        subprocess.run([sys.executable, "-c", code.format(how)], capture_output=True, text=True, check=True).stdout.strip()
        for how in ("import PySide6.QtWidgets", "from studio import app; app._require_qt()")
    ]
    assert loaded == ["False", "True"]


def test_a_given_folder_must_be_a_project(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="does not exist; make a project with"):
        find_project(str(tmp_path / "absent"))
    with pytest.raises(ProjectError, match=r"holds no project\.toml"):
        find_project(str(tmp_path))
    assert find_project(str(make_project(tmp_path / "p"))) == tmp_path / "p"


def test_without_a_folder_the_demo_project_beside_is_opened(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_project(None) is None
    make_project(tmp_path / "demo-project")
    assert find_project(None) == tmp_path / "demo-project"
    make_project(tmp_path)
    assert find_project(None) == tmp_path


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays are named by variables on Linux only")
def test_no_display_is_a_sentence() -> None:
    with pytest.raises(ProjectError, match="there is no display"):
        require_display({})
    with pytest.raises(ProjectError, match="display :987 does not answer"):
        require_display({"DISPLAY": ":987"})
    require_display({"QT_QPA_PLATFORM": "offscreen"})
    require_display({"WAYLAND_DISPLAY": "wayland-0"})


def test_the_command_ends_with_1_and_one_line(tmp_path: Path, capsys) -> None:
    assert main([str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert told.startswith("studio: ")
    assert told.count("\n") == 1


def test_an_unexpected_error_is_recorded_with_the_ids_on_the_screen(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    told: list[str] = []
    install_crash_hook(tmp_path, told.append, describe=lambda: "trial t1, item pair_9")
    try:
        raise ZeroDivisionError("one by nothing")
    except ZeroDivisionError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    (record,) = (tmp_path / "crashes").iterdir()
    text = record.read_text()
    assert text.startswith("trial t1, item pair_9\n")
    assert "one by nothing" in text
    assert str(record) in told[0]
    assert "Saved verdicts are safe" in told[0]


def test_projects_of_the_same_name_keep_their_outboxes_apart(tmp_path: Path) -> None:
    assert state_folder(tmp_path / "a" / "demo") != state_folder(tmp_path / "b" / "demo")


def test_the_window_opens_and_closes_with_its_project(qtbot, world: World, tmp_path: Path, monkeypatch) -> None:
    from PySide6.QtCore import QSettings, QTimer
    from PySide6.QtWidgets import QApplication

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)

    def close_all() -> None:
        if not world.calls:
            QTimer.singleShot(50, close_all)  # not before its page has asked for something
            return
        for window in QApplication.topLevelWidgets():
            window.close()

    project = make_project(tmp_path / "p")
    last_time = QSettings(str(state_folder(project) / "window.ini"), QSettings.Format.IniFormat)
    last_time.setValue("page", "verify")
    last_time.sync()
    QTimer.singleShot(800, close_all)
    assert run(world.api, project=project, rater="ann", theme="dark") == 0
    assert world.calls[0] == "next_trials"
    assert list((tmp_path / "data" / "subject-studio").glob("*/outbox.sqlite"))
