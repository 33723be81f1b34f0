"""`removed.jsonl`: what was erased since is passed over when an older export is read."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from backend.domain import ImportRefused
from backend.exports.manifest import ExportManifest
from backend.exports.reader import read_manifest
from backend.exports.removed import REMOVED
from backend.exports.rows import ExportAnchor, ExportRows
from backend.store.erasing_events import salted
from tests.backend.exports.made_pairs import ABOUT, film_sample, made_pair, made_video, store

SALT = "ab" * 16


def export(folder: Path) -> Path:
    artifacts = store(folder)
    pairs = [made_pair(0, 1, artifacts), made_pair(2, 3, artifacts), made_pair(4, 5, artifacts)]
    crop = pairs[0].target.crop or ""
    anchors = tuple(
        ExportAnchor(appearance_id=f"anchor {n}", kind="global", label="", inside=True, frame=60 * n, crop=crop, weight=1.0)
        for n in range(2)
    )
    samples = [replace(film_sample(pair), anchors=anchors) for pair in pairs]
    videos = [made_video(n) for n in range(6)]
    ExportManifest().write(
        ExportRows(pairs=pairs, videos=videos, about=ABOUT, samples=samples), out=folder / "out", artifacts=artifacts
    )
    return folder / "out"


def left(out: Path, *lines: dict, beside: bool = False) -> tuple[list[str], list[str], int]:
    """Pairs, samples and the number of videos that are read."""
    place = out.parent if beside else out
    (place / REMOVED).write_text("".join(json.dumps(line) + "\n" for line in lines))
    reader = read_manifest(out)
    pairs, samples = [pair.pair_id for pair in reader.pairs()], [sample.sample_id for sample in reader.samples()]
    return pairs, samples, len(list(reader.videos()))


def test_without_the_file_everything_is_read(tmp_path: Path) -> None:
    reader = read_manifest(export(tmp_path))
    assert len(list(reader.pairs())) == len(list(reader.samples())) == 3
    assert not reader.removed


@pytest.mark.parametrize("beside", [False, True])
def test_pairs_of_an_erased_video_go_with_their_samples(tmp_path: Path, beside: bool) -> None:
    line = {"salt": SALT, "contents": [salted(SALT, f"{3:064x}")]}
    assert left(export(tmp_path), line, beside=beside) == (
        ["pair_000_001", "pair_004_005"],
        ["sample_pair_000_001", "sample_pair_004_005"],
        5,
    )


@pytest.mark.parametrize("name", ["pair_002_003", "subject_video_002", "appearance_video_003_36", "clip_video_002"])
def test_whatever_was_erased_of_a_pair_takes_it_along(tmp_path: Path, name: str) -> None:
    pairs, samples, _ = left(export(tmp_path), {"salt": SALT, "items": [salted(SALT, name)]})
    assert (pairs, len(samples)) == (["pair_000_001", "pair_004_005"], 2)


def test_a_span_takes_clips_that_overlap_it_and_no_other(tmp_path: Path) -> None:
    out = export(tmp_path)
    assert left(out, {"video_id": "video_004", "spans": [[120, 130]]})[0] == [
        "pair_000_001",
        "pair_002_003",
        "pair_004_005",
    ]
    assert left(out, {"video_id": "video_004", "spans": [[119, 130]]})[0] == ["pair_000_001", "pair_002_003"]


def test_an_erased_anchor_leaves_its_sample(tmp_path: Path) -> None:
    out = export(tmp_path)
    (out / REMOVED).write_text(json.dumps({"salt": SALT, "items": [salted(SALT, "anchor 1")]}) + "\n")
    assert [[one.appearance_id for one in sample.anchors] for sample in read_manifest(out).samples()] == [["anchor 0"]] * 3


def test_digests_of_another_salt_take_nothing(tmp_path: Path) -> None:
    assert len(left(export(tmp_path), {"salt": SALT, "items": [salted("other", "pair_000_001")]})[0]) == 3


@pytest.mark.parametrize(
    "line", ["{", '{"salt": 3}', '{"salt": "a", "people": []}', '{"salt": "a", "items": ["pair_1"]}', "[]"]
)
def test_a_damaged_file_is_refused_and_never_taken_for_empty(tmp_path: Path, line: str) -> None:
    out = export(tmp_path)
    (out / REMOVED).write_text(f"{line}\n")
    with pytest.raises(ImportRefused, match=r"removed\.jsonl line 1.*take it from the project again"):
        read_manifest(out)
