"""The part of a workspace that draws from stored numbers: spreads of scores, cuts tried, named selections, forecasts of exports."""

import dataclasses
import math
import re
from collections import Counter
from contextlib import AbstractContextManager
from threading import RLock
from typing import Protocol

from backend.api import EvaluationRow, GateChange
from backend.domain import ProjectError, SettingsError, resource
from backend.domain.calibration import MetricCalibration
from backend.domain.figures import (
    Cut,
    CutOutcome,
    EmbeddingMap,
    ExportForecast,
    FrameValues,
    NamedSelection,
    ScoreSpread,
    StoredScore,
)
from backend.domain.library import ExportSummary, Selection
from backend.domain.privacy import TRAINING
from backend.engine.context import load
from backend.engine.plan import Plan
from backend.exports.rows import ExportPair
from backend.exports.split import Split, groups_of_nodes, nodes_of
from backend.exports.where import parse_where
from backend.jobs import CALLS
from backend.settings import ProjectSettings, nearest, write_settings
from backend.store.artifacts import Artifacts
from backend.workspace import exporting, ranking
from backend.workspace.browsing import LibraryOperations, pairs_of
from backend.workspace.copies import NearDuplicates, copied_videos
from backend.workspace.embedding_maps import embedding_map
from backend.workspace.export_rights import Permitted
from backend.workspace.layout import Layout
from backend.workspace.library import Library
from backend.workspace.media import generated_media_id
from backend.workspace.projection import Projection
from backend.workspace.score_evidence import arrays_of, timeline
from backend.workspace.score_tables import ScoreTables, movable_gates, outcome, spread, stored_scores
from backend.workspace.snapshot import Snapshot

_NAME = re.compile(r"[\w][\w .-]{0,63}")
WHERE = "where"
"""The key of a selection's condition in project.toml; every other is a gate."""


class _Opened(Protocol):
    layout: Layout
    plan: Plan
    artifacts: Artifacts
    settings: ProjectSettings
    settling: RLock
    _copies: NearDuplicates
    _projection: Projection
    _library: Library
    _scores: ScoreTables

    def selections(self) -> tuple[NamedSelection, ...]: ...

    def evaluation(self, *, systems: tuple[str, ...] = (), metrics: tuple[str, ...] = ()) -> tuple[EvaluationRow, ...]: ...

    def _apart(self, plan: Plan) -> AbstractContextManager[Snapshot]: ...

    def export_plan(self, plan: Plan, *, format: str, out: str, where: str, split: str, purpose: str) -> ExportSummary: ...

    def _plan_with(self, changes: tuple[GateChange, ...]) -> Plan: ...


class FigureOperations(LibraryOperations):
    """Operations of the Api on stored numbers."""

    def stored_scores(self: _Opened) -> tuple[StoredScore, ...]:
        plan = self.plan
        with self._library.of(plan) as reading:
            return stored_scores(reading.now, movable_gates(plan))

    def score_spread(self: _Opened, *, kind: str, score: str, bins: int = 60) -> ScoreSpread:
        self._projection.refresh()
        with self._library.of(self.plan) as reading:
            return spread(reading.now, self._scores.of(reading.now, kind, score), kind=kind, score=score, bins=bins)

    def try_cuts(
        self: _Opened, *, kind: str, score: str, cuts: tuple[Cut, ...], around: int = 0, near: int = 0
    ) -> CutOutcome:
        self._projection.refresh()
        with self._library.of(self.plan) as reading:
            table = self._scores.of(reading.now, kind, score)
            return outcome(reading.now, table, kind=kind, cuts=cuts, around=around, near=near)

    def selections(self: _Opened) -> tuple[NamedSelection, ...]:
        return tuple(_read(name, told) for name, told in sorted(self.settings.selections.items()))

    def save_selection(self: _Opened, *, name: str, gates: dict[str, float], where: str = "") -> NamedSelection:
        if not _NAME.fullmatch(name):
            raise SettingsError(f"{name[:80]!r} names no selection; use up to 64 letters, digits, spaces, dots, - and _")
        self._plan_with(_changes(gates))
        parse_where(where)
        told = {**gates, **({WHERE: where} if where else {})}
        with self.settling:
            _keep(self, {**self.settings.selections, name: told})
        return _read(name, told)

    def forget_selection(self: _Opened, *, name: str) -> None:
        with self.settling:
            _named(self.selections(), name)
            left = {other: told for other, told in self.settings.selections.items() if other != name}
            _keep(self, left)

    def export_selection(
        self: _Opened, *, name: str, format: str, out: str, split: str = "", purpose: str = TRAINING
    ) -> ExportSummary:
        found = _named(self.selections(), name)
        plan = self._plan_with(_changes(found.gates))
        return self.export_plan(plan, format=format, out=out, where=found.where, split=split, purpose=purpose)

    def presets(self: _Opened) -> tuple[str, ...]:
        published = sorted(file.name.removesuffix(".toml") for file in resource("presets").iterdir())
        return (*published, *_calibration_names(self.layout))

    def calibrations(self: _Opened) -> tuple[MetricCalibration, ...]:
        read = load(CALLS["read_calibration"])
        return tuple(read(ranking.calibration_file(self.layout, name)) for name in _calibration_names(self.layout))

    def frame_values(self: _Opened, *, generation_id: str, metric: str) -> FrameValues:
        rows = [row for row in self.evaluation(metrics=(metric,)) if row.generation_id == generation_id]
        if not rows:
            raise ProjectError(f"{metric} was not measured on {generation_id[:80]}; run `studio-backend evaluate` first")
        line, media_id = timeline(arrays_of(self.artifacts, rows[0])), generated_media_id(generation_id)
        if line is None:
            return FrameValues(generation_id=generation_id, metric=metric, media_id=media_id)
        return FrameValues(
            generation_id=generation_id,
            metric=metric,
            frames=tuple(int(n) for n in line.frames),
            values=tuple(float(v) if math.isfinite(v) else None for v in line.values),
            part=line.part,
            media_id=media_id,
        )

    def embedding_map(self: _Opened, *, space: str = "appearance", method: str = "pca", limit: int = 4000) -> EmbeddingMap:
        with self._apart(self.plan) as now:
            return embedding_map(now, space=space, method=method, limit=limit)

    def forecast_export(
        self: _Opened,
        *,
        selection: Selection | None = None,
        name: str = "",
        split: str = "",
        format: str = "",
        purpose: str = TRAINING,
    ) -> ExportForecast:
        whole_clips = bool(format) and exporting.exporter_of(format).whole_clips
        parts = Split.parse(split)
        found = _named(self.selections(), name) if name else NamedSelection(name="")
        only = None
        if selection is not None:
            self._projection.refresh()
            with self._library.of(self.plan) as reading:
                only = frozenset(pairs_of(reading, selection, across=False)[1])
        with self._apart(self._plan_with(_changes(found.gates))) as now:
            permitted = Permitted(now, self.settings, purpose=purpose)
            pairs = exporting.export_pairs(now, exporting.chosen_pairs(now, found.where, only), ())
            refused = ""
            try:
                pairs = permitted.pairs(pairs, whole_clips=whole_clips)
                if whole_clips and only is None and not found.where:
                    exporting.require_clips(now, permitted, exporting.export_videos(now))
            except ProjectError as error:
                refused = str(error)
            told = _forecast(now, pairs, self._copies, parts)
            return dataclasses.replace(told, left_out=dict(sorted(permitted.left_out.items())), refused=refused)


def _forecast(now: Snapshot, pairs: list[ExportPair], copies: NearDuplicates, split: Split | None) -> ExportForecast:
    videos = exporting.export_videos(now)
    used = {side.video_id for pair in pairs for side in (pair.target, pair.reference)}
    groups = groups_of_nodes(pairs, videos, copied_videos(now, copies))
    sizes = Counter(groups[nodes_of(pair)[0]] for pair in pairs)
    parts: Counter[str] = Counter()
    seen: dict[str, set[str]] = {}
    if split is not None:
        for pair in pairs:
            part = split.of(groups[nodes_of(pair)[0]])
            parts[part] += 1
            for node in nodes_of(pair):
                seen.setdefault(node, set()).add(part)
    return ExportForecast(
        pairs=len(pairs),
        videos=sum(video.video_id in used for video in videos),
        parts={name: parts[name] for name, _ in split.parts} if split else {},
        groups=len(sizes),
        largest=max(sizes.values(), default=0),
        leaks=sum(len(found) > 1 for found in seen.values()),
        licences=dict(sorted(Counter(video.licence or "" for video in videos if video.video_id in used).items())),
    )


def _keep(opened: _Opened, selections: dict[str, dict]) -> None:
    """Saves selections; the plan stays what it is."""
    settings = dataclasses.replace(opened.settings, selections=selections)
    write_settings(opened.layout.settings, settings)
    opened.settings = settings


def _calibration_names(layout: Layout) -> list[str]:
    return sorted(file.stem for file in ranking.calibration_file(layout, "any").parent.glob("*.json"))


def _changes(gates: dict[str, float]) -> tuple[GateChange, ...]:
    return tuple(GateChange(gate=name, value=value) for name, value in sorted(gates.items()))


def _named(selections: tuple[NamedSelection, ...], name: str) -> NamedSelection:
    for found in selections:
        if found.name == name:
            return found
    known = [found.name for found in selections]
    raise SettingsError(f"there is no selection {name[:80]!r}{nearest(name, known)}; save one under Thresholds first")


def _read(name: str, told: dict) -> NamedSelection:
    """A selection of project.toml. Raises SettingsError for a value that is no number."""
    gates = {gate: value for gate, value in told.items() if gate != WHERE}
    wrong = [gate for gate, value in gates.items() if isinstance(value, bool) or not isinstance(value, int | float)]
    if wrong:
        raise SettingsError(f"selections.{name}.{wrong[0]} is {gates[wrong[0]]!r}; it needs a number")
    return NamedSelection(
        name=name, gates={gate: float(value) for gate, value in gates.items()}, where=str(told.get(WHERE, ""))
    )
