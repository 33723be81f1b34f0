"""Broken and hostile files, curated together: each ends in a named state with a reason, and the run goes on."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ENDED = {"ok", "ok_with_warning", "filtered", "skipped"}


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.real
def test_every_bad_file_ends_as_expected(real_media: Path, tmp_path: Path) -> None:
    bad = real_media / "bad"
    videos = tmp_path / "inputs"
    videos.mkdir()
    wanted = {}
    for row in csv.DictReader((bad / "EXPECTED.csv").open(encoding="utf-8", newline="")):
        file = bad / row["file"]
        if file.is_file() and file.parent == bad and file.suffix != ".txt":
            shutil.copy(file, videos)
            wanted[file.name] = row["wanted"]
    for name in (
        "клип 视频 é #1 (copy) 100%.mp4",
        'it\'s "quoted" & $HOME;.mp4',
        " leading.mp4",
        "-dash.mp4",
        "n" * 230 + ".mp4",
    ):
        shutil.copy(bad / "ok_control.mp4", videos / name)
        wanted[name] = "accept"
    found = curate(videos, tmp_path / "project")
    problems = {row["name"]: row for row in found["failures"] if row["stage"] == "probe_source" or row["state"] != "failed"}
    assert sum(found["states"].values()) == len(wanted)
    for name, want in wanted.items():
        row = problems.get(name, {"state": "ok", "message": "ok"})
        if want == "reject":
            assert row["state"] in ("failed", "filtered"), f"{name} was taken"
        elif name != "truncated.jpg":  # wanted: "reject or warn"
            assert row["state"] in ENDED, f"{name}: {row['message']}"
        assert row["message"].strip(), f"{name} has no reason"
    assert [row["name"] for row in found["failures"] if row["stage"] != "probe_source" and row["state"] == "failed"] == []


def curate(videos: Path, project: Path) -> dict:
    """Status after `init`, `ingest` and `curate` as a user calls them; the exit code is 1, since some inputs fail."""
    command = [sys.executable, "-m", "backend.cli"]
    subprocess.run([*command, "init", "--project", project], check=True, capture_output=True)
    subprocess.run([*command, "ingest", videos, "--project", project], check=True, capture_output=True)
    done = subprocess.run([*command, "curate", "--project", project, "--json"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 1, done.stderr[-2000:]
    return json.loads(done.stdout)
