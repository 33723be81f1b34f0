"""Where a project's service can be reached: a socket and a token in a folder that only its user can enter."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from backend.domain import ServiceError


class ServicePlace:
    """The meeting place of a project's owner and its clients: `$XDG_RUNTIME_DIR` or the temporary folder, mode 0700.

    It is named by a hash of the project's path, since a socket's own path may hold at most 107 bytes.
    """

    def __init__(self, project: Path) -> None:
        base = os.environ.get("XDG_RUNTIME_DIR")
        root = Path(base) / "subject-studio" if base else Path(tempfile.gettempdir()) / f"subject-studio-{os.getuid()}"
        name = hashlib.blake2b(str(Path(project).resolve()).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        self._root = root
        self.folder = root / name
        self.socket = self.folder / "api.sock"
        self.token = self.folder / "token"

    def create(self) -> None:
        """Makes the folder for its owner. Raises ServiceError when somebody else's folder stands there."""
        for folder in (self._root, self.folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self._root, self.folder):
            facts = folder.lstat()
            if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
                raise ServiceError(
                    f"{folder} is not a folder of this user with mode 0700; delete it or set XDG_RUNTIME_DIR"
                )

    def write_token(self, token: str) -> None:
        """Puts the token where clients of the same user find it, and nobody else."""
        self.token.unlink(missing_ok=True)
        with os.fdopen(os.open(self.token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token)

    def clear(self) -> None:
        """Takes socket and token away."""
        self.socket.unlink(missing_ok=True)
        self.token.unlink(missing_ok=True)
