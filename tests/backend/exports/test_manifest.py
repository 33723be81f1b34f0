"""`export manifest` and its reader: round trip, equal bytes, and refusal of what was changed."""

import hashlib
import json
import os
import subprocess
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path

import pytest

from backend.domain import ImportRefused, ProjectError, SettingsError, StoreError
from backend.exports import EXPORTS
from backend.exports.manifest import ExportManifest, artifact_path, schema
from backend.exports.reader import read_manifest
from backend.exports.rows import ExportPair, ExportReference, ExportRows, ExportSample, ExportSide, ExportVideo
from backend.geometry import rle
from tests.backend.exports.made_pairs import ABOUT, made_pair, made_video, store

SPLIT = replace(ABOUT, split="train=.5,test=.5")


def export(tmp_path: Path, name: str = "out", *, num: int = 6, about=ABOUT) -> Path:
    artifacts = store(tmp_path)
    pairs = [made_pair(2 * n, 2 * n + 1, artifacts) for n in range(num)]
    videos = [made_video(n) for n in range(2 * num + 3)]
    ExportManifest().write(ExportRows(pairs=pairs, videos=videos, about=about), out=tmp_path / name, artifacts=artifacts)
    return tmp_path / name


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    artifacts = store(tmp_path)
    pairs = [made_pair(0, 1, artifacts), made_pair(2, 2, artifacts)]
    videos = [made_video(n) for n in range(3)]
    summary = ExportManifest().write(
        ExportRows(pairs=pairs, videos=videos, about=ABOUT), out=tmp_path / "out", artifacts=artifacts
    )
    reader = read_manifest(tmp_path / "out")
    assert list(reader.pairs()) == pairs
    assert list(reader.videos()) == videos
    assert reader.about == ABOUT
    assert (reader.num_pairs, reader.num_videos) == (2, 3)
    assert (summary.pairs, summary.left_out) == (2, {"rejected by a person": 2})
    assert summary.files == len(contents(tmp_path / "out"))


def made_sample(pair: ExportPair, plate: str | None = None) -> ExportSample:
    reference = ExportReference(
        subject_id=pair.target.subject_id or "", appearance_id=pair.reference.appearance_id, pair_id=pair.pair_id
    )
    return ExportSample(
        sample_id=f"sample_{pair.pair_id}",
        kind="cross_pair",
        clip_id=pair.target.clip_id or "",
        video_id=pair.target.video_id or "",
        start_frame=0,
        stop_frame=24,
        caption="a walk",
        references=(reference,),
        plate=plate,
    )


def test_samples_go_where_their_pairs_go(tmp_path: Path) -> None:
    artifacts = store(tmp_path)
    pairs = [made_pair(2 * n, 2 * n + 1, artifacts) for n in range(6)]
    plate = artifacts.put(b"a plate", "webp")
    samples = [made_sample(pair, plate) for pair in pairs]
    videos = [made_video(n) for n in range(15)]
    out = tmp_path / "out"
    ExportManifest().write(
        ExportRows(pairs=pairs, videos=videos, about=SPLIT, samples=iter(samples)), out=out, artifacts=artifacts
    )
    reader = read_manifest(out)
    parts = {pair.pair_id: pair.split for pair in reader.pairs()}
    found = list(reader.samples())
    assert [replace(sample, split=None) for sample in found] == sorted(samples, key=lambda sample: sample.sample_id)
    assert [sample.split for sample in found] == [parts[sample.references[0].pair_id] for sample in found]
    assert {s.sample_id for s in reader.samples(split="train")} == {s.sample_id for s in found if s.split == "train"}
    assert reader.artifact(plate).read_bytes() == b"a plate"


def test_an_export_without_samples_has_none(tmp_path: Path) -> None:
    out = export(tmp_path)
    (out / "samples.jsonl").unlink()
    listed = (out / "MANIFEST.sha256").read_text().splitlines(keepends=True)
    (out / "MANIFEST.sha256").write_text("".join(entry for entry in listed if "samples.jsonl" not in entry))
    assert list(read_manifest(out).samples()) == []


def test_crops_and_masks_survive(tmp_path: Path) -> None:
    reader = read_manifest(export(tmp_path))
    side = next(reader.pairs()).target
    assert side.crop is not None
    assert side.mask is not None
    assert reader.artifact(side.crop).read_bytes() == b"crop video_000 12"
    mask = rle.decode(side.mask.counts.encode(), side.mask.height, side.mask.width)
    assert mask.sum() == 200 * 200
    assert mask[100:300, 12:212].all()


def test_two_exports_of_equal_rows_are_byte_identical(tmp_path: Path) -> None:
    first = contents(export(tmp_path, "one", about=SPLIT))
    artifacts = store(tmp_path)
    pairs = [made_pair(2 * n, 2 * n + 1, artifacts) for n in reversed(range(6))]
    videos = [made_video(n) for n in reversed(range(15))]
    ExportManifest().write(
        ExportRows(pairs=iter(pairs), videos=iter(videos), about=SPLIT), out=tmp_path / "two", artifacts=artifacts
    )
    assert first == contents(tmp_path / "two")


def test_videos_without_a_pair_are_left_out(tmp_path: Path) -> None:
    assert [v.video_id for v in read_manifest(export(tmp_path, num=1)).videos()] == ["video_000", "video_001"]


def test_no_pairs_make_no_export(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="nothing is exported: all pairs are left out: 2 rejected by a person"):
        export(tmp_path, num=0)
    assert not (tmp_path / "out").exists()


def test_sha256sum_agrees(tmp_path: Path) -> None:
    out = export(tmp_path)
    done = subprocess.run(["sha256sum", "-c", "--quiet", "--strict", "MANIFEST.sha256"], cwd=out, check=False)
    assert done.returncode == 0


def test_a_split_names_every_pair_and_video_and_is_counted(tmp_path: Path) -> None:
    reader = read_manifest(export(tmp_path, num=20, about=SPLIT))
    parts = [pair.split for pair in reader.pairs()]
    assert set(parts) == {"train", "test"}
    assert reader.num_pairs_by_split == {"train": parts.count("train"), "test": parts.count("test")}
    split_of = {video.video_id: video.split for video in reader.videos()}
    for pair in reader.pairs():
        assert split_of[pair.target.video_id or ""] == split_of[pair.reference.video_id or ""] == pair.split
    assert [pair.split for pair in reader.pairs(split="test")] == ["test"] * parts.count("test")
    with pytest.raises(ImportRefused, match="has no split 'val'"):
        next(reader.pairs(split="val"))


@pytest.mark.parametrize("name", ["pairs.jsonl", "about.json", "README.md", "schema.json", "crop"])
def test_a_changed_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    out = export(tmp_path)
    path = next((out / "artifacts").rglob("*.png")) if name == "crop" else out / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ImportRefused, match=f"{path.name} .*is not what MANIFEST.sha256 lists"):
        read_manifest(out)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    out = export(tmp_path)
    (out / "videos.jsonl").unlink()
    with pytest.raises(ImportRefused, match=r"videos\.jsonl is missing"):
        read_manifest(out)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret", "C:/x", "a\\b", "a//b"])
def test_a_manifest_that_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    out = export(tmp_path)
    (tmp_path / "secret").write_bytes(b"")
    with (out / "MANIFEST.sha256").open("a") as file:
        file.write(f"{hashlib.sha256(b'').hexdigest()}  {name}\n")
    with pytest.raises(ImportRefused, match="leads out of the folder"):
        read_manifest(out)


@pytest.mark.parametrize("place", ["README.md", "artifacts"])
def test_a_link_is_refused(tmp_path: Path, place: str) -> None:
    out = export(tmp_path)
    (out / place).rename(tmp_path / "elsewhere")
    (out / place).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ImportRefused, match="is a link"):
        read_manifest(out)


@pytest.mark.parametrize("name", ["../../etc/passwd", "ab" * 32 + ".png/..", "", "ff" * 32 + ".png"])
def test_an_artifact_that_is_not_listed_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImportRefused, match=r"is no artifact name|does not list"):
        read_manifest(export(tmp_path)).artifact(name)


def relisted(out: Path, name: str, data: bytes) -> None:
    """Replaces a file and its checksum, as somebody with a purpose would."""
    (out / name).write_bytes(data)
    listing = [entry for entry in (out / "MANIFEST.sha256").read_text().splitlines() if not entry.endswith(name)]
    listing.append(f"{hashlib.sha256(data).hexdigest()}  {name}")
    (out / "MANIFEST.sha256").write_text("".join(f"{entry}\n" for entry in listing))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"pair_id": 3}\n', "pairs.jsonl line 1, pair_id"),
        (b"[1, 2\n", "pairs.jsonl line 1 is no JSON"),
        (b"NaN\n", "NaN is no JSON number"),
        (b"\xff\n", "pairs.jsonl line 1 is no JSON"),
        (b"[" * 100_000 + b"\n", "pairs.jsonl line 1 is no JSON"),
    ],
)
def test_a_malformed_line_is_refused_by_number(tmp_path: Path, data: bytes, says: str) -> None:
    out = export(tmp_path)
    relisted(out, "pairs.jsonl", data)
    with pytest.raises(ImportRefused, match=says):
        list(read_manifest(out).pairs())


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({"format": "subject-studio-manifest", "format_version": 2}, "format version 2, this version reads 1"),
        ({"format": "webdataset", "format_version": 1}, "of format 'webdataset'"),
        ({"format": "subject-studio-manifest"}, "cannot be read"),
        ([], "cannot be read"),
    ],
)
def test_another_format_is_refused(tmp_path: Path, header: object, says: str) -> None:
    out = export(tmp_path)
    relisted(out, "about.json", json.dumps(header).encode())
    with pytest.raises(ImportRefused, match=says):
        read_manifest(out)


def test_a_folder_without_a_manifest_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="is no export"):
        read_manifest(tmp_path)


def test_an_earlier_export_is_replaced_and_other_files_are_not(tmp_path: Path) -> None:
    out = export(tmp_path, num=4)
    assert read_manifest(export(tmp_path, num=1)).num_pairs == 1
    assert len(list((out / "artifacts").rglob("*.png"))) == 2
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(ProjectError, match="holds files that are no export"):
        export(tmp_path, "mine")
    assert (mine / "thesis.txt").read_text() == "years of work"


def test_a_failed_export_leaves_nothing_and_keeps_the_earlier_one(tmp_path: Path) -> None:
    out = export(tmp_path, num=1)
    before = contents(out)
    artifacts = store(tmp_path)
    broken = made_pair(0, 1, artifacts)
    broken = replace(broken, target=replace(broken.target, crop="ab" * 32 + ".png"))
    with pytest.raises(StoreError):
        ExportManifest().write(
            ExportRows(pairs=[broken], videos=[made_video(0), made_video(1)], about=ABOUT), out=out, artifacts=artifacts
        )
    assert contents(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artifacts", "out"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(ProjectError, match="Permission denied"):
        export(tmp_path, "closed/out")


def test_a_pair_of_an_unknown_video_is_refused(tmp_path: Path) -> None:
    artifacts = store(tmp_path)
    with pytest.raises(SettingsError, match="speak of video video_001"):
        rows = ExportRows(pairs=[made_pair(0, 1, artifacts)], videos=[made_video(0)], about=ABOUT)
        ExportManifest().write(rows, out=tmp_path / "out", artifacts=artifacts)


def test_a_score_that_is_no_number_is_not_written(tmp_path: Path) -> None:
    artifacts = store(tmp_path)
    pair = made_pair(0, 0, artifacts)
    pair = replace(pair, scores=(replace(pair.scores[0], value=float("nan")),))
    with pytest.raises(ValueError, match="not JSON compliant"):
        ExportManifest().write(
            ExportRows(pairs=[pair], videos=[made_video(0)], about=ABOUT), out=tmp_path / "out", artifacts=artifacts
        )


def test_a_file_name_that_is_not_utf8_survives(tmp_path: Path) -> None:
    artifacts = store(tmp_path)
    pair = made_pair(0, 0, artifacts)
    pair = replace(pair, target=replace(pair.target, source_uri="/films/caf\udce9.mp4"))
    video = replace(made_video(0), attribution="caf\udce9")
    about = replace(SPLIT, project="caf\udce9")
    ExportManifest().write(ExportRows(pairs=[pair], videos=[video], about=about), out=tmp_path / "out", artifacts=artifacts)
    assert read_manifest(tmp_path / "out").about == about
    assert next(read_manifest(tmp_path / "out").pairs()).target.source_uri == "/films/caf\udce9.mp4"


def test_the_card_counts_and_escapes(tmp_path: Path) -> None:
    text = (export(tmp_path) / "README.md").read_text("utf-8")
    assert "6 pairs of a target and a reference" in text
    assert "from 12 videos (2.0 minutes), 12 subjects" in text
    assert "| CC-BY-4.0 | 12 |" in text
    assert "| rejected by a person | 2 |" in text
    assert "- A. \\[Maker\\]" in text


def test_the_schema_names_every_field() -> None:
    document = schema()
    assert set(document["properties"]) == {field.name for field in fields(ExportPair)}
    for name, kind in (("ExportSide", ExportSide), ("ExportVideo", ExportVideo)):
        assert set(document["$defs"][name]["properties"]) == {field.name for field in fields(kind)}


def test_every_field_stands_in_the_documentation() -> None:
    text = (Path(__file__).parents[3] / "docs" / "export-manifest.md").read_text("utf-8")
    document = schema()
    names = {*document["properties"], *(name for part in document["$defs"].values() for name in part["properties"])}
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def test_artifacts_lie_in_folders_by_their_first_two_digits() -> None:
    assert artifact_path("ab" * 32 + ".png") == "artifacts/ab/" + "ab" * 32 + ".png"


def test_every_entry_of_the_table_can_write() -> None:
    for place in EXPORTS.values():
        module, name = place.split(":")
        assert callable(getattr(import_module(module), name)().write)
