"""Where in a clip a face can be seen without a long break (S22)."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import ClassVar

from backend.domain import Clip, Context, Item, Ok, Resources, Result, Score, Track


@dataclass(frozen=True, slots=True)
class MeasureFaceSpans:
    """Scores of a clip: `face_span_frames`, its longest span with a face, and `num_face_spans`, those long enough.

    Frames without a face are bridged up to a share of the clip's length; a span ends with its last sighting
    (OpenS2V-Nexus, step2_get_pure_person_clip.py). The spans are the evidence: JSON `[[start_frame, stop_frame], ...]`,
    longest first. A face track has `span_frames` of its own. A sighting stands for the frames up to the next one that
    was looked at.
    """

    name: ClassVar[str] = "measure_face_spans"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Track,)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(cpu=0.1, ram_gib=0.1)

    least_frames: int = 81  # OpenS2V-Nexus, the same file
    max_gap_share: float = 0.05  # the same, of the clip's frames, rounded up

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._measure(item, context) for item in items]

    def _measure(self, item: Item, context: Context) -> Result:
        clip = item.one(Clip)
        tracks = [track for track in item.all(Track) if track.kind == "face"]
        frames = sorted({frame for track in tracks for frame in track.frames})
        step = min((b - a for a, b in itertools.pairwise(frames)), default=1)
        gap = ceil(self.max_gap_share * (clip.stop_frame - clip.start_frame))
        found = spans(frames, step=step, max_gap=gap, stop_frame=clip.stop_frame)
        producer = f"{self.name}/{self.version}"
        enough = [span for span in found if span[1] - span[0] >= self.least_frames]
        rows = [
            Score(
                target=clip.id,
                name="face_span_frames",
                value=float(found[0][1] - found[0][0]) if found else 0.0,
                producer=producer,
                num_units=len(frames),
                evidence=context.artifacts.put(json.dumps(found).encode(), "json") if found else None,
            ),
            Score(target=clip.id, name="num_face_spans", value=float(len(enough)), producer=producer),
        ]
        for track in tracks:
            longest = spans(track.frames, step=step, max_gap=gap, stop_frame=clip.stop_frame)[0]
            rows.append(Score(target=track.id, name="span_frames", value=float(longest[1] - longest[0]), producer=producer))
        return Ok(item.id, rows)


def spans(frames: Sequence[int], *, step: int, max_gap: int, stop_frame: int) -> list[tuple[int, int]]:
    """Half-open spans of frames, longest first, of sightings `step` frames apart, bridged over `max_gap` frames."""
    found: list[tuple[int, int]] = []
    for frame in frames:
        end = min(frame + step, stop_frame)
        if found and frame - found[-1][1] <= max_gap:
            found[-1] = (found[-1][0], end)
        else:
            found.append((frame, end))
    return sorted(found, key=lambda span: (span[0] - span[1], span[0]))
