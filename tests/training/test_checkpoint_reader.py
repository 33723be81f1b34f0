"""A checkpoint that somebody sent is read for its tensors: whatever code it brings is not run."""

import io
import pickle
from pathlib import Path

import pytest
import torch
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from training.checkpoint_reader import TensorPlanner, TensorReader


class Trap:
    """What creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


def state(extra: object = 0.5) -> dict[str, object]:
    return {"weights": torch.arange(6.0), "optimizer": {"lr": extra, "betas": [0.9, 0.95], "name": "adam"}}


def saved(folder: Path, extra: object = 0.5) -> Path:
    save(state(extra), storage_writer=FileSystemWriter(folder), no_dist=True)
    return folder


def taken(folder: Path) -> dict[str, object]:
    into = state(0.0) | {"weights": torch.zeros(6)}
    load(into, storage_reader=TensorReader(folder), planner=TensorPlanner(), no_dist=True)
    return into


def test_tensors_numbers_and_words_come_back(tmp_path: Path) -> None:
    found = taken(saved(tmp_path))
    assert torch.equal(found["weights"], torch.arange(6.0))  # pyright: ignore[reportArgumentType]
    assert found["optimizer"] == {"lr": 0.5, "betas": [0.9, 0.95], "name": "adam"}


def poisoned_list(folder: Path) -> Path:
    saved(folder)
    (folder / ".metadata").write_bytes(pickle.dumps(Trap(folder / "ran")))
    return folder


@pytest.mark.parametrize("poisoned", ["list", "value"])
def test_what_would_run_code_is_refused(tmp_path: Path, poisoned: str) -> None:
    folder = poisoned_list(tmp_path) if poisoned == "list" else saved(tmp_path, Trap(tmp_path / "ran"))
    with pytest.raises((ValueError, CheckpointException)):
        taken(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("poisoned", ["list", "value"])
def test_torchs_own_reader_runs_it(tmp_path: Path, poisoned: str) -> None:
    folder = poisoned_list(tmp_path) if poisoned == "list" else saved(tmp_path, Trap(tmp_path / "ran"))
    with pytest.raises((AttributeError, CheckpointException)) if poisoned == "list" else nothing():
        load(state(0.0), storage_reader=FileSystemReader(folder), no_dist=True)
    assert (tmp_path / "ran").exists()


def nothing():
    from contextlib import nullcontext

    return nullcontext()


@pytest.mark.parametrize("data", [b"", b"\x80\x04.", pickle.dumps({}), pickle.dumps(io.BytesIO())])
def test_damaged_lists_are_refused(tmp_path: Path, data: bytes) -> None:
    saved(tmp_path)
    (tmp_path / ".metadata").write_bytes(data)
    with pytest.raises((ValueError, CheckpointException)):
        taken(tmp_path)
