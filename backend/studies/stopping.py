"""When a study knows enough: its rule is on the width of intervals, never on a p-value.

Stopping at a width looks at how much is known, not at what: it does not favour an outcome (Chow and Robbins 1965).
"""

from collections.abc import Mapping, Sequence

from backend.domain.studies import AspectResults, Estimate, StopState, StudyDesign

MIN_PEOPLE = 5  # below, an interval over participants rests on too few of them to be trusted with a decision (ours)
NUM_DRAWS = 200  # behind the intervals that the rule looks at after each response


Figures = Mapping[str, Sequence[tuple[str, Estimate]]]
"""By aspect, each system with the estimate that ranks it."""


def stop_state(design: StudyDesign, figures: Figures, *, people: int) -> StopState:
    """How near the rule is, by the main figures of all who count, `people` of them."""
    return width_state(design, figures, people=people) if design.stop_half_width else StopState()


def width_state(design: StudyDesign, figures: Figures, *, people: int) -> StopState:
    """The widest of the main figures, whether or not the study has a rule."""
    wanted = design.stop_half_width
    if people < MIN_PEOPLE:
        return StopState(wanted=wanted, about=f"{people} responses count; the rule looks at {MIN_PEOPLE} or more")
    widest, about = 0.0, ""
    for aspect, rows in figures.items():
        for system, estimate in rows:
            half = half_of(estimate)
            if half is None:
                return StopState(wanted=wanted, about=f"{aspect}, {system}: {estimate.reason or 'no interval yet'}")
            if half > widest:
                widest, about = half, f"{aspect}, {system}"
    return StopState(wanted=wanted, widest=widest, about=about)


def main_figures(aspect: AspectResults) -> list[tuple[str, Estimate]]:
    """The estimate of each system that ranks it: strengths of pairs, shares, or points."""
    return [
        *((row.system, row.davidson) for row in aspect.strengths),
        *((row.system, row.share) for row in aspect.shares),
        *((row.system, row.mean) for row in aspect.points),
    ]


def half_of(one: Estimate) -> float | None:
    """Half of an interval; None without one."""
    return None if one.low is None or one.high is None else (one.high - one.low) / 2
