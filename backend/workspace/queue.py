"""The queues of pairs, subjects and anchors that people verify: who is shown what, and what they said."""

from collections.abc import Collection, Sequence

from backend.api import QueueState
from backend.domain import ANCHORS_STUDY, SUBJECTS_STUDY, VERIFY_STUDY, ProjectError, Receipt, Trial, Vote
from backend.stages.audit import PER_STRATUM, audit_sample
from backend.store.journal import Journal
from backend.store.journal_schema import EventRefused
from backend.store.leases import Leases
from backend.studies.forms import IDENTITY_FORM, IDENTITY_QUESTION, SUBJECT_FORM, load_form
from backend.workspace.anchor_queue import AnchorQueue
from backend.workspace.answered import half_answered, standing_votes, with_answers
from backend.workspace.gold import gold_score, known_items, mixed
from backend.workspace.pairs import NOT_REFUSED, pair_rows
from backend.workspace.projection import storable
from backend.workspace.snapshot import Snapshot
from backend.workspace.subject_queue import SubjectQueue

_FORMS = {VERIFY_STUDY: IDENTITY_FORM, SUBJECTS_STUDY: SUBJECT_FORM}
"""Forms of the standing studies that ask several questions; a subject without a phrase is asked fewer, the last one too."""

SOON = 500
"""So many of the best pairs are put in order at first: who judges takes a few at a time."""
_OFFERED = f"kind <> 'in_pair' AND {NOT_REFUSED}"
_FRESH = f"""
FROM pair_shown LEFT JOIN (SELECT item_id, max(seq) AS seq FROM asked WHERE study_id = $study GROUP BY 1) a ON a.item_id = pair_id
WHERE {_OFFERED} AND pair_id NOT IN (
    SELECT item_id FROM (SELECT * FROM vote WHERE study_id = $study AND rater = $rater
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1) WHERE choice NOTNULL)
"""
"""Pairs that a rater has not begun, with when people asked for them."""


class VerifyQueue:
    """Pairs that the rater left half answered; then those that people asked for, latest first; then in audit order: strata of
    similarity by turns, within a stratum by chance; then the rest, best first."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._leases = Leases(journal)
        self._others = {
            ANCHORS_STUDY: AnchorQueue(journal, self._leases),
            SUBJECTS_STUDY: SubjectQueue(journal, self._leases),
        }

    def next_trials(
        self, now: Snapshot, *, study_id: str, rater: str, limit: int, skip: Sequence[str]
    ) -> tuple[Trial, ...]:
        """Trials that this rater has not answered to the end, leased to them; a trial is journalled when first given out."""
        if study_id in self._others:
            return self._others[study_id].next_trials(now, rater=rater, limit=limit, skip=skip)
        _require_verify(study_id)
        half = half_judged(now, rater)
        known = known_items(now, study_id=VERIFY_STUDY, rater=rater, question=IDENTITY_QUESTION)
        held, taken = set(skip), ()
        for most in (SOON, None):  # all are put in order only where others hold those that come soon
            order = judging_order(now, rater, most=most, also=known)
            order = mixed(now, order, known, study_id=VERIFY_STUDY, rater=rater)
            wanted = [pair_id for pair_id in (*half, *order) if pair_id not in held]
            taken = self._leases.acquire(study_id, wanted, rater=rater, limit=limit)
            if len(taken) == limit or len(order) < SOON:
                break
        trials = tuple(
            Trial(
                study_id=study_id,
                item_id=row.pair_id,
                form=IDENTITY_FORM,
                stimuli=(row.target, row.reference),
                scores=tuple(sorted((name, value) for name, value in row.scores.items() if not name.startswith("audit_"))),
            )
            for row in pair_rows(now, taken)
        )
        if trials:
            self._journal.show_trials(trials, rater=rater)
        return with_answers(now, trials, rater=rater, half=half)

    def renew(self, items: Sequence[str], *, study_id: str, rater: str) -> tuple[str, ...]:
        """Those of the items that the rater holds, leased anew."""
        if study_id not in self._others:
            _require_verify(study_id)
        return self._leases.renew(study_id, items, rater=rater)

    def state(self, now: Snapshot, *, study_id: str, rater: str) -> QueueState:
        if study_id in self._others:
            return self._others[study_id].state(now, rater=rater)
        _require_verify(study_id)
        total = now.query(f"SELECT count(*) FROM pair_shown WHERE {_OFFERED}")[0][0]
        fresh = now.query(f"SELECT count(*) {_FRESH}", {"study": VERIFY_STUDY, "rater": rater})[0][0]
        left = fresh + len(half_judged(now, rater))
        seen, right = gold_score(now, study_id=VERIFY_STUDY, rater=rater, question=IDENTITY_QUESTION)
        return QueueState(study_id=study_id, total=total, judged=total - left, left=left, gold_seen=seen, gold_right=right)

    def submit(self, votes: Sequence[Vote]) -> tuple[Receipt, ...]:
        """Stores votes durably, then gives items back of which the last question that an answer calls for is answered.

        The item of an answer that is taken back is leased to its rater again; where another rater has it by then it stays
        with them too, both judge it, and both words count. Votes that are sent again change no lease.
        """
        for vote in votes:
            if not storable(vote.rev, vote.visible_ms, vote.strength):
                raise EventRefused(f"vote {vote.id[:80]}: a number is out of range; rev and visible_ms are small counts")
        known = self._journal.head().seq
        receipts = self._journal.append_votes(votes, redactable=True)
        is_judged: dict[tuple[str, str, str], bool] = {}
        for vote, receipt in zip(votes, receipts, strict=True):
            is_new = receipt.applied and receipt.seq > known
            if is_new and (vote.choice is None or _is_last(vote)):
                is_judged[vote.study_id, vote.rater, vote.item_id] = vote.choice is not None
        done: dict[tuple[str, str], list[str]] = {}
        for (study_id, rater, item_id), judged in is_judged.items():
            if judged:
                done.setdefault((study_id, rater), []).append(item_id)
            else:
                self._leases.acquire(study_id, [item_id], rater=rater, limit=1)
        for (study_id, rater), items in done.items():
            self._leases.release(study_id, items, rater=rater)
        return receipts

    def votes(self, now: Snapshot, *, study_id: str, item_id: str | None) -> tuple[Vote, ...]:
        return standing_votes(now, study_id=study_id, items=None if item_id is None else [item_id])


def half_judged(now: Snapshot, rater: str) -> list[str]:
    """What the rater left half answered, the latest first."""
    form = load_form(IDENTITY_FORM)
    questions = [question.name for question in form.questions]
    begun = half_answered(now, study_id=VERIFY_STUDY, rater=rater, questions=questions, form_of=lambda _: form)
    sql = f"SELECT pair_id FROM pair_shown WHERE {_OFFERED} AND list_contains(?::VARCHAR[], pair_id)"
    shown = now.query(sql, [list(begun)]) if begun else []
    return sorted((name for (name,) in shown), key=begun.index)


def judging_order(now: Snapshot, rater: str, *, most: int | None = None, also: Collection[str] = ()) -> list[str]:
    """What the rater has not begun: what was asked for, what is drawn for the audit, and the rest.

    Of the rest only the `most` best, where that is given, and those in `also`.
    """
    given = {"study": VERIFY_STUDY, "rater": rater}
    best = "similarity DESC NULLS LAST, pair_id"
    asked = now.query(f"SELECT pair_id {_FRESH} AND a.seq NOTNULL ORDER BY a.seq DESC, {best}", given)
    drawn = now.query(
        f"""SELECT pair_id, audit_stratum, audit_draw {_FRESH} AND audit_draw NOTNULL
        QUALIFY row_number() OVER (PARTITION BY audit_stratum ORDER BY audit_draw, pair_id) <= {PER_STRATUM}""",
        given,
    )
    rest = now.query(f"SELECT pair_id {_FRESH} ORDER BY {best} {f'LIMIT {most:d}' if most is not None else ''}", given)
    if most is not None and also:
        among = f"SELECT pair_id {_FRESH} AND list_contains($also, pair_id) ORDER BY {best}"
        rest += now.query(among, given | {"also": list(also)})
    first = [*(name for (name,) in asked), *audit_sample({name: (stratum, draw) for name, stratum, draw in drawn})]
    return list(dict.fromkeys([*first, *(name for (name,) in rest)]))


def _is_last(vote: Vote) -> bool:
    form = _FORMS.get(vote.study_id)
    return form is None or load_form(form).ends_with(vote.question, vote.choice)


def _require_verify(study_id: str) -> None:
    if study_id != VERIFY_STUDY:
        raise ProjectError(
            f"study {study_id[:80]!r} does not exist in this project; the standing ones are {VERIFY_STUDY!r}, {SUBJECTS_STUDY!r} and {ANCHORS_STUDY!r}"
        )
