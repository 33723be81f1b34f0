"""One secret, and what is made of it: sealed cookies, media ids of a session, ids of votes, nonces."""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Self

_LENGTH = 32


class PageKeys:
    """Everything is HMAC-SHA-256 under one secret of 32 bytes, apart by a word for each use."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """The secret kept at `path`, made when there is none (mode 0600): cookies outlive a restart."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls(path.read_bytes())
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_LENGTH))
            file.flush()
            os.fsync(file.fileno())
        return cls(path.read_bytes())

    def digest(self, use: str, *parts: str) -> str:
        """32 hexadecimal digits that nobody without the secret can tell from chance."""
        said = "\0".join((use, *(f"{len(part)}:{part}" for part in parts)))
        return hmac.new(self._secret, said.encode(), hashlib.sha256).hexdigest()[:32]

    def seal(self, use: str, text: str) -> str:
        """Text with its proof, fit for a cookie."""
        return f"{base64.urlsafe_b64encode(text.encode()).decode()}.{self.digest(use, text)}"

    def opened(self, use: str, sealed: str) -> str | None:
        """The text of a seal; None for one that was not made here for this use."""
        body, _, proof = sealed.partition(".")
        try:
            text = base64.urlsafe_b64decode(body.encode()).decode()
        except (binascii.Error, UnicodeError, ValueError):
            return None
        return text if hmac.compare_digest(proof.encode(), self.digest(use, text).encode()) else None

    def media_id(self, participant: str, trial: str, slot: str) -> str:
        """Of one video in one trial of one participant: the same video elsewhere has another id."""
        session = self.digest("session", participant)
        return hmac.new(session.encode(), f"{trial}\0{slot}".encode(), hashlib.sha256).hexdigest()[:32]

    def vote_id(self, participant: str, trial: str, question: str) -> str:
        """Two windows that answer one question make revisions of one vote."""
        return f"vote_{self.digest('vote', participant, trial, question)}"
