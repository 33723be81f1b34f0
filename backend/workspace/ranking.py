"""Leaderboards of a project, and scores that come from and go to others' tools."""

import io
import os
import re
import uuid
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backend.api import EvaluationRow, ScoreFiles
from backend.domain import Case, Generation, ProjectError, Score, SettingsError
from backend.domain.generation_settings import GenerationSettings
from backend.domain.ranking import Leaderboard, SetDistance
from backend.engine.context import load
from backend.jobs import CALLS
from backend.report import leaderboard_report, render
from backend.report.board_plots import Timeline
from backend.settings import nearest
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.store.whole_file import write_whole
from backend.workspace import comparing
from backend.workspace.evaluating import IMPORTED, LATEST_GENERATIONS, latest_cases, unlisted
from backend.workspace.layout import Layout
from backend.workspace.score_evidence import arrays_of, rests_on, timeline

FACTS = "systems.toml"
CALIBRATIONS = "calibrations"
CALIBRATION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
RUNS_METRIC = "natural_compat"
MAX_TIMELINES = 12  # per metric: as many lines as one plot can tell apart


def cases_of(catalog: Catalog, benchmark: str) -> list[Case]:
    """A benchmark's cases as they were listed last. Raises ProjectError without any, SettingsError for a wrong name.

    Without a name, or by that of a file alone, a project must hold one such set: those of two are never mixed.
    """
    listed: dict[str, list[Case]] = defaultdict(list)
    for case in latest_cases(catalog):
        listed[case.benchmark].append(case)
    if not listed:
        raise ProjectError("no cases are listed in this project; `studio-backend evaluate` or `import` lists them")
    if benchmark in listed:
        return listed[benchmark]
    # A file that names no benchmark is known by its own name and a digest of what it holds.
    asked = [name for name in listed if not benchmark or name.rpartition("@")[0] == benchmark]
    if not asked:
        raise SettingsError(f"benchmark {benchmark!r} is not in this project{nearest(benchmark, listed)}")
    if len(asked) > 1:
        sets = "; ".join(_told(name, listed[name]) for name in sorted(asked))
        named = (
            f"benchmark {benchmark!r} is {len(asked)} case sets in this project"
            if benchmark
            else f"this project has {len(asked)} case sets"
        )
        raise SettingsError(f"{named}, whose scores are never mixed: {sets}; choose one by --benchmark NAME")
    return listed[asked[0]]


def calibration_file(layout: Layout, name: str) -> Path:
    """Where the project keeps its calibration of a name."""
    return layout.root / CALIBRATIONS / f"{name}.json"


def preset_of(layout: Layout, name: str) -> str:
    """What a preset's name stands for: the file of the project's calibration of that name, else the name as it is."""
    path = calibration_file(layout, name)
    return str(path) if CALIBRATION_NAME.fullmatch(name) and path.exists() else name


def rows_of(rows: Sequence[EvaluationRow], cases: Sequence[Case]) -> list[EvaluationRow]:
    """Those of the cases' benchmark. Raises ProjectError when there is none."""
    own = [row for row in rows if row.benchmark == cases[0].benchmark]
    if not own:
        raise ProjectError(f"nothing was measured of {cases[0].benchmark}; run `studio-backend evaluate` first")
    return own


def ranked(
    rows: Sequence[EvaluationRow],
    cases: Sequence[Case],
    layout: Layout,
    catalog: Catalog,
    *,
    preset: str,
    facts: str | None,
    only: str,
    against: tuple[str, ...],
    distances: Sequence[SetDistance] = (),
    seed: int = 0,
) -> Leaderboard:
    """Raises SettingsError for a wrong systems.toml, preset or name."""
    if len(against) not in (0, 2):
        raise SettingsError(f"--against names {len(against)} systems; give two")
    path = Path(facts) if facts else layout.root / FACTS
    known = load(CALLS["read_systems"])(str(path), only) if facts or path.exists() else ()
    if only:
        if not known and not path.exists():
            raise SettingsError(f"--only asks for facts of systems; write them in {path}")
        kept = {one.name for one in known}
        rows = [row for row in rows if row.system in kept]
        if not rows:
            raise SettingsError(f"no measured system fulfils {only!r} by {path}")
    measured = {row.system for row in rows}
    return load(CALLS["leaderboard"])(
        rows,
        cases,
        preset_id=preset_of(layout, preset),
        facts=known,
        against=against or None,
        distances=[one for one in distances if one.system in measured],
        settings=_settings(catalog, cases),
        seed=seed,
    )


def write_page(
    board: Leaderboard, rows: Sequence[EvaluationRow], catalog: Catalog, artifacts: Artifacts, path: Path
) -> None:
    """Writes the leaderboard as one offline page, with the timelines that its evidence holds and moving examples."""
    systems = [one.system for one in board.answered]
    spread = comparing.spreads(catalog, board.columns, rows, systems)
    page = leaderboard_report(board, timelines([r for r in rows if r.system in systems], artifacts), spread)
    write_whole(path, render(page))


def timelines(rows: Sequence[EvaluationRow], artifacts: Artifacts) -> dict[str, Timeline]:
    """By metric, lines of the first cases that every system was measured on."""
    found: dict[str, Timeline] = {}
    for metric in dict.fromkeys(row.metric for row in rows):
        own = [row for row in rows if row.metric == metric and row.evidence]
        systems = len({row.system for row in own})
        for row in sorted(own, key=lambda row: (row.case_id, row.seed, row.system)):
            arrays = arrays_of(artifacts, row)
            line, on = timeline(arrays), rests_on(row, arrays)
            if line is None:
                continue
            drawn = found.setdefault(metric, Timeline(part=line.part))
            if len(drawn.lines) < max(1, MAX_TIMELINES // max(1, systems)) * systems:
                name = f"{row.system}, {row.case_id}" + (f": {on}" if on else "")
                drawn.lines.append((name, line.frames, line.values))
    return found


def import_scores(
    catalog: Catalog,
    artifacts: Artifacts,
    *,
    format: str,
    path: str,
    system: str,
    cases: str,
    references: str | None,
) -> ScoreFiles:
    """Adds scores measured elsewhere. A case without a video of the system gets a Generation without a file."""
    if not system.strip() or len(system) > 100:
        raise SettingsError(f"--system is {system[:100]!r}; give the system's name, up to 100 characters")
    told = load(CALLS["read_cases"])(Path(cases), references=Path(references) if references else None)
    read = load(CALLS["read_scores"])(format, path, told.cases)
    by_name = {case.name: case for case in told.cases}
    graded = [one.runs for one in read.scores if one.runs is not None]
    kept = iter(artifacts.put_many([(_packed(runs), "npz") for runs in graded]))
    with catalog.session():
        listed = {
            (row[0], row[1]): row[2]
            for row in catalog.query(f"SELECT case_id, seed, id FROM ({LATEST_GENERATIONS}) WHERE system = ?", [system])
        }
        made: dict[tuple[str, int], Generation] = {}
        scores = []
        for one in read.scores:
            place = by_name[one.case].id, one.seed
            if place not in listed:
                made[place] = Generation(
                    case_id=place[0], system=system, seed=one.seed, path="", content_hash="", num_bytes=0
                )
                listed[place] = made[place].id
            scores.append(
                Score(
                    target=listed[place],
                    name=one.metric,
                    value=one.value,
                    producer=f"{IMPORTED}/{format}",
                    reason=one.reason,
                    num_units=1 if one.runs is None else int(np.isfinite(one.runs).sum()),
                    evidence=next(kept) if one.runs is not None else None,
                )
            )
        rows = [*unlisted(catalog, told.cases), *made.values(), *scores]
        catalog.add_records(rows, work_key=f"{IMPORTED}:{uuid.uuid4().hex}")
    num_cases = len({one.case for one in read.scores})
    return ScoreFiles(
        path=path, scores=len(scores), cases=num_cases, files=read.files, remarks=(*told.remarks, *read.remarks)
    )


def export_scores(
    rows: Sequence[EvaluationRow],
    cases: Sequence[Case],
    artifacts: Artifacts,
    *,
    format: str,
    out: str,
    system: str,
    preset: str,
) -> ScoreFiles:
    """Writes a system's scores as upstream's scripts do."""
    if not rows:
        raise SettingsError(f"system {system!r} has no scores of {cases[0].benchmark}")
    runs = {
        (row.case_id, row.seed): arrays["score"]
        for row in rows
        if row.metric == RUNS_METRIC and "score" in (arrays := arrays_of(artifacts, row))
    }
    held = load(CALLS["held_metrics"])(format)
    files = load(CALLS["write_scores"])(format, rows, out, name=system, cases=cases, preset_id=preset, runs=runs)
    scored = [row for row in rows if row.value is not None]
    written = [row for row in scored if row.metric in held]
    left = sorted({row.metric for row in scored} - held)
    remarks = (f"{format} has no field for {', '.join(left)}: not written",) if left else ()
    num_cases = len({row.case_id for row in written})
    return ScoreFiles(path=out, scores=len(written), cases=num_cases, files=files, remarks=remarks)


def _settings(catalog: Catalog, cases: Sequence[Case]) -> list[tuple[str, GenerationSettings]]:
    """System and settings of each video of these cases."""
    rows = catalog.query(
        f"SELECT system, settings FROM ({LATEST_GENERATIONS}) WHERE path <> '' AND case_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY id",
        [[case.id for case in cases]],
    )
    return [(system, GenerationSettings.of_text(text)) for system, text in rows]


def _told(name: str, cases: Sequence[Case]) -> str:
    """A case set, as a person can tell it from another of its name."""
    places = [place for case in cases for place in case.references]
    below = f" with pictures below {os.path.commonpath([str(Path(place).parent) for place in places])}" if places else ""
    return f"{name} of {len(cases)} cases{below}"


def _packed(runs: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, score=runs)
    return buffer.getvalue()
