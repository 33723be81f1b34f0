"""What results say: worked out by hand on small studies; nothing where votes hold nothing; order and sides do not matter."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from backend.domain.studies import MAIN, CodedVote, Participant, Rules, StudyDesign, StudySummary
from backend.studies.results import results_of
from backend.studies.tally import Response
from tests.backend.studies.made import made_design

OPEN = Rules(
    min_seconds=0, min_item_seconds=0, max_straight=0, min_gold_accuracy=0, extreme_share=1, slider=False, one_per_ip=False
)
SUMMARY = StudySummary(
    study_id="s", name="toy", kind="preference", form="ab", aspects=("better",), systems=(), benchmark="toy",
    items=0, trials=0, participants_needed=0,
)  # fmt: skip
Choose = Callable[[str, tuple[str, ...], int], tuple[str, float | None]]
"""From item, its systems and the rater's number: the choice as given, and its value."""


def study(kind: str = "preference", **fields) -> StudyDesign:
    return made_design(kind, rules=OPEN, **fields)


def voted(design: StudyDesign, raters: int, choose: Choose, *, groups: tuple[str, ...] = ("public",)) -> list[Response]:
    found = []
    for rater in range(raters):
        votes = []
        for item in design.items:
            if item.role != MAIN:
                continue
            choice, value = choose(item.case_id, item.systems, rater)
            votes.append(
                CodedVote(
                    vote_id=f"{item.id}-{rater}",
                    item_id=item.id,
                    case_id=item.case_id,
                    category=item.category,
                    role=MAIN,
                    rater=f"r{rater}",
                    group=groups[rater % len(groups)],
                    question=design.aspects[0],
                    systems=item.systems,
                    shown=item.systems if rater % 2 else item.systems[::-1],
                    choice=choice,
                    value=value,
                    both_bad=choice == "both_bad",
                    first_on_left=bool(rater % 2),
                    reasons=("identity",) if value == 1 else (),
                )
            )
        person = Participant(id=f"r{rater}", study_id="s", group=groups[rater % len(groups)], state="finished")
        found.append(Response(participant=person, votes=tuple(votes)))
    return found


def results(design: StudyDesign, responses: list[Response]):
    return results_of(design, responses, SUMMARY, num_draws=100)


def test_wins_ties_and_losses_are_counted_from_both_sides() -> None:
    design = study(systems=("one", "two"), num_cases=10, pairs=10)

    def choose(case: str, systems: tuple[str, ...], rater: int) -> tuple[str, float | None]:
        return [("left", 1.0), ("left", 1.0), ("right", 0.0), ("both_bad", 0.5)][rater]

    (aspect,) = results(design, voted(design, 4, choose)).groups[0].aspects
    one, two = aspect.wins
    assert (one.system, one.wins, one.ties, one.losses, one.both_bad) == ("one", 20, 0, 10, 10)
    assert (two.system, two.wins, two.losses) == ("two", 10, 20)
    assert one.rate.value == pytest.approx((20 + 10 / 2) / 40)
    assert two.rate.value == pytest.approx(15 / 40)
    assert one.rate.low is not None
    assert one.rate.high is not None
    assert (two.rate.low, two.rate.high) == (pytest.approx(1 - one.rate.high), pytest.approx(1 - one.rate.low))
    assert aspect.strengths[0].system == "one"
    assert aspect.strengths[0].majority.value == 1.0  # two of four for it, one against, one tie
    assert aspect.reasons == (("identity", "one", 20),)


def test_votes_in_any_order_give_the_same_result() -> None:
    design = study()

    def choose(case: str, systems: tuple[str, ...], rater: int) -> tuple[str, float | None]:
        return ("", [1.0, 0.5, 0.0][(len(case) + rater * 7 + len(systems[1])) % 3])

    responses = voted(design, 5, choose)
    mixed = [replace(one, votes=tuple(Random(3).sample(one.votes, len(one.votes)))) for one in responses]
    Random(4).shuffle(mixed)
    assert results(design, mixed).groups == results(design, responses).groups


def test_what_votes_do_not_hold_is_a_sentence() -> None:
    design = study()
    nothing = results(design, [])
    assert nothing.groups[0].aspects[0].strengths[0].davidson.reason == "no votes"
    assert nothing.funnel[0].kept == 0
    ties = results(design, voted(design, 3, lambda *_: ("tie", 0.5))).groups[0].aspects[0]
    assert "every vote is a tie" in ties.strengths[0].davidson.reason
    assert {row.measure: row.value.reason for row in ties.agreement}["krippendorff_alpha"].startswith(
        "every answer is the same"
    )
    alone = results(design, voted(design, 1, lambda *_: ("left", 1.0))).groups[0].aspects[0]
    assert "no unit has answers of two raters" in {row.value.reason for row in alone.agreement}


def test_groups_are_given_apart_and_together() -> None:
    design = study(systems=("one", "two"), num_cases=6, pairs=6)
    responses = voted(design, 4, lambda case, systems, rater: ("", 1.0 if rater % 2 else 0.0), groups=("public", "expert"))
    found = results(design, responses).groups
    assert [(one.group, one.participants) for one in found] == [("", 4), ("expert", 2), ("public", 2)]
    rates = [one.aspects[0].wins[0].rate.value for one in found]
    assert rates == [0.5, 1.0, 0.0]


def test_shares_of_best_of_three_and_of_identity() -> None:
    design = study("best_of", form="best_of", aspects=("best",), num_cases=8, pairs=8)
    responses = voted(design, 4, lambda case, systems, rater: (f"video_{[1, 1, 1, 3][rater]}", [0.0, 0.0, 0.0, 2.0][rater]))
    shares = results(design, responses).groups[0].aspects[0].shares
    assert [(row.system, row.chosen, row.share.value) for row in shares] == [
        ("one", 24, 0.75),
        ("two", 0, 0.0),
        ("three", 8, 0.25),
    ]
    same = study("identity", form="shown_identity", aspects=("same",), systems=("one", "two"), num_cases=5, pairs=10)
    responses = voted(same, 2, lambda case, systems, rater: ("same", 1.0 if systems == ("one",) else float(rater)))
    rows = results(same, responses).groups[0].aspects[0].shares
    assert [(row.system, row.share.value) for row in rows] == [("one", 1.0), ("two", 0.5)]


def test_means_of_points_and_their_counts() -> None:
    design = study("rating", form="rating", aspects=("visual_quality",), systems=("one", "two"), num_cases=5, pairs=10)
    responses = voted(design, 2, lambda case, systems, rater: ("", 5.0 - rater if systems == ("one",) else 2.0))
    rows = results(design, responses).groups[0].aspects[0].points
    assert [(row.system, row.mean.value, row.counts) for row in rows] == [
        ("one", 4.5, (0, 0, 0, 5, 5)),
        ("two", 2.0, (0, 10, 0, 0, 0)),
    ]


def test_a_side_that_is_chosen_too_often_is_told() -> None:
    design = study(systems=("one", "two"), num_cases=12, pairs=12)
    # The first system stands on the left for odd raters: whoever always says left prefers it then, and the other else
    responses = voted(design, 6, lambda case, systems, rater: ("left", float(rater % 2)))
    (aspect,) = results(design, responses).groups[0].aspects
    assert aspect.bias is not None
    assert (aspect.bias.left, aspect.bias.right) == (72, 0)
    assert any("the left side was chosen in 1.00" in remark for remark in aspect.remarks)


def test_items_with_too_few_answers_are_told() -> None:
    design = study(raters_per_item=5)
    assert (
        "40 items were answered by fewer than 5 people"
        in results(design, voted(design, 2, lambda *_: ("", 1.0))).remarks[0]
    )
    closed = replace(SUMMARY, closed_at="2026-01-05T10:00:00")
    assert results_of(design, voted(design, 2, lambda *_: ("", 1.0)), closed, num_draws=10).remarks == ()
    assert results(replace(design, sequential=True), voted(design, 2, lambda *_: ("", 1.0))).remarks == ()


def test_agreement_says_what_each_rater_does_to_it_and_what_votes_are_worth() -> None:
    """Three agree on every item, the fourth says the opposite: without him alpha is 1, without another it falls."""
    design = study(systems=("one", "two"), num_cases=10, pairs=10)

    def choose(case: str, systems: tuple[str, ...], rater: int) -> tuple[str, float | None]:
        value = float(int(case.split("_")[1]) % 2)
        return ("", value if rater < 3 else 1 - value)

    (aspect,) = results(design, voted(design, 4, choose)).groups[0].aspects
    without = dict(aspect.alpha_without)
    alpha = next(row.value.value for row in aspect.agreement if row.measure == "krippendorff_alpha")
    assert without["r3"] == pytest.approx(1.0)
    assert alpha is not None
    assert all((without[f"r{k}"] or 0.0) < alpha for k in range(3))
    majority = next(row.value.value for row in aspect.agreement if row.measure == "majority")
    assert majority == pytest.approx(3 / 4)
    between, within = 4 * 10 * 0.25**2 / 9, 10 * 4 * (0.25 * 0.75) / 30  # means of .75 and .25, one of four off
    icc = (between - within) / (between + 3 * within)
    assert aspect.icc.value == pytest.approx(icc)
    assert aspect.design_effect == pytest.approx(1 + 3 * icc)
