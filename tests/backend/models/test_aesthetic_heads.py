"""Both aesthetic heads are the affine map that their layers make, and other files are refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from backend.domain import Absent, ModelUnavailable
from backend.models.aesthetic_heads import AestheticLinear, AestheticMlp
from backend.models.places import ModelPlace


class Published(nn.Module):
    """The improved aesthetic predictor as its authors publish it: dropouts stand between the layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(768, 1024), nn.Dropout(0.2), nn.Linear(1024, 128), nn.Dropout(0.2), nn.Linear(128, 64),
            nn.Dropout(0.1), nn.Linear(64, 16), nn.Linear(16, 1),
        )  # fmt: skip


@pytest.fixture(scope="module")
def embeddings() -> np.ndarray:
    torch.set_num_threads(1)
    rows = np.random.default_rng(0).normal(size=(40, 768)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def head(kind: type, path: Path):
    return kind(ModelPlace(kind.__name__, str(path)), device="cpu", dtype="float32")


def test_folded_mlp_equals_its_layers(tmp_path: Path, embeddings: np.ndarray) -> None:
    torch.manual_seed(0)
    network = Published().eval()
    assert sum(p.numel() for p in network.parameters()) == 927_969
    torch.save(network.state_dict(), tmp_path / "aesthetic-model.pth")
    with torch.inference_mode():
        theirs = network.double().layers(torch.from_numpy(embeddings).double())[:, 0].numpy()
    for place in (tmp_path, tmp_path / "aesthetic-model.pth"):
        assert np.allclose(head(AestheticMlp, place).score(embeddings), theirs, atol=1e-9)


def test_linear_head_is_its_layer(tmp_path: Path, embeddings: np.ndarray) -> None:
    weight = torch.arange(768.0)[None] / 100
    torch.save({"weight": weight, "bias": torch.tensor([2.5])}, tmp_path / "sa_0_4_vit_l_14_linear.pth")
    wanted = embeddings.astype(np.float64) @ (np.arange(768, dtype=np.float32) / np.float32(100)) + 2.5
    assert np.allclose(head(AestheticLinear, tmp_path).score(embeddings), wanted, atol=1e-6)


def test_heads_are_not_mistaken_for_each_other(tmp_path: Path) -> None:
    torch.save(Published().state_dict(), tmp_path / "mlp.pth")
    with pytest.raises(ModelUnavailable, match="not the expected aesthetic head"):
        head(AestheticLinear, tmp_path / "mlp.pth")


def test_head_with_activations_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ava+logos-l14-reluMSE.pth"
    torch.save(Published().state_dict(), path)
    with pytest.raises(ModelUnavailable, match="has activations"):
        head(AestheticMlp, path)


def test_embeddings_of_another_clip_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(1, 768), "bias": torch.zeros(1)}, tmp_path / "head.pth")
    with pytest.raises(ModelUnavailable, match="takes 768 numbers and got 512"):
        head(AestheticLinear, tmp_path / "head.pth").score(np.ones((2, 512), np.float32))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"sa_0_4_vit_l_14_linear\.pth"):
        head(AestheticLinear, tmp_path)


def test_the_whole_predictor_is_clip_and_head(tmp_path: Path) -> None:
    from backend.domain import CLIP_PREP
    from backend.models.clip import ClipL14
    from backend.models.predicted_aesthetic import PredictedAesthetic
    from tests.backend.models.tiny_vision import save_clip

    torch.manual_seed(1)
    save_clip(tmp_path / "clip", dim=768)
    torch.save(Published().state_dict(), tmp_path / "sac+logos+ava1-l14-linearMSE.pth")
    frames = np.random.default_rng(2).integers(0, 256, (3, 64, 96, 3)).astype(np.uint8)
    clip = ClipL14(ModelPlace("ClipL14", str(tmp_path / "clip")), device="cpu", dtype="float32")
    wanted = head(AestheticMlp, tmp_path).score(clip.images(list(frames), CLIP_PREP)).mean()
    scorer = head(PredictedAesthetic, tmp_path)
    assert scorer.score(frames) == pytest.approx(wanted)
    assert isinstance(scorer.score(frames[:0]), Absent)
    assert scorer.score_crops(list(frames)) == [scorer.score(frame[None]) for frame in frames], "each alone, to the bit"
    assert scorer.score_crops([]) == []


def test_a_predictor_without_clip_is_refused(tmp_path: Path) -> None:
    from backend.models.predicted_aesthetic import PredictedAesthetic

    with pytest.raises(ModelUnavailable, match="has no folder clip"):
        head(PredictedAesthetic, tmp_path)
