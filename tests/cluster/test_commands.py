"""`curate`, `evaluate` and `latents` on a cluster, and by Ray on this machine: what `inline` gives, and an end by Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from backend.jobs.board import JobTicket
from backend.media.writer import write_video
from backend.recipes import plan_for
from backend.sampleworld import render_world
from backend.settings import read_settings
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot
from tests.cluster.conftest import TestCluster
from tests.training.made_export import made_export
from tests.training.test_latents import SMALL
from training.data.latents import encode

PATIENCE_S = 240.0
METRICS = "temporal_flickering,motion_amplitude_compat"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    render_world(folder, seed=1, videos=1, duration_s=4.0, size=(320, 180), workers=1)
    return folder / "videos"


def test_curation_of_the_sample_world_is_that_of_inline(cluster: TestCluster, films: Path, tmp_path: Path) -> None:
    one = curated(films, tmp_path / "inline", "--engine", "inline")
    other = curated(films, tmp_path / "ray", "--engine", "ray", "--address", cluster.ray.address)
    assert hash_of(other) == hash_of(one)
    assert Artifacts(other / "artifacts").verify_all() == []


def test_an_evaluation_has_the_rows_of_inline(cluster: TestCluster, tmp_path: Path) -> None:
    case = {"img_paths": ["a.png"], "class_label": ["Cup"], "prompt": "A mug."}
    cases, videos = tmp_path / "cases.json", tmp_path / "videos"
    cases.write_text(json.dumps({f"singleobj_{n}": case for n in (1, 2)}))
    videos.mkdir()
    for number in (1, 2):
        ramp = (np.full((64, 96, 3), 20 + 10 * number * n, np.uint8) for n in range(8))
        write_video(videos / f"singleobj_{number}.mp4", ramp, fps=8.0, crf=1)
    asked = ("evaluate", "--cases", cases, "--videos", videos, "--system", "s", "--metrics", METRICS)
    one = command(*asked, "--project", tmp_path / "inline", "--engine", "inline")
    other = command(
        *asked, "--project", tmp_path / "ray", "--engine", "ray", "--address", cluster.ray.address, "--workers", "1"
    )
    assert other["rows"] == one["rows"]
    assert {row["state"] for row in other["rows"]} == {"scored"}


def test_latents_are_those_of_inline(cluster: TestCluster, tmp_path: Path) -> None:
    exports = [made_export(tmp_path / name) for name in ("inline", "ray")]
    settings = (SMALL, replace(SMALL, engine="ray", workers=1, ray_address=cluster.ray.address))
    ticket = JobTicket(lambda *_: None, threading.Event())
    one, other = (encode(ticket, export=export, settings=each) for export, each in zip(exports, settings, strict=True))
    assert (other.failed, other.remarks, len(other.cache)) == (0, one.remarks, len(one.cache))
    for sample in one.reader.samples():
        first, second = (each.cache.tensor(each.keys.clips, sample.clip_id, "video").numpy() for each in (one, other))
        assert np.array_equal(first, second)


def test_ctrl_c_ends_ray_on_this_machine_and_what_it_started(cluster: TestCluster, films: Path, tmp_path: Path) -> None:
    project = tmp_path / "stopped"
    command("init", "--project", project)
    arguments = ["curate", films, "--project", project, "--engine", "ray", "--workers", "2", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.cli", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,  # a terminal's Ctrl-C reaches all of a session's foreground group
    )
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if '"stage"' in line and json.loads(line)["done"]:
            break
    else:
        pytest.fail(f"nothing was committed: {said}")
    own = psutil.Process(process.pid).children(recursive=True)
    assert any(one.name() == "raylet" for one in own)
    ports = [c.laddr.ip for one in own for c in connections(one) if c.status == psutil.CONN_LISTEN]
    assert ports and set(ports) <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}, "nobody else can call"
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    _, alive = psutil.wait_procs(own, timeout=20)
    for one in alive:
        one.kill()
    assert alive == []
    assert process.returncode not in (0, -signal.SIGKILL)
    assert not (project / "index" / "exchange" / "fragments").exists()
    assert sum(stage["ok"] for stage in command("status", "--project", project)["stages"]) > 0, "what was done is kept"


def curated(films: Path, project: Path, *options: object) -> Path:
    command("init", "--project", project)
    told = command("curate", films, "--project", project, *options)
    assert told["stages"], told
    return project


def hash_of(project: Path) -> str:
    catalog = Catalog(project / "catalog.duckdb")
    with Snapshot(catalog).of(plan_for(read_settings(project / "project.toml"))) as now:
        found = now.catalog_hash()
    catalog.close()
    return found


def connections(process: psutil.Process) -> list[Any]:
    try:
        return process.net_connections("inet")
    except psutil.NoSuchProcess:
        return []


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
    }


def command(*arguments: object) -> dict[str, Any]:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "backend.cli", *map(str, arguments), "--json"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=environment(),
    )
    assert done.returncode in (0, 1), f"{done.stderr[-3000:]} after {time.monotonic() - started:.0f} s"
    return json.loads(done.stdout)
