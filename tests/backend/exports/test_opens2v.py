"""`export opens2v`: what upstream's schema asks for, by hand-made clips and pairs, read back by the reader."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.domain import ProjectError, StoreError
from backend.exports.opens2v import ExportOpenS2V, frame_of
from backend.exports.opens2v_entries import video_names, video_paths
from backend.exports.opens2v_rows import OpenS2VFile, read_made_frames, read_opens2v
from backend.exports.rows import (
    ExportAppearance,
    ExportClip,
    ExportMask,
    ExportPair,
    ExportPhrase,
    ExportRows,
    ExportScore,
    ExportSide,
    ExportVideo,
)
from backend.geometry import rle
from backend.media.images import encode_png, encode_webp, read_image
from backend.media.index import build_index
from backend.media.writer import write_video
from backend.store.artifacts import Artifacts
from tests.backend.exports.made_pairs import ABOUT, made_video, store

CAPTION = "A man in a red coat walks a dog in a park."
HEIGHT, WIDTH = 72, 128


def video(number: int, uri: str = "") -> ExportVideo:
    return replace(made_video(number), width=WIDTH, height=HEIGHT, uri=uri or f"/films/set {number}/walk {number}.mp4")


def mask_of(box: tuple[int, int, int, int]) -> ExportMask:
    x0, y0, x1, y1 = box
    pixels = np.zeros((HEIGHT, WIDTH), bool)
    pixels[y0:y1, x0:x1] = True
    return ExportMask(height=HEIGHT, width=WIDTH, counts=rle.encode(pixels).decode("ascii"))


def shown(clip: str, subject: str, frame: int, box: tuple[int, int, int, int], **changes: Any) -> ExportAppearance:
    made = ExportAppearance(
        appearance_id=f"{clip}:{subject}:{frame}",
        subject_id=f"{clip}:{subject}",
        phrase=subject,
        category="man",
        frame=frame,
        box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
        mask=mask_of(box),
        scores=(
            ExportScore(name="crop_aesthetic", value=4.5, producer="score_references/1:aesthetic-predictor@ab"),
            ExportScore(name="crop_text_cosine", value=0.25, producer="score_references/1:gme@cd"),
            ExportScore(name="mask_quality", value=0.75, producer="segment_subjects/1:embedded-grabcut-3"),
        ),
    )
    return replace(made, **changes)


def made_clip(name: str, of: ExportVideo, start: int, **changes: Any) -> ExportClip:
    """Its man stands on frames 10 and 20 after its start, its dog on 20."""
    clip = ExportClip(
        clip_id=name,
        video_id=of.video_id,
        start_frame=start,
        stop_frame=start + 100,
        index="ab" * 32 + ".bin",
        caption=CAPTION,
        caption_author="vlm-captions-1",
        phrases=(
            ExportPhrase(text="man", start=2, stop=5, role="subject", category="man"),
            ExportPhrase(text="red coat", start=11, stop=19, role="object", category=None),
            ExportPhrase(text="dog", start=28, stop=31, role="subject", category="dog"),
            ExportPhrase(text="park", start=37, stop=41, role="background", category=None),
        ),
        appearances=(
            shown(name, "man", start + 10, (20, 10, 40, 60)),
            shown(name, "dog", start + 20, (60, 40, 80, 60)),
            shown(name, "man", start + 20, (22, 10, 42, 60)),
        ),
        scores=(
            ExportScore(name="aesthetic", value=5.25, producer="aesthetic-predictor@ab"),
            ExportScore(name="motion", value=0.5, producer="measure_motion/1"),
        ),
    )
    return replace(clip, **changes)


def side(clip: ExportClip, number: int, of: ExportVideo) -> ExportSide:
    one = clip.appearances[number]
    return ExportSide(
        appearance_id=one.appearance_id,
        origin="video",
        source_uri=of.uri,
        box=one.box,
        subject_id=one.subject_id,
        video_id=of.video_id,
        clip_id=clip.clip_id,
        frame=one.frame,
    )


def made_pair(target: ExportSide, reference: ExportSide, **changes: Any) -> ExportPair:
    pair = ExportPair(
        pair_id=f"pair {target.appearance_id} {reference.appearance_id}",
        kind="cross_frame",
        status="machine",
        verdict=None,
        num_votes=0,
        category="man",
        phrase="man",
        is_living=True,
        target=target,
        reference=reference,
        scores=(
            ExportScore(name="appearance_cosine", value=0.75, producer="pair_subjects/2:embedded"),
            ExportScore(name="similarity", value=0.875, producer="pair_subjects/2:embedded"),
        ),
    )
    return replace(pair, **changes)


class World:
    """Two videos: two clips of the first, one of the second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.artifacts: Artifacts = store(folder)
        self.videos = [video(1), video(2)]
        self.clips = [
            made_clip("a", self.videos[0], 0),
            made_clip("b", self.videos[0], 100),
            made_clip("c", self.videos[1], 50),
        ]
        a, b, c = self.clips
        one, two = self.videos
        self.pairs = [
            made_pair(side(a, 0, one), side(b, 2, one)),
            made_pair(side(a, 2, one), side(c, 1, two), kind="cross_video"),
        ]

    def export(self, name: str = "out", *, about=ABOUT, pairs=None, clips=None):
        rows = ExportRows(
            pairs=self.pairs if pairs is None else pairs,
            videos=self.videos,
            about=replace(about, left_out=()),
            clips=self.clips if clips is None else clips,
        )
        summary = ExportOpenS2V().write(rows, out=self.folder / name, artifacts=self.artifacts)
        return self.folder / name, summary


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def metadata(out: Path, dataset: str = "dataset") -> OpenS2VFile:
    found = read_opens2v(out / "step5" / "merge_final_json" / f"{dataset}.json")
    assert found.faults == ()
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


A = "walk_1_segment1_step1-0-100_step2-0-100_step3_step4_step5"
B = "walk_1_segment2_step1-100-200_step2-100-200_step3_step4_step5"
C = "walk_2_segment1_step1-50-150_step2-50-150_step3_step4_step5"


def test_every_clip_is_a_sample_in_upstreams_schema(world: World) -> None:
    out, summary = world.export()
    found = metadata(out)
    assert [sample.key for sample in found.samples] == [A, B, C]
    sample = found.samples[1]
    told = sample.metadata
    assert (told.cut, told.face_cut, told.crop) == ((100, 200), (100, 200), (0, 0, WIDTH, HEIGHT))
    assert (told.fps, told.num_frames, told.width, told.height) == (24.0, 240, WIDTH, HEIGHT)
    assert (told.path, told.face_caption, told.aesthetic) == ("set 1/walk 1.mp4", CAPTION, 5.25)
    assert dict(sample.word_tags) == {"background": ("park",), "subject": ("man", "dog"), "object": ("red coat",)}
    assert sample.annotated_frame == 120
    assert [(box.class_name, box.box, box.gme_score, box.aes_score) for box in sample.boxes] == [
        ("dog", (60.0, 40.0, 80.0, 60.0), 0.25, 4.5),
        ("man", (22.0, 10.0, 42.0, 60.0), 0.25, 4.5),
    ]
    assert [(mask.frame, mask.mask_id, mask.class_name) for mask in sample.masks] == [
        (110, "2", "man"),
        (120, "1", "dog"),
        (120, "2", "man"),
    ]
    assert sample.masks[0].pixels()[10:60, 20:40].all()
    assert sample.masks[0].pixels().sum() == 20 * 50
    assert (summary.format, summary.files) == ("opens2v", len(contents(out)))


def test_scores_on_another_scale_are_left_out_and_named(world: World) -> None:
    out, _ = world.export()
    for sample in metadata(out).samples:
        assert (sample.metadata.tech, sample.metadata.motion) == (None, None)
        assert {mask.score for mask in sample.masks} == {None}
        assert {"tech", "motion"}.isdisjoint(sample.document["metadata"])
    told = json.loads((out / "about.json").read_text())["keys_left_out"]
    assert told["metadata.tech"] == "not measured (3)"
    assert told["metadata.motion"] == "measured by measure_motion/1, another scale than upstream's (3)"
    assert "embedded-grabcut-3" in told["mask_annotation.score"]
    assert "metadata.aesthetic" not in told
    assert "`metadata.motion`: measured by measure_motion/1" in (out / "README.md").read_text()


def test_a_score_that_could_not_be_measured_is_left_out_with_its_reason(world: World) -> None:
    unmeasured = ExportScore(name="crop_text_cosine", value=None, producer="score_references/1:", reason="unavailable: gme")
    clip = world.clips[0]
    appearances = tuple(replace(one, scores=(unmeasured,)) for one in clip.appearances)
    out, _ = world.export(pairs=[], clips=[replace(clip, appearances=appearances)])
    told = json.loads((out / "about.json").read_text())["keys_left_out"]
    assert told["annotations.gme_score"] == "unavailable: gme (2)"
    assert told["annotations.aes_score"] == "not measured (2)"


def test_pairs_name_the_frames_and_masks_of_both_sides(world: World) -> None:
    out, summary = world.export()
    found = read_opens2v(out / "step6" / "cross-frames-images" / "walk_1.json")
    assert (found.faults, summary.pairs) == ((), 2)
    masks = {
        (f"dataset/{sample.key}", mask.frame, mask.mask_id): mask.class_name
        for sample in metadata(out).samples
        for mask in sample.masks
    }
    assert [(pair.cur_id, pair.aft_id) for pair in found.pairs] == [
        (f"dataset/{A}", f"dataset/{B}"),
        (f"dataset/{A}", f"dataset/{C}"),
    ]
    for pair in found.pairs:
        assert masks[(pair.cur_id, pair.cur_frame, pair.cur_class_id or "")] == pair.cur_class_name
        assert masks[(pair.aft_id, pair.aft_frame, pair.aft_class_id or "")] == pair.aft_class_name
    first, second = found.pairs
    assert (first.cur_frame, first.aft_frame, first.text_similarity, first.image_similarity) == (10, 120, 1.0, None)
    assert (first.document["similarity"], first.document["appearance_cosine"]) == (0.875, 0.75)
    assert (second.cur_class_name, second.aft_class_name, second.text_similarity) == ("man", "dog", None)


def test_an_image_similarity_of_upstreams_model_stands_under_upstreams_name(world: World) -> None:
    scores = (ExportScore(name="appearance_cosine", value=0.75, producer="pair_subjects/2:gme@ab"),)
    out, _ = world.export(pairs=[replace(world.pairs[0], scores=scores)])
    found = read_opens2v(out / "step6" / "cross-frames-images" / "walk_1.json")
    assert found.pairs[0].image_similarity == 0.75


def test_a_cluster_lists_its_clips_and_those_that_its_pairs_reach(world: World) -> None:
    out, _ = world.export()
    found = read_opens2v(out / "step6" / "cluster_videos.json")
    assert found.clusters == (("walk_1", (f"dataset/{A}", f"dataset/{B}", f"dataset/{C}")),)


def test_pairs_without_a_place_in_the_schema_are_counted(world: World) -> None:
    a, one = world.clips[0], world.videos[0]
    uncut = replace(side(a, 0, one), appearance_id="elsewhere")
    picture = replace(side(a, 0, one), clip_id=None, video_id=None, subject_id=None, frame=None)
    pairs = [
        replace(world.pairs[0], pair_id="1", verdict="different"),
        replace(world.pairs[0], pair_id="2", kind="in_pair"),
        made_pair(side(a, 0, one), picture, pair_id="3", kind="cross_video"),
        made_pair(side(a, 0, one), uncut, pair_id="4"),
        replace(world.pairs[0], pair_id="5", verdict="same"),
    ]
    _, summary = world.export(pairs=pairs)
    assert summary.pairs == 1
    assert summary.left_out == {
        "judged different": 1,
        "in_pair: upstream pairs two clips": 1,
        "the reference is a picture, of no clip": 1,
        "a side is not cut out": 1,
    }


def test_a_clip_without_a_mask_is_counted(world: World) -> None:
    bare = tuple(replace(one, mask=None) for one in world.clips[2].appearances)
    out, summary = world.export(pairs=[], clips=[*world.clips[:2], replace(world.clips[2], appearances=bare)])
    assert [sample.key for sample in metadata(out).samples] == [A, B]
    assert summary.left_out == {"clip: no subject of the clip is cut out": 1}


def test_with_a_condition_only_clips_of_chosen_pairs_are_samples_under_the_same_keys(world: World) -> None:
    (_, b, c), (one, two) = world.clips, world.videos
    about = replace(ABOUT, where="similarity > .8")
    joined = made_pair(side(b, 2, one), side(c, 2, two))
    assert [sample.key for sample in metadata(world.export(pairs=[joined], about=about)[0]).samples] == [B, C]
    within = made_pair(side(b, 0, one), side(b, 2, one), kind="in_pair")
    denied = replace(joined, verdict="different")
    assert [sample.key for sample in metadata(world.export(pairs=[within, denied], about=about)[0]).samples] == [B]


def test_masks_and_boxes_lie_on_the_cropped_frame(world: World) -> None:
    clip = replace(world.clips[0], crop=(9.5, 20.0, 70.25, 72.0))
    out, _ = world.export(pairs=[], clips=[clip])
    (sample,) = metadata(out).samples
    assert sample.metadata.crop == (10, 20, 70, 72)
    assert sample.document["metadata"]["crop"] == [10, 70, 20, 72]
    man = next(box for box in sample.boxes if box.class_name == "man")
    assert man.box == (12.0, 0.0, 32.0, 40.0)
    mask = next(mask for mask in sample.masks if mask.frame == 20 and mask.class_name == "man")
    assert (mask.height, mask.width) == (52, 60)
    assert mask.pixels()[0:40, 12:32].all()
    assert mask.pixels().sum() == 20 * 40
    assert {box.class_name for box in sample.boxes} == {"man", "dog"}


def test_what_the_crop_cuts_away_is_not_annotated(world: World) -> None:
    clip = replace(world.clips[0], crop=(0.0, 0.0, 50.0, 72.0))
    (sample,) = metadata(world.export(pairs=[], clips=[clip])[0]).samples
    assert {mask.class_name for mask in sample.masks} == {"man"}


@pytest.mark.parametrize(
    ("spans", "face_cut", "frame"),
    [
        (((0, 90), (95, 99)), (0, 90), 20),
        (((5, 15), (90, 95)), (5, 15), 10),  # the frame with most subjects shows no face
        (((90, 95),), (0, 100), 20),  # no frame with a face is cut out
        ((), (0, 100), 20),
    ],
)
def test_the_annotated_frame_shows_a_face_where_it_can(world: World, spans, face_cut, frame) -> None:
    clip = replace(world.clips[0], face_spans=spans)
    (sample,) = metadata(world.export(pairs=[], clips=[clip])[0]).samples
    assert (sample.metadata.face_cut, sample.annotated_frame) == (face_cut, frame)
    assert f"_step2-{face_cut[0]}-{face_cut[1]}_" in sample.key


def test_a_subject_that_the_annotated_frame_lacks_has_an_id_after_those_it_shows(world: World) -> None:
    cat = shown("a", "a cat", 10, (90, 40, 100, 50))
    clip = replace(world.clips[0], appearances=(*world.clips[0].appearances, cat), plate_frame=20)
    (sample,) = metadata(world.export(pairs=[], clips=[clip])[0]).samples
    assert (sample.annotated_frame, [box.class_name for box in sample.boxes]) == (20, ["dog", "man"])
    assert [(mask.frame, mask.mask_id, mask.class_name) for mask in sample.masks if mask.frame == 10] == [
        (10, "2", "man"),
        (10, "3", "a cat"),
    ]


def test_a_split_is_a_dataset_and_never_parts_a_pair(world: World) -> None:
    lone = [made_clip(f"lone {n}", video(n), 0) for n in range(3, 23)]
    world.videos += [video(n) for n in range(3, 23)]
    out, _ = world.export(clips=[*world.clips, *lone], about=replace(ABOUT, split="train=.5,test=.5"))
    keys = {name: {sample.key for sample in metadata(out, name).samples} for name in ("train", "test")}
    assert min(map(len, keys.values())) > 0
    assert sum(map(len, keys.values())) == 23
    assert any({A, B, C} <= found for found in keys.values())
    dataset = next(name for name, found in keys.items() if A in found)
    assert read_opens2v(out / "step6" / "cross-frames-images" / "walk_1.json").pairs[0].cur_id == f"{dataset}/{A}"


def test_plates_lie_where_upstream_looks_for_them(world: World) -> None:
    plate = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    plate[20:, 10:] = (0, 128, 255)
    name = world.artifacts.put(encode_png(plate), "png")
    out, _ = world.export(
        pairs=[], clips=[replace(world.clips[0], plate=name, plate_frame=20, crop=(10.0, 20.0, 70.0, 72.0))]
    )
    found = read_image(out / "step5" / "final_output" / "dataset" / "foreground" / f"{A}.png")
    assert found.shape == (52, 60, 3)
    assert (found == (0, 128, 255)).all()


def test_made_pictures_are_named_as_upstream_names_them(world: World, tmp_path: Path) -> None:
    frames = np.zeros((30, HEIGHT, WIDTH, 3), np.uint8)
    frames += np.arange(30, dtype=np.uint8)[:, None, None, None] * 8
    write_video(tmp_path / "film.mp4", frames, fps=24)
    world.videos = [video(1, str(tmp_path / "film.mp4"))]
    index = world.artifacts.put(build_index(tmp_path / "film.mp4").to_bytes(), "bin")
    red = np.full((8, 8, 3), (255, 0, 0), np.uint8)
    picture = world.artifacts.put(encode_webp(red, lossless=True), "webp")
    clip = replace(world.clips[0], stop_frame=30, index=index)
    made = replace(side(clip, 2, world.videos[0]), appearance_id="made", origin="generated", crop=picture, frame=None)
    pair = made_pair(side(clip, 2, world.videos[0]), made, kind="generated")
    out, summary = world.export(pairs=[pair], clips=[clip])
    assert (summary.pairs, summary.left_out) == (1, {})
    frames_found, faults = read_made_frames(out / "step6" / "gpt-frames")
    assert faults == ()
    assert [(frame.number, frame.tag) for frame in frames_found] == [(None, None), (0, "man")]
    assert (read_image(frames_found[1].path) == red).all()
    main = read_image(frames_found[0].path)
    assert (main == frame_of(str(tmp_path / "film.mp4"), world.artifacts.get(index), 20)).all()
    assert abs(float(main.mean()) - 160) < 3


def test_a_video_that_is_gone_costs_only_the_frame_that_pictures_were_made_of(world: World) -> None:
    clip = world.clips[0]
    index = world.artifacts.put(b"no index", "bin")
    picture = world.artifacts.put(encode_png(np.zeros((8, 8, 3), np.uint8)), "png")
    made = replace(side(clip, 2, world.videos[0]), appearance_id="made", origin="generated", crop=picture, frame=None)
    pair = made_pair(side(clip, 2, world.videos[0]), made, kind="generated")
    out, summary = world.export(pairs=[pair], clips=[replace(clip, index=index)])
    assert summary.left_out == {"main_image.png: its video cannot be read here": 1}
    assert [path.name for path in (out / "step6" / "gpt-frames" / A).iterdir()] == ["0_man.png"]


def test_every_sample_and_pair_resolves_to_where_it_comes_from(world: World) -> None:
    out, _ = world.export()
    rows = [json.loads(text) for text in (out / "provenance.jsonl").read_text("utf-8").splitlines()]
    samples = {row["sample"]: row for row in rows if "sample" in row}
    assert set(samples) == {A, B, C}
    assert (samples[C]["clip_id"], samples[C]["video_hash"], samples[C]["licence"]) == ("c", f"{2:064x}", "CC-BY-4.0")
    assert samples[A]["subjects"] == {"1": "a:dog", "2": "a:man"}
    assert [one["appearance_id"] for one in samples[A]["appearances"]] == ["a:man:10", "a:dog:20", "a:man:20"]
    pairs = [row for row in rows if "pair" in row]
    for row in pairs:
        listed = read_opens2v(out / row["file"]).pairs[row["place"]]
        assert listed.cur_frame == row["row"]["target"]["frame"]
    assert len(pairs) == 2


def test_two_exports_of_equal_rows_are_byte_identical_and_checked_by_sha256sum(world: World) -> None:
    first = contents(world.export("one")[0])
    second = contents(world.export("two", pairs=list(reversed(world.pairs)))[0])
    assert first == second
    done = subprocess.run(
        ["sha256sum", "-c", "--quiet", "--strict", "MANIFEST.sha256"], cwd=world.folder / "one", check=False
    )
    assert done.returncode == 0


def test_what_is_written_is_written_again_unchanged_by_the_reader(world: World) -> None:
    out, _ = world.export()
    for path in out.rglob("*.json"):
        if path.name != "about.json":
            assert read_opens2v(path).text().encode() == path.read_bytes()


def test_clips_without_pairs_make_an_export_and_nothing_at_all_makes_none(world: World) -> None:
    out, summary = world.export(pairs=[])
    assert (len(metadata(out).samples), summary.pairs) == (3, 0)
    with pytest.raises(ProjectError, match="nothing is exported"):
        world.export(pairs=[], clips=[])
    assert len(metadata(out).samples) == 3


def test_a_failed_export_leaves_nothing_and_keeps_the_earlier_one(world: World) -> None:
    out, _ = world.export()
    before = contents(out)
    broken = replace(world.clips[1], plate="ab" * 32 + ".png")
    with pytest.raises(StoreError):
        world.export(clips=[world.clips[0], broken])
    assert contents(out) == before
    assert sorted(path.name for path in world.folder.iterdir()) == ["artifacts", "out"]
    (world.folder / "mine").mkdir()
    (world.folder / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ProjectError, match="holds files that are no export"):
        world.export("mine")


def test_videos_of_one_name_have_keys_of_their_own_and_paths_below_one_folder() -> None:
    videos = [
        replace(video(1, "/films/a/Walk.mp4"), video_id="video_11"),
        replace(video(2, "/films/b/walk.mp4"), video_id="video_22"),
        replace(video(3, "/films/b/no name?/…é\udce9.mp4"), video_id="video_33"),
        replace(video(4, f"/films/{'x' * 250}.mp4"), video_id="video_44"),
    ]
    names = video_names(videos)
    assert names == {"video_11": "Walk-11", "video_22": "walk-22", "video_33": "é", "video_44": "x" * 80}
    assert video_paths(videos[:2]) == {"video_11": "a/Walk.mp4", "video_22": "b/walk.mp4"}
    assert video_paths(videos[:1]) == {"video_11": "Walk.mp4"}
