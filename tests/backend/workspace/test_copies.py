"""Near-duplicate clips and identities: counted, reported, and never on two sides of a split."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.engine.plan import Step
from backend.media.writer import write_video
from backend.stages.duplicates import HashClips
from backend.workspace import Workspace
from tests.backend.measures.moving_pictures import shot
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import plan

NUM_FILMS = 6


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each film of three shots stands there twice: as it is, and darker."""
    folder = tmp_path_factory.mktemp("films")
    for k in range(NUM_FILMS):
        frames = np.concatenate([shot(10 * k + n, 10, height=96, width=160) for n in range(3)])
        write_video(folder / f"film_{k}.mp4", frames, fps=25)
        write_video(folder / f"film_{k}_dark.mp4", (frames * 0.8).astype(np.uint8), fps=25)
    return folder


@pytest.fixture
def hashed(tmp_path: Path, films: Path) -> Iterator[Workspace]:
    workspace = Workspace(tmp_path / "project", create=True)
    toy = plan()
    workspace.plan = dataclasses.replace(toy, steps=(*toy.steps, Step(HashClips())))
    workspace.ingest(paths=(str(films),), licence="CC0-1.0")
    curated(workspace)
    yield workspace
    workspace.close()


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_near_duplicates_are_counted_and_listed_in_the_report(hashed: Workspace) -> None:
    assert hashed.status().counts["near_duplicates"] == 3 * NUM_FILMS
    page = Path(hashed.report()).read_text(encoding="utf-8")
    assert "Near-duplicate clips" in page and "film_0_dark.mp4" in page


def test_films_with_a_common_clip_fall_into_one_split(hashed: Workspace, tmp_path: Path) -> None:
    hashed.export(format="manifest", out=str(tmp_path / "out"), split="train=.5,test=.5")
    split = {Path(row["uri"]).stem: row["split"] for row in lines(tmp_path / "out" / "videos.jsonl")}
    assert {split[f"film_{k}"] == split[f"film_{k}_dark"] for k in range(NUM_FILMS)} == {True}
    assert set(split.values()) == {"train", "test"}


def test_subjects_that_accepted_pairs_join_are_one_identity_whichever_are_exported(
    hashed: Workspace, tmp_path: Path
) -> None:
    hashed.export(format="manifest", out=str(tmp_path / "all"))
    hashed.export(format="manifest", out=str(tmp_path / "some"), where="similarity > .8")
    identity = {row["pair_id"]: row["identity"] for row in lines(tmp_path / "all" / "pairs.jsonl")}
    assert len(identity) == 2 * 2 * NUM_FILMS and len(set(identity.values())) == 2 * NUM_FILMS
    assert None not in identity.values()
    assert all(row["identity"] == identity[row["pair_id"]] for row in lines(tmp_path / "some" / "pairs.jsonl"))
