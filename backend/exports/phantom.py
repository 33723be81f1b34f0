"""`export phantom`: cross-pairs a line a clip, with the field names of Phantom-Data's release (docs/formats.md).

`vid`, `video_caption`, `cross_pair`, `obj_from_tgt_video`, `refer_result`, `frame_idx` (share of the clip's frames), `bbox_loc`
(x0, y0, x1, y1): as its README and release have them (Phantom-video/Phantom-Data). What they have no place for stands beside.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from backend.api import ExportSummary
from backend.domain import ArtifactStore
from backend.exports.arranged import WHOLE, arranged, require_content
from backend.exports.finishing import finish, origin_of, summary
from backend.exports.folder import whole_folder
from backend.exports.manifest import artifact_path
from backend.exports.rows import ExportPair, ExportRows, ExportSide, ExportVideo

CROSS = ("cross_frame", "cross_video", "generated")
FILES = (
    "`cross_pair_SPLIT.jsonl`: a clip a line. `vid` is the clip, `video_caption` its caption, `cross_pair` maps a noun phrase to"
    " `obj_from_tgt_video` (where the subject is in the clip) and `refer_result` (groups of references). A reference's frame is"
    " `int(num_frames * frame_idx)` of its own `vid`; `bbox_loc` is x0, y0, x1, y1 in pixels of the video's frame.",
    "`clips.jsonl`: each `vid` with its video, span of frames and seconds, source, licence, attribution and terms.",
    "`artifacts/`: cut-outs of the references (RGBA; alpha is the mask).",
    "`about.json`: recipe, gates and counts.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPhantom:
    """Writes cross_pair_SPLIT.jsonl, clips.jsonl, artifacts/, README.md, about.json and MANIFEST.sha256."""

    whole_clips: ClassVar[bool] = False

    def write(self, rows: ExportRows, *, out: Path, artifacts: ArtifactStore) -> ExportSummary:
        """Writes the folder whole or not at all; an earlier export at `out` is replaced. Samples and clips have no place here.

        Pairs within a clip, and those that people denied, are counted and left out: a reference comes from elsewhere. Raises
        ProjectError when `out` holds something else or cannot be written, or nothing is left, SettingsError for a wrong
        split, StoreError when an artifact is damaged.
        """
        found, about = arranged(rows), rows.about
        left_out = Counter(dict(about.left_out))
        kept = []
        for pair in found.pairs:
            reason = _unfit(pair)
            kept += [] if reason else [pair]
            left_out[reason] += bool(reason)
        left_out = +left_out
        require_content(len(kept), left_out)
        written = found.only({pair.pair_id for pair in kept})
        lines: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        for pair in kept:
            _add(lines[pair.split or WHOLE], pair)
        of_video = {video.video_id: video for video in written.videos}
        sides = [side for pair in kept for side in (pair.target, pair.reference)]
        with whole_folder(out) as folder:
            for part, of_part in sorted(lines.items()):
                folder.put_lines(f"cross_pair_{part}.jsonl", (_line(row) for _, row in sorted(of_part.items())))
            known = {_vid(side): side for side in sides}
            folder.put_lines("clips.jsonl", (_line(_clip(side, of_video)) for _, side in sorted(known.items())))
            for name in sorted({side.crop for side in sides if side.crop}):
                folder.put(artifact_path(name), artifacts.get(name))
            counts = {
                "num_pairs": len(kept),
                "num_clips_by_split": {part: len(of_part) for part, of_part in sorted(lines.items())},
            }
            finish(folder, written, about, format="phantom", files=FILES, counts=counts, left_out=left_out)
        return summary(out, folder, format="phantom", pairs=len(kept), left_out=left_out)


def _unfit(pair: ExportPair) -> str:
    """Why a pair is no cross-pair, empty for one that is."""
    if pair.verdict not in (None, "same"):
        return f"judged {pair.verdict}"
    if pair.kind not in CROSS:
        return f"{pair.kind}: a cross-pair's reference comes from another clip"
    return "" if pair.target.clip_id else "the target is of no clip"


def _add(rows: dict[str, dict[str, Any]], pair: ExportPair) -> None:
    target = pair.target
    caption = target.caption or ""
    row = rows.setdefault(_vid(target), {"vid": _vid(target), "video_caption": caption, "cross_pair": {}})
    phrase = pair.phrase or (pair.category or "subject").replace("_", " ")
    # Two subjects of a clip may be called the same; a name stands for one of them.
    known = row["cross_pair"]
    names = (phrase, *(f"{phrase} {number}" for number in range(2, len(known) + 3)))
    name = next(one for one in names if one not in known or known[one]["subject_id"] == target.subject_id)
    entry = known.setdefault(
        name,
        {
            "obj_from_tgt_video": [],
            "refer_result": [[]],
            "subject_id": target.subject_id,
        },
    )
    place = _place(target, phrase)
    if place not in entry["obj_from_tgt_video"]:
        entry["obj_from_tgt_video"].append(place)
    measured = {one.name: one.value for one in pair.scores if one.value is not None}
    score = measured.get("similarity", measured.get("face_cosine"))  # of faces where these decide
    reference = {**_place(pair.reference, phrase), "score": score, "pair_id": pair.pair_id, "kind": pair.kind}
    reference |= {"verdict": pair.verdict, "licence": pair.licence, "file": None}
    if pair.reference.crop:
        reference["file"] = artifact_path(pair.reference.crop)
    entry["refer_result"][0].append(reference)


def _place(side: ExportSide, phrase: str) -> dict[str, Any]:
    share = None
    if side.frame is not None and side.start_frame is not None and side.stop_frame is not None:
        # The middle of the frame's share, so that int(num_frames * frame_idx) is the frame again.
        share = (side.frame - side.start_frame + 0.5) / (side.stop_frame - side.start_frame)
    return {
        "vid": _vid(side),
        "frame_idx": share,
        "bbox_loc": [float(edge) for edge in side.box],
        "bbox_cls": phrase,
        "appearance_id": side.appearance_id,
    }


def _vid(side: ExportSide) -> str:
    """A clip's id; of a picture that is of no clip, its own."""
    return side.clip_id or side.appearance_id


def _clip(side: ExportSide, videos: dict[str, ExportVideo]) -> dict[str, Any]:
    video = videos.get(side.video_id or "")
    frames = None if side.stop_frame is None or side.start_frame is None else side.stop_frame - side.start_frame
    return {
        "vid": _vid(side),
        "video_id": side.video_id,
        "num_frames": frames,
        "start_frame": side.start_frame,
        "stop_frame": side.stop_frame,
        "start_s": side.start_s,
        "stop_s": side.stop_s,
        "fps": video.fps if video else None,
        "width": video.width if video else None,
        "height": video.height if video else None,
        **origin_of(side),
    }


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
