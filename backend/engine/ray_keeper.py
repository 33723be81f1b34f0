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
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backend.domain import Holding, HoldingStage, SettingsError, StudioError
from backend.engine.children import THREADS
from backend.engine.context import WorkerSettings, artifacts_of
from backend.engine.crew_folder import CrewFolder
from backend.engine.exchange import Exchange
from backend.engine.holdings import ANSWER, FAULT
from backend.engine.ray_node import objection
from backend.engine.ray_questions import checked
from backend.engine.work import Batch
from backend.store.artifacts import Artifacts

PLACE_S = 300.0  # for a node to take a keeper
IDLE_S = 60.0  # after which keepers that nobody asks are let go


class RayKeeper:
    """The actor. What is wrong with its holding or its node is told to whoever asks, and tried again for the next."""

    def __init__(self, holding: Holding, settings: WorkerSettings, exchange: str, word: str, code: str) -> None:
        self._holding, self._settings = holding, settings
        self._owner = exchange, word, code
        self._lock = threading.Lock()
        self._answer: Callable[[Any], Any] | None = None
        if settings.exchange:
            self._folder = CrewFolder(Path(tempfile.gettempdir()))
            self._settings = replace(settings, artifacts=self._folder.path / "artifacts")

    def check(self) -> tuple[str, str]:
        """The node's id, and why it cannot work for the owner; empty when it can."""
        return importlib.import_module("ray").get_runtime_context().get_node_id(), self._objection()

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
                if found := self._objection():  # a node that it was started again on
                    raise SettingsError(f"a node of the Ray cluster {found}")
                with _alone_on_node():
                    self._answer = self._holding.open(artifacts_of(self._settings))
            return self._answer

    def _objection(self) -> str:
        exchange, word, code = self._owner
        try:
            return objection(Exchange(exchange), word, code)
        except StudioError as error:
            return f"cannot reach {exchange}: {error}"


@dataclass(slots=True, eq=False)
class Keeper:
    """A keeper as its driver sees it."""

    holding: Holding
    handle: Any
    node: str = ""
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

    def look(self, *, is_asked: bool, alive: Container[str]) -> None:
        """Ends those that no batch was here for, for some time; `is_asked` says that one is. `alive` are the cluster's nodes."""
        now = time.monotonic()
        if is_asked:
            self._asked_s = now
        elif now - self._asked_s > IDLE_S:
            self.close()
        for keeper in self._keepers.values():
            if keeper.is_placed and keeper.node not in alive:  # Ray looks for another
                keeper.is_placed, keeper.since_s = False, now
                self._watch(keeper, checked(keeper.handle))

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
