"""`studio [PROJECT]`: opens a project's window, or the page on which one is chosen."""

import argparse
import builtins
import getpass
import importlib
import importlib.metadata
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from backend.client import begin, connect
from backend.domain import ProjectError, StudioError, digest
from backend.loading import loading
from studio.pages import PAGES

if TYPE_CHECKING:
    from PySide6.QtCore import QSettings

    from backend.api import Api
    from studio.preferences import Preferences
    from studio.window import Window

QT_PACKAGES = "libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libdbus-1-3"
"""What Qt's xcb platform needs on Debian and Ubuntu beyond a minimal system."""
SCREENLESS = ("offscreen", "minimal", "vnc", "linuxfb", "eglfs", "vkkhrdisplay")


def main(argv: list[str] | None = None) -> int:
    """Runs the command: 0 when the window was closed, 1 when it could not be opened (one sentence says why)."""
    args = command_line().parse_args(argv)
    try:
        project = find_project(args.project)
        require_display(os.environ)
        reach = partial(connect, start=True)
        if project:
            begin(project)  # before Qt is loaded: it has the longer way
        api = reach_while_loading(project, reach) if project else None
        _require_qt()
        chosen = {"rater": args.rater, "theme": args.theme, "language": args.language, "page": args.page}
        return run(api, project=project, **chosen, reach=reach)
    except StudioError as error:
        sys.stderr.write(f"studio: {error}\n")
        return 1


def find_project(given: str | None) -> Path | None:
    """The project folder: the one given, else this folder, else ./demo-project; None without any. Raises ProjectError."""
    folders = [Path(given)] if given else [Path(), Path("demo-project")]
    for folder in folders:
        if (folder / "project.toml").is_file():
            return folder.resolve()
    if given is None:
        return None
    if not folders[0].exists():
        raise ProjectError(f"{given} does not exist; make a project with: studio-backend init --project {given}")
    raise ProjectError(
        f"{given} holds no project.toml, so it is no project; make one with: studio-backend init --project {given}"
    )


def reach_while_loading(project: Path, reach: Callable[[Path], "Api"]) -> "Api":
    """Connects to a project while the window's modules are loaded, and those of Verify as long as the service starts.

    Raises StudioError.
    """
    with ThreadPoolExecutor(1) as aside, loading():
        _require_qt()
        reached = aside.submit(reach, project)
        importlib.import_module("studio.window")
        if not reached.done():  # of other pages those that draw charts take 40 MiB, whoever looks at them
            importlib.import_module(PAGES["verify"].place.partition(":")[0])
        return reached.result()


def require_display(environ: Mapping[str, str]) -> None:
    """Raises ProjectError when there is no screen to show a window on."""
    if not sys.platform.startswith("linux") or environ.get("QT_QPA_PLATFORM", "").split(":")[0] in SCREENLESS:
        return
    if environ.get("WAYLAND_DISPLAY"):
        return
    display = environ.get("DISPLAY", "")
    advice = "start it on a desktop, through ssh -X, or under xvfb-run; or judge in a browser: studio-backend study serve"
    if not display:
        raise ProjectError(f"there is no display (DISPLAY and WAYLAND_DISPLAY are empty); {advice}")
    if display.startswith((":", "unix:")) and not _answers(display.split(":", 1)[1].split(".")[0]):
        raise ProjectError(f"the display {display} does not answer; {advice}")


def run(
    api: "Api | None" = None,
    *,
    project: Path | None = None,
    rater: str | None = None,
    theme: str | None = None,
    language: str | None = None,
    page: str | None = None,
    reach: "Callable[[Path], Api] | None" = None,
) -> int:
    """Shows the window of a connected project, or without one the welcome page, until all is closed.

    `page` is shown first, else that of last time. `reach` connects to a project: to others that are opened, and to this one anew after a loss.
    """
    from PySide6.QtWidgets import QApplication

    from studio.collector import GarbageCollector
    from studio.desk import Desk
    from studio.projects import RecentProjects

    app = QApplication.instance() or QApplication(["studio"])
    assert isinstance(app, QApplication)
    app.setApplicationName("Subject Studio")
    prefs = open_prefs(data_folder())
    _speak(prefs, language)
    _prefer(prefs)

    def show(api: "Api", project: Path) -> "Window":
        revive = partial(reach, project) if reach else None
        window = open_window(api, project=project, rater=rater, theme=theme, revive=revive, page=page)
        install_crash_hook(window.state_dir, window.noticed.emit, describe=window.describe)
        return window

    desk = Desk(
        connect=reach or _unreachable,
        open_window=show,
        prefs=prefs,
        recent=RecentProjects(data_folder() / "recent.json"),
        theme=theme or str(prefs.value("theme") or "system"),
    )
    install_crash_hook(data_folder(), desk.tell, describe=lambda: "welcome page")  # a window brings its own
    with closing(GarbageCollector(app)), closing(desk):
        if api is not None and project is not None:
            desk.show(api, project)
        else:
            desk.show_welcome()
        return app.exec()


def open_window(
    api: "Api",
    *,
    project: Path,
    rater: str | None = None,
    theme: str | None = None,
    state: Path | None = None,
    revive: "Callable[[], Api] | None" = None,
    page: str | None = None,
) -> "Window":
    """The window with its outbox and threads, not yet shown, on `page` or the one of last time. Raises StudioError."""
    from studio.link import Link
    from studio.outbox import Outbox
    from studio.window import Window

    folder = state or state_folder(project)
    prefs = open_prefs(folder.parent)
    chosen = _prefer(prefs)
    link = Link(api, Outbox(folder / "outbox.sqlite"), revive=revive)
    with ExitStack() as undo:
        undo.callback(link.close)
        window = Window(
            link,
            project=project,
            rater=rater or chosen.rater or getpass.getuser(),
            theme=theme or str(prefs.value("theme") or "system"),
            prefs=prefs,
            state_dir=folder,
            page=page,
        )
        undo.pop_all()
    return window


def open_prefs(folder: Path) -> "QSettings":
    """What this person chose for every project: theme, language, where the window stands."""
    from PySide6.QtCore import QSettings

    return QSettings(str(folder / "studio.ini"), QSettings.Format.IniFormat)


def data_folder() -> Path:
    """Where this machine keeps what is this person's and no project's."""
    from PySide6.QtCore import QStandardPaths

    root = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)
    return Path(root) / "subject-studio"


def state_folder(project: Path) -> Path:
    """Where this machine keeps the outbox and crash records of a project, apart from the project itself."""
    return data_folder() / digest(str(project.resolve()), num_bytes=8)


def install_crash_hook(folder: Path, notify: Callable[[str], None], *, describe: Callable[[], str]) -> None:
    """Records every unexpected error in FOLDER/crashes with its traceback and the ids on the screen, tells the person, and goes on."""

    def record(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        text = f"{describe()}\n" + "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(text)
        at = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        path = folder / "crashes" / f"{at}.txt"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        except OSError as failure:
            notify(f"Something went wrong ({kind.__name__}) and could not be recorded: {failure}. Saved verdicts are safe.")
            return
        notify(f"Something went wrong ({kind.__name__}: {error}). Saved verdicts are safe; the record is {path}")

    sys.excepthook = record
    threading.excepthook = lambda args: record(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)


def command_line() -> argparse.ArgumentParser:
    """What `studio` takes."""
    parser = argparse.ArgumentParser(prog="studio", description="Look through, verify and judge what a project holds.")
    parser.add_argument(
        "project",
        nargs="?",
        metavar="PROJECT",
        help="project folder (default: this one, or ./demo-project, else the welcome page)",
    )
    version = importlib.metadata.version("subject-studio")
    parser.add_argument("--version", action="version", version=version, help="say which version this is")
    parser.add_argument("--rater", metavar="NAME", help="who judges (default: your login name)")
    parser.add_argument("--page", choices=tuple(PAGES), help="what is shown first (default: as last time)")
    parser.add_argument("--theme", choices=("light", "dark", "system"), help="default: as last time, or as the desktop")
    parser.add_argument("--language", choices=("en", "zh"), help="default: as last time, or as the desktop")
    return parser


def _speak(prefs: "QSettings", given: str | None) -> None:
    from studio.texts import LANGUAGES, system_language, use_language

    kept = str(prefs.value("language") or "")
    use_language(given or (kept if kept in LANGUAGES else system_language()))


def _prefer(prefs: "QSettings") -> "Preferences":
    """What the person chose; keys that the table of actions no longer leaves to them are left out."""
    from studio.key_map import sound
    from studio.preferences import read_preferences, use_preferences

    chosen = read_preferences(prefs)
    use_preferences(replace(chosen, keys=sound(chosen.keys)))
    return chosen


def _unreachable(project: Path) -> "Api":
    raise ProjectError(f"{project} cannot be reached from here; open it with: studio {project}")


def _require_qt() -> None:
    """Loads Qt and leaves Python's own import in place. Raises ProjectError.

    PySide6 puts another one there, for its `__feature__`, which reads the source of every module that is imported from then on:
    pydantic's, which import each other when they are looked at, sometimes failed in the middle of it.
    """
    own = builtins.__import__
    try:
        import PySide6.QtWidgets  # noqa: F401
    except ImportError as error:
        raise ProjectError(
            f"Qt cannot be loaded ({error}); install the gui extra (pip install 'subject-studio[gui]') and, on Debian or "
            f"Ubuntu: sudo apt-get install {QT_PACKAGES}"
        ) from error
    finally:
        builtins.__import__ = own


def _answers(number: str) -> bool:
    """Whether an X server listens on the local display of that number."""
    for address in (f"\0/tmp/.X11-unix/X{number}", f"/tmp/.X11-unix/X{number}"):
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(address) == 0:
                return True
    return False
