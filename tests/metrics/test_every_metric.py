"""Every metric of the table by the command that measures, each role with tiny random weights in the real file format."""

import json
import math
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from backend.cli.app import main
from backend.domain.evaluations import STATES
from backend.media.writer import write_video
from metrics.benchmark import find_generations, read_cases
from metrics.distribution_sets import DISTANCES
from metrics.evaluation import metric
from metrics.stage import roles_of
from metrics.table import METRICS
from tests.metrics.checkpoints_faces import cell
from tests.metrics.checkpoints_of_roles import bound, write_boxes
from tests.metrics.planted_grounding import scenery

PERSON, THING, SPEAKER = "singlehuman_1", "multiobject_2", "singleface_3"
SIZE = (160, 128)
"""Neither square, which tiny GroundingDINO cannot see, nor too small for AMT-S."""
NUM_FRAMES = 16
"""What FVD looks at together."""
SPOKEN = ("sync_c", "sync_d")
"""They judge faces of more than 4 s, a video that is too long for all the others."""
SPOKEN_FRAMES = 105
OTHER_SCALE = "embedded_quality"
"""It joins the scores of the profile `embedded`; those of `paper` are on scales of their own."""
ENDS = {"scored", *(state.replace(" ", "_") for state in STATES)}

pytestmark = pytest.mark.slow


def picture(seed: int, *, place: int = 2, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Somebody somewhere. What detectors of faces see at 320 px is a cell of 32, whatever the size."""
    width, height = size
    frame, side = scenery(seed, (height, width)), width // 10
    x = side * place
    frame[side : 2 * side, x : x + side] = cv2.resize(cell(1), (side, side), interpolation=cv2.INTER_AREA)
    return frame


class Bench:
    """A person with an expression to show, a thing whose video has one frame, and somebody who speaks."""

    def __init__(self, root: Path) -> None:
        self.root, self.cases = root, root / "cases.json"
        (root / "Images" / "man").mkdir(parents=True)
        for number in (1, 2):
            Image.fromarray(picture(number)).save(root / "Images" / "man" / f"{number}.png")
        Image.fromarray(scenery(3, (SIZE[1], SIZE[0]))).save(root / "Images" / "cup.png")
        paths, what = ["Images/man/1.png", "Images/man/2.png"], "expression:happy"
        person: dict[str, Any] = {"img_paths": paths, "class_label": ["Man"] * 2, "kinds": ["global", what]}
        person |= {"prompt": "A man walks on the beach.", "schedule": [{"start_s": 0, "stop_s": 1, "what": what}]}
        thing = {"img_paths": ["Images/cup.png"], "class_label": ["Cup"], "prompt": "A cup."}
        self.cases.write_text(json.dumps({PERSON: person, THING: thing, SPEAKER: person}))

    def film(self, folder: str, stem: str, frames: Sequence[np.ndarray], **more: Any) -> Path:
        """Writes a video; its folder."""
        (self.root / folder).mkdir(exist_ok=True)
        write_video(self.root / folder / f"{stem}.mp4", frames, fps=25.0, crf=1, **more)
        return self.root / folder

    def evaluate(
        self, videos: Path, ids: tuple[str, ...], capsys: pytest.CaptureFixture[str], *options: object
    ) -> tuple[int, list[dict[str, Any]]]:
        """Exit code and rows of the command over a folder of videos, all that these metrics ask bound as a project binds it."""
        roles = set().union(*(roles_of(metric(name)) for name in ids))
        named, weights = bound(roles, self.root / "weights")
        if (boxes := weights.get("ReferenceDetector")) is not None:
            cases = read_cases(self.cases).cases
            write_boxes(Path(boxes), cases, find_generations(videos, "ours", cases).generations, frames=NUM_FRAMES)
        words: list[object] = ["--cases", self.cases, "--videos", videos, "--system", "ours", "--metrics", ",".join(ids)]
        words += ["--project", self.root / "project", "--engine", "inline", "--profile", "paper", "--json", *options]
        for table, chosen in (("roles", named), ("models", weights)):
            for role, value in chosen.items():
                words += ["--set", f"{table}.{role}={value}"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["studio-backend", "evaluate", *map(str, words)])
            with pytest.raises(SystemExit) as ended:
                main()
        return int(ended.value.code or 0), json.loads(capsys.readouterr().out)["rows"]


def assert_named(row: dict[str, Any]) -> None:
    """A value in the metric's range, or none and a reason that begins with the state."""
    where = f"{row['metric']} of {row['case_id']}: {row['value']}, {row['reason']}"
    assert row["state"] in ENDS, where
    if row["state"] != "scored":
        assert row["value"] is None and row["reason"].split(":")[0].replace(" ", "_") == row["state"], where
        return
    low, high = metric(row["metric"]).range if row["metric"] in METRICS else (0.0, None)
    assert math.isfinite(row["value"]), where
    assert (low is None or row["value"] >= low) and (high is None or row["value"] <= high), where
    assert row["num_units"] >= 0 and 0 <= row["coverage"] <= 1, where


def test_every_metric_ends_in_a_named_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path)
    walk = [picture(4, place=1 + n // 3) for n in range(NUM_FRAMES)]
    bench.film("videos", PERSON, walk)
    code, rows = bench.evaluate(bench.film("videos", THING, walk[:1]), tuple(METRICS), capsys)
    for row in rows:
        assert_named(row)
    own = [(row["case_id"], row["metric"]) for row in rows if row["case_id"]]
    assert sorted(own) == sorted(product((PERSON, THING), METRICS)), "the other rows are of sets"
    assert not [row["reason"] for row in rows if row["state"] in ("unavailable", "failed")]
    masked = {name for name in METRICS if "Segmenter" in roles_of(metric(name))}
    scored = {row["metric"] for row in rows if row["state"] == "scored"}
    assert scored | masked == {*METRICS} - {*SPOKEN, OTHER_SCALE}, "random masks may cover a frame; all others have a value"
    assert {row["state"] for row in rows if row["metric"] == OTHER_SCALE} == {"not_applicable"}
    whole = {row["metric"]: row for row in rows if row["case_id"] == PERSON}
    units = {"clip_t": 32, "motion_smoothness": (NUM_FRAMES - 1) // 2, "subject_consistency": NUM_FRAMES - 1}
    assert {name: whole[name]["num_units"] for name in units} == units
    assert all(whole[name]["coverage"] == 1 and whole[name]["evidence"] for name in (*units, "aesthetic_quality"))
    too_short = {row["metric"] for row in rows if row["state"] == "too_short"}
    assert code == 1 and {"fvd_features", "motion_smoothness", "subject_consistency"} <= too_short, "of one frame"


def test_speech_and_sets_are_measured_where_there_is_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], long: bool
) -> None:
    """FID and FVD of two clips each, and a face that is followed for more than 4 s."""
    if not long:
        pytest.skip("Inception and SyncNet have their full sizes; run with --long")
    bench = Bench(tmp_path)
    for number in (1, 2):
        real = bench.film("real", str(number), [picture(4 + number, place=6 - n // 3) for n in range(NUM_FRAMES)])
    bench.film("videos", PERSON, [picture(7, place=1 + n // 3) for n in range(NUM_FRAMES)])
    still, noise = picture(8, size=(320, 192)), np.random.default_rng(0).uniform(-0.8, 0.8, SPOKEN_FRAMES * 640)
    sound = noise.astype(np.float32), 16_000
    videos = bench.film("videos", SPEAKER, [still] * SPOKEN_FRAMES, audio=sound)
    ids = (*SPOKEN, *(one.metric.id for one in DISTANCES))
    _, rows = bench.evaluate(videos, ids, capsys, "--real", real)
    for row in rows:
        assert_named(row)
    states = {(row["case_id"], row["metric"]): row["state"] for row in rows}
    assert {states[SPEAKER, name] for name in SPOKEN} == {states[None, one.id] for one in DISTANCES} == {"scored"}
