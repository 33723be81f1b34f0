"""What a run gives to others, where there is no room for it."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from backend.domain import ProjectError
from training.model import build
from training.parallel import World
from training.publish import publish
from training.recipes import tiny
from training.shapes import tiny as tiny_shape

ALONE = World(rank=0, size=1, device=torch.device("cpu"), data_rank=0, data_size=1, weights=None, context=None)


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """As on a full disk: what goes on writing is refused."""
    before, told = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, told)


def test_without_room_the_export_of_before_stays_and_a_sentence_says_so(tmp_path: Path) -> None:
    model, folder = build(tiny_shape()), tmp_path / "export"
    publish(model, None, tiny(), ALONE, folder)
    kept = {path.relative_to(folder): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    assert max(kept.values()) > 20_000, "weights that do not fit below"
    with files_up_to(20_000), pytest.raises(ProjectError, match=r"cannot be written.*checkpoints are whole"):
        publish(model, None, tiny(), ALONE, folder)
    assert {path.relative_to(folder): path.stat().st_size for path in folder.rglob("*") if path.is_file()} == kept
    assert [path.name for path in tmp_path.iterdir()] == ["export"], "nothing half-made is left"
