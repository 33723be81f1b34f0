"""What the weights-free evaluation says of systems with known faults, and whether planted defects are found."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np

from backend import sampleworld
from backend.domain import Case, Generation, Item, Ok, Score
from backend.engine.context import WorkContext, WorkerSettings
from backend.media import writer
from backend.models import MODELS
from backend.sampleworld.cases import CASES_NAME, SYSTEMS, Takes, render_cases
from backend.sampleworld.cast import Wardrobe, draw_cast
from bench import evaluation_defects
from bench.cost import cpu_s
from bench.evaluation_defects import DEFECTS, frames_of, planted, two_subjects, write
from metrics.copy_paste import CopyPasteIndex
from metrics.diagnostics import (
    ColourDrift,
    ConsistencyFade,
    FirstFrameCopy,
    FirstFramesBlur,
    FrameRepetition,
    SubjectDuplication,
)
from metrics.embedded import EmbeddedDecoupling, EmbeddedIdentity, EmbeddedPromptBackground, EmbeddedQuality
from metrics.motion import MotionAmplitude, MotionAmplitudeCompat, TemporalFlickering
from metrics.spec import Metric
from metrics.stage import Measure

FOLDER = Path(tempfile.gettempdir()) / "subject-studio-bench-cases"
CASES = 30  # of each seed
DEFECT_CASES = 8  # of each seed, for each defect: with these, 12 min of one core once the cases are rendered
TARGET = 0.9
NUM_BOOTSTRAP = 1000
SYSTEM_METRICS: tuple[Metric, ...] = (
    EmbeddedIdentity(),
    EmbeddedDecoupling(),
    EmbeddedPromptBackground(),
    CopyPasteIndex(),
    EmbeddedQuality(),
    MotionAmplitude(),
    MotionAmplitudeCompat(),
    TemporalFlickering(),
)
"""All that need no weights, but for the diagnostics, which have defects of their own."""
CLAIMS = (
    ("embedded_identity", "faithful", "wrong_identity"),
    ("embedded_identity", "copy_paste", "wrong_identity"),
    ("copy_paste_index", "copy_paste", "faithful"),
    ("embedded_decoupling", "faithful", "copy_paste"),
    ("embedded_prompt_background", "faithful", "copy_paste"),
)
DIAGNOSTICS: tuple[Metric, ...] = (
    FirstFrameCopy(),
    FirstFramesBlur(),
    ConsistencyFade(),
    ColourDrift(),
    FrameRepetition(),
    SubjectDuplication(),
)
Values = dict[tuple[str, str], dict[str, float]]
"""By metric and system (or defect), the values of each case."""


@dataclass
class Tally:
    """Values and what they cost."""

    values: Values = field(default_factory=dict)
    absent: int = 0
    cpu_s: float = 0.0
    videos: set[Path] = field(default_factory=set)

    def add(self, metric: str, group: str, case: str, value: float | None) -> None:
        if value is None:
            self.absent += 1
        else:
            self.values.setdefault((metric, group), {})[case] = value


def run(seeds: Sequence[int], count: int = CASES, defect_cases: int = DEFECT_CASES) -> list[dict]:
    """A row for each claim, over all cases of the seeds; the order of systems by what claims nothing; planted defects; costs.

    AUC: how often a value of the one system lies above one of the other. *Within a case* compares the two videos of
    one case, as a benchmark does; *pooled* any two videos, which also asks that the scale be the same for all cases.
    """
    cv2.setNumThreads(1)
    systems, defects = Tally(), Tally()
    for seed in seeds:
        folder = rendered(seed, count)
        cases = read_cases(folder)
        # Features of an earlier run would cost nothing.
        with tempfile.TemporaryDirectory() as scratch:
            _judge_systems(folder, cases, f"{seed}", systems, scratch=Path(scratch))
            _judge_defects(folder, dict(list(cases.items())[:defect_cases]), seed, defects, scratch=Path(scratch))
    rows = []
    for metric, above, below in CLAIMS:
        rows += _claim(systems.values, metric, above, below, target=TARGET)
    claiming = {metric for metric, _, _ in CLAIMS}
    rows += [order_of(systems.values, metric) for metric in SYSTEM_METRICS if metric.id not in claiming]
    for metric in DIAGNOSTICS:
        rows += _claim(defects.values, metric.id, "planted", "clean", target=TARGET, what=("pooled",))
    rows.append(_cost(f"CPU seconds a video, {len(SYSTEM_METRICS)} metrics and decoding", systems))
    rows.append(_cost("CPU seconds a video, the diagnostics asked of it and decoding", defects))
    return rows


def rendered(seed: int, count: int, *, root: Path = FOLDER, takes: Takes | None = None) -> Path:
    """The folder of a seed's cases, rendered when it is not there or other code rendered it."""
    folder = root / f"{seed}-{count}"
    stamp = folder / "rendered_by"
    if not stamp.exists() or stamp.read_text() != renderer():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        render_cases(folder, draw_cast(seed), seed=seed, count=count, takes=takes)
        stamp.write_text(renderer())
    return folder


def renderer() -> str:
    """Names the code that cases and defects are rendered with: its files and the libraries that draw and encode."""
    files = [*Path(sampleworld.__file__).parent.rglob("*.py"), *map(Path, (writer.__file__, evaluation_defects.__file__))]
    made = hashlib.blake2b(digest_size=16)
    for path in sorted(files):
        made.update(f"{path.name} {_hash(path)}\n".encode())
    made.update(f"{np.__version__} {cv2.__version__} {av.__version__}".encode())
    return made.hexdigest()


def read_cases(folder: Path) -> dict[str, Case]:
    """Cases by name."""
    raw = json.loads((folder / CASES_NAME).read_text(encoding="utf-8"))
    cases = {}
    for name, fields in raw.items():
        references = tuple(str(folder / path) for path in fields["img_paths"])
        cases[name] = Case(
            benchmark="sampleworld",
            name=name,
            prompt=fields["prompt"],
            references=references,
            hashes=tuple(_hash(Path(path)) for path in references),
            labels=tuple(fields["class_label"]),
        )
    return cases


def measure(metric: Metric, case: Case, path: Path, folder: Path, *, beside: Sequence[Metric] = ()) -> Score:
    """One metric on one file, through the stage that evaluation runs; what it keeps goes below the folder."""
    features = tuple(feature for other in beside for feature in other.features.values())
    generation = Generation(
        case_id=case.id,
        system=path.parent.name,
        seed=0,
        path=str(path),
        content_hash=_hash(path),
        num_bytes=path.stat().st_size,
    )
    stage = Measure(metric, folder / "features", features)
    roles = {role: implementations["embedded"] for role, implementations in MODELS.items() if "embedded" in implementations}
    context = _context(str(folder / "artifacts"), tuple(sorted(roles.items())))
    item = Item(generation.id, {Case: (case,), Generation: (generation,)})
    (result,) = stage([item], context)
    assert isinstance(result, Ok), f"{metric.id} gave {result}"
    (score,) = result.rows
    assert isinstance(score, Score)
    return score


def auc(above: Mapping[str, float], below: Mapping[str, float], *, pooled: bool) -> tuple[float, float, float]:
    """The area and its 95 % bootstrap interval over cases; ties count one half. NaN where a side is empty."""
    rng = np.random.default_rng(0)
    common = sorted(set(above) & set(below))
    if not common:
        return np.nan, np.nan, np.nan
    a, b = (np.array([values[name] for name in common]) for values in (above, below))
    wins = np.sign(a[:, None] - b[None]) / 2 + 0.5
    matrix = wins if pooled else np.diag(wins)

    def area(rows: np.ndarray) -> float:
        return float(matrix[np.ix_(rows, rows)].mean() if pooled else matrix[rows].mean())

    draws = [area(rng.integers(0, len(common), len(common))) for _ in range(NUM_BOOTSTRAP)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return area(np.arange(len(common))), float(low), float(high)


def order_of(values: Values, metric: Metric) -> dict:
    """Systems from the best to the worst by their medians, which asserts nothing; `value` is the best one's."""
    found = {system: list(values.get((metric.id, system), {}).values()) for system in SYSTEMS}
    medians = {system: float(np.median(each)) for system, each in found.items() if each}
    best = sorted(medians.items(), key=lambda one: one[1], reverse=metric.higher_is_better)
    return {
        "name": f"order of systems by {metric.id}, which claims nothing",
        "value": best[0][1] if best else None,
        "target": None,
        "n": min(map(len, found.values())),
        "note": ", ".join(f"{system} {median:.3f}" for system, median in best),
    }


def _judge_systems(folder: Path, cases: Mapping[str, Case], prefix: str, tally: Tally, *, scratch: Path) -> None:
    for name, case in cases.items():
        for system in SYSTEMS:
            path = folder / "systems" / system / f"{name}.mp4"
            started = cpu_s()
            for metric in SYSTEM_METRICS:
                score = measure(metric, case, path, scratch, beside=SYSTEM_METRICS)
                tally.add(metric.id, system, f"{prefix}/{name}", score.value)
            tally.cpu_s += cpu_s() - started
            tally.videos.add(path)


def _judge_defects(folder: Path, cases: Mapping[str, Case], seed: int, tally: Tally, *, scratch: Path) -> None:
    wardrobe = Wardrobe()
    identities = draw_cast(seed)
    for number, (name, case) in enumerate(cases.items()):
        clean = folder / "systems" / "faithful" / f"{name}.mp4"
        files = {metric: {"clean": clean, "planted": folder / "defects" / metric / f"{name}.mp4"} for metric in DEFECTS}
        if any(not pair["planted"].exists() for pair in files.values()):
            frames, other = frames_of(clean), frames_of(folder / "systems" / "wrong_identity" / f"{name}.mp4")
            for k, (metric, pair) in enumerate(files.items()):
                rng = np.random.default_rng([seed, 71, number, k])
                write(pair["planted"], planted(metric, frames, reference=Path(case.references[0]), other=other, rng=rng))
        twice = {kind: folder / "defects" / f"two_{kind}" / f"{name}.mp4" for kind in ("clean", "planted")}
        first, second = identities[number % len(identities)], identities[(number + 7) % len(identities)]
        for kind, path in twice.items():
            if not path.exists():
                rng = np.random.default_rng([seed, 72, number])
                write(path, two_subjects(first, first if kind == "planted" else second, rng, wardrobe))
        files["subject_duplication"] = twice
        for metric in DIAGNOSTICS:
            for kind, path in files[metric.id].items():
                beside = [other for other in DIAGNOSTICS if files[other.id][kind] == path]
                started = cpu_s()
                score = measure(metric, case, path, scratch, beside=beside)
                tally.cpu_s += cpu_s() - started
                tally.add(metric.id, kind, f"{seed}/{name}", score.value)
                tally.videos.add(path)


def _claim(
    values: Values,
    metric: str,
    above: str,
    below: str,
    *,
    target: float,
    what: Sequence[str] = ("within a case", "pooled"),
) -> list[dict]:
    a, b = values.get((metric, above), {}), values.get((metric, below), {})
    rows = []
    for kind in what:
        value, low, high = auc(a, b, pooled=kind == "pooled")
        medians = f"medians {np.median(list(a.values())):.3f}, {np.median(list(b.values())):.3f}" if a and b else ""
        rows.append(
            {
                "name": f"AUC of {metric}, {above} above {below}, {kind}",
                "value": value,
                "target": target,
                "ok": value >= target,
                "spread": f"{low:.2f} to {high:.2f}",
                "n": len(set(a) & set(b)),
                "note": medians,
            }
        )
    return rows


def _cost(name: str, tally: Tally) -> dict:
    note = f"from nothing; features of a video and of its case are shared; {tally.absent} scores absent"
    num = len(tally.videos)
    return {"name": name, "value": tally.cpu_s / max(1, num), "unit": "s", "n": num, "note": note}


_CONTEXTS: dict[str, WorkContext] = {}


def _context(artifacts: str, roles: tuple[tuple[str, str], ...]) -> WorkContext:
    """Models are loaded once."""
    if artifacts not in _CONTEXTS:
        _CONTEXTS[artifacts] = WorkContext(WorkerSettings(artifacts=Path(artifacts), roles=dict(roles)))
    return _CONTEXTS[artifacts]


def _hash(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes()).hexdigest()
