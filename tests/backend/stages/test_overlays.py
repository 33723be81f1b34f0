import numpy as np
import pytest

from backend.domain import Failed, Footage, Ok, Region, Result, Score
from backend.geometry import boxes
from backend.models.classical_text import ClassicalTextSpotter
from backend.stages.overlays import FindOverlays
from tests.backend.measures.test_overlays import lettered, moving, words_box
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext, clip_item


class Spots:
    """A spotter with one answer."""

    model_id = "spots/1"

    def __init__(self, *found: tuple[tuple[float, float, float, float], float]) -> None:
        self._found = list(found)

    def spot(self, footage: Footage) -> list[tuple[tuple[float, float, float, float], float]]:
        footage.reader.at([footage.clip.start_frame])
        return self._found


def regions(result: Result) -> dict[str, list[Region]]:
    assert isinstance(result, Ok)
    kept: dict[str, list[Region]] = {"overlay": [], "clean": []}
    for row in result.rows:
        if isinstance(row, Region):
            kept[row.kind].append(row)
    return kept


def scores(result: Result) -> dict[str, float | None]:
    assert isinstance(result, Ok)
    return {row.name: row.value for row in result.rows if isinstance(row, Score)}


def found_by(spotter: object, frames: np.ndarray, **given: object) -> Result:
    context = StageContext(ArrayReader(frames, **given), roles={"TextSpotter": spotter})  # type: ignore[arg-type]
    return FindOverlays()([clip_item(frames)], context)[0]


def test_an_overlay_gives_its_region_the_clean_rest_and_their_parts_of_the_picture():
    frames = np.zeros((2, 60, 100, 3), np.uint8)
    result = found_by(Spots(((0.0, 0.0, 20.0, 10.0), 0.9)), frames)
    assert [(r.box, r.confidence) for r in regions(result)["overlay"]] == [((0, 0, 20, 10), 0.9)]
    assert [(r.box, r.confidence) for r in regions(result)["clean"]] == [((0, 10, 100, 60), 0.9)]
    assert scores(result) == pytest.approx({"has_overlay": 1, "overlay_area": 200 / 6000, "clean_fraction": 5000 / 6000})


def test_parts_are_of_the_picture_inside_borders():
    frames = np.zeros((2, 60, 100, 3), np.uint8)
    context = StageContext(
        ArrayReader(frames), roles={"TextSpotter": Spots(((10.0, 20.0, 20.0, 30.0), 0.9))}, content=(10, 20, 60, 40)
    )
    (result,) = FindOverlays()([clip_item(frames)], context)
    # 10 x 10 of 50 x 20; right of the mark 40 x 20 is left, below it 50 x 10.
    assert regions(result)["clean"][0].box == (20, 20, 60, 40)
    assert scores(result) == pytest.approx({"has_overlay": 1, "overlay_area": 0.1, "clean_fraction": 0.8})


def test_a_clip_without_overlays_is_clean_throughout():
    result = found_by(Spots(((0.0, 0.0, 20.0, 10.0), 0.3)), np.zeros((2, 60, 100, 3), np.uint8))
    assert regions(result)["overlay"] == [] and regions(result)["clean"][0].box == (0, 0, 100, 60)
    assert scores(result) == {"has_overlay": 0, "overlay_area": 0, "clean_fraction": 1}


def test_a_clip_covered_all_over_has_no_clean_region():
    result = found_by(Spots(((0.0, 0.0, 100.0, 60.0), 0.9)), np.zeros((2, 60, 100, 3), np.uint8))
    assert regions(result)["clean"] == [] and scores(result)["clean_fraction"] == 0


def test_an_unreadable_frame_fails_the_clip_by_its_kind():
    result = found_by(ClassicalTextSpotter(), np.zeros((3, 60, 100, 3), np.uint8), broken=frozenset({0}))
    assert isinstance(result, Failed) and result.kind == "truncated"


def test_words_of_a_large_frame_are_found_in_source_pixels():
    frames = np.repeat(np.repeat(lettered(moving(8)), 2, axis=1), 2, axis=2)
    result = found_by(ClassicalTextSpotter(), frames)
    (overlay,) = regions(result)["overlay"]
    assert boxes.iou(overlay.box, boxes.scale(words_box(), 2, 2)) >= 0.8


def test_words_inside_borders_are_found_at_their_place_in_the_frame():
    frames = np.pad(lettered(moving(9)), ((0, 0), (60, 60), (0, 0), (0, 0)))
    context = StageContext(ArrayReader(frames), roles={"TextSpotter": ClassicalTextSpotter()}, content=(0, 60, 640, 420))
    (result,) = FindOverlays()([clip_item(frames)], context)
    x0, y0, x1, y1 = words_box()
    (overlay,) = regions(result)["overlay"]
    assert boxes.iou(overlay.box, (x0, y0 + 60, x1, y1 + 60)) >= 0.8
