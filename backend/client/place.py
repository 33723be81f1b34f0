"""Where a project's service can be reached: a socket and a token in a folder that only its user can enter."""

import contextlib
import hashlib
import os
import shutil
import socket
import stat
import tempfile
import time
from pathlib import Path

from backend.domain import ServiceError
from backend.sockets import SHORT, is_short_enough

STARTING_S = 600.0  # longer than a starting service is waited for; a folder that was touched since may be one that starts


class ServicePlace:
    """The meeting place of a project's owner and its clients: `$XDG_RUNTIME_DIR` or the temporary folder, mode 0700.

    It is named by a hash of the project's path, since a socket's own path may be short only; where either folder's path is
    too long even so, it lies in /tmp.
    """

    def __init__(self, project: Path) -> None:
        name = hashlib.blake2b(str(Path(project).resolve()).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        base = os.environ.get("XDG_RUNTIME_DIR")
        mine = f"subject-studio-{os.getuid()}"
        root = Path(base) / "subject-studio" if base else Path(tempfile.gettempdir()) / mine
        if not is_short_enough(root / name / "api.sock"):
            root = SHORT / mine
        self._root = root
        self.folder = root / name
        self.socket = self.folder / "api.sock"
        self.token = self.folder / "token"

    def create(self) -> None:
        """Makes the folder for its owner and removes those of owners that were killed. Raises ServiceError when somebody else's folder stands there."""
        for folder in (self._root, self.folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self._root, self.folder):
            facts = folder.lstat()
            if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
                raise ServiceError(
                    f"{folder} is not a folder of this user with mode 0700; delete it or set XDG_RUNTIME_DIR"
                )
        os.utime(self.folder)
        for other in self._root.iterdir():
            if other != self.folder and _is_left(other):
                shutil.rmtree(other, ignore_errors=True)

    def write_token(self, token: str) -> None:
        """Puts the token where clients of the same user find it, and nobody else."""
        self.token.unlink(missing_ok=True)
        with os.fdopen(os.open(self.token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token)

    def read_token(self) -> str:
        """What the owner has put there. Raises ServiceError where none has."""
        try:
            return self.token.read_text()
        except OSError as error:
            raise ServiceError(f"no service runs for this project ({self.token} is missing)") from error

    def clear(self) -> None:
        """Takes socket and token away, and the folder unless a starting service's log lies there."""
        self.socket.unlink(missing_ok=True)
        self.token.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def _is_left(folder: Path) -> bool:
    """Whether nobody listens there any more, and nobody is about to."""
    try:
        if time.time() - folder.stat().st_mtime < STARTING_S:
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.setblocking(False)
            client.connect(str(folder / "api.sock"))
    except (FileNotFoundError, ConnectionRefusedError):
        return True
    except OSError:  # too many wait to be answered, or it is no folder of a service
        return False
    return False
