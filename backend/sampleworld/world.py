"""Renders a whole world to a folder: videos, sidecar captions, truth; kept when it is already there."""

import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from backend.domain import content_id
from backend.media.writer import write_video
from backend.sampleworld.cases import CASES_NAME, CASES_TRUTH_NAME, VOTES_NAME, render_cases
from backend.sampleworld.cast import Wardrobe
from backend.sampleworld.film import content_box, film
from backend.sampleworld.script import OverlayPlan, ShotPlan, VideoPlan, WorldPlan, caption_of, plan_world
from backend.sampleworld.sound import SAMPLE_RATE, draw_speech, speak
from backend.sampleworld.takes import plan_takes
from backend.sampleworld.truth import (
    INDEX_NAME,
    Duplicate,
    IdentityTruth,
    OverlayTruth,
    ShotTruth,
    SoundTruth,
    SubjectFrame,
    SubjectTruth,
    Transition,
    Truth,
    VideoTruth,
    read_video_truth,
    write_index,
    write_video_truth,
)

RENDERER_VERSION = 3
STAMP_NAME = "stamp.json"

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSummary:
    """What a world's folder holds. `rendered` is False when it was there already."""

    folder: Path
    videos: tuple[Path, ...]
    truth: Path
    cases: Path | None
    num_frames: int
    rendered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """What decides a world's bytes."""

    seed: int
    videos: int
    duration_s: float
    size: tuple[int, int]
    fps: int
    cases: int
    takes: bool = False
    renderer_version: int = RENDERER_VERSION

    @property
    def decided(self) -> dict[str, Any]:
        """The settings by name; `takes` stands there only where it is asked for, so that worlds of films keep their stamp."""
        return {name: value for name, value in asdict(self).items() if name != "takes" or value}

    @property
    def stamp(self) -> str:
        return content_id("world", *(value for _, value in sorted(self.decided.items())))

    def plan(self) -> WorldPlan:
        """What is to be rendered."""
        draw = plan_takes if self.takes else plan_world
        return draw(self.seed, self.videos, self.duration_s, self.fps)


def render_world(
    out: Path,
    *,
    seed: int = 0,
    videos: int = 6,
    duration_s: float = 15.0,
    size: tuple[int, int] = (1280, 720),
    fps: int = 24,
    cases: int = 0,
    takes: bool = False,
    workers: int = 2,
    progress: Progress | None = None,
) -> WorldSummary:
    """Renders a world: OUT/videos/*.mp4 with sidecar captions, OUT/truth.json; with `cases` a small benchmark
    beside them (`backend.sampleworld.cases`); with `takes` talking people in place of films (`backend.sampleworld.takes`).

    Deterministic per settings and renderer version. A folder finished with equal settings is left as it is; one of
    other settings is rendered anew. `progress` is told (done, total, name). Raises ValueError for sizes that are odd or
    under 160 × 90, and for fewer than one video or second.
    """
    width, height = size
    if width % 2 or height % 2 or width < 160 or height < 90 or videos < 1 or duration_s < 1:
        raise ValueError(
            f"a world of {videos} videos of {duration_s} s at {width}x{height} cannot be rendered; "
            "give even sizes from 160x90 on, at least one video and one second"
        )
    out = Path(out)
    settings = WorldSettings(
        seed=seed, videos=videos, duration_s=float(duration_s), size=(width, height), fps=fps, cases=cases, takes=takes
    )
    stamp = out / STAMP_NAME
    plan = settings.plan()
    rendered = not (stamp.exists() and json.loads(stamp.read_text(encoding="utf-8")).get("stamp") == settings.stamp)
    if rendered:
        _clear(out)
        _render_videos(out, settings, plan, workers, progress)
        _write_truth(out, settings, plan)
        if cases:
            render_cases(out, plan.identities, seed=seed, count=cases)
        stamp.write_text(json.dumps({"stamp": settings.stamp, "settings": settings.decided}, indent=1), encoding="utf-8")
    return WorldSummary(
        folder=out,
        videos=tuple(out / "videos" / f"{v.name}.mp4" for v in plan.videos),
        truth=out / "truth.json",
        cases=out / CASES_NAME if cases else None,
        num_frames=sum(v.num_frames for v in plan.videos),
        rendered=rendered,
    )


def _clear(out: Path) -> None:
    """Removes what an earlier or unfinished rendering left; nothing else in the folder is touched."""
    (out / STAMP_NAME).unlink(missing_ok=True)
    for name in ("videos", "truth", "references", "systems"):
        shutil.rmtree(out / name, ignore_errors=True)
    for name in (INDEX_NAME, CASES_NAME, VOTES_NAME, CASES_TRUTH_NAME):
        (out / name).unlink(missing_ok=True)
    (out / "videos").mkdir(parents=True, exist_ok=True)


def _render_videos(out: Path, settings: WorldSettings, plan: WorldPlan, workers: int, progress: Progress | None) -> None:
    jobs = [(str(out), settings, number) for number in range(len(plan.videos))]
    if workers <= 1 or len(jobs) == 1:
        for done, job in enumerate(jobs, start=1):
            name = _render_one(job)
            if progress:
                progress(done, len(jobs), name)
        return
    spawn = multiprocessing.get_context("spawn")
    stop = spawn.Event()
    pool = ProcessPoolExecutor(min(workers, len(jobs)), mp_context=spawn, initializer=_heed, initargs=(stop,))
    try:
        for done, ready in enumerate(as_completed([pool.submit(_render_one, job) for job in jobs]), start=1):
            name = ready.result()
            if progress:
                progress(done, len(jobs), name)
    finally:
        stop.set()  # who is stopped waits for no video: an unfinished world is rendered anew
        pool.shutdown(cancel_futures=True)


_stop: Event | None = None
"""Of a worker: set when no video is wanted any more."""


def _heed(stop: Event) -> None:
    global _stop
    _stop = stop


def _go_on() -> None:
    """Raises InterruptedError in a worker whose owner was stopped."""
    if _stop is not None and _stop.is_set():
        raise InterruptedError("the world is not wanted any more")


def _render_one(job: tuple[str, WorldSettings, int]) -> str:
    folder, settings, number = job
    _go_on()
    cv2.setNumThreads(1)
    return render_video(Path(folder), settings.plan().videos[number], settings.size).name


def render_video(out: Path, plan: VideoPlan, size: tuple[int, int]) -> VideoTruth:
    """Renders one planned video to OUT/videos and its truth to OUT/truth."""
    rows: dict[int, list[list[SubjectFrame]]] = {k: [[] for _ in shot.subjects] for k, shot in enumerate(plan.shots)}
    overlays = [_draw_overlay(o, size) for o in plan.overlays]
    content = content_box(plan.border, size)

    def frames() -> Iterator[np.ndarray]:
        for picture, frame, shot, shown in film(plan, size, Wardrobe()):
            _go_on()
            if shot is not None:
                for seen in shown:
                    rows[shot][seen.subject].append(seen.row)
            if content != (0, 0, *size):
                whole = np.zeros((size[1], size[0], 3), np.uint8)
                whole[content[1] : content[3], content[0] : content[2]] = picture
                picture = whole
            for overlay, (rgba, x, y) in zip(plan.overlays, overlays):
                if overlay.start_frame <= frame < overlay.stop_frame:
                    _lay_over(picture, rgba, x, y)
            yield picture

    write_video(
        out / "videos" / f"{plan.name}.mp4",
        frames(),
        fps=plan.fps,
        preset="ultrafast",
        crf=21,
        audio=_sound(plan),
        threads=1,
    )
    sidecar = _write_sidecar(out / "videos", plan)
    truth = VideoTruth(
        name=plan.name,
        file=f"videos/{plan.name}.mp4",
        fps=plan.fps,
        num_frames=plan.num_frames,
        width=size[0],
        height=size[1],
        content=(float(content[0]), float(content[1]), float(content[2]), float(content[3])),
        sound=SoundTruth(kind=plan.sound[0], offset_s=plan.sound[1]),
        sidecar=sidecar,
        shots=tuple(_shot_truth(shot, rows[k]) for k, shot in enumerate(plan.shots)),
        transitions=tuple(Transition(kind=k, start_frame=a, new_shot_frame=b) for k, a, b in plan.transitions),
        overlays=tuple(
            OverlayTruth(
                kind=o.kind,
                text=o.text,
                box=(float(x), float(y), float(x + rgba.shape[1]), float(y + rgba.shape[0])),
                opacity=o.opacity,
                start_frame=o.start_frame,
                stop_frame=o.stop_frame,
            )
            for o, (rgba, x, y) in zip(plan.overlays, overlays)
        ),
    )
    write_video_truth(out, truth)
    return truth


def _shot_truth(shot: ShotPlan, rows: list[list[SubjectFrame]]) -> ShotTruth:
    subjects = tuple(
        SubjectTruth(
            identity=s.identity.id,
            category=s.identity.category,
            is_living=s.identity.is_living,
            phrase=s.identity.phrase,
            frames=tuple(rows[k]),
        )
        for k, s in enumerate(shot.subjects)
    )
    return ShotTruth(
        start_frame=shot.start_frame,
        stop_frame=shot.stop_frame,
        context=shot.context,
        place=shot.place,
        camera=shot.camera.move,
        caption=caption_of(shot),
        subjects=subjects,
        speaks=next((s.identity.id for s in shot.subjects if s.speaks), None),
    )


def _draw_overlay(plan: OverlayPlan, size: tuple[int, int]) -> tuple[np.ndarray, int, int]:
    """The overlay as RGBA, cropped to what shows, and its corner in the frame."""
    width, height = size
    scale = plan.height * height / 22
    thick = max(1, round(scale * (2 if plan.kind != "watermark" else 1.6)))
    (w, h), base = cv2.getTextSize(plan.text, plan.font, scale, thick)
    pad = max(2, round(0.5 * h)) if plan.kind == "badge" else 1
    rgba = np.zeros((h + base + 2 * pad, w + 2 * pad, 4), np.uint8)
    if plan.kind == "badge":
        rgba[:] = (196, 28, 34, 255)
    mask = np.zeros(rgba.shape[:2], np.uint8)
    cv2.putText(mask, plan.text, (pad, pad + h), plan.font, scale, 255, thick, cv2.LINE_AA)
    if plan.kind != "badge":
        edge = cv2.dilate(mask, np.ones((3, 3), np.uint8))
        rgba[..., 3] = (edge * plan.opacity).astype(np.uint8)
        rgba[..., :3] = mask[..., None]
    else:
        rgba[..., :3] = np.maximum(rgba[..., :3], mask[..., None])
    rows, columns = np.flatnonzero(rgba[..., 3].any(axis=1)), np.flatnonzero(rgba[..., 3].any(axis=0))
    rgba = rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    x = min(round(plan.at[0] * width), width - rgba.shape[1] - 2)
    y = min(round(plan.at[1] * height), height - rgba.shape[0] - 2)
    return np.ascontiguousarray(rgba), max(0, x), max(0, y)


def _lay_over(picture: np.ndarray, rgba: np.ndarray, x: int, y: int) -> None:
    area = picture[y : y + rgba.shape[0], x : x + rgba.shape[1]]
    alpha = rgba[: area.shape[0], : area.shape[1], 3:].astype(np.float32) / 255
    area[:] = (area * (1 - alpha) + rgba[: area.shape[0], : area.shape[1], :3] * alpha).astype(np.uint8)


def _sound(plan: VideoPlan) -> tuple[np.ndarray, int] | None:
    kind, offset = plan.sound
    duration = plan.num_frames / plan.fps
    match kind:
        case "none":
            return None
        case "silent":
            return np.zeros(round(duration * SAMPLE_RATE), np.float32), SAMPLE_RATE
        case "wrong":
            other = draw_speech(np.random.default_rng([plan.seed, 9]), 0.0, duration)
            return speak(other, duration, seed=plan.seed), SAMPLE_RATE
        case _:
            return speak(list(plan.syllables), duration, offset_s=offset or 0.0, seed=plan.seed), SAMPLE_RATE


def _write_sidecar(folder: Path, plan: VideoPlan) -> str | None:
    captions = [caption_of(shot) for shot in plan.shots]
    if plan.sidecar == "txt":
        (folder / f"{plan.name}.txt").write_text(" ".join(captions) + "\n", encoding="utf-8")
        return f"videos/{plan.name}.txt"
    if plan.sidecar == "json":
        segments = [
            {"start_s": round(s.first_frame / plan.fps, 1), "stop_s": round(s.last_frame / plan.fps, 1), "caption": c}
            for s, c in zip(plan.shots, captions)
        ]
        text = json.dumps({"caption": " ".join(captions), "segments": segments}, indent=1)
        (folder / f"{plan.name}.json").write_text(text, encoding="utf-8")
        return f"videos/{plan.name}.json"
    return None


def _write_truth(out: Path, settings: WorldSettings, plan: WorldPlan) -> None:
    videos = tuple(read_video_truth(out / "truth" / f"{v.name}.json.gz") for v in plan.videos)

    def span(video: int, shot: int) -> tuple[int, int]:
        return plan.videos[video].shots[shot].start_frame, plan.videos[video].shots[shot].stop_frame

    duplicates = []
    for d in plan.duplicates:
        retake = plan.videos[d.video_b].shots[d.shot_b].retake
        duplicates.append(
            Duplicate(
                video_a=plan.videos[d.video_a].name,
                span_a=span(d.video_a, d.shot_a),
                video_b=plan.videos[d.video_b].name,
                span_b=span(d.video_b, d.shot_b),
                change=retake.words if retake else "",
            )
        )
    identities = tuple(
        IdentityTruth(
            id=i.id, category=i.category, is_living=i.is_living, phrase=i.phrase, twin=i.twin, relabels=i.relabels
        )
        for i in plan.identities
    )
    truth = Truth(
        seed=settings.seed,
        renderer_version=settings.renderer_version,
        identities=identities,
        duplicates=tuple(duplicates),
        videos=videos,
    )
    write_index(out, truth)
