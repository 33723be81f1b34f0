"""The first run on a small sample world: pairs, a report, a verdict that outlives a kill, and nothing done twice."""

import json
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, cast

import pytest

from backend.client import connect
from backend.domain import VERIFY_STUDY, ServiceError, Vote

COMMAND = [sys.executable, "-m", "backend.cli"]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=600)


@pytest.mark.slow
def test_demo_finds_subjects_and_writes_an_offline_report(demo_project: Path) -> None:
    status = json.loads(run("status", "--project", demo_project, "--json").stdout)
    assert status["counts"]["videos"] == 1
    assert status["counts"]["clips"] >= 3
    assert status["counts"]["masks"] > 0
    assert status["counts"]["pairs"] > 0
    assert all(row["pending"] == 0 for row in status["stages"])
    page = (demo_project / "report.html").read_text()
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")


@pytest.mark.thorough
@pytest.mark.slow
def test_demo_again_works_on_nothing(demo_project: Path, demo_films: Path) -> None:
    before = json.loads(run("verify", "--project", demo_project, "--json").stdout)
    seconds = [row["seconds"] for row in json.loads(run("status", "--project", demo_project, "--json").stdout)["stages"]]
    assert run("demo", demo_films, "--project", demo_project, "--no-open", "--json").returncode == 0
    assert [
        row["seconds"] for row in json.loads(run("status", "--project", demo_project, "--json").stdout)["stages"]
    ] == seconds
    after = json.loads(run("verify", "--project", demo_project, "--json").stdout)
    assert (after["ok"], after["catalog_hash"]) == (True, before["catalog_hash"])


@pytest.mark.slow
@pytest.mark.server
def test_verdict_is_there_after_kill_minus_nine(demo_project: Path) -> None:
    api, service = served(demo_project)
    trials = api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=1)
    assert trials, "the demo gave no pair to verify"
    vote = Vote(
        id=uuid.uuid4().hex,
        rev=0,
        study_id=VERIFY_STUDY,
        trial_id=trials[0].id,
        item_id=trials[0].item_id,
        rater="ann",
        rater_kind="person",
        question="same",
        choice="same",
    )
    assert api.submit_votes(votes=(vote,))[0].applied
    service.send_signal(signal.SIGKILL)
    service.wait(10)
    api.close()
    again, service = served(demo_project)
    try:
        assert [found.id for found in again.votes(study_id=VERIFY_STUDY)] == [vote.id]
        assert again.pair(pair_id=vote.item_id).verdict == "same"
        assert again.verify().ok
        assert again.status().counts["verdicts"] == 1
    finally:
        service.send_signal(signal.SIGTERM)
        assert service.wait(20) == 0, "a signal ends the service although a client is connected"
        again.close()


def served(project: Path):
    """A service of the project in a process of its own, and its client."""
    service = subprocess.Popen(
        [*COMMAND, "serve", "--project", str(project)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(400):
        try:
            return cast(Any, connect(project)), service
        except ServiceError:
            time.sleep(0.05)
    service.kill()
    raise AssertionError("the service did not start within 20 s")
