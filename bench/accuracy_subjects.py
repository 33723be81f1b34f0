"""How many of the sample world's subjects are found, and how well they are cut out."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from backend.domain import Box, Clip, Detection, Footage, Video
from backend.geometry import boxes
from backend.media.reader import VideoReader
from backend.models.classical_detector import ClassicalDetector
from backend.models.classical_segmenter import ClassicalSegmenter
from backend.sampleworld import ShotTruth, SubjectFrame, VideoTruth, read_truth

SAMPLE_AT = (0.05, 0.5, 0.95)  # Phantom-Data, section 4.2.1, as are the sizes below
MIN_AREA, MAX_AREA, MIN_SIDE_PX = 0.04, 0.9, 128
MIN_VISIBLE = 0.7
HIT_IOU = 0.5
MAX_PER_SUBJECT = 3
MIN_FRAMES = 24


@dataclass
class Tally:
    """What was counted over the shots of some worlds."""

    eligible: int = 0
    hit: int = 0
    hit_within_three: int = 0
    kept: int = 0
    subjects: int = 0
    stray: int = 0
    linked: int = 0
    links: int = 0
    mask_ious: tuple[float, ...] = ()
    clips: int = 0
    detect_s: float = 0.0
    segment_s: float = 0.0


def run(world_dirs: Sequence[Path]) -> list[dict]:
    """Rows of name, value, target (None where there is none), n and note, over all shots of the rendered worlds.

    A box is kept when it passes the sizes of Phantom-Data. A subject is eligible on a sampled frame with 4 to 90 % of
    it, both sides of at least 128 px and at least 70 % visible; a hit is a kept box of IoU .5 or more, one to one.
    """
    tally = Tally()
    for folder in world_dirs:
        for video in read_truth(Path(folder)).videos:
            _watch(Path(folder), video, tally)
    ious = np.asarray(tally.mask_ious)
    num_hits = len(ious)
    return [
        _row("subject recall, one to one", _share(tally.hit, tally.eligible), 0.9, tally.eligible),
        _row("subject recall, three boxes a subject", _share(tally.hit_within_three, tally.eligible), 0.9, tally.eligible),
        _row("kept boxes per true subject", _share(tally.kept, tally.subjects), 3.0, tally.subjects, "at most"),
        _row("share of kept boxes on no subject", _share(tally.stray, tally.kept), None, tally.kept, "IoU under .5"),
        _row("frames of a subject linked", _share(tally.linked, tally.links), None, tally.links),
        _row("mask IoU, mean over hits", float(ious.mean()) if num_hits else None, 0.8, num_hits),
        _row("masks under IoU .5", float((ious < 0.5).mean()) if num_hits else None, 0.05, num_hits, "at most"),
        _row("CPU seconds to detect, a clip", _share(tally.detect_s, tally.clips), 1.5, tally.clips, "at most"),
        _row("CPU seconds to cut, a mask", _share(tally.segment_s, num_hits), 0.15, num_hits, "at most"),
    ]


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


def main(arguments: Sequence[str]) -> None:
    """Prints the table for the worlds in the folders given."""
    if not arguments:
        say("usage: python -m bench.accuracy_subjects WORLD_FOLDER...")
        raise SystemExit(2)
    for row in run([Path(folder) for folder in arguments]):
        value = "none" if row["value"] is None else f"{row['value']:.3f}"
        target = "" if row["target"] is None else f"{row['note'] or 'at least'} {row['target']:g}"
        say(f"{row['name']:<40} {value:>8}  {target:<14} n={row['n']}")


def _watch(folder: Path, truth: VideoTruth, tally: Tally) -> None:
    detector = ClassicalDetector()
    with VideoReader(folder / truth.file) as reader:
        for shot in truth.shots:
            if shot.stop_frame - shot.start_frame < MIN_FRAMES:
                continue
            footage = _footage(reader, truth, shot)
            frames = sorted(set(footage.fractions(SAMPLE_AT)))
            started = time.process_time()
            found = detector.detect(footage, frames, ())
            tally.detect_s += time.process_time() - started
            tally.clips += 1
            tracks: dict[int, list[int | None]] = {}
            for frame in frames:
                for subject, detection in _judge(footage, truth, shot, frame, found, tally):
                    tracks.setdefault(subject, []).append(detection.track)
            for numbers in tracks.values():
                tally.links += len(numbers) - 1
                tally.linked += len(numbers) - len(set(numbers))


def _judge(
    footage: Footage, truth: VideoTruth, shot: ShotTruth, frame: int, found: Sequence[Detection], tally: Tally
) -> Iterator[tuple[int, Detection]]:
    """Counts one frame; gives the subject's place in the shot and the detection of each hit."""
    shown = {i: row for i, s in enumerate(shot.subjects) if (row := s.at(frame)) is not None and row.box is not None}
    wanted = [i for i, row in shown.items() if is_eligible(row, truth.content)]
    kept = [d for d in found if d.frame == frame and _is_kept(d.box, truth.content)]
    tally.eligible += len(wanted)
    tally.subjects += len(shown)
    tally.kept += len(kept)
    overlaps = _overlaps(kept, [shown[i] for i in shown])
    tally.stray += int((overlaps.max(axis=1, initial=0.0) < HIT_IOU).sum())
    matches = list(_matches(_overlaps(kept, [shown[i] for i in wanted])))
    tally.hit += len(matches)
    best = kept[: MAX_PER_SUBJECT * len(shown)]
    tally.hit_within_three += len(list(_matches(_overlaps(best, [shown[i] for i in wanted]))))
    for row, column in matches:
        mask = _mask_at(shot, wanted[column], frame, truth)
        if mask is not None:
            started = time.process_time()
            cut = ClassicalSegmenter().segment_moving(footage, frame, [kept[row].box])[0][0]
            tally.segment_s += time.process_time() - started
            tally.mask_ious += (float((cut & mask).sum() / max((cut | mask).sum(), 1)),)
        yield wanted[column], kept[row]


def _mask_at(shot: ShotTruth, subject: int, frame: int, truth: VideoTruth) -> np.ndarray | None:
    """The true mask of exactly that frame, or of a neighbour that the subject's box says looks alike."""
    rows = shot.subjects[subject].frames
    here = shot.subjects[subject].at(frame)
    near = [r for r in rows if r.mask is not None and r.box is not None and abs(r.frame - frame) <= 2]
    if here is None or here.box is None or not near:
        return None
    nearest = min(near, key=lambda r: abs(r.frame - frame))
    if nearest.box is None or boxes.iou(nearest.box, here.box) < 0.95:
        return None
    return shot.subjects[subject].mask_at(nearest.frame, height=truth.height, width=truth.width)


def is_eligible(row: SubjectFrame, content: Box) -> bool:
    """Whether a subject is large and whole enough on a frame to be asked for."""
    return row.box is not None and row.visible >= MIN_VISIBLE and _is_kept(row.box, content)


def _is_kept(box: Box, content: Box) -> bool:
    share = boxes.area(box) / boxes.area(content)
    return MIN_AREA <= share <= MAX_AREA and min(box[2] - box[0], box[3] - box[1]) >= MIN_SIDE_PX


def _overlaps(kept: Sequence[Detection], shown: Sequence[SubjectFrame]) -> np.ndarray:
    return boxes.iou_matrix([d.box for d in kept], [row.box for row in shown if row.box is not None])


def _matches(overlaps: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs of box and subject, one to one: as many as possible, then the closest."""
    good = overlaps >= HIT_IOU
    for row, column in zip(*linear_sum_assignment(-(good + 1e-3 * overlaps)), strict=True):
        if good[row, column]:
            yield int(row), int(column)


def _footage(reader: VideoReader, truth: VideoTruth, shot: ShotTruth) -> Footage:
    video = Video(
        content_hash=truth.name,
        source_id="",
        num_frames=reader.num_frames,
        fps=float(truth.fps),
        duration_s=reader.num_frames / truth.fps,
        width=reader.width,
        height=reader.height,
        rotation=0,
        codec="h264",
        has_audio=False,
        index="",
    )
    clip = Clip(
        video_id=video.id,
        start_frame=shot.start_frame,
        stop_frame=shot.stop_frame,
        start_s=shot.start_frame / truth.fps,
        stop_s=shot.stop_frame / truth.fps,
        opens_with="start",
    )
    over = tuple(o.box for o in truth.overlays if o.start_frame < shot.stop_frame and o.stop_frame > shot.start_frame)
    return Footage(video, clip, reader, truth.content, over)


def _row(name: str, value: float | None, target: float | None, n: int, note: str = "") -> dict:
    return {"name": name, "value": value, "target": target, "n": n, "note": note}


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None


if __name__ == "__main__":
    main(sys.argv[1:])
