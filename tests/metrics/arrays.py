"""Metrics over frames as they are: no file, no codec, no store."""

from collections.abc import Mapping, Sequence

import numpy as np

from backend.domain import Case, Generation
from metrics.spec import Arrays, Entry, Measured, Metric, VideoFacts, VideoFeature

ENTRY = Entry(
    Case(benchmark="test", name="arrays", prompt=""),
    Generation(case_id="", system="s", seed=0, path="", content_hash="", num_bytes=0),
)


def collected(
    feature: VideoFeature, frames: Sequence[np.ndarray] | np.ndarray, roles: Mapping[str, object] | None = None
) -> Arrays:
    """The feature of frames uint8 `(T, H, W, 3)`, all of which it looks at."""
    height, width = frames[0].shape[:2]
    facts = VideoFacts("arrays", len(frames), 25.0, width, height, tuple(range(len(frames))))
    collector = feature.begin(facts, ENTRY, lambda name: (roles or {})[name], {})
    for index, frame in enumerate(frames):
        collector.add(index, frame)
    found = collector.finish()
    assert isinstance(found, dict), found
    return found


def of_arrays(
    metric: Metric, frames: Sequence[np.ndarray] | np.ndarray, roles: Mapping[str, object] | None = None
) -> Measured:
    """The value of a metric that asks for features of all frames only."""
    given = {}
    for name, feature in metric.features.items():
        assert isinstance(feature, VideoFeature)
        given[name] = collected(feature, frames, roles)
    return metric.combine(ENTRY, given)
