"""What is asked of keepers, from a worker's actor: again where one dies, and not without end."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from backend.domain import Holding, HoldingLost
from backend.engine.holdings import FAULT

DEATHS = 4  # of keepers that were asked one thing, after which it is not asked again: it may be what kills them
SIGN_S = 1.0  # between signs of life of a question that waits


class Questions:
    """Asks the keepers that it was told of.

    A keeper that dies before it has ever answered cannot open what it is to hold, as for want of memory: then no other question of its waits
    for that again.
    """

    def __init__(self) -> None:
        self._handles: dict[Holding, Any] = {}
        self._answered: set[Holding] = set()
        self._lost: dict[Holding, str] = {}

    def __contains__(self, holding: Holding) -> bool:
        return holding in self._handles

    def learn(self, keepers: Mapping[Holding, Any]) -> None:
        """Actors by what they hold."""
        self._handles.update(keepers)

    def __call__(self, holding: Holding, asked: Any, alive: Callable[[], None]) -> Any:
        """As `ask_keeper`."""
        if holding in self._lost:
            raise HoldingLost(self._lost[holding])
        try:
            answer = ask_keeper(self._handles[holding], holding, asked, alive)
        except HoldingLost as error:
            if holding not in self._answered:
                self._lost[holding] = str(error)
            raise
        self._answered.add(holding)
        return answer


def ask_keeper(handle: Any, holding: Holding, asked: Any, alive: Callable[[], None]) -> Any:
    """What a keeper answers; `alive` is called while it, or the one that follows it, is waited for.

    It is asked again when it, or the next, is there. Raises HoldingLost when it was lost DEATHS times, RuntimeError for what is a fault of ours.
    """
    ray = importlib.import_module("ray")

    def ended(reference: Any) -> Any:
        while not ray.wait([reference], timeout=SIGN_S)[0]:
            alive()
        return ray.get(reference)

    deaths = 0
    while True:
        try:
            if deaths:
                ended(checked(handle))
            kind, found = ended(handle.answer.remote(asked))
            break
        except ray.exceptions.RayTaskError as error:
            raise RuntimeError(f"{holding.name}: {str(error).strip()[-1000:]}") from error
        except ray.exceptions.RayError as error:  # it died, or its answer went with its node
            deaths += 1
            if deaths == DEATHS:
                raise HoldingLost(
                    f"{holding.name}: the actor that holds it died {DEATHS} times when it was asked; "
                    f"look whether its nodes are short of memory: {str(error).strip()[-400:]}"
                ) from error
    if kind == FAULT:
        raise found
    return found


def checked(handle: Any) -> Any:
    """A reference to what a keeper's `check` gives, for as long as it takes: over its deaths, and those of its nodes."""
    return handle.check.options(max_task_retries=-1).remote()
