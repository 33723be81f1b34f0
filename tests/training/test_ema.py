"""The moving average against numbers worked out by hand, and that what is published is the average."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from training.config import TrainConfig, with_settings
from training.ema import Ema
from training.model import build
from training.parallel import World
from training.publish import publish
from training.recipes import recipe
from training.shapes import tiny

ALONE = World(0, 1, torch.device("cpu"), 0, 1, None, None)


class OneWeight(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0]))
        self.frozen = nn.Parameter(torch.tensor([5.0]), requires_grad=False)


def put(model: OneWeight, value: float) -> None:
    with torch.no_grad():
        model.weight.fill_(value)


def test_three_updates_by_hand() -> None:
    """Decays (1 + n) / (10 + n) are 2/11, 3/12 and 4/13; the third is above the wanted 0.28."""
    model = OneWeight()
    ema = Ema(model, 0.28)
    found = []
    for step, value in enumerate((12.0, 4.0, 8.0), start=1):
        put(model, value)
        ema.update(model, step)
        found.append(ema.average["weight"].item())
    first = (2 * 1 + 9 * 12) / 11  # 10
    second = 0.25 * first + 0.75 * 4  # 5.5
    third = 0.28 * second + 0.72 * 8  # 7.3
    assert found == pytest.approx([first, second, third])
    assert found == pytest.approx([10.0, 5.5, 7.3])
    assert set(ema.average) == {"weight"}, "what does not learn has no average"


def test_shown_puts_the_average_in_place_and_back_again_even_after_a_fault() -> None:
    model = OneWeight()
    ema = Ema(model, 0.5)
    put(model, 12.0)
    ema.update(model, 1)
    with ema.shown(model):
        assert model.weight.item() == pytest.approx(10.0)
    assert model.weight.item() == 12.0
    with pytest.raises(RuntimeError, match="while it was shown"), ema.shown(model):
        raise RuntimeError("while it was shown")
    assert (model.weight.item(), ema.average["weight"].item()) == (12.0, pytest.approx(10.0))


def test_the_average_is_published_and_the_weights_stay(tmp_path) -> None:
    config: TrainConfig = with_settings(recipe("tiny"), {"run.ema_decay": 0.5})
    torch.manual_seed(0)
    model = build(tiny())
    name = "proj_out.bias"
    ema = Ema(model, 0.5)
    before = dict(model.named_parameters())[name].detach().clone()
    with torch.no_grad():
        dict(model.named_parameters())[name].add_(11.0)
    ema.update(model, 1)  # 2/11 of what was, 9/11 of what is: 9 more
    publish(model, ema, config, ALONE, tmp_path / "export")
    (file,) = (tmp_path / "export").rglob("*.safetensors")
    torch.testing.assert_close(load_file(file)[name], before + 9.0)
    torch.testing.assert_close(dict(model.named_parameters())[name].detach(), before + 11.0)
