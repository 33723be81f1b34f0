"""Files that are given out lie where they seem to: no link leads out of their folder."""

import stat
from pathlib import Path

from backend.api import MediaFile
from backend.domain import MediaError


def contained(found: MediaFile, root: Path) -> MediaFile:
    """`found` as it is. Raises MediaError for one that lies, all links followed, outside `root`, or is no plain file."""
    real = Path(found.path).resolve()
    try:
        is_plain = stat.S_ISREG(real.stat().st_mode)
    except OSError as error:
        raise MediaError(f"{found.path} cannot be read any more: {error.strerror}; ask for it again") from error
    if not is_plain or not real.is_relative_to(root.resolve()):
        raise MediaError(f"{found.path} is no plain file inside {root}; look who put a link there, and remove it")
    return found
