"""From films to scores in commands: curated, exported, trained, killed, gone on as if nothing had happened, generated, evaluated."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from safetensors.numpy import load_file

from backend.exports.reader import read_manifest

COMMAND = [sys.executable, "-m", "backend.cli"]
METRICS = ("motion_amplitude", "temporal_flickering")
WEIGHTS = "export/transformer/diffusion_pytorch_model.safetensors"
STEPS = 8
SETTINGS = (
    f"run.steps={STEPS}",
    "run.save_every=2",
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
def export(demo_project: Path, demo_films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What curation made of a film of the sample world."""
    out = tmp_path_factory.mktemp("curated") / "export"
    done(*COMMAND, "ingest", demo_films, "--licence", "CC0-1.0", "--project", demo_project)
    done(*COMMAND, "export", "manifest", "--project", demo_project, "--out", out)
    assert (out / "samples.jsonl").stat().st_size > 0, "curation gave samples to train on"
    return out


class Run(NamedTuple):
    """A run's folder, and what the command told of it."""

    folder: Path
    told: dict[str, Any]


@pytest.fixture(scope="module")
def whole(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return Run(folder, json.loads(done(*train(export, folder), "--json").stdout))


@pytest.fixture(scope="module")
def killed(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One that was killed and gone on."""
    folder = tmp_path_factory.mktemp("killed") / "run"
    process = subprocess.Popen(list(map(str, train(export, folder))), stderr=subprocess.DEVNULL, env=environment())
    wait_for(folder / "checkpoints" / "step-00000002" / "state.json", process)
    process.send_signal(signal.SIGKILL)
    assert process.wait(20) == -signal.SIGKILL
    assert not (folder / "export").exists()
    again = done(*COMMAND, "train", "tiny", "--data", export, "--out", folder, "--resume", "--json")
    return Run(folder, json.loads(again.stdout))


@pytest.mark.thorough
def test_killed_and_gone_on_equals_never_killed_bit_for_bit(whole: Run, killed: Run) -> None:
    """As commands, on what curation made; `tests/training/test_killed_runs.py` has it of forked runs each time."""
    assert (whole.told["state"], whole.told["step"]) == ("done", STEPS)
    assert losses(killed.folder) == losses(whole.folder)
    one, other = load_file(whole.folder / WEIGHTS), load_file(killed.folder / WEIGHTS)
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)


def test_what_was_killed_and_gone_on_makes_videos_that_are_scored(killed: Run, export: Path, tmp_path: Path) -> None:
    """From the export that curation made to scores: train, kill, resume, generate, evaluate, each as its command."""
    assert (killed.told["state"], killed.told["step"], killed.told["resumed"]) == ("done", STEPS, True)
    assert len(losses(killed.folder)) == STEPS
    cases, videos, project = cases_of(export, tmp_path), tmp_path / "videos", tmp_path / "project"
    about = ("--cases", cases, "--json")
    made = json.loads(
        done(
            *(*COMMAND, "generate", "--system", f"run:{killed.folder}", "--out", videos, "--name", "trained", *about),
            *("--set", "sampler.steps=2"),
        ).stdout
    )
    assert [(video["case"], video["state"]) for video in made["videos"]] == [("case_1", "made")]
    measured = json.loads(
        done(
            *(*COMMAND, "evaluate", "--videos", videos, "--system", "trained", "--project", project, *about),
            *("--metrics", ",".join(METRICS), "--engine", "inline"),
        ).stdout
    )
    found = {row["metric"]: row for row in measured["rows"]}
    assert set(found) == set(METRICS)
    assert all((row["state"], row["case_id"], row["system"]) == ("scored", "case_1", "trained") for row in found.values())
    assert all(math.isfinite(row["value"]) for row in found.values())


def cases_of(export: Path, folder: Path) -> Path:
    """A case that asks for a sample of the export again: its caption, and its first reference."""
    reader = read_manifest(export)
    sample = next(each for each in reader.samples() if each.caption)
    pair = next(each for each in reader.pairs() if each.pair_id == sample.references[0].pair_id)
    assert pair.reference.crop is not None
    (folder / "reference.png").write_bytes(reader.artifact(pair.reference.crop).read_bytes())
    asked = {
        "img_paths": ["reference.png"],
        "prompt": sample.caption,
        "class_label": [pair.phrase or "subject"],
    }
    path = folder / "cases.json"
    path.write_text(json.dumps({"case_1": asked}))
    return path


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
