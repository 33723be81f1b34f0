"""Files of one secret of 256 bits: made whole or not at all, for their owner's eyes, and refused when they are anything else.

A file holds the secret and its SHA-256; those of earlier versions hold the secret alone.
"""

import fcntl
import hashlib
import os
import secrets
import stat
from pathlib import Path

from backend.domain import ProjectError, StoreError, StudioError
from backend.store.journal_head import sync_folder

SECRET_BYTES = 32


def secret_of_file(path: Path) -> bytes:
    """The secret kept at `path`, made when there is no file (mode 0600).

    Raises StoreError for a file that is damaged, cut short or readable by others: what is sealed under such a key anybody
    could make. Raises ProjectError where nothing can be read or made.
    """
    try:
        if not path.exists():
            _make(path)
        mode = path.stat().st_mode
        content = path.read_bytes() if stat.S_ISREG(mode) else b""
    except OSError as error:
        raise ProjectError(
            f"key {path} cannot be read or made: {error.strerror}; look at the folder's permissions"
        ) from error
    if problem := _problem(content, mode):
        raise StoreError(f"key {path} {problem}")
    return content[:SECRET_BYTES]


def secret_problem(path: Path) -> str:
    """Why a secret cannot be used, for a check that makes none; empty for a sound one and for none."""
    try:
        if path.exists():
            secret_of_file(path)
    except StudioError as error:
        return str(error)
    return ""


_ANOTHER = "another is made then, and what was sealed or hashed under this one is not known again"


def _problem(content: bytes, mode: int) -> str:
    secret, proof = content[:SECRET_BYTES], content[SECRET_BYTES:]
    if not stat.S_ISREG(mode):
        return f"is no file; move it away: {_ANOTHER}"
    if mode & 0o077:
        return f"can be read by others (mode {mode & 0o777:o}); chmod 600 it, or if it may be known delete it: {_ANOTHER}"
    if len(secret) < SECRET_BYTES or not any(secret) or proof not in (b"", hashlib.sha256(secret).digest()):
        return f"is damaged ({len(content)} bytes); put a copy of your own in its place, or delete it: {_ANOTHER}"
    return ""


def _make(path: Path) -> None:
    """Under another name first, which whoever makes it next takes over: a killed maker leaves no key and no second file."""
    making = path.with_name(f".{path.name}.making")
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists():  # another made it meanwhile; what is open here may be that very file
            making.unlink(missing_ok=True)
            return
        os.fchmod(file.fileno(), 0o600)
        os.ftruncate(file.fileno(), 0)
        secret = secrets.token_bytes(SECRET_BYTES)
        file.write(secret + hashlib.sha256(secret).digest())
        file.flush()
        os.fsync(file.fileno())
        making.rename(path)
    sync_folder(path.parent)
