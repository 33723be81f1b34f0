"""The part of a workspace that says how it is."""

import shutil
from collections import Counter
from typing import Protocol

import psutil

from backend.domain import StudioError
from backend.domain.health import Health
from backend.domain.model_work import ModelWorkerRow
from backend.jobs.board import JobBoard
from backend.jobs.free_space import shortage
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.workspace.layout import Layout

PROBE = "health"
"""Under this name the journal keeps the row that is written to see whether it can be."""


class _Opened(Protocol):
    layout: Layout
    journal: Journal
    catalog: Catalog
    _jobs: JobBoard

    def models(self) -> tuple[ModelWorkerRow, ...]: ...


class HealthOperations:
    """Operations of the Api for those who watch over servers."""

    def health(self: _Opened) -> Health:
        workers = self.models()
        free_bytes = shutil.disk_usage(self.layout.root).free
        lag, unread = _lag(self.journal, self.catalog)
        problems = {
            "journal": _written(self.journal),
            "catalog": unread,
            "worker": "; ".join(f"the model worker of {row.device} failed" for row in workers if row.state == "failed"),
            "disk": shortage(self.layout.root),
        }
        return Health(
            problems=problems,
            jobs=dict(Counter(job.state for job in self._jobs.known().values())),
            queued=sum(row.waiting for row in workers),
            num_votes=self.journal.num_votes,
            lag=lag,
            commit_p99_s=self.journal.commit_p99_s(),
            num_restarts=sum(row.restarts for row in workers),
            resident_bytes=psutil.Process().memory_info().rss,
            model_bytes=sum(model.num_bytes for row in workers for model in row.resident),
            free_bytes=free_bytes,
        )


def _written(journal: Journal) -> str:
    try:
        journal.set_progress(PROBE, {})
    except StudioError as error:
        return str(error)
    return ""


def _lag(journal: Journal, catalog: Catalog) -> tuple[int | None, str]:
    try:
        return max(0, journal.head().seq - catalog.watermark()[0]), ""
    except StudioError as error:
        return None, str(error)
