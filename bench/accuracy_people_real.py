"""How well people are watched on labelled real media: faces, pairs of faces, sides and expressions."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from backend.domain import Box, Facing, Footage
from backend.geometry.viewpoint import Windows
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
    """Labelled frames with one side, in the box of the subject that the embedded detector is surest of."""
    labels = [row for row in _labels(real, "viewpoint.csv") if row["four_way_body"]]
    windows, estimator, detector = Windows(), ClassicalViewpoint(), ClassicalDetector()
    right, answered, wrong = 0, 0, Counter[str]()
    for file in sorted({row["file"] for row in labels}):
        with VideoReader(real / file) as reader:
            footage = _whole(reader)
            for label in (row for row in labels if row["file"] == file):
                frame, wanted = int(label["frame"]), label["four_way_body"]
                box = _person(detector, footage, frame)
                if box is None:
                    continue
                (answer,) = estimator.facing(footage, [frame], [box])
                side = windows.side(answer.azimuth_deg) if isinstance(answer, Facing) else None
                answered += side is not None
                right += side == wanted
                wrong.update([f"{wanted} as {side}"] if side not in (None, wanted) else [])
    told = ", ".join(f"{pair} {n}" for pair, n in wrong.most_common())
    return [
        _row("real sides named rightly, of those named", share(right, answered), answered, told),
        _row("real sides named", share(answered, len(labels)), len(labels), "one frame at a time, boxes as found"),
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
