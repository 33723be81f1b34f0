"""Both sides of the speed comparison measure the same."""

from pathlib import Path

import cv2
import pytest
import torch

from backend.engine.context import WorkContext
from backend.engine.crews import Inline
from bench import evaluation_models, evaluation_scripts, evaluation_speed

NUM_FRAMES = 11  # some windows, some pairs, and frames that plans of 32 repeat


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@pytest.mark.thorough
@pytest.mark.slow
def test_planner_and_scripts_give_the_same_values(tmp_path: Path) -> None:
    work = evaluation_models.opened(evaluation_models.prepared(tmp_path / "work", num_clips=1, num_frames=NUM_FRAMES))
    crew = Inline(work.workers)
    ours = evaluation_speed.through_engine(crew, work, tmp_path / "project", entries=work.entries)
    crew.close()
    theirs = evaluation_scripts.measured(work.entries, WorkContext(work.workers).role)
    evaluation_speed.agree(ours, theirs)
    assert set(ours) == {f"{name}/humanobj_1" for name in evaluation_scripts.SCRIPTS}
    assert ours["facesim_cur_compat/humanobj_1"] > 0.5, "the drawn face is found and known again"
    assert 0 < ours["temporal_flickering/humanobj_1"] < 1


@pytest.mark.parametrize("theirs", [{"a/x": 0.51, "b/x": 2.0}, {"a/x": 0.5}])
def test_sides_that_differ_are_told(theirs: dict[str, float]) -> None:
    evaluation_speed.agree({"a/x": 0.5, "b/x": 2.0}, {"a/x": 0.5002, "b/x": 2.0})
    with pytest.raises(AssertionError):
        evaluation_speed.agree({"a/x": 0.5, "b/x": 2.0}, theirs)
