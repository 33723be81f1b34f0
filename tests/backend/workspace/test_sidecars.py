"""Caption files beside videos: edited, touched, brought back and taken away, each followed by another ingest."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.engine.plan import Plan, Step
from backend.media.writer import write_video
from backend.workspace import Workspace
from backend.workspace.snapshot import Snapshot
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import write_toy_video

STAGES = ("probe_source", "split_shots", "find_borders", "caption_clips", "extract_phrases")


class Shelf:
    """A folder with a mug and a vase, each a video of one shot, in a project that captions them."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self.folder = folder
        self._workspace = workspace
        steps = {step.stage.name: Step(step.stage) for step in workspace.plan.steps}
        workspace.plan = Plan(steps=tuple(steps[name] for name in STAGES), model_ids=workspace.plan.model_ids)
        folder.mkdir()
        write_toy_video(folder / "mug.mp4")
        write_video(folder / "vase.mp4", np.full((20, 48, 64, 3), 90, np.uint8), fps=25)

    def seen_again(self) -> tuple[dict[str, int], tuple[str, ...]]:
        """Ingests and curates: items worked on by stage, and what ingesting remarked."""
        before = self._work()
        remarks = self._workspace.ingest(paths=(str(self.folder),)).remarks
        curated(self._workspace)
        return dict(self._work() - before), remarks

    def captions(self) -> list[tuple[str, str]]:
        with Snapshot(self._workspace.catalog).of(self._workspace.plan) as now:
            return now.query(
                "SELECT c.author, c.text FROM kept_caption k JOIN caption c ON c.id = k.id AND c.work_key = k.work_key ORDER BY 2"
            )

    def _work(self) -> Counter[str]:
        return Counter(dict(self._workspace.catalog.query("SELECT stage, count(*) FROM work GROUP BY 1")))


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    workspace = Workspace(tmp_path / "captioned", create=True)
    made = Shelf(workspace, tmp_path / "shelf")
    (made.folder / "mug.txt").write_text("A red mug.")
    (made.folder / "vase.txt").write_text("A tall vase.")
    yield made
    workspace.close()


def test_edited_captions_are_done_again_and_nothing_else(shelf: Shelf) -> None:
    assert shelf.seen_again() == (dict.fromkeys(STAGES, 2), ())
    assert shelf.captions() == [("sidecar", "A red mug."), ("sidecar", "A tall vase.")]
    (shelf.folder / "mug.txt").write_text("A blue mug.")
    once_more = {"caption_clips": 1, "extract_phrases": 1}
    assert shelf.seen_again() == (once_more, ("1 known file with changed captions beside",))
    assert shelf.captions() == [("sidecar", "A blue mug."), ("sidecar", "A tall vase.")]


def test_captions_saved_again_or_brought_back_cost_nothing(shelf: Shelf) -> None:
    shelf.seen_again()
    os.utime(shelf.folder / "mug.txt", (1, 1))
    assert shelf.seen_again() == ({}, ())
    (shelf.folder / "mug.txt").write_text("A blue mug.")
    shelf.seen_again()
    (shelf.folder / "mug.txt").write_text("A red mug.")
    assert shelf.seen_again()[0] == {}
    assert shelf.captions() == [("sidecar", "A red mug."), ("sidecar", "A tall vase.")]


def test_captions_that_come_later_replace_the_template_and_go_again(shelf: Shelf) -> None:
    (shelf.folder / "mug.txt").unlink()
    shelf.seen_again()
    assert [author for author, _ in shelf.captions()].count("sidecar") == 1
    (shelf.folder / "mug.json").write_text('{"caption": "A green mug."}')
    assert shelf.seen_again()[0]["caption_clips"] == 1
    assert shelf.captions() == [("sidecar", "A green mug."), ("sidecar", "A tall vase.")]
    (shelf.folder / "mug.json").unlink()
    assert "caption_clips" not in shelf.seen_again()[0], "without a sidecar it was captioned before"
    assert [author for author, _ in shelf.captions()].count("sidecar") == 1
