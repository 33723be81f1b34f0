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
from tests.training.made_export import made_export
from tests.training.test_latents import SMALL
from training.data.latents import encode

pytestmark = pytest.mark.slow

SCRIPT = """
import sys, threading
from dataclasses import replace
from pathlib import Path
from backend.jobs.board import JobTicket
from tests.training.test_latents import SMALL
from training.data.latents import encode

def told(stage, done, total):
    print(stage, done, total, flush=True)

if __name__ == "__main__":
    encode(JobTicket(told, threading.Event()), export=Path(sys.argv[1]), settings=replace(SMALL, engine=sys.argv[2], workers=2))
"""
VIDEOS = 4  # as many as have colours of their own


@pytest.mark.parametrize(
    ("engine", "stage"), [("inline", "encode_clips"), ("process", "encode_clips"), ("process", "encode_pictures")]
)
def test_killed_amid_encoding_nothing_is_lost_or_done_twice(tmp_path: Path, engine: str, stage: str) -> None:
    export = made_export(tmp_path, videos=VIDEOS)
    script = tmp_path / "encoding.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(export), engine]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    assert process.stdout is not None
    for line in process.stdout:
        if line.split()[0] == stage:
            break
    else:
        pytest.fail(f"{stage} was never begun")
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    assert process.wait(20) == -signal.SIGKILL
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == [], "workers end with their owner"

    before = rows(export)
    assert before, "what was done is kept"
    steps: list[tuple[str, int, int]] = []
    ticket = JobTicket(lambda *told: steps.append(told), threading.Event())
    found = encode(ticket, export=export, settings=replace(SMALL, engine="inline"))
    after = rows(export)
    assert (found.failed, found.remarks) == (0, ())
    assert set(before.items()) <= set(after.items())
    assert set(after.values()) == {1}, "every piece of work was committed once"
    left = {name: max(total for stage_, _, total in steps if stage_ == name) for name, _, _ in steps}
    assert sum(left.values()) == len(after) - len(before), "only what was left was worked on"

    whole = made_export(tmp_path / "whole", videos=VIDEOS)
    expected = encode(JobTicket(lambda *_: None, threading.Event()), export=whole, settings=SMALL)
    assert len(found.cache) == len(expected.cache)
    for sample in expected.reader.samples():
        one, other = (each.cache.tensor(each.keys.clips, sample.clip_id, "video").numpy() for each in (found, expected))
        assert np.array_equal(one, other)


def rows(export: Path) -> Counter[str]:
    """How often each piece of work was finished."""
    catalog = export.with_name(f"{export.name}.latents") / "work" / "catalog.duckdb"
    with duckdb.connect(str(catalog), read_only=False) as connection:
        return Counter(key for (key,) in connection.execute("SELECT work_key FROM work WHERE state <> 'failed'").fetchall())
