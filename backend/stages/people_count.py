"""How many people a clip shows at a time (S32)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from backend.domain import Box, Clip, Context, Filtered, Item, Ok, Resources, Result, Score, Subject, Track
from backend.geometry import boxes
from backend.models.taxonomy import load_taxonomy

LEAST_SIGHTINGS = 3
"""A face seen on fewer frames is taken for a mistake: detectors of single frames see one in leaves and cloth."""
SIDEWARDS, ABOVE, BELOW = 0.5, 0.45, 2.0
"""How far a head and the chest under it reach beyond the face, in its breadths and heights: less than any body does."""
MIDDLE = -0.25
"""What is taken off each side of a body's box: its middle is the body's, its corners are not."""
SHOWN = 0.5
"""Who is covered less still shows."""


@dataclass(frozen=True, slots=True)
class CountPeople:
    """Scores of a clip: `single_person`, the share of looked-at frames with exactly one person, and `most_people`.

    People are counted by their faces; a body adds one more when no face lies in it and it is no second box of somebody
    counted. Bodies are the tracks of kind person and those whose subject the caption calls a human. A track is there from
    its first to its last frame, with its box moved evenly between. Who is seen from behind, wholly before somebody
    else, is missed.
    """

    name: ClassVar[str] = "count_people"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Track, Subject)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(cpu=0.1, ram_gib=0.1)

    face_inside: float = 0.6
    """The share of a face that lies in a person's box when it is that person's."""
    one_body_iou: float = 0.7
    """Two bodies that overlap more are one person found twice."""
    one_body_inside: float = 0.8
    """A body of which more lies in another is a part of that person."""
    least_sightings: int = LEAST_SIGHTINGS

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._count(item) for item in items]

    def _count(self, item: Item) -> Result:
        people = people_of(item.all(Track), item.all(Subject))
        faces = [t for t in item.all(Track) if t.kind == "face" and len(t.frames) >= self.least_sightings]
        frames = sorted({frame for track in item.all(Track) for frame in track.frames})
        if not frames:
            return Filtered(item.id, "nothing is followed in the clip, nobody can be counted")
        counts = np.array([self._on_frame(frame, people, faces) for frame in frames])
        clip, producer = item.one(Clip), f"{self.name}/{self.version}"
        values = {"single_person": float((counts == 1).mean()), "most_people": float(counts.max())}
        return Ok(
            item.id,
            [Score(target=clip.id, name=n, value=v, producer=producer, num_units=len(frames)) for n, v in values.items()],
        )

    def _on_frame(self, frame: int, people: Sequence[Track], faces: Sequence[Track]) -> int:
        seen = [box for box in (box_at(track, frame) for track in faces) if box is not None]
        bodies = [box for box in (box_at(track, frame) for track in people) if box is not None]
        counted = [body for body in bodies if any(boxes.contain(face, body) >= self.face_inside for face in seen)]
        num = len(seen)
        for body in sorted((body for body in bodies if body not in counted), key=boxes.area, reverse=True):
            if not any(self._is_same(body, other) for other in counted):
                num += 1
                counted.append(body)
        return num

    def _is_same(self, body: Box, other: Box) -> bool:
        return boxes.iou(body, other) > self.one_body_iou or boxes.contain(body, other) > self.one_body_inside


class Bodies:
    """Where people are on a frame, by their tracks: bodies as they are followed, and the head and chest around each face.

    A clip is one shot: whoever is not yet or no longer followed is believed to be where they were found next or last.
    """

    def __init__(self, tracks: Sequence[Track], subjects: Sequence[Subject]) -> None:
        self._people = [track for track in tracks if track.kind == "person"]
        self._faces = [t for t in tracks if t.kind == "face" and len(t.frames) >= LEAST_SIGHTINGS]

    def left(self, frame: int, hidden: np.ndarray) -> int:
        """How many of them are not hidden by `hidden`, bool `(H, W)`."""
        found = [boxes.expand(_nearest_box(track, frame), MIDDLE) for track in self._people]
        found += [_bust(_nearest_box(track, frame)) for track in self._faces]
        height, width = hidden.shape
        areas = [boxes.to_pixels(box, width, height) for box in found]
        return sum(bool(hidden[y0:y1, x0:x1].mean() < SHOWN) for x0, y0, x1, y1 in areas)


def _bust(face: Box) -> Box:
    x0, y0, x1, y1 = face
    width, height = x1 - x0, y1 - y0
    return x0 - SIDEWARDS * width, y0 - ABOVE * height, x1 + SIDEWARDS * width, y1 + BELOW * height


def people_of(tracks: Sequence[Track], subjects: Sequence[Subject]) -> list[Track]:
    """Tracks that follow a whole person: of kind person, or with a subject that words call a human."""
    human = {subject.track_id for subject in subjects if _is_human(subject)}
    return [track for track in tracks if track.kind == "person" or (track.kind != "face" and track.id in human)]


def box_at(track: Track, frame: int) -> Box | None:
    """The track's box on a frame, moved evenly between those around it; None before its first and after its last."""
    return _nearest_box(track, frame) if track.frames[0] <= frame <= track.frames[-1] else None


def _nearest_box(track: Track, frame: int) -> Box:
    x0, y0, x1, y1 = (float(np.interp(frame, track.frames, side)) for side in zip(*track.boxes, strict=True))
    return x0, y0, x1, y1


def _is_human(subject: Subject) -> bool:
    category = load_taxonomy().categories.get(subject.category or "")
    return category is not None and category.domain == "human"
