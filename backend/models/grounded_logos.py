"""LogoFinder by grounding and reading: boxes that GroundingDINO calls a logo, with what rapidocr reads in them."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from backend.domain.records import Box
from backend.domain.roles_logos import Logo
from backend.domain.roles_words import ReadText
from backend.geometry import boxes
from backend.measures.logos import is_uncut, plain_text
from backend.measures.matting import on_white
from backend.models.grounding_dino import GroundingDino
from backend.models.places import ModelPlace
from backend.models.text_reader import RapidOcrReader

PHRASES = ("logo", "brand mark", "label")
MAX_IOU = 0.7  # of two boxes: phrases of one meaning find one mark more than once
INSIDE = 0.5  # part of a line of text that must lie in a box to be its text
MIN_READ = 0.5  # rapidocr's own bound on a line's score (its text_score)
MAX_AREA = 0.9  # of the picture: a box around the whole thing is the thing


class GroundedLogos:
    """Phantom-Data's prior asks for one logo on both sides; here a logo is what grounding names and OCR reads.

    A line of text that lies in no box is a mark of its own: names of brands are written as often as drawn.
    """

    model_id: str = "grounded-logos-1"
    suggested: ClassVar[str] = GroundingDino.suggested
    published_gb: ClassVar[float] = GroundingDino.published_gb
    licence: ClassVar[str] = "Apache-2.0"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Takes GroundingDINO's weights, so that the folder may be the Detector's. Raises ModelUnavailable when they, transformers or rapidocr are missing."""
        self._grounding = GroundingDino(place, device=device, dtype=dtype)
        self._reader = RapidOcrReader()
        self.model_id = f"{place.model_id(type(self).model_id)}+{self._reader.model_id}"

    def find(self, cut_out: np.ndarray) -> list[Logo]:
        """Marks on an RGBA picture uint8 `(H, W, 4)`, best first; score is the detector's, or the reader's for text alone."""
        picture = on_white(cut_out)
        grounded = [(found.box, found.score) for found in self._grounding.detect_on(picture, PHRASES)]
        return agreed(grounded, self._reader.read(picture), cut_out[..., 3] > 127)


def agreed(grounded: Sequence[tuple[Box, float]], lines: Sequence[ReadText], mask: np.ndarray) -> list[Logo]:
    """Grounded boxes with the text that lies in them, and lines outside them all; those off the picture are left out.

    `mask` bool `(H, W)` is the thing. Boxes and scores that are no numbers are no answers.
    """
    height, width = mask.shape
    frame = (0.0, 0.0, float(width), float(height))
    sure = [(boxes.clip(box, frame), score) for box, score in grounded if np.isfinite([*box, score]).all()]
    sure = [(box, score) for box, score in sure if 0 < boxes.area(box) <= MAX_AREA * width * height]
    kept = [sure[k] for k in boxes.nms([box for box, _ in sure], [score for _, score in sure], max_iou=MAX_IOU)]
    read = [line for line in lines if line.score >= MIN_READ and plain_text(line.text) and np.isfinite(line.box).all()]
    owner = [_owner(line.box, [box for box, _ in kept]) for line in read]
    found = [
        _logo(box, score, " ".join(line.text for line, own in zip(read, owner, strict=True) if own == k), mask)
        for k, (box, score) in enumerate(kept)
    ]
    alone = [(boxes.clip(line.box, frame), line) for line, own in zip(read, owner, strict=True) if own is None]
    found += [_logo(box, line.score, line.text, mask) for box, line in alone if boxes.area(box) > 0]
    return sorted(found, key=lambda logo: (-logo.score, logo.box))


def _owner(line: Box, found: Sequence[Box]) -> int | None:
    """Number of the smallest box that holds a line."""
    holding = [k for k, box in enumerate(found) if boxes.contain(line, box) >= INSIDE]
    return min(holding, key=lambda k: boxes.area(found[k]), default=None)


def _logo(box: Box, score: float, text: str, mask: np.ndarray) -> Logo:
    return Logo(box=box, score=min(1.0, max(0.0, score)), text=text, is_uncut=is_uncut(box, mask))
