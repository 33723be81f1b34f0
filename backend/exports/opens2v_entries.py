"""Entries of OpenS2V-Nexus's metadata JSON, made of the current plan's clips and pairs.

Keys stand in upstream's order. A score stands only where what produced it is on upstream's scale.
"""

import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from backend.exports.rows import ExportAppearance, ExportClip, ExportMask, ExportPair, ExportScore, ExportVideo
from backend.geometry import boxes, rle

AESTHETIC = "aesthetic-predictor"
"""improved-aesthetic-predictor on CLIP ViT-L/14: what upstream's step 5-2 runs, and Open-Sora-Plan's `aesthetic`."""
SCALES: dict[str, tuple[str, tuple[str, ...]]] = {
    "metadata.tech": ("technical", ("dover",)),
    "metadata.motion": ("motion", ("open-sora-plan",)),
    "metadata.aesthetic": ("aesthetic", (AESTHETIC,)),
    "annotations.gme_score": ("crop_text_cosine", ("gme",)),
    "annotations.aes_score": ("crop_aesthetic", (AESTHETIC,)),
    "mask_annotation.score": ("mask_quality", ("sam2",)),
    "pairs.image_similarity": ("appearance_cosine", ("gme",)),
}
"""Upstream's key, our score, and how the ids of the models begin that are on upstream's scale (OpenS2V-Nexus, data_process)."""
NEVER = ("annotation.foreground_ase_score", "annotation.background_ase_score")
"""Upstream scores the whole annotated frame and the plate; no stage does."""
ROLES = ("background", "subject", "object")
MAX_NAME = 80  # of a video in keys: file systems take 255 bytes, and a letter may need 4
_STAGE = re.compile(r"^\w+/\d+:")  # a producer is a model's id, or STAGE/VERSION:MODEL
_NOT_IN_KEYS = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an appearance with a mask stands: the sample's key, the frame, and the mask's id there."""

    dataset: str
    key: str
    frame: int
    mask_id: str
    class_name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A sample of the export. `places` are by appearance, `subjects` give each mask id its subject."""

    key: str
    document: dict[str, Any]
    frame: int
    places: dict[str, Place]
    subjects: dict[str, str]


@dataclass(slots=True)
class Unscaled:
    """Counts the scores that are left out: keys of upstream's and reasons."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def value(self, key: str, scores: Sequence[ExportScore]) -> float | None:
        """The score that upstream's key stands for, None where there is none on its scale."""
        name, models = SCALES[key]
        found = [score for score in scores if score.name == name and score.value is not None]
        for score in found:
            if _STAGE.sub("", score.producer).startswith(models):
                return score.value
        reason = next((score.reason for score in scores if score.name == name and score.reason), "")
        self.leave_out(key, f"measured by {found[0].producer}, another scale than upstream's" if found else reason)
        return None

    def leave_out(self, key: str, reason: str = "") -> None:
        self.counts[(key, reason or "not measured")] += 1

    def told(self) -> dict[str, str]:
        """Each key that was left out somewhere, and why, in a sentence."""
        found: dict[str, list[str]] = defaultdict(list)
        for (key, reason), count in sorted(self.counts.items()):
            found[key].append(f"{reason} ({count})")
        return {key: "; ".join(reasons) for key, reasons in found.items()} | dict.fromkeys(NEVER, "measured by no stage")


def video_names(videos: Iterable[ExportVideo]) -> dict[str, str]:
    """A name for each video's keys: its file's stem, made safe, with part of the id where two would be one."""
    names = {}
    for video in videos:
        stem = PurePath(video.uri).stem.encode("utf-8", "replace").decode()
        names[video.video_id] = _NOT_IN_KEYS.sub("_", stem).strip("._")[:MAX_NAME] or "video"
    taken = Counter(name.casefold() for name in names.values())
    return {
        video_id: name if taken[name.casefold()] == 1 else f"{name}-{video_id.rsplit('_', 1)[-1][:12]}"
        for video_id, name in names.items()
    }


def video_paths(videos: Sequence[ExportVideo]) -> dict[str, str]:
    """Each video's file below the folder that holds them all, with `/`."""
    folders = {os.path.dirname(video.uri) for video in videos}  # noqa: PTH120 - a uri need not be of this machine
    root = os.path.commonpath(folders) if folders else ""
    return {video.video_id: os.path.relpath(video.uri, root or ".").replace("\\", "/") for video in videos}


def entry_of(
    clip: ExportClip, video: ExportVideo, *, name: str, place: int, dataset: str, path: str, unscaled: Unscaled
) -> Entry | str:
    """The sample of a clip, or why it has none. `place` is the clip's among those of its video, from 1."""
    crop = crop_of(clip, video)
    masks: dict[int, dict[str, tuple[ExportAppearance, ExportMask]]] = defaultdict(dict)
    for appearance in clip.appearances:
        mask = _cropped(appearance.mask, crop, video) if appearance.mask else None
        if mask is not None:
            masks[appearance.frame].setdefault(appearance.subject_id, (appearance, mask))
    if not masks:
        return "no subject of the clip is cut out"
    frame = _annotated(masks, clip)
    face_cut = next((span for span in clip.face_spans if span[0] <= frame < span[1]), (clip.start_frame, clip.stop_frame))
    key = f"{name}_segment{place}_step1-{clip.start_frame}-{clip.stop_frame}_step2-{face_cut[0]}-{face_cut[1]}_step3_step4_step5"
    subjects = sorted({subject for found in masks.values() for subject in found}, key=lambda s: (s not in masks[frame], s))
    ids = {subject: str(number) for number, subject in enumerate(subjects, start=1)}
    classes = {appearance.subject_id: class_name(appearance) for appearance in clip.appearances}
    metadata = _metadata(clip, video, crop=crop, face_cut=face_cut, path=path, unscaled=unscaled)
    tags = {role: list(dict.fromkeys(p.text for p in clip.phrases if p.role == role)) for role in ROLES}
    annotation = {
        "ann_frame_data": {
            "ann_frame_idx": frame,
            "annotations": [_box(masks[frame][s][0], crop, unscaled) for s in subjects if s in masks[frame]],
            "box_format": "xyxy",
            "img_width": crop[2] - crop[0],
            "img_height": crop[3] - crop[1],
        },
        "mask_map": {ids[subject]: {"class_name": classes[subject]} for subject in subjects},
        "mask_annotation": {
            str(place): {
                ids[subject]: _mask(*masks[place][subject], unscaled) for subject in subjects if subject in masks[place]
            }
            for place in sorted(masks)
        },
    }
    return Entry(
        key=key,
        document={"metadata": metadata, "word_tags": tags, "annotation": annotation},
        frame=frame,
        places={
            appearance.appearance_id: Place(dataset, key, at, ids[subject], classes[subject])
            for at, found in masks.items()
            for subject, (appearance, _) in found.items()
        },
        subjects={ids[subject]: subject for subject in subjects},
    )


def pair_of(pair: ExportPair, cur: Place, aft: Place, unscaled: Unscaled) -> dict[str, Any]:
    """A pair as step 6-2 writes them, with our own scores beside it under our names.

    Two equal class names have text similarity 1 for any embedder; that of others is upstream's GME's alone.
    """
    entry: dict[str, Any] = {
        "cur_id": f"{cur.dataset}/{cur.key}",
        "aft_id": f"{aft.dataset}/{aft.key}",
        "cur_class_id": cur.mask_id,
        "aft_class_id": aft.mask_id,
        "cur_class_name": cur.class_name,
        "aft_class_name": aft.class_name,
    }
    if cur.class_name == aft.class_name:
        entry["text_similarity"] = 1.0
    else:
        unscaled.leave_out("pairs.text_similarity")
    image = unscaled.value("pairs.image_similarity", pair.scores)
    if image is not None:
        entry["image_similarity"] = image
    entry |= {"cur_frame_idx": cur.frame, "aft_frame_idx": aft.frame}
    known = {score.name: score.value for score in pair.scores if score.value is not None}
    return entry | {name: known[name] for name in ("similarity", "appearance_cosine") if name in known}


def class_name(appearance: ExportAppearance) -> str:
    return appearance.phrase or (appearance.category or "subject").replace("_", " ")


def crop_of(clip: ExportClip, video: ExportVideo) -> tuple[int, int, int, int]:
    """The clip's picture in whole pixels of the frame, `(x0, y0, x1, y1)`."""
    whole = (0, 0, video.width, video.height)
    if clip.crop is None:
        return whole
    x0, y0, x1, y1 = boxes.clip(clip.crop, whole)
    inner = math.ceil(x0), math.ceil(y0), math.floor(x1), math.floor(y1)
    return inner if inner[0] < inner[2] and inner[1] < inner[3] else whole


def _cropped(mask: ExportMask, crop: tuple[int, int, int, int], video: ExportVideo) -> ExportMask | None:
    """The mask on the cropped frame, None when nothing of it lies there."""
    if crop == (0, 0, video.width, video.height):
        return mask
    x0, y0, x1, y1 = crop
    pixels = rle.decode(mask.counts.encode("ascii"), mask.height, mask.width)[y0:y1, x0:x1]
    if not pixels.any():
        return None
    return ExportMask(height=y1 - y0, width=x1 - x0, counts=rle.encode(pixels).decode("ascii"))


def _annotated(masks: Mapping[int, Mapping[str, object]], clip: ExportClip) -> int:
    """The frame with most subjects, among those with a face where there are any; the plate's before an earlier one."""
    seen = [frame for frame in masks if any(start <= frame < stop for start, stop in clip.face_spans)]
    return min(seen or masks, key=lambda frame: (-len(masks[frame]), frame != clip.plate_frame, frame))


def _metadata(
    clip: ExportClip,
    video: ExportVideo,
    *,
    crop: tuple[int, int, int, int],
    face_cut: tuple[int, int],
    path: str,
    unscaled: Unscaled,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "cut": [clip.start_frame, clip.stop_frame],
        "crop": [crop[0], crop[2], crop[1], crop[3]],
        "tech": unscaled.value("metadata.tech", clip.scores),
        "motion": unscaled.value("metadata.motion", clip.scores),
        "fps": video.fps,
        "num_frames": video.num_frames,
        "resolution": {"height": video.height, "width": video.width},
        "path": path,
        "aesthetic": unscaled.value("metadata.aesthetic", clip.scores),
        "face_cut": list(face_cut),
        "face_cap_qwen": clip.caption,
    }
    return {key: value for key, value in found.items() if value is not None}


def _box(appearance: ExportAppearance, crop: tuple[int, int, int, int], unscaled: Unscaled) -> dict[str, Any]:
    x0, y0, x1, y1 = boxes.clip(appearance.box, crop)
    found = {
        "class_name": class_name(appearance),
        "bbox": [float(x0 - crop[0]), float(y0 - crop[1]), float(x1 - crop[0]), float(y1 - crop[1])],
        "gme_score": unscaled.value("annotations.gme_score", appearance.scores),
        "aes_score": unscaled.value("annotations.aes_score", appearance.scores),
    }
    return {key: value for key, value in found.items() if value is not None}


def _mask(appearance: ExportAppearance, mask: ExportMask, unscaled: Unscaled) -> dict[str, Any]:
    found: dict[str, Any] = {"size": [mask.height, mask.width], "counts": mask.counts}
    quality = unscaled.value("mask_annotation.score", appearance.scores)
    return found if quality is None else found | {"score": [quality]}
