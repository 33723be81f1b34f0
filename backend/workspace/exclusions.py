"""What people took out: items that no queue, count or export sees, with all that is theirs.

The catalog's rows stay, and so does the work: an exclusion changes no work key, and taking an item in again runs no model.
"""

from collections.abc import Sequence

from backend.store.journal import Journal
from backend.store.library_events import excluded_event
from backend.store.schema import KINDS
from backend.workspace.snapshot import Snapshot

IDS_PER_EVENT = 20_000
"""An id has about 30 characters; a body of the journal holds a megabyte."""

_NOW = """
CREATE OR REPLACE TEMP VIEW excluded_now AS
SELECT item_id FROM (SELECT item_id, arg_max(excluded, seq) AS excluded FROM exclusion GROUP BY 1) WHERE excluded
"""


def create_exclusion_views(now: Snapshot) -> None:
    """Makes `excluded_now`: the ids that are excluded, by the last word on each."""
    now.query(_NOW)


def apply_exclusions(now: Snapshot) -> None:
    """Takes what people excluded out of the snapshot's `kept_KIND`."""
    create_exclusion_views(now)
    if not now.query("SELECT 1 FROM excluded_now LIMIT 1"):
        return
    for kind in KINDS:
        columns = now.columns(f"kept_{kind}") if kind != "score" else []
        if not columns:
            continue
        where = " OR ".join(
            f"{name} IN (SELECT item_id FROM excluded_now)" for name in columns if name == "id" or name.endswith("_id")
        )
        now.query(f"DELETE FROM kept_{kind} WHERE {where}")
    now.query(
        """DELETE FROM kept_pair WHERE id IN (SELECT p.id FROM pair p
        WHERE p.reference_appearance_id NOT IN (SELECT id FROM kept_appearance))"""
    )


def journal_exclusion(journal: Journal, *, kind: str, ids: Sequence[str], rater: str, reason: str, excluded: bool) -> None:
    """Stores who took which items out, or in again, and why; all of it or nothing."""
    parts = [ids[start : start + IDS_PER_EVENT] for start in range(0, len(ids), IDS_PER_EVENT)]
    journal.append([excluded_event(kind, part, rater=rater, reason=reason, excluded=excluded) for part in parts])
