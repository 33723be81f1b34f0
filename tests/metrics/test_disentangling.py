"""Consistency of subjects and decoupling of backgrounds: closed forms with planted finds."""

from pathlib import Path

import numpy as np
import pytest

from backend.domain import Absent, Case
from metrics.disentangling import S2VConsistency, S2VDecoupling, subjects_of
from metrics.grounding import Cutting
from tests.metrics.conftest import MakeEntry
from tests.metrics.planted_grounding import (
    ColourDetector,
    Thumbnails,
    drawn,
    measured,
    planted,
    scenery,
    with_references,
)

PLACE = (40, 20, 100, 80)
HERE = drawn(scenery(0), Cup=PLACE)


def test_the_references_own_frame_is_consistent_and_not_decoupled(entry_of: MakeEntry, tmp_path: Path) -> None:
    entry = entry_of([HERE] * 6, **with_references(tmp_path, [HERE], ["Cup"]))
    consistency = measured(S2VConsistency(), entry, tmp_path, planted())
    decoupling = measured(S2VDecoupling(), entry, tmp_path, planted())
    assert consistency.value == pytest.approx(1.0, abs=1e-3)
    assert decoupling.value == pytest.approx(0.0, abs=1e-3)
    assert (consistency.coverage, decoupling.coverage) == (1.0, 1.0)


def test_background_alone_decides_decoupling(entry_of: MakeEntry, tmp_path: Path) -> None:
    """The subject's colour plays no part; the expected value is that of the filled pictures themselves."""
    there = drawn(scenery(5), Cup=PLACE)
    entry = entry_of([there] * 4, **with_references(tmp_path, [HERE], ["Cup"]))
    roles = planted() | {"ClipL14": Thumbnails(level=90.0)}
    value = measured(S2VDecoupling(cutting=Cutting(is_squared=False)), entry, tmp_path, roles).value

    def without(picture: np.ndarray) -> np.ndarray:
        left = np.ones(picture.shape[:2], bool)
        left[PLACE[1] : PLACE[3], PLACE[0] : PLACE[2]] = False
        return np.where(left[..., None], picture, picture[left].mean(axis=0).round().astype(np.uint8))

    a, b = Thumbnails(level=90.0).images([without(HERE), without(there)], None)
    assert value == pytest.approx(1 - float(a @ b), abs=5e-3)
    assert isinstance(value, float) and value > 0.05


def test_subject_missing_on_frames_is_zero_or_left_out(entry_of: MakeEntry, tmp_path: Path) -> None:
    frames = [HERE] * 8 + [scenery(0)] * 24
    entry = entry_of(frames, **with_references(tmp_path, [HERE], ["Cup"]))
    strict = measured(S2VConsistency(), entry, tmp_path, planted())
    paper = measured(S2VConsistency(policy="paper"), entry, tmp_path, planted())
    assert strict.value == pytest.approx(0.25, abs=1e-3)
    assert paper.value == pytest.approx(1.0, abs=1e-3)
    assert strict.coverage == paper.coverage == 0.25
    assert np.isnan(paper.per_frame["similarity"]).sum() == 24


def test_masks_are_made_once_for_both(entry_of: MakeEntry, tmp_path: Path) -> None:
    roles = planted()
    entry = entry_of([HERE] * 6, **with_references(tmp_path, [HERE], ["Cup"]))
    measured(S2VConsistency(), entry, tmp_path, roles)
    detector, encoder = roles["Detector"], roles["ClipL14"]
    assert isinstance(detector, ColourDetector) and isinstance(encoder, Thumbnails)
    asked = detector.num_frames, encoder.num_pictures
    assert asked == (7, 14), "six frames and a reference, a subject and a background of each"
    measured(S2VDecoupling(), entry, tmp_path, roles)
    assert (detector.num_frames, encoder.num_pictures) == asked


def test_subjects_are_averaged_and_views_of_one_compete(entry_of: MakeEntry, tmp_path: Path) -> None:
    """The man is not in the video: half the score. A second view of the cup cannot lower it."""
    man = drawn(scenery(1), Man=PLACE)
    frames = [HERE] * 4
    two = entry_of(frames, **with_references(tmp_path, [HERE, man], ["Cup", "Man"]))
    found = measured(S2VConsistency(), two, tmp_path, planted())
    assert found.value == pytest.approx(0.5, abs=1e-3)
    assert found.coverage == 0.5
    stretched = drawn(scenery(1), Cup=(10, 40, 150, 60))
    views = with_references(tmp_path, [HERE, stretched], ["Cup", "Cup"], kinds=("global", "view:left"))
    assert measured(S2VConsistency(), entry_of(frames, **views), tmp_path, planted()).value == pytest.approx(1.0, abs=1e-3)
    each = measured(S2VConsistency(grouping="each"), entry_of(frames, **views), tmp_path, planted()).value
    assert isinstance(each, float) and each < 0.99


def test_references_of_one_subject_are_told_by_kind() -> None:
    case = Case(
        benchmark="b",
        name="n",
        prompt="p",
        references=("1", "2", "3", "4"),
        labels=("Man", "Man", "Man", "Cup"),
        kinds=("", "", "view:left", "view:left"),
    )
    assert subjects_of(case, "kinds") == [[0], [1, 2], [3]]
    assert subjects_of(case, "labels") == [[0, 1, 2], [3]]
    assert subjects_of(case, "each") == [[0], [1], [2], [3]]


def test_detector_without_words_serves_too(entry_of: MakeEntry, tmp_path: Path) -> None:
    roles = planted() | {"Detector": ColourDetector(knows_words=False)}
    entry = entry_of([HERE] * 4, **with_references(tmp_path, [HERE], ["Cup"]))
    assert measured(S2VConsistency(), entry, tmp_path, roles).value == pytest.approx(1.0, abs=1e-3)


def test_cut_outs_and_close_ups_have_no_background(entry_of: MakeEntry, tmp_path: Path) -> None:
    white = drawn(np.full((96, 160, 3), 255, np.uint8), Cup=PLACE)
    close = drawn(scenery(3), Cup=(0, 0, 160, 85))
    frames = [drawn(scenery(5), Cup=PLACE)] * 4
    for picture in (white, close):
        entry = entry_of(frames, **with_references(tmp_path, [picture], ["Cup"]))
        value = measured(S2VDecoupling(), entry, tmp_path, planted()).value
        assert isinstance(value, Absent) and value.reason.startswith("not applicable: no reference has a background")
    one = entry_of(frames, **with_references(tmp_path, [white, HERE], ["Cup", "Cup"]))
    found = measured(S2VDecoupling(), one, tmp_path, planted())
    assert found.evidence["reference_used"].tolist() == [False, True]
    assert found.coverage == 0.5


def test_what_is_missing_is_a_reason(entry_of: MakeEntry, tmp_path: Path) -> None:
    def reason(frames: list[np.ndarray], references: list[np.ndarray | None], **more: object) -> str:
        fields = with_references(tmp_path, references, ["Cup"] * len(references), **more)
        values = [measured(metric, entry_of(frames, **fields), tmp_path, planted()).value for metric in metrics]
        assert all(isinstance(value, Absent) for value in values)
        assert len({value.reason.partition(":")[0] for value in values if isinstance(value, Absent)}) == 1
        return values[0].reason if isinstance(values[0], Absent) else ""

    metrics = [S2VConsistency(policy="paper"), S2VDecoupling()]
    assert reason([HERE] * 3, [None]).startswith("failed: none of 1 references can be read")
    assert reason([HERE] * 3, [scenery(2)]).startswith("no detection: no reference shows")
    assert reason([scenery(2)] * 3, [HERE]).startswith("no detection: no subject is found")
    empty = entry_of([HERE] * 3, references=("a",), hashes=("",))
    value = measured(S2VConsistency(), empty, tmp_path, planted()).value
    assert isinstance(value, Absent) and value.reason.startswith("not applicable: no reference says")


def test_numbers_that_are_none_are_no_misses(entry_of: MakeEntry, tmp_path: Path) -> None:
    class NotANumber(Thumbnails):
        def images(self, frames, prep):
            return super().images(frames, prep) * np.nan

    entry = entry_of([HERE] * 3, **with_references(tmp_path, [HERE], ["Cup"]))
    value = measured(S2VConsistency(), entry, tmp_path, planted() | {"ClipL14": NotANumber()}).value
    assert isinstance(value, Absent) and value.reason.startswith("failed: role ClipL14 gave embeddings")


def test_a_subject_that_fills_the_frame_is_a_place(entry_of: MakeEntry, tmp_path: Path) -> None:
    """A mask of more than nine tenths, as of a park asked for by name, is not taken out of the background."""
    full = drawn(scenery(0), Cup=(0, 0, 160, 96))
    entry = entry_of([full] * 3, **with_references(tmp_path, [HERE], ["Cup"]))
    value = measured(S2VDecoupling(), entry, tmp_path, planted()).value
    assert isinstance(value, Absent) and value.reason.startswith("not applicable: no frame has a background")
