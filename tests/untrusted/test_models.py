"""Weights, configs and arrays that come with models: read for their values, or refused; no code in them is run."""

import io
import json
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from backend.domain import ModelUnavailable
from backend.models.plain_configs import check_targets, literals_of
from backend.models.sam2_package import PARTS
from backend.models.states import load_state
from tests.promises import Tally
from tests.untrusted.traps import BAITS, RAN, Trap

PUBLISHED = """
batch_size = 1
modelname = "groundingdino"
return_interm_indices = [1, 2, 3]
backbone_freeze_keywords = None
dn_box_noise_scale = -1.0
sizes = {"short": 800, "long": (1333, 1)}
"""


@pytest.mark.promise(
    "no weights, config or array that comes with a model runs code",
    area="Untrusted files",
    goal="0 of 15 traps create their file: pickles, a model's own code, TorchScript, configs in Python and YAML, object arrays",
    control="tests/untrusted/test_models.py::test_the_traps_work_where_somebody_is_careless",
)
@pytest.mark.slow
def test_no_trap_of_a_model_is_sprung(tmp_path: Path, tally: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\ny\ny\n"))  # nobody is asked whether to run it either
    for number, (name, bait) in enumerate(BAITS.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        bait.write(folder)
        with pytest.raises(ModelUnavailable) as refused:
            bait.read(folder)
        tally.record(1, lost=(folder / RAN).exists())
        assert not (folder / RAN).exists(), name
        assert "Traceback" not in str(refused.value), name


@pytest.mark.slow
def test_the_traps_work_where_somebody_is_careless(tmp_path: Path) -> None:
    for number, (name, bait) in enumerate(BAITS.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        bait.write(folder)
        with suppress(AttributeError, RuntimeError):  # after the trap was sprung, what it leaves is no model
            bait.run(folder)
        assert (folder / RAN).exists(), name


def test_torch_reads_weights_only_when_nobody_says(tmp_path: Path) -> None:
    """What sam2, open_clip and groundingdino rely on where they call `torch.load` themselves."""
    torch.save({"weight": Trap(tmp_path / RAN)}, tmp_path / "weights.pt")
    with pytest.raises(Exception, match="Weights only load failed"):
        torch.load(tmp_path / "weights.pt")
    assert not (tmp_path / RAN).exists()


def header(entries: object, *, length: int | None = None) -> bytes:
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text


def entry(start: int, stop: int, *, shape: tuple[int, ...] = (4,), dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


WHOLE = save({"weight": np.zeros(4, np.float32)})
BROKEN = {
    "a header of an exabyte": header({}, length=2**60) + bytes(100),
    "a header of 4 GiB": header({}, length=2**32) + bytes(100),
    "a negative length": header({}, length=2**64 - 1),
    "no JSON": header(b"\x80\x04K\x01."),
    "deep JSON": header(b"[" * 100_000),
    "past the end": header({"weight": entry(0, 10**12, shape=(250_000_000_000,))}) + bytes(16),
    "overlapping": header({"a": entry(0, 16), "b": entry(8, 24)}) + bytes(24),
    "backwards": header({"weight": entry(16, 0)}) + bytes(16),
    "a hole": header({"a": entry(0, 16), "b": entry(32, 48)}) + bytes(48),
    "another size": header({"weight": entry(0, 16, shape=(5,))}) + bytes(16),
    "a shape that overflows": header({"weight": entry(0, 16, shape=(2**33, 2**33))}) + bytes(16),
    "an unknown type": header({"weight": entry(0, 16, dtype="OBJECT")}) + bytes(16),
    "bytes at its end": WHOLE + bytes(8),
    "cut off": WHOLE[:-4],
    "cut in its header": WHOLE[:12],
    "empty": b"",
}


def refuses(data: bytes, folder: Path) -> bool:
    (folder / "weights.safetensors").write_bytes(data)
    try:
        load_state(folder / "weights.safetensors")
    except ModelUnavailable:
        return True
    return False


@pytest.mark.promise(
    "a safetensors file whose header lies is refused by name",
    area="Untrusted files",
    goal="0 of 16 kinds of lies are believed",
    control="tests/untrusted/test_models.py::test_a_header_that_says_the_truth_is_believed",
)
def test_lying_headers_are_refused(tmp_path: Path, tally: Tally) -> None:
    believed = [name for name, data in BROKEN.items() if not refuses(data, tmp_path)]
    tally.record(len(BROKEN), lost=len(believed))
    assert believed == []


def test_a_header_that_says_the_truth_is_believed(tmp_path: Path) -> None:
    assert not refuses(WHOLE, tmp_path)
    assert not refuses(header({"a": entry(0, 16), "b": entry(16, 32)}) + bytes(32), tmp_path)


def test_a_published_config_is_read_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text('"""A config."""\n' + PUBLISHED)
    found = literals_of(tmp_path / "config.py")
    assert found["sizes"] == {"short": 800, "long": (1333, 1)}
    assert (found["batch_size"], found["dn_box_noise_scale"], found["backbone_freeze_keywords"]) == (1, -1.0, None)


@pytest.mark.parametrize(
    "line",
    ["import os", "a = b", "a = [x for x in (1, 2)]", "a.b = 1", "a = f'{1}'", "_base_ = 'other.py'", "a: int = 1", "("],
)
def test_what_is_no_plain_value_is_refused_by_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "config.py").write_text(f"fine = 1\n{line}\n")
    with pytest.raises(ModelUnavailable, match="no config that can be read" if line == "(" else "line 2: "):
        literals_of(tmp_path / "config.py")


def test_parts_of_the_network_are_allowed_and_nothing_else(tmp_path: Path) -> None:
    whole = {"model": {"_target_": "sam2.modeling.sam2_base.SAM2Base", "parts": [{"_target_": min(PARTS)}]}}
    check_targets(whole, PARTS, tmp_path)
    for target in ("os.system", "sam2.modeling.sam2_base.torch.load", "SAM2Base", None):
        with pytest.raises(ModelUnavailable, match="none of the network's own parts"):
            check_targets({"model": {"deep": [[{"_target_": target}]]}}, PARTS, tmp_path)
    with pytest.raises(ModelUnavailable, match="sets weights_path"):
        check_targets({"trunk": {"weights_path": "/x.pt"}}, PARTS, tmp_path, forbidden=("weights_path",))
    check_targets({"trunk": {"weights_path": None}}, PARTS, tmp_path, forbidden=("weights_path",))
