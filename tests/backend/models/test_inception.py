"""Inception-v3: two published layouts, TensorFlow's pooling, pytorch-fid's preprocessing."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch.nn import functional

from backend.domain import ModelUnavailable
from backend.models.inception import AVERAGED, FILES, InceptionFeatures, network, pooled_otherwise
from backend.models.places import ModelPlace


@pytest.fixture(scope="module")
def plain() -> torch.nn.Module:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return torchvision.models.inception_v3(weights=None, init_weights=False, aux_logits=True).eval()


@pytest.fixture(scope="module")
def folder(plain: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inception")
    torch.save(plain.state_dict(), path / FILES[1])
    return path


@pytest.fixture(scope="module")
def inception(folder: Path) -> InceptionFeatures:
    return InceptionFeatures(ModelPlace("FeatureExtractor", str(folder)), device="cpu", dtype="float32")


@pytest.mark.slow
def test_torchvisions_weights_give_torchvisions_activations(inception: InceptionFeatures, plain: torch.nn.Module) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 60, 80, 3), np.uint8)
    found = inception.features(frames)
    caught = []
    hook = plain.get_submodule("avgpool").register_forward_hook(lambda module, given, out: caught.append(out.flatten(1)))
    x = functional.interpolate(torch.from_numpy(frames).permute(0, 3, 1, 2) / 255, (299, 299), mode="bilinear")
    with torch.inference_mode():
        plain(2 * x - 1)
    hook.remove()
    assert found.shape == (2, 2048) and found.std() > 0
    np.testing.assert_allclose(found, caught[0].numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(inception.features(frames[1:])[0], found[1], rtol=1e-3, atol=1e-6)


def test_pooling_branch_alone_differs() -> None:
    torch.manual_seed(0)
    block = torchvision.models.inception.InceptionA(8, pool_features=4).eval()
    x = torch.rand(1, 8, 5, 5)
    with torch.inference_mode():
        before, mean, most = block(x), pooled_otherwise(block, "mean")(x), pooled_otherwise(block, "max")(x)
        inside = functional.unfold(functional.pad(x, (1, 1, 1, 1), value=torch.nan), 3).view(1, 8, 9, 5, 5)
        expected_mean = block.branch_pool(inside.nanmean(2))
        expected_most = block.branch_pool(inside.nan_to_num(-torch.inf).amax(2))
    torch.testing.assert_close(mean[:, :-4], before[:, :-4])
    torch.testing.assert_close(mean[:, -4:], expected_mean)
    torch.testing.assert_close(most[:, -4:], expected_most)
    torch.testing.assert_close(mean[:, -4:, 1:4, 1:4], before[:, -4:, 1:4, 1:4])
    assert not torch.allclose(mean[:, -4:, 0], before[:, -4:, 0])


def test_weights_of_2015_are_pooled_as_in_2015() -> None:
    with torch.device("meta"):
        state = torchvision.models.inception_v3(
            weights=None, init_weights=False, num_classes=1008, aux_logits=False
        ).state_dict()
    assert len(state) == 94 * 6 + 2, "94 convolutions with normalisation, and the classifier"
    zeros = {name: torch.zeros(value.shape, dtype=value.dtype) for name, value in state.items()}
    found = network(zeros)
    kinds = {name: type(found.get_submodule(name)).__name__ for name in (*AVERAGED, "Mixed_7c", "Mixed_6a", "Mixed_7a")}
    assert {name for name, kind in kinds.items() if kind == "Pooled"} == {*AVERAGED, "Mixed_7c"}


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(1008, 4)}, tmp_path / "small.pth")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "linear.pth")
    for name in ("small.pth", "linear.pth"):
        with pytest.raises(ModelUnavailable, match="no Inception-v3"):
            InceptionFeatures(ModelPlace("FeatureExtractor", str(tmp_path / name)), device="cpu", dtype="float32")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelUnavailable, match="holds neither"):
        InceptionFeatures(ModelPlace("FeatureExtractor", str(tmp_path / "empty")), device="cpu", dtype="float32")
