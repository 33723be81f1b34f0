"""The queue of cases that people approve: which wait for whom, and how a file's cases come into it."""

import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from backend.api import QueueState
from backend.domain import CASES_STUDY, MediaError, Stimulus, Trial
from backend.engine.context import load
from backend.jobs import CALLS
from backend.media.images import image_size
from backend.store.artifacts import Artifacts
from backend.store.case_events import case_of, put_up_event
from backend.store.journal import Journal
from backend.store.leases import Leases
from backend.studies.forms import CASE_QUESTION, case_form_name
from backend.workspace import case_gold
from backend.workspace.case_approving import APPROVE, PUT_UP_NOW, REJECT, PutUp, put_up, words
from backend.workspace.case_checks import Checked, checked
from backend.workspace.gold import GOLD_EVERY
from backend.workspace.snapshot import Snapshot
from backend.workspace.unsafe_cases import unsafe_cases


class CaseQueue:
    """Cases without a last word, in the order in which they were put up, and one that is faulty on purpose in ten.

    One person's word is enough. Those of clips that the gate on safety holds back are not shown.
    """

    def __init__(self, journal: Journal, artifacts: Artifacts) -> None:
        self._journal = journal
        self._artifacts = artifacts
        self._leases = Leases(journal)

    def next_trials(self, now: Snapshot, *, rater: str, limit: int, skip: Sequence[str]) -> tuple[Trial, ...]:
        """Trials leased to this rater; a trial is journalled when first given out."""
        shown = self._shown(now)
        count = 1 + (limit + len(skip)) // GOLD_EVERY
        faulty = case_gold.planted(now, shown, rater=rater, count=count)
        order = case_gold.mixed(self._left(now, shown, rater), tuple(faulty), place=len(_judged(now, rater)))
        held = set(skip)
        wanted = [content for content in order if content not in held]
        taken = self._leases.acquire(CASES_STUDY, wanted, rater=rater, limit=limit)
        self._journal.append([faulty[content][1] for content in taken if content in faulty], keep_first=True)
        known = shown | {content: one for content, (one, _) in faulty.items()}
        trials = tuple(_trial(known[content], checked(now, self._artifacts, known[content])) for content in taken)
        if trials:
            self._journal.show_trials(trials, rater=rater)
        return trials

    def renew(self, items: Sequence[str], *, study_id: str, rater: str) -> tuple[str, ...]:
        """Those of the cases that the rater holds, leased anew."""
        return self._leases.renew(study_id, items, rater=rater)

    def state(self, now: Snapshot, *, rater: str) -> QueueState:
        """Faulty cases count when they were judged: what was judged and what is left make the total."""
        shown = self._shown(now)
        left = len(self._left(now, shown, rater))
        seen, right = case_gold.gold_score(now, rater=rater)
        total = len(shown) + seen
        return QueueState(
            study_id=CASES_STUDY, total=total, judged=total - left, left=left, gold_seen=seen, gold_right=right
        )

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
        up = {(row[2], case_of(row[5]).content) for row in now.query(PUT_UP_NOW) if row[1] == place}
        if fit and up != {(name, case.content) for name, (case, _) in fit.items()}:
            clips, shown = _named(now, path)
            kept = iter(self._artifacts.put_many([picture for _, pictures in fit.values() for picture in pictures]))
            draw = uuid.uuid4().hex
            self._journal.append(
                [
                    put_up_event(
                        case,
                        draw=draw,
                        path=place,
                        clip_id=clips.get(name),
                        pictures=[next(kept) for _ in pictures],
                        appearances=shown.get(name, ()),
                    )
                    for name, (case, pictures) in fit.items()
                ]
            )
        return tuple(told)

    def _shown(self, now: Snapshot) -> dict[str, PutUp]:
        unsafe = unsafe_cases(now, self._journal)
        return {content: one for content, one in put_up(now).items() if content not in unsafe}

    def _left(self, now: Snapshot, shown: Mapping[str, PutUp], rater: str) -> list[str]:
        done = _judged(now, rater) | set(words(now))
        return [content for content in shown if content not in done]


def _judged(now: Snapshot, rater: str) -> set[str]:
    """Contents that this rater said something of, faulty ones among them."""
    said = now.query(
        """SELECT DISTINCT item_id FROM (SELECT * FROM vote WHERE study_id = ? AND rater = ?
        QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1) WHERE choice NOTNULL""",
        [CASES_STUDY, rater],
    )
    return {content for (content,) in said}


def _trial(shown: PutUp, found: Checked) -> Trial:
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
        scores=found.scores,
        failed=found.failed,
        suggested=((CASE_QUESTION, REJECT if found.failed else APPROVE),),
    )


def _picture(place: str) -> tuple[bytes, str]:
    """A picture's bytes and the suffix of its format. Raises MediaError for a file that is no picture."""
    try:
        data = Path(place).read_bytes()
    except OSError as error:
        raise MediaError(f"{place} cannot be read: {error.strerror}") from error
    kind = image_size(data)[2].lower()
    return data, {"jpeg": "jpg", "mpo": "jpg"}.get(kind, kind)


def _named(now: Snapshot, path: Path) -> tuple[dict[str, str], dict[str, list[str]]]:
    """What a file's cases name of this project, by the case's name: the clip, and what each reference shows."""
    raw = json.loads(path.read_text(encoding="utf-8-sig"))
    clips = {name: str(fields.get("clip", "")) for name, fields in raw.items()}
    shown = {name: [str(one) for one in fields.get("appearances", ())] for name, fields in raw.items()}
    known = set[str]()
    for table, ids in (("clip", clips.values()), ("appearance", (one for each in shown.values() for one in each))):
        rows = now.query(f"SELECT DISTINCT id FROM {table} WHERE id IN (SELECT unnest(?::VARCHAR[]))", [list(ids)])
        known |= {name for (name,) in rows}
    clips = {name: clip for name, clip in clips.items() if clip in known}
    return clips, {name: [one if one in known else "" for one in each] for name, each in shown.items()}
