"""kill -9 of Studio and of its service while somebody judges: what the screen moved on from is in the journal once, and nothing else is."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from backend.client import connect
from backend.domain import VERIFY_STUDY
from bench.studio_queue import PlantQueue, start
from studio.outbox import Outbox
from tests.promises import Tally

CLIPS = 3  # 48 subjects, 1,128 pairs
MOST_JUDGED_S = 1.5


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.promise(
    "A verdict that Studio's screen has moved on from is stored once, whether the window, its service or both are killed",
    area="Durability",
    goal="0 lost, 0 doubled in 50 kills",
    control="tests/chaos/test_studio_kills.py::test_a_window_that_tells_before_it_has_stored_loses_verdicts",
    kills=(3, 50),
)
def test_killed_windows_lose_and_double_no_verdict(tmp_path: Path, long: bool, tally: Tally) -> None:
    trials = int(os.environ.get("STUDIO_KILLS", "50")) if long else 3
    kill_and_check(tmp_path, trials=trials)
    tally.record(trials)


@pytest.mark.slow
@pytest.mark.server
def test_a_window_that_tells_before_it_has_stored_loses_verdicts(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="told of more than its outbox holds"):
        kill_and_check(tmp_path, trials=1, mode="judge-hastily")


def kill_and_check(folder: Path, *, trials: int, mode: str = "judge") -> None:
    """In turn the window, its service, and both are killed; each trial is another rater's, so that all have the whole queue."""
    with start(folder / "queue", PlantQueue(clips=CLIPS)) as made:
        made.communicate()
    draw, told = random.Random(0), {}
    for trial in range(trials):
        told[f"rater-{trial}"] = judge_and_kill(
            folder, f"rater-{trial}", ("studio", "service", "both")[trial % 3], draw, mode
        )
    with start(folder / "queue", PlantQueue(clips=CLIPS)) as serving:
        api = connect(folder / "queue")
        assert api.verify().ok
        stored = Counter((vote.rater, vote.item_id) for vote in api.votes(study_id=VERIFY_STUDY))
        serving.communicate()
    assert set(stored.values()) <= {1}, "a pair has two verdicts of one rater"
    by_rater = Counter(rater for rater, _ in stored)
    for rater, count in told.items():
        assert count <= by_rater[rater] <= count + 1, f"{rater} was told of {count} verdicts, {by_rater[rater]} are stored"
    assert sum(told.values()) > trials, "too little was judged to say anything"


def judge_and_kill(folder: Path, rater: str, victim: str, draw: random.Random, mode: str) -> int:
    """Lets a rater judge, kills, and sends what is left; gives how many verdicts the screen had moved on from."""
    state = folder / rater
    studio = voter(folder, state, rater, mode)
    assert studio.stdout is not None
    lines = [studio.stdout.readline()]
    time.sleep(draw.uniform(0, MOST_JUDGED_S))
    if victim in ("service", "both"):
        for child in psutil.Process(studio.pid).children(recursive=True):
            child.kill()
        time.sleep(draw.uniform(0, MOST_JUDGED_S))
    studio.kill()
    lines += studio.stdout.readlines()
    studio.wait()
    told = sum(line.endswith("\n") for line in lines)
    with Outbox(state / "p" / "outbox.sqlite") as outbox:
        counts = outbox.counts()
        kept = counts.pending + counts.sent
        assert told <= kept, f"{rater} was told of more than its outbox holds: {told} of {kept}"
        assert kept <= told + 1
        assert not counts.attention
    sender = voter(folder, state, rater, "flush")
    assert sender.wait(180) == 0, "what waited was not sent within three minutes"
    return told


def voter(folder: Path, state: Path, rater: str, mode: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.chaos.studio_voter", str(folder / "queue"), str(state), rater, mode, str(CLIPS)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
