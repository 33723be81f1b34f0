"""What is open: the welcome page or a project's window, and the ways from one to the other."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from PySide6.QtCore import QObject, QSettings, Signal
from PySide6.QtWidgets import QApplication

from backend.api import Api
from backend.domain import StudioError
from studio.projects import RecentProjects, Sample, make_project, require_project, require_videos
from studio.texts import text
from studio.theme import Theme, apply_theme, load_theme, theme_for
from studio.welcome import Welcome
from studio.window import Window

log = logging.getLogger(__name__)
Connect = Callable[[Path], Api]
OpenWindow = Callable[[Api, Path], Window]


class Desk(QObject):
    """Opens projects: `connect` reaches the service of one (on a worker thread), `open_window` makes its window."""

    _done = Signal(object)

    def __init__(
        self,
        *,
        connect: Connect,
        open_window: OpenWindow,
        prefs: QSettings,
        recent: RecentProjects,
        theme: str,
        sample: Sample | None = None,
    ) -> None:
        super().__init__()
        self._connect, self._open_window = connect, open_window
        self.prefs, self.recent, self._theme_choice = prefs, recent, theme
        self.sample = sample or Sample()
        self.window: Window | None = None
        self.welcome: Welcome | None = None
        self._stop = threading.Event()
        """Set to end what is being made."""
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="desk")
        self._done.connect(self._finish)

    def show_welcome(self) -> None:
        """The welcome page; the window of a project stays until another is chosen."""
        if self.welcome is None:
            self.welcome = welcome = Welcome(self._theme(), recent=self.recent.paths())
            welcome.opened.connect(self.open)
            welcome.sample_wanted.connect(self.make_sample)
            welcome.videos_given.connect(self.make_from_videos)
            welcome.stopped.connect(self._stop.set)
        self.welcome.show_recent(self.recent.paths())
        self.welcome.say("")
        self.welcome.show()
        self.welcome.raise_()
        self.welcome.activateWindow()  # else keys go on to the project's window

    def open(self, project: Path) -> None:
        """Opens a project; a sentence tells why when it cannot be."""

        def work() -> tuple[Path, Api]:
            require_project(project)
            return self._reach(project)

        self._work(text("welcome.opening", name=project.name), work)

    def make_sample(self, folder: Path) -> None:
        """Makes a project of sample videos in a folder, and starts to curate it."""

        def work() -> tuple[Path, Api]:
            project = make_project(folder, stop=self._stop, sample=self.sample)
            return self._reach(project, videos=project / "sample-world" / "videos")

        self._work(text("welcome.drawing"), work, can_stop=True)

    def make_from_videos(self, videos: Path, folder: Path) -> None:
        """Makes a project of a folder of videos, and starts to curate it."""

        def work() -> tuple[Path, Api]:
            require_videos(videos)
            return self._reach(make_project(folder, stop=self._stop), videos=videos)

        self._work(text("welcome.making", name=folder.name), work, can_stop=True)

    def show(self, api: Api, project: Path) -> Window:
        """The window of a project that was reached; it takes the place of what was open."""
        before, self.window = self.window, self._open_window(api, project)
        self.window.projects_wanted.connect(self.show_welcome)
        self.window.show()
        try:
            self.recent.add(project)
        except OSError as error:  # it is open all the same
            log.warning("%s is not put among the recent projects: %s", project, error)
        if self.welcome is not None:
            self.welcome.close()
        if before is not None:
            before.close()
            before.deleteLater()
        return self.window

    def close(self) -> None:
        """Closes what is open, stops what is being made and ends the worker thread."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for widget in (self.window, self.welcome):
            if widget is not None:
                widget.close()

    def _reach(self, project: Path, *, videos: Path | None = None) -> tuple[Path, Api]:
        api = self._connect(project)
        if videos is not None:
            api.ingest(paths=(str(videos),))
            api.curate()
        return project, api

    def _work(self, sentence: str, work: Callable[[], tuple[Path, Api]], *, can_stop: bool = False) -> None:
        self._stop.clear()
        if self.welcome is not None:
            self.welcome.say(sentence, busy=True, can_stop=can_stop)
        self._pool.submit(work).add_done_callback(self._done.emit)

    def _finish(self, future: Future[tuple[Path, Api]]) -> None:
        """Shows what was reached, or why nothing was; either way something can be chosen again."""
        if future.cancelled():
            return
        told = text("welcome.went_wrong", records=self.recent.path.parent / "crashes")
        try:
            project, api = future.result()
            self.show(api, project)
            told = ""
        except StudioError as error:
            log.info("a project could not be opened: %s", error)
            told = str(error)
        finally:  # also for what nobody foresaw, which goes on to the crash record
            if told:
                self.show_welcome()
                assert self.welcome is not None
                self.welcome.say(told)

    def tell(self, sentence: str) -> None:
        """Shows a sentence on the welcome page, where that is what is open."""
        if self.welcome is not None and self.window is None:
            self.welcome.say(sentence)

    def _theme(self) -> Theme:
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        theme = load_theme(theme_for(self._theme_choice, app))
        apply_theme(app, theme)
        return theme
