"""How well people are watched on sample worlds: the sides that they show."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2

from backend.domain import (
    Box,
    Clip,
    Facing,
    Footage,
    FrameReader,
    Video,
)
from backend.geometry.viewpoint import Windows
from backend.media.reader import VideoReader
from backend.models.classical_viewpoint import ClassicalViewpoint
from backend.sampleworld import SubjectFrame, VideoTruth, read_truth
from backend.sampleworld.cast import PEOPLE

VIEW_ACCURACY = 0.9
MIN_SIDE_PX, MIN_VISIBLE, EVERY = 96, 0.7, 12
ESTIMATOR, WINDOWS = ClassicalViewpoint(), Windows()
Row = dict[str, Any]


def run(world_dirs: Sequence[Path]) -> list[Row]:
    """Rows of name, value, target, n and note."""
    cv2.setNumThreads(1)
    return _sides(world_dirs)


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
    """`sides_of` of every person on every twelfth frame."""
    for shot in truth.shots:
        footage = footage_of(reader, truth.fps, (shot.start_frame, shot.stop_frame), truth.content)
        for subject in shot.subjects:
            if subject.category in PEOPLE:
                yield from sides_of(subject.frames[::EVERY], footage)


def sides_of(
    rows: Sequence[SubjectFrame], footage: Footage, *, estimator: ClassicalViewpoint = ESTIMATOR, names: Windows = WINDOWS
) -> Iterator[tuple[str, str | None]]:
    """The true and the named side of one person on frames where it is large, uncovered and unambiguous."""
    shown = [(row.frame, row.box, row.azimuth_deg) for row in rows if row.box is not None and row.visible >= MIN_VISIBLE]
    shown = [each for each in shown if min(each[1][2] - each[1][0], each[1][3] - each[1][1]) >= MIN_SIDE_PX]
    if not shown:
        return
    answers = estimator.facing(footage, [frame for frame, _, _ in shown], [box for _, box, _ in shown])
    for (_, _, azimuth), answer in zip(shown, answers, strict=True):
        wants = WINDOWS.side(azimuth)
        if wants is not None:
            yield wants, names.side(answer.azimuth_deg) if isinstance(answer, Facing) else None


def footage_of(reader: FrameReader, fps: float, span: tuple[int, int], content: Box) -> Footage:
    return Footage(*records_of(reader, fps, span, has_audio=False), reader, content)


def records_of(reader: FrameReader, fps: float, span: tuple[int, int], *, has_audio: bool) -> tuple[Video, Clip]:
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
