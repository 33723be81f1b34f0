"""The part of a workspace that says what the dataset is like."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from backend.domain.statistics import Ablation, DatasetStatistics
from backend.engine.plan import Plan
from backend.settings import ProjectSettings
from backend.workspace.ablating import ablation
from backend.workspace.dataset_statistics import dataset_statistics
from backend.workspace.layout import Layout
from backend.workspace.reporting import write_ablation
from backend.workspace.snapshot import Snapshot


class _Opened(Protocol):
    settings: ProjectSettings
    layout: Layout
    plan: Plan

    def _apart(self, plan: Plan) -> AbstractContextManager[Snapshot]: ...


class DatasetOperations:
    """Operations of the Api that count and compare the rows of the current plan."""

    def statistics(self: _Opened) -> DatasetStatistics:
        plan = self.plan
        with self._apart(plan) as now:
            return dataset_statistics(now, plan, name=self.layout.root.name)

    def ablate(self: _Opened, *, out: str | None = None) -> Ablation:
        path = Path(out) if out else self.layout.root / "ablation.html"
        plan = self.plan
        with self._apart(plan) as now:
            rows = ablation(now, plan)
        write_ablation(rows, self.settings, path, title=self.layout.root.name)
        return Ablation(path=str(path), rows=tuple(rows))
