"""An item is judged when the last question that its answers call for is answered; until then it comes back first."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.api import Api
from backend.domain import SUBJECTS_STUDY, VERIFY_STUDY, Trial, Vote
from backend.workspace import Workspace
from backend.workspace.answered import LATEST
from bench.studio_queue import PlantQueue, plant
from tests.backend.workspace.test_api import vote_on


@pytest.fixture
def fifteen(tmp_path: Path) -> Iterator[Workspace]:
    """A project of 15 pairs."""
    opened = Workspace(tmp_path / "queue", create=True)
    plant(opened, PlantQueue(clips=1, subjects=6))
    yield opened
    opened.close()


def context_of(trial: Trial, choice: str = "yes", *, rater: str = "ann") -> Vote:
    return replace(vote_on(trial, choice, rater=rater), question="context")


def waiting(api: Api | Workspace, *, rater: str = "ann") -> list[str]:
    return [trial.item_id for trial in api.next_trials(study_id=VERIFY_STUDY, rater=rater, limit=50)]


def test_a_pair_left_between_its_questions_comes_first_and_with_its_answer(curated_api: Api) -> None:
    best, other = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=2)
    assert (best.answers, other.answers) == ((), ())
    same = vote_on(other, "same")
    curated_api.submit_votes(votes=(same,))
    again = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=5)
    assert [(trial.item_id, trial.answers) for trial in again] == [(other.item_id, (same,)), (best.item_id, ())]
    state = curated_api.queue_state(study_id=VERIFY_STUDY, rater="ann")
    assert (state.total, state.judged, state.left) == (2, 0, 2)
    curated_api.submit_votes(votes=(context_of(other),))
    assert waiting(curated_api) == [best.item_id]
    state = curated_api.queue_state(study_id=VERIFY_STUDY, rater="ann")
    assert (state.total, state.judged, state.left) == (2, 1, 1)
    (of_bob,) = curated_api.next_trials(study_id=VERIFY_STUDY, rater="bob", limit=5)
    assert (of_bob.item_id, of_bob.answers) == (other.item_id, ()), "nobody is told what another said"


@pytest.mark.parametrize("choice", ["different", "near_duplicate", "unsure"])
def test_an_answer_that_calls_for_no_other_ends_a_pair(curated_api: Api, choice: str) -> None:
    first, second = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=2)
    curated_api.submit_votes(votes=(vote_on(first, choice),))
    assert waiting(curated_api) == [second.item_id]
    assert curated_api.queue_state(study_id=VERIFY_STUDY, rater="ann").judged == 1


def test_the_later_answer_of_a_rater_is_the_one_that_calls_for_others(curated_api: Api) -> None:
    first, second = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=2)
    curated_api.submit_votes(votes=(vote_on(first, "different"), vote_on(first, "same")))
    assert waiting(curated_api) == [first.item_id, second.item_id]
    curated_api.submit_votes(votes=(vote_on(first, "unsure"),))
    assert waiting(curated_api) == [second.item_id]


def test_an_answer_that_is_taken_back_leaves_the_others(curated_api: Api) -> None:
    first, second = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=2)
    same, context = vote_on(first, "same"), context_of(first)
    curated_api.submit_votes(votes=(same, context, replace(context, rev=1, choice=None)))
    again, _ = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=2)
    assert (again.item_id, again.answers) == (first.item_id, (same,))
    curated_api.submit_votes(votes=(replace(same, rev=1, choice=None),))
    assert sorted(waiting(curated_api)) == sorted((first.item_id, second.item_id))


def test_a_subject_comes_back_with_what_was_answered_of_it(curated_api: Api) -> None:
    *_, last = curated_api.next_trials(study_id=SUBJECTS_STUDY, rater="ann", limit=9)
    said = tuple(replace(vote_on(last, "yes"), question=question) for question in ("complete", "specific"))
    curated_api.submit_votes(votes=said)
    first, *rest = curated_api.next_trials(study_id=SUBJECTS_STUDY, rater="ann", limit=9)
    assert (first.item_id, first.answers) == (last.item_id, said)
    assert [trial.answers for trial in rest] == [(), ()]
    curated_api.submit_votes(votes=tuple(replace(vote_on(last, "no"), question=name) for name in ("phrase", "mask")))
    state = curated_api.queue_state(study_id=SUBJECTS_STUDY, rater="ann")
    assert (state.judged, state.left) == (1, 2)


def test_what_was_judged_before_a_question_was_added_is_not_asked_again(fifteen: Workspace) -> None:
    """As of an older version that asked for the verdict alone: nine pairs, and only the last of them are gone on with."""
    trials = fifteen.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=15)
    old, new = trials[:9], trials[9:]
    fifteen.submit_votes(votes=tuple(vote_on(trial, "same") for trial in old))
    latest = [trial.item_id for trial in reversed(old)][:LATEST]
    assert waiting(fifteen)[: LATEST + 1] == [*latest, new[0].item_id]
    assert fifteen.queue_state(study_id=VERIFY_STUDY, rater="ann").left == LATEST + len(new)
    fifteen.submit_votes(votes=(vote_on(old[0], "same", rater="bob"), context_of(old[0], rater="bob")))
    assert waiting(fifteen)[:LATEST] == latest, "bob's answer tells nothing of what was judged before it"
    fifteen.submit_votes(votes=tuple(vote_on(trial, "same") for trial in new))
    assert waiting(fifteen) == [trial.item_id for trial in reversed(new)], (
        "all of these were judged when the question was known"
    )


def test_the_journal_keeps_a_trial_without_answers(fifteen: Workspace) -> None:
    first, *_ = fifteen.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=1)
    fifteen.submit_votes(votes=(vote_on(first, "same"),))
    (again, *_) = fifteen.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=1)
    fifteen.journal.show_trials([replace(again, item_id="another")], rater="ann")
    shown = [event.body for event in fifteen.journal.events(kind="trial_shown")]
    assert {body["item_id"] for body in shown} == {first.item_id, "another"}
    assert not any("answers" in body for body in shown)
