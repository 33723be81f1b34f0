"""Cases that no study shows: those of clips that the gate on safety holds back now."""

import json

from backend.store.case_events import PUT_UP, case_of
from backend.store.journal_reader import JournalReader
from backend.workspace.case_approving import edits
from backend.workspace.snapshot import Snapshot

GATE = "clip.safety.min"

_HELD_BACK = f"SELECT id FROM gated WHERE kind = 'clip' AND gate = '{GATE}'"
_NAMED = f"""
SELECT id FROM ({_HELD_BACK}) UNION
SELECT a.id FROM appearance a JOIN subject s ON s.id = a.subject_id WHERE s.clip_id IN ({_HELD_BACK})
"""


def unsafe_cases(now: Snapshot, journal: JournalReader) -> frozenset[str]:
    """Contents of the cases that were put up with such a clip, or with a reference that shows one, by whichever prompt.

    Every case that a project makes is put up when it is made. None without a gate on safety in the snapshot's plan.
    """
    unsafe = {name for (name,) in now.query(_NAMED)}
    if not unsafe:
        return frozenset()
    changed, found = edits(now), set[str]()
    for event in journal.of_kind(PUT_UP):
        if not event.is_redacted and not unsafe.isdisjoint([event.body["clip_id"], *event.body.get("appearances", ())]):
            found |= {case.content for case in changed.chain(case_of(json.dumps(event.body["case"])))}
    return frozenset(found)
