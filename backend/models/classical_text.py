"""TextSpotter without weights: overlays by the edges that stay in place (`backend.measures.overlays`)."""

from dataclasses import dataclass
from typing import ClassVar

from backend.domain import Box, Footage
from backend.geometry import boxes
from backend.measures.overlays import find_overlays


@dataclass(frozen=True)
class ClassicalTextSpotter:
    """Finds text, logos and badges that stand in the clip's picture throughout; it does not read them.

    Overlays that scroll, fade or last for a part of the clip only, and those in the black borders, are not found.
    """

    model_id: ClassVar[str] = "classical_text/1"

    num_frames: int = 24
    """Spread over the clip: text is artificial when it is stable for 10 frames and more (cosmos-curate)."""
    num_elsewhere: int = 16
    """Spread over the whole video, those outside the clip: a watermark outlasts a shot that stands still."""
    min_elsewhere: int = 6
    side_px: int = 640
    """Longer side at which frames are read (cosmos-curate's text detector reads at 640)."""
    min_confidence: float = 0.5

    def spot(self, footage: Footage) -> list[tuple[Box, float]]:
        """Boxes in source pixels with a confidence in [0, 1], best first. Raises MediaError."""
        reader = footage.reader
        factor = min(1.0, self.side_px / max(reader.width, reader.height))
        size = max(1, round(reader.width * factor)), max(1, round(reader.height * factor))
        here = footage.linspace(self.num_frames)
        spread = (round(reader.num_frames * (k + 0.5) / self.num_elsewhere - 0.5) for k in range(self.num_elsewhere))
        span = range(footage.clip.start_frame, footage.clip.stop_frame)
        elsewhere = sorted({frame for frame in spread if frame not in span})
        if len(elsewhere) < self.min_elsewhere:
            elsewhere = []
        frames = reader.at([*here, *elsewhere], size=None if factor == 1.0 else size)
        across, down = size[0] / reader.width, size[1] / reader.height
        x0, y0, x1, y1 = boxes.to_pixels(boxes.scale(footage.content, across, down), *size)
        inside = frames[:, y0:y1, x0:x1]
        found = find_overlays(inside[: len(here)], elsewhere=inside[len(here) :], min_confidence=self.min_confidence)
        return [
            (boxes.clip(_moved(box, (x0, y0), (1 / across, 1 / down)), footage.content), confidence)
            for box, confidence in found
        ]


def _moved(box: Box, origin: tuple[int, int], scale: tuple[float, float]) -> Box:
    x, y = origin
    return boxes.scale((box[0] + x, box[1] + y, box[2] + x, box[3] + y), *scale)
