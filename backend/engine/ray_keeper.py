"""Keepers: actors that each have one holding open for a whole Ray cluster, so that no machine needs room for all of them.

They are the driver's, and go with it. Ray starts one that dies again, on another node where its own is gone, and what it was asked is asked
again: nothing that could be lost is written there.
"""

import contextlib
import fcntl
import importlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backend.domain import Holding, HoldingLost, HoldingStage, SettingsError, StudioError
from backend.engine.children import THREADS
from backend.engine.context import WorkerSettings, artifacts_of
from backend.engine.crew_folder import CrewFolder
from backend.engine.exchange import Exchange
from backend.engine.holdings import ANSWER, FAULT
from backend.engine.ray_node import objection
from backend.engine.work import Batch
from backend.store.artifacts import Artifacts

DEATHS = 4  # of keepers that were asked one thing, after which it is not asked again: it may be what kills them
PLACE_S = 300.0  # for a node to take a keeper
IDLE_S = 60.0  # after which keepers that nobody asks are let go
SIGN_S = 1.0  # between signs of life of a question that waits


class RayKeeper:
    """The actor. What is wrong with its holding is told to whoever asks, and tried again for the next."""

    def __init__(self, holding: Holding, settings: WorkerSettings, exchange: str, word: str, code: str) -> None:
        self._holding, self._settings = holding, settings
        self._objection = objection(Exchange(exchange), word, code)
        self._lock = threading.Lock()
        self._answer: Callable[[Any], Any] | None = None
        if settings.exchange:
            self._folder = CrewFolder(Path(tempfile.gettempdir()))
            self._settings = replace(settings, artifacts=self._folder.path / "artifacts")

    def check(self) -> tuple[str, str]:
        """The node's id, and why it cannot work for the owner; empty when it can."""
        return importlib.import_module("ray").get_runtime_context().get_node_id(), self._objection

    def open(self) -> None:
        """Opens the holding before it is asked."""
        with contextlib.suppress(StudioError):  # who asks is told
            self._opened()

    def answer(self, asked: Any) -> tuple[str, Any]:
        """ANSWER and what the holding says, or FAULT and why it could not be opened."""
        try:
            return ANSWER, self._opened()(asked)
        except StudioError as error:
            return FAULT, error

    def _opened(self) -> Callable[[Any], Any]:
        with self._lock:
            if self._answer is None:
                if self._objection:  # a node that it was started again on
                    raise SettingsError(f"a node of the Ray cluster {self._objection}")
                with _alone_on_node():
                    self._answer = self._holding.open(artifacts_of(self._settings))
            return self._answer


def ask_keeper(handle: Any, holding: Holding, asked: Any, alive: Callable[[], None]) -> Any:
    """What a keeper answers; `alive` is called while it, or the one that follows it, is waited for.

    A keeper that was only out of reach is told from one that dies of what it is asked by asking again when it is back. Raises HoldingLost when
    DEATHS keepers died of it, RuntimeError for what is a fault of ours.
    """
    ray = importlib.import_module("ray")

    def ended(reference: Any) -> Any:
        while not ray.wait([reference], timeout=SIGN_S)[0]:
            alive()
        return ray.get(reference)

    deaths = 0
    while True:
        try:
            kind, found = ended(handle.answer.remote(asked))
            break
        except ray.exceptions.RayActorError as error:
            deaths += 1
            if deaths == DEATHS:
                lines = str(error).splitlines()
                why = next((line for line in lines if "Worker exit detail" in line or "OOM" in line), str(error))
                raise HoldingLost(
                    f"{holding.name}: the actor that holds it died {DEATHS} times when it was asked; "
                    f"look whether its nodes are short of memory: {why.strip()[-400:]}"
                ) from error
            ended(checked(handle))
        except ray.exceptions.RayTaskError as error:
            raise RuntimeError(f"{holding.name}: {str(error).strip()[-1000:]}") from error
    if kind == FAULT:
        raise found
    return found


def checked(handle: Any) -> Any:
    """A reference to what a keeper's `check` gives, for as long as it takes: over its deaths, and those of its nodes."""
    return handle.check.options(max_task_retries=-1).remote()


@dataclass(slots=True, eq=False)
class Keeper:
    """A keeper as its driver sees it."""

    holding: Holding
    handle: Any
    is_placed: bool = False
    since_s: float = field(default_factory=time.monotonic)


class Keepers:
    """A driver's keepers: one for each holding that its batches ask.

    `told` is what each is made with after its holding. `watch(keeper, reference)` is called for each with a reference to what its
    `check` gives.
    """

    def __init__(
        self,
        ray: Any,
        artifacts: Artifacts,
        told: tuple[WorkerSettings, str, str, str],
        watch: Callable[[Keeper, Any], None],
    ) -> None:
        self._ray, self._artifacts, self._told, self._watch = ray, artifacts, told, watch
        self._keepers: dict[Holding, Keeper] = {}
        self._asked_s = time.monotonic()

    def __contains__(self, keeper: Keeper) -> bool:
        return keeper in self._keepers.values()

    def of(self, batch: Batch) -> dict[Holding, Any]:
        """The actors that hold what a batch's stage asks; those that are missing are made."""
        if not isinstance(batch.stage, HoldingStage):
            return {}
        try:
            holdings = batch.stage.holdings(batch.items, self._artifacts)
        except StudioError:  # the stage itself will say so, of each item
            return {}
        for holding in holdings:
            if holding not in self._keepers:
                self._make(holding)
        return {holding: self._keepers[holding].handle for holding in holdings}

    def look(self, *, is_asked: bool) -> None:
        """Ends those that no batch was here for, for some time; `is_asked` says that one is."""
        if is_asked:
            self._asked_s = time.monotonic()
        elif time.monotonic() - self._asked_s > IDLE_S:
            self.close()

    def unplaced(self) -> Keeper | None:
        """One that no node has taken in good time."""
        now = time.monotonic()
        return next((one for one in self._keepers.values() if not one.is_placed and now - one.since_s > PLACE_S), None)

    def close(self) -> None:
        while self._keepers:
            self._ray.kill(self._keepers.popitem()[1].handle)

    def _make(self, holding: Holding) -> None:
        """On a node that works, spread over all of them.

        It holds no CPU: those who ask it wait meanwhile with theirs. As many may ask at once as the largest node has CPUs.
        """
        nodes = [(node["NodeID"], node["Resources"].get("CPU", 0.0)) for node in self._ray.nodes() if node["Alive"]]
        idle = [name for name, cpus in nodes if not cpus]  # as the owner's machine that is not to work
        made = self._ray.remote(RayKeeper).options(
            num_cpus=0,
            memory=int(holding.ram_gib * 2**30),
            scheduling_strategy="SPREAD",
            label_selector={"ray.io/node-id": f"!in({','.join(idle)})"} if idle else None,
            max_restarts=-1,
            max_concurrency=max([2, *(int(cpus) for _, cpus in nodes)]),
            runtime_env={"env_vars": dict.fromkeys(THREADS, "1")},  # equal bits, as in workers
        )
        keeper = self._keepers[holding] = Keeper(holding, made.remote(holding, *self._told))
        self._watch(keeper, checked(keeper.handle))
        keeper.handle.open.remote()


@contextlib.contextmanager
def _alone_on_node() -> Iterator[None]:
    """While one holding is opened on this machine no other is: what that takes in memory is that of one."""
    place = Path(tempfile.gettempdir()) / f"subject-studio-opening-{os.getuid()}.lock"
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
