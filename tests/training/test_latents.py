"""From an export to packed latents: values against the codec called on the frames themselves, and nothing done twice."""

import json
import threading

import numpy as np
import pytest

from backend.domain import ImportRefused, SettingsError, StoreError, content_id
from backend.exports.manifest import artifact_path
from backend.jobs.board import JobTicket
from backend.media.reader import VideoReader
from backend.models.log_mel import LogMel
from backend.models.pixel_codec import PixelCodec
from backend.models.word_text import HashedWords
from backend.store.artifacts import Artifacts
from tests.training.made_export import FRAMES, SIDE, cut_out, frames_of, made_export, without_samples
from training.data.latent_settings import Encoders, Latents
from training.data.latents import EMPTY_TEXT, encode
from training.data.shapes import ClipShapes, PictureShapes
from training.data.shards import Kept, LatentCache
from training.data.stages import FACE_MARGIN

SMALL = Latents(
    clips=ClipShapes(fps=12.0, frames=(9,), pixels=SIDE * SIDE, aspects=(1.0,), multiple=8),
    pictures=PictureShapes(pixels=16 * 16, aspects=(1.0,), augmentations=2),
    engine="inline",
)


@pytest.fixture
def steps():
    """What the job reported."""
    return []


@pytest.fixture
def ticket(steps):
    return JobTicket(lambda *progress: steps.append(progress), threading.Event())


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return made_export(tmp_path_factory.mktemp("squares"))


@pytest.fixture(scope="module")
def encoded(export):
    return encode(JobTicket(lambda *_: None, threading.Event()), export=export, settings=SMALL)


def clip_of(encoded, number):
    return content_id("clip", list(sorted_videos(encoded))[number].video_id, 0, FRAMES)


def sorted_videos(encoded):
    return sorted(encoded.reader.videos(), key=lambda video: video.uri)


def test_a_clip_has_the_latents_of_its_frames(encoded):
    video = sorted_videos(encoded)[0]
    with VideoReader(video.uri) as reader:
        frames = reader.at(range(9))
    assert np.abs(frames.astype(int) - frames_of(0)[:9]).mean() < 4, "the film shows what was drawn"
    found = encoded.cache.tensor(encoded.keys.clips, clip_of(encoded, 0), "video").numpy()
    np.testing.assert_array_equal(found, PixelCodec().encode(frames))


def test_a_reference_is_encoded_alone_on_white(encoded):
    target = artifact_path(next(s for s in encoded.reader.pairs() if s.kind == "in_pair").reference.crop or "")
    found = PixelCodec().decode(encoded.cache.tensor(encoded.keys.pictures, target, "plain").numpy())
    mask = encoded.cache.tensor(encoded.keys.pictures, target, "plain.mask").numpy()
    assert found.shape == (1, 16, 16, 3)
    assert (found[0, :3, :3] == 255).all(), "the transparent corner is white"
    assert mask[:3, :3].sum() == 0
    assert mask[6:, 6:].all()
    colours = {tuple(cut_out(number)[8, 8, :3]) for number in range(2)}
    assert tuple(found[0, 12, 12]) in colours


def test_augmented_variants_differ_and_only_in_pairs_have_them(encoded):
    kinds = {pair.kind: artifact_path(pair.reference.crop or "") for pair in encoded.reader.pairs()}

    def shapes_of(kind):
        entry = encoded.cache.find(encoded.keys.pictures, kinds[kind])
        assert entry is not None
        return entry.shapes

    assert {"plain", "augmented.0", "augmented.1"} <= set(shapes_of("in_pair"))
    one, other = (encoded.cache.tensor(encoded.keys.pictures, kinds["in_pair"], f"augmented.{n}").numpy() for n in (0, 1))
    assert not np.array_equal(one, other)
    assert set(shapes_of("generated")) == {"plain", "plain.mask"}


def test_texts_are_kept_without_padding_and_one_is_empty(encoded):
    found = encoded.cache.tensor(encoded.keys.texts, clip_of(encoded, 1), "text").numpy()
    np.testing.assert_array_equal(found, HashedWords().encode("A square of colour 1 moves right"))
    assert encoded.cache.tensor(encoded.keys.texts, EMPTY_TEXT, "text").shape == (1, 32)


def test_nothing_is_done_twice(encoded, export, ticket, steps):
    shards = {path.name: path.stat().st_mtime_ns for path in (encoded.cache.folder / "shards").iterdir()}
    again = encode(ticket, export=export, settings=SMALL)
    assert steps == []
    assert len(again.cache) == len(encoded.cache)
    assert {path.name: path.stat().st_mtime_ns for path in (again.cache.folder / "shards").iterdir()} == shards
    assert not list((encoded.cache.folder / "work" / "artifacts").rglob("*.st")), "what is packed lies once"


def test_stopped_before_packing_nothing_is_encoded_again(tmp_path, ticket, steps, monkeypatch):
    export = made_export(tmp_path)

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(LatentCache, "pack", stopped)
    with pytest.raises(KeyboardInterrupt):
        encode(ticket, export=export, settings=SMALL)
    monkeypatch.undo()
    assert {stage for stage, *_ in steps} >= {"list_clips", "encode_clips", "encode_pictures", "encode_texts"}
    steps.clear()
    found = encode(ticket, export=export, settings=SMALL)
    assert steps == []
    assert found.cache.tensor(found.keys.clips, clip_of(found, 1), "video").shape == (48, 9, 8, 8)


def test_other_settings_lie_beside_in_a_version_of_their_own(encoded, export, ticket, steps):
    shapes = ClipShapes(fps=12.0, frames=(5,), pixels=SIDE * SIDE, aspects=(1.0,), multiple=8)
    other = encode(ticket, export=export, settings=Latents(clips=shapes, pictures=SMALL.pictures, engine="inline"))
    assert {stage for stage, *_ in steps} == {"encode_clips", "encode_pictures"}
    assert other.keys.texts == encoded.keys.texts
    assert other.keys.clips != encoded.keys.clips
    clip = clip_of(encoded, 0)
    assert other.cache.tensor(other.keys.clips, clip, "video").shape[1] == 5
    assert LatentCache(encoded.cache.folder).tensor(encoded.keys.clips, clip, "video").shape[1] == 9


def test_sound_spans_the_encoded_frames(tmp_path, ticket):
    export = made_export(tmp_path, sound=True)
    settings = Latents(clips=SMALL.clips, pictures=SMALL.pictures, engine="inline", encoders=Encoders(audio="embedded"))
    encoded = encode(ticket, export=export, settings=settings)
    found = encoded.cache.tensor(encoded.keys.clips, clip_of(encoded, 0), "audio").numpy()
    tone = np.sin(2 * np.pi * 440 * np.arange(round(9 / 12 * 16_000)) / 16_000).astype(np.float32)
    assert found.shape == LogMel().encode(tone).shape == (37, 64)
    assert abs(int(found.mean(axis=0).argmax()) - int(LogMel().encode(tone).mean(axis=0).argmax())) <= 1


def test_a_clip_too_short_is_named_and_the_rest_is_done(export, ticket):
    shapes = ClipShapes(fps=12.0, frames=(81,), pixels=SIDE * SIDE, aspects=(1.0,), multiple=8)
    found = encode(ticket, export=export, settings=Latents(clips=shapes, pictures=SMALL.pictures, engine="inline"))
    assert found.failed == 0
    assert found.remarks == (
        "2 items: shorter than the shortest bucket, 81 frames at 12 a second: add a smaller count to latents.clips.frames",
    )


def test_buckets_without_clips_are_told_in_one_line(export, ticket):
    """Square clips of 18 frames: none is as long as 81, none as wide or high as the others."""
    shapes = ClipShapes(fps=12.0, frames=(81, 9), pixels=SIDE * SIDE, aspects=(1.0, 4.0, 0.25), multiple=8)
    found = encode(ticket, export=export, settings=Latents(clips=shapes, pictures=SMALL.pictures, engine="inline"))
    assert found.remarks == (
        "5 of 6 buckets have no clip: 9 frames of 64 x 16, 9 frames of 16 x 64, 81 frames of 32 x 32, 81 frames of 64 x 16, "
        "81 frames of 16 x 64",
    )
    assert found.failed == 0


def test_a_changed_export_is_refused(tmp_path, ticket):
    export = made_export(tmp_path)
    with (export / "samples.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(ImportRefused, match=r"samples.jsonl in .* is not what MANIFEST.sha256 lists"):
        encode(ticket, export=export, settings=SMALL)


def test_a_video_that_has_gone_fails_alone(tmp_path, ticket):
    export = made_export(tmp_path)
    (tmp_path / "square-0.mp4").unlink()
    found = encode(ticket, export=export, settings=SMALL)
    assert found.failed == 1
    assert any("square-0.mp4" in remark for remark in found.remarks)
    assert found.cache.find(found.keys.clips, clip_of(found, 1)) is not None
    assert found.cache.find(found.keys.clips, clip_of(found, 0)) is None


def test_a_video_that_is_another_now_is_refused(tmp_path, ticket):
    export = made_export(tmp_path)
    (tmp_path / "square-0.mp4").write_bytes((tmp_path / "square-1.mp4").read_bytes())
    found = encode(ticket, export=export, settings=SMALL)
    assert any("is not the video that the export speaks of" in remark for remark in found.remarks)


def test_an_export_without_samples_is_refused(tmp_path, ticket):
    with pytest.raises(ImportRefused, match="has no samples"):
        encode(ticket, export=without_samples(tmp_path), settings=SMALL)


def test_an_unknown_encoder_is_named(export, ticket):
    with pytest.raises(SettingsError, match="'embeded' is no implementation of LatentCodec; did you mean embedded"):
        encode(ticket, export=export, settings=Latents(encoders=Encoders(codec="embeded")))


def test_a_shard_without_index_counts_for_nothing(encoded, tmp_path):
    """As after a kill between the two files: the next packing takes its place."""
    from safetensors.numpy import save

    artifacts = Artifacts(tmp_path / "artifacts")
    kept = [Kept("k", f"t{n}", artifacts.put(save({"a": np.full(3, n, np.float32)}), "st")) for n in range(3)]
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "00000.safetensors").write_bytes(b"half")
    assert len(LatentCache(tmp_path)) == 0
    assert LatentCache(tmp_path).pack(kept, artifacts, shard_bytes=1) == 3
    again = LatentCache(tmp_path)
    assert [float(again.tensor("k", f"t{n}", "a")[0]) for n in range(3)] == [0.0, 1.0, 2.0]
    assert len(list((tmp_path / "shards").glob("*.jsonl"))) == 3


def test_a_damaged_index_says_what_to_do(tmp_path):
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "00000.jsonl").write_text(json.dumps({"key": 1}) + "\n")
    with pytest.raises(StoreError, match="delete the folder"):
        LatentCache(tmp_path)


def test_latents_of_an_earlier_version_are_read_and_a_changed_line_is_not(tmp_path):
    from safetensors.numpy import save

    artifacts = Artifacts(tmp_path / "artifacts")
    kept = [Kept("k", "t", artifacts.put(save({"a": np.full(3, 5, np.float32)}), "st"))]
    LatentCache(tmp_path).pack(kept, artifacts)
    index = tmp_path / "shards" / "00000.jsonl"
    told = json.loads(index.read_text())
    index.write_text(json.dumps({**told, "tensors": {"a": [4]}}))
    with pytest.raises(StoreError, match="delete the folder"):
        LatentCache(tmp_path)
    index.write_text(json.dumps({name: told[name] for name in ("key", "target", "artifact", "tensors")}))
    assert LatentCache(tmp_path).tensor("k", "t", "a").tolist() == [5.0, 5.0, 5.0]


def test_faces_of_people_are_cut_out_with_a_margin():
    from training.data.stages import _around

    rgba = np.zeros((100, 80, 4), np.uint8)
    rgba[40:60, 30:50] = 200
    found = _around(rgba, (30.0, 40.0, 50.0, 60.0))
    assert found.shape == (20 + 2 * int(20 * FACE_MARGIN) + 1, 20 + 2 * int(20 * FACE_MARGIN) + 1, 4)
