"""The rule that closes a study: reached when the widest main figure is narrow enough, and what it waits for until then."""

from dataclasses import replace

import pytest

from backend.domain.studies import Estimate, StopState
from backend.studies.results import stop_now, widths_over
from backend.studies.stopping import MIN_PEOPLE, stop_state
from tests.backend.studies.made import made_design
from tests.backend.studies.test_results import OPEN, results, voted


def near(half: float) -> Estimate:
    return Estimate(value=0.0, low=-half, high=half, n=10)


def test_the_widest_figure_decides() -> None:
    design = made_design(stop_half_width=0.2)
    figures = {"look": [("one", near(0.1)), ("two", near(0.15))], "text": [("one", near(0.19)), ("two", near(0.12))]}
    found = stop_state(design, figures, people=MIN_PEOPLE)
    assert found == StopState(wanted=0.2, widest=0.19, about="text, one")
    assert found.is_reached
    wider = stop_state(design, figures | {"more": [("two", near(0.21))]}, people=MIN_PEOPLE)
    assert (wider.widest, wider.is_reached) == (0.21, False)


def test_without_a_rule_or_an_interval_or_people_nothing_is_reached() -> None:
    figures = {"look": [("one", near(0.01))]}
    assert not stop_state(made_design(), figures, people=99).is_reached
    design = made_design(stop_half_width=0.2)
    few = stop_state(design, figures, people=MIN_PEOPLE - 1)
    assert (few.is_reached, few.about) == (False, "4 responses count; the rule looks at 5 or more")
    unknown = stop_state(design, {"look": [("one", Estimate(reason="every vote is a tie"))]}, people=9)
    assert (unknown.widest, unknown.about) == (None, "look, one: every vote is a tie")


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("preference", {}),
        ("best_of", {"form": "best_of", "aspects": ("best",)}),
        ("rating", {"form": "rating", "aspects": ("quality",)}),
        ("identity", {"form": "shown_identity", "aspects": ("same",)}),
    ],
)
def test_every_kind_is_judged_by_its_main_figures_as_results_are(kind: str, about: dict) -> None:
    design = made_design(kind, rules=OPEN, stop_half_width=5.0, **about)

    def choose(case: str, systems: tuple[str, ...], rater: int) -> tuple[str, float]:
        turn = (len(case) + rater * 5 + sum(map(len, systems)) + int(case[-1])) % 3
        return "", {"preference": (1.0, 0.5, 0.0), "best_of": (0.0, 1.0, 2.0), "rating": (2.0, 3.0, 5.0)}.get(
            kind, (0.0, 1.0, 1.0)
        )[turn]

    given = voted(design, 6, choose)
    now, told = stop_now(design, given), results(design, given).stop
    assert now.is_reached
    assert told.is_reached
    assert now.widest == pytest.approx(told.widest, rel=0.35)  # other draws of the same bootstrap


def test_intervals_are_told_after_so_many_responses_and_last_after_all() -> None:
    design = made_design(rules=OPEN)

    def choose(case: str, systems: tuple[str, ...], rater: int) -> tuple[str, float]:
        return "", (1.0, 0.5, 0.0)[(int(case[-1]) + rater * 5 + sum(map(len, systems))) % 3]

    given = [
        replace(one, participant=replace(one.participant, finished_at=f"2026-01-{k + 1:02}"))
        for k, one in enumerate(voted(design, 24, choose))
    ]
    assert widths_over(design, given[: MIN_PEOPLE - 1], points=4) == ()
    found = widths_over(design, given, points=4)
    assert [(point.responses, point.at[-2:]) for point in found] == [(5, "05"), (11, "11"), (18, "18"), (24, "24")]
    assert found[-1].widest == stop_now(design, given).widest
    assert found[0].widest is not None
    assert found[-1].widest is not None
    assert found[-1].widest < found[0].widest, "five times as many people know more"
    assert len(widths_over(design, given[:MIN_PEOPLE], points=9)) == 1
