"""Whether the lips of a clip's faces follow its sound (S08)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from backend.domain import (
    Absent,
    Clip,
    Context,
    Failed,
    Filtered,
    Footage,
    Item,
    MediaError,
    Ok,
    Region,
    Resources,
    Result,
    Score,
    SyncScorer,
    Track,
    Video,
)
from backend.measures import lips
from backend.media.audio import Sound
from backend.media.guard import guarded_sound
from backend.stages.people_count import box_at


@dataclass(frozen=True)
class MeasureSync:
    """Scores of a clip by the face whose lips follow the sound most surely.

    `sync_offset` is how many frames at 25 a second the sound comes late, negative where it runs ahead; `sync_shift` its
    size; `sync_confidence` how much nearer lips and sound lie there than at the middling shift. Offset and shift are
    NULL where the confidence is below what the scorer calls sure: silent lips, or another's sound. A clip without
    sound, with silence, or without a face long enough is not applicable.
    """

    name: ClassVar[str] = "measure_sync"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Region, Track)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("SyncScorer",)
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=1.0)

    min_frames: int = 30  # at 25 a second; syncnet_python takes 100, but shots of film often last no more than 50
    min_face_px: float = 48.0  # syncnet_python takes 100
    longest_s: float = 20.0
    """How much of a clip is listened to."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        scorer = cast(SyncScorer, context.role("SyncScorer"))
        return [self._measure(item, scorer, context) for item in items]

    def _measure(self, item: Item, scorer: SyncScorer, context: Context) -> Result:
        if not item.one(Video).has_audio:
            return Filtered(item.id, "the video has no sound")
        tracks = [track for track in item.all(Track) if track.kind == "face" and self._is_large(track)]
        if not tracks:
            return Filtered(item.id, f"no face of {self.min_face_px:g} px is followed")
        try:
            footage = context.footage(item)
            samples = _sound_of(footage, context.path(footage.video, item))
            if isinstance(samples, Absent):
                return Filtered(item.id, samples.reason)
            found = [self._judged(track, footage, samples, scorer) for track in tracks]
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        known = [each for each in found if isinstance(each, lips.Judged)]
        if not known:
            return Filtered(item.id, next(each.reason for each in found if isinstance(each, Absent)))
        best = max(known, key=lambda each: each.confidence)
        return Ok(item.id, _scores(footage.clip, best, scorer, f"{self.name}/{self.version}:{scorer.model_id}", len(known)))

    def _is_large(self, track: Track) -> bool:
        return float(np.median([min(x1 - x0, y1 - y0) for x0, y0, x1, y1 in track.boxes])) >= self.min_face_px

    def _judged(self, track: Track, footage: Footage, samples: np.ndarray, scorer: SyncScorer) -> lips.Judged | Absent:
        fps = footage.video.fps
        first, last = track.frames[0], min(track.frames[-1], track.frames[0] + int(self.longest_s * fps))
        frames = [first + k for k in lips.frames_at_rate(last - first + 1, fps)]
        if len(frames) < self.min_frames:
            return Absent(f"no face is followed for {self.min_frames / lips.RATE:g} s")
        centres = lips.smoothed(np.array([box_at(track, frame) for frame in frames], np.float64), repeat_ends=True)
        crops = np.stack([lips.crop(picture, c) for picture, c in zip(_pictures(footage, frames), centres, strict=True)])
        start = round((first - footage.clip.start_frame) / fps * lips.SOUND_HZ)
        heard = samples[start : start + len(frames) * lips.SAMPLES_PER_FRAME]
        distances = scorer.distances(crops, heard)
        if isinstance(distances, Absent):
            return distances
        if not np.isfinite(distances).all():
            return Absent("the model gave no distances")
        return lips.judged(distances)


def _scores(clip: Clip, best: lips.Judged, scorer: SyncScorer, producer: str, num_faces: int) -> list[Score]:
    is_sure = best.confidence >= scorer.least_confidence
    late = -best.offset
    values = {
        "sync_shift": float(abs(late)) if is_sure else None,
        "sync_offset": float(late) if is_sure else None,
        "sync_confidence": best.confidence,
    }
    unsure = f"the lips follow the sound at no shift: confidence {best.confidence:.2f}, needs {scorer.least_confidence:g}"
    return [
        Score(
            target=clip.id,
            name=name,
            value=value,
            producer=producer,
            reason=None if value is not None else unsure,
            num_units=num_faces,
        )
        for name, value in values.items()
    ]


def _sound_of(footage: Footage, path: str) -> np.ndarray | Absent:
    """The clip's sound int16 at 16 kHz, its first sample heard with the clip's first frame; Absent when silent."""
    clip = footage.clip
    sound = guarded_sound(path, lips.SOUND_HZ, max_s=clip.stop_s)
    if isinstance(sound, Absent):
        return Absent(sound.reason)
    heard = Sound(sound.samples[round(clip.start_s * lips.SOUND_HZ) :], lips.SOUND_HZ, clip.start_s)
    return Absent("the clip's sound is silent") if heard.is_silent else heard.to_int16()


def _pictures(footage: Footage, frames: Sequence[int]):
    for start in range(0, len(frames), CHUNK):
        yield from footage.reader.at(frames[start : start + CHUNK])


CHUNK = 16  # frames in hand in their own size
