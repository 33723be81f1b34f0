"""Sequential studies through the Api: trials that are chosen when they are given out, kept, counted apart and read back."""

import json
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


def test_what_is_known_well_is_not_asked_again(workspace: Workspace, benchmark: Path, tmp_path: Path) -> None:
    """Many votes say that good and fair are equal: what is chosen then is of poor."""
    api = cast(Api, workspace)
    create(api, benchmark, sequential=True, hold_out=0.0, rules=RULES)
    design = api.study(name="taste")
    known = [item for item in design.items if item.role == MAIN and "poor" not in item.systems]
    rows = [
        {"case_id": item.case_id, "systems": item.systems, "question": "better", "rater": f"r{rater}", "choice": choice}
        for rater in range(10)
        for item, choice in zip(known, ("a", "b") * 3, strict=True)
    ]
    (tmp_path / "known.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    assert api.import_votes(study="taste", path=str(tmp_path / "known.jsonl")).votes == 60
    person = newcomer(api, "taste")
    items = {item.id: item for item in design.items}
    while trials := api.study_trials(participant=person.id, limit=1).trials:
        api.submit_votes(votes=(vote_on(person, trials[0].trial, "tie"),))
    chosen = [items[body["item_id"]] for body in journalled(workspace, "study_chosen") if body["role"] == MAIN]
    assert len(chosen) == 5, "one of six trials comes evenly"
    assert all("poor" in item.systems for item in chosen)


def test_what_cannot_be_chosen_among_is_refused(api: Api, benchmark: Path) -> None:
    with pytest.raises(SettingsError, match="three or more systems"):
        create(api, benchmark, kind="rating", form="rating", sequential=True)
    assert api.studies() == ()
