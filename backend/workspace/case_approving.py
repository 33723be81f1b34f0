"""Cases that people approve: which wait, what was said of each, and a cases file brought up to that.

An approval is a vote in the study `cases` on a case's *content* (prompt, pictures, labels, sound, times), so that it
holds wherever the file lies, and a case that changed needs a new one. The last word holds, whoever gave it.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.domain import CASES_STUDY, Case, ImportRefused, SettingsError
from backend.domain.case_sets import CaseReview, CaseStanding
from backend.domain.corrections import Correction
from backend.engine.context import load
from backend.jobs import CALLS
from backend.store.case_events import case_of
from backend.store.correction_events import corrected_event
from backend.store.journal_schema import Event, EventRefused
from backend.studies.forms import CASE_QUESTION
from backend.workspace.snapshot import Snapshot

APPROVE, REJECT = "approve", "reject"
PERSON = "person"

_VERDICT = f"""
CREATE OR REPLACE TEMP VIEW case_verdict AS
WITH answers AS (
    SELECT * FROM vote WHERE study_id = '{CASES_STUDY}' AND question = '{CASE_QUESTION}' AND rater_kind = 'person'
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1
)
SELECT item_id AS content, choice, rater, reasons, comment, made_at FROM answers
WHERE choice IN ('{APPROVE}', '{REJECT}') QUALIFY row_number() OVER (PARTITION BY item_id ORDER BY seq DESC) = 1
"""
"""The last word on each content; a vote that was taken back leaves those before it."""

PUT_UP_NOW = """
SELECT draw, path, name, clip_id, pictures, body FROM case_put_up
QUALIFY draw = last_value(draw) OVER (
    PARTITION BY path ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
ORDER BY seq
"""


@dataclass(frozen=True, slots=True)
class PutUp:
    """A case that somebody asked to approve, as it is now."""

    case: Case
    clip_id: str | None
    pictures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """The last word on a content."""

    verdict: str | None
    rater: str
    reasons: tuple[str, ...]
    comment: str
    made_at: str


NOTHING = Word(None, "", (), "", "")


class Edits:
    """Prompts by people in place of cases' own: the last one written for a content, and so on from there."""

    def __init__(self, rows: Iterable[tuple[int, str, str, str]]) -> None:
        self._rows: dict[str, tuple[int, str, str]] = {}
        for seq, content, prompt, rater in sorted(rows):
            self._rows[content] = seq, prompt, rater

    def applied(self, case: Case) -> Case:
        """The case with the prompt that holds now."""
        return list(self.chain(case))[-1]

    def chain(self, case: Case) -> Iterator[Case]:
        """The case and what it became, edit by edit. Only a later edit follows an earlier one, so that it ends."""
        yield case
        done = 0
        while (found := self._rows.get(case.content)) and found[0] > done:
            done, prompt, rater = found
            case = replace(case, prompt=prompt, caption_by=rater)
            yield case


def create_case_views(now: Snapshot) -> None:
    """Makes `case_verdict` for this snapshot."""
    now.query(_VERDICT)


def words(now: Snapshot) -> dict[str, Word]:
    """The last word on each content that was judged."""
    rows = now.query("SELECT content, choice, rater, reasons, comment, made_at FROM case_verdict")
    return {row[0]: Word(row[1], row[2], tuple(row[3] or ()), row[4] or "", row[5] or "") for row in rows}


def edits(now: Snapshot) -> Edits:
    """Prompts that people wrote, those that were taken back left out; needs `correction_now`."""
    return Edits(
        now.query("""SELECT seq, content, prompt, rater FROM case_edit
        UNION ALL SELECT seq, item_id, text, rater FROM correction_now WHERE what = 'prompt'""")
    )


def put_up(now: Snapshot) -> dict[str, PutUp]:
    """Cases of the last draw of each file, as they are now, by content."""
    changed = edits(now)
    rows = ((changed.applied(case_of(body)), clip, pictures) for *_, clip, pictures, body in now.query(PUT_UP_NOW))
    return {case.content: PutUp(case, clip, tuple(pictures)) for case, clip, pictures in rows}


def edited(now: Snapshot, said: Correction) -> Event:
    """The event of another prompt for a case that is up, or of taking one back; what it makes needs its own approval.

    Raises EventRefused for a case that is not up, SettingsError for the prompt that it has.
    """
    if not said.withdrawn:
        found = put_up(now).get(said.item_id)
        if found is None and not now.query("SELECT 1 FROM case_planted WHERE content = ? LIMIT 1", [said.item_id]):
            raise EventRefused(
                f"case {said.item_id[:80]} is not up for approval as it was; look for what is new, "
                "or ask for it with `studio-backend cases ask FILE`"
            )
        if found is not None and said.text.strip() == found.case.prompt:
            raise SettingsError(f"the prompt of {found.case.name} is this one already")
    return corrected_event(said, text=said.text.strip(), living=None, crop=None)


def review(now: Snapshot, path: Path, references: Path | None, *, write: bool) -> CaseReview:
    """How a file's cases stand; with `write` the file then says so, and holds the prompts that people wrote.

    Raises ImportRefused for a file that is no cases file.
    """
    found = load(CALLS["read_cases"])(path, references=references)
    said, changed = words(now), edits(now)
    cases = tuple(_standing(case, changed.applied(case), said) for case in found.cases)
    if write:
        rewrite(path, cases)
    return CaseReview(path=str(path), cases=cases, written=write, remarks=found.remarks)


def rewrite(path: Path, cases: Sequence[CaseStanding]) -> None:
    """Brings a cases file up to people's last word; it is replaced whole or not at all."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
        for case in cases:
            raw[case.name] = stamped(raw[case.name], case)
        beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        beside.write_text(json.dumps(raw, indent=4, ensure_ascii=False), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise ImportRefused(f"{path} cannot be written: {error.strerror}; check its owner and the space left") from error


def stamped(fields: Mapping[str, Any], case: CaseStanding) -> dict[str, Any]:
    """A case's fields in the file with who approved or rejected it: `approved`, and `approval` or `rejection`."""
    kept = {name: value for name, value in fields.items() if name not in ("approved", "approval", "rejection")}
    kept["prompt"] = case.prompt
    if case.edited:
        kept |= {"caption_by": case.caption_by, "caption_kind": PERSON}
    kept["approved"] = case.verdict == APPROVE
    if case.verdict is not None:
        said: dict[str, Any] = {"by": case.rater, "at": case.made_at, "content": case.content}
        if case.reasons:
            said["reasons"] = list(case.reasons)
        if case.comment:
            said["comment"] = case.comment
        kept["approval" if case.verdict == APPROVE else "rejection"] = said
    return kept


def _standing(before: Case, case: Case, said: Mapping[str, Word]) -> CaseStanding:
    word = said.get(case.content, NOTHING)
    return CaseStanding(
        name=case.name,
        content=case.content,
        prompt=case.prompt,
        caption_by=case.caption_by,
        edited=case.content != before.content,
        verdict=word.verdict,
        rater=word.rater,
        made_at=word.made_at,
        reasons=word.reasons,
        comment=word.comment,
    )
