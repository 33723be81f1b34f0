"""Words without weights: noun phrases by rule, and a caption that says only what classical vision can see."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Absent, Box, FaceAnalyzer, Footage, PhraseSpan
from backend.models.classical_faces import ClassicalFaceAnalyzer
from backend.models.classical_motion import camera_motion, residual_flow
from backend.models.taxonomy import Match, Taxonomy, load_taxonomy

NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
HUES: tuple[tuple[float, str], ...] = (
    (11, "red"),
    (22, "orange"),
    (33, "yellow"),
    (82, "green"),
    (130, "blue"),
    (155, "purple"),
    (172, "pink"),
    (181, "red"),
)
"""Upper bounds of OpenCV's hue (0-180) with the basic colour term (Berlin and Kay, 1969) for it."""


@dataclass(frozen=True, slots=True)
class RulePhrases:
    """PhraseExtractor by rule: a taxonomy noun with the colours, sizes and materials before it.

    Spans are verbatim, without determiner or numeral, as OpenS2V-Nexus asks of its tags (data_process, step 4).
    """

    model_id: ClassVar[str] = "rule-phrases-2-table-4"
    """Names the version of the table too, so that a changed table runs the phrases anew."""
    max_phrases: int = 8
    max_modifiers: int = 3

    def phrases(self, text: str) -> list[PhraseSpan]:
        """Noun phrases in order, one for each distinct text. When there are more than `max_phrases`, subjects go
        before objects and objects before background; within a role the first mentioned stay."""
        taxonomy = load_taxonomy()
        found: dict[tuple[str, str], PhraseSpan] = {}
        for match in taxonomy.find(text):
            span = self._span(taxonomy, text, match)
            found.setdefault((match.category.id, text[span.start : span.stop].casefold()), span)
        rank = {"subject": 0, "object": 1, "background": 2}
        kept = sorted(found.values(), key=lambda span: (rank[span.role], span.start))[: self.max_phrases]
        return sorted(kept, key=lambda span: span.start)

    def _span(self, taxonomy: Taxonomy, text: str, match: Match) -> PhraseSpan:
        category = match.category
        return PhraseSpan(
            start=taxonomy.phrase_start(text, match, limit=self.max_modifiers),
            stop=match.stop,
            role=category.role,
            category=category.id,
            is_living=category.living,
            is_plural=match.is_plural,
        )


@dataclass(frozen=True, slots=True)
class TemplateCaptioner:
    """Captioner without weights: people by their faces, colours, and which way subject and camera move.

    It names no object, since no embedded measure knows what a thing is called. Its captions carry the author
    `template`, so that a recipe can leave them out of exports.
    """

    model_id: ClassVar[str] = "template-captions-1"
    faces: FaceAnalyzer = field(default_factory=ClassicalFaceAnalyzer)
    num_moments: int = 4
    side_px: int = 320
    step_s: float = 0.2
    """Time between the two frames whose motion is measured: long enough for a slow walk to pass the noise."""
    min_face_score: float = 0.5
    min_moving_px: float = 1.0
    """Least motion against the camera, at 320 px: three times NOISE_PX of `classical_motion`."""
    min_moving_area: float = 0.01
    min_camera_share: float = 0.02
    """Least camera motion over one step, as a share of the picture's width, to be called a pan."""
    min_zoom: float = 0.015
    min_luma: float = 12.0
    """Mean grey level under which every frame counts as black."""

    def caption(self, footage: Footage) -> str | Absent:
        """One or two sentences, or why there is nothing to say. Raises MediaError."""
        step = min(max(1, round(self.step_s * footage.video.fps)), max(0, footage.num_frames - 1))
        firsts = [min(index, footage.clip.stop_frame - 1 - step) for index in footage.linspace(self.num_moments)]
        seen = [self._look(footage, index, index + step) for index in dict.fromkeys(firsts)]
        if max(float(look.frame.mean()) for look in seen) < self.min_luma:
            return Absent("the picture is black")
        people = int(np.median([len(look.faces) for look in seen]))
        subject = self._subject(seen, people)
        camera = self._camera(seen)
        return f"{subject[0].upper()}{subject[1:]}.{f' The camera {camera}.' if camera else ''}"

    def _look(self, footage: Footage, first: int, second: int) -> "_Look":
        factor = self.side_px / max(footage.reader.width, footage.reader.height)
        size = (max(16, round(footage.reader.width * factor)), max(16, round(footage.reader.height * factor)))
        pair = footage.reader.at([first, second], size=size)
        x0, y0, x1, y1 = (round(value * factor) for value in footage.content)
        frames = pair[:, y0 : max(y1, y0 + 16), x0 : max(x1, x0 + 16)]
        gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
        flow = residual_flow(gray[0], gray[1])
        moving = np.linalg.norm(flow, axis=2) >= self.min_moving_px
        faces = tuple(face.box for face in self.faces.faces(frames[0]) if face.score >= self.min_face_score)
        return _Look(frames[0], faces, moving, flow, camera_motion(gray[0], gray[1]))

    def _subject(self, seen: Sequence["_Look"], people: int) -> str:
        moves = [look for look in seen if look.moving.mean() >= self.min_moving_area]
        area = [look.subject_pixels() for look in seen]
        colours = _colour_names(
            np.concatenate([pixels for pixels in area if len(pixels)] or [seen[0].frame.reshape(-1, 3)])
        )
        around = _colour_names(np.concatenate([look.edge_pixels() for look in seen]))
        motion = _direction(np.median([look.mean_flow() for look in moves], axis=0)) if 2 * len(moves) >= len(seen) else ""
        plural = people > 1
        if people:
            who = "a person" if not plural else f"{NUMBERS[people] if people < len(NUMBERS) else 'many'} people"
            verb = {"": "are seen" if plural else "is seen", "around": "move" if plural else "moves"}
            what = verb.get(motion, f"{'move' if plural else 'moves'} {motion}")
            return f"{who} in {colours} {what}, with {around} behind"
        if motion:
            return f"something in {colours} moves{'' if motion == 'around' else ' ' + motion}, with {around} behind"
        return f"a still view in {colours} and {around}" if colours != around else f"a still view in {colours}"

    def _camera(self, seen: Sequence["_Look"]) -> str:
        height, width = seen[0].frame.shape[:2]
        centre = np.array([width / 2, height / 2, 1.0])
        shifts, zooms = [], []
        for look in seen:
            moved = look.camera @ centre
            shifts.append((moved[:2] / moved[2] - centre[:2]) / width)
            zooms.append(np.sqrt(max(1e-6, float(np.linalg.det(look.camera[:2, :2])))) - 1)
        shift, zoom = np.median(shifts, axis=0), float(np.median(zooms))
        if abs(zoom) >= self.min_zoom:
            return "zooms in" if zoom > 0 else "zooms out"
        if np.abs(shift).max() < self.min_camera_share:
            return ""
        # The picture moves against the camera.
        if abs(shift[0]) >= abs(shift[1]):
            return "pans to the left" if shift[0] > 0 else "pans to the right"
        return "tilts up" if shift[1] > 0 else "tilts down"


@dataclass(frozen=True, slots=True)
class _Look:
    """One moment: the frame uint8 `(H, W, 3)`, its faces, what moves against the camera, and the camera's motion."""

    frame: np.ndarray
    faces: tuple[Box, ...]
    moving: np.ndarray
    flow: np.ndarray
    camera: np.ndarray

    def subject_pixels(self) -> np.ndarray:
        """uint8 `(N, 3)`: below the faces (clothes), else what moves, else the middle of the picture."""
        height, width = self.frame.shape[:2]
        if self.faces:
            return np.concatenate([self._clothes(face) for face in self.faces])
        if self.moving.any():
            return self.frame[self.moving]
        return self.frame[height // 4 : -height // 4, width // 4 : -width // 4].reshape(-1, 3)

    def _clothes(self, face: Box) -> np.ndarray:
        x0, y0, x1, y1 = face
        side = y1 - y0
        top, bottom = int(y1 + 0.5 * side), int(y1 + 2.0 * side)
        return self.frame[top:bottom, max(0, int(x0 - 0.2 * side)) : int(x1 + 0.2 * side)].reshape(-1, 3)

    def edge_pixels(self) -> np.ndarray:
        band = max(1, self.frame.shape[1] // 8)
        return np.concatenate([self.frame[:, :band].reshape(-1, 3), self.frame[:, -band:].reshape(-1, 3)])

    def mean_flow(self) -> np.ndarray:
        return self.flow[self.moving].mean(axis=0)


def _colour_names(pixels: np.ndarray) -> str:
    """The one or two commonest colours of RGB pixels uint8 `(N, 3)`; the second only with a third of the share."""
    hsv = cv2.cvtColor(np.ascontiguousarray(pixels[:: max(1, len(pixels) // 4000)])[None], cv2.COLOR_RGB2HSV)[0]
    counts = Counter(_names(hsv)).most_common(2)
    total = sum(count for _, count in counts)
    return " and ".join(name for name, count in counts if count >= total / 4)


def _names(hsv: np.ndarray) -> Iterable[str]:
    for hue, saturation, value in hsv.tolist():
        if value < 50:
            yield "black"
        elif saturation < 45:
            yield "white" if value > 190 else "gray"
        else:
            name = next(name for bound, name in HUES if hue < bound)
            yield "brown" if name in ("orange", "red") and value < 150 and hue < 22 and saturation < 200 else name


def _direction(flow: np.ndarray) -> str:
    """Where a mean flow `(2,)` in pixels leads; `around` when its parts cancel."""
    if np.linalg.norm(flow) < 0.5:
        return "around"
    if abs(flow[0]) >= abs(flow[1]):
        return "to the right" if flow[0] > 0 else "to the left"
    return "down" if flow[1] > 0 else "up"
