"""Keys of watermarks, from files: whoever has one can find the watermark, and can take it out."""

import hashlib
from pathlib import Path

from backend.domain import SettingsError

LEAST_BYTES = 16  # fewer can be guessed


def read_key(path: Path) -> bytes:
    """What a file holds, all of it. Raises SettingsError for one that cannot be read, or is too short to be a secret."""
    try:
        found = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"the watermark's key {path} cannot be read: {error.strerror}") from error
    if len(found) < LEAST_BYTES:
        raise SettingsError(
            f"the watermark's key {path} has {len(found)} bytes, which can be guessed; make one of at least {LEAST_BYTES}: "
            "`head -c 32 /dev/urandom > FILE`"
        )
    return found


def fingerprint(key: bytes) -> str:
    """Tells keys apart without telling the key."""
    return hashlib.sha256(b"watermark key " + key).hexdigest()[:16]
