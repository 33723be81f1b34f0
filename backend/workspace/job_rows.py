"""Jobs as a list: what the journal says of each, with how those go that this owner runs."""

import json
from collections.abc import Mapping

from backend.api import Progress
from backend.domain import ProjectError
from backend.domain.jobs import JobRow
from backend.store.catalog import Catalog
from backend.store.job_events import SUBMITTED

INTERRUPTED = "interrupted"
_ROWS = f"""
SELECT s.job_id, s.actor, s.at, s.body, e.at, e.body FROM job s LEFT JOIN (
    SELECT * FROM job WHERE event <> '{SUBMITTED}'
    QUALIFY row_number() OVER (PARTITION BY job_id ORDER BY seq DESC) = 1) e ON e.job_id = s.job_id
WHERE s.event = '{SUBMITTED}'"""


def rows_of(catalog: Catalog, live: Mapping[str, Progress], *, limit: int) -> tuple[JobRow, ...]:
    """The newest jobs, newest first."""
    rows = catalog.query(f"{_ROWS} ORDER BY s.seq DESC LIMIT ?", [limit])
    return tuple(_row(live, *row) for row in rows)


def row_of(catalog: Catalog, live: Mapping[str, Progress], job_id: str) -> JobRow:
    """Raises ProjectError for a job that the project never had."""
    rows = catalog.query(f"{_ROWS} AND s.job_id = ?", [job_id])
    if not rows:
        raise ProjectError(f"this project never had a job {job_id[:80]!r}; `studio-backend jobs list` names them")
    return _row(live, *rows[0])


def rows_of_kind(catalog: Catalog, live: Mapping[str, Progress], kind: str) -> tuple[JobRow, ...]:
    """Every job of a kind, newest first."""
    rows = catalog.query(f"{_ROWS} AND json_extract_string(s.body, '$.job') = ? ORDER BY s.seq DESC", [kind])
    return tuple(_row(live, *row) for row in rows)


def _row(
    live: Mapping[str, Progress], job_id: str, actor: str, at: str, body: str, ended_at: str | None, ended: str | None
) -> JobRow:
    asked = json.loads(body)
    found = Progress(job_id=job_id, kind=asked["job"], state=INTERRUPTED, message="its owner ended before it did")
    if ended is not None:
        said = json.loads(ended)
        found = Progress(job_id=job_id, kind=asked["job"], **{"state": "done", **said})
    found = live.get(job_id, found)
    return JobRow(
        job_id=job_id,
        kind=found.kind,
        state=found.state,
        asked={name: str(value) for name, value in asked.get("asked", {}).items()},
        actor=actor,
        started_at=at,
        ended_at=ended_at or "",
        stage=found.stage,
        done=found.done,
        total=found.total,
        message=found.message,
        out=str(asked.get("out", "")),
    )
