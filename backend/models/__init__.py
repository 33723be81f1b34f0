"""Implementations of roles, named here. `embedded` needs no weights; `paper` loads the models that the papers name."""

MODELS: dict[str, dict[str, str]] = {
    "AestheticLinear": {"paper": "backend.models.aesthetic_heads:AestheticLinear"},
    "AestheticMlp": {"paper": "backend.models.aesthetic_heads:AestheticMlp"},
    "AestheticScorer": {
        "embedded": "backend.models.classical_quality:HeuristicAesthetic",
        "paper": "backend.models.predicted_aesthetic:PredictedAesthetic",
    },
    "AlignedFaceEmbedder": {"paper": "backend.models.curricular_face:CurricularFace"},
    "AppearanceEmbedder": {
        "embedded": "backend.models.classical_embedder:ClassicalAppearance",
        "paper": "backend.models.appearance_encoders:OpenClipAppearance",
        "dinov2": "backend.models.appearance_encoders:DinoV2Appearance",
        "dinov3": "backend.models.appearance_encoders:DinoV3Appearance",
        "projected": "backend.models.appearance_encoders:ProjectedAppearance",
    },
    "AudioEncoder": {
        "embedded": "backend.models.log_mel:LogMel",
        "paper": "backend.models.wav2vec2:Wav2Vec2",
    },
    "AuthenticityScorer": {"paper": "backend.models.authenticity:ImageAuthenticity"},
    "BackgroundEmbedder": {
        "embedded": "backend.models.classical_embedder:ClassicalBackground",
        "paper": "backend.models.background_encoders:DinoV2Background",
    },
    "Captioner": {
        "embedded": "backend.models.classical_captions:TemplateCaptioner",
        "paper": "backend.models.captioner_vlm:VlmCaptioner",
        "openai": "backend.models.captioner_vlm:OpenAiCaptioner",
    },
    "ClipB32": {"paper": "backend.models.clip:ClipB32", "open_clip": "backend.models.clip:OpenClipB32"},
    "ClipFeatureExtractor": {
        "paper": "backend.models.video_features:I3d",
        "videomae": "backend.models.video_features:VideoMae",
    },
    "ClipL14": {"paper": "backend.models.clip:ClipL14", "open_clip": "backend.models.clip:OpenClipL14"},
    "Detector": {
        "embedded": "backend.models.classical_detector:ClassicalDetector",
        "paper": "backend.models.grounding_dino:GroundingDino",
        "groundingdino": "backend.models.grounding_dino_package:GroundingDinoPackage",
    },
    "DinoV1": {"paper": "backend.models.dino:DinoV1"},
    "DinoV2": {"paper": "backend.models.dino:DinoV2"},
    "DinoV3": {"paper": "backend.models.dino:DinoV3"},
    "ExpressionClassifier": {
        "embedded": "backend.models.expressions_classical:ClassicalExpressions",
        "paper": "backend.models.expressions_onnx:EmotiEffOnnx",
    },
    "FaceAnalyzer": {"embedded": "backend.models.classical_faces:ClassicalFaceAnalyzer"},
    "FaceEmbedder": {
        "embedded": "backend.models.classical_embedder_face:ClassicalFace",
        "paper": "backend.models.arc_face:ArcFaceOfSubject",
    },
    "FaceRecognizer": {"paper": "backend.models.insight_faces:InsightFaces"},
    "FaceWatcher": {
        "embedded": "backend.models.classical_face_watcher:ClassicalFaceWatcher",
        "paper": "backend.models.insight_face_watcher:InsightFaceWatcher",
    },
    "FeatureExtractor": {"paper": "backend.models.inception:InceptionFeatures"},
    "FrameInterpolator": {"paper": "backend.models.amt:AmtS"},
    "Gme": {"paper": "backend.models.gme:Gme"},
    "Judge": {
        "paper": "backend.models.judge_openai:OpenAiJudge",
        "openai": "backend.models.judge_openai:OpenAiJudge",
        "local": "backend.models.judge_local:LocalJudge",
    },
    "Inpainter": {
        "embedded": "backend.models.classical_painter:TeleaPainter",
        "paper": "backend.models.lama:Lama",
        "flux": "backend.models.flux:FluxFill",
    },
    "LatentCodec": {
        "embedded": "backend.models.pixel_codec:PixelCodec",
        "paper": "backend.models.wan_vae:WanVae",
    },
    "LevelReader": {"paper": "backend.models.level_reader:VlmLevelReader"},
    "LogoFinder": {
        "embedded": "backend.models.classical_logos:ClassicalLogos",
        "paper": "backend.models.grounded_logos:GroundedLogos",
    },
    "Musiq": {"paper": "backend.models.musiq:Musiq"},
    "PatchEncoder": {
        "embedded": "backend.models.picture_patches:PicturePatches",
        "paper": "backend.models.clip_vision:ClipVision",
    },
    "PhraseEmbedder": {
        "embedded": "backend.models.classical_phrases:KinshipPhrases",
        "paper": "backend.models.gme:Gme",
    },
    "PhraseExtractor": {
        "embedded": "backend.models.classical_captions:RulePhrases",
        "paper": "backend.models.phrase_llm:OpenAiPhrases",
        "openai": "backend.models.phrase_llm:OpenAiPhrases",
        "local": "backend.models.phrase_llm:LocalPhrases",
    },
    "PoseEstimator": {
        "embedded": "backend.models.classical_viewpoint:ClassicalViewpoint",
        "paper": "backend.models.gvhmr_results:GvhmrResults",
        "vitpose": "backend.models.pose_keypoints:VitPoseFacing",
    },
    "ReferenceDetector": {
        "paper": "backend.models.yolo_world_results:YoloWorldResults",
        "owlv2": "backend.models.owl:Owlv2",
        "owlvit": "backend.models.owl:OwlVit",
    },
    "ReferenceSynthesizer": {
        "embedded": "backend.models.classical_variants:AugmentedVariants",
        "paper": "backend.models.flux:FluxRedux",
        "kontext": "backend.models.flux:FluxKontext",
        "gpt": "backend.models.gpt_frames:GptFrames",
    },
    "RewardModel": {"paper": "backend.models.reward:VideoReward"},
    "SafetyFilter": {
        "embedded": "backend.models.safety_words:WordSafety",
        "paper": "backend.models.safety_vision:ClassifierSafety",
    },
    "Segmenter": {
        "embedded": "backend.models.classical_segmenter:ClassicalSegmenter",
        "paper": "backend.models.sam2_masks:Sam2Masks",
        "sam2_package": "backend.models.sam2_package:Sam2Package",
    },
    "SyncScorer": {
        "embedded": "backend.models.classical_sync:ClassicalSync",
        "paper": "backend.models.syncnet:SyncNet",
    },
    "TextEncoder": {
        "embedded": "backend.models.word_text:HashedWords",
        "paper": "backend.models.umt5:Umt5",
    },
    "TextReader": {
        "paper": "backend.models.text_reader:RapidOcrReader",
        "rapidocr": "backend.models.text_reader:RapidOcrReader",
    },
    "TextSpotter": {
        "embedded": "backend.models.classical_text:ClassicalTextSpotter",
        "paper": "backend.models.read_text:ReadTextSpotter",
    },
    "TechnicalScorer": {
        "embedded": "backend.models.classical_quality:HeuristicTechnical",
        "paper": "backend.models.dover_onnx:DoverOnnx",
    },
    "ViClip": {"paper": "backend.models.viclip:ViClip"},
}
"""`role: {implementation: "module:Class"}`; a profile is the implementation of its name in every role."""
