"""Curation stages, one file each, named here. A stage is a frozen dataclass: see `backend.domain.Stage`."""

STAGES: dict[str, str] = {
    "probe_source": "backend.stages.ingest:ProbeSource",
    "split_shots": "backend.stages.shots:SplitShots",
    "find_borders": "backend.stages.borders:FindBorders",
    "find_overlays": "backend.stages.overlays:FindOverlays",
    "measure_motion": "backend.stages.motion:MeasureMotion",
    "score_quality": "backend.stages.quality:ScoreQuality",
    "hash_clips": "backend.stages.duplicates:HashClips",
    "caption_clips": "backend.stages.captions:CaptionClips",
    "extract_phrases": "backend.stages.phrases:ExtractPhrases",
    "find_subjects": "backend.stages.subjects:FindSubjects",
    "segment_subjects": "backend.stages.masks:SegmentSubjects",
    "embed_appearances": "backend.stages.embedding:EmbedAppearances",
    "pair_subjects": "backend.stages.retrieval:PairSubjects",
    "diverse_contexts": "backend.stages.retrieval:DiverseContexts",
    "verify_subjects": "backend.stages.verification:VerifySubjects",
    "verify_pairs": "backend.stages.verification:VerifyPairs",
    "assemble_samples": "backend.stages.samples:AssembleSamples",
    "select_anchors": "backend.stages.anchors:SelectAnchors",
    "audit_pairs": "backend.stages.audit:AuditPairs",
}
