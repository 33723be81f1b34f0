"""TextSpotter by reading: overlays are the texts that rapidocr finds in one place or in a corner."""

from typing import ClassVar

import numpy as np

from backend.domain import Box, Footage
from backend.domain.roles_words import TextReader
from backend.geometry import boxes
from backend.measures.overlay_tracks import OverlayRules, artificial_text
from backend.models.text_reader import RapidOcrReader


class ReadTextSpotter:
    """cosmos-curate's rules over the TextReader: every third frame, 640 px on the longer side.

    Text of a scene that a still camera shows counts as laid over; logos without letters are not found.
    """

    model_id: str = f"read-text-1+{RapidOcrReader.model_id}"
    licence: ClassVar[str] = RapidOcrReader.licence

    every: int = 3
    """cosmos-curate, paddle_ocr.py."""
    most_frames: int = 100
    """Longer clips are looked at more seldom: a frame takes about .1 s."""
    side_px: int = 640
    """cosmos-curate, paddle_ocr.py."""
    rules: ClassVar[OverlayRules] = OverlayRules()

    def __init__(self, reader: TextReader | None = None) -> None:
        """Raises ModelUnavailable when rapidocr is missing."""
        self._reader = reader or RapidOcrReader()

    def spot(self, footage: Footage) -> list[tuple[Box, float]]:
        """Boxes in source pixels with the reader's mean score, best first. Raises MediaError."""
        reader, clip = footage.reader, footage.clip
        factor = min(1.0, self.side_px / max(reader.width, reader.height))
        size = max(1, round(reader.width * factor)), max(1, round(reader.height * factor))
        step = max(self.every, -(-footage.num_frames // self.most_frames))
        across, down = size[0] / reader.width, size[1] / reader.height
        x0, y0, x1, y1 = boxes.to_pixels(boxes.scale(footage.content, across, down), *size)
        found = {}
        for index in range(clip.start_frame, clip.stop_frame, step):
            frame = reader.at([index], size=None if factor == 1.0 else size)[0]
            lines = self._reader.read(np.ascontiguousarray(frame[y0:y1, x0:x1]))
            found[index] = [
                (boxes.scale(_shifted(line.box, x0, y0), 1 / across, 1 / down), min(1.0, max(0.0, line.score)))
                for line in lines
                if np.isfinite([*line.box, line.score]).all()
            ]
        return artificial_text(found, footage.content, self.rules)


def _shifted(box: Box, x: float, y: float) -> Box:
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y
