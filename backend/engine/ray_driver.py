"""The process that speaks with a Ray cluster, for an owner that does not: Ray ends a process that loses its cluster.

It is given batches, keeps pools of actors for them, and says which fragments they left. A *pool* is the actors that hold the
same CPUs and GPUs; it grows with what waits for it, within what the cluster has, and shrinks when it idles or another
pool needs the room. A batch goes to the actor that saw its video last, whose reader still holds the frames.
"""

import contextlib
import importlib
import math
import os
import queue
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from backend.domain import HoldingStage, Item, Source, Stage
from backend.engine.children import become_child
from backend.engine.context import WorkerSettings, has_weights
from backend.engine.crews import DEATHS, IN_FLIGHT
from backend.engine.ray_keeper import PLACE_S, Keeper, Keepers
from backend.engine.ray_node import code_digest
from backend.engine.ray_worker import Answer, RayWorker
from backend.engine.work import Batch
from backend.store.artifacts import Artifacts

CALL_OFF = "call off"
IDLE_S = 60.0  # after which an actor of which nothing is wanted is let go
TICK_S = 0.5
REACH_S = 5.0  # for the cluster's address to answer
START_S = 120.0  # for Ray to start here; a busy machine takes more than the 30 s that Ray gives itself
OBJECTS_BYTES = 200 * 2**20  # Ray's object store on this machine: batches and names of fragments, never footage
FAILED_STARTS = 3  # of actors in a row, after which the cluster is taken for unfit


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a driver is told; travels to it by pickling."""

    address: str
    """`HOST:PORT` or `auto`; empty starts Ray on this machine, for as long as the driver lives."""
    folder: Path
    """The crew's own: for Ray's session, where it is started here."""
    num_workers: int
    """Actors at most; 0 takes as many as the cluster has CPUs."""
    workers: WorkerSettings
    exchange: str
    word: str
    seconds_per_item: float


class Need(NamedTuple):
    """What an actor holds."""

    num_cpus: float
    num_gpus: float


class Refused(Exception):
    """The cluster cannot be used; the text says why."""


def drive(pipe: Connection, orders: Orders, stderr: str, owner: int) -> None:
    """A driver's life: until the pipe closes or the owner dies."""
    become_child(owner, stderr)
    events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_take, args=(pipe, events), daemon=True).start()
    try:
        ray = _connected(orders)
        try:
            Driver(pipe, events, orders, ray).run()
        finally:
            ray.shutdown()
    except Refused as error:
        with contextlib.suppress(BrokenPipeError):
            pipe.send(("refused", str(error)))


@dataclass(slots=True, eq=False)
class _Part:
    """A batch that the owner gave, or a part of it."""

    number: int
    positions: tuple[int, ...]
    batch: Batch
    need: Need
    deaths: int = 0


@dataclass(slots=True, eq=False)
class _Actor:
    handle: Any
    need: Need
    node: str = ""
    is_ready: bool = False
    parts: deque[_Part] = field(default_factory=deque)
    since_s: float = field(default_factory=time.monotonic)
    """When it was last done with something."""


class Driver:
    """Batches from the owner to actors, and names of fragments back."""

    def __init__(self, pipe: Connection, events: "queue.SimpleQueue[tuple[str, Any]]", orders: Orders, ray: Any) -> None:
        self._pipe, self._events, self._orders, self._ray = pipe, events, orders, ray
        self._waiting: deque[_Part] = deque()
        self._actors: list[_Actor] = []
        self._homes: dict[str, _Actor] = {}
        told = orders.workers, orders.exchange, orders.word, code_digest()
        self._keepers = Keepers(ray, Artifacts(orders.workers.artifacts, durable=False), told, partial(self._watch, "kept"))
        self._failed_starts = 0
        self._room = 0
        self._looked_s = -math.inf
        self._total: Mapping[str, float] = {}
        self._largest = 1.0

    def run(self) -> None:
        """Until the owner's end of the pipe closes. Raises Refused when the cluster turns out not to serve."""
        while True:
            self._look()
            self._hire()
            self._give()
            with contextlib.suppress(queue.Empty):
                what, about = self._events.get(timeout=TICK_S)
                if what == "end":
                    return
                self._on(what, about)

    def _on(self, what: str, about: Any) -> None:
        match what:
            case "batch":
                number, batch = about
                need = self._need(batch.stage)
                self._waiting.append(_Part(number, tuple(range(len(batch.items))), batch, need))
                self._keepers.of(batch)  # they open while workers start
            case "ready":
                self._welcome(*about)
            case "kept":
                self._kept(*about)
            case "answer":
                self._answered(*about)
            case "call off":
                for actor in list(self._actors):
                    self._dismiss(actor)
                self._keepers.close()
                self._waiting.clear()
                self._pipe.send((CALL_OFF,))

    def _look(self) -> None:
        """What the cluster has, now and then: nodes join and leave."""
        if time.monotonic() - self._looked_s < TICK_S:
            return
        self._looked_s = time.monotonic()
        self._total = self._ray.cluster_resources()
        nodes = [node for node in self._ray.nodes() if node["Alive"]]
        self._largest = max((node["Resources"].get("CPU", 0.0) for node in nodes), default=0.0)
        room = IN_FLIGHT * max(1, self._limit())
        if room != self._room:
            self._room = room
            self._pipe.send(("room", room))
        for actor in list(self._actors):
            wanted = any(part.need == actor.need for part in self._waiting)
            if actor.is_ready and not actor.parts and not wanted and time.monotonic() - actor.since_s > IDLE_S:
                self._dismiss(actor)
        self._look_at_keepers({node["NodeID"] for node in nodes})

    def _look_at_keepers(self, alive: set[str]) -> None:
        here = [*self._waiting, *(part for actor in self._actors for part in actor.parts)]
        self._keepers.look(is_asked=any(isinstance(part.batch.stage, HoldingStage) for part in here), alive=alive)
        if (late := self._keepers.unplaced()) is not None:
            raise Refused(
                f"no node of the Ray cluster took {late.holding.name} within {PLACE_S:g} s, which needs "
                f"{late.holding.ram_gib:.1f} GiB of memory; `ray status` says what the nodes have left"
            )

    def _limit(self) -> int:
        return self._orders.num_workers or int(self._total.get("CPU", 0.0))

    def _need(self, stage: Stage) -> Need:
        """Whole CPUs, at most what the largest node has; a GPU for stages that want one or ask models with weights."""
        num_cpus = max(1.0, min(math.ceil(stage.resources.cpu), self._largest))
        workers = self._orders.workers
        gpus = self._total.get("GPU", 0.0)
        if not gpus or workers.device == "cpu":
            return Need(num_cpus, 0.0)
        weighty = any(has_weights(workers, role) for role in stage.roles)
        return Need(num_cpus, max(stage.resources.gpu, float(weighty)))

    def _hire(self) -> None:
        """An actor for each batch that none of its pool has a hand free for, as far as there is room."""
        for need in dict.fromkeys(part.need for part in self._waiting):
            pool = [actor for actor in self._actors if actor.need == need]
            backlog = sum(part.need == need for part in self._waiting)
            backlog -= sum(not actor.parts for actor in pool)  # idle, or on their way
            while backlog > 0:
                while not self._fits(need) and (idle := self._idle_beside(need)) is not None:
                    self._dismiss(idle)
                if not self._fits(need):
                    break
                self._start(need)
                backlog -= 1

    def _fits(self, need: Need) -> bool:
        if not self._actors:
            return True  # whatever there is: a cluster that grows with what is asked of it must be asked
        if len(self._actors) >= self._limit():
            return False
        cpus = sum(actor.need.num_cpus for actor in self._actors) + need.num_cpus
        gpus = sum(actor.need.num_gpus for actor in self._actors) + need.num_gpus
        return cpus <= self._total.get("CPU", 0.0) and gpus <= self._total.get("GPU", 0.0)

    def _idle_beside(self, need: Need) -> _Actor | None:
        """An actor of another pool for which nothing waits."""
        wanted = {part.need for part in self._waiting} | {need}
        idle = (actor for actor in self._actors if actor.is_ready and not actor.parts and actor.need not in wanted)
        return next(idle, None)

    def _start(self, need: Need) -> None:
        made = self._ray.remote(RayWorker).options(num_cpus=need.num_cpus, num_gpus=need.num_gpus, max_restarts=0)
        orders = self._orders
        actor = _Actor(made.remote(orders.workers, orders.exchange, orders.seconds_per_item), need)
        self._actors.append(actor)
        self._watch("ready", actor, actor.handle.check.remote(orders.word, code_digest()))

    def _welcome(self, actor: _Actor, found: tuple[str, str] | None, error: BaseException | None) -> None:
        """An actor that has started, or could not."""
        if actor not in self._actors:
            return
        if error is not None or found is None:
            self._actors.remove(actor)
            self._failed_starts += 1
            if self._failed_starts >= FAILED_STARTS:
                last = str(error).strip().splitlines()[-1][:300] if str(error).strip() else type(error).__name__
                raise Refused(f"no worker could be started on the Ray cluster, {FAILED_STARTS} times: {last}")
            return
        actor.node, objection = found
        self._refuse(actor.node, objection)
        self._failed_starts = 0
        actor.is_ready, actor.since_s = True, time.monotonic()

    def _kept(self, keeper: Keeper, found: tuple[str, str] | None, error: BaseException | None) -> None:
        """A keeper that has started, or could not."""
        if keeper not in self._keepers:
            return
        if error is not None or found is None:
            raise Refused(f"{keeper.holding.name} could not be held on the Ray cluster: {str(error).strip()[-400:]}")
        self._refuse(*found)
        keeper.node, keeper.is_placed = found[0], True

    def _refuse(self, node: str, objection: str) -> None:
        """Raises Refused where there is an objection to a node."""
        if objection:
            where = next((one["NodeManagerAddress"] for one in self._ray.nodes() if one["NodeID"] == node), node)
            raise Refused(f"node {where} of the Ray cluster {objection}")

    def _give(self) -> None:
        """Batches to actors that have a hand free: what an actor saw last first, then in turn."""
        for _ in range(len(self._waiting)):
            part = self._waiting.popleft()
            free = [a for a in self._actors if a.is_ready and a.need == part.need and len(a.parts) < IN_FLIGHT]
            if not free:
                self._waiting.append(part)
                continue
            video = _video_of(part.batch.items[0])
            home = self._homes.get(video)
            actor = home if home in free else min(free, key=lambda one: len(one.parts))
            assert actor is not None, "one of the free"
            self._homes[video] = actor
            actor.parts.append(part)
            self._watch("answer", actor, actor.handle.work.remote(part.batch, self._keepers.of(part.batch)), part)

    def _watch(self, what: str, actor: _Actor | Keeper, reference: Any, *more: Any) -> None:
        def done(future: Any) -> None:
            error = future.exception()
            self._events.put((what, (actor, *more, None if error else future.result(), error)))

        reference.future().add_done_callback(done)

    def _answered(self, actor: _Actor, part: _Part, answer: Answer | None, error: BaseException | None) -> None:
        if actor not in self._actors:
            return  # it was dismissed, or is buried
        actor.since_s = time.monotonic()
        if error is None and answer is not None:
            actor.parts.remove(part)
            found = [(tuple(part.positions[n] for n in positions), fragment) for positions, fragment in answer]
            self._pipe.send(("done", part.number, found))
            return
        lost = self._ray.exceptions.RayActorError, self._ray.exceptions.OutOfMemoryError
        if error is None or not isinstance(error, lost):
            raise Refused(f"a worker on the Ray cluster broke: {str(error).strip()[-500:]}")
        self._bury(actor, error)

    def _bury(self, actor: _Actor, error: BaseException) -> None:
        """What a lost actor had is given to others. That its node went is nobody's fault; else its batch is bisected, and an
        item that was alone with two lost actors fails: those were killed, as by a node that is short of memory."""
        self._dismiss(actor)  # it may only be out of reach
        suspect, *others = actor.parts
        alive = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
        self._waiting.extendleft(reversed(others))
        if actor.node not in alive:
            self._waiting.appendleft(suspect)
        elif len(suspect.positions) > 1:
            middle = len(suspect.batch.halves()[0].items)
            spans = (suspect.positions[:middle], suspect.positions[middle:])
            for positions, half in zip(spans, suspect.batch.halves(), strict=True):
                self._waiting.appendleft(_Part(suspect.number, positions, half, suspect.need))
        elif suspect.deaths + 1 < DEATHS:
            suspect.deaths += 1
            self._waiting.appendleft(suspect)
        else:
            why = next(
                (line for line in str(error).splitlines() if "Worker exit detail" in line or "OOM" in line), str(error)
            )
            self._pipe.send(("lost", suspect.number, suspect.positions, f"lost its worker, twice: {why[-400:]}"))

    def _dismiss(self, actor: _Actor) -> None:
        self._actors.remove(actor)
        self._homes = {video: home for video, home in self._homes.items() if home is not actor}
        self._ray.kill(actor.handle)


def _connected(orders: Orders) -> Any:
    """Ray, connected. Raises Refused when it is not installed or the address does not answer."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if not orders.address:
        os.environ.pop("RAY_ADDRESS", None)
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # listens on the loopback address alone
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        os.environ |= {"RAY_raylet_start_wait_time_s": f"{START_S:.0f}"}
    elif "://" in orders.address:
        raise Refused(
            f"ray_address is {orders.address!r}; have this machine join the cluster (`ray start --address=HOST:PORT --num-cpus=0`) "
            "and give HOST:PORT or auto"
        )
    elif orders.address != "auto":
        _reach(orders.address)
    ray = importlib.import_module("ray")
    quiet = {"log_to_driver": False, "configure_logging": False}
    try:
        if orders.address:
            ray.init(address=orders.address, **quiet)
        else:
            ray.init(
                address="local",
                num_cpus=orders.num_workers or os.cpu_count(),
                include_dashboard=False,
                object_store_memory=OBJECTS_BYTES,
                _temp_dir=str(orders.folder / "ray"),
                **quiet,
            )
    except SystemExit as error:  # what Ray does about a port that is not its own
        raise Refused(f"what answers at {orders.address} is no Ray cluster that this version can join") from error
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"ray_address is {orders.address!r}: " if orders.address else "Ray did not start on this machine: "
        raise Refused(f"{where}{str(error).strip().splitlines()[0][:400]}; `ray status` says what runs where") from error
    return ray


def _reach(address: str) -> None:
    """Raises Refused when nothing answers at `HOST:PORT`."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise Refused(
            f"ray_address is {address!r}; give HOST:PORT of the cluster's head, or auto for one that this machine is in"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_S).close()
    except (OSError, OverflowError) as error:
        raise Refused(
            f"no Ray cluster answers at {address} ({error}); look whether its head runs and the port is open"
        ) from error


def _take(pipe: Connection, events: "queue.SimpleQueue[tuple[str, Any]]") -> None:
    """Empties the pipe at once, so that the owner never waits for who waits for it."""
    while True:
        try:
            events.put(pipe.recv())
        except (EOFError, ConnectionResetError):
            events.put(("end", None))
            return


def _video_of(item: Item) -> str:
    """What an actor has read for an item: its source names its video."""
    return next((source.id for source in item.all(Source)), item.id)
