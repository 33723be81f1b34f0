"""The kernel: records, ids, results, roles, forms and errors. Imports numpy and the standard library only."""

from backend.domain.errors import (
    ImportRefused,
    MediaError,
    ModelUnavailable,
    ProjectError,
    ServiceError,
    SettingsError,
    StoreError,
    StudioError,
)
from backend.domain.ids import content_id, digest
from backend.domain.people import (
    IDENTITY_CHOICES,
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
    Box,
    Caption,
    Case,
    Clip,
    Embedding,
    Generation,
    Mask,
    Pair,
    Phrase,
    Record,
    Region,
    Score,
    Sidecar,
    Source,
    Subject,
    Track,
    Video,
)
from backend.domain.resources import resource
from backend.domain.results import Absent, Failed, Filtered, Item, Ok, Result
from backend.domain.roles import (
    KEY_FRACTIONS,
    ArtifactStore,
    Captioner,
    Context,
    Detection,
    Detector,
    Embedder,
    FaceAnalyzer,
    Footage,
    FrameReader,
    ImageScorer,
    Model,
    PhraseExtractor,
    PhraseSpan,
    Resources,
    Segmenter,
    Stage,
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
