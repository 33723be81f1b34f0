"""Every metric, named here: `id: "module:Class"`, and the sets that papers report."""

METRICS: dict[str, str] = {
    "aesthetic_opens2v_compat": "metrics.similarity:AestheticOpenS2vCompat",
    "aesthetic_quality": "metrics.vbench:AestheticQuality",
    "arcface_exp": "metrics.identity:ArcFaceExpression",
    "arcface_long": "metrics.identity:ArcFaceLong",
    "arcface_long_strict": "metrics.identity:ArcFaceLongStrict",
    "background_consistency": "metrics.vbench:BackgroundConsistency",
    "clip_i_b32": "metrics.similarity:ClipIB32",
    "clip_i_l14": "metrics.similarity:ClipIL14",
    "clip_t": "metrics.similarity:ClipT",
    "dino_i_v1": "metrics.similarity:DinoIV1",
    "dino_i_v2": "metrics.similarity:DinoIV2",
    "dino_i_v3": "metrics.similarity:DinoIV3",
    "facesim_arc": "metrics.identity:FaceSimArc",
    "facesim_arc_compat": "metrics.identity:FaceSimArcCompat",
    "facesim_cur": "metrics.identity:FaceSimCur",
    "facesim_cur_compat": "metrics.identity:FaceSimCurCompat",
    "i2v_subject": "metrics.vbench:I2vSubject",
    "motion_amplitude": "metrics.motion:MotionAmplitude",
    "motion_amplitude_compat": "metrics.motion:MotionAmplitudeCompat",
    "subject_consistency": "metrics.vbench:SubjectConsistency",
    "sync_c": "metrics.speech:SyncConfidence",
    "sync_d": "metrics.speech:SyncDistance",
    "temporal_flickering": "metrics.motion:TemporalFlickering",
}

SETS: dict[str, tuple[str, ...]] = {
    "weights-free": ("motion_amplitude", "motion_amplitude_compat", "temporal_flickering"),
}
"""Names of several metrics; any may be given to `evaluate --metrics` beside single ids."""
