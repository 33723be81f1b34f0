"""Every metric, named here: `id: "module:Class"`, and the sets that papers report."""

METRICS: dict[str, str] = {
    "motion_amplitude": "metrics.motion:MotionAmplitude",
    "motion_amplitude_compat": "metrics.motion:MotionAmplitudeCompat",
    "temporal_flickering": "metrics.motion:TemporalFlickering",
}

SETS: dict[str, tuple[str, ...]] = {
    "weights-free": ("motion_amplitude", "motion_amplitude_compat", "temporal_flickering"),
}
"""Names of several metrics; any may be given to `evaluate --metrics` beside single ids."""
