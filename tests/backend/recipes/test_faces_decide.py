"""ArcFace in its real format decides who is paired: one woman in two dresses, and another in the first of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from backend.cli.output import show_status
from backend.domain import Box, Detection, Footage, Source
from backend.engine.context import WorkerSettings, load
from backend.engine.crews import Inline
from backend.engine.plan import Plan
from backend.engine.run import PlanRun
from backend.media.writer import write_video
from backend.models import MODELS
from backend.models.places import model_id_of
from backend.recipes import RECIPES
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot
from backend.workspace.status import status_of
from tests.backend.stages.moving_things import natural

pytest.importorskip("torch")
pytestmark = pytest.mark.slow

HERE = "tests.backend.recipes.test_faces_decide:"
STEPS = (
    "probe_source",
    "split_shots",
    "find_subjects",
    "segment_subjects",
    "embed_appearances",
    "pair_subjects",
)
HEIGHT, WIDTH, TAKE = 384, 640, 30
CELL = 32
RED, BLUE = (170, 40, 40), (40, 60, 170)
ANN = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 0, 1, 1]])
ANN_LATER = np.array([[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]])
"""13 of 16 blocks as before: the cosine of the patterns is (13 - 3) / 16 = .6, less what the film and the network change."""
BEA = np.array([[1, 0, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0]])
"""8 of 16 blocks as Ann's: a cosine of 0."""
TAKES = (((3, ANN, RED),), ((2, ANN_LATER, BLUE), (12, BEA, RED)))
"""In each take people by the column of their body's left edge, in cells: face and dress."""


def box_of(column: int) -> Box:
    return (float(column * CELL), 2.0 * CELL, (column + 5.0) * CELL, 11.0 * CELL)


def picture(take: int) -> np.ndarray:
    frame = natural(np.random.default_rng(take), HEIGHT, WIDTH) // 2 + np.uint8(90 * take)
    for column, face, dress in TAKES[take]:
        x0, y0, x1, y1 = (int(edge) for edge in box_of(column))
        frame[y0:y1, x0:x1] = dress
        cell = np.full((CELL, CELL, 3), 255, np.uint8)
        cell[..., 1] = np.kron(80 * face, np.ones((8, 8)))
        frame[y0 + CELL : y0 + 2 * CELL, x0 + 2 * CELL : x0 + 3 * CELL] = cell
    return frame


class Everybody:
    """Finds the people of a take where they stand."""

    model_id: ClassVar[str] = "everybody"

    def detect(self, footage: Footage, frames: Sequence[int], phrases: Sequence[str]) -> list[Detection]:
        people = TAKES[footage.clip.start_frame // TAKE]
        return [
            Detection(frame=frame, box=box_of(column), score=0.9, kind="person", label=None, track=column)
            for frame in frames
            for column, _, _ in people
        ]


class WholeBox:
    """Cuts out the whole box."""

    model_id: ClassVar[str] = "whole-box"

    def segment(self, frame: np.ndarray, boxes: Sequence[Box]) -> tuple[np.ndarray, np.ndarray]:
        masks = np.zeros((len(boxes), *frame.shape[:2]), bool)
        for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
            mask[round(y0) : round(y1), round(x0) : round(x1)] = True
        return masks, np.ones(len(boxes), np.float32)


def test_the_face_keeps_one_woman_in_two_dresses_and_refuses_another_in_hers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.backend.models.tiny_vision import save_dino
    from tests.metrics.checkpoints_faces import write_pack

    dino = str(save_dino(tmp_path / "dino", "dinov2"))
    models = {"AppearanceEmbedder": dino, "BackgroundEmbedder": dino, "FaceEmbedder": str(write_pack(tmp_path / "pack"))}
    bound = {"AppearanceEmbedder": "dinov2", "BackgroundEmbedder": "paper", "FaceEmbedder": "paper"}
    paths = {role: found["embedded"] for role, found in MODELS.items() if "embedded" in found}
    paths |= {role: MODELS[role][name] for role, name in bound.items()}
    paths |= {"Detector": f"{HERE}Everybody", "Segmenter": f"{HERE}WholeBox"}
    film = tmp_path / "film.mp4"
    write_video(film, [frame for take in range(2) for frame in [picture(take)] * TAKE], fps=24, crf=5)
    catalog = Catalog(tmp_path / "catalog.duckdb")
    stat = film.stat()
    catalog.add_records([Source(uri=str(film), num_bytes=stat.st_size, modified_ns=stat.st_mtime_ns)], work_key="listed")
    recipe = RECIPES["phantom"](dict.fromkeys(paths, "embedded") | bound)
    plan = Plan(
        steps=tuple(step for step in recipe if step.stage.name in STEPS),
        model_ids={role: model_id_of(role, load(path), models) for role, path in paths.items()},
    )
    boxes = {g.name: 1e9 if "<" in g.comparison else -1e9 for g in plan.gates() if g.record == "appearance"}
    plan = plan.with_gates(boxes)  # of boxes nothing is asked here
    (tmp_path / "artifacts").mkdir()
    crew = Inline(WorkerSettings(artifacts=tmp_path / "artifacts", roles=paths, models=models, device="cpu"))
    try:
        PlanRun(catalog=catalog, artifacts=Artifacts(tmp_path / "artifacts"), plan=plan, crew=crew)()
    finally:
        crew.close()
    with Snapshot(catalog).of(plan) as now:
        status = status_of(now, plan)
        kept = now.query(_FACES.format(which="p.id IN (SELECT id FROM kept_pair)"))
        held = now.query(_FACES.format(which="p.id IN (SELECT id FROM gated WHERE kind = 'pair')"))
        gates = now.query("SELECT DISTINCT gate FROM gated WHERE kind = 'pair'")
    catalog.close()
    assert [row[:2] for row in kept] == [(3, 2), (3, 2)], "two pairs of frames of one link"
    assert all(value == pytest.approx(0.6, abs=0.15) for *_, value in kept)
    assert [row[:2] for row in held] == [(3, 12), (3, 12)]
    assert all(value < 0.28 for *_, value in held)
    assert gates == [("pair.face_cosine.min",)]
    (gate,) = (row for row in status.gates if row.score == "face_cosine")
    assert (gate.value, gate.dropped, gate.unmeasured) == (0.28, 2, 0)
    show_status(status)
    told = " ".join(capsys.readouterr().out.split())
    assert "pair.similarity >= 0: no value is known for AppearanceEmbedder = dinov2; nothing is held back" in told


_FACES = """
SELECT a.box[1]::INTEGER // 32, b.box[1]::INTEGER // 32, s.value FROM pair p JOIN appearance a ON a.id = p.target_appearance_id
JOIN appearance b ON b.id = p.reference_appearance_id JOIN score s ON s.target = p.id AND s.name = 'face_cosine'
WHERE p.kind = 'cross_frame' AND {which} ORDER BY 1, 2
"""
