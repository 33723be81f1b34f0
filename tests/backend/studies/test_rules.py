"""Who counts and why not: each rule removes its own, the funnel adds up, and nothing is lost."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backend.domain import SettingsError, Vote
from backend.domain.studies import GOLD, IDENTICAL, MAIN, PRACTICE, REPEAT, Participant, Rules, StudyDesign
from backend.measures.raters import Sitting, longest_run
from backend.studies.design import Assigned, trials_of
from backend.studies.rules import rules_with, sift
from backend.studies.tally import IMPORTED, SLIDER, Given, Response, Taken, responses
from tests.backend.studies.made import made_design

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
LENIENT = Rules(min_seconds=0, min_item_seconds=0, max_straight=0, min_gold_accuracy=0, slider=False)


def person(name: str, **fields) -> Participant:
    return Participant(
        id=name,
        study_id="s",
        group="public",
        **{"state": "finished", "finished_at": f"2026-01-05T10:{name[-2:]}", **fields},
    )


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


def answers(design: StudyDesign, name: str, choose, *, place: int = 0, each_s: float = 10.0) -> tuple[Taken, list[Given]]:
    """A participant who answers trial k after `each_s` more seconds; `choose(role, order)` gives the choice."""
    trials = trials_of(design, place)
    items = {item.id: item for item in design.items}
    given = []
    for k, trial in enumerate(trials):
        vote = Vote(
            id=f"{name}-{k}",
            rev=1,
            study_id=design.id,
            trial_id=f"{name}-trial-{k}",
            item_id=trial.item_id,
            rater=name,
            rater_kind="person",
            question="better",
            choice=choose(trial),
            shown_order=tuple(items[trial.item_id].systems[s] for s in trial.order),
        )
        given.append(Given(vote=vote, first_seq=k, first_received_at=at((k + 1) * each_s)))
    taken = Taken(
        participant=person(name),
        roles={f"{name}-trial-{k}": trial.role for k, trial in enumerate(trials)},
        shown_at={f"{name}-trial-{k}": at(max(0, k - 2) * each_s) for k in range(len(trials))},
        events=frozenset({SLIDER}),
    )
    return taken, given


def first_is_better(trial: Assigned) -> str:
    return "tie" if trial.role == IDENTICAL else "left" if trial.order[0] == 0 else "right"


def one_response(choose, **fields) -> Response:
    design = made_design()
    taken, given = answers(design, "p01", choose, **fields)
    return responses(design, [taken], given, max_item_seconds=120)[0]


def test_a_careful_rater_passes_every_check_and_agrees_with_themselves() -> None:
    response = one_response(first_is_better)
    assert response.sitting.is_right == (True, True, True)
    assert response.sitting.is_alike == (True, True)
    assert [vote.value for vote in response.votes if vote.role == MAIN] == [1.0] * 12
    assert PRACTICE not in {vote.role for vote in response.votes}


def test_whoever_always_says_left_fails_the_checks_and_the_flipped_repeat() -> None:
    response = one_response(lambda _: "left")
    assert sum(response.sitting.is_right) < 2
    assert sorted(response.sitting.is_alike) == [False, True]
    assert all(response.sitting.is_left)
    assert longest_run(response.sitting.keys) == 17


def test_time_is_counted_from_answer_to_answer_and_capped() -> None:
    response = one_response(first_is_better, each_s=10)
    assert response.seconds == pytest.approx(17 * 10)  # 19 trials, 2 of them practice
    slow = one_response(first_is_better, each_s=500)
    assert slow.seconds == 17 * 120


def test_answers_of_a_burst_take_no_time() -> None:
    response = one_response(first_is_better, each_s=0.01)
    assert response.seconds < 1
    sifted = sift([response], Rules(), five_points=False)
    assert sifted.removed_by == {"p01": "min_seconds"}


def test_each_rule_removes_its_own_and_the_funnel_adds_up() -> None:
    honest = one_response(first_is_better, each_s=30)
    clicking = replace(one_response(lambda _: "left", each_s=30), participant=person("p02"))
    hasty = replace(one_response(first_is_better, each_s=1), participant=person("p03"))
    gone = replace(honest, participant=person("p04", state="withdrawn"))
    open_ = replace(honest, participant=person("p05", state="consented", finished_at=""))
    twin = replace(honest, participant=person("p06", ip_hash="x"))
    same_ip = replace(honest, participant=person("p07", ip_hash="x"))
    unslid = replace(honest, participant=person("p08", invited_by="hash"), slider=False)
    in_studio = replace(honest, participant=person("p09"), slider=False)
    imported = replace(honest, participant=person("p10", invited_by=IMPORTED), slider=False)
    everybody = [honest, clicking, hasty, gone, open_, same_ip, twin, unslid, in_studio, imported]
    sifted = sift(everybody, Rules(), five_points=False)
    assert sifted.removed_by == {
        "p02": "min_gold_accuracy",
        "p03": "min_seconds",
        "p04": "withdrawn",
        "p05": "unfinished",
        "p07": "one_per_ip",
        "p08": "slider",
        "p09": "slider",
    }
    assert [one.participant.id for one in sifted.kept] == ["p01", "p06", "p10"]
    assert sifted.funnel[0].kept == 10
    for before, after in zip(sifted.funnel, sifted.funnel[1:], strict=False):
        assert after.kept == before.kept - after.removed
    assert sifted.funnel[-1].kept == 3


def test_extreme_answers_count_on_five_points_only() -> None:
    response = replace(one_response(first_is_better), sitting=Sitting(keys=("1", "5", "5", "3")))
    assert sift([response], LENIENT, five_points=True).removed_by == {"p01": "extreme_share"}
    assert sift([response], LENIENT, five_points=False).removed_by == {}
    half = replace(response, sitting=Sitting(keys=("1", "5", "3", "3")))
    assert sift([half], LENIENT, five_points=True).removed_by == {}


def test_rules_are_set_by_name() -> None:
    rules = rules_with(Rules(), ("min_seconds=60", "one_per_ip=no", "min_gold=3"))
    assert (rules.min_seconds, rules.one_per_ip, rules.min_gold) == (60.0, False, 3)


@pytest.mark.parametrize("text", ["min_second=60", "min_seconds", "min_seconds=-1", "min_seconds=nan", "slider=maybe"])
def test_a_wrong_rule_is_told(text: str) -> None:
    with pytest.raises(SettingsError, match="rule"):
        rules_with(Rules(), (text,))


def test_repeats_and_gold_are_kept_apart_from_what_is_counted() -> None:
    roles = {vote.role for vote in one_response(first_is_better).votes}
    assert roles == {MAIN, REPEAT, GOLD, IDENTICAL}
