"""What is cropped free of overlays is the picture of the stages after it, the captioner's too."""

from pathlib import Path
from typing import ClassVar

import pytest

from backend.domain import Box, Footage
from tests.backend.recipes.test_bad_models import opened

pytestmark = pytest.mark.slow

HERE = "tests.backend.recipes.test_clean_crop:"
STEPS = ("probe_source", "split_shots", "find_borders", "find_overlays", "caption_clips")
BAR_PX = 40


class TopBar:
    """Says that letters stand in a bar along the picture's upper edge."""

    model_id: ClassVar[str] = "top-bar"

    def spot(self, footage: Footage) -> list[tuple[Box, float]]:
        return [((0.0, 0.0, float(footage.reader.width), float(BAR_PX)), 0.9)]


class NoBar(TopBar):
    model_id: ClassVar[str] = "no-bar"

    def spot(self, footage: Footage) -> list[tuple[Box, float]]:
        return []


class Measured:
    """Writes down the picture that it is shown."""

    model_id: ClassVar[str] = "measured"

    def caption(self, footage: Footage) -> str:
        return "A red dog runs from {:.0f} and {:.0f} to {:.0f} and {:.0f}.".format(*footage.content)


@pytest.mark.parametrize(("spotter", "top"), [("TopBar", BAR_PX), ("NoBar", 0)])
def test_a_captioner_sees_what_is_free_of_overlays(tmp_path: Path, spotter: str, top: int) -> None:
    project = opened(tmp_path)
    project.status({"TextSpotter": HERE + spotter, "Captioner": HERE + "Measured"}, to=STEPS[-1], steps=STEPS)
    ((width, height),) = project.catalog.query("SELECT width, height FROM video")
    found = project.catalog.query("SELECT text FROM caption")
    project.catalog.close()
    assert found == [(f"A red dog runs from 0 and {top} to {width} and {height}.",)]
