"""Fits what the classical embedder ships: the mean of each block, and the logistic fusion of evidence."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from backend.domain import Pair, Subject
from backend.models.classical_embedder import CHANCE_INLIERS
from bench.accuracy_pairs_worlds import GivenWorld

EVIDENCE = ("colour_cosine", "texture_cosine", "shape_cosine", "log_inliers")
FACE_WEIGHT = 4.0
"""Not fitted: drawn faces are no evidence about real ones. On 469 pairs of real cut-outs of one long video, faces of one
person have cosines of .93 (tenth percentile), of two people at most .88 (ninetieth): .25 apart gives one log unit."""
COLOUR_SHARE = 0.7
"""Share of the mean colours that is taken away: drawn subjects have other colours than real ones, so not all of it."""
RIDGE = 1.0
PEOPLE = {"man": "person", "woman": "person"}


def fit_means(worlds: Sequence[Mapping[str, Sequence[np.ndarray]]]) -> dict[str, list[float]]:
    """Mean raw block over the cut-outs of all worlds."""
    means = {}
    for name in ("colour", "texture", "shape"):
        blocks = np.stack([block for world in worlds for block in world[name]])
        means[name] = (
            (blocks.mean(axis=0, dtype=np.float64) * (COLOUR_SHARE if name == "colour" else 1.0)).round(4).tolist()
        )
    return means


def fit_fusion(worlds: Sequence[GivenWorld]) -> dict[str, object]:
    """Logistic weights by ridge regression over cross-clip pairs of all worlds, copies left out.

    A world counts as one long video, so that the different dogs and people of its films meet, but only pairs of one
    category or film count. The bias is then set on pairs within one film, for which the chance is meant. No weight may
    be negative: nothing that is alike speaks against an identity.
    """
    table = [row for world in worlds for row in evidence_rows(world)]
    features = np.array([[row[name] for name in EVIDENCE] for row, _, _ in table])
    same = np.array([label for _, label, _ in table], float)
    within = np.array([film for _, _, film in table])
    centre, spread = features.mean(axis=0), features.std(axis=0)
    scaled = (features - centre) / spread

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        score = scaled @ parameters[1:] + parameters[0]
        value = np.logaddexp(0.0, score).sum() - same @ score + 0.5 * RIDGE * (parameters[1:] ** 2).sum()
        error = 1.0 / (1.0 + np.exp(-score)) - same
        return value, np.concatenate([[error.sum()], scaled.T @ error + RIDGE * parameters[1:]])

    bounds = [(None, None)] + [(0.0, None)] * len(EVIDENCE)
    found = minimize(loss, np.zeros(len(EVIDENCE) + 1), jac=True, method="L-BFGS-B", bounds=bounds).x
    weights = found[1:] / spread
    bias = _bias(features[within] @ weights, same[within])
    means = dict(zip(EVIDENCE, centre.round(3).tolist())) | {"face_cosine": 0.9}
    return {
        "weights": dict(zip(EVIDENCE, weights.round(3).tolist())) | {"face_cosine": FACE_WEIGHT},
        "bias": round(bias - FACE_WEIGHT * 0.9, 3),
        "evidence_means": means,
    }


def evidence_rows(world: GivenWorld) -> list[tuple[dict[str, float], bool, bool]]:
    """Evidence, truth, and whether both are of one film, for each cross-clip pair that is no copy."""
    category = {s.id: PEOPLE.get(s.category, s.category) for s in world.curated.of(Subject)}
    identity = {s.id: s.track_id for s in world.curated.of(Subject)}
    place = {s.id: world.place[s.clip_id] for s in world.curated.of(Subject)}
    rows = []
    for pair in world.curated.of(Pair):
        a, b = pair.target_subject_id, pair.reference_subject_id
        within = place[a][0] == place[b][0]
        comparable = within or category[a] == category[b]
        if pair.kind == "cross_frame" and comparable and frozenset((place[a], place[b])) not in world.copies:
            values = {name: value if value is not None else np.nan for name, value in world.curated.scores[pair.id].items()}
            rows.append(
                (values | {"log_inliers": _log_excess(values["keypoint_inliers"])}, identity[a] == identity[b], within)
            )
    return rows


def _log_excess(inliers: float) -> float:
    return float(np.log1p(max(0.0, inliers - CHANCE_INLIERS)))


def _bias(scores: np.ndarray, same: np.ndarray) -> float:
    """The bias of greatest likelihood for scores whose weights stand."""

    def loss(bias: np.ndarray) -> float:
        return float(np.logaddexp(0.0, scores + bias[0]).sum() - same @ (scores + bias[0]))

    return float(minimize(loss, np.zeros(1)).x[0])


def write(path: Path, *, made_by: str, means: Mapping[str, list[float]], fusion: Mapping[str, object]) -> None:
    """Writes the calibration, one key a line."""
    rows = {"made_by": made_by, "means": means, **fusion}
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in rows.items())
    path.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
