"""The named figures of a study's report: each a plot, a caption, and the numbers behind it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backend.domain.calibration import MetricCalibration
from backend.domain.cells import write_cells
from backend.domain.studies import AspectResults, Estimate, StudyResults
from backend.report.board_plots import radar
from backend.report.plots import printed_svg
from backend.report.study_figure import ESTIMATE, StudyFigure, cells, has_value, readable
from backend.report.study_plots import Facet, Mark, Split, forest, outcome_bars, stacked_counts
from backend.report.study_rater_figures import (
    agreement_figure,
    bias_figure,
    funnel_figure,
    power_figure,
    raters_figure,
    without_each_figure,
)
from backend.studies.stopping import main_figures

OUTCOMES = ("win", "tie", "both bad", "loss")
BASELINES = {
    "whole-image similarity": ("clip_i", "clip_t", "dino_i", "gmescore"),
    "detector": ("nexus",),
    "VLM": ("natural", "copy_paste_judged", "subject_judged", "s2v_", "video_reward"),
}
"""What papers of the field compare with: families of metrics, by how their names begin."""
HELD_OUT, CEILING = "weighted sum, held out", "ceiling"
SERIES = ("metric", *BASELINES, HELD_OUT, CEILING)
MIN_AXES = 3  # of a radar
MAX_REASONS = 14  # bars of one plot; all of them are in the CSV
MAX_METRICS = 24
TOO_WIDE = 6  # times the lower quartile of the intervals of a plot


def study_figures(found: StudyResults, calibrations: Sequence[MetricCalibration] = ()) -> tuple[StudyFigure, ...]:
    """Every figure that the study has something for, in the order of the page."""
    all_of_them = found.groups[0].aspects
    figures = (
        _outcomes(all_of_them),
        _strengths(all_of_them),
        _held_out(all_of_them),
        _shares(found, all_of_them),
        _points(all_of_them),
        _radar(found, all_of_them),
        _groups(found),
        _reasons(all_of_them),
        _metrics(calibrations),
        agreement_figure(all_of_them),
        without_each_figure(all_of_them),
        bias_figure(all_of_them),
        raters_figure(found.raters),
        funnel_figure(found),
        power_figure(found),
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
            write_cells(file, (figure.head, *figure.rows))
        written += [drawing, table]
    return tuple(written)


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
            rows.append((aspect.aspect, row.system, row.rival, *counts, *cells(row.rate), *cells(row.wilson)))
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
    there = [a for a in aspects if any(has_value(row.davidson) or has_value(row.bradley_terry) for row in a.strengths)]
    if not there:
        return None
    rows = [
        (a.aspect, row.system, row.rank, *(row.ranks or (None, None)), model, *cells(one))
        for a in there
        for row in a.strengths
        for model, one in (
            ("davidson", row.davidson),
            ("bradley_terry", row.bradley_terry),
            ("rate", row.rate),
            ("majority", row.majority),
        )
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
        head=("aspect", "system", "rank", "best_rank", "worst_rank", "model", *ESTIMATE),
        rows=tuple(rows),
    )


def _held_out(aspects: Sequence[AspectResults]) -> StudyFigure | None:
    """Of a sequential study."""
    there = [a for a in aspects if any(has_value(row.davidson) for row in a.held_out)]
    if not there:
        return None
    facets, rows = [], []
    for a in there:
        every = {row.system: row.davidson for row in a.strengths}
        facets.append(Facet(title=readable(a.aspect), rows=[(r.system, (every[r.system], r.davidson)) for r in a.held_out]))
        for row in a.held_out:
            of = (("all", every[row.system]), ("hold_out", row.davidson), ("hold_out_rate", row.rate))
            rows += [(a.aspect, row.system, name, *cells(one)) for name, one in of]
    return StudyFigure(
        name="held_out",
        section="results",
        caption="Davidson's strengths by all votes, of which most were asked where they tell most, and by the "
        "hold-out alone, which came evenly and is a fair sample, with 95 % intervals over items and raters.",
        svg=forest(
            facets, ("all votes", "hold-out"), label="log strength", marks=(Mark(label="mean of systems", value=0.0),)
        ),
        head=("aspect", "system", "votes", *ESTIMATE),
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
            (a.aspect, row.system, row.chosen, *cells(row.share), *cells(row.wilson)) for a in there for row in a.shares
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
        rows=tuple((a.aspect, row.system, *cells(row.mean), *row.counts) for a in there for row in a.points),
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
        own = [dict(main_figures(group.aspects[k])) for group in groups]
        lines = [(system, [of.get(system) for of in own]) for system in found.study.systems]
        rows += [
            (aspect.aspect, group.group, system, *cells(of[number] or Estimate()))
            for number, group in enumerate(groups)
            for system, of in lines
        ]
        facets.append(Facet(title=readable(aspect.aspect), rows=lines))
    told = " and ".join(f"{group.participants} {group.group}" for group in groups)
    silent = [g.group for g in groups if not any(has_value(one) for a in g.aspects for _, one in main_figures(a))]
    few = f" Votes of {' and '.join(silent)} are too few for any." if silent else ""
    limits = _readable_limits([one for facet in facets for _, of in facet.rows for one in of])
    cut = " A line that reaches the edge goes on; its numbers are in the table's file." if limits else ""
    measure = {"rating": "points", "best_of": "share of votes", "identity": "share of votes"}
    return StudyFigure(
        name="groups",
        section="results",
        caption=f"The same by group of participants ({told}), with 95 % intervals over items and raters of the group.{few}{cut}",
        svg=forest(
            facets,
            [group.group for group in groups],
            label=measure.get(found.study.kind, "log strength (Davidson)"),
            limits=limits,
        ),
        head=("aspect", "group", "system", *ESTIMATE),
        rows=tuple(rows),
    )


def _readable_limits(told: Sequence[Estimate | None]) -> tuple[float, float] | None:
    """Ends of the axis when the intervals of few votes are so wide that all others would be dots; None when none is."""
    whole = [(one.value, one.low, one.high) for one in told if one is not None and one.value is not None]
    lines = [(low, high) for _, low, high in whole if low is not None and high is not None]
    widths = [high - low for low, high in lines]
    if not widths or max(widths) <= TOO_WIDE * (usual := float(np.quantile(widths, 0.25))):
        return None
    shown = [end for low, high in lines if high - low <= TOO_WIDE * usual for end in (low, high)]
    ends = [*shown, *(value for value, _, _ in whole)]
    margin = 0.05 * (max(ends) - min(ends))
    return min(ends) - margin, max(ends) + margin


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
        scores = [*((row, _kind(row.name)) for row in one.metrics), *((row, HELD_OUT) for row in held_out)]
        scores.sort(key=lambda score: -(score[0].ratio.value or 0.0))
        rows += [(one.aspect, row.name, kind, *cells(row.ratio), row.normalised, row.kendall) for row, kind in scores]
        rows += [(one.aspect, "a rater with the others", CEILING, *cells(one.ceiling), None, None)]
        rows += [(one.aspect, "the majority of all", CEILING, *cells(one.majority), None, None)]
        lines = [(row.name, _in_series(row.ratio, kind)) for row, kind in scores[:MAX_METRICS]]
        lines.append(("a rater with the others", _in_series(one.ceiling, CEILING)))
        lines.append(("the majority of all", _in_series(one.majority, CEILING)))
        facets.append(Facet(title=readable(one.aspect), rows=lines))
    if not facets:
        return None
    return StudyFigure(
        name="metric_agreement",
        section="metrics",
        caption="Share of votes for a side that each score sides with, where .5 is chance, with 95 % intervals over "
        "prompts. By their kind: similarities of whole images and of image and text (DINO-I, CLIP-I, CLIP-T), metrics that "
        "rest on a detector, judgements of a VLM, and others; weighted sums are judged on prompts that their fit had not "
        "seen. Ceilings: one rater against the majority of the others, and the majority itself, which no score can pass.",
        svg=forest(
            facets,
            SERIES,
            label="agreement with votes",
            marks=marks,
        ),
        head=("aspect", "score", "kind", *ESTIMATE, "normalised", "kendall"),
        rows=tuple(rows),
    )


def _kind(metric: str) -> str:
    return next((name for name, begins in BASELINES.items() if metric.startswith(begins)), SERIES[0])


def _in_series(one: Estimate, kind: str) -> tuple[Estimate | None, ...]:
    return tuple(one if kind == own else None for own in SERIES)
