"""Whether a disk has room for long work: jobs are refused before it is full, so that votes can still be taken."""

import shutil
from pathlib import Path

MIN_FREE_BYTES = 500_000_000  # less than that, and a checkpoint may find the disk full
MIN_FREE_SHARE = 0.05
"""Of a disk so small that it could never have as much free."""


def shortage(folder: Path) -> str:
    """A sentence when the folder's disk has little room left; empty otherwise."""
    facts = shutil.disk_usage(folder)
    needed = min(MIN_FREE_BYTES, MIN_FREE_SHARE * facts.total)
    if facts.free >= needed:
        return ""
    return f"{folder} has {facts.free / 1e6:.0f} MB free, needs {needed / 1e6:.0f}; free some space"
