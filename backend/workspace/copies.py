"""Near-duplicate clips of the current plan, for counts, the report and splits that do not leak."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.measures.copies import near_duplicates, window_hashes
from backend.stages.duplicates import HASHES_SCORE, read_frames
from backend.store.artifacts import Artifacts
from backend.workspace.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Place:
    """A clip by its video."""

    video_id: str
    uri: str
    start_s: float
    stop_s: float

    @property
    def name(self) -> str:
        return Path(self.uri).name


@dataclass(frozen=True, slots=True)
class CopiedClips:
    """Two clips that share footage, and the share of their frames that match."""

    first: Place
    second: Place
    share: float


class NearDuplicates:
    """Finds near-duplicates among clips; what was read once is kept, so that asking again costs little."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._lock = threading.Lock()
        self._hashes: dict[str, np.ndarray] = {}
        self._asked: Mapping[str, str] | None = None
        self._found: list[tuple[str, str, float]] = []

    def __call__(self, evidence: Mapping[str, str]) -> list[tuple[str, str, float]]:
        """Pairs of clips with the share of matching frames, by the evidence of each. Raises StoreError when one is lost."""
        with self._lock:
            if evidence != self._asked:
                known = {name: self._hashes.get(name) for name in evidence.values()}
                self._hashes = {
                    name: window_hashes(read_frames(name, self._artifacts)) if hashes is None else hashes
                    for name, hashes in known.items()
                }
                self._found = near_duplicates(
                    {clip: self._hashes[name] for clip, name in evidence.items()},
                    lambda clip: read_frames(evidence[clip], self._artifacts),
                )
                self._asked = dict(evidence)
            return list(self._found)


def hashed_clips(now: Snapshot) -> dict[str, str]:
    """The evidence of each kept clip that has been hashed."""
    return dict(
        now.query(
            "SELECT l.target, l.evidence FROM live_score l JOIN kept_clip k ON k.id = l.target WHERE l.name = ? AND l.evidence NOTNULL",
            [HASHES_SCORE],
        )
    )


def copied_clips(now: Snapshot, copies: NearDuplicates) -> list[CopiedClips]:
    """Every pair of near-duplicate clips of the plan, in order of their videos' names and times."""
    found = copies(hashed_clips(now))
    places = {
        row[0]: Place(*row[1:])
        for row in now.query(
            """SELECT k.id, k.video_id, s.uri, c.start_s, c.stop_s FROM kept_clip k
            JOIN clip c ON c.id = k.id AND c.work_key = k.work_key JOIN kept_video kv ON kv.id = k.video_id
            JOIN video v ON v.id = kv.id AND v.work_key = kv.work_key JOIN source s ON s.id = v.source_id
            WHERE k.id IN (SELECT unnest(?::VARCHAR[]))""",
            [sorted({clip for a, b, _ in found for clip in (a, b)})],
        )
    }

    def order(place: Place) -> tuple[str, float]:
        return place.uri, place.start_s

    rows = []
    for a, b, share in found:
        first, second = sorted((places[a], places[b]), key=order)
        rows.append(CopiedClips(first, second, share))
    return sorted(rows, key=lambda row: (order(row.first), order(row.second)))


def copied_videos(now: Snapshot, copies: NearDuplicates) -> list[tuple[str, str]]:
    """Pairs of videos that share a clip, each once."""
    pairs = {
        (min(row.first.video_id, row.second.video_id), max(row.first.video_id, row.second.video_id))
        for row in copied_clips(now, copies)
    }
    return sorted((a, b) for a, b in pairs if a != b)
