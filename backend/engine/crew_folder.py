"""A crew's temporary folder: locked while the crew lives, removed by the next crew when it was killed."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "subject-studio-crew-"


class CrewFolder:
    """A folder of mode 0700 below `place`. Making one removes those of crews that have died."""

    def __init__(self, place: Path) -> None:
        _remove_dead(place)
        # Locked before it gets its name, so that nobody ever sees a living crew's folder without its lock.
        unnamed = Path(tempfile.mkdtemp(prefix="subject-studio-starting-", dir=place))
        self._lock = os.open(unnamed, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.path = unnamed.rename(place / unnamed.name.replace("subject-studio-starting-", PREFIX))

    def close(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _remove_dead(place: Path) -> None:
    for folder in place.glob(f"{PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # another user's, or removed a moment ago
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:  # its crew lives
            continue
        finally:
            os.close(lock)
