"""Plots of a study: estimates with their intervals, answers as stacked shares, counts, spreads over raters."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from backend.domain.studies import Estimate
from backend.report.board_plots import PALETTE
from backend.report.plots import ACCENT, BAD, FADED, INK, MUTED, RULE, are_whole, canvas, name_whole_numbers, themed_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

WIDTH = 8.6  # inches, at 9 point: the page's column
ROW = 0.27  # inches of one row of a plot
LEAST_TOLD = 0.07  # of a bar's length: a smaller part has no room for its number


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """Rows of one panel: a label, and an estimate for each series, None where a series has none."""

    title: str
    rows: Sequence[tuple[str, Sequence[Estimate | None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A line across a plot, as chance or a ceiling."""

    label: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One bar of answers: who stands left and right, how many there are of each outcome, and the rate with its interval."""

    left: str
    right: str
    counts: tuple[int, ...]
    rate: Estimate


def forest(
    facets: Sequence[Facet],
    series: Sequence[str],
    *,
    label: str,
    marks: Sequence[Mark] = (),
    limits: tuple[float, float] | None = None,
) -> Markup:
    """Estimates as dots with their 95 % intervals, a panel a facet. What has no value leaves its row empty."""
    beside = max((len(_there(of)) for facet in facets for _, of in facet.rows), default=1)
    with _panels([len(facet.rows) * (0.55 + 0.45 * beside) for facet in facets], label) as (figure, panels):
        for facet, axes in zip(facets, panels, strict=True):
            for row, (_, of) in enumerate(facet.rows):
                there = _there(of)
                for place, number in enumerate(there):
                    y = row + (place - (len(there) - 1) / 2) * 0.62 / len(there)
                    _dot(axes, y, of[number] or Estimate(), ACCENT if len(series) == 1 else colour_of(number))
            _label_rows(axes, [name for name, _ in facet.rows], facet.title)
            for mark in marks:
                axes.axvline(mark.value, color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
            axes.set_xlabel(label)
            axes.grid(axis="x", color=RULE, linewidth=0.6)
        ends = np.array([axes.get_xlim() for axes in panels])
        for axes in panels:  # the same scale, so that panels can be compared
            axes.set_xlim(*(limits or (float(ends[:, 0].min()), float(ends[:, 1].max()))))
        used = {number for facet in facets for _, of in facet.rows for number in _there(of)}
        _name_series(figure, panels[0], series, marks, used)
        return themed_svg(figure, f"{label} with intervals: {', '.join(facet.title for facet in facets)}")


def outcome_bars(facets: Sequence[tuple[str, Sequence[Split]]], outcomes: Sequence[str], *, label: str) -> Markup:
    """Answers about pairs as bars from side to side with their shares, a dot at the rate, its interval across it."""
    colours = dict(zip(outcomes, (ACCENT, FADED, MUTED, BAD), strict=False))
    with _panels([len(splits) * 1.25 for _, splits in facets], label) as (figure, panels):
        for (title, splits), axes in zip(facets, panels, strict=True):
            for row, split in enumerate(splits):
                _split(axes, row, split, outcomes, colours)
            _label_rows(axes, [split.left for split in splits], title)
            right = axes.secondary_yaxis("right")
            right.set_yticks(range(len(splits)), [short(split.right) for split in splits])
            right.tick_params(length=0, labelcolor=INK)
            right.spines["right"].set_visible(False)
            axes.set_xlim(0, 1)
            axes.axvline(0.5, color=INK, linewidth=0.7, linestyle=(0, (2, 2)))
            axes.set_xlabel(label)
        _distinct_legend(figure, panels)
        return themed_svg(figure, f"{label}: {', '.join(title for title, _ in facets)}")


def stacked_counts(rows: Sequence[tuple[str, Sequence[int]]], series: Sequence[str], *, label: str) -> Markup:
    """Counts by row, those of each series beside the others along one bar."""
    with _panels([len(rows)], label) as (figure, (axes,)):
        starts = np.zeros(len(rows))
        for number, name in enumerate(series):
            counts = np.array([counts[number] for _, counts in rows], float)
            axes.barh(range(len(rows)), counts, left=starts, height=0.62, color=colour_of(number), label=short(name))
            starts += counts
        for row, total in enumerate(starts):
            axes.annotate(f"{total:,.0f}", (total, row), xytext=(4, 0), textcoords="offset points", va="center", color=INK)
        _label_rows(axes, [name for name, _ in rows], "")
        axes.set_xlabel(label)
        axes.set_xlim(0, max(1.0, float(starts.max(initial=0))) * 1.08)
        name_whole_numbers(axes, "x")
        _distinct_legend(figure, (axes,))
        return themed_svg(figure, f"{label} of {len(rows)} rows by {', '.join(series)}")


def funnel(steps: Sequence[tuple[str, int, int]], *, label: str) -> Markup:
    """`(rule, kept, removed)` from the first step to the last: what is kept, and what the rule left out, faded."""
    with _panels([len(steps)], label) as (figure, (axes,)):
        kept = np.array([step[1] for step in steps], float)
        lost = np.array([step[2] for step in steps], float)
        axes.barh(range(len(steps)), kept, height=0.66, color=ACCENT, label="kept")
        axes.barh(range(len(steps)), lost, left=kept, height=0.66, color=BAD, label="left out")
        for row, (_, left, removed) in enumerate(steps):
            text = f"{left:,}" + (f"  (−{removed:,})" if removed else "")
            axes.annotate(text, (left + removed, row), xytext=(4, 0), textcoords="offset points", va="center", color=INK)
        _label_rows(axes, [step[0] for step in steps], "")
        axes.set_xlim(0, max(1.0, float((kept + lost).max(initial=0))) * 1.12)
        name_whole_numbers(axes, "x")
        axes.set_xlabel(label)
        _distinct_legend(figure, (axes,))
        return themed_svg(figure, f"{label} after each of {len(steps)} rules")


def spreads(of: Mapping[str, tuple[np.ndarray, np.ndarray]], *, label: str, shares: Collection[str] = ()) -> Markup:
    """Histograms side by side, each of values kept `(N,)` and left out `(M,)` over the same bins; `shares` from 0 to 1."""
    with canvas(label, WIDTH, 2.2, layout="constrained") as figure:
        panels = [figure.add_subplot(1, len(of), place + 1) for place in range(len(of))]
        for axes, (name, (kept, lost)) in zip(panels, of.items(), strict=True):
            pooled = np.concatenate([kept, lost])
            low, high = (float(pooled.min()), float(pooled.max())) if len(pooled) else (0.0, 1.0)
            if name in shares:
                low, high = 0.0, 1.0
            edges = np.linspace(low, high if high > low else low + 1.0, 13)
            for values, below, colour, told in ((kept, lost[:0], ACCENT, "kept"), (lost, kept, BAD, "left out")):
                counts, floor = np.histogram(values, edges)[0], np.histogram(below, edges)[0]
                width = 0.9 * (edges[1] - edges[0])
                where = (edges[:-1] + edges[1:]) / 2
                if len(values):
                    axes.bar(where, counts, bottom=floor, width=width, color=colour, label=told, linewidth=0)
            axes.set_xlabel(name)
            axes.grid(axis="y", color=RULE, linewidth=0.6)
            axes.set_axisbelow(True)
            axes.tick_params(length=0)
            if are_whole(pooled) and name not in shares:
                name_whole_numbers(axes, "x", nbins=4)
            else:
                axes.locator_params(axis="x", nbins=4)
            name_whole_numbers(axes, "y", nbins=4)
        panels[0].set_ylabel(label)
        _distinct_legend(figure, panels)
        return themed_svg(figure, f"{label} by {', '.join(of)}")


def curve(lines: Mapping[str, Sequence[tuple[float, float]]], chosen: tuple[float, float], *, x: str, y: str) -> Markup:
    """Lines through points `(x, y)`, and the point that was chosen."""
    with canvas(y, 5.2, 2.5, layout="constrained") as figure:
        axes = figure.add_subplot()
        for number, (name, points) in enumerate(lines.items()):
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, color=colour_of(number), linewidth=1.4, marker="o", markersize=3, label=name)
        axes.plot(*chosen, color=BAD, marker="D", markersize=6, linestyle="", label="this study")
        axes.set_ylim(bottom=0)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.grid(color=RULE, linewidth=0.6)
        axes.tick_params(length=0)
        figure.legend(loc="outside right upper", frameon=False, fontsize=8)
        return themed_svg(figure, f"{y} against {x}")


def colour_of(number: int) -> str:
    return PALETTE[number % len(PALETTE)]


def short(name: str, most: int = 26) -> str:
    """A name as a label, as it is written: cut, with the sign escaped by which the plotter knows formulas."""
    name = name if len(name) <= most else name[: most - 1] + "…"
    return name.replace("$", r"\$")


_BELOW: dict[str, Any] = {"loc": "outside lower center", "frameon": False, "fontsize": 8.5, "ncols": 5}


@contextmanager
def _panels(rows: Sequence[float], label: str) -> Iterator[tuple["Canvas", tuple["Axes", ...]]]:
    """Panels in two columns (one panel is wide), each line as high as the longest panel in it has rows."""
    columns = 1 if len(rows) == 1 else 2
    lines = [max(rows[k : k + columns]) for k in range(0, len(rows), columns)]
    heights = [0.75 + ROW * max(1.0, line) for line in lines]
    with canvas(label, WIDTH, sum(heights) + 0.3, layout="constrained") as figure:
        grid = figure.add_gridspec(len(lines), columns, height_ratios=heights)
        panels = tuple(figure.add_subplot(grid[k // columns, k % columns]) for k in range(len(rows)))
        for axes in panels:
            axes.set_axisbelow(True)
            axes.tick_params(length=0)
        yield figure, panels


def _there(of: Sequence[Estimate | None]) -> list[int]:
    """The series that have a value."""
    return [number for number, one in enumerate(of) if one is not None and one.value is not None]


def _dot(axes: "Axes", y: float, one: Estimate, colour: str) -> None:
    assert one.value is not None, "only estimates with a value are drawn"
    if one.low is not None and one.high is not None and math.isfinite(one.low) and math.isfinite(one.high):
        axes.plot([one.low, one.high], [y, y], color=colour, linewidth=1.8, alpha=0.75, solid_capstyle="round", zorder=2)
    axes.plot(one.value, y, color=colour, marker="o", markersize=5, zorder=3)


def _label_rows(axes: "Axes", names: Sequence[str], title: str) -> None:
    """Rows from the top down."""
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_ylim(max(1, len(names)) - 0.45, -0.55)
    if title:
        axes.set_title(short(title, 40), loc="left", fontsize=9.5, color=INK, fontweight="bold")


def _name_series(
    figure: "Canvas", axes: "Axes", series: Sequence[str], marks: Sequence[Mark], used: Collection[int]
) -> None:
    """What the colours and lines that are there mean; one series needs no name."""
    named = {k: name for k, name in enumerate(series) if k in used and len(series) > 1}
    handles = [axes.plot([], [], color=colour_of(k), marker="o", markersize=5, linewidth=1.8)[0] for k in named]
    handles += [axes.plot([], [], color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)))[0] for _ in marks]
    if handles:
        figure.legend(handles, [*(short(name) for name in named.values()), *(mark.label for mark in marks)], **_BELOW)


def _split(axes: "Axes", row: int, split: Split, outcomes: Sequence[str], colours: Mapping[str, str]) -> None:
    total = sum(split.counts)
    start = 0.0
    for name, count in zip(outcomes, split.counts, strict=True):
        share = count / total if total else 0.0
        axes.barh(row, share, left=start, height=0.56, color=colours[name], label=name, linewidth=0)
        if share >= LEAST_TOLD:
            ink = "#ffffff" if colours[name] in (ACCENT, MUTED, BAD) else INK
            axes.annotate(f"{100 * share:.0f}", (start + share / 2, row), ha="center", va="center", fontsize=8, color=ink)
        start += share
    rate = split.rate
    if rate.value is not None and rate.low is not None and rate.high is not None:
        axes.plot([rate.low, rate.high], [row + 0.41, row + 0.41], color=INK, linewidth=1.3, solid_capstyle="butt")
        axes.plot(rate.value, row + 0.41, color=INK, marker="o", markersize=3.4)


def _distinct_legend(figure: "Canvas", panels: Sequence["Axes"]) -> None:
    named = {}
    for axes in panels:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            named.setdefault(name, handle)
    if len(named) > 1:
        figure.legend(list(named.values()), list(named), **_BELOW)
