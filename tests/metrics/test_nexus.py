"""NexusScore as upstream computes it, with its inversion, and by coverage, without."""

from pathlib import Path

import numpy as np
import pytest

from backend.domain import Absent, FoundBoxes, ModelUnavailable
from metrics.framing import Linspace
from metrics.nexus import NexusScore, NexusScoreCompat
from metrics.spec import Entry
from tests.metrics.conftest import MakeEntry
from tests.metrics.planted_grounding import (
    COLOURS,
    ColourFinder,
    ColourMeaning,
    drawn,
    measured,
    planted,
    scenery,
    with_references,
)

PLACE = (40, 20, 100, 80)


def plain(label: str) -> np.ndarray:
    return np.full((40, 40, 3), COLOURS[label], np.uint8)


def cup_on(entry_of: MakeEntry, folder: Path, num_seen: int, num: int = 32, **fields: object) -> Entry:
    """A cup that is seen on the first `num_seen` of `num` frames."""
    frames = [drawn(scenery(0), **({"Cup": PLACE} if n < num_seen else {})) for n in range(num)]
    return entry_of(frames, **with_references(folder, [plain("Cup")], ["Cup"]), **fields)


def test_seen_on_few_frames_scores_more_upstream_and_less_by_coverage(entry_of: MakeEntry, tmp_path: Path) -> None:
    values = {}
    for num_seen in (8, 32):
        entry = cup_on(entry_of, tmp_path, num_seen)
        for metric in (NexusScoreCompat(), NexusScore()):
            values[metric.id, num_seen] = measured(metric, entry, tmp_path, planted())
    compat = [values["nexus_compat", n].value for n in (8, 32)]
    coverage = [values["nexus", n].value for n in (8, 32)]
    assert compat == pytest.approx([1 / 8, 1 / 32], rel=0.01)
    assert coverage == pytest.approx([8 / 32, 1.0], rel=0.01)
    assert values["nexus", 8].coverage == 0.25
    assert int(values["nexus", 8].evidence["frames_with_boxes"]) == 8
    box = values["nexus", 8].evidence["box"][0]
    np.testing.assert_allclose(box, PLACE, atol=2)


def crops(**fields: object) -> dict[str, dict[str, np.ndarray]]:
    base = {
        "frame": np.array([0, 1, 2, 3]),
        "at": np.array([0, 0, 1, 2]),
        "reference": np.zeros(4, np.int64),
        "box": np.zeros((4, 4), np.float32),
        "score": np.array([0.9, 0.55, 0.61, 0.7], np.float32),
        "likeness": np.array([0.8, 0.1, 0.4, 0.6], np.float32),
        "label_fit": np.array([0.31, 0.9, 0.5, 0.29], np.float32),
        "human_fit": np.array([0.0, 0.0, 0.0, 0.9], np.float32),
        "readable": np.array([0]),
    }
    return {"crops": base | fields}  # pyright: ignore[reportReturnType]


def test_upstreams_rule_by_hand(entry_of: MakeEntry, tmp_path: Path) -> None:
    """Valid are rows 0 and 2 (score above .6 and fit above .3); frames 0, 1 and 2 have boxes."""
    entry = cup_on(entry_of, tmp_path, 1, num=4)
    compat = NexusScoreCompat().combine(entry, crops())
    assert compat.value == pytest.approx((0.8 + 0.4) / 2 / 3)
    assert (compat.num_units, compat.coverage) == (2, 0.75)
    ours = NexusScore().combine(entry, crops())
    assert ours.value == pytest.approx((0.8 + 0.4) / 4)


def test_upstreams_demo_value(entry_of: MakeEntry, tmp_path: Path) -> None:
    """0.01300811767578125 of faceobj_14 is 1705 / 4096 over 32 frames."""
    entry = cup_on(entry_of, tmp_path, 1, num=4)
    many = {
        "frame": np.arange(32),
        "at": np.arange(32),
        "reference": np.zeros(32, np.int64),
        "box": np.zeros((32, 4), np.float32),
        "score": np.full(32, 0.9, np.float32),
        "likeness": np.full(32, 1705 / 4096, np.float32),
        "label_fit": np.ones(32, np.float32),
        "human_fit": np.ones(32, np.float32),
    }
    assert NexusScoreCompat().combine(entry, crops(**many)).value == pytest.approx(0.01300811767578125, rel=1e-6)


def test_repeated_frames_of_a_short_video_count_again(entry_of: MakeEntry, tmp_path: Path) -> None:
    entry = cup_on(entry_of, tmp_path, 1, num=4)
    twice = crops(frame=np.array([0, 0, 1, 2, 3]))
    compat = NexusScoreCompat().combine(entry, twice)
    assert compat.value == pytest.approx((0.8 + 0.8 + 0.4) / 3 / 4)
    assert NexusScore().combine(entry, twice).value == pytest.approx((0.8 + 0.8 + 0.4) / 5)


def test_people_are_human_in_human_cases_and_left_out_in_face_cases(entry_of: MakeEntry, tmp_path: Path) -> None:
    frames = [drawn(scenery(0), Cup=(10, 20, 60, 80), Man=(90, 20, 140, 80)) for _ in range(6)]
    fields = with_references(tmp_path, [plain("Man"), plain("Cup")], ["Man", "Cup"])
    face = measured(NexusScoreCompat(), entry_of(frames, name="faceobj_1", **fields), tmp_path, planted())
    assert set(face.evidence["box_reference"].tolist()) == {1}
    human = measured(NexusScoreCompat(), entry_of(frames, name="humanobj_1", **fields), tmp_path, planted())
    assert set(human.evidence["box_reference"][human.evidence["box_is_valid"]].tolist()) == {0, 1}
    # The word Man is grey to the planted model: .58 of a green crop, above beta; the word human is green.
    strict = measured(NexusScoreCompat(beta=0.8), entry_of(frames, name="humanobj_1", **fields), tmp_path, planted())
    other = measured(NexusScoreCompat(beta=0.8), entry_of(frames, name="multiobject_1", **fields), tmp_path, planted())
    assert strict.num_units == 64 and other.num_units == 32
    only = entry_of(frames, name="multiface_1", **with_references(tmp_path, [plain("Man")], ["Man"]))
    value = measured(NexusScoreCompat(), only, tmp_path, planted()).value
    assert isinstance(value, Absent) and value.reason.startswith("not applicable: multiface_1 shows faces only")


def test_nothing_found_is_no_detection_upstream_and_zero_by_coverage(entry_of: MakeEntry, tmp_path: Path) -> None:
    entry = cup_on(entry_of, tmp_path, 0)
    value = measured(NexusScoreCompat(), entry, tmp_path, planted()).value
    assert isinstance(value, Absent) and value.reason.startswith("no detection")
    ours = measured(NexusScore(), entry, tmp_path, planted())
    assert (ours.value, ours.coverage) == (0.0, 0.0)


def test_boxes_without_a_valid_crop_score_zero(entry_of: MakeEntry, tmp_path: Path) -> None:
    unsure = planted() | {"ReferenceDetector": ColourFinder(score=0.55)}
    found = measured(NexusScoreCompat(), cup_on(entry_of, tmp_path, 32), tmp_path, unsure)
    assert (found.value, found.coverage, found.num_units) == (0.0, 1.0, 0)


def test_missing_reference_lowers_coverage_and_leaves_the_rest(entry_of: MakeEntry, tmp_path: Path) -> None:
    frames = [drawn(scenery(0), Cup=PLACE)] * 6
    entry = entry_of(frames, **with_references(tmp_path, [None, plain("Cup")], ["Man", "Cup"]))
    found = measured(NexusScore(), entry, tmp_path, planted())
    assert found.value == pytest.approx(1.0, rel=0.01)
    assert found.coverage == 0.5
    assert found.evidence["readable"].tolist() == [1]


@pytest.mark.parametrize("metric", [NexusScore(), NexusScoreCompat()])
def test_what_is_missing_is_a_reason(entry_of: MakeEntry, tmp_path: Path, metric: NexusScore | NexusScoreCompat) -> None:
    def reason(roles: dict[str, object], folder: Path, **fields: object) -> str:
        entry = entry_of([drawn(scenery(0), Cup=PLACE)] * 3, **fields)
        value = measured(metric, entry, folder, roles).value
        assert isinstance(value, Absent)
        return value.reason

    class NotANumber(ColourMeaning):
        def images(self, images):
            return super().images(images) * np.nan

    class Unbound(dict):
        def __getitem__(self, name: str) -> object:
            raise ModelUnavailable(f"role {name} has no weights")

    cup = with_references(tmp_path, [plain("Cup")], ["Cup"])
    assert reason(planted(), tmp_path / "fine", **with_references(tmp_path, [None], ["Cup"])).startswith(
        "failed: none of 1 references"
    )
    assert reason(planted(), tmp_path / "fine", **(cup | {"labels": ()})).startswith(
        "not applicable: a reference does not say"
    )
    assert reason(planted() | {"Gme": NotANumber()}, tmp_path / "nan", **cup).startswith("failed: role Gme gave embeddings")
    assert reason(Unbound(), tmp_path / "unbound", **cup).startswith("unavailable: role")


def test_references_are_learned_once_for_all_systems(entry_of: MakeEntry, tmp_path: Path) -> None:
    roles = planted()
    for num_seen in (3, 5):
        measured(NexusScore(frames=Linspace(4)), cup_on(entry_of, tmp_path, num_seen, num=6), tmp_path, roles)
    finder = roles["ReferenceDetector"]
    assert isinstance(finder, ColourFinder) and finder.num_learned == 1


def test_slivers_are_no_crops(entry_of: MakeEntry, tmp_path: Path) -> None:
    """GME takes no picture longer than 200 of its breadth, and would fail the video for one such box."""

    class WithSliver(ColourFinder):
        def _find(self, frame: np.ndarray, colour: np.ndarray, min_score: float) -> FoundBoxes:
            whole = super()._find(frame, colour, min_score)
            line = np.array([[0, 5, 402, 6]], np.float32)
            return FoundBoxes(
                np.concatenate([line, whole.boxes]), np.concatenate([[0.95], whole.scores]).astype(np.float32)
            )

    frames = [drawn(scenery(0, (96, 402)), Cup=PLACE)] * 3
    entry = entry_of(frames, **with_references(tmp_path, [plain("Cup")], ["Cup"]))
    found = measured(NexusScore(), entry, tmp_path, planted() | {"ReferenceDetector": WithSliver()})
    assert found.value == pytest.approx(1.0, rel=0.01)
    assert len(found.evidence["box"]) == 3
    line = entry_of(frames, **with_references(tmp_path, [np.zeros((2, 500, 3), np.uint8)], ["Cup"]))
    value = measured(NexusScore(), line, tmp_path, planted()).value
    assert isinstance(value, Absent) and value.reason.startswith("failed: none of 1 references")


def test_one_frame_suffices(entry_of: MakeEntry, tmp_path: Path) -> None:
    entry = cup_on(entry_of, tmp_path, 1, num=1)
    assert measured(NexusScore(), entry, tmp_path, planted()).value == pytest.approx(1.0, rel=0.01)
