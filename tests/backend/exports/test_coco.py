"""`export coco`: instances as COCO's own tools read them, masks worked out by hand."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.exports.coco import ExportCoco
from backend.exports.rows import ExportRows, ExportVideo
from tests.backend.exports.made_pairs import ABOUT, HEIGHT, WIDTH, film_pair, made_clip, made_films, store


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[ExportVideo]:
    return made_films(tmp_path_factory.mktemp("films") / "of masks", 3)


@pytest.fixture(scope="module")
def exported(films: list[ExportVideo], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coco")
    artifacts = store(folder)
    pairs = [film_pair(films[0], films[1], artifacts)]
    clips = [made_clip(film, artifacts) for film in films[:2]]
    ExportCoco().write(
        ExportRows(pairs=pairs, videos=films[:2], about=ABOUT, clips=clips), out=folder / "out", artifacts=artifacts
    )
    return folder / "out"


def instances(exported: Path) -> dict[str, Any]:
    return json.loads((exported / "annotations" / "instances_train.json").read_text())


def test_an_annotation_is_the_rectangle_that_was_planted(exported: Path) -> None:
    told = instances(exported)
    assert told["categories"] == [{"id": 1, "name": "dog"}]
    assert [image["frame"] for image in told["images"]] == [2, 6, 2, 6]
    one = told["annotations"][0]
    assert (one["area"], one["bbox"], one["iscrowd"]) == (20 * 20, [8.0, 10.0, 20.0, 20.0], 0)
    # Columns from the left, 0 first: 8 empty columns and 10 rows, then 20 of 20 with gaps of 28 (COCO's uncompressed counts).
    runs = [8 * HEIGHT + 10, *([20, HEIGHT - 20] * 20)]
    runs[-1] = WIDTH * HEIGHT - sum(runs[:-1])
    assert _uncompressed(one["segmentation"]["counts"]) == runs


def test_frames_lie_beside_as_wide_and_high_as_told(exported: Path) -> None:
    image = instances(exported)["images"][1]
    picture = Image.open(exported / "images" / image["file_name"])
    assert picture.size == (image["width"], image["height"]) == (WIDTH, HEIGHT)
    assert np.asarray(picture)[15, 35, :2].min() > 200, "the square stands 24 to 44 pixels from the left in frame 6"


def test_an_image_names_source_licence_and_attribution(exported: Path) -> None:
    told = instances(exported)
    image = told["images"][0]
    assert (image["source_id"], image["attribution"], image["terms"]) == ("source_000", "A. [Maker]", ["attribution"])
    assert told["licenses"][image["license"] - 1]["name"] == "CC-BY-4.0"


def test_the_card_names_licence_and_maker_of_a_video_without_pairs(films: list[ExportVideo], tmp_path: Path) -> None:
    artifacts = store(tmp_path)
    unpaired = replace(films[2], licence="CC-BY-SA-4.0", attribution="B. Keeper")
    unseen = replace(films[1], licence="CC-BY-ND-4.0", attribution="C. Other", uri="/gone.mp4")
    clips = [made_clip(film, artifacts) for film in films]
    videos = (films[0], unseen, unpaired)
    pairs = [film_pair(films[0], films[1], artifacts)]
    ExportCoco().write(
        ExportRows(pairs=pairs, videos=videos, about=ABOUT, clips=clips), out=tmp_path / "out", artifacts=artifacts
    )
    card = (tmp_path / "out" / "README.md").read_text()
    assert "- CC-BY-SA-4.0: attribution, same licence" in card
    assert "- B. Keeper" in card
    assert "| CC-BY-SA-4.0 | 1 |" in card
    assert "from 2 videos" in card, "the third cannot be read, so that nothing of it is here"
    assert "C. Other" not in card


def test_pycocotools_reads_masks_and_areas(exported: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco").COCO(str(exported / "annotations" / "instances_train.json"))
    mask = pytest.importorskip("pycocotools.mask")
    assert len(coco.getAnnIds(imgIds=coco.getImgIds()[0])) == 1
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[10:30, 8:28] = 1
    for one in coco.loadAnns(coco.getAnnIds()):
        assert (coco.annToMask(one) == expected).all()
        assert mask.area(coco.annToRLE(one)) == one["area"]
        assert mask.toBbox(coco.annToRLE(one)).tolist() == one["bbox"]


def _uncompressed(counts: str) -> list[int]:
    """COCO's six-bit code read by the letter: value and sign in five bits, deltas to the run before last."""
    runs: list[int] = []
    place = 0
    while place < len(counts):
        value = shift = 0
        while True:
            letter = ord(counts[place]) - 48
            value |= (letter & 31) << shift
            place, shift = place + 1, shift + 5
            if not letter & 32:
                break
        if letter & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    return runs
