"""Pairs on which others agree stand among the rest of a rater's queue, and tell how often that rater says the same."""

from dataclasses import replace

from backend.api import Api
from backend.domain import SUBJECTS_STUDY, VERIFY_STUDY
from backend.workspace.gold import GOLD_EVERY, with_gold
from tests.backend.workspace.test_api import vote_on


def test_every_tenth_item_is_gold_wherever_the_rater_stands() -> None:
    order = [f"p{n:02d}" for n in range(30)]
    gold = {"p20", "p21"}
    assert GOLD_EVERY == 10
    mixed = with_gold(order, gold, place=0)
    assert sorted(mixed) == order
    assert (mixed.index("p20"), mixed.index("p21")) == (9, 19)
    assert with_gold(mixed[7:], gold, place=7) == mixed[7:]
    assert with_gold(order, set(), place=3) == order
    assert with_gold(["a", "b"], {"a", "b"}, place=0) == ["a", "b"]


def test_what_two_others_agree_on_is_known(curated_api: Api) -> None:
    first, second = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=2)

    def state(rater: str) -> tuple[int, int]:
        found = curated_api.queue_state(study_id=VERIFY_STUDY, rater=rater)
        return found.gold_seen, found.gold_right

    curated_api.submit_votes(votes=(vote_on(first, "same"), vote_on(second, "unsure")))
    curated_api.submit_votes(votes=(vote_on(first, "same", rater="bob"), vote_on(second, "unsure", rater="bob")))
    wrong = vote_on(first, "different", rater="eve")
    curated_api.submit_votes(votes=(wrong, vote_on(second, "unsure", rater="eve")))
    assert state("eve") == (1, 0)
    assert state("ann") == (0, 0)  # bob and eve differ
    curated_api.submit_votes(votes=(replace(wrong, rev=1, choice="same"),))
    assert state("eve") == state("ann") == state("bob") == (1, 1)


def test_each_answer_about_a_subject_is_known_by_itself(curated_api: Api) -> None:
    (trial,) = curated_api.next_trials(study_id=SUBJECTS_STUDY, rater="ann", limit=1)

    def say(rater: str, **answers: str) -> None:
        votes = (replace(vote_on(trial, choice, rater=rater), question=name) for name, choice in answers.items())
        curated_api.submit_votes(votes=tuple(votes))

    say("ann", complete="yes", specific="no", mask="yes", phrase="unsure")
    say("bob", complete="yes", specific="yes", mask="yes", phrase="unsure")
    say("eve", complete="yes", specific="no", mask="no", phrase="no")
    found = curated_api.queue_state(study_id=SUBJECTS_STUDY, rater="eve")
    assert (found.gold_seen, found.gold_right) == (
        2,
        1,
    )  # whole and cut out; on the others ann and bob differ or are unsure
    ann = curated_api.queue_state(study_id=SUBJECTS_STUDY, rater="ann")
    assert (ann.gold_seen, ann.gold_right) == (1, 1)
