"""Score files of others: what is read comes out again as it was, and what is no score is named."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from backend.domain import Case, ImportRefused, SettingsError
from metrics.score_files import read_scores, write_scores

CASES = [
    Case(benchmark="b", name=name, prompt="p", category=name.rsplit("_", 1)[0], domain="open")
    for name in ("faceobj_14", "singleface_3", "odd_seed_1")
]


@dataclass(frozen=True)
class Row:
    case_id: str
    seed: int
    metric: str
    value: float | None


def folder(tmp_path: Path, **files: object) -> Path:
    place = tmp_path / "in"
    place.mkdir(parents=True)
    for stem, content in files.items():
        (place / f"{stem}.json").write_text(json.dumps(content))
    return place


def written_again(place: Path, out: Path) -> dict[str, object]:
    found = read_scores("opens2v-scores", str(place), CASES)
    rows = [Row(one.case, one.seed, one.metric, one.value) for one in found.scores]
    runs = {(one.case, one.seed): one.runs for one in found.scores if one.runs is not None}
    files = write_scores("opens2v-scores", rows, str(out), name="demo", cases=CASES, runs=runs)
    return {name.removesuffix(".json"): json.loads((out / name).read_text()) for name in files}


@pytest.mark.real
def test_upstreams_demo_comes_out_as_it_went_in(real_media: Path, tmp_path: Path) -> None:
    place = real_media / "dev" / "opens2v_demo" / "output_json_v1.1"
    found = written_again(place, tmp_path)
    summary = found.pop("demo_Open-Domain")
    assert isinstance(summary, dict) and summary["total_score"] == pytest.approx(0.5959962472, abs=5e-11)
    before = {path.stem: json.loads(path.read_text()) for path in place.glob("*.json")}
    for entry in before["motion_amplitude"].values():
        del entry["motion_lk"]  # random colours: not a score
    assert found == before


@pytest.mark.real
def test_upstreams_demo_of_the_older_version_is_read(real_media: Path) -> None:
    found = read_scores("opens2v-scores", str(real_media / "dev" / "opens2v_demo" / "output_json"), CASES)
    values = {(one.case, one.metric): one.value for one in found.scores}
    assert values["faceobj_14", "nexus_compat"] == 0.01300048828125
    assert values["faceobj_14", "motion_amplitude_compat"] == 0.35025984048843384
    assert values["singleface_3", "motion_amplitude_compat"] == 0.038793787360191345
    assert len(found.files) == 8 and found.remarks == ("2 ids belong to no case, as humanobj_2",)


def test_both_versions_names_give_the_same_scores(tmp_path: Path) -> None:
    lk = {"motion_lk": 6.5}
    older = folder(
        tmp_path / "v1.0",
        motionscore={"faceobj_14": {"motion_fb": 0.25, **lk}},
        nexusscore={"faceobj_14": {"retrieval_score": 0.0125}},
    )
    newer = folder(
        tmp_path / "v1.1",
        motion_amplitude={"faceobj_14": {"motion_fb": 0.25, **lk}},
        nexusscore={"faceobj_14": {"nexus_score": 0.0125}},
    )
    first, second = (read_scores("opens2v-scores", str(place), CASES) for place in (older, newer))
    expected = {"motion_amplitude_compat": 0.25, "nexus_compat": 0.0125}
    assert {one.metric: one.value for one in first.scores} == {one.metric: one.value for one in second.scores} == expected
    assert first.files == ("nexusscore.json", "motionscore.json") and first.remarks == second.remarks == ()


def test_v11_goes_before_v10_and_what_is_not_read_is_said(tmp_path: Path) -> None:
    place = folder(
        tmp_path,
        motion_amplitude={"faceobj_14": {"motion_fb": 0.25}},
        motionscore={"faceobj_14": {"motion_fb": 0.75}},
        nexusscore={"faceobj_14": {"nexus_score": 0.01, "retrieval_score": 0.02}},
        notes={"faceobj_14": 3},
    )
    found = read_scores("opens2v-scores", str(place), CASES)
    assert {one.metric: one.value for one in found.scores} == {"motion_amplitude_compat": 0.25, "nexus_compat": 0.01}
    assert found.remarks == ("not read, since no scores are taken from them: motionscore.json, notes.json",)


def test_nexusscore_without_either_field_is_refused(tmp_path: Path) -> None:
    place = folder(tmp_path, nexusscore={"faceobj_14": {"score": 0.01}})
    with pytest.raises(ImportRefused, match=r"nexusscore\.json: faceobj_14: nexus_score is missing"):
        read_scores("opens2v-scores", str(place), CASES)


def test_values_and_runs_come_out_as_they_went_in(tmp_path: Path) -> None:
    place = folder(
        tmp_path,
        facesim={"singleface_3": {"cur_score": 0.5, "arc_score": 0.25}},
        naturalscore_1={"faceobj_14": "4"},
        naturalscore_2={"faceobj_14": "3"},
        naturalscore_3={"faceobj_14": "5"},
    )
    (natural,) = [s for s in read_scores("opens2v-scores", str(place), CASES).scores if s.metric == "natural_compat"]
    assert natural.value == 4.0
    found = written_again(place, tmp_path / "out")
    assert found["naturalscore_2"] == {"faceobj_14": "3"}
    assert found["facesim"] == {"singleface_3": {"cur_score": 0.5, "arc_score": 0.25}}


def test_answer_that_is_no_grade_is_told_and_kills_nothing(tmp_path: Path) -> None:
    place = folder(
        tmp_path,
        naturalscore_1={"faceobj_14": "error", "singleface_3": "Score: 4"},
        naturalscore_2={"faceobj_14": "3", "singleface_3": "error"},
        naturalscore_3={"faceobj_14": "7"},
    )
    scores = {one.case: one for one in read_scores("opens2v-scores", str(place), CASES).scores}
    assert scores["faceobj_14"].value == 3.0, "the mean of what is a grade"
    runs = scores["faceobj_14"].runs
    assert runs is not None and np.isfinite(runs).tolist() == [False, True, False]
    assert scores["singleface_3"].value is None
    assert scores["singleface_3"].reason == "failed: naturalscore_2.json answers 'error'"


def test_every_bad_value_is_named(tmp_path: Path) -> None:
    values = {"faceobj_14": math.nan, "singleface_3": math.inf, "odd_seed_1": "x"}
    place = folder(tmp_path, gmescore={name: {"gme_score": value} for name, value in values.items()})
    with pytest.raises(ImportRefused) as refused:
        read_scores("opens2v-scores", str(place), CASES)
    assert str(refused.value) == (
        "gmescore.json: faceobj_14: gme_score is not a number; gmescore.json: singleface_3: gme_score is infinite; "
        "gmescore.json: odd_seed_1: gme_score is a text"
    )


def test_ids_of_no_case_are_a_remark(tmp_path: Path) -> None:
    place = folder(tmp_path, gmescore={"faceobj_14": {"gme_score": 0.5}, "other_1": {"gme_score": 0.5}})
    found = read_scores("opens2v-scores", str(place), CASES)
    assert len(found.scores) == 1 and found.remarks == ("1 ids belong to no case, as other_1",)
    with pytest.raises(ImportRefused, match="holds no score of these 3 cases"):
        read_scores("opens2v-scores", str(folder(tmp_path / "x", gmescore={"other_1": {"gme_score": 0.5}})), CASES)


def test_folder_without_score_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="holds none of aesthetic_score"):
        read_scores("opens2v-scores", str(tmp_path), CASES)
    with pytest.raises(ImportRefused, match="is not a folder"):
        read_scores("opens2v-scores", str(tmp_path / "none"), CASES)
    with pytest.raises(SettingsError, match="did you mean vbench"):
        read_scores("vbnch", str(tmp_path), CASES)


VBENCH = {
    "subject_consistency": [
        0.85,
        [
            {"video_path": "/x/faceobj_14.mp4", "video_results": 0.9},
            {"video_path": "C:\\y\\singleface_3_seed2.mp4", "video_results": 0.8},
        ],
    ],
    "imaging_quality": [0.7, [{"video_path": "odd_seed_1.mp4", "video_results": 70.0}]],
}


def test_vbench_rows_are_read_on_our_scales_and_written_on_theirs(tmp_path: Path) -> None:
    path = tmp_path / "x_eval_results.json"
    path.write_text(json.dumps(VBENCH))
    found = read_scores("vbench", str(path), CASES)
    assert {(s.case, s.seed, s.metric): s.value for s in found.scores} == {
        ("faceobj_14", 0, "subject_consistency"): 0.9,
        ("singleface_3", 2, "subject_consistency"): 0.8,
        ("odd_seed_1", 0, "imaging_quality"): pytest.approx(0.7),
    }, "a case may be named as seeds are"
    rows = [Row(one.case, one.seed, one.metric, one.value) for one in found.scores]
    (name,) = write_scores("vbench", rows, str(tmp_path / "out"), name="a", cases=CASES)
    again = json.loads((tmp_path / "out" / name).read_text())
    assert name == "a_eval_results.json"
    assert again["subject_consistency"][0] == pytest.approx(0.85)
    assert again["imaging_quality"] == [pytest.approx(0.7), [{"video_path": "odd_seed_1.mp4", "video_results": 70.0}]]
    assert again["subject_consistency"][1][1]["video_path"] == "singleface_3_seed2.mp4"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"subject_consistency": 0.5}, "subject_consistency is no pair of a mean and a list"),
        ({"subject_consistancy": [0.5, []]}, "did you mean subject_consistency"),
        ({"subject_consistency": [0.5, [{"video_results": 1.0}]]}, "video 0: has no video_path"),
        ({"subject_consistency": [0.5, [{"video_path": "a.mp4", "video_results": True}]]}, "video 0: is true"),
        ([], "holds a list"),
    ],
)
def test_malformed_vbench_is_named(tmp_path: Path, content: object, words: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ImportRefused, match=words):
        read_scores("vbench", str(path), CASES)


def test_nothing_to_write_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="demo has no score to write"):
        write_scores("opens2v-scores", [Row("faceobj_14", 0, "gmescore", None)], str(tmp_path), name="demo", cases=CASES)
    with pytest.raises(SettingsError, match="none of VBench's dimensions"):
        write_scores("vbench", [Row("faceobj_14", 0, "gmescore", 0.4)], str(tmp_path), name="demo", cases=CASES)


def test_seeds_of_a_case_are_written_as_their_mean(tmp_path: Path) -> None:
    """Three seeds of one case and one of another: .2 and .8 in the files, and .5 in the summary, not .35."""
    rows = [Row("faceobj_14", seed, "gmescore", seed / 10) for seed in (3, 1, 2)]
    rows.append(Row("singleface_3", 0, "gmescore", 0.8))
    write_scores("opens2v-scores", rows, str(tmp_path), name="demo", cases=CASES)
    written = json.loads((tmp_path / "gmescore.json").read_text())
    assert {case: entry["gme_score"] for case, entry in written.items()} == pytest.approx(
        {"faceobj_14": 0.2, "singleface_3": 0.8}
    )
    summary = json.loads((tmp_path / "demo_Open-Domain.json").read_text())
    assert summary["gme_score"] == pytest.approx(0.5) and summary["total_score"] is None


def test_runs_of_several_seeds_are_averaged_each(tmp_path: Path) -> None:
    rows = [Row("faceobj_14", 0, "natural_compat", 4.0), Row("faceobj_14", 1, "natural_compat", 3.0)]
    runs = {("faceobj_14", 0): np.array([5.0, 4.0, 3.0]), ("faceobj_14", 1): np.array([4.0, 2.0, math.nan])}
    write_scores("opens2v-scores", rows, str(tmp_path), name="demo", cases=CASES, runs=runs)
    found = [json.loads((tmp_path / f"naturalscore_{n}.json").read_text()) for n in (1, 2, 3)]
    assert found == [{"faceobj_14": "4.5"}, {"faceobj_14": "3"}, {"faceobj_14": "3"}]
