"""Scores as others' scripts write them, in and out: OpenS2V-Eval's folder of result files, VBench's `_eval_results.json`."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any, Protocol

import numpy as np

from backend.domain import Case, ImportRefused, SettingsError
from backend.settings import nearest
from backend.store.checksums import LIST, changed_files, list_files
from backend.store.whole_file import write_whole
from metrics.benchmark import SEEDED
from metrics.json_files import kind_of, read_json
from metrics.presets import preset
from metrics.total import merged

OPENS2V = "opens2v-scores"
VBENCH = "vbench"
FORMATS = (OPENS2V, VBENCH)
MAX_TOLD = 10  # bad values named in one sentence

FIELDS: dict[str, dict[str, str]] = {
    "aesthetic_score": {"aes_score": "aesthetic_opens2v_compat"},
    "facesim": {"cur_score": "facesim_cur_compat", "arc_score": "facesim_arc_compat"},
    "gmescore": {"gme_score": "gmescore"},
    "motion_amplitude": {"motion_fb": "motion_amplitude_compat"},
    "motion_smoothness": {"motion_smoothness": "motion_smoothness_opens2v_compat"},
    "nexusscore": {"nexus_score": "nexus_compat"},
}
"""Which of our metrics each field of upstream's files is. `motion_lk` is left: its tracks are drawn in random colours."""
OLDER: dict[str, dict[str, str]] = {
    "motionscore": {"motion_fb": "motion_amplitude_compat"},
    "nexusscore": {"retrieval_score": "nexus_compat"},
}
"""What benchmark v1.0 called files and fields of the same scores; v1.1's names go before where both are there."""
NATURAL = "natural_compat"
NUM_RUNS = 3  # naturalscore_1 to _3
RUNS = "score"
"""The array of evidence that holds the grade of each run."""

DIMENSIONS: dict[str, float] = {
    "subject_consistency": 1.0,
    "background_consistency": 1.0,
    "temporal_flickering": 1.0,
    "motion_smoothness": 1.0,
    "aesthetic_quality": 1.0,
    "imaging_quality": 100.0,  # VBench's rows are on 0..100, its mean on 0..1
    "overall_consistency": 1.0,
    "i2v_subject": 1.0,
}
"""VBench's dimensions that are metrics of ours by the same name, and what its rows are multiplied by."""


class Scored(Protocol):
    """One metric of one video, as `backend.api.EvaluationRow`."""

    @property
    def case_id(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def metric(self) -> str: ...
    @property
    def value(self) -> float | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadScore:
    """One score of a file. `runs` are the grades of single runs, float64 `(R,)`, NaN for what is no grade."""

    case: str
    seed: int
    metric: str
    value: float | None
    reason: str | None = None
    runs: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class ScoreList:
    """Scores of known cases, and what is odd about the files (one line each)."""

    scores: tuple[ReadScore, ...]
    files: tuple[str, ...]
    remarks: tuple[str, ...]


def read_scores(format: str, path: str, cases: Sequence[Case]) -> ScoreList:
    """Scores of the cases from `opens2v-scores` (a folder, of benchmark v1.0 or v1.1) or `vbench` (a file).

    Ids of no case, and JSON files of the folder that are not read, are remarks. Raises ImportRefused for a malformed file, naming every value that is no score (the
    first MAX_TOLD), and for one that is not what the checksums beside it list; SettingsError for an unknown format.
    """
    _check_format(format)
    known = {case.name for case in cases}
    place = Path(path)
    changed = changed_files(place) if format == OPENS2V else changed_files(place.parent, only={place.name})
    if changed:
        raise ImportRefused(f"{changed[0]}; export it again, or delete {LIST} if the change is meant")
    found, files = _read_opens2v(place) if format == OPENS2V else _read_vbench(place, known)
    strangers = sorted({score.case for score in found} - known)
    remarks = [f"{len(strangers)} ids belong to no case, as {strangers[0]}"] if strangers else []
    unread = sorted({one.name for one in place.glob("*.json")} - set(files)) if format == OPENS2V else []
    if unread:
        more = f" and {len(unread) - MAX_TOLD} more" if len(unread) > MAX_TOLD else ""
        remarks.append(f"not read, since no scores are taken from them: {', '.join(unread[:MAX_TOLD])}{more}")
    kept = tuple(score for score in found if score.case in known)
    if not kept:
        raise ImportRefused(f"{path} holds no score of these {len(known)} cases; their ids are as {cases[0].name}")
    return ScoreList(kept, tuple(files), tuple(remarks))


def write_scores(
    format: str,
    rows: Iterable[Scored],
    out: str,
    *,
    name: str,
    cases: Sequence[Case],
    preset_id: str = "",
    runs: Mapping[tuple[str, int], np.ndarray] | None = None,
) -> tuple[str, ...]:
    """Writes a system's scores and gives the names of the files.

    `opens2v-scores` makes upstream's files and `NAME_<Domain>-Domain.json` with the preset's scores in 0..1 (NULL where a
    term has no value), `vbench` makes `NAME_eval_results.json`. `runs` are the grades of NaturalScore's single runs by
    case and seed. Upstream knows no seeds: a case with several is written as their mean, each run's grade as the mean of
    that run, so that upstream's merge of the files averages each case first, as our leaderboard does. Checksums of the files
    lie beside them. Raises ProjectError where they cannot be written.
    """
    _check_format(format)
    folder = Path(out)
    scored = [row for row in rows if row.value is not None]
    if not scored:
        raise SettingsError(f"{name} has no score to write")
    if format == VBENCH:
        files = {f"{name}_eval_results": _vbench_of(scored)}
    else:
        domain = next((case.domain for case in cases if case.domain), "open")
        by_case = _over_seeds(scored)
        files = _opens2v_of(by_case, _runs_over_seeds(scored, runs or {}))
        chosen = preset(preset_id or f"opens2v-v1.1-{domain}", domain=domain)
        by_metric: dict[str, list[float]] = {}
        for (metric, _), value in by_case.items():
            by_metric.setdefault(metric, []).append(value)
        files[f"{name}_{domain.capitalize()}-Domain"] = merged(by_metric, chosen)
    for stem, content in files.items():
        write_whole(folder / f"{stem}.json", json.dumps(content, indent=4, allow_nan=False))
    list_files(folder, [f"{stem}.json" for stem in files])
    return tuple(f"{stem}.json" for stem in files)


def held_metrics(format: str) -> frozenset[str]:
    """The metrics that a format has a field for. Raises SettingsError for an unknown format."""
    _check_format(format)
    upstream = {metric for fields in FIELDS.values() for metric in fields.values()}
    return frozenset(DIMENSIONS if format == VBENCH else {*upstream, NATURAL})


def _check_format(format: str) -> None:
    if format not in FORMATS:
        raise SettingsError(f"format {format!r} does not exist{nearest(format, FORMATS)}")


def _read_opens2v(folder: Path) -> tuple[list[ReadScore], list[str]]:
    if not folder.is_dir():
        raise ImportRefused(f"{folder} is not a folder; give the one that holds aesthetic_score.json and the others")
    found: list[ReadScore] = []
    wrong: list[str] = []
    files = []
    for stem in {**FIELDS, **OLDER}:
        path = folder / f"{stem}.json"
        if not path.exists() or _is_superseded(folder, stem):
            continue
        files.append(path.name)
        for case, entry in _entries(path):
            for field, metric in _fields(stem, entry).items():
                value = entry.get(field) if isinstance(entry, dict) else entry
                if problem := _problem(value):
                    wrong.append(f"{path.name}: {case}: {field} {problem}")
                else:
                    found.append(ReadScore(case=case, seed=0, metric=metric, value=float(value)))  # pyright: ignore[reportArgumentType]
    grades, graded = _read_natural(folder)
    if not files and not graded:
        expected = ", ".join(f"{stem}.json" for stem in FIELDS)
        raise ImportRefused(f"{folder} holds none of {expected}, naturalscore_1.json")
    _refuse(wrong)
    return found + grades, files + graded


def _is_superseded(folder: Path, stem: str) -> bool:
    """Whether the same scores lie beside it in a file by v1.1's name."""
    if stem in FIELDS:
        return False
    fed = set(OLDER[stem].values())
    return any(fed & set(fields.values()) and (folder / f"{newer}.json").exists() for newer, fields in FIELDS.items())


def _fields(stem: str, entry: Any) -> dict[str, str]:
    """The fields that an entry is read by: v1.0's where it has one of those and none of v1.1's."""
    newer, older = FIELDS.get(stem, {}), OLDER.get(stem, {})
    there = set(entry) if isinstance(entry, dict) else set()
    return older if not newer or (older.keys() & there and not newer.keys() & there) else newer


def _read_natural(folder: Path) -> tuple[list[ReadScore], list[str]]:
    """Grades of the runs there are. What is no grade is told in the row's reason, as in upstream a failed call is."""
    runs: dict[str, np.ndarray] = {}
    answers: dict[str, str] = {}
    files = []
    for number in range(NUM_RUNS):
        path = folder / f"naturalscore_{number + 1}.json"
        if not path.exists():
            continue
        files.append(path.name)
        for case, answer in _entries(path):
            grade = _grade(answer)
            runs.setdefault(case, np.full(NUM_RUNS, math.nan))[number] = grade
            if math.isnan(grade):
                answers[case] = f"{path.name} answers {str(answer)[:60]!r}"
    found = []
    for case, grades in runs.items():
        value = float(np.nanmean(grades)) if np.isfinite(grades).any() else None
        reason = None if value is not None else f"failed: {answers[case]}"
        found.append(ReadScore(case=case, seed=0, metric=NATURAL, value=value, reason=reason, runs=grades))
    return found, files


def _read_vbench(path: Path, known: set[str]) -> tuple[list[ReadScore], list[str]]:
    found: list[ReadScore] = []
    wrong: list[str] = []
    for dimension, entry in _entries(path):
        rows = entry[1] if isinstance(entry, list) and len(entry) == 2 else None
        if not isinstance(rows, list):
            raise ImportRefused(f"{path}: {dimension} is no pair of a mean and a list of videos")
        if dimension not in DIMENSIONS:
            raise ImportRefused(f"{path}: dimension {dimension!r} is no metric here{nearest(dimension, DIMENSIONS)}")
        for number, row in enumerate(rows):
            video = row.get("video_path") if isinstance(row, dict) else None
            value = row.get("video_results") if isinstance(row, dict) else None
            problem = "has no video_path" if not isinstance(video, str) else _problem(value)
            if problem:
                wrong.append(f"{dimension}, video {number}: {problem}")
                continue
            case, seed = _case_and_seed(str(video), known)
            scaled = float(value) / DIMENSIONS[dimension]  # pyright: ignore[reportArgumentType]
            found.append(ReadScore(case=case, seed=seed, metric=dimension, value=scaled))
    _refuse([f"{path.name}: {line}" for line in wrong])
    return found, [path.name]


def _case_and_seed(video: str, known: set[str]) -> tuple[str, int]:
    stem = PurePath(PureWindowsPath(video).name).stem
    match = SEEDED.fullmatch(stem)
    return (match["name"], int(match["seed"])) if match and stem not in known else (stem, 0)


def _entries(path: Path) -> list[tuple[str, Any]]:
    raw = read_json(path, constants=True)
    if not isinstance(raw, dict) or not raw:
        raise ImportRefused(f"{path} holds a {kind_of(raw)}; scores are one object by id")
    return list(raw.items())


def _problem(value: Any) -> str | None:
    """What keeps a value from being a score."""
    if isinstance(value, bool):
        return f"is {str(value).lower()}"
    if not isinstance(value, int | float):
        return "is missing" if value is None else f"is a {kind_of(value)}"
    if not math.isfinite(value):
        return "is not a number" if math.isnan(value) else "is infinite"
    return None


def _grade(answer: Any) -> float:
    try:
        grade = float(answer)
    except (TypeError, ValueError):
        return math.nan
    return grade if 1 <= grade <= 5 and not isinstance(answer, bool) else math.nan


def _refuse(wrong: Sequence[str]) -> None:
    if wrong:
        more = f" and {len(wrong) - MAX_TOLD} more" if len(wrong) > MAX_TOLD else ""
        raise ImportRefused("; ".join(wrong[:MAX_TOLD]) + more)


def _over_seeds(rows: Iterable[Scored]) -> dict[tuple[str, str], float]:
    """The mean over seeds by metric and case."""
    found: dict[tuple[str, str], list[float]] = {}
    for row in sorted(rows, key=lambda row: row.seed):
        found.setdefault((row.metric, row.case_id), []).append(_value(row))
    return {place: sum(values) / len(values) for place, values in found.items()}


def _runs_over_seeds(rows: Iterable[Scored], runs: Mapping[tuple[str, int], np.ndarray]) -> dict[str, list[float]]:
    """NaturalScore's grade of each run by case, the mean over seeds; NaN where a run has no grade."""
    graded: dict[str, list[np.ndarray]] = {}
    for row in rows:
        if row.metric == NATURAL:
            own = np.full(NUM_RUNS, math.nan)
            told = runs.get((row.case_id, row.seed), np.array([row.value], float)).reshape(-1)[:NUM_RUNS]
            own[: len(told)] = told
            graded.setdefault(row.case_id, []).append(own)
    means = {}
    for case, found in graded.items():
        columns = (column[np.isfinite(column)] for column in np.stack(found).T)
        means[case] = [float(column.mean()) if len(column) else math.nan for column in columns]
    return means


def _opens2v_of(values: Mapping[tuple[str, str], float], runs: Mapping[str, list[float]]) -> dict[str, Any]:
    files: dict[str, Any] = {}
    for stem, fields in FIELDS.items():
        for field, metric in fields.items():
            for (measured, case), value in values.items():
                if measured == metric:
                    files.setdefault(stem, {}).setdefault(case, {})[field] = value
    for case, grades in runs.items():
        for number, grade in enumerate(grades, 1):
            if math.isfinite(grade):
                files.setdefault(f"naturalscore_{number}", {})[case] = f"{grade:g}"
    return files


def _vbench_of(rows: Sequence[Scored]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for dimension, factor in DIMENSIONS.items():
        own = [row for row in rows if row.metric == dimension]
        videos = [
            {
                "video_path": f"{row.case_id}_seed{row.seed}.mp4" if row.seed else f"{row.case_id}.mp4",
                "video_results": _value(row) * factor,
            }
            for row in own
        ]
        if own:
            content[dimension] = [sum(_value(row) for row in own) / len(own), videos]
    if not content:
        raise SettingsError(f"none of VBench's dimensions has a score; measure one of {', '.join(DIMENSIONS)}")
    return content


def _value(row: Scored) -> float:
    assert row.value is not None, "rows without a value are left out first"
    return row.value
