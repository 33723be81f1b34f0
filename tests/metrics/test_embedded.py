"""The weights-free metrics: what they say of hand-made features, of a small drawn video, and of bad input."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.domain import Absent
from backend.engine.context import load
from backend.media.images import encode_png
from backend.models import MODELS
from metrics.copy_paste import PARTS, CopyPasteIndex
from metrics.embedded import (
    EmbeddedDecoupling,
    EmbeddedIdentity,
    EmbeddedPromptBackground,
    EmbeddedQuality,
    best_by_frame,
    likeness,
)
from metrics.embedded_places import agreement, asked_looks, look_of
from metrics.embedded_subjects import Around, ReferenceSubjects
from metrics.embedded_traces import Cut, compared
from metrics.planner import Planner
from metrics.spec import Entry, Measured, Metric
from metrics.store import FeatureStore
from tests.metrics.conftest import MakeEntry

ALL = (EmbeddedIdentity(), EmbeddedDecoupling(), EmbeddedPromptBackground(), EmbeddedQuality(), CopyPasteIndex())
LOADED: dict[str, object] = {}


def role(name: str) -> object:
    if name not in LOADED:
        LOADED[name] = load(MODELS[name]["embedded"])()
    return LOADED[name]


def measured(metric: Metric, entry: Entry, folder: Path) -> Measured:
    planner = Planner(store=FeatureStore(folder / "features"), roles=role, model_id=lambda name: name)
    features = metric.features
    found = planner.features(entry, list(features.values()))
    for given in found:
        if isinstance(given, Absent):
            return Measured(value=given)
    return metric.combine(entry, dict(zip(features, found, strict=True)))  # pyright: ignore[reportArgumentType]


def number(found: Measured) -> float:
    assert isinstance(found.value, float), found.value
    return found.value


def scene(colour: tuple[int, int, int], place: int, x: int = 150, size: tuple[int, int] = (320, 192)) -> np.ndarray:
    """A striped thing of a colour before a noisy place of its own colours."""
    rng = np.random.default_rng(place)
    base = rng.integers(60, 200, 3)
    picture = np.clip(base + 40 * rng.standard_normal((24, 40, 3)), 0, 255).astype(np.uint8)
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
    left, right = x - 30, x + 30
    picture[50:160, left:right] = colour
    picture[50:160:16, left:right] = 255 - np.array(colour)
    cv2.circle(picture, (x, 80), 14, (250, 250, 20), -1)
    return picture


def saved(path: Path, picture: np.ndarray) -> str:
    path.write_bytes(encode_png(picture))
    return str(path)


def moving(colour: tuple[int, int, int], place: int) -> list[np.ndarray]:
    return [scene(colour, place, x=110 + 5 * t) for t in range(8)]


@pytest.fixture
def red_reference(tmp_path: Path) -> str:
    return saved(tmp_path / "reference.png", scene((200, 30, 40), 1)[30:180, 100:200])


def entry_with(entry_of: MakeEntry, frames: list[np.ndarray], reference: str, name: str) -> Entry:
    return entry_of(
        frames, name=name, references=(reference,), hashes=(name,), labels=("Box",), prompt="a box in a kitchen"
    )


@pytest.mark.slow
def test_same_thing_elsewhere_beats_another_and_a_copy_is_told(
    entry_of: MakeEntry, red_reference: str, tmp_path: Path
) -> None:
    faithful = entry_with(entry_of, moving((200, 30, 40), 7), red_reference, "faithful")
    wrong = entry_with(entry_of, moving((30, 60, 200), 7), red_reference, "wrong")
    copied = entry_with(entry_of, [scene((200, 30, 40), 1)] * 8, red_reference, "copied")
    value = {m.id: [number(measured(m, e, tmp_path)) for e in (faithful, wrong, copied)] for m in ALL}
    assert value["embedded_identity"][0] > value["embedded_identity"][1]
    assert value["embedded_identity"][2] > value["embedded_identity"][1]
    assert value["embedded_decoupling"][0] > value["embedded_decoupling"][2]
    assert value["embedded_prompt_background"][0] > value["embedded_prompt_background"][2]
    assert value["copy_paste_index"][2] > value["copy_paste_index"][0]


@pytest.mark.slow
def test_parts_of_the_index_are_kept_and_their_mean_is_the_value(
    entry_of: MakeEntry, red_reference: str, tmp_path: Path
) -> None:
    found = measured(CopyPasteIndex(), entry_with(entry_of, moving((200, 30, 40), 7), red_reference, "a"), tmp_path)
    scores = [float(found.evidence[f"{part}_score"]) for part in PARTS]
    assert found.value == pytest.approx(np.mean(scores))
    assert set(PARTS) < set(found.per_frame)


@pytest.mark.slow
@pytest.mark.parametrize("metric", [EmbeddedIdentity(), EmbeddedDecoupling(), CopyPasteIndex()])
def test_unreadable_reference_gives_a_reason(entry_of: MakeEntry, tmp_path: Path, metric: Metric) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    entry = entry_with(entry_of, moving((200, 30, 40), 7)[:4], str(tmp_path / "broken.png"), "broken")
    value = measured(metric, entry, tmp_path).value
    assert isinstance(value, Absent) and value.reason.startswith("failed: no reference can be read")


def test_cut_out_has_no_background(entry_of: MakeEntry, tmp_path: Path) -> None:
    rgba = np.dstack([scene((200, 30, 40), 1), np.zeros((192, 320), np.uint8)])
    rgba[50:160, 120:180, 3] = 255
    white = np.full((192, 320, 3), 255, np.uint8)
    white[50:160, 120:180] = (200, 30, 40)
    for name, picture in (("alpha", rgba), ("white", white)):
        entry = entry_of([scene((1, 2, 3), 1)], references=(saved(tmp_path / f"{name}.png", picture),), labels=("Box",))
        found = ReferenceSubjects().compute(entry.case, role, {})  # pyright: ignore[reportArgumentType]
        assert isinstance(found, dict)
        assert found["has_background"].tolist() == [False]
        assert found["box"][0].tolist() == pytest.approx([120, 50, 180, 160], abs=3)
        value = EmbeddedDecoupling().combine(entry, {"references": found, "subjects": {}}).value
        assert isinstance(value, Absent) and value.reason.startswith("not applicable")


def test_a_cut_repeats_itself_wholly() -> None:
    picture = scene((200, 30, 40), 1)
    mask = np.zeros(picture.shape[:2], bool)
    mask[50:160, 120:180] = True
    cut = Cut(picture, mask, (120.0, 50.0, 180.0, 160.0))
    found = compared(cut, Cut(picture, mask, cut.box))
    assert found["shape_iou"] == pytest.approx(1.0)
    assert found["lab_distance"] == found["slope_distance"] == found["aspect_step"] == 0.0
    assert found["edges_alike"] == 1.0
    brighter = np.clip(picture.astype(int) + 30, 0, 255).astype(np.uint8)
    assert compared(cut, Cut(brighter, mask, cut.box))["lab_distance"] > 5


def test_likeness_takes_details_only_as_evidence_for() -> None:
    seen = {
        "appearance_cosine": np.array([[0.8], [0.4]]),
        "keypoint_inliers": np.array([[0.0], [30.0]]),
        "face_cosine": np.array([[np.nan], [np.nan]]),
        "frame": np.array([0, 5]),
    }
    assert likeness(seen)[:, 0].tolist() == pytest.approx([0.8, 0.75 * 0.4 + 0.25])
    both = best_by_frame({**seen, "frame": np.array([3, 3])}, seen["appearance_cosine"])
    assert both.tolist() == [[0.8]]


def test_words_promise_light_green_and_sky() -> None:
    assert asked_looks("a dog in a forest")[1] == 1.0
    assert asked_looks("A man on a street at night").tolist() == [1.0, 0.0, 0.0]
    assert np.isnan(asked_looks("a cat sits")).all()
    assert np.isnan(asked_looks("from a forest to a kitchen")[1]), "words that differ promise nothing"
    night = look_of(np.full((40, 60, 3), 12, np.uint8))
    meadow = look_of(np.full((40, 60, 3), (40, 160, 50), np.uint8))
    assert night[0] > 0.8 and meadow[0] < 0.5 < meadow[1]
    agrees = agreement(asked_looks("in a forest"), np.stack([meadow, night]))
    assert agrees[0] > agrees[1]
    assert np.isnan(agreement(asked_looks("a cat sits"), meadow[None])).all()


def test_quality_falls_with_blur(entry_of: MakeEntry, tmp_path: Path) -> None:
    sharp = [scene((200, 30, 40), 1)] * 3
    blurred = [cv2.GaussianBlur(frame, (0, 0), 4) for frame in sharp]
    values = [measured(EmbeddedQuality(), entry_of(f, name=n), tmp_path).value for f, n in ((sharp, "a"), (blurred, "b"))]
    assert values[0] > values[1]  # pyright: ignore[reportOperatorIssue]


def test_quality_joins_no_scores_of_other_scales(entry_of: MakeEntry) -> None:
    """A predictor's 4.98, and what falls below 0, are no shares that a geometric mean joins; nothing is known of NaN."""
    entry, metric = entry_of([scene((200, 30, 40), 1)]), EmbeddedQuality()
    rows = {"aesthetic": np.array([0.25, np.nan, 1.0]), "technical": np.array([1.0, 0.5, 0.0])}
    assert metric.combine(entry, {"scores": rows}).value == pytest.approx((0.5 + 0.0) / 2)
    for name, value in (("aesthetic", 4.98), ("technical", -0.11)):
        found = metric.combine(entry, {"scores": {**rows, name: np.array([0.5, value, 0.5])}}).value
        role = f"{name.title()}Scorer"
        assert isinstance(found, Absent) and found.reason.startswith(f"not applicable: role {role} gives {value}")
        assert found.reason.endswith(f"set roles.{role} to embedded")


@pytest.mark.parametrize("num_frames", [1, 2, 5, 48, 481])
def test_plan_stays_inside_the_video(num_frames: int) -> None:
    plan = Around()
    indices = plan.indices(num_frames, 24.0)
    assert indices == sorted(set(indices)) and set(plan.keys(num_frames, 24.0)) <= set(indices) <= set(range(num_frames))


@pytest.mark.parametrize("metric", ALL)
def test_source_says_that_it_is_ours(metric: Metric) -> None:
    assert metric.source.startswith("ours")
    assert metric.id.startswith("embedded_") == (metric.source == "ours, classical")
