"""The kernel: records, ids, results, roles, forms and errors. Imports numpy and the standard library only."""

from backend.domain.errors import (
    HoldingLost,
    ImportRefused,
    ItemErased,
    MediaError,
    ModelFailed,
    ModelUnavailable,
    ProjectError,
    ServiceError,
    SettingsError,
    StoreError,
    StudioError,
)
from backend.domain.ids import content_id, digest, json_checksum
from backend.domain.people import (
    ANCHORS_STUDY,
    CASES_STUDY,
    IDENTITY_CHOICES,
    SUBJECTS_STUDY,
    VERIFY_STUDY,
    Choice,
    Form,
    Panel,
    Question,
    Receipt,
    Stimulus,
    Trial,
    Vote,
    form_from_json,
)
from backend.domain.records import (
    MACHINE_RECORDS,
    PARENTS,
    Anchor,
    Appearance,
    BankPart,
    Box,
    Caption,
    Case,
    Clip,
    Embedding,
    Generation,
    Mask,
    Pair,
    Phrase,
    Plate,
    Record,
    Region,
    Sample,
    Score,
    Sidecar,
    Source,
    Subject,
    Track,
    Video,
)
from backend.domain.resources import resource
from backend.domain.results import Absent, Failed, Filtered, Item, Ok, Result, Survey
from backend.domain.roles import (
    KEY_FRACTIONS,
    AnswerStore,
    ArtifactStore,
    Captioner,
    Context,
    CropEmbedder,
    CropScorer,
    Detection,
    Detector,
    Embedder,
    FaceAnalyzer,
    Footage,
    FrameReader,
    Holding,
    HoldingStage,
    ImageScorer,
    Model,
    MovingSegmenter,
    PhraseExtractor,
    PhraseSpan,
    Resources,
    Segmenter,
    Stage,
    SurveyingStage,
    TextSpotter,
)
from backend.domain.roles_faces import (
    AlignedFaceEmbedder,
    ClipFeatureExtractor,
    Face,
    FaceRecognizer,
    FeatureExtractor,
    SyncScorer,
)
from backend.domain.roles_grounding import FoundBoxes, ReferenceDetector, ReferencePicture, ShownFrame
from backend.domain.roles_language import (
    Inquiry,
    Judge,
    LevelReader,
    Reward,
    RewardModel,
    Verdict,
    VideoTextEmbedder,
)
from backend.domain.roles_latents import AudioEncoder, LatentCodec, PatchEncoder, TextEncoder
from backend.domain.roles_logos import Logo, LogoFinder
from backend.domain.roles_people import ExpressionClassifier, FaceWatcher, Facing, PoseEstimator, SeenFace
from backend.domain.roles_quality import FootageScorer
from backend.domain.roles_realism import AuthenticityScorer
from backend.domain.roles_synthesis import Inpainter, ReferenceSynthesizer
from backend.domain.roles_vision import (
    CLIP_PREP,
    DINO_PREP,
    PREPARED,
    VBENCH_CLIP_PREP,
    VBENCH_DINO_PREP,
    VBENCH_I2V_IMAGE_PREP,
    VBENCH_I2V_PREP,
    VBENCH_VICLIP_PREP,
    AestheticPredictor,
    FrameInterpolator,
    ImageEncoder,
    ImageQuality,
    ImageTextEncoder,
    Prep,
    TextEmbedder,
    VideoTextEncoder,
)
