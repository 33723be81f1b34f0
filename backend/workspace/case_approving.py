"""Cases that people approve: which wait, what was said of each, and a cases file brought up to that.

An approval is a vote in the study `cases` on a case's *content* (prompt, pictures, labels, sound, times), so that it
holds wherever the file lies, and a case that changed needs a new one. The last word holds, whoever gave it.
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.api import QueueState
from backend.domain import CASES_STUDY, Case, ImportRefused, MediaError, ProjectError, SettingsError, Stimulus, Trial
from backend.domain.case_sets import CaseReview, CaseStanding
from backend.engine.context import load
from backend.jobs import CALLS
from backend.media.images import image_size
from backend.store.artifacts import Artifacts
from backend.store.case_events import case_of, edited_event, put_up_event
from backend.store.journal import Journal
from backend.store.leases import Leases
from backend.studies.forms import CASE_QUESTION, case_form_name
from backend.workspace.snapshot import Snapshot

APPROVE, REJECT = "approve", "reject"
PERSON = "person"
MAX_PROMPT = 100_000  # letters; the longest that a benchmark file was seen with is 5,000 words

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

_PUT_UP = """
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
        """The case with the prompt that holds now. Only a later edit follows an earlier one, so that it ends."""
        done = 0
        while (found := self._rows.get(case.content)) and found[0] > done:
            done, prompt, rater = found
            case = replace(case, prompt=prompt, caption_by=rater)
        return case


def create_case_views(now: Snapshot) -> None:
    """Makes `case_verdict` for this snapshot."""
    now.query(_VERDICT)


def words(now: Snapshot) -> dict[str, Word]:
    """The last word on each content that was judged."""
    rows = now.query("SELECT content, choice, rater, reasons, comment, made_at FROM case_verdict")
    return {row[0]: Word(row[1], row[2], tuple(row[3] or ()), row[4] or "", row[5] or "") for row in rows}


def edits(now: Snapshot) -> Edits:
    return Edits(now.query("SELECT seq, content, prompt, rater FROM case_edit"))


def put_up(now: Snapshot) -> dict[str, PutUp]:
    """Cases of the last draw of each file, as they are now, by content."""
    changed = edits(now)
    rows = ((changed.applied(case_of(body)), clip, pictures) for *_, clip, pictures, body in now.query(_PUT_UP))
    return {case.content: PutUp(case, clip, tuple(pictures)) for case, clip, pictures in rows}


class CaseQueue:
    """Cases without a last word, in the order in which they were put up. One person's word is enough."""

    def __init__(self, journal: Journal, artifacts: Artifacts) -> None:
        self._journal = journal
        self._artifacts = artifacts
        self._leases = Leases(journal)

    def next_trials(self, now: Snapshot, *, rater: str, limit: int, skip: Sequence[str]) -> tuple[Trial, ...]:
        """Trials leased to this rater; a trial is journalled when first given out."""
        shown = put_up(now)
        held = set(skip)
        wanted = [content for content in self._left(now, shown, rater) if content not in held]
        taken = self._leases.acquire(CASES_STUDY, wanted, rater=rater, limit=limit)
        trials = tuple(_trial(shown[content]) for content in taken)
        if trials:
            self._journal.show_trials(trials, rater=rater)
        return trials

    def state(self, now: Snapshot, *, rater: str) -> QueueState:
        shown = put_up(now)
        left = len(self._left(now, shown, rater))
        return QueueState(study_id=CASES_STUDY, total=len(shown), judged=len(shown) - left, left=left)

    def ask(self, now: Snapshot, path: Path, references: Path | None) -> tuple[str, ...]:
        """Puts a file's cases up for approval, those whose pictures are there; gives a line for each that is not.

        What is up as it is stays so. Raises ImportRefused for a file that is no cases file.
        """
        told, fit = [], {}
        for case in load(CALLS["read_cases"])(path, references=references).cases:
            try:
                fit[case.name] = case, [_picture(place) for place in case.references]
            except MediaError as error:
                told.append(f"{case.name} cannot be approved: {error}")
        place = str(path.resolve())
        up = {(row[2], case_of(row[5]).content) for row in now.query(_PUT_UP) if row[1] == place}
        if fit and up != {(name, case.content) for name, (case, _) in fit.items()}:
            clips = _clips(now, path)
            kept = iter(self._artifacts.put_many([picture for _, pictures in fit.values() for picture in pictures]))
            draw = uuid.uuid4().hex
            self._journal.append(
                [
                    put_up_event(
                        case, draw=draw, path=place, clip_id=clips.get(name), pictures=[next(kept) for _ in pictures]
                    )
                    for name, (case, pictures) in fit.items()
                ]
            )
        return tuple(told)

    def edit(self, now: Snapshot, *, content: str, prompt: str, rater: str) -> str:
        """Journals another prompt; gives the content that it makes, which needs its own approval."""
        found = put_up(now).get(content)
        if found is None:
            raise ProjectError(
                f"case {content[:80]} is not up for approval; ask for it with `studio-backend cases ask FILE`"
            )
        text = prompt.strip()
        if not text or len(text) > MAX_PROMPT or (not text.isascii() and _is_broken(text)):
            raise SettingsError(f"prompt {text[:40]!r} has {len(text)} letters; write 1 to {MAX_PROMPT} of valid Unicode")
        if not rater.strip() or len(rater) > 100:
            raise SettingsError(f"rater is {rater[:100]!r}; give the name of the person who writes, up to 100 letters")
        if text == found.case.prompt:
            raise SettingsError(f"the prompt of {found.case.name} is this one already")
        self._journal.append([edited_event(content, prompt=text, rater=rater)])
        return replace(found.case, prompt=text).content

    def _left(self, now: Snapshot, shown: Mapping[str, PutUp], rater: str) -> list[str]:
        said = now.query(
            """SELECT item_id FROM (SELECT * FROM vote WHERE study_id = ? AND rater = ?
            QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1) WHERE choice NOTNULL""",
            [CASES_STUDY, rater],
        )
        done = {content for (content,) in said} | set(words(now))
        return [content for content in shown if content not in done]


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


def _trial(shown: PutUp) -> Trial:
    case = shown.case
    stimuli = [Stimulus(slot="prompt", text=case.prompt)]
    for number, picture in enumerate(shown.pictures):
        about = [part[number] for part in (case.labels, case.kinds) if number < len(part) and part[number]]
        if number < len(case.inside):
            about.append("from the clip itself" if case.inside[number] else "from elsewhere")
        stimuli.append(Stimulus(slot=f"reference_{number + 1}", media=f"a-{picture}", text=", ".join(about)))
    if shown.clip_id:
        stimuli.append(Stimulus(slot="clip", media=f"p-{shown.clip_id}"))
    return Trial(
        study_id=CASES_STUDY,
        item_id=case.content,
        form=case_form_name(len(shown.pictures), has_clip=bool(shown.clip_id)),
        stimuli=tuple(stimuli),
    )


def _picture(place: str) -> tuple[bytes, str]:
    """A picture's bytes and the suffix of its format. Raises MediaError for a file that is no picture."""
    try:
        data = Path(place).read_bytes()
    except OSError as error:
        raise MediaError(f"{place} cannot be read: {error.strerror}") from error
    kind = image_size(data)[2].lower()
    return data, {"jpeg": "jpg", "mpo": "jpg"}.get(kind, kind)


def _clips(now: Snapshot, path: Path) -> dict[str, str]:
    """Clips of this project that a file's cases name, by the case's name."""
    raw = json.loads(path.read_text(encoding="utf-8-sig"))
    named = {name: str(fields.get("clip", "")) for name, fields in raw.items()}
    rows = now.query("SELECT DISTINCT id FROM clip WHERE id IN (SELECT unnest(?::VARCHAR[]))", [list(named.values())])
    known = {clip for (clip,) in rows}
    return {name: clip for name, clip in named.items() if clip in known}


def _is_broken(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
