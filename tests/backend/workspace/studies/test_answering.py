"""What participants are shown and what they answer: kept, changed, refused, found again."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.client import ServicePlace
from backend.client.remote import RemoteApi
from backend.domain import ProjectError, StudioError, Trial
from backend.domain.studies import PageEvent, StudySummary
from backend.media.reader import VideoReader
from backend.service import serving
from backend.workspace import Workspace
from tests.backend.workspace.study_project import SYSTEMS, answer, brighter, create, finished, newcomer, vote_on


def test_a_trial_left_between_its_aspects_comes_first_with_what_was_answered(api: Api, benchmark: Path) -> None:
    study = create(api, benchmark, name="aspects", form="opens2v")
    person = newcomer(api, "aspects")

    def following() -> Trial:
        return api.next_trials(study_id=study.study_id, rater=person.id, limit=1)[0]

    first = following()
    form = api.form(name=first.form)
    votes = [
        replace(
            vote_on(person, first, question.choices[0].value, id=f"{first.item_id}-{question.name}"), question=question.name
        )
        for question in form.questions
    ]
    assert len(votes) == 6
    api.submit_votes(votes=tuple(votes[:2]))
    again = following()
    assert again.item_id == first.item_id
    told = [(vote.id, vote.rev, vote.question, vote.choice) for vote in again.answers]
    assert told == [(vote.id, vote.rev, vote.question, vote.choice) for vote in votes[:2]]
    assert not [name for name in SYSTEMS if name in json.dumps(asdict(again))]
    question = form.open_question({vote.question: vote.choice for vote in again.answers})
    assert question is not None and question.name == votes[2].question
    api.submit_votes(votes=(replace(votes[1], rev=votes[1].rev + 1, choice=None),))
    assert [vote.id for vote in following().answers] == [votes[0].id], "what was taken back is asked again"
    api.submit_votes(votes=(replace(votes[1], rev=votes[1].rev + 2), *votes[2:]))
    assert following().item_id != first.item_id


def test_trials_name_no_system_and_go_on_where_they_were(api: Api, study: StudySummary) -> None:
    person = newcomer(api, "taste")
    assert api.consent(participant=person.id, text="again").consented_at == person.consented_at
    first = api.study_trials(participant=person.id, limit=3)
    assert [one.position for one in first.trials] == [0, 1, 2]
    assert first.trials[0].practice
    said = json.dumps(asdict(first))
    assert not [name for name in SYSTEMS if name in said]
    assert "singleobj" not in said
    trial = first.trials[0].trial
    assert trial.gold is not None
    assert all(one.trial.gold is None for one in first.trials if not one.practice)
    vote = vote_on(person, trial, "left")
    api.submit_votes(votes=(vote,))
    after = api.study_trials(participant=person.id, limit=1)
    assert (after.answered, after.trials[0].position) == (1, 1)
    back = api.study_trials(participant=person.id, start=0, limit=1).trials[0]
    assert [(one.choice, one.item_id, one.rev) for one in back.votes] == [("left", trial.item_id, 1)]
    assert not [name for name in SYSTEMS if name in json.dumps(asdict(back))]


def test_votes_may_be_changed_until_the_end_and_are_counted_once(api: Api, study: StudySummary) -> None:
    person = newcomer(api, "taste")
    trial = api.study_trials(participant=person.id, start=3, limit=1).trials[0].trial
    votes = (vote_on(person, trial, "left"), vote_on(person, trial, "right", rev=2))
    first = api.submit_votes(votes=votes)
    assert api.submit_votes(votes=votes) == first
    (kept,) = api.study_trials(participant=person.id, start=3, limit=1).trials[0].votes
    assert (kept.choice, kept.rev) == ("right", 2)
    other_tab = vote_on(person, trial, "tie", id="another-tab")
    api.submit_votes(votes=(other_tab,))
    (row,) = api.votes(study_id=study.study_id)[-1:]
    assert row.choice == "tie"
    answer(api, person, lambda *_: "tie")
    api.page_events(participant=person.id, events=(PageEvent(id="s", name="slider_passed"),))
    done = api.finish_study(participant=person.id)
    assert (done.state, len(done.code)) == ("finished", 8)
    assert api.finish_study(participant=person.id) == done
    assert api.submit_votes(votes=(other_tab,))[0].applied  # what an outbox sends again is answered
    with pytest.raises(StudioError, match="takes no further answers"):
        api.submit_votes(votes=(replace(other_tab, rev=9, choice="left"),))
    counted = [one for one in api.study_results(name="taste", bootstraps=20).raters if one.participant == person.id]
    assert counted[0].votes <= 6 + 5


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"choice": "middle"}, "no choice of better"),
        ({"question": "beauty"}, "not asked"),
        ({"item_id": "trial_00000000000000000000"}, "does not have"),
        ({"rater": "p_nobody"}, "takes part in no study"),
        ({"comment": "x" * 50_000}, "shorten it to 2000"),
        ({"reasons": ("beauty",)}, "does not offer"),
        ({"rev": 2**63}, "out of range"),
    ],
)
def test_an_answer_that_cannot_be_is_refused(api: Api, study: StudySummary, change: dict, sentence: str) -> None:
    person = newcomer(api, "taste")
    trial = api.study_trials(participant=person.id, limit=1).trials[0].trial
    with pytest.raises(StudioError, match=sentence):
        api.submit_votes(votes=(replace(vote_on(person, trial, "left"), **change),))
    assert api.study_trials(participant=person.id, limit=1).answered == 0


@pytest.mark.slow
def test_media_are_in_one_class_and_told_apart_by_nobody(api: Api, study: StudySummary) -> None:
    people = [newcomer(api, "taste") for _ in range(2)]
    ids, sizes = [], set()
    for person in people:
        for one in api.study_trials(participant=person.id, limit=4).trials:
            for stimulus in one.trial.stimuli:
                if stimulus.media and not stimulus.slot.startswith("reference"):
                    found = api.media(media_id=stimulus.media)
                    ids.append(stimulus.media)
                    assert not [name for name in SYSTEMS if name in found.path]
                    with VideoReader(found.path) as reader:
                        assert reader.num_frames == found.num_frames
                        sizes.add((reader.width, reader.height, found.fps))
    assert len(sizes) == 1
    assert len(set(ids)) == len(ids)
    with pytest.raises(ProjectError, match="does not exist"):
        api.media(media_id="t-trial_00000000000000000000-left")
    with pytest.raises(ProjectError, match="does not exist"):
        api.media(media_id=ids[0].rpartition("-")[0] + "-reference_9")


@pytest.mark.slow
def test_raters_who_see_what_is_shown_are_read_rightly(workspace: Workspace, benchmark: Path) -> None:
    api = cast(Api, workspace)
    create(api, benchmark, trials=9)
    for number in range(2):
        finished(api, "taste", brighter(api), login=f"rater {number}")
    results = api.study_results(name="taste", bootstraps=50)
    assert [step.kept for step in results.funnel] == [2] * len(results.funnel)
    (aspect,) = results.groups[0].aspects
    assert aspect.votes == 18
    by_pair = {(row.system, row.rival): row for row in aspect.wins}
    assert all(by_pair[pair].losses == 0 for pair in (("good", "fair"), ("good", "poor"), ("fair", "poor")))
    assert "votes separate the systems" in aspect.strengths[0].davidson.reason
    assert [row.gold.value for row in results.raters] == [1.0, 1.0]
    assert [row.consistency.value for row in results.raters] == [1.0, 1.0]


@pytest.mark.slow
def test_a_project_that_is_opened_again_knows_everything(tmp_path: Path, benchmark: Path) -> None:
    opened = Workspace(tmp_path / "p", create=True)
    api = cast(Api, opened)
    create(api, benchmark)
    done = finished(api, "taste", lambda *_: "left")
    person = newcomer(api, "taste")
    trial = api.study_trials(participant=person.id).trials[0].trial
    api.submit_votes(votes=(vote_on(person, trial, "left"),))
    before = (
        api.studies(),
        api.study_results(name="taste", bootstraps=20),
        api.study_trials(participant=person.id, limit=9),
    )
    opened.close()
    again = Workspace(tmp_path / "p")
    try:
        after = (
            again.studies(),
            again.study_results(name="taste", bootstraps=20),
            again.study_trials(participant=person.id, limit=9),
        )
        assert after[0] == before[0]
        assert after[1].groups == before[1].groups
        assert after[2].trials == before[2].trials
        assert again.participant(participant=done.id).code == done.code
        assert again.rebuild().ok
        assert again.study_results(name="taste", bootstraps=20).groups == before[1].groups
    finally:
        again.close()


def test_a_whole_study_over_http(workspace: Workspace, benchmark: Path) -> None:
    with serving(cast(Api, workspace), workspace.layout.root):
        remote = RemoteApi(ServicePlace(workspace.layout.root))
        api = cast(Api, remote)
        made = create(api, benchmark)
        assert api.study(name="taste").items[0].systems
        person = finished(api, "taste", lambda *_: "tie", login="ann")
        assert api.studies() == (replace(made, remarks=(), invited=1, joined=1, finished=1, votes=made.trials),)
        (row,) = api.study_results(name="taste", bootstraps=20).raters
        assert row.participant == person.id
        seen = api.study_dashboard(name="taste")
        assert ([one.rater for one in seen.busiest], seen.coverage) == (
            [person.id],
            workspace.study_dashboard(name="taste").coverage,
        )
        assert api.close_study(name="taste").closed_because == "closed by hand"
        assert api.reopen_study(name="taste").closed_at == ""
        assert api.erase_participant(participant=person.id).votes == made.trials
        with pytest.raises(ProjectError, match="takes part in no study"):
            api.participant(participant=person.id)
        remote.close()
