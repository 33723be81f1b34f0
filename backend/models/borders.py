"""Borders between micro-batches: where whoever runs a model may look at its progress and stop it.

Every forward pass of a watched model is such a border, so that implementations need not know of it: a batch of frames,
a token of a text, a step of a diffusion. One that works without torch calls `border` itself.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

MAX_DEPTH = 4  # an implementation, its pipeline, the pipeline's parts
MAX_ENTRIES = 64  # a larger container is a vocabulary, no collection of networks

_thread = threading.local()


class Interrupted(BaseException):
    """Work that nobody wants any more. No Exception: whoever handles faults of models must let it pass."""


def border() -> None:
    """To be called between two micro-batches. Raises Interrupted when this thread's work was cancelled."""
    watch: Callable[[], None] | None = getattr(_thread, "watch", None)
    if watch is not None:
        watch()


@contextmanager
def watched(watch: Callable[[], None]) -> Iterator[None]:
    """Has `watch` called at each border in this thread, after those of the blocks around this one."""
    before: Callable[[], None] | None = getattr(_thread, "watch", None)

    def all_around() -> None:
        if before is not None:
            before()
        watch()

    _thread.watch = all_around
    try:
        yield
    finally:
        _thread.watch = before


def make_borders(model: object) -> None:
    """Makes each forward pass of the model's networks, and of their parts of the first level, a border.

    TorchScript takes no hooks: what runs such a network calls `border` itself.
    """
    for network in networks(model):
        for part in (network, *network.children()):
            if not isinstance(part, sys.modules["torch"].jit.ScriptModule):
                part.register_forward_pre_hook(_at_forward)


def networks(model: object) -> "list[torch.nn.Module]":
    """The torch networks that an object holds, outermost ones, each once; none where torch was never imported."""
    torch = sys.modules.get("torch")
    return [] if torch is None else list(_networks(model, torch.nn.Module, MAX_DEPTH, set()))


def _networks(value: Any, kind: type, depth: int, seen: set[int]) -> "Iterator[torch.nn.Module]":
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, kind):
        yield value  # pyright: ignore[reportReturnType]
    elif depth > 0:
        for part in _parts(value):
            yield from _networks(part, kind, depth - 1, seen)


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values()) if len(value) <= MAX_ENTRIES else []
    if isinstance(value, list | tuple | set):
        return list(value) if len(value) <= MAX_ENTRIES else []
    if isinstance(value, type) or (callable(value) and not hasattr(value, "__dict__")):
        return []
    return list(vars(value).values()) if hasattr(value, "__dict__") else []


def _at_forward(*_: object) -> None:
    border()
