"""What a case asks for when: captions of a video in their times, or what the face of a clip was seen to express."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from backend.media.index import FrameIndex
from backend.stages.expressions import AS_ANCHOR, EXPRESSION_EVIDENCE, ReadExpressions
from backend.store.artifacts import Artifacts
from backend.workspace.case_drafts import Draft, Span, clips
from backend.workspace.snapshot import Snapshot

SURE = ReadExpressions.min_probability
LEAST_S = 0.5  # ours: what a face shows for less is no change of expression that a prompt could ask for

_READ = """
SELECT k.clip_id, s.evidence FROM live_score s JOIN kept_track k ON k.id = s.target
WHERE s.name = 'num_expressions' AND s.evidence NOTNULL ORDER BY ALL
"""


def of_captions(drafts: Sequence[Draft], now: Snapshot) -> list[Draft]:
    """Drafts of each video's first clip, with the captions of all its clips in their times."""
    spans: dict[str, list[Span]] = defaultdict(list)
    first: dict[str, str] = {}
    for footage, text, *_ in clips(now):
        spans[footage.video].append((footage.start_s, footage.stop_s, text))
        first.setdefault(footage.video, footage.clip)
    return [
        replace(draft, schedule=tuple(spans[draft.footage.video]), whole_video=True)
        for draft in drafts
        if first[draft.footage.video] == draft.footage.clip
    ]


def of_expressions(drafts: Sequence[Draft], now: Snapshot, artifacts: Artifacts) -> list[Draft]:
    """The drafts; those whose clip's face was read with what it expressed when, in seconds of the clip."""
    read: dict[str, list[str]] = defaultdict(list)
    for clip, evidence in now.query(_READ):
        read[clip].append(evidence)
    found = []
    for draft in drafts:
        # Where several faces are seen at once, the largest speaks.
        ordered = sorted(one for evidence in read[draft.footage.clip] for one in _sightings(artifacts, evidence))
        sightings = {frame: label for frame, _, label in ordered}
        times = FrameIndex.from_bytes(artifacts.get(draft.footage.index)).times_s if sightings else ()
        start, stop = draft.footage.start_s, draft.footage.stop_s
        told = expression_spans([(float(times[k]) - start, label) for k, label in sightings.items()], stop - start)
        found.append(replace(draft, schedule=told))
    return found


def expression_spans(sightings: Iterable[tuple[float, str]], length_s: float) -> tuple[Span, ...]:
    """Spans `(start_s, stop_s, "expression:happy")` that fill a clip, of what its face was surely seen to express.

    `sightings` are times in order with an expression's name, empty where nobody is sure. An expression lasts until another
    is seen: the change lies halfway between. One that is shown for less than LEAST_S belongs to the one before it.
    """
    runs: list[tuple[float, float, str]] = []
    for time, label in sightings:
        if label and runs and runs[-1][2] == label:
            runs[-1] = (runs[-1][0], time, label)
        elif label:
            runs.append((time, time, label))
    borders = [0.0, *((before[1] + after[0]) / 2 for before, after in pairwise(runs)), length_s]
    told: list[Span] = []
    for start, stop, (_, _, label) in zip(borders, borders[1:], runs, strict=False):
        what = f"expression:{label}"
        if told and (told[-1][2] == what or stop - start < LEAST_S):
            told[-1] = (told[-1][0], stop, told[-1][2])
        else:
            told.append((start, stop, what))
    return tuple((round(start, 3), round(stop, 3), what) for start, stop, what in told)


def _sightings(artifacts: Artifacts, evidence: str) -> Iterable[tuple[int, float, str]]:
    """Frame, size of the face, and what it surely expresses: empty where nothing is sure."""
    told = json.loads(artifacts.get(evidence))
    if told["format"] != EXPRESSION_EVIDENCE:
        return
    for frame, (x0, y0, x1, y1), chances in zip(told["frames"], told["boxes"], told["probabilities"], strict=True):
        if chances is not None:
            best = max(range(len(chances)), key=chances.__getitem__)
            label = AS_ANCHOR.get(told["labels"][best], "") if chances[best] >= SURE else ""
            yield frame, (x1 - x0) * (y1 - y0), label
