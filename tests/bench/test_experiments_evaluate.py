"""The experiments' videos under `evaluate`: the files that it is given, what is kept of its word, and how that is shown."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.domain import MediaError, ProjectError
from backend.media.images import encode_png, read_rgba
from backend.media.reader import VideoReader
from backend.settings import parse_assignment
from bench.experiments.document import Outcome, read_readings, write_document, write_reading_table, write_readings
from bench.experiments.evaluating import evaluated, write_answers
from bench.experiments.exports import Truth, held_out
from bench.experiments.generation import asked_clips
from bench.experiments.lanes import lacks
from bench.experiments.scenes import Figure, Scene, Studio
from bench.experiments.table import ARMS, EVALUATED, EXPERIMENTS, SCALES, settings_of
from bench.experiments.tests import Answer, filmed
from bench.experiments.truths import CLAIMS, FILMED, ROWS, Camera, Claim, read
from bench.experiments.worlds import Take, singles
from metrics import planner
from metrics.evaluation import known
from training.config import with_settings
from training.data.batches import Drawn, Shown
from training.data.modes import Example, Picture
from training.layout import Segment
from training.recipes import recipe

ASKED = Scene(place="park", variant=5000, figures=(Figure(kind="woman", number=5000, cell="left"),))
SHOWN = replace(ASKED, place="kitchen")


def answer(clip: str, level: int) -> Answer:
    """A grey clip of three frames that was shown one picture."""
    picture = Picture("woman", f"artifacts/{clip}.png", ("plain",), (8, 8))
    drawn = Drawn(
        Example(clip, "cross_pair", (3, 8, 8), (picture,), False),
        (Shown(picture, "plain", Segment(role="reference", size=(1, 8, 8))),),
    )
    return Answer(drawn, np.full((3, 64, 64, 3), level, np.uint8), {"m": level / 100})


IDENTITY = Claim("embedded_identity", "as asked", "strangers")
GREY = [answer("clip_a", 40), answer("clip_b", 200)]


@pytest.fixture
def truth() -> Truth:
    clips = {clip: Take(scene=ASKED, shot=0) for clip in ("clip_a", "clip_b")}
    return Truth(clips, {f"artifacts/{clip}.png": SHOWN for clip in clips})


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Two pictures whose mask is their left half."""
    picture = np.full((32, 32, 4), 90, np.uint8)
    picture[..., 3] = np.where(np.arange(32) < 16, 255, 0)
    (tmp_path / "export" / "artifacts").mkdir(parents=True)
    for name in ("clip_a", "clip_b"):
        (tmp_path / "export" / "artifacts" / f"{name}.png").write_bytes(encode_png(picture))
    return tmp_path / "export"


def test_a_case_is_what_the_run_was_given_and_videos_are_named_after_it(truth: Truth, export: Path, tmp_path: Path) -> None:
    (tmp_path / "row" / "videos").mkdir(parents=True)
    (tmp_path / "row" / "videos" / "clip_old.mp4").write_bytes(b"of another world")
    write_answers(GREY, ROWS["leak"], export=export, truth=truth, folder=tmp_path / "row")
    told = json.loads((tmp_path / "row" / "cases.json").read_text())
    assert told["clip_a"] == {
        "img_paths": ["artifacts/clip_a.png"],
        "prompt": "a woman on the left in a green park",
        "class_label": ["woman"],
    }
    files = sorted((tmp_path / "row" / "videos").iterdir())
    assert [file.name for file in files] == ["clip_a.mp4", "clip_b.mp4"]
    for file, level in zip(files, (40, 200), strict=True):
        with VideoReader(file) as reader:
            frames = reader.at(range(reader.num_frames))
        assert frames.shape == (3, 64, 64, 3)
        assert np.abs(frames.astype(int) - level).max() <= 2


@pytest.mark.parametrize(("test", "opaque"), [("leak", True), ("two", False)])
def test_whole_pictures_are_whole_and_cut_outs_are_cut_out(
    truth: Truth, export: Path, tmp_path: Path, test: str, opaque: bool
) -> None:
    write_answers(GREY, ROWS[test], export=export, truth=truth, folder=tmp_path / "row")
    shown = read_rgba(tmp_path / "row" / "artifacts" / "clip_a.png")
    assert (shown[..., :3] == 90).all()
    assert (shown[..., 3] == 255).all() == opaque


def test_what_could_not_be_measured_leaves_no_mean_of_the_rest(truth: Truth, export: Path, tmp_path: Path) -> None:
    """A metric whose model nobody has bound."""
    with pytest.raises(ProjectError, match=r"evaluation of 2 videos .* is not whole: clip_a, clip_i_b32: unavailable"):
        evaluated(
            GREY,
            ROWS["two"],
            ("temporal_flickering", "clip_i_b32"),
            export=export,
            truth=truth,
            system="grey",
            folder=tmp_path / "row",
            project=tmp_path / "project",
        )


def test_what_failed_is_tried_again_the_next_time(
    truth: Truth, export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project is kept: a reader that died once must not leave a row without figures for good."""

    def asked() -> dict[str, float]:
        found = evaluated(
            GREY,
            ROWS["two"],
            ("temporal_flickering",),
            export=export,
            truth=truth,
            system="grey",
            folder=tmp_path / "row",
            project=tmp_path / "project",
        )
        return found["temporal_flickering"]

    with monkeypatch.context() as broken:
        broken.setattr(planner, "GuardedReader", dies)
        with pytest.raises(ProjectError, match=r"is not whole: clip_a, temporal_flickering: failed: .*the reader died"):
            asked()
    assert asked() == pytest.approx({"clip_a": 1.0, "clip_b": 1.0})


def dies(*_: object, **__: object) -> None:
    raise MediaError("the reader died", kind="damaged")


@pytest.mark.thorough  # twenty seconds where others work too
@pytest.mark.slow
def test_true_films_are_measured_as_evaluate_does(tmp_path: Path) -> None:
    """What is asked for leaves the reference's place; what shows the reference itself does not."""
    world = singles("small", identities=1, tested=1, kinds=("woman",), tested_kinds=("woman",))
    export, truth = held_out(world, tmp_path / "worlds")
    row = ROWS["leak"]
    settings = settings_of(ARMS[row.arm], SCALES["cpu"], base="", seed=0)
    clips = asked_clips(with_settings(recipe("tiny"), dict(map(parse_assignment, settings))), export, mode="cross_pair")
    found = {}
    for name in ("as asked", "the reference"):
        answers = filmed(row, Camera(clips, truth, Studio(), FILMED[name]), truth)
        assert {each.values["background_leak"] for each in answers} == {float(name == "the reference")}
        found[name] = evaluated(
            answers,
            row,
            ("embedded_decoupling",),
            export=export,
            truth=truth,
            system=name,
            folder=tmp_path / name,
            project=tmp_path / "project",
        )
    asked, copied = (found[name]["embedded_decoupling"] for name in found)
    assert set(asked) == set(copied) == set(truth.clips)
    assert all(asked[clip] > copied[clip] for clip in asked)


def outcome(seed: int, values: dict[str, float], *, row: str = "in-pair", evaluate_s: float | None = None) -> Outcome:
    return Outcome(
        experiment="A", row=row, seed=seed, scale="cpu", steps=9, config="", commit="", loss=[(1, 0.5), (9, 0.1)],
        values={"background_leak": 0.5, "cases": 4.0, **values}, seconds=10.0, evaluate_s=evaluate_s,
    )  # fmt: skip


def test_a_row_lacks_what_evaluate_was_not_asked_only_where_its_weights_are_there() -> None:
    row = EXPERIMENTS["A"].rows["in-pair"]
    whole = outcome(0, {f"{metric}_scored": 0.0 for metric in EVALUATED["leak"]})
    assert lacks(row, None, trained=False)
    assert not lacks(row, outcome(0, {}), trained=False), "kept rows are not trained again"
    assert lacks(row, outcome(0, {}), trained=True)
    assert not lacks(row, whole, trained=True)


def test_tables_say_what_was_not_measured_and_of_how_many_cases_a_mean_is(tmp_path: Path) -> None:
    document = tmp_path / "experiments.md"
    document.write_text("<!-- results -->\n<!-- /results -->\n")
    all_four = {f"{metric}_scored": 4.0 for metric in EVALUATED["leak"]} | dict.fromkeys(EVALUATED["leak"], 0.5)
    some = all_four | {"embedded_quality": 0.25, "embedded_quality_scored": 3.0}
    none = {**all_four, "embedded_quality_scored": 0.0}
    del none["embedded_quality"]
    found = [outcome(0, some, evaluate_s=2.5), outcome(1, all_four, evaluate_s=1.5), outcome(2, {})]
    found += [outcome(0, {}, row="cross-pair"), outcome(0, none, row="in-pair, augmented", evaluate_s=1.0)]
    write_document(found, document)
    lines = document.read_text().splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("| row | seeds | cases | background leak |"))
    column = lines[start].split("|").index(" `embedded_quality` ")
    rows = [[cell.strip() for cell in line.split("|")] for line in lines[start + 2 : lines.index("", start)]]
    cells = {row[1]: row[column] for row in rows}
    assert cells["in-pair"] == "0.38 (0.25-0.50), 7 of 8 cases, seed 0, 1"
    assert cells["cross-pair"] == "not measured"
    assert cells["in-pair, augmented"] == "none, 0 of 4 cases"
    assert "50 s of one worker in 5 rows and seeds; without the bases. `evaluate` took 5 s of 3 of them." in lines


def test_a_reading_counts_cases_that_both_videos_have_a_value_of(tmp_path: Path) -> None:
    above, below = {"a": 0.9, "b": 0.2, "c": 0.5, "d": 0.7}, {"a": 0.1, "b": 0.4, "c": 0.5}
    found = read("leak", IDENTITY, above, below, num_cases=5)
    assert (found.auc, found.scored, found.cases, found.medians) == (0.5, 3, 5, (0.5, 0.4))
    nothing = read("two", IDENTITY, {}, below, num_cases=5)
    assert (nothing.auc, nothing.scored, nothing.medians) == (None, 0, None)
    document = tmp_path / "experiments.md"
    document.write_text("a\n<!-- readings -->\nstale\n<!-- /readings -->\nb\n")
    write_reading_table([replace(found, low=0.0, high=1.0), nothing], document)
    text = document.read_text()
    assert "| leak | `embedded_identity` | as asked | strangers | 0.50 | 0.00 to 1.00 | 3 of 5 | 0.50 and 0.40 |" in text
    assert "| two | `embedded_identity` | as asked | strangers | none |  | 0 of 5 |  |" in text
    assert (text[:2], text[-2:], "stale" in text) == ("a\n", "b\n", False)


def test_readings_of_a_test_take_the_place_of_its_earlier_ones(tmp_path: Path) -> None:
    file = tmp_path / "readings.json"
    leak, two = (read(test, IDENTITY, {"a": 1.0}, {"a": 0.0}, num_cases=1) for test in ("leak", "two"))
    write_readings([two], file=file)
    write_readings([leak, replace(leak, metric="copy_paste_index")], file=file)
    later = replace(leak, cases=2)
    write_readings([later], file=file)
    assert read_readings(file=file) == [later, two]


def test_every_test_of_a_row_names_metrics_that_exist_and_were_tried_at_this_size() -> None:
    assert set(EVALUATED) == {row.test for experiment in EXPERIMENTS.values() for row in experiment.rows.values()}
    for test, metrics in EVALUATED.items():
        assert metrics
        assert set(metrics) <= {claim.metric for claim in CLAIMS[test]} <= set(known())
    assert {name for claims in CLAIMS.values() for claim in claims for name in (claim.above, claim.below)} == set(FILMED)


def test_films_have_one_thing_wrong() -> None:
    frames = np.tile(np.arange(64, dtype=np.uint8)[:, None, None] * 3, (4, 1, 64, 3))
    strangers = FILMED["strangers"].scene(ASKED, SHOWN)
    assert strangers == replace(ASKED, figures=(replace(ASKED.figures[0], number=5001),))
    away = FILMED["elsewhere"].scene(ASKED, SHOWN)
    assert away.place != ASKED.place
    assert replace(away, place=ASKED.place) == ASKED
    assert FILMED["the reference"].scene(ASKED, SHOWN) == SHOWN
    assert np.array_equal(FILMED["as asked"].spoilt(frames), frames)
    steps = {name: np.abs(np.diff(FILMED[name].spoilt(frames).astype(int), axis=0)).mean() for name in FILMED}
    assert steps["blurred"] == steps["as asked"] == 0 < 5 < steps["flickering"]
