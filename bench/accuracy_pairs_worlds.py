"""Curated records to be judged: of whole files through the engine, or of a sample world's true boxes."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from backend.domain import (
    Appearance,
    Box,
    Clip,
    Embedding,
    Failed,
    Item,
    Mask,
    Pair,
    Record,
    Score,
    Source,
    Subject,
    Video,
    content_id,
    digest,
)
from backend.engine.context import load
from backend.engine.crews import Inline
from backend.engine.run import PlanRun
from backend.engine.tables import PlanTables
from backend.geometry import rle
from backend.measures import descriptors
from backend.media.images import encode_webp
from backend.models import MODELS
from backend.models.classical_embedder import raw_blocks
from backend.recipes import plan_for, worker_settings
from backend.sampleworld import SubjectFrame, SubjectTruth, VideoTruth
from backend.sampleworld.cast import Identity, Wardrobe
from backend.sampleworld.film import ShotStage, content_box
from backend.sampleworld.script import plan_world
from backend.settings import ProjectSettings
from backend.stages.embedding import EmbedAppearances
from backend.stages.retrieval import DiverseContexts, PairSubjects
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog

SAMPLE_AT = (0.05, 0.5, 0.95)
MIN_AREA, MAX_AREA, MIN_SIDE_PX, MIN_VISIBLE = 0.04, 0.90, 128, 0.70
"""Eligible subjects: share of the frame, shorter side, and how much of them is seen."""
CURATED = (Video, Clip, Subject, Appearance, Mask, Pair)
OPEN = 1e9
"""A bound that no score reaches."""
JITTER = 0.04
"""A detector's box is off by about this share of its side."""


@dataclass(slots=True)
class Curated:
    """Kept records by type, and each record's scores by name."""

    records: dict[type, list[Any]] = field(default_factory=lambda: defaultdict(list))
    scores: dict[str, dict[str, float | None]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, rows: Sequence[Record]) -> None:
        for row in rows:
            if isinstance(row, Score):
                self.scores[row.target][row.name] = row.value
            else:
                self.records[type(row)].append(row)

    def of(self, kind: type) -> list[Any]:
        return self.records[kind]

    def of_file(self, path: Path) -> "Curated":
        """The part that comes from one file."""
        sources = {s.id for s in self.of(Source) if Path(s.uri) == path.resolve()}
        videos = {v.id for v in self.of(Video) if v.source_id in sources}
        clips = {c.id for c in self.of(Clip) if c.video_id in videos}
        subjects = {s.id for s in self.of(Subject) if s.clip_id in clips}
        part = Curated(scores=self.scores)
        part.records[Subject] = [s for s in self.of(Subject) if s.id in subjects]
        part.records[Appearance] = [a for a in self.of(Appearance) if a.subject_id in subjects]
        shown = {a.id for a in part.of(Appearance)}
        part.records[Mask] = [m for m in self.of(Mask) if m.appearance_id in shown]
        part.records[Pair] = [p for p in self.of(Pair) if p.target_subject_id in subjects]
        return part


def curate(files: Sequence[Path], scratch: Path) -> Curated:
    """The default recipe with the embedded profile over files, in this process, with open gates on pairs.

    Raises RuntimeError when a file fails.
    """
    settings = ProjectSettings()
    plan = plan_for(settings)
    # Pairs are judged by their scores, also those that a gate holds back: links count before context diversity too
    plan = plan.with_gates({g.name: OPEN if "<" in g.comparison else -OPEN for g in plan.gates() if g.record == "pair"})
    (scratch / "artifacts").mkdir(exist_ok=True)
    catalog = Catalog(scratch / "catalog.duckdb")
    sources = [Source(uri=str(f.resolve()), num_bytes=f.stat().st_size, modified_ns=f.stat().st_mtime_ns) for f in files]
    catalog.add_records(sources, work_key="listed")
    crew = Inline(worker_settings(settings, scratch / "artifacts"))
    PlanRun(catalog=catalog, artifacts=Artifacts(scratch / "artifacts"), plan=plan, crew=crew)()
    crew.close()
    kept = Curated()
    kept.add(sources)
    with catalog.reading() as connection:
        PlanTables(connection, plan).walk()
        ids = {
            kind.KIND: {row[0] for row in connection.execute(f"SELECT id FROM kept_{kind.KIND}").fetchall()}
            for kind in CURATED
        }
    for kind, names in ((kind, ids[kind.KIND]) for kind in CURATED):
        rows = catalog.records(kind, f"SELECT * FROM {kind.KIND}")
        kept.add([row for row in {row.id: row for row in rows}.values() if row.id in names])
    kept.add(catalog.records(Score, "SELECT * FROM score"))
    catalog.close()
    return kept


def subjects_on(video: VideoTruth) -> Iterator[tuple[int, int, SubjectTruth, SubjectFrame]]:
    """Shot, frame, subject and its row, for each eligible subject on the sampled frames of each shot."""
    content = (video.content[2] - video.content[0]) * (video.content[3] - video.content[1])
    for number, shot in enumerate(video.shots):
        for frame in _sampled(shot.start_frame, shot.stop_frame):
            for subject in shot.subjects:
                row = subject.at(frame)
                if row is not None and _eligible(row, content):
                    yield number, frame, subject, row


@dataclass(slots=True)
class GivenWorld:
    """A world's true subjects as one long video. `place[clip_id]` is its video and shot; `track_id` the identity."""

    seed: int
    whole: Video
    context: "_Memory"
    found: list[Record]
    """Clips, subjects, appearances and masks as filmed."""
    place: dict[str, tuple[int, int]]
    copies: set[frozenset[tuple[int, int]]]
    """Pairs of shots of which one is a planted copy of the other."""
    twins: dict[str, str | None]
    blocks: dict[str, list[np.ndarray]]
    """Raw descriptor blocks of every cut-out."""
    curated: Curated = field(default_factory=Curated)
    """What `pair` makes of it."""

    def pair(self) -> Curated:
        """Embeds and pairs with the calibration as it is now."""
        self.curated = Curated()
        self.curated.add(self.found)
        _paired(self.curated, self.whole, self.context)
        return self.curated


def given_world(
    seed: int, *, videos: int = 6, duration_s: float = 15.0, fps: int = 24, size: tuple[int, int] = (1280, 720)
) -> GivenWorld:
    """Only the sampled frames of a world are filmed: true masks, boxes off by JITTER, JPEG instead of h264."""
    plan = plan_world(seed, videos, duration_s, fps)
    rng = np.random.default_rng(seed)
    context, kept, place = _Memory(), Curated(), {}
    whole = Video(
        content_hash=digest(("world", seed)), source_id="bench", num_frames=1, fps=float(fps), duration_s=1.0, width=size[0],
        height=size[1], rotation=0, codec="", has_audio=False, index="",
    )  # fmt: skip
    blocks: dict[str, list[np.ndarray]] = defaultdict(list)
    for v, video in enumerate(plan.videos):
        content = content_box(video.border, size)
        inner = (content[2] - content[0], content[3] - content[1])
        for number, shot in enumerate(video.shots):
            stage = ShotStage(shot, video, size, Wardrobe()) if shot.subjects else None
            start, stop = (v * 100_000 + edge for edge in (shot.start_frame, shot.stop_frame))
            clip = Clip(
                video_id=whole.id,
                start_frame=start,
                stop_frame=stop,
                start_s=start / fps,
                stop_s=stop / fps,
                opens_with="cut",
            )
            place[clip.id] = (v, number)
            for frame in _sampled(shot.start_frame, shot.stop_frame) if stage else ():
                picture, shown = stage.render(frame, origin=(0, 0), frame_size=inner)  # type: ignore[union-attr]
                picture = _as_jpeg(picture)
                context.pictures[v * 100_000 + frame] = picture
                for seen in shown:
                    if _eligible(seen.row, inner[0] * inner[1]) and seen.row.mask is not None:
                        identity = shot.subjects[seen.subject].identity
                        rows = _records(context, clip, identity, v * 100_000 + frame, picture, seen.row, rng)
                        kept.add([row for row in (clip, *rows) if row not in kept.of(type(row))])
                        mask = rle.decode(seen.row.mask, *picture.shape[:2])
                        cut = descriptors.masked_crop(picture, mask)
                        for name, block in raw_blocks(*cut, descriptors.lighting_gains(picture)).items() if cut else ():
                            blocks[name].append(block)
    found = [row for kind in (Clip, Subject, Appearance, Mask) for row in kept.of(kind)]
    copies = {frozenset(((d.video_a, d.shot_a), (d.video_b, d.shot_b))) for d in plan.duplicates}
    return GivenWorld(seed, whole, context, found, place, copies, {i.id: i.twin for i in plan.identities}, dict(blocks))


def _records(context: "_Memory", clip: Clip, identity: Identity, frame: int, picture: np.ndarray, row: SubjectFrame, rng):
    height, width = picture.shape[:2]
    assert row.box is not None
    assert row.mask is not None
    subject = Subject(
        clip_id=clip.id,
        track_id=identity.id,
        phrase=identity.phrase,
        category=identity.category,
        is_living=identity.is_living,
    )
    box = _jittered(row.box, rng, width, height)
    shown = Appearance(subject_id=subject.id, frame=frame, box=box, confidence=1.0, origin="video")
    x0, y0, x1, y1 = (round(edge) for edge in box)
    alpha = rle.decode(row.mask, height, width)[y0:y1, x0:x1].astype(np.uint8) * 255
    crop = context.artifacts.put(encode_webp(np.dstack([picture[y0:y1, x0:x1], alpha]), quality=92), "webp")
    return (
        subject,
        shown,
        Mask(appearance_id=shown.id, author="truth", height=height, width=width, counts=row.mask, crop=crop),
    )


def _eligible(row: SubjectFrame, content_area: float) -> bool:
    if row.box is None or row.visible < MIN_VISIBLE:
        return False
    width, height = row.box[2] - row.box[0], row.box[3] - row.box[1]
    return MIN_AREA <= width * height / content_area <= MAX_AREA and min(width, height) >= MIN_SIDE_PX


def _sampled(start: int, stop: int) -> list[int]:
    return [start + int(at * (stop - start - 1)) for at in SAMPLE_AT]


def _as_jpeg(picture: np.ndarray) -> np.ndarray:
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


def _paired(kept: Curated, whole: Video, context: "_Memory") -> None:
    masks = {mask.appearance_id: mask for mask in kept.of(Mask)}
    items = [Item(a.id, {Appearance: (a,), Mask: (masks[a.id],), Video: (whole,)}) for a in kept.of(Appearance)]
    for stage, own in (
        (EmbedAppearances(), items),
        (PairSubjects(store_floor=-1.0, pairs_per_link=2, links_per_subject=10_000), None),
        (DiverseContexts(), None),
    ):
        if own is None:
            kinds = (Clip, Subject, Appearance, Mask, Embedding, Pair)
            own = [Item(whole.id, {Video: (whole,)} | {kind: tuple(kept.of(kind)) for kind in kinds})]
        for result in stage(own, context):  # type: ignore[arg-type]
            if isinstance(result, Failed):
                raise RuntimeError(f"{stage.name} failed on {result.item_id}: {result.message}")
            kept.add(getattr(result, "rows", ()))


def _jittered(box: Box, rng: np.random.Generator, width: int, height: int) -> Box:
    x0, y0, x1, y1 = box
    moved = np.array(box) + rng.uniform(-JITTER, JITTER, 4) * np.array([x1 - x0, y1 - y0] * 2)
    left, top, right, bottom = np.clip(moved, 0, [width, height] * 2).tolist()
    return left, top, right, bottom


class _Artifacts(dict[str, bytes]):
    def put(self, data: bytes, suffix: str) -> str:
        name = f"{content_id('artifact', data)}.{suffix}"
        self[name] = data
        return name

    def get(self, name: str) -> bytes:  # type: ignore[override]
        return self[name]


class _Memory:
    """What stages ask for, from memory."""

    def __init__(self) -> None:
        self.artifacts = _Artifacts()
        self.pictures: dict[int, np.ndarray] = {}
        self._models: dict[str, object] = {}

    def frames(self, item: Item) -> "_Memory":
        return self

    def at(self, indices: Sequence[int], *, size: tuple[int, int] | None = None) -> np.ndarray:
        return np.stack([self.pictures[i] for i in indices])

    def role(self, name: str) -> object:
        if name not in self._models:
            self._models[name] = load(MODELS[name]["embedded"])()
        return self._models[name]
