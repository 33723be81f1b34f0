"""SIGTERM to a command at work: it ends soon, with what is done committed, and leaves no process behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from backend.media.writer import write_video
from backend.store.catalog import Catalog
from tests.promises import Tally
from tests.training.made_cases import made_cases
from tests.training.made_export import made_export
from tests.training.made_run import SMALL, trained

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
WORK_S = 180.0
"""Until a command is at work: training imports torch and encodes first."""
STOP_S = 10.0
PATIENCE_S = 50.0
"""What a busy machine gets on top in the short version; the long one asserts the time that is promised."""
METRICS = "motion_amplitude,motion_amplitude_compat,temporal_flickering"
ENDLESS = ("run.steps=1000000", "run.save_every=1000000")


@dataclass(frozen=True)
class Command:
    """`studio-backend ARGUMENTS`, stopped when a stage whose name begins with `stage` has told of `least` items or steps.

    `kept` counts what is committed of the command's work.
    """

    arguments: tuple[str, ...]
    stage: str
    least: int = 1
    kept: Callable[[], int] = lambda: 0


@dataclass(frozen=True)
class Ended:
    """How a command ended: seconds from SIGTERM, exit code, and how many of its processes live on."""

    took_s: float
    code: int
    left: int

    def faults(self, command: Command, *, limit_s: float) -> list[str]:
        """What of the promise did not hold."""
        found = [f"it took {self.took_s:.1f} s"] if self.took_s >= limit_s else []
        found += [f"exit code {self.code}"] if self.code != 128 + signal.SIGTERM else []
        found += [f"{self.left} processes live on"] if self.left else []
        kept = command.kept()
        return found + ([f"{kept} kept of {command.least} that were told"] if kept < command.least else [])


def write_videos(folder: Path, names: list[str], *, seconds: float) -> Path:
    folder.mkdir()
    texture = np.random.default_rng(0).integers(0, 255, (180, 320, 3), np.uint8)
    for number, name in enumerate(names):
        frames = (np.roll(texture, 2 * t * (1 + number), axis=1) for t in range(int(25 * seconds)))
        write_video(folder / f"{name}.mp4", frames, fps=25.0, crf=30)
    return folder


def curate(folder: Path) -> Command:
    videos = write_videos(folder / "videos", [f"v{n}" for n in range(6)], seconds=6.0)
    crew = ("--engine", "process", "--workers", "2")
    run("init", "--project", str(folder / "project"), *crew)
    run("ingest", str(videos), "--project", str(folder / "project"))
    before = len(committed(folder / "project"))
    arguments = ("curate", "--project", str(folder / "project"), *crew)
    return Command(arguments, "", kept=lambda: len(committed(folder / "project")) - before)


def evaluate(folder: Path) -> Command:
    names = [f"singleobj_{n}" for n in range(10)]
    case = {"img_paths": ["a.png"], "class_label": ["Cup"]}
    (folder / "cases.json").write_text(json.dumps({name: {**case, "prompt": f"Texture {name}."} for name in names}))
    videos = write_videos(folder / "videos", names, seconds=3.0)
    about = ("--cases", str(folder / "cases.json"), "--videos", str(videos), "--system", "s", "--metrics", METRICS)
    project = ("--project", str(folder / "project"), "--engine", "process", "--workers", "2")
    return Command(("evaluate", *about, *project), "measure_", kept=lambda: len(committed(folder / "project")))


def train(folder: Path) -> Command:
    settings = [part for text in (*SMALL, *ENDLESS) for part in ("--set", text)]
    export = made_export(folder)
    arguments = ("train", "tiny", "--data", str(export), "--out", str(folder / "run"), *settings)
    return Command(arguments, "train", 2, kept=lambda: newest_step(folder / "run"))


def generate(folder: Path) -> Command:
    trained(made_export(folder), folder / "run", "run.steps=1")
    settings = ("--set", "sampler.steps=100000", "--set", "compute.device=cpu")
    about = ("--system", f"run:{folder / 'run'}", "--cases", str(made_cases(folder)), "--out", str(folder / "out"))
    return Command(("generate", *about, *settings), "", 0)


@pytest.mark.promise(
    "a command at work that is sent SIGTERM ends with what is done committed, and leaves no process behind",
    area="Workers",
    goal="under 10 s, 0 processes left: curate, evaluate, train, generate",
    control="tests/workers/test_graceful_stop.py::test_a_command_that_ignores_the_signal_is_found",
)
@pytest.mark.parametrize("prepare", [curate, evaluate, train, generate])
def test_a_command_at_work_stops(prepare: Callable[[Path], Command], tmp_path: Path, long: bool, tally: Tally) -> None:
    if prepare is not curate and not long:
        pytest.skip("its long version")
    command = prepare(tmp_path)
    ended = stopped(command)
    faults = ended.faults(command, limit_s=STOP_S + PATIENCE_S * (not long))
    note = f"{tally.note} {command.arguments[0]} {ended.took_s:.1f} s".strip()
    tally.record(1, lost=bool(faults), note=note)
    assert faults == []
    if prepare is evaluate:
        before = committed(tmp_path / "project")
        done = run(*command.arguments)
        assert done["rows"]
        assert before <= committed(tmp_path / "project")


DEAF = """
import json, signal, subprocess, sys, time
def leave(*_):
    time.sleep(1.5)
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
subprocess.Popen(['sleep', '5'], start_new_session=True)
print(json.dumps({'stage': 'deaf', 'done': 1, 'total': 2}), file=sys.stderr, flush=True)
time.sleep(60)
"""


def test_a_command_that_ignores_the_signal_is_found(tmp_path: Path) -> None:
    """The same check of a program that starts another, takes its time, ends as if all were well, and keeps nothing."""
    (tmp_path / "deaf.py").write_text(DEAF)
    command = Command((), "deaf")
    ended = stopped(command, program=(sys.executable, str(tmp_path / "deaf.py")), patience_s=1.0)
    faults = ended.faults(command, limit_s=1.0)
    assert [fault.split()[-1] for fault in faults] == ["s", "0", "on", "told"], faults


def stopped(
    command: Command, *, program: tuple[str, ...] = (sys.executable, "-m", "backend.cli"), patience_s: float = 15.0
) -> Ended:
    """Sends SIGTERM to a command once it is at work."""
    arguments = (*command.arguments, "--json") if command.arguments else ()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        wait_for_work(process, command)
        own = psutil.Process(process.pid).children(recursive=True)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=3 * PATIENCE_S)
        took = time.monotonic() - started
    finally:
        process.kill()
    _, alive = psutil.wait_procs(own, timeout=patience_s)
    for one in alive:
        one.kill()
    return Ended(took, process.returncode, len(alive))


def wait_for_work(process: subprocess.Popen[str], command: Command) -> None:
    assert process.stderr is not None
    said, deadline = [], time.monotonic() + WORK_S
    for line in process.stderr:
        said.append(line)
        assert time.monotonic() < deadline, "".join(said[-20:])
        if line.startswith("{") and '"stage"' in line:
            told = json.loads(line)
            if told["stage"].startswith(command.stage) and told["done"] >= command.least:
                return
    raise AssertionError("it ended before it was at work: " + "".join(said[-20:]))


def run(*arguments: str) -> dict:
    command = [sys.executable, "-m", "backend.cli", *arguments, "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=WORK_S, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def committed(project: Path) -> set[str]:
    catalog = Catalog(project / "catalog.duckdb")
    found = {row[0] for row in catalog.query("SELECT work_key FROM work")}
    catalog.close()
    return found


def newest_step(run: Path) -> int:
    """The step of a run's last checkpoint; 0 without one."""
    return max((int(path.parent.name.removeprefix("step-")) for path in run.rglob("step-*/state.json")), default=0)
