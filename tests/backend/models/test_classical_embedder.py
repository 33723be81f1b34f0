import numpy as np
import pytest

from backend.domain import Absent
from backend.models.classical_embedder import (
    BLOCKS,
    ClassicalAppearance,
    ClassicalBackground,
    appearance_parts,
    calibration,
    same_subject,
)
from backend.models.classical_embedder_face import ClassicalFace

BOX = (40.0, 20.0, 104.0, 148.0)


def scene(seed: int, *, background: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A patterned rectangle of one seed before a background of another: RGB (180, 240, 3) and its mask."""
    frame = np.random.default_rng(100 + background).integers(0, 120, (180, 240, 3), dtype=np.uint8)
    rng = np.random.default_rng(seed)
    patches = rng.integers(40, 216, 3) + rng.integers(-40, 40, (8, 4, 1))
    colours = patches.repeat(16, axis=0).repeat(16, axis=1)
    mask = np.zeros((180, 240), bool)
    mask[20:148, 40:104] = True
    frame[20:148, 40:104] = colours
    return frame, mask


def vector(embedder, frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    found = embedder.embed(frame, mask, BOX)
    assert isinstance(found, np.ndarray)
    return found


@pytest.mark.parametrize("embedder", [ClassicalAppearance(), ClassicalBackground()])
def test_vectors_are_unit_float32_and_repeatable(embedder):
    first, second = (vector(embedder, *scene(1)) for _ in range(2))
    assert first.dtype == np.float32
    assert np.linalg.norm(first) == pytest.approx(1.0, abs=1e-5)
    assert first.tobytes() == second.tobytes()


def test_appearance_ignores_the_background_and_background_the_subject():
    appearance, background = ClassicalAppearance(), ClassicalBackground()
    here, there, other = scene(1), scene(1, background=1), scene(2)
    lit = appearance.embed(*here, BOX) @ vector(appearance, *there)  # type: ignore[operator]
    assert lit > 0.98
    assert vector(background, *here) @ vector(background, *other) > 0.99


def test_another_pattern_is_less_alike():
    embedder = ClassicalAppearance()
    same = vector(embedder, *scene(1)) @ vector(embedder, *scene(1, background=1))
    assert vector(embedder, *scene(1)) @ vector(embedder, *scene(2)) < same - 0.3


def test_the_cosine_is_the_shared_sum_of_its_parts():
    embedder = ClassicalAppearance()
    a, b = vector(embedder, *scene(1))[None], vector(embedder, *scene(2))[None]
    parts = appearance_parts(a, b)
    assert list(parts) == [name for name, _, _ in BLOCKS]
    assert sum(share * float(parts[name][0, 0]) for name, _, share in BLOCKS) == pytest.approx(float(a[0] @ b[0]), abs=1e-5)
    assert sum(share for _, _, share in BLOCKS) == pytest.approx(1.0)


def test_a_tiny_mask_has_no_appearance():
    frame, mask = scene(1)
    mask[:] = False
    mask[30:40, 50:60] = True
    assert ClassicalAppearance().embed(frame, mask, BOX) == Absent("the mask holds 100 px, needs 256")


def test_a_subject_that_fills_the_frame_has_no_background():
    frame, mask = scene(1)
    mask[:] = True
    found = ClassicalBackground().embed(frame, mask, (0.0, 0.0, 240.0, 180.0))
    assert found == Absent("the subject leaves 0 % of the frame, needs 5 %")


def test_a_pattern_has_no_face():
    assert ClassicalFace().embed(*scene(1), BOX) == Absent("no frontal face in the box")


def test_the_shipped_calibration_fits_the_blocks():
    shipped = calibration()
    assert {name: mean.shape for name, mean in shipped.means.items()} == {name: (length,) for name, length, _ in BLOCKS}
    assert all(weight > 0 for weight in shipped.fusion.weights.values())


def test_more_inliers_never_lower_the_chance():
    evidence = {name: np.full(4, 0.5) for name in ("colour_cosine", "texture_cosine", "shape_cosine", "subject_cosine")}
    chances = same_subject({**evidence, "keypoint_inliers": np.array([0.0, 6.0, 20.0, 90.0])})
    assert (np.diff(chances) > 0).all()
    assert ((chances > 0) & (chances < 1)).all()
