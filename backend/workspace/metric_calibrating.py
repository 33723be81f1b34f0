"""The part of a workspace that fits weights of metrics to people's votes on pairs of videos."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from backend.api import EvaluationRow
from backend.domain import Case, SettingsError
from backend.domain.calibration import CalibratedMetrics
from backend.domain.studies import MAIN, CodedVote, StudyDesign
from backend.engine.context import load
from backend.jobs import CALLS
from backend.settings import nearest
from backend.store.catalog import Catalog
from backend.studies.kinds import kind_of
from backend.studies.results import PAIRS
from backend.studies.rules import sift
from backend.workspace import ranking
from backend.workspace.layout import Layout
from backend.workspace.study_answering import Answering
from backend.workspace.study_shelf import StudyShelf

MAX_BOOTSTRAPS = 100_000


class _Opened(Protocol):
    layout: Layout
    catalog: Catalog
    _shelf: StudyShelf
    _answering: Answering

    def evaluation(self, *, systems: tuple[str, ...] = (), metrics: tuple[str, ...] = ()) -> tuple[EvaluationRow, ...]: ...


class MetricCalibrationOperations:
    """Operations of the Api that fit totals to votes. Nothing is applied: a leaderboard names the calibration it takes."""

    def calibrate_metrics(
        self: _Opened,
        *,
        study: str,
        aspect: str = "",
        name: str = "",
        metrics: tuple[str, ...] = (),
        preset: str = "",
        by: str = "domain",
        scaling: str = "isotonic",
        folds: int = 5,
        bootstraps: int = 1000,
        seed: int = 0,
        out: str | None = None,
    ) -> CalibratedMetrics:
        if not 10 <= bootstraps <= MAX_BOOTSTRAPS:
            raise SettingsError(f"bootstraps is {bootstraps}; give 10 to {MAX_BOOTSTRAPS}")
        book = self._shelf.book(study)
        design = book.design
        aspect = _aspect(design, aspect)
        name = name or re.sub(r"[^A-Za-z0-9_.-]+", "-", design.name).strip("-.") or "calibration"
        if not ranking.CALIBRATION_NAME.fullmatch(name):
            raise SettingsError(f"name is {name[:100]!r}; use up to 80 letters, digits, dots, dashes")
        sifted = sift(self._answering.responses(book), design.rules, five_points=kind_of(design.kind).five_points)
        votes = [vote for one in sifted.kept for vote in one.votes if _fits(vote, aspect)]
        found = load(CALLS["calibrate_metrics"])(
            design.items,
            votes,
            self.evaluation(),
            domains=_domains(ranking.cases_of(self.catalog, design.benchmark), by),
            metrics=metrics,
            preset_id=preset,
            scaling=scaling,
            folds=folds,
            draws=bootstraps,
            seed=seed,
            name=name,
            study=design.name,
            aspect=aspect,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        path = Path(out) if out else ranking.calibration_file(self.layout, name)
        load(CALLS["write_calibration"])(found, path)
        return CalibratedMetrics(calibration=found, path=str(path))


def _fits(vote: CodedVote, aspect: str) -> bool:
    """What a sequential study chose is no fair sample of pairs: metrics are fitted to the hold-out alone."""
    return vote.role == MAIN and vote.question == aspect and vote.held_out


def _aspect(design: StudyDesign, aspect: str) -> str:
    if design.kind not in PAIRS:
        raise SettingsError(
            f"study {design.name} is of kind {design.kind}; metrics are calibrated on votes between two videos"
        )
    if aspect and aspect not in design.aspects:
        raise SettingsError(f"study {design.name} does not ask {aspect!r}{nearest(aspect, design.aspects)}")
    if not aspect and len(design.aspects) > 1:
        raise SettingsError(f"study {design.name} asks {', '.join(design.aspects)}; choose one by --aspect")
    return aspect or next(iter(design.aspects))


def _domains(cases: Sequence[Case], by: str) -> dict[str, str]:
    match by:
        case "domain":
            return {case.name: case.domain for case in cases}
        case "category":
            return {case.name: case.category for case in cases}
        case "none":
            return {}
    raise SettingsError(f"--by is {by!r}; give domain, category or none")
