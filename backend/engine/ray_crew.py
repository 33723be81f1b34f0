"""`Ray`: a crew on a Ray cluster, through a driver process of its own.

Batches go to the driver, and what they gave is read back from the exchange. A fragment stays there until its rows are
committed: what workers finish for an owner or a driver that is killed is taken in by the next, not made again.
"""

import importlib.util
import logging
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event

from backend.domain import Failed, SettingsError, StoreError, Survey, digest
from backend.engine.chain import Feed
from backend.engine.children import Threads, death_of
from backend.engine.context import WorkerSettings
from backend.engine.crew_folder import CrewFolder
from backend.engine.crews import GRACE_S, SECONDS_PER_ITEM
from backend.engine.exchange import Exchange, fragment_of
from backend.engine.ray_driver import CALL_OFF, Orders, drive
from backend.engine.work import Batch, Outcome
from backend.store.artifacts import Artifacts

log = logging.getLogger(__name__)

DRIVER_DEATHS = 3  # in a row, without an outcome between, after which the crew gives up
READ_S = 10.0  # for a fragment to be seen by the owner, as in a shared folder that is told late of new files
CLOSE_S = 20.0  # for Ray to end
SWEEP = 64  # fragments removed together


@dataclass(frozen=True, slots=True, kw_only=True)
class RaySettings:
    """Where the cluster is, and where its workers leave what they make."""

    address: str = ""
    """`HOST:PORT` of the head, or `auto` for a cluster that this machine is a part of; empty starts Ray on this machine."""
    store: str = ""
    """A folder or URL; empty where every node sees the project's own folder."""


HERE = RaySettings()


@dataclass(slots=True)
class _Driver:
    process: BaseProcess
    pipe: Connection
    stderr: Path
    room: int = 0
    """Batches that it can use at a time."""


@dataclass(slots=True)
class _Given:
    batch: Batch
    left: set[int] = field(default_factory=set)
    """Positions of the items without an outcome yet."""


class Ray:
    """Works on a Ray cluster with at most `num_workers` actors; 0 takes as many as there are CPUs.

    Raises SettingsError where Ray is not installed, or the cluster or the exchange cannot be used.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        *,
        num_workers: int = 0,
        ray: RaySettings = HERE,
        seconds_per_item: float = SECONDS_PER_ITEM,
    ) -> None:
        missing = [name for name in ("ray", "fsspec") if importlib.util.find_spec(name) is None]
        if missing:
            raise SettingsError(
                f"engine is 'ray' and {' and '.join(missing)} is not installed; pip install 'subject-studio[cluster]', or choose process"
            )
        self._artifacts = Artifacts(settings.artifacts, durable=False)  # settled by who commits
        place = str(settings.artifacts.parent / "index" / "exchange")
        if ray.store:
            whose = digest((socket.gethostname(), str(settings.artifacts.resolve())), num_bytes=8)
            place = f"{ray.store.rstrip('/')}/{whose}"
            settings = replace(settings, exchange=place)
        self._exchange = Exchange(place)
        self._left = self._exchange.left()
        if ray.store:
            self._exchange.put_all(self._artifacts)
        self._folder = CrewFolder(Path(tempfile.gettempdir()))
        self._orders = Orders(
            address=ray.address,
            folder=self._folder.path,
            num_workers=num_workers,
            workers=settings,
            exchange=place,
            word=self._exchange.sign(),
            seconds_per_item=seconds_per_item,
        )
        self._driver: _Driver | None = None
        self._hired = self._deaths = self._numbers = 0
        self._taken: list[str] = []
        """Fragments that the owner was given, and has not said that it committed."""
        self._swept: list[str] = []

    def work(self, feed: Feed, cancelled: Event) -> Iterator[tuple[Batch, Outcome]]:
        given: dict[int, _Given] = {}
        while True:
            room = max(1, self._driver.room if self._driver else 1)  # the first batch that needs a driver has it started
            while not cancelled.is_set() and len(given) < room and (batch := feed.take()) is not None:
                found = self._finished(batch)
                if found is not None:
                    yield batch, found
                    continue
                self._numbers += 1
                given[self._numbers] = _Given(batch, set(range(len(batch.items))))
                if self._driver is not None:
                    self._send(self._driver, self._numbers, batch)
            if not given:
                return
            driver = self._driver or self._hire(given)
            if cancelled.is_set():
                yield from self._call_off(driver, given)
                return
            yield from self._hear(driver, given, timeout_s=0.5)

    def committed(self) -> None:
        self._swept += self._taken
        self._taken = []
        if len(self._swept) >= SWEEP:
            self._exchange.remove(self._swept)
            self._swept = []

    def close(self) -> None:
        """Ends the workers, and Ray where it was started here; leaves nothing in the exchange."""
        if self._driver is not None:
            self._end(self._driver, CLOSE_S)
        self._exchange.clear()
        self._folder.close()

    def _hire(self, given: dict[int, _Given]) -> _Driver:
        """A driver, which is given what its predecessor had."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._hired += 1
        stderr = self._folder.path / f"driver-{self._hired}.stderr"
        process = context.Process(target=drive, args=(theirs, self._orders, str(stderr), os.getpid()), daemon=True)
        with Threads():
            process.start()
        theirs.close()
        self._driver = driver = _Driver(process, ours, stderr)
        for number, one in given.items():
            self._send(driver, number, one.batch)
        return driver

    def _send(self, driver: _Driver, number: int, batch: Batch) -> None:
        if self._orders.workers.exchange:
            for roll in {survey.artifact for item in batch.items for survey in item.all(Survey)}:
                self._exchange.put_artifact(roll, self._artifacts.get(roll))
        try:
            driver.pipe.send(("batch", (number, batch)))
        except (BrokenPipeError, ConnectionResetError):
            log.debug("the Ray driver died before it took a batch")

    def _hear(self, driver: _Driver, given: dict[int, _Given], *, timeout_s: float) -> Iterator[tuple[Batch, Outcome]]:
        """One message of the driver's, if there is one in time."""
        try:
            if not driver.pipe.poll(timeout_s):
                return
            message = driver.pipe.recv()
        except (EOFError, ConnectionResetError):
            yield from self._bury(driver, given)
            return
        match message:
            case ("room", room):
                driver.room = room
            case ("refused", why):
                self._end(driver, GRACE_S)
                raise SettingsError(why)
            case ("done", number, parts):
                for positions, fragment in parts:
                    yield from self._take_in(given, number, positions, fragment)
            case ("lost", number, positions, message):
                part = _part(given[number].batch, positions)
                _strike(given, number, positions)
                notes = tuple(Failed(item.id, "crash", f"{part.stage.name} {message}") for item in part.items)
                yield part, Outcome(notes=notes, tables={}, seconds=0.0)
            case (what,) if what == CALL_OFF:
                given.clear()

    def _take_in(
        self, given: dict[int, _Given], number: int, positions: tuple[int, ...], fragment: str
    ) -> Iterator[tuple[Batch, Outcome]]:
        if number not in given or not given[number].left.issuperset(positions):
            return  # a driver before this one told of it
        until = time.monotonic() + READ_S
        while (outcome := self._read(fragment)) is None:
            if time.monotonic() > until:
                raise StoreError(
                    f"fragment {fragment} cannot be read back from {self._exchange.url}; look whether it is full or slow"
                )
            time.sleep(0.2)
        self._deaths = 0
        part = _part(given[number].batch, positions)
        _strike(given, number, positions)
        yield part, outcome

    def _read(self, fragment: str) -> Outcome | None:
        """What a fragment holds, its artifacts in the owner's folder."""
        found = self._exchange.get(fragment)
        if found is None:
            return None
        outcome, artifacts = found
        for name in artifacts:
            if not self._artifacts.path(name).exists():
                data = self._exchange.get_artifact(name)
                if data is None or self._artifacts.put(data, Path(name).suffix) != name:
                    return None
        self._taken.append(fragment)
        return outcome

    def _finished(self, batch: Batch) -> Outcome | None:
        """What was made of a batch for an owner that was killed; not what failed then, which deserves another try.

        A fragment of what is tried again may be that of the first try.
        """
        name = fragment_of(batch)
        if name not in self._left or any(item.again for item in batch.items):
            return None
        self._left.discard(name)
        outcome = self._read(name)
        if outcome is None or any(isinstance(note, Failed) for note in outcome.notes):
            return None
        return outcome

    def _bury(self, driver: _Driver, given: dict[int, _Given]) -> Iterator[tuple[Batch, Outcome]]:
        """A driver that died is followed by another, which goes on with what is not finished. Raises SettingsError after some."""
        self._end(driver, GRACE_S)
        self._deaths += 1
        if self._deaths >= DRIVER_DEATHS:
            tail = driver.stderr.read_text(errors="replace")[-500:].strip() if driver.stderr.exists() else ""
            raise SettingsError(
                f"the connection to the Ray cluster broke off {DRIVER_DEATHS} times: it {death_of(driver.process.exitcode)}; "
                f"look whether its head is up{f'; stderr: {tail}' if tail else ''}"
            )
        self._left = self._exchange.left() - set(self._taken) - set(self._swept)
        for number, one in list(given.items()):
            if len(one.left) == len(one.batch.items) and (found := self._finished(one.batch)) is not None:
                del given[number]
                yield one.batch, found
            elif len(one.left) < len(one.batch.items):
                rest = tuple(sorted(one.left))
                given[number] = _Given(_part(one.batch, rest), set(range(len(rest))))

    def _call_off(self, driver: _Driver, given: dict[int, _Given]) -> Iterator[tuple[Batch, Outcome]]:
        """Has the driver let go of all that is worked on; what ends in the meantime counts."""
        try:
            driver.pipe.send(("call off", None))
        except (BrokenPipeError, ConnectionResetError):
            given.clear()
        until = time.monotonic() + GRACE_S
        while given and time.monotonic() < until and self._driver is driver:
            yield from self._hear(driver, given, timeout_s=0.2)
        if given:
            self._end(driver, 0.0)

    def _end(self, driver: _Driver, within_s: float) -> None:
        driver.pipe.close()
        driver.process.join(within_s)
        if driver.process.is_alive():
            driver.process.kill()
            driver.process.join()
        self._driver = None


def _part(batch: Batch, positions: tuple[int, ...]) -> Batch:
    return Batch(
        stage=batch.stage,
        items=tuple(batch.items[n] for n in positions),
        work_keys=tuple(batch.work_keys[n] for n in positions),
    )


def _strike(given: dict[int, _Given], number: int, positions: tuple[int, ...]) -> None:
    given[number].left.difference_update(positions)
    if not given[number].left:
        del given[number]
