"""Thresholds calibrated on labelled face pairs: embedded vectors on real pictures, and published distances of models.

A bound is fitted by `fit_thresholds`; its interval is that of bounds on pairs drawn anew, person by person.
"""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backend.measures.thresholds import fit_thresholds, precision_curve, wilson_low
from backend.media.images import read_image
from backend.models.classical_embedder_face import ClassicalFace

PRECISION = 0.8
"""What is asked of 76 to 438 pairs: .95 needs 73 right of 73 and more."""
DRAWS = 200
PUBLISHED = ("vggface_cosine", "facenet_cosine", "facenet_l2", "openface_cosine", "deepface_cosine")
Judged = list[tuple[float, bool, tuple[str, str]]]
"""Score, whether the two are one, and their names."""


def run(real: Path | None) -> list[dict[str, Any]]:
    """Rows `{name, value, target, n, note}`; none without the real folder."""
    if real is None:
        return []
    rows = [*_rows("embedded face vectors", *_embedded(real))]
    published = _csv(real / "labels" / "face_distances_deepface.csv")
    for name in PUBLISHED:
        judged = [(-float(r[name]), r["same"] == "1", (r["file_a"], r["file_b"])) for r in published if r[name]]
        rows += _rows(f"published {name}", judged, len(published))
    return rows


def _embedded(real: Path) -> tuple[Judged, int]:
    embedder = ClassicalFace()
    vectors: dict[str, np.ndarray | None] = {}
    pairs = _csv(real / "labels" / "face_pairs.csv")
    for name in sorted({row[side] for row in pairs for side in ("file_a", "file_b")}):
        picture = read_image(real / name)
        height, width = picture.shape[:2]
        found = embedder.embed(picture, np.ones((height, width), bool), (0.0, 0.0, float(width), float(height)))
        vectors[name] = found if isinstance(found, np.ndarray) else None
    judged: Judged = []
    for row in pairs:
        a, b = vectors[row["file_a"]], vectors[row["file_b"]]
        if a is not None and b is not None:
            judged.append((float(a @ b), row["same"] == "1", (row["identity_a"], row["identity_b"])))
    return judged, len(pairs)


def _rows(name: str, judged: Judged, num: int) -> list[dict[str, Any]]:
    scores, right = np.array([score for score, _, _ in judged]), np.array([same for _, same, _ in judged])
    fitted = fit_thresholds(
        ((score, None, "same" if same else "different") for score, same, _ in judged), precision=PRECISION
    ).by_category[""]
    low, high, reached = _interval(judged)
    same, other = scores[right], scores[~right]
    area = float((same[:, None] > other[None]).mean() + 0.5 * (same[:, None] == other[None]).mean())
    point = next((p for p in precision_curve(scores.tolist(), right.tolist()) if p.score == fitted.score), None)
    note = f"{fitted.reason}; bound in [{low:.3f}, {high:.3f}] of {reached} of {DRAWS} draws" if point else fitted.reason
    half = fit_half(judged)
    return [
        _row(f"{name}: area under the curve", area, None, len(judged), f"{len(judged)} of {num} pairs have both vectors"),
        _row(f"{name}: bound at precision {PRECISION}", fitted.score, None, len(judged), note),
        _row(f"{name}: recall at that bound", point.recall if point else None, None, int(right.sum()), half),
    ]


def fit_half(judged: Judged) -> str:
    """What a bound that was fitted to one half of the pairs is worth on the other."""
    order = np.random.default_rng(0).permutation(len(judged))
    first, second = ([judged[k] for k in order[start::2]] for start in (0, 1))
    rows = ((score, None, "same" if same else "different") for score, same, _ in first)
    bound = fit_thresholds(rows, precision=PRECISION, least=20).bound(None)
    if bound is None:
        return "half of the pairs proves no bound"
    kept = [same for score, same, _ in second if score >= bound]
    return f"fitted to half: {sum(kept)} of {len(kept)} right on the other, low end {wilson_low(sum(kept), len(kept)):.2f}"


def _interval(judged: Judged) -> tuple[float, float, int]:
    """Middle 90 % of bounds when people are drawn anew with replacement, and how many draws have one."""
    names = sorted({name for _, _, ends in judged for name in ends})
    rng, bounds = np.random.default_rng(0), []
    for _ in range(DRAWS):
        times = dict(zip(names, np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names)).tolist()))
        rows = [
            (score, None, "same" if same else "different")
            for score, same, (a, b) in judged
            for _ in range(min(times[a], times[b]))
        ]
        bound = fit_thresholds(rows, precision=PRECISION, least=20).bound(None)
        if bound is not None:
            bounds.append(bound)
    low, high = np.quantile(bounds, [0.05, 0.95]).tolist() if bounds else (np.nan, np.nan)
    return low, high, len(bounds)


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _row(name: str, value: float | None, target: float | None, n: int, note: str) -> dict[str, Any]:
    return {"name": name, "value": value, "target": target, "n": n, "note": note}


def main(arguments: Sequence[str]) -> None:
    """`python -m bench.accuracy_faces FOLDER` prints rows of a folder of real media with labels."""
    for row in run(Path(arguments[0])):
        value = "none" if row["value"] is None else f"{row['value']:.3f}"
        sys.stdout.write(f"{row['name']:48s} {value:>8s}  n {row['n']:<5d} {row['note']}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
