"""What the report shows of a project with pairs of similarity .9, .6 and .3 and a gate at .5."""

import re
from pathlib import Path

import pytest

from backend.workspace import Workspace
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import write_toy_video


@pytest.fixture
def page(workspace: Workspace, tmp_path: Path) -> str:
    workspace.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),))
    curated(workspace)
    workspace.plan = workspace.plan.with_gates({"pair.similarity.min": 0.85})
    return Path(workspace.report()).read_text(encoding="utf-8")


def test_pairs_that_a_gate_holds_back_are_shown_nearest_first(page: str) -> None:
    accepted, held_back = page.split(">Held back<")
    assert "similarity is" not in accepted
    assert re.findall(r"similarity is [\d.]+, must be ≥ [\d.]+", held_back) == [
        "similarity is 0.6, must be ≥ 0.85",
        "similarity is 0.3, must be ≥ 0.85",
    ]


def test_pairs_held_back_have_pictures_captions_and_failing_gauges(page: str) -> None:
    cards = [card.split("</article>")[0] for card in page.split(">Held back<")[1].split("<article")[1:]]
    assert len(cards) == 2
    for card in cards:
        assert card.count("data:image/") == 2
        assert card.count("A red mug, take") == 2
        assert '<tr class="fails"><th scope="row">similarity' in card
        assert "mug.mp4, " in card
