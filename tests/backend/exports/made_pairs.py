"""Pairs between made-up videos, with real artifacts, for tests of export formats."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from backend.exports.rows import (
    ExportAbout,
    ExportAppearance,
    ExportClip,
    ExportMask,
    ExportPair,
    ExportPhrase,
    ExportReference,
    ExportSample,
    ExportScore,
    ExportSide,
    ExportVideo,
)
from backend.geometry import rle
from backend.media.images import encode_png
from backend.media.index import build_index
from backend.media.writer import write_video
from backend.store.artifacts import Artifacts

NUM_FRAMES, HEIGHT, WIDTH = 12, 48, 80
"""Of films that are there."""
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


def made_films(folder: Path, num: int) -> list[ExportVideo]:
    """Videos whose files are there: half a second of a square that moves, each of another colour."""
    folder.mkdir(exist_ok=True)
    films = []
    for number in range(num):
        path = folder / f"Straße {number}.mp4"
        frames = np.full((NUM_FRAMES, HEIGHT, WIDTH, 3), 20 * number, np.uint8)
        for place, frame in enumerate(frames):
            frame[10:30, 4 * place : 4 * place + 20] = (255, 255, 10 * place)
        write_video(path, frames, fps=24.0, bitexact=True)
        film = replace(made_video(number), uri=str(path), num_frames=NUM_FRAMES, width=WIDTH, height=HEIGHT)
        films.append(replace(film, duration_s=NUM_FRAMES / film.fps))
    return films


def made_clip(film: ExportVideo, artifacts: Artifacts) -> ExportClip:
    """All of a film that is there; its dog stands on frames 2 and 6."""
    pixels = np.zeros((HEIGHT, WIDTH), bool)
    pixels[10:30, 8:28] = True
    mask = ExportMask(height=HEIGHT, width=WIDTH, counts=rle.encode(pixels).decode("ascii"))
    return ExportClip(
        clip_id=f"clip_{film.video_id}",
        video_id=film.video_id,
        start_frame=0,
        stop_frame=NUM_FRAMES,
        index=artifacts.put(build_index(film.uri).to_bytes(), "bin"),
        caption="A brown dog – 狗 – runs.",
        caption_author="sidecar",
        appearances=tuple(
            ExportAppearance(
                appearance_id=f"appearance_{film.video_id}_{frame}",
                subject_id=f"subject_{film.video_id}",
                phrase="brown dog",
                category="dog",
                frame=frame,
                box=(8.0, 10.0, 28.0, 30.0),
                mask=mask,
            )
            for frame in (2, 6)
        ),
    )


def film_pair(target: ExportVideo, reference: ExportVideo, artifacts: Artifacts) -> ExportPair:
    """A pair between the dogs of two films, on frames 2 and 6."""
    sides = []
    for film, frame in ((target, 2), (reference, 6)):
        clip = made_clip(film, artifacts)
        side = made_side(film, frame, artifacts)
        shown = next(one for one in clip.appearances if one.frame == frame)
        sides.append(
            replace(
                side,
                box=shown.box,
                mask=shown.mask,
                source_id=film.source_id,
                stop_frame=NUM_FRAMES,
                stop_s=film.duration_s,
                crop=artifacts.put(encode_png(np.full((20, 20, 4), 10 * frame, np.uint8)), "png"),
            )
        )
    pair = made_pair(int(target.video_id[-3:]), int(reference.video_id[-3:]), None)
    return replace(pair, target=sides[0], reference=sides[1], licence="CC-BY-4.0")


def film_sample(pair: ExportPair) -> ExportSample:
    """What training reads of a pair."""
    target, reference = pair.target, pair.reference
    assert target.clip_id is not None and target.video_id is not None and target.subject_id is not None
    assert target.start_frame is not None and target.stop_frame is not None
    one = ExportReference(subject_id=target.subject_id, appearance_id=reference.appearance_id, pair_id=pair.pair_id)
    return ExportSample(
        sample_id=f"sample_{pair.pair_id}",
        kind="cross_pair",
        clip_id=target.clip_id,
        video_id=target.video_id,
        start_frame=target.start_frame,
        stop_frame=target.stop_frame,
        caption=target.caption,
        references=(one,),
        licence=pair.licence,
    )
