"""Every metric, named here: `id: "module:Class"`, and the sets that papers report."""

METRICS: dict[str, str] = {
    "aes": "metrics.smoothness:AestheticsLevel",
    "aesthetic_opens2v_compat": "metrics.similarity:AestheticOpenS2vCompat",
    "aesthetic_quality": "metrics.vbench:AestheticQuality",
    "arcface_exp": "metrics.identity:ArcFaceExpression",
    "arcface_long": "metrics.identity:ArcFaceLong",
    "arcface_long_strict": "metrics.identity:ArcFaceLongStrict",
    "background_consistency": "metrics.vbench:BackgroundConsistency",
    "clip_i_b32": "metrics.similarity:ClipIB32",
    "clip_i_l14": "metrics.similarity:ClipIL14",
    "clip_t": "metrics.similarity:ClipT",
    "copy_paste_judged": "metrics.naturalness:CopyPasteJudged",
    "dino_i_v1": "metrics.similarity:DinoIV1",
    "dino_i_v2": "metrics.similarity:DinoIV2",
    "dino_i_v3": "metrics.similarity:DinoIV3",
    "facesim_arc": "metrics.identity:FaceSimArc",
    "facesim_arc_compat": "metrics.identity:FaceSimArcCompat",
    "facesim_cur": "metrics.identity:FaceSimCur",
    "facesim_cur_compat": "metrics.identity:FaceSimCurCompat",
    "gmescore": "metrics.text:GmeScore",
    "i2v_subject": "metrics.vbench:I2vSubject",
    "iqa": "metrics.smoothness:ImageQualityLevel",
    "motion_amplitude": "metrics.motion:MotionAmplitude",
    "motion_amplitude_compat": "metrics.motion:MotionAmplitudeCompat",
    "motion_smoothness_opens2v": "metrics.smoothness:MotionSmoothness",
    "motion_smoothness_opens2v_compat": "metrics.smoothness:MotionSmoothnessCompat",
    "natural_compat": "metrics.naturalness:NaturalScoreCompat",
    "naturalscore": "metrics.naturalness:NaturalScore",
    "subject_consistency": "metrics.vbench:SubjectConsistency",
    "subject_judged": "metrics.naturalness:SubjectJudged",
    "sync_c": "metrics.speech:SyncConfidence",
    "sync_d": "metrics.speech:SyncDistance",
    "temporal_flickering": "metrics.motion:TemporalFlickering",
    "video_reward_mq": "metrics.reward:VideoRewardMQ",
    "video_reward_ta": "metrics.reward:VideoRewardTA",
    "video_reward_vq": "metrics.reward:VideoRewardVQ",
}

SETS: dict[str, tuple[str, ...]] = {
    "weights-free": ("motion_amplitude", "motion_amplitude_compat", "temporal_flickering"),
}
"""Names of several metrics; any may be given to `evaluate --metrics` beside single ids."""
