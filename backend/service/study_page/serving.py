"""The page on its own port, in the process that holds the project's Api."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.api import Api
from backend.service.network_place import listening
from backend.service.server_thread import ServerThread
from backend.service.study_page.app import make_page
from backend.service.study_page.buckets import SHIPPED, PageLimits
from backend.service.study_page.keys import PageKeys
from backend.service.study_page.place import PagePlace


class PageServing:
    """A server of the study page in a thread. `place` is where it really listens: port 0 takes a free one."""

    def __init__(
        self, api: Api, *, keys: PageKeys, place: PagePlace, limits: PageLimits = SHIPPED, ask_login: bool = False
    ) -> None:
        listens = listening(place, what="the study page")
        self.place = dataclasses.replace(place, port=listens.getsockname()[1])
        page = make_page(api, keys=keys, place=self.place, limits=limits, ask_login=ask_login)
        name = f"the study page at {self.place.url}"
        self._server = ServerThread(page, listens, name=name, tls_cert=place.tls_cert, tls_key=place.tls_key)

    def stop(self) -> None:
        """Lets open calls finish, then ends."""
        self._server.stop()


def page_on_this_machine(api: Api, *, secret: Path, port: int, ask_login: bool) -> PageServing:
    """The page on loopback, until it is stopped. Raises SettingsError for no port, ServiceError for one that is taken."""
    return PageServing(api, keys=PageKeys.of_file(secret), place=PagePlace(port=port), ask_login=ask_login)


@contextmanager
def serving_page(
    api: Api, *, secret: Path, place: PagePlace, limits: PageLimits = SHIPPED, ask_login: bool = False
) -> Iterator[PageServing]:
    """Serves the page while the block runs; `secret` is the file of the key that its cookies are sealed with."""
    server = PageServing(api, keys=PageKeys.of_file(secret), place=place, limits=limits, ask_login=ask_login)
    try:
        yield server
    finally:
        server.stop()
