"""One secret, and what is made of it: sealed cookies, media ids of a session, ids of votes, nonces."""

import base64
import binascii
import hashlib
import hmac
from pathlib import Path
from typing import Self

from backend.store.secret_file import secret_of_file


class PageKeys:
    """Everything is HMAC-SHA-256 under one secret of 32 bytes, apart by a word for each use."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """The secret kept at `path`, made when there is none (mode 0600): cookies outlive a restart.

        Raises StoreError for one that is damaged or that others can read, ProjectError where none can be made.
        """
        return cls(secret_of_file(path))

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
            text, told = base64.urlsafe_b64decode(body.encode()).decode(), proof.encode()
        except (binascii.Error, UnicodeError, ValueError):
            return None
        return text if hmac.compare_digest(told, self.digest(use, text).encode()) else None

    def media_id(self, participant: str, trial: str, slot: str) -> str:
        """Of one video in one trial of one participant: the same video elsewhere has another id."""
        session = self.digest("session", participant)
        return hmac.new(session.encode(), f"{trial}\0{slot}".encode(), hashlib.sha256).hexdigest()[:32]

    def vote_id(self, participant: str, trial: str, question: str) -> str:
        """Two windows that answer one question make revisions of one vote."""
        return f"vote_{self.digest('vote', participant, trial, question)}"
