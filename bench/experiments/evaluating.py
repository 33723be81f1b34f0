"""A row's videos under the product's own evaluation: files beside their cases, measured in a project as `studio-backend evaluate` does.

A case is what the run was given: the clip's caption, and the reference pictures or anchors at the export's own size. Cut-outs are
cut out, and whole pictures are whole, though the export keeps the figure's mask beside them.
"""

import json
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from backend.domain import ProjectError
from backend.media.images import encode_png, read_rgba
from backend.media.writer import write_video
from backend.settings import ProjectSettings
from backend.workspace import Workspace
from bench.experiments.document import SCORED
from bench.experiments.exports import LOSSLESS, Truth
from bench.experiments.scenes import FPS
from bench.experiments.table import WHOLE_PICTURES, Row
from bench.experiments.tests import Answer

POLL_S = 0.1
Scores = dict[str, dict[str, float]]
"""By metric, the values of the cases that have one."""


def evaluated(
    found: Sequence[Answer],
    row: Row,
    metrics: Sequence[str],
    *,
    export: Path,
    truth: Truth,
    system: str,
    folder: Path,
    project: Path,
) -> Scores:
    """What metrics of `evaluate` say of a row's videos for clips of an export.

    Cases and videos are kept in `folder`, features by their content in `project`.

    Raises ProjectError where the evaluation breaks off or a video fails: a figure of the others would be one of other cases.
    """
    write_answers(found, row, export=export, truth=truth, folder=folder)
    settings = ProjectSettings(profile="embedded", engine="inline")
    try:
        with closing(Workspace(project, create=True, settings=settings)) as workspace:
            return _scores(workspace, folder, metrics=tuple(metrics), system=system)
    except ProjectError:
        shutil.rmtree(project, ignore_errors=True)  # it would remember what failed
        raise


def write_answers(found: Sequence[Answer], row: Row, *, export: Path, truth: Truth, folder: Path) -> None:
    """`cases.json` with its pictures, and `videos/CLIP.mp4`: what `evaluate` takes. In place of what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "videos").mkdir(parents=True)
    cases = {answer.drawn.example.clip_id: _case(answer, truth) for answer in found}
    assert len(cases) == len(found), "a clip is asked for once"
    (folder / "cases.json").write_text(json.dumps(cases, indent=1), encoding="utf-8")
    for path in {path for case in cases.values() for path in case["img_paths"]}:
        rgba = read_rgba(export / path)
        shown = rgba[..., :3] if row.test in WHOLE_PICTURES else rgba
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(encode_png(np.ascontiguousarray(shown)))
    for answer in found:
        path = folder / "videos" / f"{answer.drawn.example.clip_id}.mp4"
        write_video(path, answer.video, fps=FPS, crf=LOSSLESS, bitexact=True)


def means_of(scores: Scores) -> dict[str, float]:
    """As a row keeps them: the mean over the cases that have a value, where any has, and how many have one."""
    found: dict[str, float] = {}
    for metric, values in scores.items():
        found[f"{metric}{SCORED}"] = float(len(values))
        if values:
            found[metric] = sum(values.values()) / len(values)
    return found


def _case(answer: Answer, truth: Truth) -> Mapping[str, Any]:
    shown = answer.drawn.shown
    kinds = [f"{each.segment.role}:{each.segment.category}".removesuffix(":") for each in shown]
    return {
        "img_paths": [each.picture.target for each in shown],
        "prompt": truth.clips[answer.drawn.example.clip_id].scene.caption,
        "class_label": [truth.pictures[each.picture.target].figures[0].kind for each in shown],
        **({"kinds": kinds} if answer.drawn.example.candidates else {}),
    }


def _scores(workspace: Workspace, folder: Path, *, metrics: tuple[str, ...], system: str) -> Scores:
    asked = workspace.evaluate(
        cases=str(folder / "cases.json"),
        videos=str(folder / "videos"),
        system=system,
        metrics=metrics,
    )
    job = asked.job
    while job.state in ("queued", "running"):
        time.sleep(POLL_S)
        job = workspace.progress(job_id=job.job_id)
    if job.state != "done":
        raise ProjectError(f"the evaluation of {folder} broke off: {job.message}")
    rows = [row for row in workspace.evaluation(systems=(system,), metrics=metrics) if row.benchmark == asked.benchmark]
    broken = [row for row in rows if row.value is None and row.state in ("failed", "unavailable")]
    if broken or dict(Counter(row.metric for row in rows)) != dict.fromkeys(metrics, asked.videos):
        told = f"{broken[0].case_id}, {broken[0].metric}: {broken[0].reason}" if broken else f"{len(rows)} rows came of it"
        raise ProjectError(f"the evaluation of {asked.videos} videos of {folder} is not whole: {told}")
    return {
        metric: {row.case_id: row.value for row in rows if row.metric == metric and row.value is not None}
        for metric in metrics
    }
