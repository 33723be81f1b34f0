"""The sample world: procedural long videos with exact truth. Renders anywhere, equal bits for equal seeds."""

from backend.sampleworld.truth import (
    Duplicate,
    IdentityTruth,
    OverlayTruth,
    ShotTruth,
    SoundTruth,
    SubjectFrame,
    SubjectTruth,
    Transition,
    Truth,
    VideoTruth,
    read_truth,
)
from backend.sampleworld.world import RENDERER_VERSION, WorldSummary, render_world
