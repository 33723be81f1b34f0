"""Which faces of consecutive frames are one face."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain import SeenFace
from backend.geometry import boxes

Sighting = tuple[int, SeenFace]
"""A frame, and a face on it."""


@dataclass(frozen=True, slots=True)
class Links:
    """When two sightings are one face. Each face of a frame belongs to one track at most.

    OpenS2V-Nexus links by the descriptor alone, lets two faces of a frame share a number, and loses whoever turns to
    profile: there a face that stays in its place stays the same one, however unsure the detector is of it.
    """

    least_score: float
    """A face below it starts no track."""
    least_cosine: float
    """Descriptors less alike are two people, unless the boxes say otherwise."""
    same_place_iou: float = 0.5  # syncnet_python, run_pipeline.py: iouThres
    reach: float = 1.0
    """How far beyond its last box a face may have gone, in sizes of that box."""
    max_gap: int = 25  # frames; syncnet_python, run_pipeline.py: --num_failed_det

    def tracks(self, seen: Sequence[tuple[int, Sequence[SeenFace]]]) -> list[list[Sighting]]:
        """Sightings by face, from the faces of frames in order; tracks in order of their first sighting."""
        tracks: list[list[Sighting]] = []
        for frame, faces in seen:
            open_tracks = [track for track in tracks if frame - track[-1][0] <= self.max_gap]
            taken = self._matched(open_tracks, frame, faces)
            for number, face in enumerate(faces):
                if number in taken:
                    taken[number].append((frame, face))
                elif face.score >= self.least_score:
                    tracks.append([(frame, face)])
        return tracks

    def _matched(self, tracks: list[list[Sighting]], frame: int, faces: Sequence[SeenFace]) -> dict[int, list[Sighting]]:
        """The track of each face that continues one: the assignment that is most alike and overlaps most."""
        if not tracks or not faces:
            return {}
        gain = np.array([[self._gain(track[-1][1], face) for face in faces] for track in tracks])
        from scipy.optimize import linear_sum_assignment  # not above: a third of a second of every command's start

        rows, columns = linear_sum_assignment(gain, maximize=True)
        return {int(c): tracks[r] for r, c in zip(rows, columns, strict=True) if gain[r, c] > 0}

    def _gain(self, last: SeenFace, face: SeenFace) -> float:
        """Above 0 where the two may be one face."""
        overlap = boxes.iou(last.box, face.box)
        likeness = float(last.descriptor @ face.descriptor)
        if overlap >= self.same_place_iou:
            return 2 + overlap + max(0.0, likeness)
        is_near = boxes.intersection(boxes.expand(last.box, self.reach), face.box) is not None
        if is_near and likeness >= self.least_cosine and face.score >= self.least_score:
            return 1 + overlap + likeness
        return 0.0
