"""`fit-embedder`: from people's verdicts on pairs to a projection of the bound AppearanceEmbedder's vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.measures.projection import FittedProjection, fit_projection
from backend.models.appearance_encoders import write_projection


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPair:
    """Two appearances with their vectors and subjects, and the verdict on whether they are one."""

    target_id: str
    reference_id: str
    target_subject: str
    reference_subject: str
    """A picture without a subject gives its appearance's id."""
    target: np.ndarray
    reference: np.ndarray
    verdict: str
    """same, near_duplicate, different or unsure."""


def fit_embedder(
    judged: Sequence[JudgedPair], folder: Path, *, implementation: str, location: str, base_model_id: str, seed: int = 0
) -> FittedProjection:
    """Fits a projection to sure verdicts and writes it to `folder` when it is kept; the figures tell which.

    The vectors must all be of the model `base_model_id`, served by `implementation` from `location`. Near-duplicates
    are left out: any vector tells them. Raises ValueError for vectors of different length.
    """
    sure = [pair for pair in judged if pair.verdict in ("same", "different")]
    vectors: dict[str, np.ndarray] = {}
    subjects: dict[str, str] = {}
    for pair in sure:
        vectors |= {pair.target_id: pair.target, pair.reference_id: pair.reference}
        subjects |= {pair.target_id: pair.target_subject, pair.reference_id: pair.reference_subject}
    lengths = {vector.size for vector in vectors.values()}
    if len(lengths) > 1:
        raise ValueError(f"vectors of {sorted(lengths)} numbers are of several models; give those of one")
    names = sorted(vectors)
    number = {name: k for k, name in enumerate(names)}
    numbered = {name: k for k, name in enumerate(sorted(set(subjects.values())))}
    fitted = fit_projection(
        np.stack([vectors[name] for name in names]) if names else np.zeros((0, 1), np.float32),
        [(number[pair.target_id], number[pair.reference_id]) for pair in sure],
        [pair.verdict == "same" for pair in sure],
        subjects=[numbered[subjects[name]] for name in names],
        seed=seed,
    )
    if fitted.kept:
        write_projection(folder, fitted, implementation=implementation, location=location, base_model_id=base_model_id)
    return fitted
