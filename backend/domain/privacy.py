"""What people whom footage shows agreed to, how long things are kept, and who did what with them."""

from dataclasses import dataclass, field
from typing import Any

TRAINING, EVALUATION, PUBLICATION = "training", "evaluation", "publication"
PURPOSES = (TRAINING, EVALUATION, PUBLICATION)
"""What footage is used for; a consent names those that somebody agreed to, an export the one that it is for."""

CONSENTING = ("subject", "clip", "video")
"""Kinds of items a consent can be of. What is said of a clip holds for its subjects unless more is said of them, and so on."""

REFUSE, LEAVE_OUT, ALLOW = "refuse", "leave_out", "allow"
UNKNOWN_IS = (REFUSE, LEAVE_OUT, ALLOW)
"""What an export does about footage without a licence, or people without a consent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What holds for an item now: which version of which text was agreed to, when and for what. No purposes: it was withdrawn."""

    kind: str
    item_id: str
    version: str
    """Of the text that was agreed to."""
    scope: str
    """What of the person it covers, as their own words or a file number; empty for all."""
    purposes: tuple[str, ...]
    given_at: str
    """ISO 8601, as it was told, or when it was recorded."""
    recorded_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredStudy:
    """A study whose participants were to be kept up to a day that has passed."""

    name: str
    until: str
    participants: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """What was to be kept up to a day that has passed. `files` are all of the project when its own day has."""

    until: str
    files: tuple[str, ...] = ()
    studies: tuple[ExpiredStudy, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """Something that was done with people's data. `about` holds ids, counts and hashes; no names of people or files."""

    seq: int
    at: str
    what: str
    """opened, exported, erased, participant_erased, consent, rights, excluded or cleared."""
    who: str
    about: dict[str, Any] = field(default_factory=dict)
