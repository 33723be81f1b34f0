"""Upstream's metadata JSON: read into rows, written again, and what is wrong in it named."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.domain import ImportRefused
from backend.exports.opens2v_rows import (
    cluster_of,
    made_frame_name,
    read_made_frames,
    read_opens2v,
)
from tests.backend.exports.made_upstream import HEIGHT, KEY, WIDTH, made_entry, made_metadata, made_upstream_pair


def written(tmp_path: Path, document: Any, name: str = "dataset1.json") -> Path:
    path = tmp_path / name
    path.write_text(json.dumps(document, indent=4), "utf-8")
    return path


def test_an_entry_is_read_whole(tmp_path: Path) -> None:
    found = read_opens2v(written(tmp_path, {KEY: made_entry()}))
    assert found.faults == ()
    (sample,) = found.samples
    told = sample.metadata
    assert (sample.key, told.path, told.fps, told.num_frames) == (KEY, "films/walk_part3.mp4", 29.97, 300)
    assert (told.cut, told.face_cut, told.crop) == ((40, 160), (44, 150), (8, 0, 72, 48))
    assert (told.width, told.height, told.tech, told.motion, told.aesthetic) == (80, 48, 2.5, 0.0125, 5.0)
    assert told.captions == ("A man walks a dog.",)
    assert told.face_caption == "A man in a red coat walks a dog – 狗 – in a park."
    assert dict(sample.word_tags) == {"background": ("park",), "subject": ("man", "dog"), "object": ("red coat",)}
    assert [(face.frame, face.track_id, face.box) for face in sample.faces] == [(44, -1, (10, 12, 20, 26))]
    assert sample.faces[0].keypoints[1] == (17, 15)
    assert sample.annotated_frame == 44
    assert [(box.class_name, box.box) for box in sample.boxes] == [
        ("man", (5.0, 10.0, 25.0, 30.0)),
        ("red coat", (6.5, 14.0, 24.0, 28.0)),
    ]
    assert [(mask.mask_id, mask.frame, mask.class_name, mask.score) for mask in sample.masks] == [
        ("1", 44, "man", 0.9921875),
        ("2", 44, "red coat", 0.9921875),
    ]
    pixels = sample.masks[0].pixels()
    assert pixels.shape == (HEIGHT, WIDTH)
    assert pixels.sum() == 20 * 20
    assert pixels[10:30, 5:25].all()


def test_what_is_read_is_written_again_unknown_keys_and_spellings_included(tmp_path: Path) -> None:
    text = json.dumps({KEY: made_entry()}, indent=4).replace('"tech": 2.5', '"tech": 2.50e0')
    assert "2.50e0" in text
    path = tmp_path / "dataset1.json"
    path.write_text(text, "utf-8")
    found = read_opens2v(path)
    assert found.samples[0].metadata.tech == 2.5
    assert found.samples[0].document["of_our_own"] == [1, 2.0]
    assert found.text() == text


def test_masks_can_be_left_unread(tmp_path: Path) -> None:
    entry = made_entry()
    entry["annotation"]["mask_annotation"]["44"]["1"]["counts"] = "!!"
    path = written(tmp_path, {KEY: entry})
    found = read_opens2v(path, with_masks=False)
    assert ([sample.masks for sample in found.samples], found.faults) == ([()], ())
    assert found.text() == path.read_text("utf-8")


def test_a_single_entry_is_named_by_its_file(tmp_path: Path) -> None:
    assert read_opens2v(written(tmp_path, made_entry(), f"{KEY}.json")).samples[0].key == KEY


def test_an_early_step_has_what_it_has(tmp_path: Path) -> None:
    told = {key: value for key, value in made_metadata().items() if not key.startswith("face")}
    (sample,) = read_opens2v(written(tmp_path, {"walk_part3": {"metadata": told}})).samples
    assert (sample.metadata.face_cut, sample.metadata.face_caption, sample.annotated_frame) == (None, None, None)
    assert (sample.faces, sample.word_tags, sample.boxes, sample.masks) == ((), (), (), ())


def test_pairs_are_read_with_and_without_mask_ids(tmp_path: Path) -> None:
    old = {key: value for key, value in made_upstream_pair().items() if not key.endswith("class_id")}
    found = read_opens2v(written(tmp_path, [made_upstream_pair(), old]))
    assert [(pair.cur_class_id, pair.aft_class_id) for pair in found.pairs] == [("1", "2"), (None, None)]
    pair = found.pairs[0]
    assert (pair.cur_id, pair.cur_frame, pair.aft_frame) == (f"dataset1/{KEY}", 44, 50)
    assert (pair.text_similarity, pair.image_similarity) == (0.75, 0.875)


def test_clusters_are_read(tmp_path: Path) -> None:
    assert read_opens2v(written(tmp_path, {"walk": ["dataset1/a", "dataset1/b"]})).clusters == (
        ("walk", ("dataset1/a", "dataset1/b")),
    )


def test_a_clip_without_a_face_is_a_fault_and_no_sample(tmp_path: Path) -> None:
    found = read_opens2v(written(tmp_path, "None", "a_step1-0-95.json"))
    assert (found.samples, [str(fault) for fault in found.faults]) == (
        (),
        ["a_step1-0-95.json, a_step1-0-95: upstream's step 1 found no face in it"],
    )


def change(place: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def made(entry: Any) -> None:
        *path, name = place.split("/")
        for step in path:
            entry = entry[int(step) if isinstance(entry, list) else step]
        last: Any = int(name) if isinstance(entry, list) else name
        if value is change:
            del entry[last]
        else:
            entry[last] = value

    return made


MASK = "annotation/mask_annotation/44/1"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (change("metadata", change), "metadata is missing"),
        (change("metadata", []), "metadata is a list, expected an object"),
        (change("metadata/path", change), "path is missing"),
        (change("metadata/path", None), "path is a null, expected text"),
        (change("metadata/fps", "25"), "fps is a text, expected a number"),
        (change("metadata/fps", 0), "fps is 0, expected more than 0"),
        (change("metadata/fps", float("nan")), "fps is nan, expected a finite number"),
        (change("metadata/num_frames", 2.5), "num_frames is 2.5, expected a whole number of at least 1"),
        (change("metadata/num_frames", True), "num_frames is a boolean, expected a number"),
        (change("metadata/cut", [10, 10]), "cut is [10, 10), expected a start before its stop"),
        (change("metadata/cut", [10]), "cut has 1 numbers, expected 2"),
        (change("metadata/crop", [8, 4, 0, 48]), "crop is [8, 4, 0, 48], expected x0 < x1 and y0 < y1"),
        (change("metadata/resolution", 720), "resolution is a number, expected an object"),
        (change("metadata/cap", [3]), "cap.0 is a number, expected text"),
        (change("word_tags/subject", "man"), "word_tags.subject is a text, expected a list"),
        (change("annotation/ann_frame_data/box_format", "xywh"), "box_format is 'xywh', expected 'xyxy'"),
        (
            change("annotation/ann_frame_data/annotations/1/bbox", [9, 9, 3, 12]),
            "annotations.1.bbox is [9.0, 9.0, 3.0, 12.0], expected x0 <= x1 and y0 <= y1",
        ),
        (change(f"{MASK}/counts", "!!"), "mask_annotation.44.1.counts: run lengths hold the byte 33"),
        (change(f"{MASK}/counts", "é"), "mask_annotation.44.1.counts: 'ascii' codec"),
        (change(f"{MASK}/size", [48, 65]), "mask_annotation.44.1.size is [48, 65], the frame's is [48, 64]"),
        (change("annotation/mask_map/1", change), "1 is missing"),
        (change("annotation/mask_annotation/x", {}), "mask_annotation names frame 'x', expected digits"),
        (change("bbox/44/face/0/box/x1", "left"), "bbox.44.face.0.box.x1 is a text, expected a number"),
        (change("bbox/44/face/0/keypoints/y", [1]), "bbox.44.face.0.keypoints has 5 x and 1 y"),
    ],
)
def test_a_malformed_entry_is_named_and_loses_nothing(tmp_path: Path, wrong: Callable, reason: str) -> None:
    broken = made_entry()
    wrong(broken)
    document = {"before": made_entry(), "broken": broken, "after": made_entry()}
    path = written(tmp_path, document)
    found = read_opens2v(path)
    assert [sample.key for sample in found.samples] == ["before", "after"]
    assert [(fault.file, fault.key) for fault in found.faults] == [("dataset1.json", "broken")]
    assert reason in found.faults[0].reason
    assert found.text() == path.read_text("utf-8")


def test_a_malformed_pair_is_named_by_its_place(tmp_path: Path) -> None:
    broken = made_upstream_pair() | {"cur_frame_idx": "first"}
    found = read_opens2v(written(tmp_path, [made_upstream_pair(), broken, 3]))
    assert len(found.pairs) == 1
    assert [str(fault) for fault in found.faults] == [
        "dataset1.json, pair 1: cur_frame_idx names frame 'first', expected digits",
        "dataset1.json, pair 2: the pair is a number, expected an object",
    ]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", r"a\.json: broken JSON at line 1"),
        (b'{"k": {"metadata": {}', r"a\.json: broken JSON"),
        (b"3", r"a\.json: a number is none of OpenS2V's files"),
        (b'{"k": 1, "k": 2}', r"a\.json: key 'k' stands twice"),
    ],
)
def test_a_file_that_is_none_of_upstreams_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(ImportRefused, match=says):
        read_opens2v(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="cannot be read: No such file"):
        read_opens2v(tmp_path / "absent.json")


def test_reading_changes_nothing_of_the_document(tmp_path: Path) -> None:
    found = read_opens2v(written(tmp_path, {KEY: made_entry()}))
    before = copy.deepcopy(found.document)
    found.text()
    assert found.document == before == {KEY: made_entry()}


def test_made_frames_are_named_as_upstream_names_them(tmp_path: Path) -> None:
    for name in ("main_image.png", "10_man.png", made_frame_name(1, "blue top"), "notes.txt"):
        (tmp_path / KEY).mkdir(exist_ok=True)
        (tmp_path / KEY / name).write_bytes(b"")
    frames, faults = read_made_frames(tmp_path)
    assert [(frame.sample_key, frame.number, frame.tag) for frame in frames] == [
        (KEY, None, None),
        (KEY, 1, "blue top"),
        (KEY, 10, "man"),
    ]
    assert [str(fault) for fault in faults] == [f"notes.txt, {KEY}: is neither main_image.png nor NUMBER_TAG.png"]


@pytest.mark.parametrize(
    ("tag", "name"),
    [("blue top", "0_blue_top.png"), ("a/../b", "0_a_.._b.png"), ("狗", "0_狗.png"), ("?", "0_subject.png")],
)
def test_a_tag_never_leads_out_of_its_folder(tag: str, name: str) -> None:
    assert made_frame_name(0, tag) == name


def test_clusters_follow_upstreams_rule() -> None:
    assert cluster_of("gm1-2_part2_step1-0-95_step2-0-95") == "gm1-2"
    assert cluster_of("film_part2_segment7_step1-0-95") == "film_part2"
    assert cluster_of("film") == "film"


@pytest.mark.real
def test_upstreams_demo_files_come_back_byte_for_byte(real_media: Path) -> None:
    paths = sorted((real_media / "dev" / "opens2v_demo").glob("step*.json"))
    files = [read_opens2v(path) for path in paths]
    assert len(files) == 12
    assert [fault for found in files for fault in found.faults] == []
    for path, found in zip(paths, files, strict=True):
        assert json.loads(found.text()) == json.loads(path.read_bytes())
        assert found.text().encode() == path.read_bytes()
    assert sum(len(found.samples) for found in files) == 10
    assert sum(len(found.pairs) for found in files) == 30
    assert sum(len(sample.faces) for found in files for sample in found.samples) == 2 * 190
    assert sum(len(sample.masks) for found in files for sample in found.samples) == 2 * 14
