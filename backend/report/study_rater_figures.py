"""Figures of a study's participants and its design: agreement, bias, quality, funnel, power."""

from collections.abc import Sequence

import numpy as np

from backend.domain.studies import AspectResults, RaterRow, StudyResults
from backend.report.study_figure import ESTIMATE, StudyFigure, cells, has_value, readable
from backend.report.study_plots import Facet, Mark, curve, forest, funnel, spreads

SECONDS = "median seconds a trial"
AGREEMENT_NAMES = {
    "krippendorff_alpha": "Krippendorff's alpha",
    "fleiss_kappa": "Fleiss's kappa",
    "cohen_kappa": "Cohen's kappa",
    "raw": "plain agreement",
    "noise_ceiling": "noise ceiling",
    "majority": "majority ceiling",
}


def agreement_figure(aspects: Sequence[AspectResults]) -> StudyFigure | None:
    """How far participants agree. None where there is nothing to show."""
    there = [a for a in aspects if any(has_value(row.value) for row in a.agreement)]
    if not there:
        return None
    return StudyFigure(
        name="agreement",
        section="raters",
        caption="How far participants agree: Krippendorff's alpha and the kappas are 0 by chance and 1 where all agree; "
        "plain agreement is the share of equal pairs of answers; the noise ceiling is how often one vote sides with the "
        "majority of the others, the majority ceiling with that of all.",
        svg=forest(
            [
                Facet(
                    title=readable(a.aspect),
                    rows=[(AGREEMENT_NAMES[row.measure], (row.value,)) for row in a.agreement if has_value(row.value)],
                )
                for a in there
            ],
            ("value",),
            label="agreement",
            marks=(Mark(label="chance of alpha and kappa", value=0.0),),
        ),
        head=("aspect", "measure", *ESTIMATE),
        rows=tuple((a.aspect, row.measure, *cells(row.value)) for a in there for row in a.agreement),
    )


def without_each_figure(aspects: Sequence[AspectResults]) -> StudyFigure | None:
    """Alpha without each participant. None where there is nothing to show."""
    rows = tuple((a.aspect, rater, alpha) for a in aspects for rater, alpha in a.alpha_without)
    panels = {readable(a.aspect): np.array([alpha for _, alpha in a.alpha_without if alpha is not None]) for a in aspects}
    if not any(len(of) for of in panels.values()):
        return None
    return StudyFigure(
        name="alpha_without_each",
        section="raters",
        caption="Krippendorff's alpha with each participant left out in turn: one bar far to the right is somebody whose "
        "answers fit to nobody's.",
        svg=spreads({name: (of, np.empty(0)) for name, of in panels.items() if len(of)}, label="participants"),
        head=("aspect", "without", "alpha"),
        rows=rows,
    )


def bias_figure(aspects: Sequence[AspectResults]) -> StudyFigure | None:
    """The pull of the left side. None where there is nothing to show."""
    there = [(a.aspect, a.bias) for a in aspects if a.bias is not None]
    if not there:
        return None
    lines = [(readable(aspect), (bias.share,)) for aspect, bias in there]
    return StudyFigure(
        name="position_bias",
        section="raters",
        caption="How often the left side was chosen among answers for a side, with 95 % intervals over items and raters. "
        "Sides are balanced, so that a pull to one of them widens intervals and moves no ranking.",
        svg=forest(
            [Facet(title="", rows=lines)],
            ("share",),
            label="share of the left side",
            marks=(Mark(label="no side", value=0.5),),
        ),
        head=("aspect", "left", "right", "p_value", "measure", *ESTIMATE),
        rows=tuple(
            (aspect, bias.left, bias.right, bias.p_value, name, *cells(one))
            for aspect, bias in there
            for name, one in (("share", bias.share), ("between_orders", bias.between_orders), ("log_odds", bias.log_odds))
        ),
    )


def raters_figure(raters: Sequence[RaterRow]) -> StudyFigure | None:
    """How each participant worked. None where there is nothing to show."""
    answered = [rater for rater in raters if rater.votes]
    if not answered:
        return None
    measures = {
        "gold and identical trials right": [rater.gold.value for rater in answered],
        "repeats answered alike": [rater.consistency.value for rater in answered],
        SECONDS: [rater.median_item_s for rater in answered],
        "share of the left side": [rater.left_share for rater in answered],
    }
    panels = {}
    for name, values in measures.items():
        sides = [
            np.array([v for v, r in zip(values, answered, strict=True) if v is not None and bool(r.removed_by) == lost])
            for lost in (False, True)
        ]
        if len(sides[0]) + len(sides[1]):
            panels[name] = (sides[0], sides[1])
    if not panels:
        return None
    return StudyFigure(
        name="rater_quality",
        section="raters",
        caption="Participants by how often they answered the checks rightly and repeated trials alike, how long they took, "
        "and how often they chose the left side; in another colour those whom the rules left out.",
        svg=spreads(panels, label="participants", shares=set(measures) - {SECONDS}),
        head=(
            "participant", "group", "votes", "seconds", "median_item_s", "gold", "consistency", "left_share",
            "left_p", "longest_run", "entropy_bits", "removed_by", "background",
        ),
        rows=tuple(
            (r.participant, r.group, r.votes, None if r.is_imported else r.seconds, r.median_item_s, r.gold.value,
             r.consistency.value, r.left_share, r.left_p, r.longest_run, r.entropy_bits, r.removed_by, r.background)
            for r in raters
        ),
    )  # fmt: skip


def funnel_figure(found: StudyResults) -> StudyFigure | None:
    """What each rule left out. None where there is nothing to show."""
    if not found.funnel or not found.funnel[0].kept:
        return None
    return StudyFigure(
        name="funnel",
        section="raters",
        caption="Responses that were left after each rule in turn, and how many it left out. Raw votes are all kept.",
        svg=funnel([(readable(step.rule), step.kept, step.removed) for step in found.funnel], label="responses"),
        head=("rule", "removed", "kept"),
        rows=tuple((step.rule, step.removed, step.kept) for step in found.funnel),
    )


def power_figure(found: StudyResults) -> StudyFigure | None:
    """What the design can tell. None where there is nothing to show."""
    rows = found.study.power
    chosen = next((row for row in rows if row.chosen), None)
    if chosen is None:
        return None
    usual = [(float(row.pairs), row.half_width) for row in rows if row.raters == rows[0].raters]
    lines = {f"{rows[0].raters} raters an item": usual}
    return StudyFigure(
        name="power",
        section="design",
        caption="Half width of the 95 % interval of a share of wins near .5 against the number of items, with votes on one "
        "item correlated by .3, as the study was planned.",
        svg=curve(lines, (float(chosen.pairs), chosen.half_width), x="items", y="half width"),
        head=("pairs", "raters", "votes", "half_width", "detectable", "chosen"),
        rows=tuple(
            (row.pairs, row.raters, row.votes, row.half_width, row.detectable, str(row.chosen).lower()) for row in rows
        ),
    )
