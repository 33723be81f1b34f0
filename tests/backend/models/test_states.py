"""Weight files are read for their tensors alone."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from backend.domain import ModelUnavailable
from backend.models.states import load_state

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


def test_tensors_are_read_from_every_format(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "x.safetensors")
    torch.save(TENSORS, tmp_path / "x.pth")
    torch.save(TENSORS, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    torch.save({"state_dict": TENSORS, "epoch": 3}, tmp_path / "training.ckpt")
    for path in tmp_path.iterdir():
        found = load_state(path)
        assert set(found) == set(TENSORS), path.name
        assert all(torch.equal(found[name], value) for name, value in TENSORS.items())


class Trap:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "trap.pth").write_bytes(pickle.dumps(Trap(tmp_path / "ran")))
    with pytest.raises(ModelUnavailable, match=r"trap\.pth"):
        load_state(tmp_path / "trap.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"\0" * 400, b"PK\3\4 cut off"])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    for name in ("x.pth", "x.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelUnavailable, match="no tensors"):
            load_state(tmp_path / name)


def test_file_without_names_is_refused(tmp_path: Path) -> None:
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    with pytest.raises(ModelUnavailable, match="named tensors"):
        load_state(tmp_path / "list.pth")
