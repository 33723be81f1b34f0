"""A real export of small videos, each of one coloured square, with in-pairs, cross-pairs and a generated picture."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from backend.domain import content_id
from backend.exports.manifest import ExportManifest
from backend.exports.rows import (
    ExportAbout,
    ExportAnchor,
    ExportPair,
    ExportReference,
    ExportRows,
    ExportSample,
    ExportSide,
    ExportVideo,
)
from backend.media.images import encode_png
from backend.media.writer import write_video
from backend.store.artifacts import Artifacts

FPS, FRAMES, SIDE = 12.0, 18, 32
COLOURS = ((220, 40, 40), (40, 200, 60), (50, 70, 230), (230, 200, 40))


def made_export(
    folder: Path, *, videos: int = 2, sound: bool = False, category: str = "dog", anchors: bool = False
) -> Path:
    """`folder/export` of so many videos; video i has a cross-pair with the next and an in-pair.

    With `anchors`, samples have a global one, views front and left, and a happy expression.
    """
    artifacts = Artifacts(folder / "artifacts", durable=False)
    made = [_video(folder, number, sound=sound) for number in range(videos)]
    pairs, samples = [], []
    for number, video in enumerate(made):
        other = (number + 1) % videos
        mine = _side(video, number, artifacts, frame=2)
        own = _pair("in_pair", mine, _side(video, number, artifacts, frame=9), category)
        crossed = _pair("cross_video", mine, _side(made[other], other, artifacts, frame=5), category)
        drawn = _pair("generated", mine, _picture(number, artifacts), category)
        pairs += [own, crossed, drawn]
        found = [_sample("in_pair", mine, (own,)), _sample("cross_pair", mine, (crossed, drawn))]
        samples += [replace(one, anchors=_anchors(mine)) for one in found] if anchors else found
    about = ExportAbout(project="squares", version="0.1.0", recipe="full", profile="embedded")
    ExportManifest().write(
        ExportRows(pairs=pairs, videos=made, about=about, samples=samples), out=folder / "export", artifacts=artifacts
    )
    return folder / "export"


def frames_of(number: int) -> np.ndarray:
    """uint8 (FRAMES, 32, 32, 3): the square of video `number`, moving right by a pixel a frame."""
    frames = np.full((FRAMES, SIDE, SIDE, 3), 60 + 30 * (number % 4), np.uint8)
    for index in range(FRAMES):
        frames[index, 8:20, index : index + 12] = COLOURS[number % 4]
    return frames


def cut_out(number: int) -> np.ndarray:
    """uint8 (12, 12, 4): the square with a transparent corner."""
    rgba = np.empty((12, 12, 4), np.uint8)
    rgba[..., :3], rgba[..., 3] = COLOURS[number % 4], 255
    rgba[:4, :4, 3] = 0
    return rgba


def _video(folder: Path, number: int, *, sound: bool) -> ExportVideo:
    path = folder / f"square-{number}.mp4"
    tone = np.sin(2 * np.pi * 440 * np.arange(round(FRAMES / FPS * 16_000)) / 16_000).astype(np.float32)
    write_video(
        path, frames_of(number), fps=FPS, preset="ultrafast", crf=1, bitexact=True, audio=(tone, 16_000) if sound else None
    )
    content = hashlib.blake2b(path.read_bytes(), digest_size=32).hexdigest()
    return ExportVideo(
        video_id=content_id("video", content),
        content_hash=content,
        uri=str(path),
        num_frames=FRAMES,
        fps=FPS,
        duration_s=FRAMES / FPS,
        width=SIDE,
        height=SIDE,
        source_id=f"source_{number}",
    )


def _side(video: ExportVideo, number: int, artifacts: Artifacts, *, frame: int) -> ExportSide:
    return ExportSide(
        appearance_id=f"appearance_{number}_{frame}",
        origin="video",
        source_uri=video.uri,
        box=(float(frame), 8.0, frame + 12.0, 20.0),
        subject_id=f"subject_{number}",
        video_id=video.video_id,
        video_hash=video.content_hash,
        clip_id=content_id("clip", video.video_id, 0, FRAMES),
        start_frame=0,
        stop_frame=FRAMES,
        start_s=0.0,
        stop_s=FRAMES / FPS,
        frame=frame,
        time_s=frame / FPS,
        crop=artifacts.put(encode_png(cut_out(number)), "png"),
        caption=f"A square of colour {number % 4} moves right",
        caption_author="sidecar",
    )


def _picture(number: int, artifacts: Artifacts) -> ExportSide:
    drawn = np.ascontiguousarray(cut_out(number)[:, ::-1])
    name = artifacts.put(encode_png(drawn), "png")
    return ExportSide(
        appearance_id=f"drawn_{number}", origin="generated", source_uri="made", box=(0.0, 0.0, 12.0, 12.0), crop=name
    )


def _anchors(side: ExportSide) -> tuple[ExportAnchor, ...]:
    told = (("expression", "happy", 3), ("global", "", 0), ("viewpoint", "front", 5), ("viewpoint", "left", 9))
    assert side.crop is not None
    return tuple(
        ExportAnchor(
            appearance_id=f"{side.appearance_id}_{frame}",
            kind=kind,
            label=label,
            inside=True,
            frame=frame,
            crop=side.crop,
            weight=1.0,
        )
        for kind, label, frame in told
    )


def _pair(kind: str, target: ExportSide, reference: ExportSide, category: str) -> ExportPair:
    return ExportPair(
        pair_id=content_id("pair", target.appearance_id, reference.appearance_id),
        kind=kind,
        status="machine",
        verdict=None,
        num_votes=0,
        category=category,
        phrase="square",
        is_living=False,
        target=target,
        reference=reference,
    )


def _sample(kind: str, target: ExportSide, pairs: tuple[ExportPair, ...]) -> ExportSample:
    assert target.clip_id and target.video_id and target.subject_id and target.stop_frame is not None
    references = tuple(
        ExportReference(subject_id=target.subject_id, appearance_id=pair.reference.appearance_id, pair_id=pair.pair_id)
        for pair in pairs
    )
    return ExportSample(
        sample_id=content_id("sample", target.clip_id, kind),
        kind=kind,
        clip_id=target.clip_id,
        video_id=target.video_id,
        start_frame=0,
        stop_frame=target.stop_frame,
        caption=target.caption,
        references=references,
    )


def without_samples(folder: Path) -> Path:
    """The same with pairs and no sample."""
    artifacts = Artifacts(folder / "artifacts", durable=False)
    video = _video(folder, 0, sound=False)
    side = _side(video, 0, artifacts, frame=2)
    pair = _pair("in_pair", side, _side(video, 0, artifacts, frame=9), "dog")
    about = ExportAbout(project="squares", version="0.1.0", recipe="full", profile="embedded")
    ExportManifest().write(
        ExportRows(pairs=[pair], videos=[video], about=about), out=folder / "export", artifacts=artifacts
    )
    return folder / "export"
