"""`export coco`: masks and boxes of subjects on frames of clips, as COCO's instances JSON (docs/formats.md).

Masks are COCO's compressed run lengths on the whole frame, as the catalog holds them. Equal rows give equal bytes.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from backend.api import ExportSummary
from backend.domain import ArtifactStore, MediaError
from backend.exports.arranged import WHOLE, arranged, require_content
from backend.exports.clip_media import frame_files
from backend.exports.finishing import finish, origin_of, summary
from backend.exports.folder import ExportFolder, whole_folder
from backend.exports.licences import terms_of
from backend.exports.opens2v_entries import class_name
from backend.exports.rows import (
    ExportAbout,
    ExportAppearance,
    ExportClip,
    ExportRows,
    ExportVideo,
)
from backend.exports.split import Split, split_of_nodes, video_node
from backend.geometry import rle

FILES = (
    "`annotations/instances_SPLIT.json`: images, annotations and categories as COCO has them; `segmentation` is RLE, `bbox` is"
    " x, y, width, height. Beyond COCO: an image names its `video_id`, `clip_id`, `frame`, `source_id`, `attribution`; an"
    " annotation its `subject_id`, which is one through a clip, and its `appearance_id`.",
    "`images/CLIP/FRAME.jpg`: the frames.",
    "`about.json`: recipe, gates and counts.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCoco:
    """Writes annotations/instances_SPLIT.json, the frames, README.md, about.json and MANIFEST.sha256."""

    whole_clips: ClassVar[bool] = True

    def write(self, rows: ExportRows, *, out: Path, artifacts: ArtifactStore) -> ExportSummary:
        """Writes the folder whole or not at all; an earlier export at `out` is replaced.

        Every clip that the plan keeps is looked at; with `where` or chosen items, those of the chosen pairs. Frames without a
        mask, and those of videos that cannot be read, are counted and left out. Raises ProjectError when `out` holds something else or cannot
        be written, or nothing is left, SettingsError for a wrong split, StoreError when an artifact is damaged.
        """
        of_video = {video.video_id: video for video in sorted(rows.videos, key=lambda video: video.video_id)}
        found, about = arranged(replace(rows, videos=of_video.values())), rows.about
        split = Split.parse(about.split)
        part = split_of_nodes(found.pairs, list(of_video.values()), rows.duplicates, split=split) if split else {}
        writing: dict[str, _Instances] = defaultdict(_Instances)
        left_out = Counter(dict(about.left_out))
        with whole_folder(out) as folder:
            for clip in sorted(rows.clips, key=lambda clip: (clip.video_id, clip.start_frame, clip.clip_id)):
                video = of_video[clip.video_id]
                instances = writing[part.get(video_node(video.video_id), WHOLE)]
                _write_clip(folder, instances, clip, video, artifacts, left_out)
            require_content(sum(len(one.annotations) for one in writing.values()), left_out)
            counts = {"num_images": {}, "num_annotations": {}}
            for name, one in sorted(writing.items()):
                folder.put_json(f"annotations/instances_{name}.json", one.document(about))
                counts["num_images"][name], counts["num_annotations"][name] = len(one.images), len(one.annotations)
            shown = {image["video_id"] for one in writing.values() for image in one.images}
            written = replace(found, videos=tuple(video for video in of_video.values() if video.video_id in shown))
            finish(folder, written, about, format="coco", files=FILES, counts=counts, left_out=left_out)
        return summary(out, folder, format="coco", pairs=len(found.pairs), left_out=left_out)


@dataclass(slots=True)
class _Instances:
    """One file of COCO's."""

    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    categories: dict[str, int] = field(default_factory=dict)
    licences: dict[str, int] = field(default_factory=dict)

    def document(self, about: ExportAbout) -> dict[str, Any]:
        return {
            "info": {"description": about.project, "version": about.version, "contributor": "Subject Studio"},
            "licenses": [
                {"id": number, "name": name, "url": "", "terms": list(terms_of(name))}
                for name, number in self.licences.items()
            ],
            "images": self.images,
            "annotations": self.annotations,
            "categories": [{"id": number, "name": name} for name, number in self.categories.items()],
        }


def _write_clip(
    folder: ExportFolder,
    instances: _Instances,
    clip: ExportClip,
    video: ExportVideo,
    artifacts: ArtifactStore,
    left_out: Counter[str],
) -> None:
    shown: dict[int, list[ExportAppearance]] = defaultdict(list)
    for appearance in clip.appearances:
        if appearance.mask is None:
            left_out["appearances: not cut out"] += 1
        else:
            shown[appearance.frame].append(appearance)
    if not shown:
        return
    try:
        pictures = frame_files(clip, video, sorted(shown), artifacts)
    except MediaError:
        left_out["clips: their video cannot be read here"] += 1
        return
    for frame, picture in zip(sorted(shown), pictures, strict=True):
        name = f"images/{clip.clip_id}/{frame:06d}.jpg"
        folder.put(name, picture)
        licence = video.licence or "not stated"
        image = {
            "id": len(instances.images) + 1,
            "file_name": name.removeprefix("images/"),
            "width": video.width,
            "height": video.height,
            "license": instances.licences.setdefault(licence, len(instances.licences) + 1),
            "video_id": video.video_id,
            "clip_id": clip.clip_id,
            "frame": frame,
            **origin_of(video),
        }
        instances.images.append(image)
        instances.annotations += [
            _annotation(appearance, image["id"], len(instances.annotations) + number, instances.categories)
            for number, appearance in enumerate(shown[frame], start=1)
        ]


def _annotation(appearance: ExportAppearance, image_id: int, number: int, categories: dict[str, int]) -> dict[str, Any]:
    mask = appearance.mask
    assert mask is not None, "only those with a mask are annotated"
    x0, y0, x1, y1 = appearance.box
    name = appearance.category or class_name(appearance)
    return {
        "id": number,
        "image_id": image_id,
        "category_id": categories.setdefault(name, len(categories) + 1),
        "segmentation": {"size": [mask.height, mask.width], "counts": mask.counts},
        "area": int(rle.area(mask.counts.encode("ascii"))),
        "bbox": [float(x0), float(y0), float(x1 - x0), float(y1 - y0)],
        "iscrowd": 0,
        "subject_id": appearance.subject_id,
        "appearance_id": appearance.appearance_id,
        "phrase": appearance.phrase,
    }
