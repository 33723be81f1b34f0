"""A drawn long video of two clips and two subjects, for the stages that embed and pair."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from backend.domain import Appearance, Clip, Footage, Holding, Item, Mask, Source, Subject, Track, Video, content_id, digest
from backend.geometry import rle
from backend.media.images import encode_png
from backend.models.classical_embedder import ClassicalAppearance, ClassicalBackground
from backend.models.classical_embedder_face import ClassicalFace
from tests.backend.stages.answered_judges import MemoryAnswers

SIZE = (180, 320)
FPS = 10.0


class Artifacts(dict[str, bytes]):
    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)  # as the store's own: one store is itself

    def put(self, data: bytes, suffix: str) -> str:
        name = f"{content_id('artifact', data)}.{suffix}"
        self[name] = data
        return name

    def get(self, name: str) -> bytes:  # type: ignore[override]
        return self[name]


@dataclass
class DrawnContext:
    """`backend.domain.Context` over frames held in memory."""

    pictures: dict[int, np.ndarray]
    artifacts: Artifacts = field(default_factory=Artifacts)
    seed: int = 0
    answers: MemoryAnswers = field(default_factory=MemoryAnswers)

    num_frames = 40
    height, width = SIZE
    times_s = np.arange(40) / FPS

    def path(self, video: Video, item: Item) -> str:
        return "drawn.mp4"

    def frames(self, item: Item) -> "DrawnContext":
        return self

    def footage(self, item: Item) -> Footage:
        return Footage(item.one(Video), item.one(Clip), self, (0.0, 0.0, float(SIZE[1]), float(SIZE[0])))

    def at(self, indices: Sequence[int], *, size: tuple[int, int] | None = None) -> np.ndarray:
        pictures = [self.pictures[i] for i in indices]
        return np.stack([cv2.resize(p, size) if size else p for p in pictures])

    def stream(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        step: int = 1,
        size: tuple[int, int] | None = None,
        chunk: int = 32,
    ) -> Iterator[tuple[int, np.ndarray]]:
        for i in range(start, self.num_frames if stop is None else stop, step):
            yield i, self.at([i], size=size)

    def role(self, name: str) -> object:
        return {
            "AppearanceEmbedder": ClassicalAppearance,
            "BackgroundEmbedder": ClassicalBackground,
            "FaceEmbedder": ClassicalFace,
        }[name]()

    def model_id(self, name: str) -> str:
        return ""

    def held(self, holding: Holding) -> None:
        """Nobody has one open."""

    def rng(self, item_id: str) -> np.random.Generator:
        return np.random.default_rng(int(digest((self.seed, item_id), num_bytes=8), 16))


@dataclass
class Drawn:
    context: DrawnContext
    video: Video
    records: dict[type, tuple]
    names: dict[str, str]
    """What each subject id shows: red or green."""

    def item(self, *extra: object) -> Item:
        """The video with everything known of it, and more records."""
        records = dict(self.records)
        for record in extra:
            records[type(record)] = (*records.get(type(record), ()), record)
        return Item(self.video.id, {Video: (self.video,), **records})

    def appearance_items(self) -> list[Item]:
        masks = {mask.appearance_id: mask for mask in self.records[Mask]}
        return [
            Item(a.id, {Appearance: (a,), Video: (self.video,), Mask: (masks[a.id],) if a.id in masks else ()})
            for a in self.records[Appearance]
        ]


def draw_video(*, replayed: bool = False) -> Drawn:
    """Two clips of 20 frames in different places; in each a red and a green toy with patterns of their own.

    `replayed` makes the second clip a copy of the first.
    """
    source = Source(uri="drawn.mp4", num_bytes=1, modified_ns=1)
    video = Video(
        content_hash="drawn", source_id=source.id, num_frames=40, fps=FPS, duration_s=4.0, width=SIZE[1], height=SIZE[0],
        rotation=0, codec="h264", has_audio=False, index="none",
    )  # fmt: skip
    clips = [
        Clip(
            video_id=video.id,
            start_frame=20 * k,
            stop_frame=20 * k + 20,
            start_s=2.0 * k,
            stop_s=2.0 * k + 2,
            opens_with="cut",
        )
        for k in range(2)
    ]
    context = DrawnContext({})
    looks = {"red": _pattern((190, 40, 40), seed=1), "green": _pattern((40, 150, 60), seed=2)}
    subjects, appearances, masks, names = [], [], [], {}
    for k, clip in enumerate(clips):
        place = 0 if replayed else k
        background = _place(seed=10 + place, tint=((70, 90, 150), (170, 140, 80))[place])
        own = {}
        for n, name in enumerate(looks):
            track = Track(
                clip_id=clip.id,
                kind="object",
                frames=(clip.start_frame,),
                boxes=((0.0, 0.0, float(n), 1.0),),
                scores=(1.0,),
            )
            own[name] = Subject(clip_id=clip.id, track_id=track.id, phrase=None, category=None, is_living=None)
            names[own[name].id] = name
        subjects.extend(own.values())
        for frame in (clip.start_frame + 1, clip.start_frame + 18):
            picture, found = _composed(background, looks, shift=frame % 20 + 12 * place)
            context.pictures[frame] = picture
            for name, mask in found.items():
                rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
                a = Appearance(subject_id=own[name].id, frame=frame, box=box, confidence=1.0, origin="video")
                x0, y0, x1, y1 = (int(edge) for edge in box)
                cut = np.dstack([picture[y0:y1, x0:x1], mask[y0:y1, x0:x1].astype(np.uint8) * 255])
                crop = context.artifacts.put(encode_png(cut), "png")
                appearances.append(a)
                masks.append(
                    Mask(
                        appearance_id=a.id,
                        author="drawn",
                        height=SIZE[0],
                        width=SIZE[1],
                        counts=rle.encode(mask),
                        crop=crop,
                    )
                )
    records = {
        Source: (source,), Clip: tuple(clips), Subject: tuple(subjects), Appearance: tuple(appearances), Mask: tuple(masks),
    }  # fmt: skip
    return Drawn(context, video, records, names)


def _pattern(colour: tuple[int, int, int], *, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(-60, 60, (14, 9, 1)).repeat(3, axis=2)
    patch = cv2.resize(
        (np.array(colour) + coarse).clip(0, 255).astype(np.uint8), (72, 112), interpolation=cv2.INTER_NEAREST
    )
    return cv2.GaussianBlur(patch, (3, 3), 0)


def _place(*, seed: int, tint: tuple[int, int, int]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(-50, 50, (6, 10, 3))
    fine = rng.integers(-12, 12, (*SIZE, 3))
    return (np.array(tint) + cv2.resize(coarse.astype(np.float32), SIZE[::-1]) + fine).clip(0, 255).astype(np.uint8)


def _composed(
    background: np.ndarray, looks: dict[str, np.ndarray], *, shift: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    picture, found = background.copy(), {}
    for n, (name, look) in enumerate(looks.items()):
        top, left = 40 + shift // 3, 30 + 140 * n + shift
        picture[top : top + look.shape[0], left : left + look.shape[1]] = look
        mask = np.zeros(SIZE, bool)
        mask[top : top + look.shape[0], left : left + look.shape[1]] = True
        found[name] = mask
    return picture, found
