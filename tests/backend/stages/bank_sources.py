"""Sources whose subjects have made-up vectors: what the bank stages see of a project, without any model."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from backend.domain import (
    Appearance,
    BankPart,
    Clip,
    Embedding,
    Holding,
    Item,
    Mask,
    Ok,
    Pair,
    Record,
    Score,
    Source,
    Subject,
    Survey,
    Track,
    Video,
)
from backend.media.images import encode_png
from backend.stages.bank_pairs import PairAcross
from backend.stages.banks import BuildBanks
from backend.store.artifacts import Artifacts

LENGTH = 32
SIDE = 96


def unit(seed: int, *, near: np.ndarray | None = None, cosine: float = 0.0, length: int = LENGTH) -> np.ndarray:
    """A random unit vector, or one at a given cosine to another."""
    vector = np.random.default_rng(seed).normal(size=length)
    if near is not None:
        vector -= (vector @ near) * near
        vector = cosine * near + np.sqrt(1 - cosine**2) * vector / np.linalg.norm(vector)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@dataclass
class World:
    """A project's bank stages, fed by hand. `project` is its folder."""

    project: Path

    def __post_init__(self) -> None:
        self.artifacts = Artifacts(self.project / "artifacts")
        self.sources: list[tuple[Source, BankPart]] = []
        self.videos: list[Video] = []
        self.rows: list[Record] = []
        """What the parts are made of."""
        self.names: dict[str, str] = {}
        """What each appearance shows, as `source/subject`."""

    def add(self, name: str, *subjects: dict, picture: bool = False) -> BankPart:
        """Lists a source and builds its part. A subject has `body` and `face` vectors, `look`, `is_living`, `category`."""
        source = Source(uri=name, num_bytes=1, modified_ns=1)
        records: dict[type, list] = {kind: [] for kind in (Video, Clip, Subject, Appearance, Mask, Embedding)}
        if not picture:
            video, clip = _video(name, source)
            records[Video], records[Clip] = [video], [clip]
            self.videos.append(video)
        for number, about in enumerate(subjects):
            for kind, rows in self._subject(name, number, about, None if picture else records[Clip][0]).items():
                records[kind] += rows
        self.rows += [row for rows in records.values() for row in rows]
        item = Item(source.id, {Source: (source,), **{kind: tuple(rows) for kind, rows in records.items()}})
        (result,) = BuildBanks()([item], self)  # type: ignore[arg-type]
        assert isinstance(result, Ok), result
        part = result.rows[0]
        assert isinstance(part, BankPart)
        self.sources.append((source, part))
        return part

    def pairs(self, name: str, stage: PairAcross | None = None) -> list[tuple[str, str, dict[str, float | None]]]:
        """Target, reference and scores of the pairs that a listed source gives."""
        item = self.item(name)
        (result,) = (stage or PairAcross())([item], self)  # type: ignore[arg-type]
        assert isinstance(result, Ok), result
        scores: dict[str, dict[str, float | None]] = {}
        for row in result.rows:
            if isinstance(row, Score):
                scores.setdefault(row.target, {})[row.name] = row.value
        found = [row for row in result.rows if isinstance(row, Pair)]
        return [(self.names[p.target_appearance_id], self.names[p.reference_appearance_id], scores[p.id]) for p in found]

    def item(self, name: str) -> Item:
        """A listed source with its part and its place in the roll, which shows sources and videos too."""
        entries = [
            {"id": s.id, **{kind.KIND: [asdict(row) for row in rows] for kind, rows in self._shown(s, p).items()}}
            for s, p in self.sources
        ]
        roll = self.artifacts.put(json.dumps(entries).encode(), "json")
        position = next(k for k, (source, _) in enumerate(self.sources) if source.uri == name)
        source, part = self.sources[position]
        return Item(source.id, {Source: (source,), BankPart: (part,), Survey: (Survey(roll, position),)})

    def held(self, holding: Holding) -> None:
        """Nobody holds a shard for these stages."""

    def _shown(self, source: Source, part: BankPart) -> dict[type, list]:
        return {BankPart: [part], Source: [source], Video: [v for v in self.videos if v.source_id == source.id]}

    def _subject(self, name: str, number: int, about: dict, clip: Clip | None) -> dict[type, list]:
        rows: dict[type, list] = {Subject: [], Appearance: [], Mask: [], Embedding: []}
        subject = None
        if clip is not None:
            track = Track(clip_id=clip.id, kind="object", frames=(number,), boxes=((0, 0, 1, 1),), scores=(1.0,))
            subject = Subject(
                clip_id=clip.id,
                track_id=track.id,
                phrase=None,
                category=about.get("category"),
                is_living=about.get("is_living"),
            )
            rows[Subject].append(subject)
        crop = self.artifacts.put(encode_png(_look(about.get("look", 0), light=len(self.sources))), "png")
        for frame in range(about.get("frames", 1)):
            view = Appearance(
                subject_id=subject.id if subject else None,
                frame=frame if subject else None,
                box=(0.0, 0.0, 50.0 + number, 60.0),
                confidence=1.0,
                origin="video" if subject else "external",
                artifact=None if subject else crop,
            )
            self.names[view.id] = f"{name}/{number}"
            rows[Appearance].append(view)
            rows[Mask].append(Mask(appearance_id=view.id, author="drawn", height=90, width=160, counts=b"", crop=crop))
            spaces = {"appearance": about.get("body"), "face": about.get("face"), "background": about.get("place")}
            for space, vector in spaces.items():
                if vector is not None:
                    rows[Embedding].append(Embedding(appearance_id=view.id, space=space, model="m", vector=vector))
        return rows


def _video(name: str, source: Source) -> tuple[Video, Clip]:
    video = Video(
        content_hash=name, source_id=source.id, num_frames=40, fps=10, duration_s=4.0, width=160, height=90, rotation=0,
        codec="h264", has_audio=False, index="none",
    )  # fmt: skip
    return video, Clip(video_id=video.id, start_frame=0, stop_frame=40, start_s=0.0, stop_s=4.0, opens_with="start")


def _look(seed: int, *, light: int) -> np.ndarray:
    """A cut-out with a pattern of its own in some light, RGBA."""
    cells = np.random.default_rng(seed).integers(0, 220, (12, 12, 3), np.uint8) + np.uint8(light % 32)
    rgb = cells.repeat(SIDE // 12, axis=0).repeat(SIDE // 12, axis=1)
    return np.dstack([rgb, np.full((SIDE, SIDE), 255, np.uint8)])
