"""Cases files: what is read, and how each kind of malformed file is refused by place and value."""

import json
from pathlib import Path

import pytest

from backend.domain import ImportRefused, SettingsError
from metrics.benchmark import name_benchmark, read_cases

CASE = {"img_paths": ["a.png"], "prompt": "p", "class_label": ["Cup"], "synthesis_flag": "True"}


def written(tmp_path: Path, content: object, name: str = "x_Human-Domain_Eval.json") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def test_fields_become_a_case(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"png")
    (case,) = read_cases(written(tmp_path, {"singleobj_12": CASE})).cases
    assert (case.name, case.category, case.domain, case.synthetic) == ("singleobj_12", "singleobj", "human", True)
    assert case.references == (str(tmp_path / "a.png"),)
    assert len(case.hashes[0]) == 32
    assert (case.kinds, case.language) == (("",), "en")


def test_what_gloria_needs_becomes_a_case(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"png")
    more = {
        "kinds": ["view:back"],
        "subjects": [1],
        "inside": [False],
        "first_frame": "a.png",
        "schedule": [{"start_s": 0, "stop_s": 2.5, "what": "expression:happy"}],
        "caption_by": "ann",
        "duration_s": 90,
    }
    plain, whole = read_cases(written(tmp_path, {"a_1": CASE, "a_2": {**CASE, **more}})).cases
    assert (whole.subjects, whole.inside, whole.caption_by) == ((1,), (False,), "ann")
    assert (whole.schedule, whole.schedule_s, whole.duration_s) == (("expression:happy",), ((0.0, 2.5),), 90.0)
    assert whole.first_frame_hash == whole.hashes[0] and plain.first_frame_hash == ""
    assert whole.content != plain.content


def test_content_is_what_a_system_is_given(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"png")
    (tmp_path / "b.png").write_bytes(b"png")
    same = {"a_1": CASE, "b_7": {**CASE, "img_paths": ["b.png"], "caption_by": "ann", "inside": [True], "approved": True}}
    assert len({case.content for case in read_cases(written(tmp_path, same)).cases}) == 1
    others = [{"prompt": "q"}, {"class_label": ["Mug"]}, {"kinds": ["global"]}, {"subjects": [1]}, {"duration_s": 3}]
    others += [{"language": "zh"}, {"first_frame": "a.png"}, {"schedule": [{"start_s": 0, "stop_s": 1, "what": "x"}]}]
    cases = {"a_0": CASE, **{f"a_{n}": {**CASE, **one} for n, one in enumerate(others, 1)}}
    assert len({case.content for case in read_cases(written(tmp_path, cases)).cases}) == len(cases)


def test_references_may_lie_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "images"
    elsewhere.mkdir()
    (elsewhere / "a.png").write_bytes(b"png")
    found = read_cases(written(tmp_path, {"a_1": CASE}), references=elsewhere)
    assert found.cases[0].hashes[0]
    assert not any("missing" in remark for remark in found.remarks)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([CASE], "holds a list"),
        ({}, "holds no case"),
        ({"../a": CASE}, "an id is letters"),
        ({"a_1": []}, "'a_1' is a list"),
        ({"a_1": {**CASE, "prompt": " "}}, "prompt is"),
        ({"a_1": {**CASE, "img_paths": []}}, r"img_paths is \[\]"),
        ({"a_1": {**CASE, "img_paths": ["a.png", "b.png"]}}, "2 img_paths but 1 class_label"),
        ({"a_1": {**CASE, "img_paths": ["/etc/passwd"]}}, "lies outside"),
        ({"a_1": {**CASE, "img_paths": ["x/../../b.png"]}}, "lies outside"),
        ({"a_1": {**CASE, "subjects": [True]}}, "one whole number an image"),
        ({"a_1": {**CASE, "subjects": [1, 2]}}, "one whole number an image"),
        ({"a_1": {**CASE, "inside": ["no"]}}, "one true or false an image"),
        ({"a_1": {**CASE, "schedule": "later"}}, "needs start_s, stop_s and what"),
        ({"a_1": {**CASE, "schedule": [{"start_s": 2, "stop_s": 1, "what": "x"}]}}, "must begin at 0 or later"),
        (b'{"a_1": 1, "a_1": 2}', "'a_1' twice"),
        (b'{"a_1": {"prompt": NaN}}', "NaN"),
        (b'{"a_1": {},}', "line 1, column"),
        (b'{"a_1": "\xe9"}', "byte 9 is 0xe9"),
        (b"[" * 100_000, "nested more than"),
    ],
)
def test_malformed_file_is_refused_by_place_and_value(tmp_path: Path, content: object, words: str) -> None:
    with pytest.raises(ImportRefused, match=words):
        read_cases(written(tmp_path, content))


def test_brackets_in_prompts_are_no_nesting(tmp_path: Path) -> None:
    prompt = "[" * 5000 + ' "quoted" ' + "{" * 5000
    assert read_cases(written(tmp_path, {"a_1": {**CASE, "prompt": prompt}})).cases[0].prompt == prompt


@pytest.mark.real
@pytest.mark.parametrize(("domain", "count"), [("Open", 180), ("Human", 60), ("Single", 90)])
def test_upstream_files_are_read_whole(real_media: Path, domain: str, count: int) -> None:
    found = read_cases(real_media / "dev" / "prompts" / f"opens2v_{domain}-Domain_Eval.json")
    assert len(found.cases) == count
    assert not any("cases; OpenS2V-Eval" in remark for remark in found.remarks)
    if domain == "Open":
        assert sum(len(case.references) for case in found.cases) == 320
        assert sum(case.synthetic is True for case in found.cases) == 60


def named(tmp_path: Path, folder: str, cases: dict, picture: bytes = b"png") -> Path:
    """A file `cases.json` of its own folder, with its picture."""
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "a.png").write_bytes(picture)
    return written(tmp_path / folder, cases, "cases.json")


def test_files_of_one_name_are_benchmarks_of_their_own(tmp_path: Path) -> None:
    first = named(tmp_path, "one", {"a_1": CASE})
    others = [
        named(tmp_path, "prompt", {"a_1": {**CASE, "prompt": "q"}}),
        named(tmp_path, "picture", {"a_1": CASE}, b"another png"),
        named(tmp_path, "more", {"a_1": CASE, "a_2": CASE}),
        named(tmp_path, "names", {"a_2": CASE}),
    ]
    found = [read_cases(path).cases[0].benchmark for path in (first, *others)]
    assert len(set(found)) == 5 and all(one.startswith("cases@") for one in found)


def test_a_file_that_moved_was_approved_or_put_in_order_is_the_benchmark_it_was(tmp_path: Path) -> None:
    first = named(tmp_path, "one", {"a_1": CASE, "a_2": {**CASE, "prompt": "q"}})
    stamped = {
        "a_2": {**CASE, "prompt": "q"},
        "a_1": {**CASE, "approved": True, "approval": {"by": "ann"}, "caption_by": "ann"},
    }
    again = named(tmp_path, "two", stamped)
    assert read_cases(first).cases[0].benchmark == read_cases(again).cases[0].benchmark


def test_missing_pictures_are_told_apart_by_their_places(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, place in zip(folders, ("lost.png", "gone.png"), strict=True):
        folder.mkdir()
        written(folder, {"a_1": {**CASE, "img_paths": [place]}}, "cases.json")
    one, two = (read_cases(folder / "cases.json").cases[0].benchmark for folder in folders)
    assert one != two


def test_name_in_the_file_is_the_benchmarks(tmp_path: Path) -> None:
    path = named(tmp_path, "one", {"a_1": CASE, "a_2": {**CASE, "benchmark": "old", "clip": "clip_1"}})
    with pytest.raises(ImportRefused, match=r"case 'a_1' is of benchmark null, case 'a_2' of \"old\"; .*cases name"):
        read_cases(path)
    assert name_benchmark(path, "Mugs 1.0") == 2
    assert {case.benchmark for case in read_cases(path).cases} == {"Mugs 1.0"}
    raw = json.loads(path.read_text())
    assert raw["a_2"] == {**CASE, "benchmark": "Mugs 1.0", "clip": "clip_1"}, "other fields stay"
    assert [one.name for one in path.parent.iterdir() if one.suffix != ".png"] == ["cases.json"]


@pytest.mark.parametrize("name", ["", "real/1", "cases@1a2b3c4d", " x", "x" * 101])
def test_names_that_none_may_have_are_refused(tmp_path: Path, name: str) -> None:
    path = named(tmp_path, "one", {"a_1": CASE})
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="a name is up to 100 letters"):
        name_benchmark(path, name)
    assert path.read_bytes() == before
    bad = named(tmp_path, "two", {"a_1": {**CASE, "benchmark": name}})
    with pytest.raises(ImportRefused, match="benchmark is"):
        read_cases(bad)
