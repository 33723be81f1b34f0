"""Two processes do what one does: gradients, losses, and checkpoints that the other can take over."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file

from tests.thorough import quick
from tests.training.made_export import made_export
from tests.training.made_run import trained
from tests.training.two_ranks import record
from training.observe import read_batches, read_metrics

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = "export/transformer/diffusion_pytorch_model.safetensors"
UNCUT = "optimizer.max_norm=1e9"
COMMON = ("run.steps=3", "run.save_every=2", UNCUT)
RUNS = {
    "sharded": COMMON,
    "hybrid": (*COMMON, "parallel.replicate=2", "parallel.shard=1"),
    "context": (*COMMON, "parallel.context=2", "run.accumulation=2"),
}
QUICK = ("sharded", "context")
PARTED = [("parted", (*COMMON, "stop_at=1")), ("parted", ("resume",))]


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory):
    """One process that accumulates two batches, and two processes that each take one or share both."""
    folder = tmp_path_factory.mktemp("ranks")
    export = made_export(folder, videos=3)
    gradients: list = []
    handle = record(gradients)
    trained(export, folder / "alone", *COMMON, "run.accumulation=2")
    handle.remove()  # pyright: ignore[reportAttributeAccessIssue]
    torch.save(gradients, folder / "alone.pt")
    asked = RUNS if request.config.getoption("--long") else QUICK
    sittings = [(name, RUNS[name]) for name in asked] + PARTED
    two(export, folder, *(" ".join((name, *settings)) for name, settings in sittings))
    yield export, folder
    if dist.is_initialized():
        dist.destroy_process_group()


def two(export, folder, *told):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    about = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.training.two_ranks", str(export), str(folder), *told]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **about}, stderr=subprocess.PIPE, text=True, timeout=540)
    assert done.returncode == 0, done.stderr[-6000:]


@pytest.mark.parametrize("name", quick(QUICK, RUNS))
def test_gradients_of_two_ranks_are_those_of_one(runs, name):
    _, folder = runs
    expected, found = (torch.load(folder / f"{each}.pt") for each in ("alone", name))
    assert len(expected) == len(found)
    for ours, theirs in zip(expected, found, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert (ours - theirs).norm() <= 1e-5 * max(ours.norm(), 1e-3)


@pytest.mark.parametrize("name", quick(QUICK, RUNS))
def test_losses_norms_and_counts_are_those_of_one(runs, name):
    _, folder = runs
    for ours, theirs in zip(read_metrics(folder / "alone"), read_metrics(folder / name), strict=True):
        assert theirs["loss"] == pytest.approx(ours["loss"], rel=1e-5)
        assert theirs["gradient_norm"] == pytest.approx(ours["gradient_norm"], rel=1e-4)
        assert (theirs["samples"], theirs["tokens"]) == (ours["samples"], ours["tokens"])


def test_one_rank_goes_on_from_two(runs):
    """With twice the accumulation it makes the steps that two would have made."""
    export, folder = runs
    for name, more in (("alone", ()), ("sharded", ("run.accumulation=2",))):
        shutil.copytree(folder / name, folder / f"{name}-taken")
        trained(export, folder / f"{name}-taken", "run.steps=5", *more, resume=True)
    ours, theirs = (read_metrics(folder / f"{name}-taken") for name in ("alone", "sharded"))
    assert [line["step"] for line in theirs] == [1, 2, 3, 4, 5]
    for one, other in zip(ours, theirs, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert other["samples"] == one["samples"]


def test_two_ranks_go_on_from_two_bit_for_bit(runs):
    _, folder = runs
    whole, parted = (folder / name for name in ("sharded", "parted"))
    assert [line["loss"] for line in read_metrics(parted)] == [line["loss"] for line in read_metrics(whole)]
    assert len(read_metrics(parted)) == 3
    assert read_batches(parted) == read_batches(whole)
    one, other = (load_file(run / WEIGHTS) for run in (whole, parted))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
