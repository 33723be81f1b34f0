"""Loading many modules at a program's start."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Nothing that is made while the block runs is looked through for garbage, then or later: a tenth of a start.

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
