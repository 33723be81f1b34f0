"""From verdicts to a bound embedder, and no file where the verdicts teach nothing."""

from pathlib import Path

import numpy as np
import pytest

from backend.measures.projection import FittedProjection
from backend.models.appearance_encoders import ProjectedAppearance
from backend.models.classical_embedder import ClassicalAppearance
from backend.models.fit_embedder import JudgedPair, fit_embedder
from backend.models.places import ModelPlace
from tests.backend.measures.test_projection import judged as judged_vectors


def fitted(pairs: list[JudgedPair], folder: Path) -> FittedProjection:
    return fit_embedder(pairs, folder, implementation="embedded", location="", base_model_id=ClassicalAppearance.model_id)


def judged(*, nuisance: float) -> list[JudgedPair]:
    vectors, pairs, same, subjects = judged_vectors(nuisance=nuisance, length=24)
    vectors = np.pad(vectors, ((0, 0), (0, 516 - 24)))  # of the base's length
    return [
        JudgedPair(
            target_id=f"a{i}",
            reference_id=f"a{j}",
            target_subject=f"s{subjects[i]}",
            reference_subject=f"s{subjects[j]}",
            target=vectors[i],
            reference=vectors[j],
            verdict="same" if one else "different",
        )
        for (i, j), one in zip(pairs, same)
    ]


@pytest.mark.slow
def test_a_kept_projection_is_bound_as_an_embedder(tmp_path: Path) -> None:
    found = fitted(judged(nuisance=2.5), tmp_path / "fitted")
    assert found.kept, found.reason
    place = ModelPlace("AppearanceEmbedder", str(tmp_path / "fitted"))
    assert ProjectedAppearance(place, device="cpu", dtype="float32").model_id.startswith("projected-appearance@")


def test_nothing_is_written_for_verdicts_that_teach_nothing(tmp_path: Path) -> None:
    found = fitted(judged(nuisance=0.1)[:30], tmp_path / "fitted")
    assert not found.kept
    assert not (tmp_path / "fitted").exists()


def test_unsure_verdicts_and_near_duplicates_are_left_out(tmp_path: Path) -> None:
    pair = judged(nuisance=0.1)[0]
    more = [
        JudgedPair(**{**{f: getattr(pair, f) for f in pair.__slots__}, "verdict": v}) for v in ("unsure", "near_duplicate")
    ]
    assert fitted(more, tmp_path / "fitted").num_same == 0


def test_vectors_of_two_models_are_refused(tmp_path: Path) -> None:
    pair = judged(nuisance=0.1)[0]
    other = JudgedPair(
        **{**{f: getattr(pair, f) for f in pair.__slots__}, "target_id": "x", "target": np.ones(3, np.float32)}
    )
    with pytest.raises(ValueError, match=r"\[3, 516\]"):
        fitted([pair, other], tmp_path)
