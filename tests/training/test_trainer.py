"""Whole runs on a small export: what they save, how they go on, and how they end badly."""

import json
import resource
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file

from backend.domain import ModelFailed, ProjectError, SettingsError, StoreError
from backend.media.reader import VideoReader
from tests.training.made_export import made_export
from tests.training.made_run import trained
from training.config import Optimizer
from training.layout import SequenceLayout, clip_segments
from training.loading import load_transformer
from training.observe import read_batches, read_metrics
from training.positions import position_scheme
from training.trainer import learning_rate

pytestmark = pytest.mark.slow  # together they take too long for the fast run

WEIGHTS = "export/transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module", autouse=True)
def _one_group():
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return made_export(tmp_path_factory.mktemp("squares"), videos=3)


@pytest.fixture(scope="module")
def whole(export, tmp_path_factory):
    """Six steps without a stop."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    trained(export, out, "run.steps=6", "run.save_every=2", "run.tensorboard=true")
    return out


def losses(run):
    return [line["loss"] for line in read_metrics(run) if "loss" in line]


def same_weights(one, other):
    first, second = load_file(one / WEIGHTS), load_file(other / WEIGHTS)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_says_what_it_was(whole):
    assert len(losses(whole)) == 6
    line = read_metrics(whole)[-1]
    assert line["samples"] == 2
    assert line["tokens"] == 2 * (9 * 4 * 4 + 2 * 2)
    assert 0 <= line["data_wait"] <= 1
    assert min(line["tokens_per_s"], line["flops_per_s"], line["memory_gib"], line["gradient_norm"]) > 0
    shown = read_batches(whole)
    assert [line["step"] for line in shown] == list(range(1, 7))
    assert [len(line["samples"]) for line in shown] == [line["samples"] for line in read_metrics(whole)]
    config = json.loads((whole / "config.json").read_text())
    assert config["recipe"] == "tiny"
    assert config["data"]["latents"]["clips"]["frames"] == [9]
    steps = sorted(path.name for path in (whole / "checkpoints").iterdir())
    assert steps == ["step-00000004", "step-00000006"], "the newest two are kept"


def test_tensorboard_shows_what_the_lines_say(whole):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(whole / "tensorboard"))
    board.Reload()
    shown = [(event.step, event.value) for event in board.Scalars("loss")]
    assert shown == [(line["step"], pytest.approx(line["loss"])) for line in read_metrics(whole)]
    assert set(board.Tags()["scalars"]) == set(read_metrics(whole)[0]) - {"step"}


@pytest.mark.thorough  # compiling takes half a minute
def test_compiled_blocks_give_the_losses_of_a_run(export, whole, tmp_path):
    trained(export, tmp_path / "run", "run.steps=2", "parallel.compile=true")
    np.testing.assert_allclose(losses(tmp_path / "run"), losses(whole)[:2], rtol=1e-4)


def test_stopped_and_resumed_is_bit_equal(export, whole, tmp_path):
    stopped = trained(export, tmp_path / "run", "run.steps=6", "run.save_every=2", "run.tensorboard=true", stop_at=3)
    assert (stopped.state, stopped.step) == ("stopped", 3)
    resumed = trained(export, tmp_path / "run", resume=True)
    assert (resumed.state, resumed.step, resumed.resumed) == ("done", 6, True)
    assert losses(tmp_path / "run") == losses(whole)
    assert same_weights(tmp_path / "run", whole)


def test_a_cosine_rate_goes_on_where_it_was_to_the_bit(export, whole, tmp_path):
    settings = ("run.steps=6", "run.save_every=2", "optimizer.schedule=cosine", "optimizer.warmup_steps=2")
    trained(export, tmp_path / "uncut", *settings)
    assert trained(export, tmp_path / "run", *settings, stop_at=3).state == "stopped"
    trained(export, tmp_path / "run", resume=True)
    rates = [line["learning_rate"] for line in read_metrics(tmp_path / "run")]
    falling = [0.5 * (1 + np.cos(np.pi * k / 4)) for k in range(4)]
    np.testing.assert_allclose(rates, [2e-3 * share for share in (0.5, 1.0, *falling)], rtol=1e-12)
    assert losses(tmp_path / "run") == losses(tmp_path / "uncut")
    assert same_weights(tmp_path / "run", tmp_path / "uncut")
    assert not same_weights(tmp_path / "run", whole), "a constant rate ends elsewhere"


def test_sigterm_saves_and_stops(export, whole, tmp_path):
    run = tmp_path / "run"
    stopped = trained(export, run, "run.steps=6", "run.save_every=100", signal_at=3)
    assert (stopped.state, stopped.step) == ("stopped", 3)
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step-00000003"]
    assert losses(run) == losses(whole)[:3]


def test_half_the_precision_gives_nearly_the_losses(export, whole, tmp_path):
    trained(export, tmp_path / "run", "run.steps=2", "parallel.dtype=bfloat16")
    np.testing.assert_allclose(losses(tmp_path / "run"), losses(whole)[:2], rtol=0.02)
    weights = load_file(tmp_path / "run" / WEIGHTS)
    assert {value.dtype for value in weights.values()} == {torch.float32}


def test_what_came_after_the_checkpoint_is_done_again(export, whole, tmp_path):
    """As after a kill: metrics are ahead of the newest checkpoint, and a half-written one lies there."""
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    shutil.rmtree(run / "checkpoints" / "step-00000006")
    shutil.rmtree(run / "export")
    (run / "checkpoints" / ".step-00000006").mkdir()
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 7, "lo')
    with (run / "batches.jsonl").open("a") as file:
        file.write('{"step": 7, "samp')
    trained(export, run, resume=True)
    assert losses(run) == losses(whole)
    assert read_batches(run) == read_batches(whole)
    assert same_weights(run, whole)
    assert not (run / "checkpoints" / ".step-00000006").exists()


def test_diffusers_loads_what_a_run_exports(whole):
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel

    plain = WanTransformer3DModel.from_pretrained(whole / "export" / "transformer").eval()
    ours = load_transformer(whole / "export")
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, 48, 3, 4, 4, generator=generator)
    text = torch.randn(1, 8, 32, generator=generator)
    layout = SequenceLayout(stream=clip_segments((3, 4, 4)), scheme=position_scheme("concat"))
    with torch.no_grad():
        expected = plain(x, torch.tensor([500.0]), text, return_dict=False)[0]
        assert torch.equal(ours([x], layout, torch.tensor([500.0]), text), expected)


@pytest.mark.slow
def test_accumulated_batches_are_one_larger_step(export, whole, tmp_path):
    """Three videos in batches of two give two and one: together each step sees all three."""
    trained(export, tmp_path / "run", "run.steps=2", "run.accumulation=2")
    assert [line["samples"] for line in read_metrics(tmp_path / "run")] == [3, 3]


@pytest.mark.slow
def test_adapters_alone_learn_and_diffusers_takes_them(export, whole, tmp_path):
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel

    base = whole / "export"
    out = tmp_path / "run"
    trained(export, out, "run.steps=2", f'model.init="{base}"', "run.ema_decay=0.0", "lora.alpha=32", recipe="tiny_lora")
    found = load_file(out / "export" / "pytorch_lora_weights.safetensors")
    assert all(".lora_A." in name or ".lora_B." in name for name in found)
    assert any(value.abs().max() > 0 for name, value in found.items() if ".lora_B." in name)
    plain = WanTransformer3DModel.from_pretrained(base / "transformer").eval()
    generator = torch.Generator().manual_seed(1)
    x, text = torch.randn(1, 48, 3, 4, 4, generator=generator), torch.randn(1, 8, 32, generator=generator)
    with torch.no_grad():
        before = plain(x, torch.tensor([500.0]), text, return_dict=False)[0]
        plain.load_lora_adapter(found, prefix="transformer")
        after = plain(x, torch.tensor([500.0]), text, return_dict=False)[0]
    name = "transformer.blocks.0.attn1.to_q"
    by_hand = found[f"{name}.lora_B.weight"] @ found[f"{name}.lora_A.weight"]
    merged = plain.blocks[0].attn1.to_q.get_delta_weight("default_0")  # pyright: ignore
    torch.testing.assert_close(merged, by_hand)
    assert not torch.equal(before, after)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["full", "selective"])
def test_recomputing_activations_changes_nothing(export, whole, tmp_path, kind):
    trained(export, tmp_path / "run", "run.steps=2", f"parallel.checkpointing={kind}")
    assert losses(tmp_path / "run") == losses(whole)[:2]


@pytest.mark.slow
def test_validation_of_a_seed_is_the_same_twice_to_the_bytes_of_its_videos(export, tmp_path):
    settings = ("run.steps=2", "validation.every=2", "validation.videos=1", "validation.sampling_steps=2")
    seeds = {"one": 0, "again": 0, "other": 1}
    for name, seed in seeds.items():
        trained(export, tmp_path / name, *settings, f"run.seed={seed}")
    one, again, other = (read_metrics(tmp_path / name)[-1] for name in seeds)
    assert one == again != other
    assert {"validation/loss", "validation/loss_t0.1", "validation/loss_t0.9"} < set(one)
    files = [list((tmp_path / name / "samples" / "step-00000002").iterdir()) for name in seeds]
    assert [len(found) for found in files] == [1, 1, 1]
    one, again, other = (found[0] for found in files)
    assert one.name == again.name
    assert one.read_bytes() == again.read_bytes() != other.read_bytes()
    with VideoReader(one) as reader:
        frames = reader.at(range(reader.num_frames))
    assert frames.shape == (9, 32, 32, 3)
    assert frames.std() > 1, "a picture, and no plain ground"


def test_a_run_on_anchors_at_the_positions_of_their_kinds(tmp_path):
    export = made_export(tmp_path, anchors=True)
    told = trained(
        export, tmp_path / "run", "run.steps=3", 'data.modes=["anchors"]', 'data.anchors.kinds="both"',
        "data.anchors.all_dropped=0.0", "model.positions=weak_condition", "conditioning.dropout=gloria",
        "conditioning.prefix=0.5", "conditioning.first_frame=0.5",
    )  # fmt: skip
    assert told.examples == 2
    assert len(losses(tmp_path / "run")) == 3
    line = read_metrics(tmp_path / "run")[0]
    assert line["tokens"] > line["samples"] * 9 * 4 * 4, "pictures beside the video's own"


def test_a_batch_that_gives_no_number_stops_before_the_weights(export, whole, tmp_path, monkeypatch):
    from training.data.loader import TensorReader

    run = tmp_path / "run"
    trained(export, run, "run.steps=6", "run.save_every=2", stop_at=2)
    read = TensorReader.read

    def poisoned(self, batch):
        x, conditions = read(self, batch)
        return x * float("nan"), conditions

    monkeypatch.setattr(TensorReader, "read", poisoned)
    with pytest.raises(
        ModelFailed, match=r"step 3: loss nan.*the weights were not touched.*clip_.*resume goes on from step 2"
    ):
        trained(export, run, resume=True)
    monkeypatch.undo()
    trained(export, run, resume=True)
    assert losses(run) == losses(whole)
    assert same_weights(run, whole)


def test_a_finite_loss_with_a_gradient_that_is_none_stops_before_the_weights(export, tmp_path, monkeypatch):
    """The square root of nothing: no change of the loss, and a slope without end."""
    from training import trainer

    run, plain, shown = tmp_path / "run", trainer.batch_loss, []

    def steep(model, *arguments, **named):
        weight = next(iter(model.parameters()))
        shown[:] = [weight, weight.detach().clone()]
        return plain(model, *arguments, **named) + (0 * weight.sum()).sqrt()

    monkeypatch.setattr(trainer, "batch_loss", steep)
    with pytest.raises(ModelFailed, match=r"step 1: loss [0-9.]+, gradient norm nan; the weights were not touched"):
        trained(export, run, "run.steps=1")
    assert torch.equal(shown[0].detach(), shown[1])
    assert list((run / "checkpoints").iterdir()) == []


@contextmanager
def files_of_at_most(num_bytes):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_last_checkpoint(export, whole, tmp_path):
    run = tmp_path / "run"
    trained(export, run, "run.steps=6", "run.save_every=2", stop_at=2)
    with (
        files_of_at_most(100_000),
        pytest.raises(ProjectError, match=r"step-00000004 could not be written.*last whole one is of step 2"),
    ):
        trained(export, run, resume=True)
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step-00000002"]
    trained(export, run, resume=True)
    assert losses(run) == losses(whole)
    assert same_weights(run, whole)


def test_a_damaged_checkpoint_is_named(export, whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    part = next((run / "checkpoints" / "step-00000006").glob("*.distcp"))
    part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])
    with pytest.raises(StoreError, match=r"step-00000006 cannot be taken over.*remove it to go on from the one before"):
        trained(export, run, resume=True)


def test_a_video_that_has_gone_is_told_and_the_rest_is_trained_on(tmp_path):
    export = made_export(tmp_path, videos=2)
    (tmp_path / "square-1.mp4").unlink()
    told = trained(export, tmp_path / "run", "run.steps=1")
    assert (told.state, told.examples, told.failed) == ("done", 1, 1)
    assert any("square-1.mp4" in remark for remark in told.remarks)


def test_a_run_is_not_begun_over_another(export, whole):
    with pytest.raises(ProjectError, match="holds a run; go on with --resume"):
        trained(export, whole)


def test_what_decides_a_step_cannot_change_on_the_way(export, whole):
    with pytest.raises(SettingsError, match=r"optimizer.learning_rate cannot change while a run goes on"):
        trained(export, whole, "optimizer.learning_rate=0.5", resume=True)


def test_a_mode_without_samples_says_what_there_is(export, tmp_path):
    with pytest.raises(SettingsError, match=r"no sample .* in mode face_cross_pair; it has 6 samples with references"):
        trained(export, tmp_path / "run", 'data.modes=["face_cross_pair"]')


def test_an_empty_bucket_is_a_sentence(export, tmp_path):
    with pytest.raises(SettingsError, match=r"no sample .*shorter than the shortest bucket, 81 frames at 12 a second"):
        trained(export, tmp_path / "run", "data.latents.clips.frames=[81]")


def test_a_sample_over_the_budget_is_a_sentence(export, tmp_path):
    with pytest.raises(SettingsError, match=r"a sample of 148 tokens .* exceeds data.tokens = 40"):
        trained(export, tmp_path / "run", "data.tokens=40")


def test_a_model_that_does_not_fit_the_latents_is_a_sentence(export, tmp_path):
    with pytest.raises(SettingsError, match=r"latents have 48 channels, model.shape tiny takes 16"):
        trained(export, tmp_path / "run", "model.channels=16")


def test_too_many_ranks_are_a_sentence(export, tmp_path):
    with pytest.raises(SettingsError, match=r"context 2 is not the number of ranks, 1"):
        trained(export, tmp_path / "run", "parallel.context=2")


def test_rate_rises_and_falls():
    wanted = Optimizer(learning_rate=1.0, schedule="cosine", warmup_steps=2)
    found = [learning_rate(wanted, step, 10) for step in range(10)]
    expected = [0.5, 1.0, *(0.5 * (1 + np.cos(np.pi * k / 8)) for k in range(8))]
    np.testing.assert_allclose(found, expected)


@pytest.mark.slow
def test_one_sample_is_learnt_by_heart(tmp_path):
    export = made_export(tmp_path, videos=1)
    trained(
        export,
        tmp_path / "run",
        "run.steps=200",
        "run.save_every=200",
        "run.ema_decay=0.0",
        'data.modes=["in_pair"]',
        'conditioning.dropout="none"',
        "optimizer.learning_rate=0.003",
        "validation.every=200",
        "model.heads=8",
    )
    found = losses(tmp_path / "run")
    assert np.mean(found[-20:]) < 0.25 * np.mean(found[:5])
    assert read_metrics(tmp_path / "run")[-1]["validation/loss"] < 0.4
