"""Splits videos into clips at changes of shot (S02)."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from backend.domain import Clip, Context, Failed, FrameReader, Item, MediaError, Ok, Resources, Result, Score, Video
from backend.measures.shots import ShotRules, find_transitions, spans_between


@dataclass(frozen=True)
class SplitShots:
    """Clips of one shot each; frames inside dissolves and fades belong to no clip.

    Every shot becomes a clip, however short: `duration_s` is a score, so that a gate decides. Only shots longer than
    `max_s` are divided, evenly. Other scores: `shot_confidence`, the lesser certainty of the clip's two ends.
    """

    name: ClassVar[str] = "split_shots"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Clip, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=1.0)

    max_s: float = 60.0  # cosmos-curate, longest clip of its TransNetV2 splitter
    width_px: int = 320  # frames are read at this width; cuts of 35 real videos are found alike at 160 and 320
    cut_novelty: float = ShotRules.cut_novelty
    blend_residual: float = ShotRules.blend_residual

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._split(item, context) for item in items]

    def _split(self, item: Item, context: Context) -> Result:
        video = item.one(Video)
        rules = ShotRules(cut_novelty=self.cut_novelty, blend_residual=self.blend_residual)
        try:
            reader = context.frames(item)
            chunks = (frames for _, frames in reader.stream(size=_small(reader, self.width_px)))
            changes = find_transitions(chunks, video.fps, rules=rules)
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        rows = []
        for start, stop, opens_with, confidence in spans_between(changes, reader.num_frames):
            for clip in self._parts(video, reader, (start, stop), opens_with):
                producer = f"{self.name}/{self.version}"
                rows += [
                    clip,
                    Score(target=clip.id, name="duration_s", value=clip.stop_s - clip.start_s, producer=producer),
                    Score(target=clip.id, name="shot_confidence", value=confidence, producer=producer),
                ]
        return Ok(item.id, rows)

    def _parts(self, video: Video, reader: FrameReader, span: tuple[int, int], opens_with: str) -> list[Clip]:
        start, stop = span
        duration_s = _time_s(video, reader, stop) - _time_s(video, reader, start)
        num = max(1, math.ceil(duration_s / self.max_s - 1e-9))
        edges = [start + (stop - start) * k // num for k in range(num + 1)]
        return [
            Clip(
                video_id=video.id,
                start_frame=first,
                stop_frame=last,
                start_s=_time_s(video, reader, first),
                stop_s=_time_s(video, reader, last),
                opens_with=opens_with if first == start else "split",
            )
            for first, last in itertools.pairwise(edges)
            if last > first
        ]


def _time_s(video: Video, reader: FrameReader, frame: int) -> float:
    """When a frame is shown; for the end of the video, when its last frame ends at the mean rate."""
    if frame < reader.num_frames:
        return float(reader.times_s[frame])
    return float(reader.times_s[-1]) + 1 / video.fps


def _small(reader: FrameReader, width_px: int) -> tuple[int, int] | None:
    if reader.width <= width_px:
        return None
    return width_px, max(1, round(reader.height * width_px / reader.width))
