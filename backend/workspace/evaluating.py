"""Evaluating generated videos: listing cases and videos, the plan of the asked metrics, the rows that came of it."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.api import CostForecast, EvaluationJob, EvaluationRow, Progress
from backend.domain import Case, ImportRefused, SettingsError
from backend.domain.evaluations import RefusedVideo, state_of
from backend.engine.context import WorkerSettings, load
from backend.engine.plan import Plan
from backend.jobs import CALLS
from backend.models import MODELS
from backend.store.catalog import Catalog
from backend.workspace.layout import Layout
from backend.workspace.snapshot import Snapshot

LISTED = "listed"  # the work key of rows that people list
REAL_SETS = "real/"  # how benchmarks begin that are sets of real videos
IMPORTED = "imported"  # and of scores that were measured elsewhere
_LATEST_CASES = f"""
SELECT * FROM bench_case WHERE NOT starts_with(benchmark, '{REAL_SETS}')
QUALIFY row_number() OVER (PARTITION BY benchmark, name ORDER BY rowid DESC) = 1"""
LATEST_GENERATIONS = """
SELECT * FROM generation QUALIFY row_number() OVER (PARTITION BY case_id, system, seed ORDER BY rowid DESC) = 1"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an evaluation is about."""

    benchmark: str
    cases: int
    generations: tuple[str, ...]
    metrics: tuple[str, ...]
    missing: tuple[str, ...]
    refused: tuple[RefusedVideo, ...]
    remarks: tuple[str, ...]
    missing_references: tuple[str, ...]


def listed(
    catalog: Catalog,
    cases: str,
    videos: str,
    system: str,
    references: str | None,
    metrics: Sequence[str],
    workers: WorkerSettings,
) -> Asked:
    """Adds a file's cases and a system's videos to the catalog, those that it does not list as they are now."""
    if not system.strip() or len(system) > 100:
        raise SettingsError(f"--system is {system[:100]!r}; give the system's name, up to 100 characters")
    names = load(CALLS["measured_metrics"])(metrics, workers)
    told = load(CALLS["read_cases"])(Path(cases), references=Path(references) if references else None)
    found = load(CALLS["find_generations"])(Path(videos), system, told.cases)
    with catalog.session():  # held over look and add, so that of two who list a file at once one finds it known
        known = set(catalog.query(f"SELECT id, path, settings FROM ({LATEST_GENERATIONS})"))
        others = [row for row in found.generations if (row.id, row.path, row.settings) not in known]
        fresh = [*unlisted(catalog, told.cases), *others]
        if fresh:
            catalog.add_records(fresh, work_key=f"{LISTED}:{uuid.uuid4().hex}")  # one that comes back is a row anew
    return Asked(
        benchmark=told.cases[0].benchmark,
        cases=len(told.cases),
        generations=tuple(row.id for row in found.generations),
        metrics=names,
        missing=found.missing,
        refused=found.refused,
        remarks=(*told.remarks, *found.remarks),
        missing_references=told.missing_references,
    )


def unlisted(catalog: Catalog, cases: Sequence[Case]) -> list[Case]:
    """Those that the catalog does not list as they are now.

    Raises ImportRefused when one gives systems something else than the case of its name in a benchmark of its name.
    """
    known = {(case.benchmark, case.name): case for case in catalog.records(Case, _LATEST_CASES)}
    ids = {case.id for case in known.values()}
    fresh = [case for case in cases if case.id not in ids]
    for case in fresh:
        before = known.get((case.benchmark, case.name))
        if before is not None and _is_other(before, case):
            raise ImportRefused(
                f"case {case.name} of benchmark {case.benchmark!r} was listed with other content in this project; scores of two "
                "contents are not mixed under one name: give this file another one, `studio-backend cases name FILE NAME`"
            )
    return fresh


def described(asked: Asked, job: Progress) -> EvaluationJob:
    return EvaluationJob(
        job=job,
        benchmark=asked.benchmark,
        cases=asked.cases,
        videos=len(asked.generations),
        metrics=asked.metrics,
        missing=asked.missing,
        refused=asked.refused,
        remarks=asked.remarks,
        missing_references=asked.missing_references,
    )


def plan(
    names: Sequence[str],
    workers: WorkerSettings,
    layout: Layout,
    *,
    only: tuple[str, ...] | None = None,
    max_cost: float | None = None,
    prices: str | None = None,
) -> Plan:
    """The plan of an evaluation. Raises SettingsError for a maximum cost without prices."""
    purse = None
    if max_cost is not None:
        if not max_cost >= 0:
            raise SettingsError(f"the maximum cost is {max_cost:g}; give 0 or more")
        if prices is None:
            raise SettingsError(f"a maximum cost of {max_cost:g} needs prices: give --prices FILE, what the judge charges")
        purse = load(CALLS["purse"])(max_cost, Path(prices), layout.ledger, workers)
    return load(CALLS["evaluation_plan"])(names, workers=workers, store=layout.features, only=only, purse=purse)


def forecast(
    cases: str,
    videos: str,
    system: str,
    references: str | None,
    metrics: Sequence[str],
    prices: str | None,
    workers: WorkerSettings,
) -> CostForecast:
    """What judges would be asked; nothing is listed and nobody is asked."""
    names = load(CALLS["measured_metrics"])(metrics, workers)
    told = load(CALLS["read_cases"])(Path(cases), references=Path(references) if references else None)
    found = load(CALLS["find_generations"])(Path(videos), system, told.cases)
    price_list = Path(prices) if prices else None
    seen = load(CALLS["forecast"])(names, told.cases, found.generations, workers=workers, prices=price_list)
    return CostForecast(
        metrics=names,
        videos=len(found.generations),
        calls=dict(seen.calls),
        pictures=seen.num_pictures,
        tokens_in=seen.num_tokens_in,
        tokens_out=seen.num_tokens_out,
        cost=seen.cost,
    )


def measured(catalog: Catalog, asked: Sequence[str]) -> tuple[str, ...]:
    """The asked metrics, or all that were worked on."""
    if asked:
        return tuple(asked)
    rows = catalog.query("SELECT DISTINCT stage FROM work WHERE starts_with(stage, 'measure_') ORDER BY 1")
    known = load(CALLS["known_metrics"])()
    return tuple(name for (stage,) in rows if (name := stage.removeprefix("measure_")) in known)


def embedded_roles(measuring: Plan, workers: WorkerSettings) -> dict[str, tuple[str, ...]]:
    """By metric, the roles behind its current rows that the embedded profile fills; metrics without any are left out."""
    classical = {role for role, path in workers.roles.items() if path == MODELS.get(role, {}).get("embedded")}
    found = {step.stage.name.removeprefix("measure_"): classical & set(step.stage.roles) for step in measuring.steps}
    return {metric: tuple(sorted(roles)) for metric, roles in found.items() if roles}


def rows(
    now: Snapshot,
    names: Sequence[str],
    systems: Sequence[str],
    asked: Sequence[str],
    *,
    embedded: Mapping[str, tuple[str, ...]],
    real: str = "",
) -> tuple[EvaluationRow, ...]:
    """Scores of the plan, a failed row for each item whose measuring broke, and imported ones that nothing measured here.

    `names` are the plan's metrics, `asked` those that imports are limited to (all without), `embedded` the plan's
    `embedded_roles`. The rows are of generated videos, or of the `real` set of that name.
    """
    failed = "".join(
        f""" UNION ALL SELECT i.item_id AS target, '{name}' AS name, NULL::DOUBLE AS value, CASE w.kind WHEN 'unavailable' THEN w.message ELSE 'failed: ' || w.message END AS reason,
            0 AS num_units, 0.0 AS coverage, NULL AS evidence
        FROM item_measure_{name} i JOIN (
            SELECT * FROM work WHERE stage = 'measure_{name}'
            QUALIFY row_number() OVER (PARTITION BY work_key ORDER BY attempt DESC) = 1) w ON w.work_key = i.work_key
        WHERE w.state = 'failed'"""
        for name in names
    )
    fields = "target, name, value, reason, num_units, coverage, evidence"
    found = now.query(
        f"""WITH measured AS (SELECT {fields} FROM live_score{failed}), elsewhere AS (
            SELECT {fields} FROM score WHERE stage_key = '{IMPORTED}' AND (len(?) = 0 OR name IN (SELECT unnest(?::VARCHAR[])))
            QUALIFY row_number() OVER (PARTITION BY target, name ORDER BY rowid DESC) = 1), earlier AS (
            SELECT target, name, list(evidence ORDER BY place) AS told FROM ({now.tables.earlier_scores()})
            WHERE evidence NOTNULL GROUP BY ALL)
        SELECT c.name, c.benchmark, c.category, g.system, g.seed, s.name, s.value, s.reason, s.num_units, s.coverage,
            g.id, s.evidence, s.imported, coalesce(e.told, [])
        FROM (SELECT *, false AS imported FROM measured UNION ALL
            SELECT *, true FROM elsewhere ANTI JOIN measured USING (target, name)) s
        JOIN generation g ON g.id = s.target JOIN kept_generation kg ON kg.id = g.id AND kg.work_key = g.work_key
        JOIN bench_case c ON c.id = g.case_id JOIN kept_bench_case kc ON kc.id = c.id AND kc.work_key = c.work_key
        LEFT JOIN earlier e ON e.target = s.target AND e.name = s.name AND NOT s.imported
        WHERE (len(?) = 0 OR g.system IN (SELECT unnest(?::VARCHAR[])))
            AND CASE ? WHEN '' THEN NOT starts_with(c.benchmark, '{REAL_SETS}') ELSE c.benchmark = ? END
        ORDER BY g.system, c.name, g.seed, s.name""",
        [list(asked), list(asked), list(systems), list(systems), real, real],
    )
    return tuple(_row(*fields, embedded=embedded) for fields in found)


def latest_cases(catalog: Catalog) -> list[Case]:
    """The cases of every benchmark, as they were listed last, by benchmark, category and number."""
    return sorted(catalog.records(Case, _LATEST_CASES), key=_place)


def _is_other(before: Case, after: Case) -> bool:
    """Whether two cases differ in what a system is given; a file that was missing may have come."""
    blank: dict[str, Any] = {"hashes": (), "audio_hash": "", "first_frame_hash": ""}
    if replace(before, **blank).content != replace(after, **blank).content or len(before.hashes) != len(after.hashes):
        return True
    files = [*zip(before.hashes, after.hashes, strict=True), (before.audio_hash, after.audio_hash)]
    files.append((before.first_frame_hash, after.first_frame_hash))
    return any(a and b and a != b for a, b in files)


def _place(case: Case) -> tuple[str, str, int, str]:
    number = case.name.rpartition("_")[2]
    return case.benchmark, case.category, int(number) if number.isdigit() else 0, case.name


def _row(
    case: str,
    benchmark: str,
    category: str,
    system: str,
    seed: int,
    metric: str,
    value: float | None,
    reason: str | None,
    num_units: int,
    coverage: float,
    generation: str,
    evidence: str | None,
    imported: bool,
    earlier: Sequence[str],
    *,
    embedded: Mapping[str, tuple[str, ...]],
) -> EvaluationRow:
    return EvaluationRow(
        case_id=case,
        benchmark=benchmark,
        category=category,
        system=system,
        seed=seed,
        metric=metric,
        value=value,
        state=state_of(value, reason),
        reason=reason,
        num_units=num_units,
        coverage=coverage,
        generation_id=generation,
        evidence=evidence,
        imported=imported,
        embedded=() if imported else embedded.get(metric, ()),
        earlier_evidence=tuple(one for one in dict.fromkeys(earlier) if one != evidence),
    )
