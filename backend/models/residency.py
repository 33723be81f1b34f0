"""Models that stay loaded: each one's bytes measured, the least recently used put out when there is no room."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from backend.domain import ModelUnavailable
from backend.domain.errors import ModelFailed
from backend.models.devices import grown_bytes, is_out_of_memory, memory_mark, release_memory

log = logging.getLogger(__name__)

GIB = 2**30


@dataclass(frozen=True, slots=True)
class ModelKey:
    """What is loaded. Roles that bind one class to the same weights share it."""

    implementation: str
    """Dotted path of the class."""
    location: str
    device: str
    dtype: str


@dataclass(slots=True)
class Resident:
    """A loaded model. `pins` counts who uses it now: it stays until they are done."""

    key: ModelKey
    model: object
    num_bytes: int
    roles: set[str] = field(default_factory=set)
    pins: int = 0
    uses: int = 0


class Residency:
    """Models under a budget of bytes.

    `make(key, role)` loads one; `expected(key)` guesses its bytes, so that room is made before. What counts is what was
    measured. `say(kind, text)` is told what is loaded and put out.
    """

    def __init__(
        self,
        budget_bytes: int,
        *,
        make: Callable[[ModelKey, str], object],
        expected: Callable[[ModelKey], int] = lambda key: 0,
        say: Callable[[str, str], None] = lambda kind, text: None,
    ) -> None:
        self.budget_bytes = budget_bytes
        self._lent_bytes = 0
        self._make = make
        self._expected = expected
        self._say = say
        self._lock = threading.RLock()
        self._residents: OrderedDict[ModelKey, Resident] = OrderedDict()

    @property
    def num_bytes(self) -> int:
        """Bytes of all that is loaded."""
        with self._lock:
            return sum(resident.num_bytes for resident in self._residents.values())

    def residents(self) -> list[Resident]:
        """What is loaded, the least recently used first."""
        with self._lock:
            return list(self._residents.values())

    @contextmanager
    def pinned(self, key: ModelKey, role: str) -> Iterator[Resident]:
        """The model, loaded if need be, kept while the block runs.

        Raises ModelUnavailable when it cannot be loaded or is larger than the budget, ModelFailed when memory ran out.
        """
        with self._lock:
            resident = self._residents.get(key) or self._loaded(key, role)
            self._residents.move_to_end(key)
            resident.roles.add(role)
            resident.pins += 1
            resident.uses += 1
        try:
            yield resident
        finally:
            with self._lock:
                resident.pins -= 1

    def evict_others(self) -> int:
        """Puts out everything that nobody uses, and gives the bytes that it took."""
        with self._lock:
            return sum(self._evict(resident) for resident in self.residents() if not resident.pins)

    def evict(self, key: ModelKey) -> int:
        """Puts one out, whoever uses it: its user has no other way to go on."""
        with self._lock:
            return self._evict(self._residents[key]) if key in self._residents else 0

    def lend(self, num_bytes: int) -> int:
        """Leaves so much of the budget to another process, until it is asked for another number, and gives the bytes put out.

        What is in use stays, and what is asked for is loaded all the same: one model at a time, where no more is left.
        """
        with self._lock:
            self._lent_bytes = num_bytes
            before = self.num_bytes
            self._make_room(0)
            return before - self.num_bytes

    def _loaded(self, key: ModelKey, role: str) -> Resident:
        self._make_room(self._expected(key))
        self._say("loading", f"{role}: {_name(key)}")
        before = memory_mark(key.device)
        model = self._made(key, role)
        num_bytes = grown_bytes(model, before, memory_mark(key.device))
        if num_bytes > self.budget_bytes:
            del model
            release_memory()
            raise ModelUnavailable(
                f"{role} ({_name(key)}) takes {num_bytes / GIB:.3g} GiB, more than the {self.budget_bytes / GIB:.3g} GiB"
                " that models may take; raise model_memory_gib in project.toml or bind a smaller model"
            )
        resident = Resident(key, model, num_bytes, {role})
        self._residents[key] = resident
        self._say("loaded", f"{role}: {_name(key)}, {num_bytes} bytes")
        self._make_room(0, spare=key)
        return resident

    def _made(self, key: ModelKey, role: str) -> object:
        try:
            return self._make(key, role)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            words = str(error)
        release_memory()  # outside the handler, whose exception holds on to what was half loaded
        self._say("out_of_memory", f"{role}: loading {_name(key)}")
        self.evict_others()
        release_memory()
        try:
            return self._make(key, role)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise ModelFailed(
                f"{role} ({_name(key)}) does not fit into the memory of {key.device}, alone as it is: {words.splitlines()[0]};"
                " bind a smaller model or set dtype to bfloat16",
                kind="out_of_memory",
            ) from None

    def _make_room(self, wanted: int, *, spare: ModelKey | None = None) -> None:
        """Puts out the least recently used until `wanted` bytes are free, as far as nobody uses them."""
        for resident in self.residents():
            if self.num_bytes + wanted <= self.budget_bytes - self._lent_bytes:
                return
            if not resident.pins and resident.key != spare:
                self._evict(resident)

    def _evict(self, resident: Resident) -> int:
        del self._residents[resident.key]
        resident.model = None
        release_memory()
        self._say("evicted", f"{_name(resident.key)}, {resident.num_bytes} bytes")
        return resident.num_bytes


def _name(key: ModelKey) -> str:
    return key.implementation.partition(":")[2]
