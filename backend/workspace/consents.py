"""Consent of those whom footage shows: what was said, and what holds for a subject now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.domain import SettingsError
from backend.domain.privacy import CONSENTING, PURPOSES, Consent
from backend.settings import nearest
from backend.workspace.case_drafts import HUMAN, shown
from backend.workspace.snapshot import Snapshot

_FIELDS = "kind, item_id, version, scope, purposes, given_at, rater"
_LAST = f"SELECT {_FIELDS} FROM consent QUALIFY row_number() OVER (PARTITION BY kind, item_id ORDER BY seq DESC) = 1"
_OF_SUBJECTS = f"""
WITH said AS ({_LAST})
SELECT s.id, s.clip_id, s.category, s.phrase, s.is_living, coalesce(own.purposes, clip.purposes, video.purposes)
FROM (SELECT DISTINCT ON (id) * FROM subject) s JOIN (SELECT DISTINCT ON (id) * FROM clip) c ON c.id = s.clip_id
LEFT JOIN said own ON own.kind = 'subject' AND own.item_id = s.id
LEFT JOIN said clip ON clip.kind = 'clip' AND clip.item_id = s.clip_id
LEFT JOIN said video ON video.kind = 'video' AND video.item_id = c.video_id
WHERE s.id NOT IN (SELECT item_id FROM exclusion GROUP BY 1 HAVING arg_max(excluded, seq))
"""


@dataclass(frozen=True, slots=True)
class Shows:
    """Somebody or something in a clip. `purposes` is None where nothing was said."""

    subject_id: str
    clip_id: str
    is_person: bool
    purposes: tuple[str, ...] | None


def consents(now: Snapshot) -> tuple[Consent, ...]:
    """The last word on each item that one was said of, by kind and id."""
    rows = now.query(f"SELECT * FROM ({_LAST}) ORDER BY kind, item_id")
    return tuple(Consent(**dict(zip(Consent.__dataclass_fields__, _tupled(row), strict=True))) for row in rows)


def require_consent(kind: str, purposes: Sequence[str], *, rater: str, version: str, scope: str, given_at: str) -> None:
    """Raises SettingsError for what cannot be recorded."""
    if kind not in CONSENTING:
        raise SettingsError(f"consent is of a {', '.join(CONSENTING)}, not of a {kind[:40]!r}")
    for purpose in purposes:
        require_purpose(purpose)
    if not rater.strip() or len(rater) > 100:
        raise SettingsError(f"rater is {rater[:100]!r}; give the name of the person who records it, up to 100 letters")
    if purposes and not version.strip():
        raise SettingsError("a consent names the version of the text that was agreed to; give it, as 2026-03")
    if max(len(version), len(scope)) > 2000:
        raise SettingsError("version and scope take up to 2,000 letters")
    if given_at:
        try:
            datetime.fromisoformat(given_at)
        except ValueError as error:
            raise SettingsError(f"given_at is {given_at[:40]!r}; write a day or a time, as 2026-03-01") from error


def require_purpose(purpose: str) -> None:
    """Raises SettingsError for a purpose that there is not."""
    if purpose not in PURPOSES:
        raise SettingsError(f"purpose is {purpose[:40]!r}{nearest(purpose, PURPOSES)}")


def shown_people(now: Snapshot) -> list[Shows]:
    """Every subject that nobody took out, with what holds for it now: said of itself, else of its clip, else of its video."""
    return [
        Shows(subject, clip, shown(category, phrase, living)[1] == HUMAN, None if purposes is None else tuple(purposes))
        for subject, clip, category, phrase, living, purposes in now.query(_OF_SUBJECTS)
    ]


def _tupled(row: tuple) -> tuple:
    return tuple(tuple(value) if isinstance(value, list) else value for value in row)
