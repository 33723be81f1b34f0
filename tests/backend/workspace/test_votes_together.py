"""Votes and trials of many people reach the disk in one commit; what is known of an answer is known at once."""

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.domain import StudioError, Vote
from backend.domain.studies import Participant, StudyTrial
from backend.workspace import Workspace
from tests.backend.workspace.study_project import answer, named, newcomer, write_benchmark

NUM = 8
LENIENT = ("min_seconds=0", "min_item_seconds=0")


@pytest.fixture
def api(workspace: Workspace, tmp_path: Path) -> Api:
    folder = write_benchmark(tmp_path / "benchmark", cases=2, frames=2)
    found = cast(Api, workspace)
    found.create_study(
        name="taste", form="ab", trials=4, rules=LENIENT, cases=str(folder / "cases.json"), systems=named(folder)
    )
    return found


class Stalled:
    """The journal's writer, kept from the disk until the block ends."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._go, self._begun = workspace, threading.Event(), threading.Event()
        self._caller = threading.Thread(target=self._hold)

    def _hold(self) -> None:
        def wait(connection: sqlite3.Connection) -> None:
            self._begun.set()
            assert self._go.wait(20)

        self._workspace.journal.write(wait)

    def __enter__(self) -> "Stalled":
        self._caller.start()
        assert self._begun.wait(10)
        return self

    def until_waiting(self, num: int) -> None:
        """Until so many requests lie before the writer."""
        deadline = time.monotonic() + 20
        while self._workspace.journal._requests.qsize() < num:
            assert time.monotonic() < deadline, f"{self._workspace.journal._requests.qsize()} of {num} came that far"
            time.sleep(0.01)

    def __exit__(self, *_: object) -> None:
        self._go.set()
        self._caller.join()


def vote_on(one: StudyTrial, person: Participant, choice: str = "left", *, rev: int = 1) -> Vote:
    return Vote(
        id=f"{one.trial.item_id}-better",
        rev=rev,
        study_id=person.study_id,
        trial_id=one.trial.item_id,
        item_id=one.trial.item_id,
        rater=person.id,
        rater_kind="person",
        question="better",
        choice=choice,
    )


def at_once(calls: list[Callable[[], object]], workspace: Workspace) -> int:
    """Runs all calls while the writer is stalled; gives how many commits they took."""
    with ThreadPoolExecutor(len(calls)) as pool:
        with Stalled(workspace) as disk:
            before = workspace.journal.num_groups
            running = [pool.submit(call) for call in calls]
            disk.until_waiting(len(calls))
        for one in running:
            one.result(20)
    return workspace.journal.num_groups - before - 1  # the stalled commit is one


def test_nobody_waits_for_the_disk_before_their_own_trials_and_votes_do(api: Api, workspace: Workspace) -> None:
    people = [newcomer(api, "taste") for _ in range(NUM)]
    given = [api.study_trials(participant=person.id, limit=1).trials[0] for person in people[: NUM // 2]]
    calls: list[Callable[[], object]] = [
        *(lambda p=p, one=one: api.submit_votes(votes=(vote_on(one, p),)) for p, one in zip(people, given, strict=False)),
        *(lambda p=p: api.study_trials(participant=p.id, limit=2) for p in people[NUM // 2 :]),
    ]
    assert at_once(calls, workspace) == 1
    assert len(api.votes(study_id=people[0].study_id)) == NUM // 2


def test_calls_of_one_person_wait_for_each_other(api: Api, workspace: Workspace) -> None:
    person = newcomer(api, "taste")
    first, second = api.study_trials(participant=person.id, limit=2).trials
    ended: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        with Stalled(workspace) as disk:
            voting = pool.submit(lambda: (api.submit_votes(votes=(vote_on(first, person),)), ended.append("voted")))
            disk.until_waiting(1)
            leaving = pool.submit(lambda: (api.withdraw(participant=person.id), ended.append("withdrew")))
            time.sleep(0.1)
            assert workspace.journal._requests.qsize() == 1
        voting.result(20)
        leaving.result(20)
    assert ended == ["voted", "withdrew"]
    with pytest.raises(StudioError, match="withdrawn"):
        api.submit_votes(votes=(vote_on(second, person),))


def test_an_erased_person_leaves_nothing_though_votes_come_meanwhile(api: Api, workspace: Workspace) -> None:
    person = newcomer(api, "taste")
    trials = api.study_trials(participant=person.id, limit=50).trials
    refused = 0

    def vote(one: StudyTrial) -> bool:
        try:
            api.submit_votes(votes=(vote_on(one, person),))
        except StudioError:
            return True
        return False

    with ThreadPoolExecutor(len(trials) + 1) as pool:
        voting = [pool.submit(vote, one) for one in trials]
        erased = pool.submit(lambda: api.erase_participant(participant=person.id))
        refused = sum(one.result(30) for one in voting)
        assert erased.result(30).votes == len(trials) - refused
    assert not [event for event in workspace.journal.stream() if person.id in (event.actor, *event.text.split('"'))]
    assert workspace.verify().ok


def test_answers_before_a_restart_are_known_after_it(tmp_path: Path) -> None:
    folder = write_benchmark(tmp_path / "benchmark", cases=2, frames=2)
    opened = Workspace(tmp_path / "p", create=True)
    api = cast(Api, opened)
    api.create_study(
        name="taste", form="ab", trials=4, rules=LENIENT, cases=str(folder / "cases.json"), systems=named(folder)
    )
    people = [newcomer(api, "taste") for _ in range(3)]
    for k, person in enumerate(people):
        for one in api.study_trials(participant=person.id, limit=k + 1).trials:
            api.submit_votes(votes=(vote_on(one, person), vote_on(one, person, "right", rev=2)))
    answer(api, people[2], lambda trial, question: "tie")
    opened.close()
    again = Workspace(tmp_path / "p")
    api = cast(Api, again)
    total = api.studies()[0].trials
    assert [api.study_trials(participant=person.id, limit=1).answered for person in people] == [1, 2, total]
    first = api.study_trials(participant=people[0].id, start=0, limit=1).trials[0]
    assert [(vote.choice, vote.rev) for vote in first.votes] == [("right", 2)]
    assert api.finish_study(participant=people[2].id).state == "finished"
    late = api.study_trials(participant=people[2].id, start=0, limit=1)
    assert (late.answered, late.trials) == (total, ())
    again.close()
