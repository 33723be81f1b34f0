"""The queue of subjects that people check, and what comes of it: those that most people refuse leave pairs and exports."""

from collections.abc import Sequence

from backend.api import QueueState
from backend.domain import SUBJECTS_STUDY, Stimulus, Trial
from backend.store.journal import Journal
from backend.store.leases import Leases
from backend.studies.forms import SUBJECT_FORM, UNNAMED_SUBJECT_FORM, load_form
from backend.workspace.answered import half_answered, with_answers
from backend.workspace.gold import gold_score, known_items, mixed
from backend.workspace.snapshot import Snapshot

JUDGED_BY = "judged_"
"""Scores of a judge, by the questions that it was asked: 1 yes, 0 no."""

BEST_APPEARANCE = """
SELECT ka.subject_id, a.id AS appearance_id, m.crop, ka.clip_id FROM kept_appearance ka
JOIN appearance a ON a.id = ka.id AND a.work_key = ka.work_key
JOIN kept_mask km ON km.appearance_id = a.id JOIN mask m ON m.id = km.id AND m.work_key = km.work_key
WHERE ka.subject_id IN (SELECT id FROM kept_subject) AND a.origin = 'video'
QUALIFY row_number() OVER (PARTITION BY ka.subject_id ORDER BY a.confidence DESC, a.id, m.id) = 1
"""
"""One picture of each subject that is kept: that of which the detector is surest."""

_REFUSED = f"""
CREATE OR REPLACE TEMP VIEW subject_refused AS
WITH answers AS (
    SELECT * FROM vote WHERE study_id = '{SUBJECTS_STUDY}' AND rater_kind = 'person'
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1
), opinions AS (
    SELECT * FROM answers WHERE choice NOTNULL
    QUALIFY row_number() OVER (PARTITION BY item_id, question, rater ORDER BY seq DESC) = 1
), mended AS (
    SELECT what, item_id AS subject_id, seq FROM correction_now WHERE what = 'phrase' UNION ALL
    SELECT n.what, a.subject_id, n.seq FROM correction_now n JOIN kept_appearance a ON a.id = n.item_id WHERE n.what = 'mask'
)
SELECT DISTINCT o.item_id AS subject_id FROM (
    SELECT item_id, question, max(seq) AS seq FROM opinions GROUP BY ALL
    HAVING count(*) FILTER (choice = 'no') > count(*) FILTER (choice = 'yes')) o
ANTI JOIN mended m ON m.subject_id = o.item_id AND m.what = o.question
"""
"""Subjects of which most people answered a question with no, unless somebody then put right what it asks about."""

_ORDER = f"""
SELECT b.subject_id, s.phrase NOTNULL FROM ({BEST_APPEARANCE}) b
JOIN kept_subject k ON k.id = b.subject_id JOIN subject s ON s.id = k.id AND s.work_key = k.work_key
LEFT JOIN (SELECT item_id, max(seq) AS seq FROM asked WHERE study_id = '{SUBJECTS_STUDY}' GROUP BY 1) n ON n.item_id = b.subject_id
ORDER BY n.seq DESC NULLS LAST, b.subject_id
"""
_JUDGE = f"""
SELECT b.subject_id, l.name, l.value FROM ({BEST_APPEARANCE}) b JOIN live_score l ON l.target = b.appearance_id
WHERE b.subject_id IN (SELECT unnest(?::VARCHAR[])) AND starts_with(l.name, '{JUDGED_BY}') AND l.value NOTNULL ORDER BY ALL
"""
_BEGUN = f"""
SELECT DISTINCT item_id FROM (SELECT * FROM vote WHERE study_id = '{SUBJECTS_STUDY}' AND rater = ?
QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1) WHERE choice NOTNULL
"""


def create_subject_views(now: Snapshot) -> None:
    """Makes `subject_refused`; needs `correction_now`."""
    now.query(_REFUSED)


class SubjectQueue:
    """Subjects with a cut-out: those that the rater left half answered, then those that people asked for; the others by id,
    a hash, so that no video comes first."""

    def __init__(self, journal: Journal, leases: Leases) -> None:
        self._journal, self._leases = journal, leases

    def next_trials(self, now: Snapshot, *, rater: str, limit: int, skip: Sequence[str]) -> tuple[Trial, ...]:
        """Trials with a question that this rater has not answered, leased to them; journalled when first given out."""
        skipped = set(skip)
        half, rest = self._left(now, rater)
        known = known_items(now, study_id=SUBJECTS_STUDY, rater=rater)
        order = mixed(now, rest, known, study_id=SUBJECTS_STUDY, rater=rater)
        wanted = [name for name in (*half, *order) if name not in skipped]
        taken = self._leases.acquire(SUBJECTS_STUDY, wanted, rater=rater, limit=limit)
        shown = {
            name: (crop, clip, phrase)
            for name, crop, clip, phrase in now.query(
                f"""SELECT b.subject_id, b.crop, b.clip_id, s.phrase FROM ({BEST_APPEARANCE}) b
                JOIN kept_subject k ON k.id = b.subject_id JOIN subject s ON s.id = k.id AND s.work_key = k.work_key
                WHERE b.subject_id IN (SELECT unnest(?::VARCHAR[]))""",
                [list(taken)],
            )
        }
        said: dict[str, list[tuple[str, str]]] = {}
        for name, score, value in now.query(_JUDGE, [list(taken)]):
            said.setdefault(name, []).append((score.removeprefix(JUDGED_BY), "yes" if value else "no"))
        trials = tuple(_trial(name, *shown[name], said.get(name, ())) for name in taken if name in shown)
        if trials:
            self._journal.show_trials(trials, rater=rater)
        return with_answers(now, trials, rater=rater, half=half)

    def state(self, now: Snapshot, *, rater: str) -> QueueState:
        total, left = len(now.query(_ORDER)), sum(map(len, self._left(now, rater)))
        seen, right = gold_score(now, study_id=SUBJECTS_STUDY, rater=rater)
        return QueueState(
            study_id=SUBJECTS_STUDY, total=total, judged=total - left, left=left, gold_seen=seen, gold_right=right
        )

    def _left(self, now: Snapshot, rater: str) -> tuple[list[str], list[str]]:
        """What the rater left half answered, and what they have not begun."""
        is_named = dict(now.query(_ORDER))
        forms = {named: load_form(_form_name(named)) for named in (True, False)}
        half = half_answered(
            now,
            study_id=SUBJECTS_STUDY,
            rater=rater,
            questions=[question.name for question in forms[True].questions],
            form_of=lambda name: forms[is_named.get(name, False)],
        )
        begun = {name for (name,) in now.query(_BEGUN, [rater])}
        return [name for name in half if name in is_named], [name for name in is_named if name not in begun]


def _trial(subject_id: str, crop: str, clip_id: str, phrase: str | None, suggested: Sequence[tuple[str, str]]) -> Trial:
    stimulus = Stimulus(slot="subject", media=f"a-{crop}", clip_media=f"p-{clip_id}", text=phrase or "")
    return Trial(
        study_id=SUBJECTS_STUDY,
        item_id=subject_id,
        form=_form_name(phrase is not None),
        stimuli=(stimulus,),
        suggested=tuple(suggested),
    )


def _form_name(is_named: bool) -> str:
    return SUBJECT_FORM if is_named else UNNAMED_SUBJECT_FORM
