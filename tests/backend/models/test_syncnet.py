"""SyncNet: published names and size, upstream's windows and padding, shifted sound moves the columns."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.domain import Absent, ModelUnavailable
from backend.models.mfcc import mfcc
from backend.models.places import ModelPlace
from backend.models.syncnet import FILE, SyncNet, network
from tests.backend.models.tiny_vision import drawn

NUM = 8
RNG = np.random.default_rng(0)
UPSTREAM = [
    [1497.20764, 1497.20764, 1497.20764, 2115.10498, 2130.17505, 2173.25366, 1497.20764],
    [1482.25281, 1482.25281, 2107.06787, 2120.99316, 2164.00293, 1482.25281, 1482.25281],
    [1463.94678, 2089.0481, 2103.00537, 2146.57568, 1463.94678, 1463.94678, 1463.94678],
]
"""Columns 12 to 18 of the distances: where sound ends, they are those to the zero vector."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("syncnet") / FILE
    # As a file of 2017 has them: without the counters that torch added to batch normalisation later.
    torch.save(drawn(network(), seed=4), path)
    return path


@pytest.fixture(scope="module")
def syncnet(weights: Path) -> SyncNet:
    return SyncNet(ModelPlace("SyncScorer", str(weights)), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return RNG.integers(0, 16, (NUM, 224, 224, 3), np.uint8)


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    loudness = np.repeat(10.0 ** RNG.uniform(0, 4, NUM), 640)
    return (RNG.uniform(-1, 1, NUM * 640) * loudness).astype(np.int16)


def test_network_has_the_published_names_and_13_6_million_weights() -> None:
    state = network().state_dict()
    convolutions = {"netcnnaud": (0, 4, 8, 11, 14, 18), "netcnnlip": (0, 4, 8, 11, 14, 18)}
    for tower, places in convolutions.items():
        found = {int(re.split(r"\.", name)[1]) for name in state if name.startswith(tower) and name.endswith("weight")}
        assert found == {*places, *(place + 1 for place in places)}
    for head in ("netfcaud", "netfclip"):
        assert tuple(state[f"{head}.3.weight"].shape) == (1024, 512)
    assert tuple(state["netcnnlip.18.weight"].shape) == (512, 256, 1, 6, 6)
    assert tuple(state["netcnnaud.18.weight"].shape) == (512, 256, 5, 4)
    assert sum(value.numel() for value in network().parameters()) == 13_631_616


def test_distances_are_those_of_single_windows(
    syncnet: SyncNet, weights: Path, crops: np.ndarray, samples: np.ndarray
) -> None:
    """One window at a time, through the towers and heads by themselves, as upstream's loop cuts them."""
    plain = network().eval()
    plain.load_state_dict(torch.load(weights, weights_only=True))
    towers = {name: plain.get_submodule(name) for name in ("netcnnaud", "netfcaud", "netcnnlip", "netfclip")}
    cepstra, num = mfcc(samples).T, NUM - 5
    lips, sound = [], []
    with torch.inference_mode():
        for i in range(num):
            bgr = np.moveaxis(crops[i : i + 5, ..., ::-1], -1, 0)[None].astype(np.float32)
            lips.append(towers["netfclip"](towers["netcnnlip"](torch.from_numpy(bgr)).flatten(1)).numpy()[0])
            window = torch.from_numpy(cepstra[None, None, :, 4 * i : 4 * i + 20]).float()
            sound.append(towers["netfcaud"](towers["netcnnaud"](window).flatten(1)).numpy()[0])
    padded = np.concatenate((np.zeros((15, 1024)), sound, np.zeros((15, 1024))))
    expected = [[np.linalg.norm(lips[i] - padded[i + k] + 1e-6) for k in range(31)] for i in range(num)]
    found = syncnet.distances(crops, samples)
    assert isinstance(found, np.ndarray) and found.shape == (3, 31)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_distances_are_those_of_its_authors_code(syncnet: SyncNet) -> None:
    """Frozen: syncnet_python's S and calc_pdist(vshift=15) as SyncNetInstance.evaluate calls them, on these pictures (as BGR)
    and this sound in memory, with `tiny_vision.drawn(S(), seed=4)` for weights and our MFCC.
    """
    rng = np.random.default_rng(9)
    pictures = rng.integers(0, 16, (NUM, 224, 224, 3), np.uint8)
    sound = rng.uniform(-1, 1, NUM * 640) * np.repeat(10.0 ** rng.uniform(0, 4, NUM), 640)
    found = syncnet.distances(pictures, sound.astype(np.int16))
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found[:, 12:19], UPSTREAM, rtol=1e-5)


def test_sound_moved_by_640_samples_moves_the_columns_by_one(
    syncnet: SyncNet, crops: np.ndarray, samples: np.ndarray
) -> None:
    """Two windows of three meet the same sound again, one column later."""
    later = np.concatenate((samples[:1], np.zeros(639, np.int16), samples))[: NUM * 640]
    before, after = syncnet.distances(crops, samples), syncnet.distances(crops, later)
    assert isinstance(before, np.ndarray) and isinstance(after, np.ndarray)
    # Row i, column k: sound i + k - 15, which must be one of 1 and 2 after the move (0 holds the silence).
    for i in range(3):
        for k in range(31):
            if i + k - 15 in (1, 2):
                assert after[i, k] == pytest.approx(before[i, k - 1], rel=1e-5), (i, k)
                assert abs(after[i, k] - before[i, k]) > 1e-4 * before[i, k], "without the move they differ"


def test_too_little_is_not_applicable(syncnet: SyncNet, crops: np.ndarray, samples: np.ndarray) -> None:
    for found in (syncnet.distances(crops[:5], samples), syncnet.distances(crops, samples[:3199])):
        assert isinstance(found, Absent) and found.reason.startswith("not applicable")


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "linear.model")
    with pytest.raises(ModelUnavailable, match="no SyncNet"):
        SyncNet(ModelPlace("SyncScorer", str(tmp_path / "linear.model")), device="cpu", dtype="float32")
    with pytest.raises(ModelUnavailable, match=FILE):
        SyncNet(ModelPlace("SyncScorer", str(tmp_path)), device="cpu", dtype="float32")
