"""Pairs between made-up videos, with real artifacts, for tests of export formats."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from backend.exports.rows import (
    ExportAbout,
    ExportMask,
    ExportPair,
    ExportPhrase,
    ExportScore,
    ExportSide,
    ExportVideo,
)
from backend.geometry import rle
from backend.store.artifacts import Artifacts

ABOUT = ExportAbout(
    project="walks",
    version="0.1.0",
    recipe="phantom",
    profile="embedded",
    gates=("pair.similarity >= 0.6",),
    left_out=(("rejected by a person", 2),),
)


def store(folder: Path) -> Artifacts:
    return Artifacts(folder / "artifacts", durable=False)


def made_video(number: int) -> ExportVideo:
    return ExportVideo(
        video_id=f"video_{number:03d}",
        content_hash=f"{number:064x}",
        uri=f"/films/Straße {number}.mp4",
        num_frames=240,
        fps=24.0,
        duration_s=10.0,
        width=1280,
        height=720,
        source_id=f"source_{number:03d}",
        licence="CC-BY-4.0",
        attribution="A. [Maker]",
    )


def made_side(video: ExportVideo, frame: int, artifacts: Artifacts | None) -> ExportSide:
    return ExportSide(
        appearance_id=f"appearance_{video.video_id}_{frame}",
        origin="video",
        source_uri=video.uri,
        licence=video.licence,
        attribution=video.attribution,
        box=(float(frame), 100.0, frame + 200.0, 300.0),
        subject_id=f"subject_{video.video_id}",
        video_id=video.video_id,
        video_hash=video.content_hash,
        clip_id=f"clip_{video.video_id}",
        start_frame=0,
        stop_frame=120,
        start_s=0.0,
        stop_s=5.0,
        frame=frame,
        time_s=frame / 24,
        mask=ExportMask(height=720, width=1280, counts=_counts(frame)),
        crop=artifacts.put(f"crop {video.video_id} {frame}".encode(), "png") if artifacts else None,
        caption="A brown dog – 狗 – runs.",
        caption_author="sidecar",
        phrases=(ExportPhrase(text="brown dog", start=2, stop=11, role="subject", category="dog"),),
    )


def made_pair(one: int, other: int, artifacts: Artifacts | None, *, identity: str | None = None) -> ExportPair:
    """A pair between video `one` and video `other`; without `artifacts` it has no crops."""
    return ExportPair(
        pair_id=f"pair_{one:03d}_{other:03d}",
        kind="cross_video" if one != other else "cross_frame",
        status="one",
        verdict="same",
        num_votes=1,
        category="dog",
        phrase="brown dog",
        is_living=True,
        target=made_side(made_video(one), 12, artifacts),
        reference=made_side(made_video(other), 36, artifacts),
        scores=(
            ExportScore(name="similarity", value=0.75, producer="embed_appearances/1"),
            ExportScore(name="face_similarity", value=None, producer="embed_faces/1", reason="no face"),
        ),
        models=(("Embedder", "embedded-appearance-1"),),
        identity=identity,
    )


@lru_cache(maxsize=8)
def _counts(left: int) -> str:
    mask = np.zeros((720, 1280), bool)
    mask[100:300, left : left + 200] = True
    return rle.encode(mask).decode("ascii")
