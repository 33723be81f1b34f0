"""What is done when a model runs out of memory: rung by rung, those first that change no result."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backend.domain.errors import ModelFailed
from backend.jobs.model_queue import Waiting
from backend.models.borders import Interrupted, border, watched
from backend.models.devices import is_out_of_memory, release_memory
from backend.models.residency import GIB, ModelKey, Residency, Resident

Ended = object
"""What a call came to: its value, or the exception it raised, in a `Raised`."""


NO_ROOM = object()


@dataclass(frozen=True, slots=True)
class Raised:
    """A call's own fault, which is no concern of its neighbours."""

    error: Exception


def raised_or(call: Callable[[], Any]) -> Any:
    """What the call gives, or what it raises."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - the job worker: the fault goes to whom it concerns
        return Raised(error)


@dataclass(slots=True, kw_only=True)
class Ladder:
    """Answers calls of one model, going down the rungs as memory runs out.

    Half the calls at once; the cache emptied; other models put out; half the model's own batch (`batch`, where it has
    one: the last bits of a result may change); the CPU, when `cpu_allowed`; then the calls fail by name. `say(kind,
    text)` is told of each rung.
    """

    residency: Residency
    cpu_allowed: bool
    say: Callable[[str, str], None]

    def __call__(self, key: ModelKey, calls: Sequence[Waiting]) -> list[Ended]:
        """What each call came to, in order; for one that finds no memory even alone, ModelFailed as a `Raised`.

        Raises ModelUnavailable and what a constructor raises.
        """
        role = calls[0].ask.model.role
        with self.residency.pinned(key, role) as resident:
            ended = self._halving(resident, calls)
        left = _without_room(ended)
        if left and self.cpu_allowed and key.device != "cpu":
            self.say("out_of_memory", f"{role}: goes on on the CPU")
            self.residency.evict(key)
            with self.residency.pinned(replace(key, device="cpu"), role) as resident:
                again = self._halving(resident, [calls[place] for place in left])
            for place, one in zip(left, again, strict=True):
                ended[place] = one
        for place in _without_room(ended):
            ended[place] = Raised(ModelFailed(self._defeat(key, role), kind="out_of_memory"))
        return ended

    def _halving(self, resident: Resident, calls: Sequence[Waiting]) -> list[Ended]:
        """What each call came to, NO_ROOM where one alone finds no memory."""
        ended = _attempt(resident, calls)
        if ended is not None:
            return ended
        role = calls[0].ask.model.role
        if len(calls) > 1:
            middle = (len(calls) + 1) // 2
            self.say("out_of_memory", f"{role}: {middle} of {len(calls)} calls at once")
            return [*self._halving(resident, calls[:middle]), *self._halving(resident, calls[middle:])]
        for rung in self._rungs(resident, role):
            self.say("out_of_memory", f"{role}: {rung}")
            if (ended := _attempt(resident, calls)) is not None:
                return ended
        return [NO_ROOM]

    def _rungs(self, resident: Resident, role: str) -> Iterator[str]:
        release_memory()
        yield "cache emptied"
        if freed := self.residency.evict_others():
            yield f"other models put out, {freed} bytes"
        model: Any = resident.model
        while isinstance(batch := getattr(model, "batch", None), int) and batch > 1:
            model.batch = batch // 2
            release_memory()
            yield f"{model.batch} at a time instead of {batch}"

    def _defeat(self, key: ModelKey, role: str) -> str:
        return (
            f"{role} ({key.implementation.partition(':')[2]}) ran out of memory on {key.device} with one call alone;"
            f" models take {self.residency.num_bytes / GIB:.3g} GiB of {self.residency.budget_bytes / GIB:.3g} GiB there:"
            " bind a smaller model, set dtype to bfloat16, or set model_on_cpu to true"
        )


def _without_room(ended: Sequence[Ended]) -> list[int]:
    return [place for place, one in enumerate(ended) if one is NO_ROOM]


def _attempt(resident: Resident, calls: Sequence[Waiting]) -> list[Ended] | None:
    """What the calls came to, or None when memory ran out. What held on to it is let go before."""
    with contextlib.suppress(_NoMemory):
        return _answered(resident.model, calls)
    release_memory()
    return None


class _NoMemory(Exception):
    """Memory ran out. Carries nothing, since a traceback would keep the tensors of the attempt alive."""


def _answered(model: Any, calls: Sequence[Waiting]) -> list[Ended]:
    many = getattr(model, "many", {}).get(calls[0].ask.method)
    if many is not None and len(calls) > 1:
        ended = _guarded(lambda: _together(getattr(model, many), calls))
        if not isinstance(ended, Raised):
            return ended
    return [_one(model, call) for call in calls]  # also when together they raised: the culprit is told apart


def _together(method: Callable[..., Any], calls: Sequence[Waiting]) -> list[Ended]:
    with _running(calls):
        border()
        ended = list(method([call.ask.args for call in calls], **dict(calls[0].ask.named)))
    assert len(ended) == len(calls), f"{len(ended)} answers to {len(calls)} calls of {calls[0].ask.method}"
    return ended


def _one(model: Any, call: Waiting) -> Ended:
    """What one call came to; nothing for one that was cancelled."""
    try:
        with _running([call]), watched(call.stop_if_cancelled):
            border()
            return _guarded(lambda: getattr(model, call.ask.method)(*call.ask.args, **dict(call.ask.named)))
    except Interrupted:
        if call.cancelled_s is None:  # the others of this group are not wanted either
            raise
        return None


@contextlib.contextmanager
def _running(calls: Sequence[Waiting]) -> Iterator[None]:
    for call in calls:
        call.running = True
    try:
        yield
    finally:
        for call in calls:
            call.running = False


def _guarded(call: Callable[[], Any]) -> Any:
    ended = raised_or(call)
    if isinstance(ended, Raised) and is_out_of_memory(ended.error):
        del ended
        raise _NoMemory
    return ended
