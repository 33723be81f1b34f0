"""How well people are watched on sample worlds: the sides that they show, and whether sound follows their lips."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from backend.domain import (
    Box,
    Clip,
    Context,
    Facing,
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
from backend.geometry.viewpoint import Windows
from backend.measures.lips import RATE
from backend.media.reader import VideoReader
from backend.models.classical_face_watcher import ClassicalFaceWatcher
from backend.models.classical_sync import ClassicalSync
from backend.models.classical_viewpoint import ClassicalViewpoint
from backend.models.viewpoint_cues import HEADS_PER_BODY
from backend.sampleworld import SubjectTruth, VideoTruth, read_truth
from backend.stages.faces import FollowFaces
from backend.stages.sync import MeasureSync

VIEW_ACCURACY, SYNC_SHARE = 0.9, 0.9
MIN_SIDE_PX, MIN_VISIBLE, EVERY = 96, 0.7, 12
Row = dict[str, Any]


def run(world_dirs: Sequence[Path]) -> list[Row]:
    """Rows of name, value, target, n and note."""
    cv2.setNumThreads(1)
    return [*_sides(world_dirs), *_sync(world_dirs)]


def _sides(world_dirs: Sequence[Path]) -> list[Row]:
    right, answered, wanted, wrong = 0, 0, 0, []
    for folder in world_dirs:
        for truth in read_truth(Path(folder)).videos:
            with VideoReader(folder / truth.file) as reader:
                for wants, side in _side_answers(truth, reader):
                    wanted += 1
                    answered += side is not None
                    right += side == wants
                    if side not in (None, wants):
                        wrong.append(f"{wants} as {side}")
    kinds = ", ".join(f"{wrong.count(kind)} {kind}" for kind in sorted(set(wrong), key=wrong.count, reverse=True))
    return [
        _row("sides named rightly, of those named", share(right, answered), VIEW_ACCURACY, answered, kinds),
        _row("sides named, of frames within 30 degrees of one", share(answered, wanted), None, wanted, "embedded"),
        _row("sides named rightly, of all these frames", share(right, wanted), VIEW_ACCURACY, wanted, "true boxes"),
    ]


def _side_answers(truth: VideoTruth, reader: FrameReader) -> Iterator[tuple[str, str | None]]:
    """The true and the named side of every person on every twelfth frame whose side is unambiguous."""
    windows, estimator = Windows(), ClassicalViewpoint()
    for shot in truth.shots:
        footage = footage_of(reader, truth.fps, (shot.start_frame, shot.stop_frame), truth.content)
        for subject in shot.subjects:
            if subject.category not in ("man", "woman"):
                continue
            shown = [row for row in subject.frames[::EVERY] if row.box is not None and row.visible >= MIN_VISIBLE]
            boxes = [(row.frame, cast(Box, row.box), row.azimuth_deg) for row in shown]
            boxes = [each for each in boxes if min(each[1][2] - each[1][0], each[1][3] - each[1][1]) >= MIN_SIDE_PX]
            if not boxes:
                continue
            answers = estimator.facing(footage, [frame for frame, _, _ in boxes], [box for _, box, _ in boxes])
            for (_, _, azimuth), answer in zip(boxes, answers, strict=True):
                wants = windows.side(azimuth)
                if wants is not None:
                    yield wants, windows.side(answer.azimuth_deg) if isinstance(answer, Facing) else None


def _sync(world_dirs: Sequence[Path]) -> list[Row]:
    """Talking clips as the stage judges them by the faces it finds, and by true heads where the talker faces the camera."""
    found, facing, given, wrong, reasons = [], [], [], [], []
    for folder in world_dirs:
        for truth in read_truth(Path(folder)).videos:
            for shot in truth.shots if truth.sound.kind in ("speech", "wrong") else ():
                talker = next((each for each in shot.subjects if each.identity == shot.speaks), None)
                if talker is None:
                    continue
                path, span, head = folder / truth.file, (shot.start_frame, shot.stop_frame), _head_of(talker)
                offset, said = sync_of(path, truth.fps, span)
                if truth.sound.offset_s is None:
                    wrong.append(offset is None)
                    continue
                late = truth.sound.offset_s * RATE
                found.append(offset is not None and abs(offset - late) <= 1)
                reasons += [said] if offset is None else []
                if head is not None:
                    facing.append(found[-1])
                    offset, _ = sync_of(path, truth.fps, span, head=head)
                    given.append(offset is not None and abs(offset - late) <= 1)
    told = "; ".join(f"{said} {n}" for said, n in Counter(reason.partition(":")[0] for reason in reasons).most_common())
    return [
        _row(
            "sound offset within one frame, of talking clips", share(sum(found), len(found)), SYNC_SHARE, len(found), told
        ),
        _row("the same, of talkers who face the camera", share(sum(facing), len(facing)), SYNC_SHARE, len(facing)),
        _row("the same, true heads given", share(sum(given), len(given)), SYNC_SHARE, len(given)),
        _row("foreign sound named as such", share(sum(wrong), len(wrong)), None, len(wrong)),
    ]


def _head_of(talker: SubjectTruth) -> tuple[tuple[int, ...], tuple[Box, ...]] | None:
    """Frames and face boxes of somebody who looks within 45 degrees of the camera and is hardly covered; None of others."""
    rows = [(row, cast(Box, row.box)) for row in talker.frames[::4] if row.box is not None]
    turned = [abs((row.azimuth_deg + 180) % 360 - 180) for row, _ in rows]
    if not rows or np.median(turned) > 45 or np.median([row.visible for row, _ in rows]) < MIN_VISIBLE:
        return None
    faces = []
    for _, (x0, y0, x1, y1) in rows:
        head = (y1 - y0) / HEADS_PER_BODY
        x, y, half = (x0 + x1) / 2, y0 + 0.55 * head, 0.37 * head
        faces.append((x - half, y - half, x + half, y + half))
    return tuple(row.frame for row, _ in rows), tuple(faces)


def sync_of(
    path: Path,
    fps: float,
    span: tuple[int, int] | None = None,
    *,
    head: tuple[tuple[int, ...], tuple[Box, ...]] | None = None,
) -> tuple[float | None, str]:
    """How many frames at 25 a second a clip's sound comes late by the embedded scorer, or None, and what was said.

    The faces are those that the stage finds, or the one whose frames and boxes `head` gives.
    """
    with VideoReader(path) as reader:
        video, clip = _records(reader, fps, span or (0, reader.num_frames), has_audio=True)
        context = cast(Context, _Open(reader, path, {"FaceWatcher": ClassicalFaceWatcher(), "SyncScorer": ClassicalSync()}))
        records = {Video: (video,), Clip: (clip,)}
        if head is None:
            faces = _one(FollowFaces(), Item(clip.id, records), context)
            assert isinstance(faces, Ok), f"faces cannot be followed: {faces}"
            tracks = tuple(row for row in faces.rows if isinstance(row, Track))
        else:
            frames, boxes = head
            tracks = (Track(clip_id=clip.id, kind="face", frames=frames, boxes=boxes, scores=(1.0,) * len(frames)),)
        result = _one(MeasureSync(), Item(clip.id, {**records, Track: tracks}), context)
    if isinstance(result, Filtered):
        return None, result.reason
    assert isinstance(result, Ok), f"sound cannot be compared: {result}"
    scores = {row.name: row for row in result.rows if isinstance(row, Score)}
    found = scores["sync_offset"]
    return found.value, found.reason or f"confidence {scores['sync_confidence'].value:.2f}"


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


def _one(stage: Stage, item: Item, context: Context) -> Result:
    (result,) = stage([item], context)
    return result


def footage_of(reader: FrameReader, fps: float, span: tuple[int, int], content: Box) -> Footage:
    return Footage(*_records(reader, fps, span, has_audio=False), reader, content)


def _records(reader: FrameReader, fps: float, span: tuple[int, int], *, has_audio: bool) -> tuple[Video, Clip]:
    video = Video(
        content_hash="bench",
        source_id="bench",
        num_frames=reader.num_frames,
        fps=fps,
        duration_s=reader.num_frames / fps,
        width=reader.width,
        height=reader.height,
        rotation=0,
        codec="",
        has_audio=has_audio,
        index="",
    )
    start, stop = span
    clip = Clip(
        video_id=video.id, start_frame=start, stop_frame=stop, start_s=start / fps, stop_s=stop / fps, opens_with="cut"
    )
    return video, clip


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _row(name: str, value: float | None, target: float | None, n: int, note: str = "") -> Row:
    return {"name": name, "value": value, "target": target, "n": n, "note": note}
