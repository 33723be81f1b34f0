"""Loading modules at a program's start: many of them, or one without what it would take along."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Nothing that is made while the block runs is looked through for garbage, then or later.

    Modules, classes and their tables stay as long as the process, and Python would go through them all again and again.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


@contextmanager
def uncollected() -> Iterator[None]:
    """Nothing is looked through for garbage while the block runs."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def without(module: str) -> Iterator[None]:
    """Imports in the block find no module of that name, as where it is not installed; one that is loaded already is found."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # pyright: ignore[reportArgumentType] - what import takes for "there is none"
    try:
        yield
    finally:
        del sys.modules[module]
