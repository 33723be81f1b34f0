"""Systems side by side: sheets show references, frames and scores; what is missing is said on them."""

import io
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.api import Api, EvaluationRow
from backend.domain import SettingsError
from backend.media.writer import write_video
from backend.report.comparison import BOX_COLOURS, FRAME_WIDTH, ShownBox, ShownCase, ShownVideo, sheet_png, sheet_svg
from backend.store.artifacts import Artifacts
from backend.workspace.comparing import _examples, read_frames, read_moving
from backend.workspace.score_evidence import arrays_of, boxes_of, rests_on, timeline
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


def test_frames_move_to_where_boxes_were_measured(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", (np.full((48, 96, 3), 3 * n, np.uint8) for n in range(81)), fps=8.0, crf=1)
    measured = tuple(np.linspace(0, 80, 32).astype(int).tolist())
    found = read_frames(str(tmp_path / "v.mp4"), 5, 96, (), measured)
    assert found["indices"] == [0, 20, 41, 59, 80], "40 and 60 were not looked at, 41 and 59 were"
    assert read_frames(str(tmp_path / "v.mp4"), 5, 96, (), (30,))["indices"] == [0, 20, 40, 60, 80], "30 is as near to two"


def test_chosen_frames_are_shown_and_lost_ones_named(api: Api, bench: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """6 frames at 6 a second: frame 3 is at .5 s."""
    measured(api, bench[0], bench[1], system="a")
    api.compare(out=str(tmp_path / "o"), at=("5", "0.5s", "9", "0.5 s"))
    words = (tmp_path / "o" / "singleobj_1.svg").read_text()
    assert words.index("frame 5, 0.83 s") < words.index("frame 3, 0.50 s"), "as they were asked for, each once"
    assert words.count("frame ") == 2 and "9 lies past its end (6 frames)" in words
    for wrong in ("x", "-1", "1.5", ""):
        with pytest.raises(SettingsError, match="names no frame"):
            api.compare(out=str(tmp_path / "o"), at=(wrong,))


def row_of(artifacts: Artifacts, arrays: dict[str, np.ndarray], coverage: float = 1.0) -> EvaluationRow:
    data = io.BytesIO()
    np.savez(data, allow_pickle=False, **arrays)
    return EvaluationRow(
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
        coverage=coverage,
        generation_id="g",
        evidence=artifacts.put(data.getvalue(), "npz"),
    )


@pytest.mark.parametrize(
    ("values", "chosen"),
    [((0.5, 0.1, 0.9, 0.3, 0.7), (0.1, 0.5, 0.9)), ((4.0, -2.0, 1.0), (-2.0, 1.0, 4.0)), ((0.4,), (0.4, 0.4, 0.4))],
)
def test_examples_are_the_lowest_the_middle_and_the_highest(
    tmp_path: Path, values: tuple[float, ...], chosen: tuple[float, ...]
) -> None:
    row = row_of(Artifacts(tmp_path), {})
    rows = [replace(row, value=value, case_id=f"case of {value}", generation_id=f"{value}") for value in values]
    found = [(one.where, one.value, one.case) for one in _examples(rows, {}, {})]
    assert found == [
        (where, value, f"case of {value}") for where, value in zip(("low", "middle", "high"), chosen, strict=True)
    ]


def test_a_box_a_row_is_found_on_its_frame() -> None:
    box = np.array([[0, 0, 10, 10], [2, 2, 8, 8], [4, 4, 6, np.nan]], float)
    found = boxes_of({"frame": np.array([0, 4, 4]), "box": box})
    assert found is not None and [len(found.on(frame)) for frame in (0, 3, 4)] == [1, 0, 1], "a box of no size is none"
    assert found.on(4)[0][0].tolist() == [2, 2, 8, 8]


def test_boxes_of_nexus_lie_on_their_own_frames_and_say_what_counts() -> None:
    """Four frames of the plan, two of which a reference is found on; one of the three boxes does not count."""
    arrays = {
        "frame": np.array([0, 3, 6, 9]),
        "likeness": np.array([0.5, np.nan, 0.4, np.nan]),
        "box_frame": np.array([0, 6, 6]),
        "box": np.array([[0, 0, 4, 4], [1, 1, 5, 5], [2, 2, 6, 6]], float),
        "box_is_valid": np.array([True, True, False]),
        "frames_with_boxes": np.array(2),
    }
    found = boxes_of(arrays)
    assert found is not None
    assert [(box.tolist(), counts) for box, counts in found.on(6)] == [([2, 2, 6, 6], False), ([1, 1, 5, 5], True)]
    assert found.on(3) == []
    assert found.looked_at.tolist() == [0, 3, 6, 9], "also where nothing was found"


def test_each_matched_person_has_a_box() -> None:
    nobody = [np.nan] * 4
    of_each = np.array([[[0, 0, 4, 4], [5, 5, 9, 9]], [nobody, [6, 6, 9, 9]]], float)
    found = boxes_of({"frame": np.array([0, 7]), "similarity": np.array([0.1, 0.2]), "box_of_each": of_each})
    assert found is not None and [len(found.on(frame)) for frame in (0, 7)] == [2, 1]


def test_what_a_score_rests_on_is_told(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    nexus = {"frame": np.arange(32), "frames_with_boxes": np.array(12)}
    row = row_of(artifacts, nexus, coverage=0.375)
    assert rests_on(row, arrays_of(artifacts, row)) == "T' 12 of 32 frames, coverage 38%"
    assert rests_on(row_of(artifacts, {}, coverage=0.5), {}) == "coverage 50%"
    assert rests_on(row_of(artifacts, {}), {}) == ""


def test_boxes_are_drawn_in_the_colour_of_their_metric() -> None:
    """A counted box of the first metric is a green line of 2 px, one of the second that does not count an orange one of 1."""
    boxes = (ShownBox((10, 10, 50, 50)), ShownBox((60, 10, 100, 50), 1, counted=False))
    black = np.zeros((112, FRAME_WIDTH, 3), np.uint8)
    video = ShownVideo(
        system="a",
        frames=(black,),
        places=("frame 0",),
        boxes=(boxes,),
        boxes_of=("nexus", "facesim_cur"),
        scores=(("x", "1"),),
    )
    case = ShownCase(name="c", prompt="p", references=(), videos=(video,))
    sheet = np.asarray(Image.open(io.BytesIO(sheet_png(case))).convert("RGB"))
    drawn = [int((sheet == np.array(colour)).all(axis=2).sum()) for colour in BOX_COLOURS.values()]
    assert drawn == [41**2 - 37**2, 41**2 - 39**2, 0, 0]
    words = " ".join(element.text or "" for element in ElementTree.fromstring(sheet_svg(case)).iter())
    assert "boxes: nexus green, facesim_cur orange (thin: not counted)" in words


def test_equal_boxes_of_several_metrics_all_show() -> None:
    """Three lines of 2 px around one place: each inside the one before."""
    boxes = tuple(ShownBox((10, 10, 50, 50), of) for of in range(3))
    black = np.zeros((112, FRAME_WIDTH, 3), np.uint8)
    names = ("one", "two", "three")
    video = ShownVideo(system="a", frames=(black,), places=("frame 0",), boxes=(boxes,), boxes_of=names, scores=())
    case = ShownCase(name="c", prompt="p", references=(), videos=(video,))
    sheet = np.asarray(Image.open(io.BytesIO(sheet_png(case))).convert("RGB"))
    drawn = [int((sheet == np.array(colour)).all(axis=2).sum()) for colour in BOX_COLOURS.values()]
    assert drawn == [41**2 - 37**2, 37**2 - 33**2, 33**2 - 29**2, 0]


def test_line_along_a_video_is_of_values_and_never_of_the_frames_of_boxes() -> None:
    """As `embedded_identity` keeps them: likeness to each of two references, and a box on each of as many frames."""
    likeness = np.array([[0.25, 0.75], [np.nan, 0.5], [np.nan, np.nan]])
    boxes = {"subject_frame": np.array([0, 4, 9]), "box": np.ones((3, 4)), "subject_likeness": np.ones((3, 2))}
    line = timeline({"frame": np.array([0, 4, 9]), "likeness": likeness, **boxes})
    assert line is not None and (line.part, line.frames.tolist()) == ("likeness", [0, 4, 9])
    assert np.array_equal(line.values, [0.5, 0.5, np.nan], equal_nan=True)
    assert timeline({"frame": np.array([0, 4, 9]), **{name: boxes[name] for name in ("subject_frame", "box")}}) is None
    red = timeline({"frame": np.array([0, 1]), "red": np.array([1.0, 2.0]), "green": np.array([5.0, 6.0])})
    assert red is not None and (red.part, red.values.tolist()) == ("red", [1, 2]), "the first"


def test_example_moves_from_the_first_to_the_last_frame(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", (np.full((48, 96, 3), 20 * n, np.uint8) for n in range(9)), fps=6.0, crf=1)
    film = Image.open(io.BytesIO(read_moving(str(tmp_path / "v.mp4"), 5, 48)))
    levels = []
    for number in range(film.n_frames):  # pyright: ignore[reportAttributeAccessIssue]
        film.seek(number)
        levels.append(np.asarray(film.convert("RGB")).mean())
    assert film.size == (48, 24)
    assert levels == pytest.approx([0, 40, 80, 120, 160], abs=4)
