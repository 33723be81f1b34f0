"""What is true of a rendered world: typed records and their files (truth.json, truth/VIDEO.json.gz)."""

import gzip
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from backend.domain import Box, StoreError
from backend.geometry import rle

INDEX_NAME = "truth.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectFrame:
    """A subject on one frame. `box` holds its visible pixels; `visible` is their share of its whole silhouette."""

    frame: int
    box: Box | None
    visible: float
    azimuth_deg: float
    """0 front, 90 its right side (it faces the image's right edge), 180 back, 270 its left side."""
    expression: str
    mask: bytes | None = None
    """COCO run lengths of the visible pixels on the whole frame; kept on a stride of frames only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectTruth:
    """One identity in one shot. `frames` covers the shot, in order."""

    identity: str
    category: str
    is_living: bool
    phrase: str
    frames: tuple[SubjectFrame, ...]

    def at(self, frame: int) -> SubjectFrame | None:
        """The subject on a frame, or None outside the shot."""
        first = self.frames[0].frame if self.frames else 0
        return self.frames[frame - first] if 0 <= frame - first < len(self.frames) else None

    def mask_at(self, frame: int, *, height: int, width: int) -> np.ndarray | None:
        """bool (H, W): the mask kept nearest to a frame of the shot; None when it keeps none."""
        kept = [row for row in self.frames if row.mask is not None]
        if not kept or self.at(frame) is None:
            return None
        nearest = min(kept, key=lambda row: (abs(row.frame - frame), row.frame))
        assert nearest.mask is not None
        return rle.decode(nearest.mask, height, width)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotTruth:
    """One shot, without the frames of transitions: `[start_frame, stop_frame)`."""

    start_frame: int
    stop_frame: int
    context: str
    """Equal for shots of the same place."""
    place: str
    camera: str
    caption: str
    subjects: tuple[SubjectTruth, ...] = ()
    speaks: str | None = None
    """The identity whose mouth follows the sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A change of shot: kind cut, dissolve or fade; the first frame it touches, the first wholly of the next shot."""

    kind: str
    start_frame: int
    new_shot_frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayTruth:
    """Something laid over the picture: kind text, watermark or badge; held for a span of frames."""

    kind: str
    text: str
    box: Box
    opacity: float
    start_frame: int
    stop_frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundTruth:
    """The sound track: kind speech, silent, wrong or none. `offset_s` > 0: the sound comes late."""

    kind: str
    offset_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTruth:
    """One rendered video. `content` is the picture inside the borders."""

    name: str
    file: str
    fps: int
    num_frames: int
    width: int
    height: int
    content: Box
    sound: SoundTruth
    sidecar: str | None
    shots: tuple[ShotTruth, ...]
    transitions: tuple[Transition, ...]
    overlays: tuple[OverlayTruth, ...]

    def shot_at(self, frame: int) -> ShotTruth | None:
        """The shot that holds a frame, or None inside a transition."""
        return next((s for s in self.shots if s.start_frame <= frame < s.stop_frame), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Two spans of frames that show the same footage."""

    video_a: str
    span_a: tuple[int, int]
    video_b: str
    span_b: tuple[int, int]
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityTruth:
    """Somebody or something of the world. `twin` is the look-alike made to be confused with it."""

    id: str
    category: str
    is_living: bool
    phrase: str
    twin: str | None = None
    relabels: str | None = None
    """Id of the product that it differs from in its logo only: name and emblem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A whole world."""

    seed: int
    renderer_version: int
    identities: tuple[IdentityTruth, ...]
    duplicates: tuple[Duplicate, ...]
    videos: tuple[VideoTruth, ...]

    def video(self, name: str) -> VideoTruth:
        """The video of that name (with or without a suffix). Raises KeyError."""
        for video in self.videos:
            if video.name == name.rsplit(".", 1)[0]:
                return video
        raise KeyError(name)


def write_video_truth(folder: Path, video: VideoTruth) -> None:
    """Writes truth/NAME.json.gz; equal truth gives equal bytes."""
    (folder / "truth").mkdir(exist_ok=True)
    text = json.dumps(_plain_video(video), separators=(",", ":"))
    (folder / "truth" / f"{video.name}.json.gz").write_bytes(gzip.compress(text.encode(), 6, mtime=0))


def write_index(folder: Path, truth: Truth) -> None:
    """Writes truth.json: everything but what changes from frame to frame."""
    videos = []
    for video in truth.videos:
        plain = _plain_video(video)
        for shot in plain["shots"]:
            shot["subjects"] = [{k: v for k, v in s.items() if k != "frames"} for s in shot["subjects"]]
        videos.append(plain | {"frames_file": f"truth/{video.name}.json.gz"})
    index = {
        "seed": truth.seed,
        "renderer_version": truth.renderer_version,
        "identities": [asdict(i) for i in truth.identities],
        "duplicates": [asdict(d) for d in truth.duplicates],
        "videos": videos,
    }
    (folder / INDEX_NAME).write_text(json.dumps(index, indent=1), encoding="utf-8")


def read_truth(path: Path) -> Truth:
    """Reads a world's truth from its folder or its truth.json. Raises StoreError when a file is missing or damaged."""
    path = Path(path)
    index_path = path / INDEX_NAME if path.is_dir() else path
    try:
        index = json.loads(index_path.read_text(encoding="utf-8"))
        videos = tuple(read_video_truth(index_path.parent / v["frames_file"]) for v in index["videos"])
        return Truth(
            seed=index["seed"],
            renderer_version=index["renderer_version"],
            identities=tuple(IdentityTruth(**row) for row in index["identities"]),
            duplicates=tuple(
                Duplicate(**(row | {"span_a": tuple(row["span_a"]), "span_b": tuple(row["span_b"])}))
                for row in index["duplicates"]
            ),
            videos=videos,
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise StoreError(f"the sample world's truth at {index_path} cannot be read: {error}; render it again") from error


def read_video_truth(path: Path) -> VideoTruth:
    """Reads one video's truth. Raises OSError, ValueError, KeyError or TypeError when damaged."""
    raw = json.loads(gzip.decompress(path.read_bytes()))
    return VideoTruth(
        **{k: v for k, v in raw.items() if k not in ("content", "sound", "shots", "transitions", "overlays")},
        content=tuple(raw["content"]),
        sound=SoundTruth(**raw["sound"]),
        shots=tuple(_shot(row) for row in raw["shots"]),
        transitions=tuple(Transition(**row) for row in raw["transitions"]),
        overlays=tuple(OverlayTruth(**(row | {"box": tuple(row["box"])})) for row in raw["overlays"]),
    )


def _shot(raw: dict) -> ShotTruth:
    subjects: tuple[SubjectTruth, ...] = tuple(
        SubjectTruth(**{k: v for k, v in s.items() if k != "frames"}, frames=tuple(_frame(f) for f in s["frames"]))
        for s in raw["subjects"]
    )
    return ShotTruth(**{k: v for k, v in raw.items() if k != "subjects"}, subjects=subjects)


def _frame(raw: list) -> SubjectFrame:
    frame, box, visible, azimuth, expression, mask = raw
    return SubjectFrame(
        frame=frame,
        box=None if box is None else tuple(box),
        visible=visible,
        azimuth_deg=azimuth,
        expression=expression,
        mask=None if mask is None else mask.encode("ascii"),
    )


def _plain_video(video: VideoTruth) -> dict:
    plain = {f.name: getattr(video, f.name) for f in fields(VideoTruth)}
    plain["sound"] = asdict(video.sound)
    plain["transitions"] = [asdict(t) for t in video.transitions]
    plain["overlays"] = [asdict(o) for o in video.overlays]
    plain["shots"] = [
        {f.name: getattr(shot, f.name) for f in fields(ShotTruth)}
        | {"subjects": [_plain_subject(s) for s in shot.subjects]}
        for shot in video.shots
    ]
    return plain


def _plain_subject(subject: SubjectTruth) -> dict:
    plain = {f.name: getattr(subject, f.name) for f in fields(SubjectTruth)}
    plain["frames"] = [
        [f.frame, f.box, round(f.visible, 4), round(f.azimuth_deg, 1), f.expression, f.mask and f.mask.decode("ascii")]
        for f in subject.frames
    ]
    return plain
