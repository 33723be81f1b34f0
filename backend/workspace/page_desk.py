"""The page of studies as a project's owner serves it itself: from when somebody asks for it until it is stopped or the owner ends."""

import threading
from contextlib import ExitStack

from backend.api import Api
from backend.domain import ProjectError
from backend.domain.study_plans import PageNotice
from backend.engine.context import load
from backend.jobs import CALLS
from backend.workspace.layout import Layout
from backend.workspace.page_notice import read_notice, telling


class PageDesk:
    """At most one page. Others, such as `study serve`, may serve it as well: the notice says so, and only they end theirs."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._url = ""

    @property
    def is_open(self) -> bool:
        return bool(self._url)

    def notice(self) -> PageNotice:
        """Where the page is served, by whomever."""
        return read_notice(self._layout, ends_here=self.is_open)

    def serve(self, api: Api, *, port: int, ask_login: bool) -> PageNotice:
        """Serves to this machine. Raises ProjectError where the page is served already, ServiceError for a port that is taken."""
        with self._lock:
            if url := self.notice().url:
                raise ProjectError(f"the page of studies is served already, at {url}; stop that one first")
            page = load(CALLS["serve_page"])(api, secret=self._layout.page_key, port=port, ask_login=ask_login)
            self._open.callback(page.stop)
            self._open.enter_context(telling(self._layout, page.place.url))
            self._url = page.place.url
            return self.notice()

    def stop(self) -> PageNotice:
        """Lets open calls finish, then ends. Raises ProjectError where another process serves the page, or nobody does."""
        with self._lock:
            if not self.is_open:
                url = self.notice().url
                raise ProjectError(
                    f"the page at {url} is served by another command; end that one" if url else "the page is not served"
                )
            self._close()
            return self.notice()

    def close(self) -> None:
        """The project is given up."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        self._url = ""
        self._open.close()
