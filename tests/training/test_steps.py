"""What the model is shown in a training step, recorded: texts left out, times told, starts given clean."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from training import steps
from training.conditioning import Arrangement, Conditions
from training.config import with_settings
from training.dropout import DROPOUT, DropoutPlan
from training.flow import TIMESTEPS, drawn_times
from training.positions import position_scheme
from training.recipes import recipe
from training.steps import batch_loss, with_known

CONCAT = Arrangement(scheme=position_scheme("concat"))
SEED = 11
CPU = torch.device("cpu")


class Recorder:
    """Answers with zeros, and keeps what it was asked."""

    def __call__(self, latents, layouts, timestep_B, text_BLA, **_):
        self.latents, self.layout, self.timestep_B, self.text_BLA = latents, layouts[0], timestep_B, text_BLA
        return torch.zeros_like(torch.cat(latents, dim=2))


def config_of(**values):
    return with_settings(recipe("tiny"), {name.replace("__", "."): value for name, value in values.items()})


@pytest.fixture
def x_BCTHW(draw):
    return draw(2, 16, 5, 4, 4)


@pytest.fixture
def conditions(draw) -> Conditions:
    return Conditions(text_BLA=draw(2, 7, 32), empty_text_BLA=draw(1, 7, 32))


def recorded(config, x_BCTHW, conditions):
    model = Recorder()
    loss = batch_loss(model, CONCAT, config, x_BCTHW, conditions, seed=SEED, device=CPU)  # pyright: ignore[reportArgumentType]
    return model, loss


def test_a_plan_that_always_drops_the_text_shows_the_empty_one(x_BCTHW, conditions, monkeypatch):
    monkeypatch.setattr(steps, "DROPOUT", {**DROPOUT, "none": DropoutPlan(((("text",), 1.0),))})
    always, _ = recorded(config_of(conditioning__dropout="none"), x_BCTHW, conditions)
    assert torch.equal(always.text_BLA, conditions.empty_text_BLA.expand(2, -1, -1))
    monkeypatch.undo()
    never, _ = recorded(config_of(conditioning__dropout="none"), x_BCTHW, conditions)
    assert torch.equal(never.text_BLA, conditions.text_BLA)


def test_the_model_is_told_a_thousand_times_the_drawn_time_and_shown_that_much_noise(x_BCTHW, conditions):
    """The first draws of the batch's own generator are the times, then the noise; 4 tokens a frame of 4 x 4."""
    config = config_of()
    model, loss = recorded(config, x_BCTHW, conditions)
    generator = torch.Generator().manual_seed(SEED)
    t_B = drawn_times(config.times, 2, generator, spatial_tokens=4)
    noise = torch.randn(x_BCTHW.shape, generator=generator)
    assert 0 < t_B.min() < t_B.max() < 1
    assert torch.equal(model.timestep_B, TIMESTEPS * t_B)
    for sample in range(2):
        by_hand = (1 - t_B[sample]) * x_BCTHW[sample] + t_B[sample] * noise[sample]
        torch.testing.assert_close(model.latents[0][sample], by_hand)
        torch.testing.assert_close(loss[sample], (noise[sample] - x_BCTHW[sample]).square().mean())


def test_a_prefix_is_the_clips_own_latents_at_time_nought_and_not_in_the_loss(x_BCTHW, conditions):
    config = config_of(conditioning__prefix=1.0, conditioning__prefix_latents=2)
    model, loss = recorded(config, x_BCTHW, conditions)
    prefix, video = model.latents
    assert torch.equal(prefix, x_BCTHW[:, :, :2])
    assert video.shape[2] == 3
    assert [(segment.role, segment.timestep) for segment in model.layout.stream] == [("prefix", 0.0), ("video", None)]
    generator = torch.Generator().manual_seed(SEED)
    drawn_times(config.times, 2, generator, spatial_tokens=4)
    noise = torch.randn(x_BCTHW.shape, generator=generator)
    torch.testing.assert_close(loss, (noise - x_BCTHW)[:, :, 2:].square().flatten(1).mean(dim=1))


def test_a_first_frame_of_a_text_base_is_one_clean_latent(x_BCTHW, conditions):
    config = config_of(conditioning__first_frame=1.0)
    model, _ = recorded(config, x_BCTHW, conditions)
    first, video = model.latents
    assert torch.equal(first, x_BCTHW[:, :, :1])
    assert video.shape[2] == 4
    assert [(segment.role, segment.timestep) for segment in model.layout.stream] == [("first_frame", 0.0), ("video", None)]


def test_a_single_frame_has_neither_prefix_nor_first_frame(x_BCTHW, conditions):
    for config in (config_of(conditioning__prefix=1.0), config_of(conditioning__first_frame=1.0)):
        found = with_known(conditions, x_BCTHW[:, :, :1], config, np.random.default_rng(0))
        assert found.known_BCTHW is None


def test_chances_of_a_prefix_and_a_first_frame_exclude_each_other(x_BCTHW, conditions):
    config = config_of(conditioning__prefix=0.3, conditioning__prefix_latents=2, conditioning__first_frame=0.5)
    rng, seen = np.random.default_rng(1), {"prefix": 0, "first_frame": 0, "": 0}
    for _ in range(2000):
        given = with_known(replace(conditions), x_BCTHW, config, rng)
        seen["" if given.known_BCTHW is None else given.known_as] += 1
    shares = {name: count / 2000 for name, count in seen.items()}
    assert shares == pytest.approx({"prefix": 0.3, "first_frame": 0.5, "": 0.2}, abs=0.05)
