"""On-screen words by rapidocr's own weights, where the package is installed."""

import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from backend.domain import ModelUnavailable
from backend.models.text_reader import RapidOcrReader


@pytest.fixture(scope="module")
def reader() -> RapidOcrReader:
    pytest.importorskip("rapidocr", reason="rapidocr is an extra")
    return RapidOcrReader()


def picture(*lines: str) -> np.ndarray:
    board = Image.new("RGB", (480, 80 * len(lines) + 40), (40, 80, 30))
    draw = ImageDraw.Draw(board)
    for number, line in enumerate(lines):
        draw.text((20, 80 * number + 30), line, fill=(255, 230, 200), font=ImageFont.load_default(44))
    return np.asarray(board)


@pytest.mark.slow
def test_lines_are_read_from_top_to_bottom_with_their_boxes(reader: RapidOcrReader) -> None:
    found = reader.read(picture("BREAKING NEWS", "live from Essex"))
    assert [line.text for line in found] == ["BREAKING NEWS", "live from Essex"]
    for number, line in enumerate(found):
        x0, y0, x1, y1 = line.box
        assert 0 <= x0 < x1 <= 480
        assert 80 * number < y0 + 10 and y1 < 80 * number + 110
        assert line.score > 0.8


@pytest.mark.slow
def test_a_picture_without_words_has_no_lines(reader: RapidOcrReader) -> None:
    assert reader.read(np.zeros((64, 64, 3), np.uint8)) == []


def test_a_missing_package_names_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(ModelUnavailable, match=r"subject-studio\[ocr\]"):
        RapidOcrReader()
