"""How well people are watched on labelled real media: faces, pairs of faces, sides and expressions."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from backend.domain import Box, Facing, Footage
from backend.geometry.viewpoint import Windows
from backend.measures.cluster_bootstrap import drawn_weights
from backend.media.images import read_image
from backend.media.reader import VideoReader
from backend.models.classical_detector import ClassicalDetector
from backend.models.classical_faces import ClassicalFaceAnalyzer
from backend.models.classical_viewpoint import ClassicalViewpoint
from backend.models.expressions_classical import ClassicalExpressions
from backend.stages.expressions import AS_ANCHOR, ReadExpressions
from bench import accuracy_faces
from bench.accuracy_people import footage_of, share

SURE_FACE = 0.5  # as for people: backend.models.classical_detector.PERSON_FACE
BOXES = Path(__file__).parent / "viewpoint_boxes.csv"
"""Of the labelled people, by eye, in percent of the frame's sides."""
DRAWS = 2000
READABLE = ("neutral", "happy")
"""The anchors that the embedded reader has a word for."""
Row = dict[str, Any]


def run(real: Path | None) -> list[Row]:
    """Rows of name, value, target, n and note; none without the real folder."""
    if real is None:
        return []
    return [*_counts(real), *accuracy_faces.run(real), *_sides(real), *_expressions(real)]


def _counts(real: Path) -> list[Row]:
    told, right = [], 0
    for label in _labels(real, "face_counts.csv"):
        found = [
            face for face in ClassicalFaceAnalyzer().faces(read_image(real / label["file"])) if face.score >= SURE_FACE
        ]
        right += len(found) == int(label["human_faces"])
        told.append(f"{Path(label['file']).stem} {len(found)} of {label['human_faces']}")
    return [_row("real pictures with the right number of faces", share(right, len(told)), len(told), ", ".join(told))]


def _sides(real: Path) -> list[Row]:
    """Labelled frames with one side, one at a time: in the box that the embedded detector is surest of, and in one by eye."""
    labels = [row for row in _labels(real, "viewpoint.csv") if row["four_way_body"]]
    with BOXES.open(newline="", encoding="utf-8") as file:
        by_eye = {(row["file"], row["frame"], row["subject"]): row for row in csv.DictReader(file)}
    detector, estimator, windows = ClassicalDetector(), ClassicalViewpoint(), Windows()
    said: dict[str, list[str | None]] = {"boxes as found": [], "boxes by eye": []}
    for label in labels:
        with VideoReader(real / label["file"]) as reader:
            footage, frame = _whole(reader), int(label["frame"])
            row = by_eye[label["file"], label["frame"], label["subject"]]
            sides = (reader.width, reader.height) * 2
            told = tuple(float(row[name]) / 100 * side for name, side in zip(("x0", "y0", "x1", "y1"), sides, strict=True))
            for name, box in (("boxes as found", _person(detector, footage, frame)), ("boxes by eye", cast(Box, told))):
                (answer,) = (None,) if box is None else estimator.facing(footage, [frame], [box])
                said[name].append(windows.side(answer.azimuth_deg) if isinstance(answer, Facing) else None)
    return [row for name, answers in said.items() for row in _side_rows(name, labels, answers)]


def _side_rows(name: str, labels: Sequence[dict[str, str]], answers: Sequence[str | None]) -> list[Row]:
    """Shares, with the middle 95 % of draws subject by subject: frames of one subject are not independent."""
    subjects = {label["subject"]: k for k, label in enumerate(labels)}
    counts, wrong = np.zeros((len(labels), 2)), Counter[str]()
    for label, side in zip(labels, answers, strict=True):
        wanted = label["four_way_body"]
        counts[subjects[label["subject"]]] += (side == wanted, side is not None)
        wrong.update([f"{wanted} as {side}"] if side not in (None, wanted) else [])
    counts = counts[sorted(subjects.values())]
    drawn = np.concatenate([w @ counts for w in drawn_weights(len(counts), DRAWS, np.random.default_rng(0))])
    low, high = np.quantile(drawn[drawn[:, 1] > 0] @ [1, 0] / drawn[drawn[:, 1] > 0, 1], (0.025, 0.975))
    right, answered = (int(total) for total in counts.sum(axis=0))
    told = f"{low:.2f} to {high:.2f} over {len(counts)} people: " + ", ".join(
        f"{pair} {n}" for pair, n in wrong.most_common()
    )
    return [
        _row(f"real sides named rightly, of those named, {name}", share(right, answered), answered, told),
        _row(f"real sides named, {name}", share(answered, len(labels)), len(labels), "one frame at a time"),
    ]


def _person(detector: ClassicalDetector, footage: Footage, frame: int) -> Box | None:
    found = detector.detect(footage, [frame], ())
    return max(found, key=lambda each: (each.kind == "person", each.score)).box if found else None


def _expressions(real: Path) -> list[Row]:
    """The largest face of each labelled picture or frame; an anchor is named where its chance is what the stage asks."""
    reader, finder, least = ClassicalExpressions(), ClassicalFaceAnalyzer(), ReadExpressions().min_probability
    told: list[tuple[str, str, str, bool]] = []
    without = 0
    for label in _labels(real, "expression.csv"):
        picture = _picture_of(real, label)
        faces = [face.box for face in finder.faces(picture) if face.score >= SURE_FACE]
        if not faces:
            without += 1
            continue
        x0, y0, x1, y1 = (round(side) for side in max(faces, key=lambda box: (box[2] - box[0]) * (box[3] - box[1])))
        (chances,) = reader.classify([picture[y0:y1, x0:x1]])
        word = reader.labels[int(chances.argmax())] if chances.max() >= least else ""
        told.append((label["label"], label["second_choice"], AS_ANCHOR.get(word, ""), label["clarity"] == "clear"))
    clear = [(wanted, said) for wanted, _, said, is_clear in told if is_clear and wanted in READABLE]
    named = [(said in (wanted, second), f"{wanted} as {said}") for wanted, second, said, _ in told if said]
    missed = Counter(f"{wanted} as {said or 'nothing'}" for wanted, said in clear if said != wanted)
    wrong = Counter(pair for is_right, pair in named if not is_right)
    return [
        _row("real clear neutral and happy faces named so", share(sum(w == s for w, s in clear), len(clear)), len(clear),
             ", ".join(f"{pair} {n}" for pair, n in missed.most_common())),
        _row("real expression anchors named rightly, of those named", share(sum(ok for ok, _ in named), len(named)),
             len(named), ", ".join(f"{pair} {n}" for pair, n in wrong.most_common())),
        _row("real expressions on a face that is found", share(len(told), len(told) + without), len(told) + without,
             "eight classes, of which two can be named"),
    ]  # fmt: skip


def _picture_of(real: Path, label: dict[str, str]) -> np.ndarray:
    if not label["frame"]:
        return read_image(real / label["file"])
    with VideoReader(real / label["file"]) as reader:
        return reader.at([int(label["frame"])])[0]


def _whole(reader: VideoReader) -> Footage:
    fps = (reader.num_frames - 1) / max(float(reader.times_s[-1]), 1e-3)
    return footage_of(reader, fps, (0, reader.num_frames), (0.0, 0.0, float(reader.width), float(reader.height)))


def _labels(real: Path, name: str) -> list[dict[str, str]]:
    with (real / "labels" / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _row(name: str, value: float | None, n: int, note: str = "") -> Row:
    return {"name": name, "value": value, "target": None, "n": n, "note": note}
