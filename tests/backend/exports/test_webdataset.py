"""`export webdataset`: shards as tarfile and the webdataset package read them."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import av
import pytest

from backend.exports.rows import ExportRows, ExportVideo
from backend.exports.webdataset import ExportWebDataset, bucket_of
from tests.backend.exports.made_pairs import ABOUT, NUM_FRAMES, film_pair, film_sample, made_clip, made_films, store

SHARD = "train/resolution_0/aspect_16_9/frames_8_15/000000.tar"


@pytest.mark.parametrize(
    ("shape", "bucket"),
    [
        ((1920, 1080, 81), "resolution_1080/aspect_16_9/frames_64_127"),
        ((720, 1280, 128), "resolution_720/aspect_9_16/frames_128_255"),
        ((719, 719, 1), "resolution_480/aspect_1_1/frames_1_1"),
        ((100, 60, 255), "resolution_0/aspect_16_9/frames_128_255"),
        ((640, 480, 2), "resolution_480/aspect_4_3/frames_2_3"),
    ],
)
def test_a_bucket_is_named_by_short_side_nearest_aspect_and_power_of_two(shape: tuple[int, int, int], bucket: str) -> None:
    assert bucket_of(*shape) == bucket


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[ExportVideo]:
    return made_films(tmp_path_factory.mktemp("films") / "of shards", 4)


def export(films: list[ExportVideo], folder: Path, *, lost: int = 0) -> Path:
    artifacts = store(folder)
    clips = [made_clip(film, artifacts) for film in films]
    pairs = [film_pair(films[0], films[1], artifacts), film_pair(films[2], films[3], artifacts)]
    shown = [replace(film, uri=f"/gone/{number}.mp4") if number < lost else film for number, film in enumerate(films)]
    samples = [film_sample(pair) for pair in pairs]
    rows = ExportRows(pairs=pairs, videos=shown, about=ABOUT, samples=samples, clips=clips)
    done = ExportWebDataset().write(rows, out=folder / "out", artifacts=artifacts)
    assert done.pairs == 2 - bool(lost)
    return folder / "out"


def test_a_shard_holds_clip_caption_and_references_beside_what_they_are(films: list[ExportVideo], tmp_path: Path) -> None:
    out = export(films, tmp_path)
    with tarfile.open(out / SHARD) as tar:
        members = tar.getmembers()
        files = {one.name: file.read() for one in members if (file := tar.extractfile(one))}
    assert {(one.mtime, one.uid, one.gid, one.uname, one.gname, one.mode) for one in members} == {(0, 0, 0, "", "", 0o644)}
    key = "sample_pair_000_001"
    assert [name for name in files if name.startswith(f"{key}.")] == [
        f"{key}.json",
        f"{key}.mp4",
        f"{key}.txt",
        f"{key}.reference0.png",
    ]
    assert files[f"{key}.txt"].decode() == "A brown dog – 狗 – runs."
    told = json.loads(files[f"{key}.json"])
    assert told["references"][0] | {"subject_id": ""} == {
        "subject_id": "",
        "appearance_id": "appearance_video_001_6",
        "pair_id": "pair_000_001",
        "phrase": "brown dog",
        "file": "reference0.png",
        "source_id": "source_001",
        "source_uri": films[1].uri,
        "content_hash": f"{1:064x}",
        "licence": "CC-BY-4.0",
        "attribution": "A. [Maker]",
        "terms": ["attribution"],
    }
    with av.open(io.BytesIO(files[f"{key}.mp4"])) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(frames) == NUM_FRAMES
    assert frames[5][15, 30, :2].min() > 200, "the square stands 20 to 40 pixels from the left in frame 5"
    assert frames[5][15, 70].max() < 40


@pytest.mark.slow
def test_the_webdataset_package_reads_it(films: list[ExportVideo], tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    out = export(films, tmp_path)
    samples = list(webdataset.WebDataset(str(out / SHARD), shardshuffle=False).decode("rgb8"))
    assert [sample["__key__"] for sample in samples] == ["sample_pair_000_001", "sample_pair_002_003"]
    assert samples[0]["json"]["clip_id"] == "clip_video_000"
    assert samples[0]["reference0.png"].shape == (20, 20, 3)


def test_a_sample_whose_video_is_gone_is_counted_and_the_others_are_written(
    films: list[ExportVideo], tmp_path: Path
) -> None:
    out = export(films, tmp_path, lost=1)
    about = json.loads((out / "about.json").read_text())
    assert about["left_out"]["samples: their video cannot be read here"] == 1
    assert about["num_samples_by_shard"] == {SHARD: 1}


def test_the_card_speaks_of_written_pairs_alone(films: list[ExportVideo], tmp_path: Path) -> None:
    shown = [replace(film, licence="CC-BY-NC-4.0" if number < 2 else film.licence) for number, film in enumerate(films)]
    card = (export(shown, tmp_path, lost=1) / "README.md").read_text()
    assert (
        "\n1 pairs of a target and a reference that show the same subject, from 2 videos (0.0 minutes), 2 subjects." in card
    )
    assert "CC-BY-NC" not in card
