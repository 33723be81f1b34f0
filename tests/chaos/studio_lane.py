"""Raters whose Studio or service is killed, one after the other: `python -m tests.chaos.studio_lane FOLDER TRIALS judge|judge-hastily SEED`.

Windows are forked from this process, which has imported Studio and has no window itself. Fails with what was lost or doubled.
"""

import contextlib
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil

from backend.client import connect
from backend.domain import VERIFY_STUDY
from bench.studio_queue import PlantQueue, start
from studio.outbox import Outbox
from tests.chaos.studio_voter import vote

CLIPS = 3  # 48 subjects, 1,128 pairs
MOST_JUDGED_S = 1.5
LONGEST_WITHOUT_S = 4.0  # a new service is there after two to three
PATIENCE_S = 180.0
VICTIMS = ("studio", "service", "both")
_FORK = multiprocessing.get_context("fork")


def kill_and_check(folder: Path, *, trials: int, mode: str, seed: int) -> None:
    """In turn the window is killed, its service (and the window a while later), and both at once.

    Each trial is another rater's, so that all have the whole queue. What waits afterwards is sent by a second window of each.
    """
    queue = folder / "queue"
    with start(queue, PlantQueue(clips=CLIPS)) as made:
        made.communicate()
    draw, told = random.Random(seed), {}
    for trial in range(trials):
        rater = f"rater-{trial}"
        told[rater] = judge_and_kill(folder, rater, VICTIMS[trial % 3], draw, mode)
    with start(queue, PlantQueue(clips=CLIPS)) as serving:
        for rater in told:
            with window(folder, rater, "flush") as (sender, _):
                sender.join(PATIENCE_S)
                assert sender.exitcode == 0, f"what waited of {rater} was not sent within {PATIENCE_S:g} s"
        api = connect(queue)
        assert api.verify().ok
        stored = Counter((vote.rater, vote.item_id) for vote in api.votes(study_id=VERIFY_STUDY))
        serving.communicate()
    assert set(stored.values()) <= {1}, "a pair has two verdicts of one rater"
    by_rater = Counter(rater for rater, _ in stored)
    for rater, count in told.items():
        assert count <= by_rater[rater] <= count + 1, f"{rater} was told of {count} verdicts, {by_rater[rater]} are stored"
    assert sum(told.values()) > trials, "too little was judged to say anything"


def judge_and_kill(folder: Path, rater: str, victim: str, draw: random.Random, mode: str) -> int:
    """Lets a rater judge, and kills; gives how many verdicts the screen had moved on from."""
    with window(folder, rater, mode) as (studio, says):
        assert says.poll(PATIENCE_S), f"{rater} could judge nothing within {PATIENCE_S:g} s"
        time.sleep(draw.uniform(0, MOST_JUDGED_S))
        if victim != "studio":
            for child in psutil.Process(studio.pid).children(recursive=True):
                child.kill()
        if victim == "service":
            time.sleep(draw.uniform(0, LONGEST_WITHOUT_S))
        studio.kill()
        told = last_said(says)
    with Outbox(folder / rater / "p" / "outbox.sqlite") as outbox:
        counts = outbox.counts()
        kept = counts.pending + counts.sent
        assert told <= kept, f"{rater} was told of more than its outbox holds: {told} of {kept}"
        assert kept <= told + 1
        assert not counts.attention
    return told


@contextlib.contextmanager
def window(folder: Path, rater: str, mode: str) -> Iterator[tuple[BaseProcess, Connection]]:
    """A rater's window in a process of its own, and what it says; killed at the end where it still runs."""
    ours, theirs = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=vote, args=(folder / "queue", folder / rater, rater, mode, CLIPS, theirs))
    process.start()
    theirs.close()
    with ours:
        yield process, ours
        process.kill()
        process.join()
        process.close()


def last_said(says: Connection) -> int:
    """The last number that came, until nobody is there who could say another."""
    told = 0
    with contextlib.suppress(EOFError, ConnectionResetError):
        while True:
            told = says.recv()
    return told


if __name__ == "__main__":
    kill_and_check(Path(sys.argv[1]), trials=int(sys.argv[2]), mode=sys.argv[3], seed=int(sys.argv[4]))
