"""The part of a workspace that learns from people's verdicts on pairs: bounds by category, and a projection."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Protocol

import numpy as np

from backend.domain import SettingsError
from backend.domain.calibration import CalibratedThresholds, CategoryBound, FittedEmbedder
from backend.engine.plan import Plan, scale_of
from backend.measures.thresholds import ALL, Thresholds, fit_thresholds
from backend.models.fit_embedder import JudgedPair, fit_embedder
from backend.recipes.binding import implementations
from backend.report import render
from backend.report.calibration import calibration_report
from backend.settings import ProjectSettings
from backend.store.whole_file import write_whole
from backend.workspace.layout import Layout
from backend.workspace.snapshot import Snapshot

THRESHOLDS = "thresholds.json"
_JUDGED = """
SELECT l.value, s.category, v.verdict, l.producer FROM pair_status v JOIN (SELECT DISTINCT ON (id) * FROM pair) p ON p.id = v.pair_id
JOIN live_score l ON l.target = p.id AND l.name = ? AND l.value NOTNULL
JOIN (SELECT DISTINCT ON (id) id, category FROM subject) s ON s.id = p.target_subject_id WHERE v.verdict NOTNULL
"""
_VECTORS = """
SELECT p.target_appearance_id, p.reference_appearance_id, p.target_subject_id, coalesce(p.reference_subject_id, p.reference_appearance_id),
    a.vector, b.vector, v.verdict, a.model FROM pair_status v JOIN (SELECT DISTINCT ON (id) * FROM pair) p ON p.id = v.pair_id
JOIN embedding a ON a.appearance_id = p.target_appearance_id AND a.space = 'appearance'
JOIN embedding b ON b.appearance_id = p.reference_appearance_id AND b.space = 'appearance' AND b.model = a.model
JOIN kept_embedding ka ON ka.id = a.id AND ka.work_key = a.work_key JOIN kept_embedding kb ON kb.id = b.id AND kb.work_key = b.work_key
WHERE v.verdict NOTNULL ORDER BY 1, 2
"""


class _Opened(Protocol):
    settings: ProjectSettings
    settling: RLock
    layout: Layout
    plan: Plan

    def use(self, settings: ProjectSettings) -> None: ...

    def _apart(self, plan: Plan) -> AbstractContextManager[Snapshot]: ...


class CalibrationOperations:
    """Operations of the Api that fit something to verdicts. What is fitted is applied only when that is asked for."""

    def calibrate_thresholds(
        self: _Opened, *, score: str = "similarity", precision: float = 0.95, out: str | None = None, apply: bool = False
    ) -> CalibratedThresholds:
        path = Path(out) if out else self.layout.root / THRESHOLDS
        with self._apart(self.plan) as now:
            rows = now.query(_JUDGED, [score])
        producers = sorted({row[3] for row in rows})
        if len({scale_of(producer) for producer in producers}) > 1:
            raise SettingsError(
                f"verdicts on {score} stand on scales of {len(producers)} producers ({', '.join(producers)[:120]}); name another score"
            )
        try:
            found = fit_thresholds(
                [row[:3] for row in rows], precision=precision, score_name=score, producer=", ".join(producers)
            )
        except ValueError as error:
            raise SettingsError(str(error)) from error
        page = path.with_suffix(".html")
        write_whole(path, found.to_json())
        write_whole(page, render(calibration_report(found, title=self.layout.root.name)))
        if apply:
            with self.settling:
                self.use(with_bounds(self.settings, self.plan, found, producers=producers))
        bounds = tuple(
            CategoryBound(category=name, score=row.score, reason=row.reason, num=row.num, num_right=row.num_right)
            for name, row in sorted(found.by_category.items())
        )
        return CalibratedThresholds(
            score_name=score,
            producer=found.producer,
            precision=precision,
            bounds=bounds,
            path=str(path),
            page=str(page),
        )

    def fit_embedder(self: _Opened, *, out: str) -> FittedEmbedder:
        with self._apart(self.plan) as now:
            rows = now.query(_VECTORS)
        models = sorted({row[7] for row in rows})
        judged = [
            JudgedPair(
                target_id=row[0],
                reference_id=row[1],
                target_subject=row[2],
                reference_subject=row[3],
                target=np.asarray(row[4], np.float32),
                reference=np.asarray(row[5], np.float32),
                verdict=row[6],
            )
            for row in rows
        ]
        implementation = implementations(self.settings).get("AppearanceEmbedder", "")
        if not judged or implementation == "projected":
            reason = (
                "no judged pair has vectors" if not judged else "the bound embedder is a projection already; bind its base"
            )
            raise SettingsError(f"no embedder can be fitted: {reason}")
        fitted = fit_embedder(
            judged,
            Path(out),
            implementation=implementation,
            location=self.settings.models.get("AppearanceEmbedder", ""),
            base_model_id=models[0],
            seed=self.settings.seed,
        )
        return FittedEmbedder(
            kept=fitted.kept,
            reason=fitted.reason,
            num_same=fitted.num_same,
            num_different=fitted.num_different,
            precision_before=fitted.precision_before,
            precision_after=fitted.precision_after,
            path=out if fitted.kept else None,
        )


def with_bounds(settings: ProjectSettings, plan: Plan, found: Thresholds, *, producers: Sequence[str]) -> ProjectSettings:
    """Settings whose lower gate on the score has the bounds found: that of all together, and those of categories.

    They hold for scores of these `producers`. A category without a bound of its own keeps to the gate's value. Raises SettingsError where there is nothing to apply.
    """
    gate = f"pair.{found.score_name}.min"
    if gate not in {known.name for known in plan.gates()}:
        raise SettingsError(f"{gate} is not a gate of recipe {settings.recipe}, so that no bound can be applied to it")
    proved = {name: row.score for name, row in sorted(found.by_category.items()) if row.score is not None}
    if not proved:
        raise SettingsError(f"no bound on {found.score_name} is proved yet, so that none can be applied; judge more pairs")
    own = {name: value for name, value in proved.items() if name != ALL}
    gates = {**settings.gates, gate: proved[ALL]} if ALL in proved else settings.gates
    thresholds = {**settings.thresholds, gate: {"producers": list(producers), **own}}
    return replace(settings, gates=gates, thresholds=thresholds)
