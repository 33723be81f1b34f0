"""The real command under torchrun on two processes does what one process does."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch.distributed as dist

from tests.training.made_export import made_export
from tests.training.made_run import SMALL, trained
from training.observe import read_metrics

pytestmark = pytest.mark.slow
COMMAND = Path(sys.executable).with_name("studio-backend")
STEPS = ("run.steps=2", "run.save_every=2", "optimizer.max_norm=1e9")


@pytest.fixture(scope="module", autouse=True)
def _one_group():
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """An export, and one process that accumulates two batches."""
    folder = tmp_path_factory.mktemp("torchrun")
    export = made_export(folder, videos=3)
    trained(export, folder / "alone", *STEPS, "run.accumulation=2")
    return export, folder / "alone"


@pytest.mark.thorough
def test_two_ranks_of_torchrun_make_the_steps_of_one_process(alone, tmp_path):
    export, one = alone
    settings = [part for each in (*SMALL, *STEPS) for part in ("--set", each)]
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    train = [COMMAND, "train", "tiny", "--data", export, "--out", tmp_path / "run", *settings]
    done = subprocess.run(
        [sys.executable, *launch, *map(str, train)], capture_output=True, text=True, cwd=tmp_path, timeout=240
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for ours, theirs in zip(read_metrics(one), read_metrics(tmp_path / "run"), strict=True):
        assert theirs["loss"] == pytest.approx(ours["loss"], rel=1e-5)
        assert (theirs["samples"], theirs["tokens"]) == (ours["samples"], ours["tokens"])
    assert (tmp_path / "run" / "export" / "transformer" / "config.json").is_file()
