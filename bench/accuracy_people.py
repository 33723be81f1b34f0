"""How well people are watched: sides, sound and lips on sample worlds; faces, pairs, sides, expressions, sound on real media."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from backend.domain import (
    Absent,
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
from backend.media.reader import VideoReader
from backend.models.classical_embedder_face import ClassicalFace
from backend.models.classical_face_watcher import ClassicalFaceWatcher
from backend.models.classical_faces import ClassicalFaceAnalyzer
from backend.models.classical_sync import ClassicalSync
from backend.models.classical_viewpoint import ClassicalViewpoint
from backend.sampleworld import VideoTruth, read_truth
from backend.stages.faces import FollowFaces
from backend.stages.sync import MeasureSync

VIEW_ACCURACY, SYNC_SHARE = 0.9, 0.9
MIN_SIDE_PX, MIN_VISIBLE, EVERY = 96, 0.7, 8
PRECISION = 0.95
Row = dict[str, Any]


def run(world_dirs: Sequence[Path], real_dir: Path | None) -> list[Row]:
    """Rows of name, value, target, n and note."""
    cv2.setNumThreads(1)
    rows = [*_sides(world_dirs), *_sync(world_dirs)]
    if real_dir is not None:
        rows += [*_real_counts(real_dir), *_real_pairs(real_dir), *_real_distances(real_dir)]
        rows += [*_real_sides(real_dir), *_real_sync(real_dir)]
    return rows


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
        _row("sides named rightly, of those named", _share(right, answered), VIEW_ACCURACY, answered, kinds),
        _row("sides named, of frames within 30 degrees of one", _share(answered, wanted), None, wanted, "embedded"),
        _row("sides named rightly, of all these frames", _share(right, wanted), VIEW_ACCURACY, wanted, "true boxes"),
    ]


def _side_answers(truth: VideoTruth, reader: FrameReader) -> Iterator[tuple[str, str | None]]:
    """The true and the named side of every person on every eighth frame whose side is unambiguous."""
    windows, estimator = Windows(), ClassicalViewpoint()
    for shot in truth.shots:
        footage = _footage(reader, truth.fps, (shot.start_frame, shot.stop_frame), truth.content)
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
    right, judged, talking, states = 0, 0, 0, {"silent": [0, 0], "wrong": [0, 0]}
    notes = []
    for folder in world_dirs:
        for truth in read_truth(Path(folder)).videos:
            spans = [(s.start_frame, s.stop_frame) for s in truth.shots if s.speaks]
            for span in spans if truth.sound.kind in ("speech", "silent", "wrong") else ():
                offset, said = sync_of(folder / truth.file, truth.fps, span)
                if truth.sound.kind == "speech":
                    assert truth.sound.offset_s is not None, "speech has an offset"
                    talking += 1
                    judged += offset is not None
                    right += offset is not None and abs(offset - truth.sound.offset_s * 25) <= 1
                    if offset is None:
                        notes.append(said)
                else:
                    states[truth.sound.kind][0] += 1
                    states[truth.sound.kind][1] += offset is None
    reasons = "; ".join(sorted(set(notes)))
    return [
        _row("sound offset within one frame, of talking clips", _share(right, talking), SYNC_SHARE, talking, reasons),
        _row("sound offset within one frame, of those judged", _share(right, judged), SYNC_SHARE, judged, "embedded, weak"),
        *(_row(f"{kind} sound named as such", _share(named, all_), None, all_) for kind, (all_, named) in states.items()),
    ]


def sync_of(path: Path, fps: float, span: tuple[int, int] | None = None) -> tuple[float | None, str]:
    """How many frames at 25 a second a clip's sound comes late by the embedded scorer, or None, and what was said."""
    with VideoReader(path) as reader:
        video, clip = _records(reader, fps, span or (0, reader.num_frames), has_audio=True)
        context = cast(Context, _Open(reader, path, {"FaceWatcher": ClassicalFaceWatcher(), "SyncScorer": ClassicalSync()}))
        records = {Video: (video,), Clip: (clip,)}
        faces = _one(FollowFaces(), Item(clip.id, records), context)
        assert isinstance(faces, Ok), f"faces cannot be followed: {faces}"
        tracks = tuple(row for row in faces.rows if isinstance(row, Track))
        result = _one(MeasureSync(), Item(clip.id, {**records, Track: tracks}), context)
    if isinstance(result, Filtered):
        return None, result.reason
    assert isinstance(result, Ok), f"sound cannot be compared: {result}"
    scores = {row.name: row for row in result.rows if isinstance(row, Score)}
    found = scores["sync_offset"]
    return found.value, found.reason or f"confidence {scores['sync_confidence'].value:.2f}"


def _real_counts(real_dir: Path) -> list[Row]:
    told, right = [], 0
    for label in _labels(real_dir, "face_counts.csv"):
        found = [f for f in ClassicalFaceAnalyzer().faces(_picture(real_dir / label["file"])) if f.score >= 0.5]
        right += len(found) == int(label["human_faces"])
        told.append(f"{Path(label['file']).stem} {len(found)} of {label['human_faces']}")
    return [
        _row("real pictures with the right number of faces", _share(right, len(told)), None, len(told), ", ".join(told))
    ]


def _real_pairs(real_dir: Path) -> list[Row]:
    """Cosines of face pairs, the threshold that reaches the precision wanted, and its interval over resampled pairs."""
    embedder, vectors, scores, same, missing = ClassicalFace(), {}, [], [], 0
    for label in _labels(real_dir, "face_pairs.csv"):
        pair = [label["file_a"], label["file_b"]]
        for file in pair:
            if file not in vectors:
                picture = _picture(real_dir / file)
                height, width = picture.shape[:2]
                whole = (0.0, 0.0, float(width), float(height))
                vectors[file] = embedder.embed(picture, np.ones((height, width), bool), whole)
        if any(isinstance(vectors[file], Absent) for file in pair):
            missing += 1
            continue
        scores.append(float(vectors[pair[0]] @ vectors[pair[1]]))
        same.append(label["same"] == "1")
    note = f"{missing} of {missing + len(scores)} pairs without a frontal face on both sides"
    return _calibrated("embedded cosine", np.array(scores), np.array(same), note)


def _real_distances(real_dir: Path) -> list[Row]:
    labels = _labels(real_dir, "face_distances_deepface.csv")
    same, rows = np.array([label["same"] == "1" for label in labels]), []
    for name in (key for key in labels[0] if key not in ("file_a", "file_b", "same")):
        rows += _calibrated(name, -np.array([float(label[name]) for label in labels]), same, "published distance, negated")
    return rows


def _calibrated(name: str, scores: np.ndarray, same: np.ndarray, note: str) -> list[Row]:
    rng = np.random.default_rng(0)
    drawn = [rng.integers(len(scores), size=len(scores)) for _ in range(400)]
    found = [t for t in (threshold(scores[k], same[k]) for k in drawn) if t is not None]
    value, interval = threshold(scores, same), np.percentile(found, [2.5, 97.5]) if found else (np.nan, np.nan)
    recall = None if value is None else float((scores[same] >= value).mean())
    said = (
        "none reaches it"
        if value is None
        else f"recall {recall:.2f}, 95 % of resamples {interval[0]:.3f} to {interval[1]:.3f}"
    )
    ranks = np.argsort(np.argsort(scores)) + 1
    positives = int(same.sum())
    area = (ranks[same].sum() - positives * (positives + 1) / 2) / max(positives * (len(same) - positives), 1)
    return [
        _row(f"face pairs, {name}: area under the curve", float(area), None, len(scores), note),
        _row(f"face pairs, {name}: threshold at precision {PRECISION}", value, None, len(scores), said),
    ]


def threshold(scores: np.ndarray, same: np.ndarray, *, precision: float = PRECISION, least: int = 5) -> float | None:
    """The lowest score such that of the pairs from it on the wanted share is the same, at least `least` of them."""
    order = np.argsort(-scores, kind="stable")
    reached = np.cumsum(same[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero((reached >= precision) & (np.arange(len(order)) + 1 >= least))
    return float(scores[order[enough[-1]]]) if len(enough) else None


def _real_sides(real_dir: Path) -> list[Row]:
    """Labelled frames of real clips, in the box of the largest face grown to a body, or of the whole picture's height."""
    right, answered, labels = 0, 0, [r for r in _labels(real_dir, "viewpoint.csv") if r["four_way_body"]]
    windows, estimator = Windows(), ClassicalViewpoint()
    for file in sorted({label["file"] for label in labels}):
        with VideoReader(real_dir / file) as reader:
            fps = reader.num_frames / max(float(reader.times_s[-1]), 1e-3)
            footage = _footage(reader, fps, (0, reader.num_frames), (0.0, 0.0, float(reader.width), float(reader.height)))
            for label in (r for r in labels if r["file"] == file):
                frame = int(label["frame"])
                box = _person_box(footage, frame)
                if box is None:
                    continue
                (answer,) = estimator.facing(footage, [frame], [box])
                side = windows.side(answer.azimuth_deg) if isinstance(answer, Facing) else None
                answered += side is not None
                right += side == label["four_way_body"]
    return [
        _row("real sides named rightly, of those named", _share(right, answered), None, answered, "embedded, boxes found"),
        _row("real sides named", _share(answered, len(labels)), None, len(labels)),
    ]


def _person_box(footage: Footage, frame: int) -> Box | None:
    """The surest subject that the embedded detector finds."""
    from backend.models.classical_detector import ClassicalDetector

    found = ClassicalDetector().detect(footage, [frame], ())
    return max(found, key=lambda d: (d.kind == "person", d.score)).box if found else None


def _real_sync(real_dir: Path) -> list[Row]:
    told = []
    for label in _labels(real_dir, "sync.csv"):
        path = real_dir / label["file"]
        with VideoReader(path) as reader:
            fps = reader.num_frames / max(float(reader.times_s[-1]), 1e-3)
        offset, said = sync_of(path, fps)
        wanted = label["offset_frames_at_25fps"] or "none"
        told.append(f"{path.stem}: {'none' if offset is None else f'{offset:g}'}, true {wanted} ({said})")
    return [_row("real sound offsets read", len(told), None, len(told), "; ".join(told))]


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


def _footage(reader: FrameReader, fps: float, span: tuple[int, int], content: Box) -> Footage:
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


def _picture(path: Path) -> np.ndarray:
    return cv2.cvtColor(np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)


def _labels(real_dir: Path, name: str) -> list[dict[str, str]]:
    with (real_dir / "labels" / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _row(name: str, value: float | None, target: float | None, n: int, note: str = "") -> Row:
    return {"name": name, "value": value, "target": target, "n": n, "note": note}
