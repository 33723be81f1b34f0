"""Encoding latents, killed with SIGKILL amid it: what was committed stays, the rest is done, nothing is done twice."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import psutil
import pytest

from backend.jobs.board import JobTicket
from tests.promises import Tally
from tests.training.made_export import made_export
from tests.training.test_latents import SMALL
from training.data.latents import Encoded, encode

pytestmark = pytest.mark.slow

SCRIPT = """
import sys, threading
from dataclasses import replace
from pathlib import Path
from backend.jobs.board import JobTicket
from tests.chaos.killed_run import commit_apart
from tests.training.test_latents import SMALL
from training.data.latents import encode

def told(stage, done, total):
    print(stage, done, total, flush=True)

if __name__ == "__main__":
    if sys.argv[3:] == ["apart"]:
        commit_apart("score")
    encode(JobTicket(told, threading.Event()), export=Path(sys.argv[1]), settings=replace(SMALL, engine=sys.argv[2], workers=2))
"""
VIDEOS = 4  # as many as have colours of their own


@pytest.mark.promise(
    "Latents that were encoded survive kill -9 amid `latents`, nothing is encoded twice, and the cache ends as one of a run that nobody killed",
    area="Durability",
    goal="0 lost, 0 doubled, 0 other tensors in 36 kills",
    control="tests/training/test_latents_killed.py::test_latents_that_are_committed_apart_from_their_work_are_doubled",
    kills=(1, 12),
)
@pytest.mark.parametrize(
    ("engine", "stage"),
    [
        ("inline", "encode_clips"),
        pytest.param("process", "encode_clips", marks=pytest.mark.thorough),
        ("process", "encode_pictures"),
    ],
)
def test_killed_amid_encoding_nothing_is_lost_or_done_twice(
    tmp_path: Path, engine: str, stage: str, long: bool, tally: Tally
) -> None:
    whole = made_export(tmp_path / "whole", videos=VIDEOS)
    expected = encode(JobTicket(lambda *_: None, threading.Event()), export=whole, settings=SMALL)
    for life in range(12 if long else 1):
        export = made_export(tmp_path / str(life), videos=VIDEOS)
        process = started(export, engine)
        kill_amid(process, stage, lines=life % 3)
        tally.record(1)
        before = rows(export)
        assert before, "what was done is kept"
        found, left = gone_on(export)
        after = rows(export)
        assert (found.failed, found.remarks) == (0, ())
        assert set(before.items()) <= set(after.items())
        assert set(after.values()) == {1}, "every piece of work was committed once"
        assert left == len(after) - len(before), "only what was left was worked on"
        assert doubled(export) == []
        assert len(found.cache) == len(expected.cache)
        for sample in expected.reader.samples():
            one, other = (each.cache.tensor(each.keys.clips, sample.clip_id, "video").numpy() for each in (found, expected))
            assert np.array_equal(one, other)


@pytest.mark.thorough
def test_latents_that_are_committed_apart_from_their_work_are_doubled(tmp_path: Path) -> None:
    export = made_export(tmp_path, videos=VIDEOS)
    process = started(export, "inline", "apart")
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    gone_on(export)
    assert doubled(export) != []


def started(export: Path, engine: str, how: str = "") -> subprocess.Popen[str]:
    """Encoding in a process of its own. `apart`: a mutant that commits rows before their work, and is killed between."""
    script = export.with_name("encoding.py")
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(export), engine, *([how] if how else [])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)


def kill_amid(process: subprocess.Popen[str], stage: str, *, lines: int) -> None:
    """SIGKILL when a stage has told of its beginning, and so many times more; its workers end by themselves."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.split()[0] == stage:
            break
    else:
        pytest.fail(f"{stage} was never begun")
    for _ in range(lines):
        process.stdout.readline()
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    process.send_signal(signal.SIGKILL)
    assert process.wait(20) in (-signal.SIGKILL, 0)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == [], "workers end with their owner"


def gone_on(export: Path) -> tuple[Encoded, int]:
    """The run after one that was killed, and how many pieces of work it had to do."""
    steps: list[tuple[str, int, int]] = []
    ticket = JobTicket(lambda *told: steps.append(told), threading.Event())
    found = encode(ticket, export=export, settings=replace(SMALL, engine="inline"))
    left = {name: max(total for stage_, _, total in steps if stage_ == name) for name, _, _ in steps}
    return found, sum(left.values())


def doubled(export: Path) -> list[str]:
    """Whose latents stand in the catalog twice."""
    with duckdb.connect(str(catalog_of(export))) as connection:
        found = connection.execute(
            "SELECT target FROM score GROUP BY target, name, producer HAVING count(*) > 1"
        ).fetchall()
    return [target for (target,) in found]


def rows(export: Path) -> Counter[str]:
    """How often each piece of work was finished."""
    with duckdb.connect(str(catalog_of(export))) as connection:
        return Counter(key for (key,) in connection.execute("SELECT work_key FROM work WHERE state <> 'failed'").fetchall())


def catalog_of(export: Path) -> Path:
    return export.with_name(f"{export.name}.latents") / "work" / "catalog.duckdb"
