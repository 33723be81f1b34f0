"""Follows faces through a clip and measures how they are turned (S20, S21)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from backend.domain import (
    Box,
    Clip,
    Context,
    FaceWatcher,
    Failed,
    Footage,
    Item,
    MediaError,
    Ok,
    Record,
    Region,
    Resources,
    Result,
    Score,
    SeenFace,
    Track,
)
from backend.geometry import boxes
from backend.stages.face_links import Links, Sighting


@dataclass(frozen=True)
class FollowFaces:
    """A Track of kind face for each face of a clip, with Scores; the clip's own `num_faces`.

    Scores of a track: `num_sightings`; `side_px`, the shorter side of its largest box; `frontal_fraction`, the share of
    sightings that look at the camera by their angles or, where there are none, by their symmetry; `yaw_deg`,
    `pitch_deg` and `symmetry`, the medians of their sizes, NULL where the watcher knows none. The evidence of
    `frontal_fraction` holds all of it frame by frame, with the key points (`FACE_EVIDENCE`).
    """

    name: ClassVar[str] = "follow_faces"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Region,)
    makes: ClassVar[tuple[type, ...]] = (Track, Score)
    roles: ClassVar[tuple[str, ...]] = ("FaceWatcher",)
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=0.5)

    every: int = 4
    """Each how many frames faces are looked for where there are some; OpenS2V-Nexus looks on every frame."""
    search_every: int = 12
    """Each how many frames they are looked for elsewhere: half a second, less than any face that is of use is seen for."""
    longer_px: int = 640  # insightface's detection size in OpenS2V-Nexus, step 1; 0 reads frames in their own size
    max_gap: int = 25  # frames a face may be away; syncnet_python
    max_yaw_deg: float = 30.0  # research default: a face that can be recognised
    max_pitch_deg: float = 25.0  # the same
    min_symmetry: float = 0.6  # drawn and photographed frontal faces reach .6 to .95, half profiles .5 and less

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        watcher = cast(FaceWatcher, context.role("FaceWatcher"))
        return [self._follow(item, watcher, context) for item in items]

    def _follow(self, item: Item, watcher: FaceWatcher, context: Context) -> Result:
        try:
            footage = context.footage(item)
            seen = self._watched(footage, watcher)
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        factor = self._factor(footage)
        links = Links(least_score=watcher.least_score, least_cosine=watcher.least_cosine, max_gap=self.max_gap)
        producer = f"{self.name}/{self.version}:{watcher.model_id}"
        rows: list[Record] = []
        tracks = links.tracks([(frame, faces) for frame, (faces, _) in seen])
        for sightings in tracks:
            rows += self._rows(footage, sightings, factor, context, producer=producer)
        num = Score(
            target=footage.clip.id, name="num_faces", value=float(len(tracks)), producer=producer, num_units=len(seen)
        )
        strange = sum(odd for _, (_, odd) in seen)
        warnings = (f"{strange} faces outside their frame or without numbers were left out",) if strange else ()
        return Ok(item.id, [*rows, num], warnings)

    def _factor(self, footage: Footage) -> float:
        longer = max(footage.reader.width, footage.reader.height)
        return min(1.0, self.longer_px / longer) if self.longer_px else 1.0

    def _watched(self, footage: Footage, watcher: FaceWatcher) -> list[tuple[int, tuple[list[SeenFace], int]]]:
        """Frames that were looked at, in order: all of the coarse ones, and the fine ones next to a face."""
        frames = list(range(footage.clip.start_frame, footage.clip.stop_frame, self.every))
        step = max(1, self.search_every // self.every)
        found = {f: _sane(watcher.watch(picture), picture) for f, picture in self._pictures(footage, frames[::step])}
        near = {
            frame
            for place in range(0, len(frames), step)
            if any(face.score >= watcher.least_score for face in found[frames[place]][0])
            for frame in frames[max(0, place - step + 1) : place + step]
        }
        left = sorted(near - found.keys())
        found |= {f: _sane(watcher.watch(picture), picture) for f, picture in self._pictures(footage, left)}
        return sorted(found.items())

    def _pictures(self, footage: Footage, frames: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        factor, reader = self._factor(footage), footage.reader
        size = None if factor == 1 else (max(1, round(reader.width * factor)), max(1, round(reader.height * factor)))
        for start in range(0, len(frames), CHUNK):
            part = frames[start : start + CHUNK]
            yield from zip(part, reader.at(part, size=size), strict=True)

    def _rows(
        self, footage: Footage, sightings: Sequence[Sighting], factor: float, context: Context, *, producer: str
    ) -> list[Record]:
        bounds = (0.0, 0.0, float(footage.reader.width), float(footage.reader.height))
        found = [boxes.clip(boxes.scale(face.box, 1 / factor, 1 / factor), bounds) for _, face in sightings]
        rounded = tuple((round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2)) for x0, y0, x1, y1 in found)
        track = Track(
            clip_id=footage.clip.id,
            kind="face",
            frames=tuple(frame for frame, _ in sightings),
            boxes=rounded,
            scores=tuple(round(face.score, 4) for _, face in sightings),
        )
        evidence = context.artifacts.put(json.dumps(_evidence(sightings, rounded, factor)).encode(), "json")
        frontal = [f for f in (self._is_frontal(face) for _, face in sightings) if f is not None]
        values: dict[str, float | None] = {
            "num_sightings": float(len(sightings)),
            "side_px": max(min(x1 - x0, y1 - y0) for x0, y0, x1, y1 in rounded),
            "yaw_deg": _median_size([face.yaw_deg for _, face in sightings]),
            "pitch_deg": _median_size([face.pitch_deg for _, face in sightings]),
            "symmetry": _median_size([face.symmetry for _, face in sightings]),
        }
        scores = [
            Score(
                target=track.id,
                name=name,
                value=value,
                producer=producer,
                reason=None if value is not None else "not measured by this watcher",
                num_units=len(sightings),
            )
            for name, value in values.items()
        ]
        share = Score(
            target=track.id,
            name="frontal_fraction",
            value=float(np.mean(frontal)) if frontal else None,
            producer=producer,
            reason=None if frontal else "neither angles nor symmetry are known",
            num_units=len(sightings),
            evidence=evidence,
        )
        return [track, *scores, share]

    def _is_frontal(self, face: SeenFace) -> bool | None:
        if face.yaw_deg is not None and face.pitch_deg is not None:
            return abs(face.yaw_deg) <= self.max_yaw_deg and abs(face.pitch_deg) <= self.max_pitch_deg
        return None if face.symmetry is None else face.symmetry >= self.min_symmetry


CHUNK = 24  # frames in hand: 24 of 1080p are 150 MB

FACE_EVIDENCE = "face-track/1"
"""JSON of a face track: `frames`, `boxes`, `scores`, `keypoints` (five points a frame or null), `yaw_deg`, `pitch_deg`,
`symmetry`; pixels of the source frame."""


def _sane(faces: Sequence[SeenFace], picture: np.ndarray) -> tuple[list[SeenFace], int]:
    """Faces that share pixels with their picture and are made of numbers, and how many are not."""
    height, width = picture.shape[:2]
    kept = [face for face in faces if _is_sane(face, (0.0, 0.0, float(width), float(height)))]
    return kept, len(faces) - len(kept)


def _is_sane(face: SeenFace, bounds: Box) -> bool:
    numbers = (*face.box, face.score, *face.descriptor)
    return bool(np.isfinite(numbers).all()) and boxes.intersection(face.box, bounds) is not None


def _evidence(sightings: Sequence[Sighting], found: Sequence[Box], factor: float) -> dict:
    points = [None if face.keypoints is None else (face.keypoints / factor).round(2).tolist() for _, face in sightings]
    return {
        "format": FACE_EVIDENCE,
        "frames": [frame for frame, _ in sightings],
        "boxes": [list(box) for box in found],
        "scores": [round(face.score, 4) for _, face in sightings],
        "keypoints": points,
        **{
            name: [None if (value := getattr(face, name)) is None else round(value, 3) for _, face in sightings]
            for name in ("yaw_deg", "pitch_deg", "symmetry")
        },
    }


def _median_size(values: Sequence[float | None]) -> float | None:
    known = [abs(value) for value in values if value is not None]
    return float(np.median(known)) if known else None
