"""What is measured of a video against the scene that was asked for, whose truth is drawn.

Identity and background are compared by the project's own measures of the same names (`backend.measures.descriptors`): colours in bands of a
figure's height (`colour_bands`, under the true mask), and colours and textures of what lies around it (`background_layout`). An error
is 1 - cosine. Identity errors are through the mean error of strangers: 0 is the true picture, 1 is somebody else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from backend.measures.descriptors import background_layout, colour_bands, masked_crop
from backend.sampleworld.places import PLACES
from bench.experiments.scenes import FRAMES, Figure, Scene, Studio, side_of
from bench.experiments.worlds import TEST_FROM

PLACES_OF_A_KIND = 6
STRANGERS = 4
AROUND_PX = 3
PLAIN = np.ones(3, np.float32)


@dataclass(frozen=True)
class Ruler:
    """Measures videos uint8 (F, 64, 64, 3); what is true is drawn by `studio`."""

    studio: Studio

    def leak(self, video: np.ndarray, asked: Scene, shown: Scene) -> dict[str, float]:
        """What returns of a reference picture that shows another place, and the figure on the other side."""
        figure, stranger = asked.figures[0], self._stranger_error(asked.figures[0], asked)
        here = self.identity_error(video, asked, 0)
        moved = replace(figure, cell=shown.figures[0].cell)
        there = self.identity_error(video, replace(asked, figures=(moved,)), 0)
        masks = self._masks(asked), self._masks(replace(asked, figures=(moved,)))
        kind = self._nearest_place(video[FRAMES // 2 if len(video) > 1 else 0], np.logical_or(*masks))
        return {
            "background_leak": float(kind == shown.place),
            "background_followed": float(kind == asked.place),
            "position_copied": float(there < here),
            "identity_error": here / stranger,
            "identity_error_anywhere": min(here, there) / stranger,
        }

    def two(self, video: np.ndarray, asked: Scene) -> dict[str, float]:
        """Whether each of two figures is who stands there, and not who stands beside."""
        seen = [self._seen(video, asked, k) for k in (0, 1)]
        true = [self._true(asked, k) for k in (0, 1)]
        errors = np.array([[_error(a, b) for b in true] for a in seen])
        stranger = float(np.mean([self._stranger_error(figure, asked) for figure in asked.figures]))
        own, other = float(np.trace(errors)) / 2, float(errors.sum() - np.trace(errors)) / 2
        return {"own_error": own / stranger, "other_error": other / stranger, "swapped": float(other < own)}

    def side(self, video: np.ndarray, asked: Scene) -> dict[str, float]:
        """Whether the figure is seen from the opposite side of the one asked for, front or back; who it is; and the place."""
        figure = asked.figures[0]
        opposite = replace(figure, azimuth_deg=(figure.azimuth_deg + 180) % 360)
        seen = self._seen(video, asked, 0)
        own, turned = _error(seen, self._true(asked, 0)), _error(seen, self._true(replace(asked, figures=(opposite,)), 0))
        found = {
            "identity_error": own / self._stranger_error(figure, asked),
            "background_error": self.background_error(video, asked),
        }
        return {**found, "side_copied": float(turned < own)} if side_of(figure.azimuth_deg) in ("front", "back") else found

    def identity_error(self, video: np.ndarray, asked: Scene, number: int) -> float:
        """1 - cosine between a figure's place in the video and the figure."""
        return _error(self._seen(video, asked, number), self._true(asked, number))

    def background_error(self, video: np.ndarray, asked: Scene) -> float:
        """1 - cosine between what lies around the figures in the last frame, and what lay there."""
        mask = self._masks(asked)
        true = background_layout(self.studio.shot(asked, FRAMES // 2).picture, mask)
        return _error(background_layout(np.ascontiguousarray(video[-1]), mask), true)

    def _seen(self, video: np.ndarray, asked: Scene, number: int) -> np.ndarray:
        """The mean over frames of what stands where the figure should; beyond a clip's frames the figure stands still."""
        found = [
            _colours(frame, self.studio.shot(asked, min(k, FRAMES - 1)).masks[number]) for k, frame in enumerate(video)
        ]
        return np.mean(found, axis=0)

    def _true(self, asked: Scene, number: int) -> np.ndarray:
        shot = self.studio.shot(asked, FRAMES // 2)
        return _colours(shot.picture, shot.masks[number])

    def _stranger_error(self, figure: Figure, asked: Scene) -> float:
        """Of the next of its kind, standing where it stands."""
        alone = replace(asked, figures=(figure,))
        others = [replace(asked, figures=(replace(figure, number=figure.number + k),)) for k in range(1, STRANGERS + 1)]
        return float(np.mean([_error(self._true(other, 0), self._true(alone, 0)) for other in others]))

    def _masks(self, scene: Scene) -> np.ndarray:
        """The figures and a margin around them."""
        masks = np.logical_or.reduce(self.studio.shot(scene, FRAMES // 2).masks).astype(np.uint8)
        return cv2.dilate(masks, np.ones((2 * AROUND_PX + 1,) * 2, np.uint8)).astype(bool)

    def _nearest_place(self, picture: np.ndarray, mask: np.ndarray) -> str:
        """The kind of place whose mean look is nearest to what the mask leaves."""
        found = background_layout(np.ascontiguousarray(picture), mask)
        return min(self._places, key=lambda kind: _error(found, self._look(kind, mask)))

    def _look(self, kind: str, mask: np.ndarray) -> np.ndarray:
        return np.mean([background_layout(picture, mask) for picture in self._places[kind]], axis=0)

    @cached_property
    def _places(self) -> dict[str, list[np.ndarray]]:
        """Empty places of each kind that no clip shows."""
        return {
            kind: [
                self.studio.shot(Scene(place=kind, variant=2 * TEST_FROM + k, figures=())).picture
                for k in range(PLACES_OF_A_KIND)
            ]
            for kind in PLACES
        }


def means(found: Sequence[dict[str, float]]) -> dict[str, float]:
    """Of each measure over the cases that have it."""
    names = dict.fromkeys(name for each in found for name in each)
    return {name: float(np.mean([each[name] for each in found if name in each])) for name in names}


def _colours(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    cropped = masked_crop(np.ascontiguousarray(picture), mask)
    assert cropped is not None, "a figure stands in the picture"
    return colour_bands(*cropped, PLAIN)


def _error(a: np.ndarray, b: np.ndarray) -> float:
    return float(1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-9))
