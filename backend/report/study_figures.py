"""The named figures of a study's report: each a plot, a caption, and the numbers behind it."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from backend.domain.calibration import MetricAgreement, MetricCalibration
from backend.domain.studies import AspectResults, Estimate, RaterRow, StudyResults
from backend.report.board_plots import radar
from backend.report.plots import printed_svg
from backend.report.study_plots import Facet, Mark, Split, curve, forest, funnel, outcome_bars, spreads, stacked_counts

OUTCOMES = ("win", "tie", "both bad", "loss")
BASELINES = ("clip_i", "clip_t", "dino_i")
"""Metrics that papers of the field compare with, by how their names begin."""
MIN_AXES = 3  # of a radar
MAX_REASONS = 14  # bars of one plot; all of them are in the CSV
MAX_METRICS = 24
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # what spreadsheets take for a formula

AGREEMENT_NAMES = {
    "krippendorff_alpha": "Krippendorff's alpha",
    "fleiss_kappa": "Fleiss's kappa",
    "cohen_kappa": "Cohen's kappa",
    "raw": "plain agreement",
    "noise_ceiling": "noise ceiling",
    "majority": "majority ceiling",
}

Cell = str | int | float | None
ESTIMATE = ("value", "low", "high", "n", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFigure:
    """A figure by the name of its files. `rows` under `head` are what it shows, and go into the CSV."""

    name: str
    section: str
    """results, metrics, raters or design."""
    caption: str
    svg: Markup
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def study_figures(found: StudyResults, calibrations: Sequence[MetricCalibration] = ()) -> tuple[StudyFigure, ...]:
    """Every figure that the study has something for, in the order of the page."""
    all_of_them = found.groups[0].aspects
    figures = (
        _outcomes(all_of_them),
        _strengths(all_of_them),
        _shares(found, all_of_them),
        _points(all_of_them),
        _radar(found, all_of_them),
        _groups(found),
        _reasons(all_of_them),
        _metrics(calibrations),
        _agreement(all_of_them),
        _without_each(all_of_them),
        _bias(all_of_them),
        _raters(found.raters),
        _funnel(found),
        _power(found),
    )
    return tuple(figure for figure in figures if figure is not None)


def write_figures(figures: Sequence[StudyFigure], folder: Path) -> tuple[Path, ...]:
    """NAME.svg in print's colours and NAME.csv of each; no cell is one that a spreadsheet would compute."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for figure in figures:
        drawing, table = folder / f"{figure.name}.svg", folder / f"{figure.name}.csv"
        drawing.write_text(printed_svg(figure.svg), encoding="utf-8")
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(figure.head)
            writer.writerows([_harmless(cell) for cell in row] for row in figure.rows)
        written += [drawing, table]
    return tuple(written)


def readable(name: str) -> str:
    """A question's or a rule's name as words."""
    return name.replace("_", " ")


def _outcomes(aspects: Sequence[AspectResults]) -> StudyFigure | None:
    there = [aspect for aspect in aspects if aspect.wins]
    if not there:
        return None
    facets, rows = [], []
    for aspect in there:
        seen: set[frozenset[str]] = set()
        splits = []
        for row in aspect.wins:
            counts = (row.wins, row.ties, row.both_bad, row.losses)
            rows.append((aspect.aspect, row.system, row.rival, *counts, *_cells(row.rate), *_cells(row.wilson)))
            if frozenset((row.system, row.rival)) not in seen:
                seen.add(frozenset((row.system, row.rival)))
                splits.append(Split(left=row.system, right=row.rival, counts=counts, rate=row.rate))
        facets.append((readable(aspect.aspect), splits))
    return StudyFigure(
        name="win_tie_loss",
        section="results",
        caption="Answers about each pair of systems, in per cent of its votes: for the system on the left, as good, both "
        "bad, for the system on the right. The dot is the rate of the left system, with a tie as half a win; the line is "
        "its 95 % interval over items and raters.",
        svg=outcome_bars(facets, OUTCOMES, label="share of votes"),
        head=("aspect", "system", "rival", *OUTCOMES, *ESTIMATE, *(f"wilson_{name}" for name in ESTIMATE)),
        rows=tuple(rows),
    )


def _strengths(aspects: Sequence[AspectResults]) -> StudyFigure | None:
    there = [a for a in aspects if any(_has(row.davidson) or _has(row.bradley_terry) for row in a.strengths)]
    if not there:
        return None
    rows = [
        (a.aspect, row.system, row.rank, model, *_cells(one))
        for a in there
        for row in a.strengths
        for model, one in (("davidson", row.davidson), ("bradley_terry", row.bradley_terry), ("majority", row.majority))
    ]
    facets = [
        Facet(title=readable(a.aspect), rows=[(row.system, (row.davidson, row.bradley_terry)) for row in a.strengths])
        for a in there
    ]
    return StudyFigure(
        name="strengths",
        section="results",
        caption="Log strengths about a mean of 0, best first, with 95 % intervals over items and raters: Davidson's model, "
        "which knows ties and ranks the systems, and Bradley and Terry's, where a tie is half a win for each.",
        svg=forest(
            facets, ("Davidson", "Bradley-Terry"), label="log strength", marks=(Mark(label="mean of systems", value=0.0),)
        ),
        head=("aspect", "system", "rank", "model", *ESTIMATE),
        rows=tuple(rows),
    )


def _shares(found: StudyResults, aspects: Sequence[AspectResults]) -> StudyFigure | None:
    there = [aspect for aspect in aspects if aspect.shares]
    if not there:
        return None
    best = found.study.kind == "best_of"
    chance = (Mark(label="chance", value=1 / max(1, len(found.study.systems))),) if best else ()
    facets = [Facet(title=readable(a.aspect), rows=[(row.system, (row.share,)) for row in a.shares]) for a in there]
    caption = (
        "How often each system's video was chosen as the best; the dashed line is what choosing blindly gives."
        if best
        else "How often each system's video was said to show the very subject of the reference."
    )
    return StudyFigure(
        name="best_of_shares" if best else "identity_shares",
        section="results",
        caption=f"{caption} 95 % intervals over items and raters.",
        svg=forest(facets, ("share",), label="share of votes", marks=chance, limits=(0, 1)),
        head=("aspect", "system", "chosen", *ESTIMATE, *(f"wilson_{name}" for name in ESTIMATE)),
        rows=tuple(
            (a.aspect, row.system, row.chosen, *_cells(row.share), *_cells(row.wilson)) for a in there for row in a.shares
        ),
    )


def _points(aspects: Sequence[AspectResults]) -> StudyFigure | None:
    there = [aspect for aspect in aspects if aspect.points]
    if not there:
        return None
    facets = [Facet(title=readable(a.aspect), rows=[(row.system, (row.mean,)) for row in a.points]) for a in there]
    return StudyFigure(
        name="points",
        section="results",
        caption="Mean of five points for each system, with 95 % intervals over items and raters.",
        svg=forest(facets, ("mean",), label="points", limits=(1, 5)),
        head=("aspect", "system", *ESTIMATE, *(f"of_{point}" for point in range(1, 6))),
        rows=tuple((a.aspect, row.system, *_cells(row.mean), *row.counts) for a in there for row in a.points),
    )


def _radar(found: StudyResults, aspects: Sequence[AspectResults]) -> StudyFigure | None:
    values = {system: [_height(aspect, system) for aspect in aspects] for system in found.study.systems}
    told = [any(of[k] is not None for of in values.values()) for k in range(len(aspects))]
    if sum(told) < MIN_AXES or not all(told):
        return None
    names = [readable(aspect.aspect) for aspect in aspects]
    return StudyFigure(
        name="radar",
        section="results",
        caption="Systems over the aspects, from 0 in the middle to 1 outside: the mean rate against the rivals, with .5 "
        "where a system is as good as they are (of points: 1 to 5 as 0 to 1). The intervals are in the other figures.",
        svg=radar(names, values, label="radar over aspects"),
        head=("system", *(aspect.aspect for aspect in aspects)),
        rows=tuple((system, *of) for system, of in values.items()),
    )


def _height(aspect: AspectResults, system: str) -> float | None:
    """Where a system stands on an aspect, from 0 to 1."""
    rates = [row.rate.value for row in aspect.wins if row.system == system and row.rate.value is not None]
    if rates:
        return float(np.mean(rates))
    for row in aspect.shares:
        if row.system == system:
            return row.share.value
    for row in aspect.points:
        if row.system == system and row.mean.value is not None:
            return (row.mean.value - 1) / 4
    return None


def _groups(found: StudyResults) -> StudyFigure | None:
    """Where participants are of several groups: the main figure of each."""
    groups = [group for group in found.groups if group.group]
    if not groups:
        return None
    facets, rows = [], []
    for k, aspect in enumerate(found.groups[0].aspects):
        own = [_main(group.aspects[k]) for group in groups]
        lines = [(system, [of.get(system) for of in own]) for system in found.study.systems]
        rows += [
            (aspect.aspect, group.group, system, *_cells(of[number] or Estimate()))
            for number, group in enumerate(groups)
            for system, of in lines
        ]
        facets.append(Facet(title=readable(aspect.aspect), rows=lines))
    told = " and ".join(f"{group.participants} {group.group}" for group in groups)
    measure = {"rating": "points", "best_of": "share of votes", "identity": "share of votes"}
    return StudyFigure(
        name="groups",
        section="results",
        caption=f"The same by group of participants ({told}), with 95 % intervals over items and raters of the group.",
        svg=forest(
            facets, [group.group for group in groups], label=measure.get(found.study.kind, "log strength (Davidson)")
        ),
        head=("aspect", "group", "system", *ESTIMATE),
        rows=tuple(rows),
    )


def _main(aspect: AspectResults) -> dict[str, Estimate]:
    """By system the estimate that ranks it."""
    return {
        **{row.system: row.davidson for row in aspect.strengths},
        **{row.system: row.share for row in aspect.shares},
        **{row.system: row.mean for row in aspect.points},
    }


def _reasons(aspects: Sequence[AspectResults]) -> StudyFigure | None:
    rows = tuple((a.aspect, reason, system, count) for a in aspects for reason, system, count in a.reasons)
    if not rows:
        return None
    series = sorted({system for _, _, system, _ in rows}, key=lambda name: (not name, name))
    totals: dict[str, list[int]] = {}
    for aspect, reason, system, count in rows:
        name = f"{readable(reason)} ({readable(aspect)})" if len(aspects) > 1 else readable(reason)
        totals.setdefault(name, [0] * len(series))[series.index(system)] += count
    ordered = sorted(totals.items(), key=lambda row: -sum(row[1]))
    left = f" The {MAX_REASONS} most frequent of {len(ordered)}." if len(ordered) > MAX_REASONS else ""
    return StudyFigure(
        name="reasons",
        section="results",
        caption=f"Reasons that participants ticked, by the system that their answer preferred.{left}",
        svg=stacked_counts(
            ordered[:MAX_REASONS], [system or "no preference" for system in series], label="times a reason was ticked"
        ),
        head=("aspect", "reason", "preferred", "count"),
        rows=rows,
    )


def _metrics(calibrations: Sequence[MetricCalibration]) -> StudyFigure | None:
    facets, rows, marks = [], [], [Mark(label="chance", value=0.5)]
    for one in calibrations:
        held_out = [row for fit in one.fits[:1] for row in fit.held_out]
        scores = [*((row, _kind(row.name)) for row in one.metrics), *((row, "held out") for row in held_out)]
        scores.sort(key=lambda score: -(score[0].ratio.value or 0.0))
        rows += [(one.aspect, row.name, kind, *_cells(row.ratio), row.normalised, row.kendall) for row, kind in scores]
        rows += [(one.aspect, "a rater with the others", "ceiling", *_cells(one.ceiling), None, None)]
        rows += [(one.aspect, "the majority of all", "ceiling", *_cells(one.majority), None, None)]
        lines = [(row.name, _in_series(row, kind)) for row, kind in scores[:MAX_METRICS]]
        lines.append(("a rater with the others", (None, None, None, one.ceiling)))
        lines.append(("the majority of all", (None, None, None, one.majority)))
        facets.append(Facet(title=readable(one.aspect), rows=lines))
    if not facets:
        return None
    return StudyFigure(
        name="metric_agreement",
        section="metrics",
        caption="Share of votes for a side that each score sides with, where .5 is chance, with 95 % intervals over "
        "prompts. Baselines are similarities of whole images and of image and text (DINO-I, CLIP-I, CLIP-T); weighted sums "
        "are judged on prompts that their fit had not seen. Ceilings: one rater against the majority of the others, and "
        "the majority itself, which no score can pass.",
        svg=forest(
            facets,
            ("metric", "baseline", "weighted sum, held out", "ceiling"),
            label="agreement with votes",
            marks=marks,
        ),
        head=("aspect", "score", "kind", *ESTIMATE, "normalised", "kendall"),
        rows=tuple(rows),
    )


def _kind(metric: str) -> str:
    return "baseline" if metric.startswith(BASELINES) else "metric"


def _in_series(row: MetricAgreement, kind: str) -> tuple[Estimate | None, ...]:
    return tuple(row.ratio if kind == own else None for own in ("metric", "baseline", "held out", "ceiling"))


def _agreement(aspects: Sequence[AspectResults]) -> StudyFigure | None:
    there = [a for a in aspects if any(_has(row.value) for row in a.agreement)]
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
                    rows=[(AGREEMENT_NAMES[row.measure], (row.value,)) for row in a.agreement if _has(row.value)],
                )
                for a in there
            ],
            ("value",),
            label="agreement",
            marks=(Mark(label="chance of alpha and kappa", value=0.0),),
        ),
        head=("aspect", "measure", *ESTIMATE),
        rows=tuple((a.aspect, row.measure, *_cells(row.value)) for a in there for row in a.agreement),
    )


def _without_each(aspects: Sequence[AspectResults]) -> StudyFigure | None:
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


def _bias(aspects: Sequence[AspectResults]) -> StudyFigure | None:
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
        head=("aspect", "left", "right", "p_value", *ESTIMATE),
        rows=tuple((aspect, bias.left, bias.right, bias.p_value, *_cells(bias.share)) for aspect, bias in there),
    )


def _raters(raters: Sequence[RaterRow]) -> StudyFigure | None:
    answered = [rater for rater in raters if rater.votes]
    if not answered:
        return None
    measures = {
        "gold and identical trials right": [rater.gold.value for rater in answered],
        "repeats answered alike": [rater.consistency.value for rater in answered],
        "median seconds a trial": [rater.median_item_s for rater in answered],
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
        svg=spreads(panels, label="participants"),
        head=(
            "participant", "group", "votes", "seconds", "median_item_s", "gold", "consistency", "left_share",
            "longest_run", "removed_by",
        ),
        rows=tuple(
            (r.participant, r.group, r.votes, r.seconds, r.median_item_s, r.gold.value, r.consistency.value, r.left_share,
             r.longest_run, r.removed_by)
            for r in raters
        ),
    )  # fmt: skip


def _funnel(found: StudyResults) -> StudyFigure | None:
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


def _power(found: StudyResults) -> StudyFigure | None:
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


def _has(one: Estimate) -> bool:
    return one.value is not None


def _cells(one: Estimate) -> tuple[Cell, ...]:
    return one.value, one.low, one.high, one.n, one.reason


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell
