"""A project whose subjects are planted: one real video, three clips, one subject each, three pairs of known similarity."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from backend.domain import (
    Appearance,
    Caption,
    Clip,
    Context,
    Item,
    Mask,
    Ok,
    Pair,
    Record,
    Resources,
    Result,
    Score,
    Subject,
    Video,
)
from backend.engine.plan import Gate, Plan, Step
from backend.geometry.rle import encode
from backend.media.images import encode_png
from backend.media.writer import write_video
from backend.stages.ingest import ProbeSource

FRAMES = 30
SIMILARITIES = (0.9, 0.6, 0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantPairs:
    """Clips [0, 10), [10, 20), [20, 30) with a subject each, and every pair of them."""

    name: ClassVar[str] = "plant_pairs"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Clip, Caption, Subject, Appearance, Mask, Pair, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [Ok(item.id, self._rows(item, context)) for item in items]

    def _rows(self, item: Item, context: Context) -> tuple[Record, ...]:
        rows: list[Record] = []
        seen: list[tuple[Subject, Appearance]] = []
        for n in range(3):
            clip = Clip(
                video_id=item.id,
                start_frame=10 * n,
                stop_frame=10 * n + 10,
                start_s=n * 0.4,
                stop_s=n * 0.4 + 0.4,
                opens_with="cut",
            )
            subject = Subject(clip_id=clip.id, track_id=f"track_{n}", phrase="a red mug", category="mug", is_living=False)
            box = (8.0, 8.0, 40.0, 40.0)
            appearance = Appearance(subject_id=subject.id, frame=10 * n + 5, box=box, confidence=0.8, origin="video")
            mask = np.zeros((48, 64), bool)
            mask[8:40, 8:40] = True
            crop = np.full((32, 32, 4), (*bytes.fromhex(item.id[-4:]), 40 * n, 255), np.uint8)  # no other video has it
            rows += [
                clip,
                Caption(clip_id=clip.id, author="sidecar", text=f"A red mug, take {n}."),
                subject,
                appearance,
                Mask(
                    appearance_id=appearance.id,
                    author="planted",
                    height=48,
                    width=64,
                    counts=encode(mask),
                    crop=context.artifacts.put(encode_png(crop), "png"),
                ),
            ]
            seen.append((subject, appearance))
        for (a, b), similarity in zip(((0, 1), (0, 2), (1, 2)), SIMILARITIES, strict=True):
            pair = Pair(
                target_subject_id=seen[a][0].id,
                target_appearance_id=seen[a][1].id,
                reference_subject_id=seen[b][0].id,
                reference_appearance_id=seen[b][1].id,
                kind="cross_frame",
            )
            rows += [pair, Score(target=pair.id, name="similarity", value=similarity, producer="planted")]
        return tuple(rows)


def plan() -> Plan:
    gate = Gate(record="pair", score="similarity", comparison=">=", value=0.5, source="planted")
    return Plan(steps=(Step(ProbeSource()), Step(PlantPairs(), (gate,))))


def write_toy_video(path: Path) -> Path:
    """30 frames of 64 x 48 at 25 fps, a brighter square moving right."""
    frames = np.full((FRAMES, 48, 64, 3), 60, np.uint8)
    for n, frame in enumerate(frames):
        frame[10:30, n : n + 20] = (220, 180, 40)
    write_video(path, frames, fps=25)
    return path
