"""`export phantom`: lines with the names of Phantom-Data's release."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.exports.phantom import ExportPhantom
from backend.exports.rows import ExportPair, ExportRows
from tests.backend.exports.made_pairs import ABOUT, made_pair, made_video, store


def export(folder: Path, pairs: list[ExportPair]) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]], dict[str, Any]]:
    artifacts = store(folder)
    out = folder / "out"
    ExportPhantom().write(
        ExportRows(pairs=pairs, videos=[made_video(n) for n in range(6)], about=ABOUT), out=out, artifacts=artifacts
    )
    rows = [json.loads(line) for line in (out / "cross_pair_train.jsonl").read_text().splitlines()]
    clips = [json.loads(line) for line in (out / "clips.jsonl").read_text().splitlines()]
    return rows, {clip["vid"]: clip for clip in clips}, json.loads((out / "about.json").read_text())


def test_a_clip_is_a_line_and_a_phrase_names_where_the_subject_is_here_and_elsewhere(tmp_path: Path) -> None:
    pairs = [made_pair(0, 1, None), made_pair(0, 2, None), made_pair(3, 4, None)]
    rows, clips, _ = export(tmp_path, pairs)
    assert [row["vid"] for row in rows] == ["clip_video_000", "clip_video_003"]
    row = rows[0]
    assert (row["video_caption"], list(row["cross_pair"])) == ("A brown dog – 狗 – runs.", ["brown dog"])
    entry = row["cross_pair"]["brown dog"]
    (target,) = entry["obj_from_tgt_video"]
    assert (target["vid"], target["bbox_loc"], target["bbox_cls"]) == (
        "clip_video_000", [12.0, 100.0, 212.0, 300.0], "brown dog"
    )  # fmt: skip
    (group,) = entry["refer_result"]
    assert [(one["vid"], one["score"]) for one in group] == [("clip_video_001", 0.75), ("clip_video_002", 0.75)]
    assert all(int(clips[one["vid"]]["num_frames"] * one["frame_idx"]) == 36 for one in group)
    assert clips["clip_video_001"]["attribution"] == "A. [Maker]"


def test_every_frame_of_a_clip_comes_back_from_its_share(tmp_path: Path) -> None:
    pair = made_pair(0, 1, None)
    targets = [replace(pair.target, start_frame=7, stop_frame=127, frame=7 + frame) for frame in range(120)]
    rows, clips, _ = export(
        tmp_path, [replace(pair, pair_id=f"pair_{n:03d}", target=target) for n, target in enumerate(targets)]
    )
    places = rows[0]["cross_pair"]["brown dog"]["obj_from_tgt_video"]
    num_frames = clips["clip_video_000"]["num_frames"]
    assert [int(num_frames * place["frame_idx"]) for place in places] == list(range(120))


def test_two_subjects_of_one_phrase_stay_apart(tmp_path: Path) -> None:
    one, other = made_pair(0, 1, None), made_pair(0, 2, None)
    other = replace(other, target=replace(other.target, subject_id="subject_second"))
    rows, _, _ = export(tmp_path, [one, other])
    assert {name: entry["subject_id"] for name, entry in rows[0]["cross_pair"].items()} == {
        "brown dog": "subject_video_000",
        "brown dog 2": "subject_second",
    }


def test_pairs_within_a_clip_and_denied_ones_are_counted(tmp_path: Path) -> None:
    denied = replace(made_pair(2, 3, None), verdict="different")
    within = replace(made_pair(4, 5, None), kind="in_pair")
    rows, _, about = export(tmp_path, [made_pair(0, 1, None), denied, within])
    assert len(rows) == 1
    assert about["left_out"]["judged different"] == 1
    assert about["left_out"]["in_pair: a cross-pair's reference comes from another clip"] == 1


def test_the_card_speaks_of_written_pairs_alone(tmp_path: Path) -> None:
    within = replace(made_pair(4, 5, None), kind="in_pair", licence="CC-BY-NC-4.0")
    export(tmp_path, [replace(made_pair(0, 1, None), licence="CC-BY-4.0"), within])
    card = (tmp_path / "out" / "README.md").read_text()
    assert (
        "\n1 pairs of a target and a reference that show the same subject, from 2 videos (0.3 minutes), 2 subjects." in card
    )
    assert "CC-BY-NC" not in card
    assert "| in\\_pair | 1 |" not in card
