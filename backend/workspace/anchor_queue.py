"""The queue of anchors whose side or expression people name, without being told what the machine took it for."""

from collections.abc import Sequence

from backend.api import QueueState
from backend.domain import ANCHORS_STUDY, Stimulus, Trial
from backend.store.journal import Journal
from backend.store.leases import Leases
from backend.studies.forms import anchor_form_name
from backend.workspace.anchor_statistics import machine_anchors
from backend.workspace.gold import gold_score, known_items, mixed
from backend.workspace.snapshot import Snapshot

_SHOWN = """
SELECT n.id, n.kind, coalesce(m.crop, a.artifact), s.clip_id FROM (SELECT DISTINCT id, appearance_id, kind FROM anchor) n
JOIN (SELECT DISTINCT ON (id) id, artifact, subject_id FROM appearance) a ON a.id = n.appearance_id
LEFT JOIN (SELECT DISTINCT ON (id) id, clip_id FROM subject) s ON s.id = a.subject_id
LEFT JOIN (SELECT appearance_id, min(crop) AS crop FROM mask GROUP BY 1) m ON m.appearance_id = a.id AND a.artifact IS NULL
WHERE n.id IN (SELECT unnest(?::VARCHAR[])) AND coalesce(m.crop, a.artifact) NOTNULL
"""
_JUDGED = """
SELECT item_id FROM (SELECT * FROM vote WHERE study_id = ? AND rater = ?
QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1) WHERE choice NOTNULL
"""


class AnchorQueue:
    """Anchors as the machine made them, those that the judge holds back among them, with the label that was found first; each picture once, in a shuffled order."""

    def __init__(self, journal: Journal, leases: Leases) -> None:
        self._journal, self._leases = journal, leases

    def next_trials(self, now: Snapshot, *, rater: str, limit: int, skip: Sequence[str]) -> tuple[Trial, ...]:
        """Trials that this rater has not judged, leased to them; a trial is journalled when first given out."""
        skipped = set(skip)
        known = known_items(now, study_id=ANCHORS_STUDY, rater=rater)
        order = mixed(now, self._left(now, rater), known, study_id=ANCHORS_STUDY, rater=rater)
        wanted = [name for name in order if name not in skipped]
        taken = self._leases.acquire(ANCHORS_STUDY, wanted, rater=rater, limit=limit)
        shown = {name: (kind, crop, clip) for name, kind, crop, clip in now.query(_SHOWN, [list(taken)])}
        labels = {row.id: row.label for row in machine_anchors(now)}
        trials = tuple(
            Trial(
                study_id=ANCHORS_STUDY,
                item_id=name,
                form=anchor_form_name(shown[name][0]),
                stimuli=(Stimulus(slot="anchor", media=f"a-{shown[name][1]}", clip_media=_clip_media(shown[name][2])),),
                suggested=((shown[name][0], labels[name]),) if name in labels else (),
            )
            for name in taken
            if name in shown
        )
        if trials:
            self._journal.show_trials(trials, rater=rater)
        return trials

    def state(self, now: Snapshot, *, rater: str) -> QueueState:
        total, left = len(_order(now)), len(self._left(now, rater))
        seen, right = gold_score(now, study_id=ANCHORS_STUDY, rater=rater)
        return QueueState(
            study_id=ANCHORS_STUDY, total=total, judged=total - left, left=left, gold_seen=seen, gold_right=right
        )

    def _left(self, now: Snapshot, rater: str) -> list[str]:
        judged = {name for (name,) in now.query(_JUDGED, [ANCHORS_STUDY, rater])}
        return [name for name in _order(now) if name not in judged]


def _clip_media(clip_id: str | None) -> str | None:
    return None if clip_id is None else f"p-{clip_id}"


def _order(now: Snapshot) -> list[str]:
    """One anchor of each picture and kind, by its id: a hash, so that no label comes first."""
    first: dict[tuple[str, str], str] = {}
    for row in sorted(machine_anchors(now), key=lambda row: row.id):
        first.setdefault((row.kind, row.picture), row.id)
    return sorted(first.values())
