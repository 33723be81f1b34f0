"""A service that takes its time, in front of another one."""

import threading
from collections.abc import Callable
from typing import Any, cast

from backend.api import Api
from backend.domain import ServiceError


class Slow:
    """Answers as `api` does, when it may: each call, or each of those `named`, waits for its event in `held`, which keeps them in their order."""

    def __init__(self, api: object, *named: str) -> None:
        self._api, self._named = api, named
        self._lock, self._is_free = threading.Lock(), False
        self.held: dict[str, list[threading.Event]] = {}

    @property
    def api(self) -> Api:
        return cast(Api, self)

    def free(self) -> None:
        """No call waits any more."""
        with self._lock:
            self._is_free = True
            for event in (event for events in self.held.values() for event in events):
                event.set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def answer(**asked: object) -> Any:
            event = threading.Event()
            with self._lock:
                self.held.setdefault(name, []).append(event)
                if self._is_free or (self._named and name not in self._named):
                    event.set()
            assert event.wait(60), f"nobody lets {name} go on"
            return getattr(self._api, name)(**asked)

        return answer


class Away:
    """No call is answered."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def refuse(**asked: object) -> Any:
            raise ServiceError("the service does not answer")

        return refuse
