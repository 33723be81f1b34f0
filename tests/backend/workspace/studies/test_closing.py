"""A study that ends: by hand or by its own rule; nobody loses what they answered, and nobody else is let in."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.domain import ProjectError, SettingsError, StudioError, Trial
from backend.domain.studies import PageEvent, StudySummary
from backend.workspace import Workspace
from tests.backend.workspace.study_project import LENIENT, create, finished, newcomer, vote_on

CLOSED = {"study_closed", "study_reopened"}


def test_nobody_joins_or_begins_in_a_closed_study(api: Api, study: StudySummary) -> None:
    (spare, other) = api.invite(study="taste", num=2)
    joined = api.join_study(token=other.token)
    done = api.close_study(name="taste", because="the deadline came")
    assert (done.closed_because, done.closed_at[:2]) == ("the deadline came", "20")
    with pytest.raises(ProjectError, match="was closed; `studio-backend study reopen`"):
        api.invite(study="taste")
    with pytest.raises(ProjectError, match="this study has ended"):
        api.join_study(token=spare.token)
    with pytest.raises(ProjectError, match="this study has ended"):
        api.consent(participant=joined.id, text="yes")
    with pytest.raises(ProjectError, match="this study has ended"):
        api.take_part(study="taste", login="ann")
    with pytest.raises(ProjectError, match="was closed already"):
        api.close_study(name="taste")
    api.reopen_study(name="taste")
    assert api.join_study(token=spare.token).state == "joined", "the refused invitation was not used up"
    assert api.consent(participant=joined.id, text="yes").state == "consented"


def test_who_has_begun_hands_in_what_they_answered_and_it_counts(api: Api, benchmark: Path) -> None:
    create(api, benchmark, rules=("min_seconds=0", "min_item_seconds=0", "min_gold_accuracy=0"))
    person = newcomer(api, "taste")
    given_out = api.study_trials(participant=person.id, limit=5).trials
    for one in given_out[:3]:
        api.submit_votes(votes=(vote_on(person, one.trial, "left"),))
    api.close_study(name="taste")
    now = api.study_trials(participant=person.id)
    assert (now.is_closed, now.answered, now.total, now.left, now.trials) == (True, 3, 3, 0, ())
    back = api.study_trials(participant=person.id, start=0, limit=9)
    assert [one.votes[0].choice for one in back.trials] == ["left"] * 3
    api.submit_votes(votes=(vote_on(person, given_out[3].trial, "right"),))  # was on its way, or on the screen
    assert api.study_trials(participant=person.id).total == 4
    api.page_events(participant=person.id, events=(PageEvent(id="s", name="slider_passed"),))
    done = api.finish_study(participant=person.id)
    assert (done.state, len(done.code)) == ("finished", 8)
    (row,) = api.study_results(name="taste", bootstraps=20).raters
    assert (row.votes, row.removed_by) == (2, ""), "two of the four were for practice"


def test_the_least_time_is_asked_in_proportion_of_who_was_stopped(api: Api, benchmark: Path) -> None:
    """Eleven trials in all; who answers all at once is too quick either way, and is not excused by the end."""
    create(api, benchmark, rules=("min_item_seconds=0", "min_gold_accuracy=0", "min_seconds=60"))
    person = newcomer(api, "taste")
    for one in api.study_trials(participant=person.id, limit=4).trials:
        api.submit_votes(votes=(vote_on(person, one.trial, "left"),))
    api.close_study(name="taste")
    api.page_events(participant=person.id, events=(PageEvent(id="s", name="slider_passed"),))
    api.finish_study(participant=person.id)
    (row,) = api.study_results(name="taste", bootstraps=20).raters
    assert row.removed_by == "min_seconds"


def test_closing_and_reopening_are_events_that_outlive_the_process(tmp_path: Path, benchmark: Path) -> None:
    opened = Workspace(tmp_path / "p", create=True)
    create(cast(Api, opened), benchmark)
    opened.close_study(name="taste", because="enough")
    opened.close()
    again = Workspace(tmp_path / "p")
    try:
        (one,) = again.studies()
        assert (one.closed_because, bool(one.closed_at)) == ("enough", True)
        again.reopen_study(name="taste")
        assert again.studies()[0].closed_at == ""
        assert [event.kind for event in again.journal.events(0, 1000) if event.kind in CLOSED] == [
            "study_closed",
            "study_reopened",
        ]
        assert again.rebuild().ok
        assert again.studies()[0].closed_at == ""
        with pytest.raises(ProjectError, match="there is nothing to reopen"):
            again.reopen_study(name="taste")
    finally:
        again.close()


def test_a_reason_of_two_lines_is_refused(api: Api, study: StudySummary) -> None:
    with pytest.raises(SettingsError, match="in one line"):
        api.close_study(name="taste", because="a\nb")
    assert api.studies()[0].closed_at == ""


def mixed(number: int):
    """Raters who differ, and prefer the first of any two a little; equal and spoilt videos aside."""

    def choose(trial: Trial, _: str) -> str:
        return ("left", "right", "tie", "left")[(int(trial.item_id[-3:], 16) + number) % 4]

    return choose


@pytest.mark.slow
def test_a_study_closes_itself_when_it_knows_enough(api: Api, benchmark: Path) -> None:
    create(api, benchmark, trials=18, rules=(*LENIENT, "min_gold_accuracy=0"), stop_half_width=1.5)
    number = 0
    late = newcomer(api, "taste")
    while not api.studies()[0].closed_at:
        finished(api, "taste", mixed(number))
        number += 1
        assert number < 20, api.study_results(name="taste", bootstraps=100).stop
    assert number >= 5
    found = api.study_results(name="taste", bootstraps=200)
    assert found.study.closed_because.startswith("narrow enough: the widest interval is +-")
    assert found.stop.wanted == 1.5
    with pytest.raises(ProjectError, match="this study has ended"):
        api.take_part(study="taste", login="ann")
    assert api.study_trials(participant=late.id).is_closed
    api.reopen_study(name="taste")
    finished(api, "taste", mixed(number))
    assert api.studies()[0].closed_at == "", "who reopened it wants more votes"


def test_without_enough_votes_the_rule_says_what_it_waits_for(api: Api, benchmark: Path) -> None:
    create(api, benchmark, rules=(*LENIENT, "min_gold_accuracy=0"), stop_half_width=0.001)
    finished(api, "taste", mixed(0))
    stop = api.study_results(name="taste", bootstraps=20).stop
    assert (stop.wanted, stop.widest, stop.is_reached) == (0.001, None, False)
    assert stop.about == "1 responses count; the rule looks at 5 or more"
    assert api.studies()[0].closed_at == ""


@pytest.mark.parametrize("fields", [{"stop_half_width": -1.0}, {"stop_half_width": float("nan")}, {"hold_out": 1.5}])
def test_a_rule_that_cannot_be_is_refused(api: Api, benchmark: Path, fields: dict) -> None:
    with pytest.raises(SettingsError, match=next(iter(fields))):
        create(api, benchmark, **fields)


def test_an_answer_that_was_changed_after_the_end_is_refused_as_ever(api: Api, study: StudySummary) -> None:
    person = newcomer(api, "taste")
    (one, *_) = api.study_trials(participant=person.id).trials
    vote = vote_on(person, one.trial, "left")
    api.submit_votes(votes=(vote,))
    api.close_study(name="taste")
    api.finish_study(participant=person.id)
    with pytest.raises(StudioError, match="takes no further answers"):
        api.submit_votes(votes=(replace(vote, rev=2, choice="right"),))
