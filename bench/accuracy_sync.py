"""How well it is told how late a clip's sound comes: on talking takes, talkers in films, and labelled real clips."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from backend.domain import (
    Absent,
    Box,
    Clip,
    Context,
    Filtered,
    Footage,
    FrameReader,
    Item,
    Ok,
    Result,
    Score,
    Stage,
    Track,
    Video,
)
from backend.measures.lips import CROP_PX, MARGIN, RATE
from backend.media.reader import VideoReader
from backend.models.classical_face_watcher import ClassicalFaceWatcher
from backend.models.classical_sync import ClassicalSync
from backend.models.viewpoint_cues import HEADS_PER_BODY
from backend.sampleworld import ShotTruth, SubjectTruth, VideoTruth, read_truth
from backend.stages.faces import FollowFaces
from backend.stages.sync import MeasureSync
from bench.accuracy_people import MIN_VISIBLE, records_of, share

SYNC_SHARE = 0.9
NEAR = 1  # frames at 25 a second
FACES_PX = (32, 16)
"""Sides of faces that takes are made as coarse as."""
MAX_TURN_DEG = 45
Head = tuple[tuple[int, ...], tuple[Box, ...]]
Row = dict[str, Any]


@dataclass(frozen=True)
class Heard:
    """What was said of one clip: how many frames at 25 a second its sound comes late, or None, and why."""

    true: float | None
    """None of another's speech."""
    said: float | None
    why: str

    @property
    def is_right(self) -> bool:
        return self.true is not None and self.said is not None and abs(self.said - self.true) <= NEAR


def run(world_dirs: Sequence[Path], take_dirs: Sequence[Path], real: Path | None) -> list[Row]:
    """Rows of name, value, target, n and note; none of real clips without their folder."""
    cv2.setNumThreads(1)
    return [*_takes(take_dirs), *_films(world_dirs), *([] if real is None else _real(real))]


def _takes(take_dirs: Sequence[Path]) -> list[Row]:
    """Takes as the stage judges them by the faces it finds, then with crops as coarse as those of smaller faces."""
    scorers = (ClassicalSync(), *(_Coarse(px) for px in FACES_PX))
    heard = [_heard(folder, truth, truth.shots[0], scorers) for folder in take_dirs for truth in read_truth(folder).videos]
    first = [each[0] for each in heard]
    coarse = [
        _offset_row(f"takes whose faces are made as coarse as {px} px", [each[k] for each in heard], None)
        for k, px in enumerate(FACES_PX, start=1)
    ]
    return [
        _offset_row("takes whose sound offset is told within one frame", first, SYNC_SHARE),
        _foreign_row("takes with another's speech named as such", first),
        *coarse,
    ]


def _films(world_dirs: Sequence[Path]) -> list[Row]:
    """Talking shots by the faces that the stage finds, and by true heads where the talker faces the camera."""
    found, facing, given = [], [], []
    for folder in world_dirs:
        for truth, shot, talker in _talkers(folder):
            (one,) = _heard(folder, truth, shot, (ClassicalSync(),))
            found.append(one)
            head = _head_of(talker)
            if head is not None:
                facing.append(one)
                given += _heard(folder, truth, shot, (ClassicalSync(),), head=head)
    return [
        _offset_row("talking clips of films, sound offset within one frame", found, SYNC_SHARE),
        _offset_row("the same, of talkers who face the camera", facing, SYNC_SHARE),
        _offset_row("the same, true heads given", given, SYNC_SHARE),
        _foreign_row("films with another's speech named as such", found),
    ]


def _talkers(folder: Path) -> Iterator[tuple[VideoTruth, ShotTruth, SubjectTruth]]:
    for truth in read_truth(folder).videos:
        for shot in truth.shots if truth.sound.kind in ("speech", "wrong") else ():
            talker = next((each for each in shot.subjects if each.identity == shot.speaks), None)
            if talker is not None:
                yield truth, shot, talker


def _head_of(talker: SubjectTruth) -> Head | None:
    """Frames and face boxes of somebody who looks at the camera and is hardly covered; None of others."""
    rows = [(row, cast(Box, row.box)) for row in talker.frames[::4] if row.box is not None]
    turned = [abs((row.azimuth_deg + 180) % 360 - 180) for row, _ in rows]
    if not rows or np.median(turned) > MAX_TURN_DEG or np.median([row.visible for row, _ in rows]) < MIN_VISIBLE:
        return None
    faces = []
    for _, (x0, y0, x1, y1) in rows:
        head = (y1 - y0) / HEADS_PER_BODY
        x, y, half = (x0 + x1) / 2, y0 + 0.55 * head, 0.37 * head
        faces.append((x - half, y - half, x + half, y + half))
    return tuple(row.frame for row, _ in rows), tuple(faces)


def _real(real: Path) -> list[Row]:
    """Files whose sound was moved by a known time, the original taken for in sync, and one with another's sound."""
    told = []
    with (real / "labels" / "sync.csv").open(newline="", encoding="utf-8") as file:
        for label in csv.DictReader(file):
            wanted = label["offset_frames_at_25fps"]
            with VideoReader(real / label["file"]) as reader:
                fps = (reader.num_frames - 1) / max(float(reader.times_s[-1]), 1e-3)
            ((said, why),) = judged_by(real / label["file"], fps, None, (ClassicalSync(),))
            told.append(Heard(float(wanted) if wanted else None, said, why))
    return [
        _offset_row("real clips whose sound offset is told within one frame", told, SYNC_SHARE),
        _foreign_row("real clips with another's speech named as such", told),
    ]


def _heard(
    folder: Path, truth: VideoTruth, shot: ShotTruth, scorers: Sequence[object], *, head: Head | None = None
) -> list[Heard]:
    late = None if truth.sound.offset_s is None else truth.sound.offset_s * RATE
    told = judged_by(folder / truth.file, truth.fps, (shot.start_frame, shot.stop_frame), scorers, head=head)
    return [Heard(late, said, why) for said, why in told]


def judged_by(
    path: Path, fps: float, span: tuple[int, int] | None, scorers: Sequence[object], *, head: Head | None = None
) -> list[tuple[float | None, str]]:
    """What the stage says with each scorer: the offset or None, and its confidence or why there is none.

    The faces are those that the stage before finds, or the one whose frames and boxes `head` gives.
    """
    with VideoReader(path) as reader:
        video, clip = records_of(reader, fps, span or (0, reader.num_frames), has_audio=True)
        records = {Video: (video,), Clip: (clip,)}
        if head is None:
            faces = _one(
                FollowFaces(), Item(clip.id, records), _Open(reader, path, {"FaceWatcher": ClassicalFaceWatcher()})
            )
            assert isinstance(faces, Ok), f"faces cannot be followed: {faces}"
            tracks = tuple(row for row in faces.rows if isinstance(row, Track))
        else:
            frames, boxes = head
            tracks = (Track(clip_id=clip.id, kind="face", frames=frames, boxes=boxes, scores=(1.0,) * len(frames)),)
        item = Item(clip.id, {**records, Track: tracks})
        return [_said(_one(MeasureSync(), item, _Open(reader, path, {"SyncScorer": each}))) for each in scorers]


def _said(result: Result) -> tuple[float | None, str]:
    if isinstance(result, Filtered):
        return None, result.reason
    assert isinstance(result, Ok), f"sound cannot be compared: {result}"
    scores = {row.name: row for row in result.rows if isinstance(row, Score)}
    found = scores["sync_offset"]
    return found.value, found.reason or f"confidence {scores['sync_confidence'].value:.2f}"


def _one(stage: Stage, item: Item, context: "_Open") -> Result:
    (result,) = stage([item], cast(Context, context))
    return result


@dataclass(frozen=True)
class _Coarse:
    """The embedded scorer on crops whose faces are made as coarse as `face_px` high ones."""

    face_px: int
    scorer: ClassicalSync = field(default_factory=ClassicalSync)

    @property
    def model_id(self) -> str:
        return f"{self.scorer.model_id} at {self.face_px} px"

    @property
    def least_confidence(self) -> float:
        return self.scorer.least_confidence

    def distances(self, crops: np.ndarray, samples: np.ndarray) -> np.ndarray | Absent:
        side = round(self.face_px * (1 + MARGIN))  # a crop is as much wider than its face
        small = [cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA) for crop in crops]
        return self.scorer.distances(np.stack([cv2.resize(each, (CROP_PX, CROP_PX)) for each in small]), samples)


class _Open:
    """A `Context` over one open file."""

    def __init__(self, reader: FrameReader, path: Path, roles: dict[str, object]) -> None:
        self._reader, self._path, self._roles, self.artifacts = reader, path, roles, _Nowhere()

    def footage(self, item: Item) -> Footage:
        whole = (0.0, 0.0, float(self._reader.width), float(self._reader.height))
        return Footage(item.one(Video), item.one(Clip), self._reader, whole)

    def frames(self, item: Item) -> FrameReader:
        return self._reader

    def path(self, video: Video, item: Item) -> str:
        return str(self._path)

    def role(self, name: str) -> object:
        return self._roles[name]


class _Nowhere:
    def put(self, data: bytes, suffix: str) -> str:
        return f"unkept.{suffix}"


def _offset_row(name: str, told: Sequence[Heard], target: float | None) -> Row:
    """The share of clips with their own sound that are told rightly; the note counts the rest by what was said."""
    own = [each for each in told if each.true is not None]
    missed = Counter(each.why.partition(":")[0] for each in own if each.said is None)
    wrong = [
        f"{each.said:g} for {each.true:.1f} ({each.why})" for each in own if each.said is not None and not each.is_right
    ]
    note = "; ".join([*(f"{why} {n}" for why, n in missed.most_common()), *wrong])
    right = sum(each.is_right for each in own)
    return {"name": name, "value": share(right, len(own)), "target": target, "n": len(own), "note": note}


def _foreign_row(name: str, told: Sequence[Heard]) -> Row:
    foreign = [each for each in told if each.true is None]
    note = "; ".join(each.why for each in foreign if each.said is not None)
    named = sum(each.said is None for each in foreign)
    return {"name": name, "value": share(named, len(foreign)), "target": None, "n": len(foreign), "note": note}
