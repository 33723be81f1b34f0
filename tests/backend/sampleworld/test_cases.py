"""The planted benchmark: upstream's schema, three systems that differ as planned, votes that follow the planted model."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from backend.media.images import read_image
from backend.media.index import decode_all
from backend.sampleworld.cases import SYSTEMS, Takes, render_cases
from backend.sampleworld.cast import draw_cast

COUNT = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cases")
    render_cases(out, draw_cast(1), seed=1, count=COUNT)
    return out


@pytest.mark.slow
def test_cases_have_the_four_fields_of_the_upstream_schema(folder: Path):
    cases = json.loads((folder / "cases.json").read_text())
    assert len(cases) == COUNT
    for case_id, case in cases.items():
        prefix, number = case_id.rsplit("_", 1)
        assert prefix in ("singlehuman", "singleobj") and number.isdigit()
        assert set(case) == {"img_paths", "prompt", "synthesis_flag", "class_label"}
        assert len(case["img_paths"]) == len(case["class_label"]) == 1
        assert min(read_image(folder / case["img_paths"][0]).shape[:2]) >= 64


@pytest.mark.slow
def test_every_system_has_a_video_of_two_seconds_for_every_case(folder: Path):
    for case_id in json.loads((folder / "cases.json").read_text()):
        for system in SYSTEMS:
            frames = [f.to_ndarray(format="gray") for f in decode_all(folder / "systems" / system / f"{case_id}.mp4")]
            assert (len(frames), *frames[0].shape) == (48, 480, 832)


@pytest.mark.slow
def test_copy_paste_hardly_moves(folder: Path):
    for case_id in json.loads((folder / "cases.json").read_text()):
        frames = [
            f.to_ndarray(format="gray").astype(int) for f in decode_all(folder / "systems/copy_paste" / f"{case_id}.mp4")
        ]
        assert np.abs(frames[-1] - frames[0]).mean() < 25
        assert np.mean([np.abs(b - a).mean() for a, b in itertools.pairwise(frames)]) < 4


@pytest.mark.slow
def test_votes_follow_the_planted_weights(folder: Path):
    truth = json.loads((folder / "cases_truth.json").read_text())
    votes = [json.loads(line) for line in (folder / "votes.jsonl").read_text().splitlines()]
    assert len(votes) == COUNT * 3 * 6
    expected = 0.0
    agreed = 0
    for vote in votes:
        a, b = (np.array(truth["samples"][vote["case_id"]][system]) for system in vote["systems"])
        chance = 1 / (1 + np.exp(-np.array(truth["weights"]) @ (a - b)))
        expected += max(chance, 1 - chance)
        agreed += (vote["choice"] == "a") == (chance > 0.5)
    assert abs(agreed - expected) < 3 * np.sqrt(len(votes) / 4)


@pytest.mark.slow
def test_takes_decide_size_length_and_rate(tmp_path: Path):
    render_cases(tmp_path, draw_cast(1), seed=1, count=1, takes=Takes(size=(160, 96), num_frames=4, fps=12))
    for system in SYSTEMS:
        frames = list(decode_all(next((tmp_path / "systems" / system).glob("*.mp4"))))
        assert {(frame.width, frame.height) for frame in frames} == {(160, 96)}
        assert [round(12 * (frame.time or 0.0)) for frame in frames] == [0, 1, 2, 3]
