"""Implementations of roles, named here. `embedded` needs no weights; `paper` loads the models that the papers name."""

MODELS: dict[str, dict[str, str]] = {
    "AestheticScorer": {"embedded": "backend.models.classical_quality:HeuristicAesthetic"},
    "AppearanceEmbedder": {"embedded": "backend.models.classical_embedder:ClassicalAppearance"},
    "BackgroundEmbedder": {"embedded": "backend.models.classical_embedder:ClassicalBackground"},
    "Captioner": {"embedded": "backend.models.classical_captions:TemplateCaptioner"},
    "Detector": {"embedded": "backend.models.classical_detector:ClassicalDetector"},
    "FaceAnalyzer": {"embedded": "backend.models.classical_faces:ClassicalFaceAnalyzer"},
    "FaceEmbedder": {"embedded": "backend.models.classical_embedder_face:ClassicalFace"},
    "PhraseExtractor": {"embedded": "backend.models.classical_captions:RulePhrases"},
    "Segmenter": {"embedded": "backend.models.classical_segmenter:ClassicalSegmenter"},
    "TextSpotter": {"embedded": "backend.models.classical_text:ClassicalTextSpotter"},
    "TechnicalScorer": {"embedded": "backend.models.classical_quality:HeuristicTechnical"},
}
"""`role: {implementation: "module:Class"}`; a profile is the implementation of its name in every role."""
