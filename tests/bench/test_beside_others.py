"""Benchmarks that stand beside another program give both the same work, and count it by the same rule."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from backend.domain import Source
from backend.media.writer import write_video
from bench import ray_data, shots

CUT = 40


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shots of different texture, with the cut at a known frame."""
    rng = np.random.default_rng(0)
    one, other = (rng.integers(low, low + 90, (180, 320, 3)).astype(np.uint8) for low in (0, 160))
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_video(path, (one if n < CUT else other for n in range(2 * CUT)), fps=24, crf=20)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("side", shots.SIDES)
def test_both_sides_count_frames_alike(side: str, clip: Path, tmp_path: Path) -> None:
    assert shots.SIDES[side](clip, 24.0, tmp_path) == [CUT]


def test_what_is_found_inside_a_gradual_change_counts_neither_way() -> None:
    hard = SimpleNamespace(kind="cut", start_frame=40, new_shot_frame=40)
    slow = SimpleNamespace(kind="dissolve", start_frame=80, new_shot_frame=90)
    truth = cast(Any, SimpleNamespace(transitions=[hard, slow]))
    assert shots._hits([truth], [[41, 85]]).f1 == 1.0
    assert shots._hits([truth], [[41, 60]]).f1 == pytest.approx(2 / 3), "one of two is right"


@pytest.mark.slow
@pytest.mark.thorough
def test_rows_mapped_from_stage_to_stage_end_with_the_engines_scores(clip: Path, tmp_path: Path) -> None:
    told = clip.stat()
    source = Source(uri=str(clip), num_bytes=told.st_size, modified_ns=told.st_mtime_ns)
    (tmp_path / "ours" / "artifacts").mkdir(parents=True)
    (tmp_path / "rows" / "artifacts").mkdir(parents=True)
    rows = [{"records": {Source: (source,)}}]
    for number in range(len(ray_data.STAGES)):
        rows = [made for row in rows for made in ray_data.advanced(row, number=number, folder=str(tmp_path / "rows"))]
    mapped = {tuple(score.values()) for row in rows for score in ray_data.scores_of(row)}
    assert mapped == set(ray_data._ours(tmp_path / "ours", [source]))
    assert {name for _, name, _ in mapped} >= {"duration_s", "phash_frames", "short_side_px"}
