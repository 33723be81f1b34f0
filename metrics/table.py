"""Every metric, named here: `id: "module:Class"`, and the sets that papers report."""

METRICS: dict[str, str] = {
    "arcface_exp": "metrics.identity:ArcFaceExpression",
    "arcface_long": "metrics.identity:ArcFaceLong",
    "arcface_long_strict": "metrics.identity:ArcFaceLongStrict",
    "facesim_arc": "metrics.identity:FaceSimArc",
    "facesim_arc_compat": "metrics.identity:FaceSimArcCompat",
    "facesim_cur": "metrics.identity:FaceSimCur",
    "facesim_cur_compat": "metrics.identity:FaceSimCurCompat",
    "motion_amplitude": "metrics.motion:MotionAmplitude",
    "motion_amplitude_compat": "metrics.motion:MotionAmplitudeCompat",
    "sync_c": "metrics.speech:SyncConfidence",
    "sync_d": "metrics.speech:SyncDistance",
    "temporal_flickering": "metrics.motion:TemporalFlickering",
}

SETS: dict[str, tuple[str, ...]] = {
    "weights-free": ("motion_amplitude", "motion_amplitude_compat", "temporal_flickering"),
}
"""Names of several metrics; any may be given to `evaluate --metrics` beside single ids."""
