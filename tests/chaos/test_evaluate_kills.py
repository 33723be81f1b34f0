"""kill -9 of `evaluate` at random moments: what was committed is never measured again, and the rows are those of one run."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from backend.media.writer import write_video
from backend.store.catalog import Catalog
from tests.promises import Tally

NUM_VIDEOS = 10
METRICS = ("motion_amplitude", "motion_amplitude_compat", "temporal_flickering")
KILLS, MOST_KILLS = 4, 12  # of one evaluation
ROUNDS = 15
"""Evaluations that the long version kills."""
MEASURING_S = 1.5  # about how long an undisturbed run measures, without its start
SIZE = (270, 480, 3)


@pytest.fixture
def bench(tmp_path: Path) -> tuple[Path, Path]:
    """Cases and a moving texture for each, a case torn and a case of one frame among them."""
    case = {"img_paths": ["a.png"], "class_label": ["Cup"]}
    names = [f"singleobj_{n}" for n in range(NUM_VIDEOS)]
    cases = tmp_path / "cases.json"
    cases.write_text(json.dumps({name: {**case, "prompt": f"Texture {name}."} for name in names}))
    videos = tmp_path / "videos"
    videos.mkdir()
    texture = np.random.default_rng(0).integers(0, 255, SIZE, np.uint8)
    for number, name in enumerate(names[:-2]):
        frames = (np.roll(texture, 2 * t * (1 + number), axis=1) for t in range(8))
        write_video(videos / f"{name}.mp4", frames, fps=8.0, crf=30)
    write_video(videos / f"{names[-2]}.mp4", iter([texture]), fps=8.0)
    (videos / f"{names[-1]}.mp4").write_bytes(b"\0" * 500)
    return cases, videos


@pytest.mark.slow
@pytest.mark.promise(
    "Metrics that were measured survive kill -9 of `evaluate` and are not measured again, and its rows are those of a run that nobody killed",
    area="Durability",
    goal="0 lost, 0 doubled, 0 other rows in 60 kills",
    control="tests/chaos/test_evaluate_kills.py::test_scores_that_are_committed_apart_from_their_work_are_doubled",
    kills=(4, 60),
)
def test_killed_evaluation_ends_as_one_that_nobody_killed(
    bench: tuple[Path, Path], tmp_path: Path, long: bool, tally: Tally
) -> None:
    whole = rows_of(start(bench, tmp_path / "whole", workers=1))
    assert {row["state"] for row in whole} == {"scored", "too_short", "failed"}
    for seed in range(ROUNDS if long else 1):
        project = tmp_path / f"killed {seed}"
        tally.record(kill_and_check(bench, project, random.Random(5 + seed)))
        ended, final = rows_of(start(bench, project, workers=0)), work_of(project)
        assert len(final) == NUM_VIDEOS * len(METRICS)
        assert {attempt for _, _, attempt in final.values()} == {0}, "each was measured once"
        assert ended == whole


@pytest.mark.thorough
@pytest.mark.slow
def test_scores_that_are_committed_apart_from_their_work_are_doubled(bench: tuple[Path, Path], tmp_path: Path) -> None:
    project = tmp_path / "apart"
    mutant = (
        "from tests.chaos.killed_run import commit_apart; commit_apart('score'); from backend.cli.app import main; main()"
    )
    assert start(bench, project, workers=0, program=("-c", mutant)).wait(120) == -signal.SIGKILL
    rows_of(start(bench, project, workers=0))
    with pytest.raises(AssertionError, match="a score stands there twice"):
        work_of(project)


def kill_and_check(bench: tuple[Path, Path], project: Path, rng: random.Random) -> int:
    """Kills an evaluation again and again, one of the kills amid its work at least; gives how many."""
    committed: dict[str, tuple[str, str, int]] = {}
    halfway, life = 0, 0
    while life < KILLS or (not halfway and life < MOST_KILLS):  # a busy machine measures nothing before early kills
        process = start(bench, project, workers=life == 1)
        wait_for_work(process)
        time.sleep(rng.uniform(0.1, 1.0) * MEASURING_S * (life + 1) / KILLS)
        life += 1
        kill(process)
        now = work_of(project)
        assert committed.items() <= now.items(), "a committed row was lost or measured again"
        halfway += 0 < len(now) < NUM_VIDEOS * len(METRICS)
        committed = now
    assert halfway, "no kill met a run at work: nothing was tried"
    return life


def start(
    bench: tuple[Path, Path], project: Path, *, workers: int, program: tuple[str, str] = ("-m", "backend.cli")
) -> subprocess.Popen[str]:
    """`evaluate` as a process of its own: inline without workers, else with two."""
    engine = ("--engine", "process", "--workers", "2") if workers else ("--engine", "inline")
    cases, videos = map(str, bench)
    command = [sys.executable, *program, "evaluate", "--cases", cases, "--videos", videos, "--system", "s"]
    command += ["--metrics", ",".join(METRICS), "--project", str(project), *engine, "--json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for_work(process: subprocess.Popen[str]) -> None:
    """Returns when the first progress line says that a stage has begun, or the run has ended."""
    assert process.stderr is not None
    for line in process.stderr:
        if '"stage"' in line and "measure_" in line:
            return


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL to the owner; its workers end by themselves."""
    try:
        workers = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        workers = []
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    psutil.wait_procs(workers, timeout=20)
    assert not any(worker.is_running() for worker in workers), "a worker outlived its owner"


def work_of(project: Path) -> dict[str, tuple[str, str, int]]:
    """Run, state and attempt by work key. Raises AssertionError for one that stands there twice."""
    catalog = Catalog(project / "catalog.duckdb")
    found = catalog.query("SELECT work_key, run_id, state, attempt FROM work")
    scores = catalog.query("SELECT target, name FROM score")
    catalog.close()
    assert len({key for key, *_ in found}) == len(found), "a work key stands there twice"
    assert len(set(scores)) == len(scores), "a score stands there twice"
    return {key: (run, state, attempt) for key, run, state, attempt in found}


def rows_of(process: subprocess.Popen[str]) -> list[dict]:
    """The rows of a run that ends; its exit code says that one video is torn."""
    out, error = process.communicate(timeout=120)
    assert process.returncode == 1, error
    return json.loads(out)["rows"]
