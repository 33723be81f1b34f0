"""Systems side by side: sheets show references, frames and scores; what is missing is said on them."""

import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.api import Api, EvaluationRow
from backend.domain import SettingsError
from backend.media.writer import write_video
from backend.store.artifacts import Artifacts
from backend.workspace.comparing import _boxes, read_frames, read_moving
from tests.backend.workspace.test_evaluating import measured

RED, BLUE = (200, 30, 30), (30, 30, 200)


@pytest.fixture
def bench(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A case with one picture of two, and videos of systems a (red) and b (blue, only of the first case)."""
    root = tmp_path / "bench"
    (root / "Images").mkdir(parents=True)
    Image.new("RGB", (80, 60), (20, 180, 20)).save(root / "Images" / "mug.png")
    case = {"prompt": "A <mug> & more.", "class_label": ["Mug", "Cup"], "img_paths": ["Images/mug.png", "Images/no.png"]}
    cases = root / "Mini_Open-Domain.json"
    cases.write_text(json.dumps({"singleobj_1": case, "singleobj_2": {**case, "prompt": "Another."}}))
    for system, colour, count in (("a", RED, 2), ("b", BLUE, 1)):
        (tmp_path / system).mkdir()
        for number in range(1, count + 1):
            frames = (np.full((48, 96, 3), colour, np.uint8) for _ in range(6))
            write_video(tmp_path / system / f"singleobj_{number}.mp4", frames, fps=6.0, crf=1)
    return cases, tmp_path / "a", tmp_path / "b"


def test_sheets_and_page_are_written(api: Api, bench: tuple[Path, Path, Path], tmp_path: Path) -> None:
    cases, first, second = bench
    measured(api, cases, first, system="a")
    measured(api, cases, second, system="b")
    out = tmp_path / "out"
    done = api.compare(out=str(out), frames=3)
    assert done.systems == ("a", "b") and done.cases == ("singleobj_1", "singleobj_2")
    assert done.files[0] == "compare.html" and all((out / name).exists() for name in done.files)
    sheet = np.asarray(Image.open(io.BytesIO((out / "singleobj_1.png").read_bytes())).convert("RGB")).astype(int)
    for colour, count in ((RED, 3), (BLUE, 3)):
        near = np.abs(sheet - colour).max(axis=2) < 25
        assert near.sum() == pytest.approx(count * 224 * 112, rel=0.05), "three frames of each system"
    drawing = ElementTree.fromstring((out / "singleobj_1.svg").read_text())
    words = [element.text or "" for element in drawing.iter() if element.tag.endswith("text")]
    assert "A <mug> & more." in words and any(word.startswith("Cup (m") for word in words)
    assert len([e for e in drawing.iter() if e.tag.endswith("image")]) == 2 + 6
    html = (out / "compare.html").read_text()
    assert "A &lt;mug&gt; &amp; more." in html and "<mug>" not in html
    assert "no video" in html, "b has none of the second case"
    assert "Distribution of motion_amplitude_compat" in html and "high: " in html


def test_named_systems_cases_and_metrics_are_shown_alone(api: Api, bench: tuple[Path, Path, Path], tmp_path: Path) -> None:
    cases, first, _ = bench
    measured(api, cases, first, system="a")
    done = api.compare(out=str(tmp_path / "o"), cases=("singleobj_2",), metrics=("temporal_flickering",), frames=1)
    assert done.cases == ("singleobj_2",) and len(done.files) == 3
    for wrong in ({"systems": ("c",)}, {"cases": ("singleobj_9",)}, {"metrics": ("temporal_flicker",)}):
        with pytest.raises(SettingsError, match="was not measured here"):
            api.compare(out=str(tmp_path / "o"), **wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingsError, match="ask for 1 to 12"):
        api.compare(out=str(tmp_path / "o"), frames=0)


def test_imported_scores_stand_without_frames(api: Api, bench: tuple[Path, Path, Path], tmp_path: Path) -> None:
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores" / "gmescore.json").write_text(json.dumps({"singleobj_1": {"gme_score": 0.5}}))
    api.import_scores(format="opens2v-scores", path=str(tmp_path / "scores"), system="x", cases=str(bench[0]))
    api.compare(out=str(tmp_path / "o"))
    assert "imported scores, no video" in (tmp_path / "o" / "compare.html").read_text()


def test_frames_run_from_the_first_to_the_last(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", (np.full((48, 96, 3), 20 * n, np.uint8) for n in range(9)), fps=6.0, crf=1)
    assert read_frames(str(tmp_path / "v.mp4"), 3, 96)["indices"] == [0, 4, 8]
    assert read_frames(str(tmp_path / "v.mp4"), 1, 96)["indices"] == [4], "one frame is the middle one"
    assert read_frames(str(tmp_path / "v.mp4"), 12, 96)["indices"] == list(range(9))


def test_boxes_of_shown_frames_are_scaled(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    data = io.BytesIO()
    np.savez(data, frame=np.array([0, 4, 4]), box=np.array([[0, 0, 10, 10], [2, 2, 8, 8], [4, 4, 6, np.nan]], float))
    row = EvaluationRow(
        case_id="c",
        benchmark="b",
        category="",
        system="a",
        seed=0,
        metric="m",
        value=1.0,
        state="scored",
        reason=None,
        num_units=1,
        coverage=1.0,
        generation_id="g",
        evidence=artifacts.put(data.getvalue(), "npz"),
    )
    assert _boxes(artifacts, [row], [0, 3, 4], 0.5) == (((0, 0, 5, 5),), (), ((1, 1, 4, 4), (2, 2, 3, 0)))


def test_example_moves_from_the_first_to_the_last_frame(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", (np.full((48, 96, 3), 20 * n, np.uint8) for n in range(9)), fps=6.0, crf=1)
    film = Image.open(io.BytesIO(read_moving(str(tmp_path / "v.mp4"), 5, 48)))
    levels = []
    for number in range(film.n_frames):  # pyright: ignore[reportAttributeAccessIssue]
        film.seek(number)
        levels.append(np.asarray(film.convert("RGB")).mean())
    assert film.size == (48, 24)
    assert levels == pytest.approx([0, 40, 80, 120, 160], abs=4)
