"""Roles that answer from a sample world's truth: they prove what a recipe does with right answers, and with planted errors.

A planted role is loaded like one with weights: its place is the world's folder. What sees only pixels (segmenter,
embedders, judge) knows a frame of the world again by its bytes, in whatever process it works.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from backend.domain import Absent, Box, Detection, Footage, Inquiry, PhraseSpan, Verdict
from backend.domain.roles_logos import Logo
from backend.domain.roles_people import Facing, SeenFace
from backend.domain.roles_words import SafetyFinding
from backend.geometry import boxes
from backend.media.images import decode_image
from backend.media.reader import VideoReader
from backend.models.places import ModelPlace
from backend.sampleworld import SubjectTruth, Truth, VideoTruth, read_truth

DIM = 64
OWN = 0.9
"""Share of an identity in its vectors: two views of one have a cosine of .81, of two identities 0."""
VIEWS_FROM = 24
"""The first axis that is no identity's; the last is that of pictures which show none of them."""
THUMB_PX = 8
VISIBLE = 0.1
"""Share of the whole silhouette: of somebody in close-up more lies outside of the picture."""
FRAMES_NAME = "frames.json"
SMALL_PX = 640
"""Longer side at which stages look through clips."""


class Place(NamedTuple):
    """A frame of a video of the world."""

    video: VideoTruth
    frame: int


@lru_cache
def truth_of(world: Path) -> Truth:
    return read_truth(world)


def note_frames(world: Path) -> None:
    """Notes every frame of the world by the digest of its pixels, in its own size and as it is looked through."""
    noted = {}
    for video in truth_of(world).videos:
        factor = SMALL_PX / max(video.width, video.height)
        sizes = [None] if factor >= 1 else [None, (round(video.width * factor), round(video.height * factor))]
        with VideoReader(world / video.file) as reader:
            for frame, _, picture in reader.at_sizes(dict.fromkeys(range(video.num_frames), sizes)):
                noted[digest(picture).hex()] = (video.name, frame)
    (world / FRAMES_NAME).write_text(json.dumps(noted), encoding="utf-8")


@lru_cache
def places(world: Path) -> dict[bytes, Place]:
    """Frames of the world by the digest of their pixels."""
    noted = json.loads((world / FRAMES_NAME).read_text(encoding="utf-8"))
    truth = truth_of(world)
    return {bytes.fromhex(name): Place(truth.video(video), frame) for name, (video, frame) in noted.items()}


@lru_cache
def by_length(world: Path) -> dict[str, VideoTruth]:
    """Videos of the world by the content hash of their files."""
    found = {}
    for video in truth_of(world).videos:
        data = (world / video.file).read_bytes()
        found[hashlib.blake2b(data, digest_size=32).hexdigest()] = video
    return found


def digest(frame: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(frame).tobytes(), digest_size=16).digest()


class Planted:
    """What all planted roles have."""

    suggested: ClassVar[str] = "the folder of a sample world"
    licence: ClassVar[str] = "Apache-2.0"
    model_id: str = "planted"

    def __init_subclass__(cls) -> None:
        cls.model_id = f"planted-{cls.__name__}"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        self.world = place.path()

    def video(self, footage: Footage) -> VideoTruth:
        return by_length(self.world)[footage.video.content_hash]

    def identities(self) -> list[str]:
        return [identity.id for identity in truth_of(self.world).identities]


def present(video: VideoTruth, frame: int) -> list[tuple[SubjectTruth, Box]]:
    """Who stands on a frame of a shot and can be seen."""
    shot = video.shot_at(frame)
    rows = [(subject, subject.at(frame)) for subject in shot.subjects] if shot else []
    return [(subject, row.box) for subject, row in rows if row and row.box and row.visible >= VISIBLE]


def who(world: Path, frame: np.ndarray, box: Box) -> str | None:
    """The identity whose box lies best on a box of a frame of the world."""
    place = places(world).get(digest(frame))
    if place is None:
        return None
    found = [(boxes.iou(box, other), subject.identity) for subject, other in present(place.video, place.frame)]
    best = max(found, default=(0.0, ""))
    return best[1] if best[0] > 0.3 else None


class PlantedDetector(Planted):
    """Every visible subject of the shot with its true box; tracked by identity. People first, as a detector's list goes."""

    def detect(self, footage: Footage, frames: Sequence[int], phrases: Sequence[str]) -> list[Detection]:
        video = self.video(footage)
        names = self.identities()
        found = []
        for frame in sorted(set(frames)):
            for subject, box in present(video, frame):
                kind = "person" if subject.category in ("man", "woman", "boy", "girl", "person") else "object"
                label = next((phrase for phrase in phrases if phrase in subject.phrase or subject.phrase in phrase), None)
                found.append(
                    Detection(frame=frame, box=box, score=0.9, kind=kind, label=label, track=names.index(subject.identity))
                )
        return found


class PlantedSegmenter(Planted):
    """The true mask kept nearest to the frame, of the subject whose box it is."""

    def segment(self, frame: np.ndarray, boxes: Sequence[Box]) -> tuple[np.ndarray, np.ndarray]:
        place = places(self.world)[digest(frame)]
        masks = []
        for box in boxes:
            name = who(self.world, frame, box)
            shot = place.video.shot_at(place.frame)
            assert shot is not None
            subject = next(s for s in shot.subjects if s.identity == name)
            mask = subject.mask_at(place.frame, height=place.video.height, width=place.video.width)
            masks.append(np.zeros(frame.shape[:2], bool) if mask is None else mask)
        return np.stack(masks), np.ones(len(masks), np.float32)


class PlantedSpotter(Planted):
    """True overlays that hold for the whole clip."""

    def spot(self, footage: Footage) -> list[tuple[Box, float]]:
        return []


class PlantedCaptioner(Planted):
    """What the shot is said to show."""

    def caption(self, footage: Footage) -> str | Absent:
        shot = self.video(footage).shot_at((footage.clip.start_frame + footage.clip.stop_frame) // 2)
        return shot.caption if shot else Absent("no shot")


class PlantedPainter(Planted):
    """Black over every hole."""

    def paint(self, frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.where(mask[..., None], 0, frame).astype(np.uint8)


class PlantedExpressions(Planted):
    """Every face is neutral."""

    labels: tuple[str, ...] = ("neutral", "happy")

    def classify(self, faces: Sequence[np.ndarray]) -> np.ndarray:
        return np.tile(np.array([[1.0, 0.0]], np.float32), (len(faces), 1))


class PlantedPhrases(Planted):
    """No phrase: subjects take their category from the detector's kind."""

    def phrases(self, text: str) -> list[PhraseSpan]:
        return []


class NamedPhrases(Planted):
    """Every subject that a caption names, by its whole phrase and the category's place in the taxonomy."""

    def phrases(self, text: str) -> list[PhraseSpan]:
        found = []
        for identity in truth_of(self.world).identities:
            start = text.lower().find(identity.phrase)
            if start >= 0:
                found.append(
                    PhraseSpan(
                        start=start,
                        stop=start + len(identity.phrase),
                        role="subject" if identity.is_living else "object",
                        category=identity.category.replace(" ", "_"),
                        is_living=identity.is_living,
                        is_plural=False,
                    )
                )
        return sorted(found, key=lambda span: span.start)


class PlantedSafety(Planted):
    has_eyes: bool = False

    def words(self, texts: Sequence[str]) -> list[SafetyFinding]:
        return [SafetyFinding(1.0) for _ in texts]

    def pictures(self, frames: Sequence[np.ndarray]) -> list[SafetyFinding]:
        return []


class PlantedAppearance(Planted):
    """One axis for each identity, and a view's own share of the others."""

    space = "appearance"

    def embed(self, frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
        name = who(self.world, frame, box)
        if name is None:
            return Absent("nobody known")
        vector = np.zeros(DIM, np.float32)
        vector[self.identities().index(name)] = OWN
        vector[self.axis(frame)] = np.sqrt(1 - OWN**2)
        return vector

    def axis(self, frame: np.ndarray) -> int:
        """That of a view's own share: another one for each view of a video."""
        place = places(self.world)[digest(frame)]
        shot = place.video.shot_at(place.frame)
        assert shot is not None
        return VIEWS_FROM + (3 * place.video.shots.index(shot) + self.view(frame)) % (DIM - 1 - VIEWS_FROM)

    def view(self, frame: np.ndarray) -> int:
        """In which third of its shot a frame lies."""
        place = places(self.world)[digest(frame)]
        shot = place.video.shot_at(place.frame)
        assert shot is not None
        return 3 * (place.frame - shot.start_frame) // (shot.stop_frame - shot.start_frame)


class ConfusedAppearance(PlantedAppearance):
    """Takes all that are alive for one."""

    def embed(self, frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
        vector = super().embed(frame, mask, box)
        if isinstance(vector, Absent):
            return vector
        living = [k for k, identity in enumerate(truth_of(self.world).identities) if identity.is_living]
        vector[living[0]], vector[living[1:]] = vector[living].sum(), 0.0
        return vector


class PlantedBackground(PlantedAppearance):
    """One axis for each context of the video."""

    space = "background"

    def embed(self, frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
        place = places(self.world).get(digest(frame))
        shot = place.video.shot_at(place.frame) if place else None
        if place is None or shot is None:
            return Absent("not a frame of the world")
        contexts = sorted({(video.name, s.context) for video in truth_of(self.world).videos for s in video.shots})
        vector = np.zeros(DIM * 4, np.float32)
        vector[contexts.index((place.video.name, shot.context))] = 1.0
        return vector


class PlantedNoFace(PlantedAppearance):
    space = "face"

    def embed(self, frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
        return Absent("planted subjects show no face")


class PlantedScorer(Planted):
    def score(self, frames: np.ndarray) -> float | Absent:
        return 5.0


class SpoiltFootage(PlantedScorer):
    """A TechnicalScorer that finds faults in each shot in which a dog is alone."""

    def score_footage(self, footage: Footage) -> float | Absent:
        shot = self.video(footage).shot_at((footage.clip.start_frame + footage.clip.stop_frame) // 2)
        assert shot is not None
        return -0.01 if [subject.category for subject in shot.subjects] == ["dog"] else 0.01


class PlantedJudge(Planted):
    """Answers every question with yes, but denies what a seeded share of the questions is about."""

    share: ClassVar[float] = 0.0
    sampling: str = "{}"

    def ask(
        self, inquiries: Sequence[Inquiry], answered: Callable[[Inquiry, Verdict], None] | None = None
    ) -> list[Verdict]:
        verdicts = [Verdict(0 if self._denied(inquiry) else 1, "planted") for inquiry in inquiries]
        for inquiry, verdict in zip(inquiries, verdicts, strict=True):
            if answered is not None:
                answered(inquiry, verdict)
        return verdicts

    def _denied(self, inquiry: Inquiry) -> bool:
        seed = hashlib.blake2b(b"".join(_thumb(image) for image in inquiry.images), digest_size=4).digest()
        return int.from_bytes(seed, "big") / 2**32 < self.share


class DenyingJudge(PlantedJudge):
    share = 1.0


class PlantedFaces(Planted):
    """Nobody's face."""

    least_score: float = 0.5
    least_cosine: float = 0.5

    def watch(self, frame: np.ndarray) -> list[SeenFace]:
        return []


class PlantedLogos(Planted):
    """Nothing bears a mark."""

    def find(self, cut_out: np.ndarray) -> list[Logo]:
        return []


class PlantedSync(Planted):
    """Nothing stands out."""

    least_confidence: float = 1.0

    def distances(self, crops: np.ndarray, samples: np.ndarray) -> np.ndarray | Absent:
        return Absent("nobody speaks")


class PlantedPose(Planted):
    """The true azimuth of whoever's box it is."""

    def facing(self, footage: Footage, frames: Sequence[int], boxes_: Sequence[Box]) -> list[Facing | Absent]:
        video = self.video(footage)
        found: list[Facing | Absent] = []
        for frame, box in zip(frames, boxes_, strict=True):
            near = [
                (boxes.iou(box, other), row)
                for subject, other in present(video, frame)
                if (row := subject.at(frame)) is not None
            ]
            best = max(near, default=None, key=lambda pair: pair[0])
            found.append(Absent("nobody there") if best is None else Facing(best[1].azimuth_deg, 0.9))
        return found


def _thumb(image: bytes) -> bytes:
    picture = decode_image(image)
    rows = np.linspace(0, picture.shape[0] - 1, THUMB_PX).astype(int)
    columns = np.linspace(0, picture.shape[1] - 1, THUMB_PX).astype(int)
    return (picture[np.ix_(rows, columns)] // 32).tobytes()
