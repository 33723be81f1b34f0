"""Training runs as their folders stand: how far they are, what they said of themselves, the videos that were made on the way.

A run's folder is that of `training` (docs/training.md): `config.json`, `metrics.jsonl`, `checkpoints/step-N`, `samples/step-N/CLIP.mp4`, `export`.
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from backend.api import MediaFile
from backend.domain import ImportRefused, ProjectError, SettingsError, digest
from backend.domain.jobs import JobRow, TrainingCurves, TrainingRun, ValidationVideo
from backend.exports.reader import ManifestReader, read_manifest
from backend.media.guard import guarded_probe
from backend.workspace.containment import contained

STATES = {"queued": "running", "running": "running", "done": "done", "failed": "failed"}
"""Of a run, by the state of its last job; any other stopped it."""
STAGE = "train"
_STEP = re.compile(r"step-(\d{8})")
_MEDIUM = re.compile(r"r-[0-9a-f]{40}")
MIN_POINTS = 10


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run with its jobs, newest first."""

    path: Path
    jobs: tuple[JobRow, ...]

    @property
    def data(self) -> Path:
        """The export that it learns from."""
        return Path(self.jobs[0].asked.get("data", ""))

    def summary(self) -> TrainingRun:
        config, last = self._config(), self.jobs[0]
        checkpoints = _steps(self.path / "checkpoints")
        step = max([*checkpoints, last.done if last.stage == STAGE else 0])
        return TrainingRun(
            run=str(self.path),
            recipe=str(config.get("recipe") or last.asked.get("recipe", "")),
            state=STATES.get(last.state, "stopped"),
            step=step,
            steps=int(config.get("run", {}).get("steps", 0)),
            checkpoints=checkpoints,
            samples=tuple(step for step in _steps(self.path / "samples") if self.videos(step)),
            exported=(self.path / "export").is_dir(),
        )

    def videos(self, step: int) -> dict[str, Path]:
        """Whole validation videos by name."""
        found = sorted((self.path / "samples" / f"step-{step:08d}").glob("*.mp4"))
        return {path.stem: path for path in found if path.is_file() and path.stat().st_size > 0}

    def media_id(self, step: int, name: str) -> str:
        """An id that tells nothing of the run."""
        return f"r-{digest((str(self.path), step, name), num_bytes=20)}"

    def _config(self) -> dict[str, Any]:
        try:
            found = json.loads((self.path / "config.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def run_folders(jobs: Iterable[JobRow]) -> list[RunFolder]:
    """The runs of training jobs (newest first), the one that was worked on last first."""
    by_place: dict[str, list[JobRow]] = {}
    for job in jobs:
        by_place.setdefault(job.out, []).append(job)
    return [RunFolder(Path(place), tuple(found)) for place, found in by_place.items()]


def run_named(runs: Sequence[RunFolder], name: str) -> RunFolder:
    """Raises ProjectError for a folder that is no run of this project."""
    for run in runs:
        if str(run.path) == name:
            return run
    raise ProjectError(f"{name[:200]!r} is no training run that a job of this project started; `jobs list` names those")


def curves(run: RunFolder, *, limit: int) -> TrainingCurves:
    """What a run said of itself, each value with about `limit` points at most: lowest and highest of each stretch stay."""
    if limit < MIN_POINTS:
        raise SettingsError(f"limit is {limit}; ask for {MIN_POINTS} points or more")
    path = run.path / "metrics.jsonl"
    if not path.exists():
        return TrainingCurves(run=str(run.path), steps={}, values={})
    facts = path.stat()
    return _curves(run.path, facts.st_size, facts.st_mtime_ns, limit)


@lru_cache(maxsize=8)
def _curves(run: Path, num_bytes: int, modified_ns: int, limit: int) -> TrainingCurves:
    """Read once for a file as it is: whoever looks at a run asks every few seconds."""
    found: dict[str, dict[int, float]] = {}
    for line in _lines(run / "metrics.jsonl"):
        step = line.pop("step")
        for name, value in line.items():
            if isinstance(value, int | float) and math.isfinite(value):
                found.setdefault(name, {})[int(step)] = float(value)
    thin = {name: thinned(sorted(points.items()), limit) for name, points in found.items()}
    return TrainingCurves(
        run=str(run),
        steps={name: tuple(step for step, _ in points) for name, points in thin.items()},
        values={name: tuple(value for _, value in points) for name, points in thin.items()},
    )


def thinned(points: Sequence[tuple[int, float]], limit: int) -> list[tuple[int, float]]:
    """At most `limit` of the points: the first, the last, and the lowest and highest of equal stretches between them."""
    if len(points) <= limit:
        return list(points)
    inner = points[1:-1]
    stretches = (limit - 2) // 2
    kept = [points[0]]
    for number in range(stretches):
        stretch = inner[number * len(inner) // stretches : (number + 1) * len(inner) // stretches]
        ends = {min(stretch, key=lambda point: point[1]), max(stretch, key=lambda point: point[1])}
        kept += sorted(ends)
    return [*kept, points[-1]]


def validation_videos(run: RunFolder, step: int) -> tuple[ValidationVideo, ...]:
    """The videos of a validation, with what their clips show. Raises ProjectError for a step without any."""
    names = run.videos(step)
    if not names:
        known = ", ".join(map(str, run.summary().samples)) or "none yet"
        raise ProjectError(f"no validation videos were made at step {step} of {run.path.name}; there are of: {known}")
    captions = _captions(run)
    return tuple(
        ValidationVideo(name=name, step=step, media_id=run.media_id(step, name), caption=captions.get(name, ""))
        for name in names
    )


def is_medium(media_id: str) -> bool:
    """Whether an id is of the kind that validation videos have."""
    return bool(_MEDIUM.fullmatch(media_id))


def training_medium(runs: Iterable[RunFolder], media_id: str) -> MediaFile:
    """A validation video by its id. Raises ProjectError for one that names nothing, MediaError for a file that cannot be read."""
    for run in runs:
        for step in _steps(run.path / "samples"):
            for name, path in run.videos(step).items():
                if run.media_id(step, name) == media_id:
                    found = guarded_probe(str(path))
                    medium = MediaFile(path=str(path), mime="video/mp4", num_frames=found.num_frames, fps=found.fps)
                    return contained(medium, run.path)
    raise ProjectError(f"media {media_id[:80]!r} does not exist in this project; ask for the run's videos again")


def comparison_cases(run: RunFolder, steps: tuple[int, int]) -> Path:
    """Writes the cases of two validations' common videos beside these, and gives the file's path.

    Prompts are the clips' captions, references the pictures that the samples were made with, with places below the export's folder.
    Raises ProjectError where a step has no videos, the two have none in common, or the export is gone.
    """
    first, second = (run.videos(step) for step in steps)
    if steps[0] == steps[1]:
        raise ProjectError(f"step {steps[0]} was given twice; name two different steps")
    for step, found in zip(steps, (first, second), strict=True):
        if not found:
            validation_videos(run, step)
    common = sorted(first.keys() & second.keys())
    if not common:
        raise ProjectError(f"steps {steps[0]} and {steps[1]} of {run.path.name} have no video of the same clip")
    cases = _cases(run, common)
    path = run.path / "samples" / f"cases-{steps[0]}-{steps[1]}.json"
    try:
        path.write_text(json.dumps(cases, indent=1, ensure_ascii=False), encoding="utf-8")
    except OSError as error:
        raise ProjectError(f"{path} cannot be written: {error.strerror}; free some space") from error
    return path


def _cases(run: RunFolder, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    reader = _export(run)
    wanted = set(names)
    samples = {}
    for sample in reader.samples():
        if sample.clip_id in wanted and (sample.clip_id not in samples or sample.kind == "cross_pair"):
            samples[sample.clip_id] = sample
    pairs = {reference.pair_id for sample in samples.values() for reference in sample.references}
    pictures = {
        pair.pair_id: (pair.reference.crop, pair.phrase or pair.category or "subject")
        for pair in reader.pairs()
        if pair.pair_id in pairs and pair.reference.crop is not None
    }
    cases = {}
    for name, sample in sorted(samples.items()):
        shown = [pictures[one.pair_id] for one in sample.references if one.pair_id in pictures]
        if shown:
            places = [str(reader.artifact(crop).relative_to(reader.folder)) for crop, _ in shown]
            labels = [label for _, label in shown]
            cases[name] = {"prompt": sample.caption or labels[0], "img_paths": places, "class_label": labels}
    if not cases:
        raise ProjectError(
            f"the export {reader.folder} has no sample with references for these videos any more; people would have nothing to compare with"
        )
    return cases


def _captions(run: RunFolder) -> dict[str, str]:
    """Captions by clip; none where the export is gone."""
    try:
        return {sample.clip_id: sample.caption or "" for sample in _export(run).samples()}
    except (ProjectError, ImportRefused):
        return {}


def _export(run: RunFolder) -> ManifestReader:
    try:
        return read_manifest(run.data, verify=False)
    except ImportRefused as error:
        raise ProjectError(f"the export that {run.path.name} learned from cannot be read: {error}") from error


def _steps(folder: Path) -> tuple[int, ...]:
    """Steps that have a whole folder, ascending."""
    if not folder.is_dir():
        return ()
    found = (_STEP.fullmatch(path.name) for path in folder.iterdir())
    return tuple(sorted(int(match[1]) for match in found if match))


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    """Whole lines: the last may be under way, or cut by a kill."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("}\n"):
                yield json.loads(line)
