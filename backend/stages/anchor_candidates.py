"""Frames on which a subject shows a side or an expression, read back from the evidence of their measures."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.domain import ArtifactStore, Box, Item, Score, Subject, Track
from backend.geometry import boxes
from backend.stages.expressions import AS_ANCHOR, EXPRESSION_EVIDENCE
from backend.stages.people_count import box_at
from backend.stages.viewpoints import VIEW_EVIDENCE, head_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A frame that could be an anchor. `num_labels` counts the labels of its kind on its subject's clip."""

    subject_id: str
    kind: str
    label: str
    frame: int
    box: Box
    confidence: float
    num_labels: int = 0

    @property
    def rank(self) -> tuple[float, float, int]:
        """Smallest first: of highest confidence to one tenth, then of the largest crop, then the earliest."""
        return -round(self.confidence, 1), -boxes.area(self.box), self.frame


def candidates_of(item: Item, artifacts: ArtifactStore, *, face_inside: float) -> dict[str, list[Candidate]]:
    """Candidates by subject, of the scores `num_viewpoints` and `num_expressions` that an item over a video gathers."""
    evidence = {
        (score.target, score.name): score.evidence
        for score in item.all(Score)
        if score.evidence and score.name in ("num_viewpoints", "num_expressions")
    }
    tracks = {track.id: track for track in item.all(Track)}
    faces = [track for track in item.all(Track) if track.kind == "face"]
    found: dict[str, list[Candidate]] = {}
    for subject in item.all(Subject):
        own: list[Candidate] = []
        if name := evidence.get((subject.id, "num_viewpoints")):
            own += _counted(_viewpoints(subject, json.loads(artifacts.get(name))))
        face = _face_of(tracks.get(subject.track_id), faces, face_inside)
        if face and (name := evidence.get((face.id, "num_expressions"))):
            body = tracks[subject.track_id]
            own += _counted(_expressions(subject, body, json.loads(artifacts.get(name))))
        if own:
            found[subject.id] = own
    return found


def _viewpoints(subject: Subject, told: Mapping) -> Iterator[Candidate]:
    assert told["format"] == VIEW_EVIDENCE, f"evidence of viewpoints is {told['format']}"
    rows = zip(told["frames"], told["boxes"], told["sides"], told["confidence"], strict=True)
    for frame, box, side, confidence in rows:
        if side is not None:
            yield Candidate(
                subject_id=subject.id, kind="viewpoint", label=side, frame=frame, box=tuple(box), confidence=confidence
            )


def _expressions(subject: Subject, body: Track, told: Mapping) -> Iterator[Candidate]:
    assert told["format"] == EXPRESSION_EVIDENCE, f"evidence of expressions is {told['format']}"
    for frame, box, chances in zip(told["frames"], told["boxes"], told["probabilities"], strict=True):
        if chances is None:
            continue
        best = int(np.argmax(chances))
        label = AS_ANCHOR.get(told["labels"][best])
        if label is not None:
            around = box_at(body, frame) or (-np.inf, -np.inf, np.inf, np.inf)
            head = head_of(boxes.union(around, tuple(box)), tuple(box))
            yield Candidate(
                subject_id=subject.id, kind="expression", label=label, frame=frame, box=head, confidence=chances[best]
            )


def _counted(found: Iterator[Candidate]) -> list[Candidate]:
    rows = list(found)
    num = len({row.label for row in rows})
    return [replace(row, num_labels=num) for row in rows]


def _face_of(body: Track | None, faces: Sequence[Track], face_inside: float) -> Track | None:
    """The face that lies in the body's box on most frames that both know."""
    if body is None:
        return None
    best, most = None, 0
    for face in faces:
        if face.clip_id != body.clip_id:
            continue
        pairs = [(box, box_at(body, frame)) for frame, box in zip(face.frames, face.boxes, strict=True)]
        num = sum(other is not None and boxes.contain(box, other) >= face_inside for box, other in pairs)
        if num > most:
            best, most = face, num
    return best
