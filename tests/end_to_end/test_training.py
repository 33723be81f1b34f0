"""From films to a trained model in commands: curated, exported, trained, killed, and gone on as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file

COMMAND = [sys.executable, "-m", "backend.cli"]
WEIGHTS = "export/transformer/diffusion_pytorch_model.safetensors"
SETTINGS = (
    "run.steps=20",
    "run.save_every=4",
    "validation.every=0",
    "data.latents.workers=1",
    "data.latents.pictures.faces=false",
    "data.latents.clips.frames=[5]",
    "data.max_samples=2",
    "model.layers=2",
    "run.tensorboard=false",
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def export(demo_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What curation made of a film of the sample world."""
    out = tmp_path_factory.mktemp("curated") / "export"
    done(*COMMAND, "export", "manifest", "--project", demo_project, "--out", out)
    assert (out / "samples.jsonl").stat().st_size > 0, "curation gave samples to train on"
    return out


def test_killed_and_gone_on_equals_never_killed_bit_for_bit(export: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    told = json.loads(done(*train(export, whole), "--json").stdout)
    assert (told["state"], told["step"]) == ("done", 20)
    process = subprocess.Popen(list(map(str, train(export, killed))), stderr=subprocess.DEVNULL, env=environment())
    wait_for(killed / "checkpoints" / "step-00000004" / "state.json", process)
    process.send_signal(signal.SIGKILL)
    assert process.wait(20) == -signal.SIGKILL
    assert not (killed / "export").exists()
    again = json.loads(done(*COMMAND, "train", "tiny", "--data", export, "--out", killed, "--resume", "--json").stdout)
    assert (again["state"], again["step"], again["resumed"]) == ("done", 20, True)
    assert losses(killed) == losses(whole)
    assert len(losses(whole)) == 20
    one, other = load_file(whole / WEIGHTS), load_file(killed / WEIGHTS)
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)


def train(export: Path, out: Path) -> list[object]:
    return [
        *COMMAND,
        "train",
        "tiny",
        "--data",
        export,
        "--out",
        out,
        *(part for each in SETTINGS for part in ("--set", each)),
    ]


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(6000):
        if path.exists():
            return
        assert process.poll() is None, "training ended before it could be killed"
        time.sleep(0.05)
    raise AssertionError(f"{path} did not appear")


def done(*command: object) -> subprocess.CompletedProcess[str]:
    found = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment())
    assert found.returncode == 0, found.stderr[-3000:]
    return found


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}
