"""A clock that jumps by a day or an hour, forward and back, changes neither what counts nor who may go on."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from backend.api import Api
from backend.domain import VERIFY_STUDY, ProjectError, Vote
from backend.service.study_page.slider import Sliders
from backend.store.clock_events import CLOCK, ClockWatch
from backend.store.journal import Journal
from backend.store.journal_schema import EventRefused
from backend.store.leases import LEASE_S, LONGEST_S, Leases
from backend.workspace import Workspace
from tests.backend.workspace.study_project import create, newcomer, vote_on, write_benchmark
from tests.faults.kept_files import vote
from tests.promises import Tally

JUMPS = (timedelta(days=1), timedelta(days=-1), timedelta(hours=1), timedelta(hours=-1), timedelta(), timedelta())
CHOICES = ("same", "different", "unsure")


class JumpingClock:
    """The wall's: goes on by a second a look, and at every third jumps."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._now = datetime(2026, 3, 29, 0, 59, tzinfo=UTC)  # when summer time begins

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=1)
        if self._chance.random() < 1 / 3:
            self._now += self._chance.choice(JUMPS)
        return self._now


def say(folder: Path, seed: int) -> tuple[dict[str, Vote], dict[str, Vote], list[tuple[str, int, str]]]:
    """What each rater said last, what the project shows, and `(id, rev, server's time)` in the journal's order."""
    chance, said = random.Random(seed), dict[str, Vote]()
    workspace = Workspace(folder, create=True)
    cast(Any, workspace.journal)._now = JumpingClock(seed)
    for n in range(60):
        one = vote(chance.randrange(12))
        rev = said[one.id].rev + 1 if one.id in said else 0
        made_at = (datetime(2026, 3, 29, tzinfo=UTC) + chance.choice(JUMPS)).isoformat()
        said[one.id] = replace(one, rev=rev, study_id=VERIFY_STUDY, choice=CHOICES[n % 3], made_at=made_at)
        workspace.submit_votes(votes=(said[one.id],))
        if n == 30:  # as after a restart, with the clock somewhere else
            workspace.close()
            workspace = Workspace(folder)
            cast(Any, workspace.journal)._now = JumpingClock(seed + 1)
    shown = {one.id: one for one in workspace.votes(study_id=VERIFY_STUDY)}
    events = [(one.id, one.rev, one.server_time) for one in workspace.journal.stream() if one.kind == "vote"]
    assert workspace.verify().ok
    workspace.close()
    return said, shown, events


def last_by(events: list[tuple[str, int, str]], key: Callable[[tuple[int, tuple[str, int, str]]], Any]) -> dict[str, int]:
    """The revision that counts of each id, when events are taken in the order of `key` of `(number, event)`."""
    return {name: rev for _, (name, rev, _) in sorted(enumerate(events), key=key)}


@pytest.mark.slow
@pytest.mark.promise(
    "a clock that jumps by a day or by summer time, either way, changes no verdict: what was said last counts",
    area="Durability",
    goal="0 of 1,200 votes in another order than they were said",
    control="tests/faults/test_clock.py::test_whoever_goes_by_the_time_takes_another_vote_for_the_last",
)
def test_what_was_said_last_counts_whatever_the_clock_says(tmp_path: Path, long: bool, tally: Tally) -> None:
    for seed in range(20 if long else 1):
        said, shown, events = say(tmp_path / str(seed), seed)
        wrong = sum(shown.get(name) != one for name, one in said.items())
        tally.record(len(events), lost=wrong)
        assert wrong == 0
        assert last_by(events, lambda row: row[0]) == {name: one.rev for name, one in said.items()}


@pytest.mark.slow
def test_whoever_goes_by_the_time_takes_another_vote_for_the_last(tmp_path: Path) -> None:
    said, _, events = say(tmp_path, 0)
    assert last_by(events, lambda row: row[1][2]) != {name: one.rev for name, one in said.items()}


@pytest.mark.promise(
    "whatever the clock does, an item is never kept from others for longer than the longest lease, and two never hold it at once",
    area="Durability",
    goal="0 in 2,000 takings with jumps of a day",
    control="tests/faults/test_clock.py::test_without_a_bound_a_clock_set_back_keeps_items_for_a_day",
)
def test_leases_outlive_a_clock_that_jumps(tmp_path: Path, long: bool, tally: Tally) -> None:
    assert kept_too_long(tmp_path, 2000 if long else 100, tally) == 0


def test_without_a_bound_a_clock_set_back_keeps_items_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.store.leases.LONGEST_S", 1e9)
    assert kept_too_long(tmp_path, 100, None) > 0


def kept_too_long(folder: Path, tries: int, tally: Tally | None) -> int:
    """How often two held an item at once, or one was kept for longer than an hour from when somebody looked."""
    chance, now, wrong = random.Random(3), [1e9], 0
    with Journal(folder / "journal.sqlite") as journal:
        leases = Leases(journal, clock=lambda: now[0])
        for _ in range(tries):
            taken = leases.acquire("s", ("a", "b", "c"), rater=chance.choice(("ann", "bob", "eve")), limit=1)
            held = leases.held("s")
            wrong += sum(len(raters) > 1 for raters in held.values()) + (not taken and len(held) < 3)
            now[0] += chance.choice((60.0, LEASE_S, 86_400.0, -86_400.0, 3600.0, -3600.0))
            before = now[0]
            leases.held("s")  # somebody looks
            now[0] += LONGEST_S + 1  # whoever waits that long gets everything
            wrong += bool(leases.held("s"))
            now[0] = before
        if tally is not None:
            tally.record(tries, lost=wrong)
    return wrong


@pytest.mark.slow
@pytest.mark.promise(
    "whatever the wall's clock does meanwhile, the seconds that somebody took for an item of a study are those that passed",
    area="Durability",
    goal="0 of 200 items with other seconds",
    control="tests/faults/test_clock.py::test_whoever_takes_the_wall_clock_for_seconds_counts_days",
)
def test_seconds_of_a_study_are_those_that_passed(tmp_path: Path, long: bool, tally: Tally) -> None:
    for seed in range(25 if long else 1):
        seconds = seconds_counted(tmp_path / str(seed), seed)
        wrong = [found for found in seconds if found != PACE_S]
        tally.record(len(seconds), lost=len(wrong))
        assert (len(seconds) >= 8, wrong) == (True, [])


@pytest.mark.slow
def test_whoever_takes_the_wall_clock_for_seconds_counts_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.store.clock_events.SteadyTimes.of", lambda self, seq, at: at)
    assert {found for found in seconds_counted(tmp_path, 0) if found != PACE_S} == {0.0, 120.0}


PACE_S = 5.0


def seconds_counted(folder: Path, seed: int) -> list[float]:
    """Of the items that somebody answered every 5 s, while the wall's clock jumped; told after the project was opened again."""
    chance, passed, apart = random.Random(seed), [0.0], [timedelta()]
    start = datetime(2026, 3, 29, 0, 59, tzinfo=UTC)
    workspace = Workspace(folder / "project", create=True)
    api = cast(Api, workspace)
    create(api, write_benchmark(folder / "benchmark", cases=4), trials=10)
    person = newcomer(api, "taste")
    journal = cast(Any, workspace.journal)
    journal._now = lambda: start + apart[0] + timedelta(seconds=passed[0])
    journal._clock = ClockWatch(lambda: passed[0])
    trials = api.study_trials(participant=person.id, limit=50).trials
    for n, one in enumerate(trials):
        passed[0] += PACE_S
        apart[0] += JUMPS[n % 4] if chance.random() < 0.7 else timedelta()
        api.submit_votes(votes=(vote_on(person, one.trial, "left"),))
    assert workspace.verify().ok
    workspace.close()
    workspace = Workspace(folder / "project")
    told = Path(workspace.export_votes(study="taste", out=str(folder / "votes.jsonl")).path)
    workspace.close()
    return [json.loads(line)["seconds"] for line in told.read_text("utf-8").splitlines()]


def test_the_age_of_a_slider_is_told_by_a_clock_that_nobody_sets() -> None:
    assert Sliders.__init__.__kwdefaults__ == {"now": time.monotonic}


class SetClock:
    """The wall's and a steady one, a second apart at each look; `apart_s` is by how much somebody set the wall's."""

    def __init__(self) -> None:
        self.apart_s = 0.0
        self._passed_s = 0.0

    def now(self) -> datetime:
        self._passed_s += 1
        return datetime(2026, 3, 29, tzinfo=UTC) + timedelta(seconds=self._passed_s + self.apart_s)

    def steady(self) -> float:
        return self._passed_s


def jumps_of(journal: Journal) -> list[float]:
    return [event.body["by_s"] for event in journal.of_kind(CLOCK)]


def test_a_jump_whose_event_was_refused_is_told_by_the_next_that_is_stored(tmp_path: Path) -> None:
    clock = SetClock()
    with Journal(tmp_path / "journal.sqlite", now=clock.now, steady=clock.steady) as journal:
        journal.append_votes([vote(1)])
        clock.apart_s = 86_400.0
        with pytest.raises(EventRefused):
            journal.append_votes([replace(vote(1), choice="different")])
        assert jumps_of(journal) == []
        journal.append_votes([vote(2)])
        journal.append_votes([vote(3)])
        assert jumps_of(journal) == [86_400.0]


def test_a_jump_that_met_a_full_disk_is_told_once_there_is_room(tmp_path: Path) -> None:
    clock = SetClock()
    with Journal(tmp_path / "journal.sqlite", now=clock.now, steady=clock.steady) as journal:
        journal.append_votes([vote(1)])
        journal.write(
            lambda connection: connection.execute("pragma max_page_count = 1").fetchone()
        )  # as it is, and no more
        clock.apart_s = -3600.0
        with pytest.raises(ProjectError, match="full"):
            journal.append_votes([replace(vote(n), comment="x" * 9_000) for n in range(2, 40)])
        journal.write(lambda connection: connection.execute("pragma max_page_count = 1000000").fetchone())
        journal.append_votes([vote(2)])
        journal.append_votes([vote(3)])
        assert jumps_of(journal) == [-3600.0]


def test_a_jump_before_the_first_stored_event_of_a_run_is_told_when_an_event_was_refused_before_it(tmp_path: Path) -> None:
    clock = SetClock()
    with Journal(tmp_path / "journal.sqlite", now=clock.now, steady=clock.steady) as journal:
        journal.append_votes([vote(1)])
    with Journal(tmp_path / "journal.sqlite", now=clock.now, steady=clock.steady) as journal:
        with pytest.raises(EventRefused):
            journal.append_votes([replace(vote(1), choice="different")])
        clock.apart_s = 60.0
        journal.append_votes([vote(2)])
        assert jumps_of(journal) == [60.0]
