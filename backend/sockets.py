"""Paths of Unix sockets, which hold few bytes."""

import os
from pathlib import Path

MAX_BYTES = 103  # 104 with the last NUL on macOS, 108 on Linux
SHORT = Path("/tmp")
"""Where sockets lie when everything else has too long a path."""


def is_short_enough(path: Path) -> bool:
    """Whether a Unix socket can have that path."""
    return len(os.fsencode(path)) <= MAX_BYTES
