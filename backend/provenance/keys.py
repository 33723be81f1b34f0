"""Keys of provenance marks: Ed25519 (RFC 8032), one private key a user, made at first use.

A folder holds `signing-key.pem` (PKCS 8, mode 0600), `signing-key.pub.pem` and `trusted/NAME.pem` (SubjectPublicKeyInfo), all as OpenSSL
writes and reads them.
"""

import base64
import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from backend.domain import ProjectError, SettingsError
from backend.settings.user_folder import user_folder

OWN = "you"
"""What the user's own key is called among those that are trusted."""
PRIVATE, PUBLIC, TRUSTED = "signing-key.pem", "signing-key.pub.pem", "trusted"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
RAW_BYTES = 32  # of an Ed25519 public key (RFC 8032)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Checks signatures. Raises ValueError for bytes that are no key."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != RAW_BYTES:
            raise ValueError(f"an Ed25519 public key has {RAW_BYTES} bytes, not {len(self.raw)}")

    @property
    def jwk(self) -> Mapping[str, str]:
        """As a JSON Web Key (RFC 8037)."""
        return {"crv": "Ed25519", "kty": "OKP", "x": encoded(self.raw)}

    @property
    def id(self) -> str:
        """The key's thumbprint (RFC 7638), which tells keys apart and is read out to compare them."""
        return encoded(hashlib.sha256(json.dumps(self.jwk, sort_keys=True, separators=(",", ":")).encode()).digest())

    @property
    def pem(self) -> bytes:
        return Ed25519PublicKey.from_public_bytes(self.raw).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs with a private key, which it does not show."""

    _private: Ed25519PrivateKey

    @property
    def public(self) -> PublicKey:
        return PublicKey(self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, message: bytes) -> bytes:
        """64 bytes; equal messages give equal signatures."""
        return self._private.sign(message)


class KeyRing:
    """The keys of one user, in `folder`; without it in `$XDG_CONFIG_HOME/subject-studio/keys` (or `~/.config`)."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or user_folder() / "keys"

    def signer(self) -> Signer:
        """This user's key, made now where there is none. Raises ProjectError for one that others can read, or that is damaged."""
        path = self.folder / PRIVATE
        if not path.exists():
            self._make(path)
        try:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                raise ProjectError(
                    f"{path} can be read by others, who could sign as you; `chmod 600` it, or remove it for a new one"
                )
            private = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ProjectError(
                f"{path} is no private key that can be read: {error}; remove it, and a new one is made"
            ) from error
        if not isinstance(private, Ed25519PrivateKey):
            raise ProjectError(f"{path} is a key of another kind than Ed25519; remove it, and a new one is made")
        signer = Signer(private)
        if not (self.folder / PUBLIC).exists():  # new, lost, or broken off in between: without it own videos look strange
            self._publish(signer.public)
        return signer

    def known(self) -> dict[str, PublicKey]:
        """Trusted keys by name; this user's own is `you`, where it was made."""
        found: dict[str, PublicKey] = {}
        own = self.folder / PUBLIC
        if own.exists():
            found[OWN] = read_public(own)
        for path in sorted((self.folder / TRUSTED).glob("*.pem")):
            found[path.stem] = read_public(path)
        return found

    def export(self, path: Path) -> PublicKey:
        """Writes this user's public key; makes the pair where there is none. Raises ProjectError where the file cannot be written."""
        key = self.signer().public
        try:
            _write(path, key.pem, mode=0o644)
        except OSError as error:
            raise ProjectError(f"{path} cannot be written: {error.strerror}; name another file") from error
        return key

    def trust(self, path: Path, name: str) -> PublicKey:
        """Keeps another's public key under a name. Raises SettingsError for a name that is taken by another key, or no name."""
        if not NAME.fullmatch(name) or name == OWN:
            raise SettingsError(f"{name!r} names no key; take letters, digits, `_`, `-` and `.`, and not {OWN!r}")
        key = read_public(path)
        before = self.known()
        if name in before and before[name] != key:
            raise SettingsError(
                f"{name!r} is another key already ({before[name].id}); take another name, or remove {self.folder / TRUSTED / name}.pem"
            )
        _make_folder(self.folder)
        _make_folder(self.folder / TRUSTED)
        _write(self.folder / TRUSTED / f"{name}.pem", key.pem, mode=0o644)
        return key

    def _make(self, path: Path) -> None:
        """Two commands that make it at once end with one key: the name goes to whoever links it first."""
        _make_folder(self.folder)
        private = Ed25519PrivateKey.generate()
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            _write(temporary, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)
        except OSError as error:
            raise ProjectError(f"{path} cannot be written: {error.strerror}; videos are signed with it") from error
        finally:
            temporary.unlink(missing_ok=True)
        (self.folder / PUBLIC).unlink(missing_ok=True)  # of a key that was removed

    def _publish(self, key: PublicKey) -> None:
        """Whole or not at all: others that start at the same moment read it."""
        path = self.folder / PUBLIC
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            _write(temporary, key.pem, mode=0o644)
            temporary.replace(path)
        except OSError as error:
            raise ProjectError(f"{path} cannot be written: {error.strerror}; videos are checked with it") from error
        finally:
            temporary.unlink(missing_ok=True)


def read_public(path: Path) -> PublicKey:
    """A public key from PEM. Raises SettingsError for anything else, above all for a private key."""
    try:
        data = path.read_bytes()
        key = load_pem_public_key(data)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        private = b"PRIVATE KEY" in data
        told = "holds a private key, which nobody else may have; ask for" if private else "is no"
        raise SettingsError(
            f"{path} {told} public key in PEM, as `studio-backend provenance --export-key` writes it"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"{path} is a key of another kind than Ed25519")
    return PublicKey(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def encoded(data: bytes) -> str:
    """base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Of base64url. Raises ValueError for other characters."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ProjectError(f"{folder} cannot be made: {error.strerror}; keys of provenance marks lie there") from error


def _write(path: Path, data: bytes, *, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
