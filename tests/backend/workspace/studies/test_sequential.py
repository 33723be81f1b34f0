"""Sequential studies through the Api: trials that are chosen when they are given out, kept, counted apart and read back."""

from collections import Counter
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.domain import ProjectError, SettingsError, Trial
from backend.domain.studies import MAIN
from backend.studies.book import trial_id
from backend.workspace import Workspace
from tests.backend.workspace.study_project import LENIENT, create, finished, newcomer, vote_on

RULES = (*LENIENT, "min_gold_accuracy=0")


def leftish(trial: Trial, _: str) -> str:
    """Some answer that depends on the trial alone."""
    return ("left", "right", "tie", "both_bad")[int(trial.item_id[-2:], 16) % 4]


def journalled(workspace: Workspace, kind: str) -> list[dict]:
    return [event.body for event in workspace.journal.events(0, 10_000) if event.kind == kind]


def test_a_trial_is_chosen_when_it_is_given_out_and_stays(workspace: Workspace, benchmark: Path) -> None:
    api = cast(Api, workspace)
    create(api, benchmark, sequential=True, rules=RULES)
    person = newcomer(api, "taste")
    assert journalled(workspace, "study_chosen") == []
    first = api.study_trials(participant=person.id, limit=4)
    chosen = journalled(workspace, "study_chosen")
    assert 1 <= len(chosen) <= 2, "two of the four are for practice"
    assert api.study_trials(participant=person.id, limit=4).trials == first.trials
    assert journalled(workspace, "study_chosen") == chosen
    last = first.total - 1
    with pytest.raises(ProjectError, match="was not given out yet"):
        api.media(media_id=f"t-{_trial_id(workspace, person.id, last)}-left")


def _trial_id(workspace: Workspace, participant: str, position: int) -> str:
    return trial_id(workspace.studies()[0].study_id, participant, position)


def test_votes_are_counted_with_what_came_evenly_apart(workspace: Workspace, benchmark: Path, tmp_path: Path) -> None:
    api = cast(Api, workspace)
    create(api, benchmark, sequential=True, hold_out=0.5, rules=RULES)
    for _ in range(6):
        finished(api, "taste", leftish)
    (aspect,) = api.study_results(name="taste", bootstraps=50).groups[0].aspects
    assert (aspect.votes, aspect.held_out_votes) == (6 * 6, 6 * 3)
    assert [row.system for row in aspect.held_out] == ["good", "fair", "poor"]
    assert any("the 18 votes of the hold-out are a fair sample" in remark for remark in aspect.remarks)
    path = tmp_path / "votes.csv"
    api.export_votes(study="taste", out=str(path), format="csv")
    opened = Workspace(tmp_path / "other", create=True)
    try:
        other = cast(Api, opened)
        create(other, benchmark, sequential=True, hold_out=0.5, rules=RULES)
        assert other.import_votes(study="taste", path=str(path), format="csv").votes == 36
        (again,) = other.study_results(name="taste", bootstraps=50).groups[0].aspects
        assert (again.votes, again.held_out_votes) == (36, 18)
        assert [row.rate.value for row in again.held_out] == [row.rate.value for row in aspect.held_out]
    finally:
        opened.close()


@pytest.mark.slow
def test_a_sequential_study_that_is_opened_again_goes_on_where_it_was(tmp_path: Path, benchmark: Path) -> None:
    opened = Workspace(tmp_path / "p", create=True)
    create(cast(Api, opened), benchmark, sequential=True, rules=RULES)
    for _ in range(3):
        finished(cast(Api, opened), "taste", leftish)
    person = newcomer(cast(Api, opened), "taste")
    before = opened.study_trials(participant=person.id, limit=5)
    standing = opened._course._standing(opened._shelf.book("taste")).counts.copy()
    opened.close()
    again = Workspace(tmp_path / "p")
    try:
        assert again.study_trials(participant=person.id, limit=5).trials == before.trials
        assert (again._course._standing(again._shelf.book("taste")).counts == standing).all()
        assert standing.sum() == 3 * 6
    finally:
        again.close()


def test_who_withdrew_no_longer_steers_what_others_are_shown(workspace: Workspace, benchmark: Path) -> None:
    api = cast(Api, workspace)
    create(api, benchmark, sequential=True, rules=RULES)
    gone, erased = (finished(api, "taste", leftish) for _ in range(2))
    counts = workspace._course._standing(workspace._shelf.book("taste")).counts
    assert counts.sum() == 12
    api.withdraw(participant=gone.id)
    assert counts.sum() == 6
    api.erase_participant(participant=erased.id)
    assert counts.sum() == 0
    assert api.verify().ok


def test_clear_pairs_are_asked_less_often(workspace: Workspace, benchmark: Path) -> None:
    """good beats poor always, fair is like good: the trials that are chosen are of good and fair far more often."""
    api = cast(Api, workspace)
    create(api, benchmark, sequential=True, hold_out=0.0, trials=8, rules=RULES)
    study = workspace.studies()[0].study_id
    for number in range(8):
        person = newcomer(api, "taste")
        while trials := api.study_trials(participant=person.id, limit=1).trials:
            one = trials[0].trial
            shown = _systems_of(workspace, one.item_id)
            rest = [system for system in shown if system != "poor"]
            side = shown.index(rest[(number + len(trials[0].trial.item_id)) % len(rest)]) if len(set(shown)) > 1 else 0
            api.submit_votes(votes=(vote_on(person, one, ("left", "right")[side]),))
    shown = Counter(
        tuple(sorted(set(vote.shown_order)))
        for vote in api.votes(study_id=study)
        if workspace._shelf.book("taste").items[vote.item_id].role == MAIN
    )
    assert shown["fair", "good"] > max(shown["fair", "poor"], shown["good", "poor"])


def _systems_of(workspace: Workspace, trial_id: str) -> list[str]:
    _, item, assigned = workspace._shelf.trial(trial_id)
    return [item.systems[k].partition("~")[0] for k in assigned.order]


def test_what_cannot_be_chosen_among_is_refused(api: Api, benchmark: Path) -> None:
    with pytest.raises(SettingsError, match="three or more systems"):
        create(api, benchmark, kind="rating", form="rating", sequential=True)
    assert api.studies() == ()
