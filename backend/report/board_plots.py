"""Plots of systems: a radar over metrics, bars by group, values along a video, values over videos."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup

from backend.report.plots import BAD, MUTED, RULE, are_whole, canvas, name_whole_numbers, themed_svg

PALETTE = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2", "#9c755f", "#c9a227")
"""Told apart on light and dark pages; what has more systems repeats them with other line styles."""
DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)))
NUM_BINS = 24
MAX_NAME = 64  # of a line along a video: a system, a case, how much of it the score rests on


def radar(axes_of: Sequence[str], values: Mapping[str, Sequence[float | None]], *, label: str) -> Markup:
    """Systems over several scores in 0..1; a score that a system lacks is drawn as 0. Deterministic SVG."""
    angles = np.linspace(0, 2 * math.pi, len(axes_of), endpoint=False)
    closed = np.append(angles, angles[0])
    with canvas(label, 6.4, 4.2, layout="constrained") as figure:
        axes = figure.add_subplot(projection="polar")
        for number, (system, scores) in enumerate(values.items()):
            drawn = np.clip([0.0 if score is None else score for score in scores], 0, 1)
            colour, dash = _look(number)
            axes.plot(closed, np.append(drawn, drawn[0]), color=colour, linestyle=dash, linewidth=1.4, label=_short(system))
            axes.fill(closed, np.append(drawn, drawn[0]), color=colour, alpha=0.06)
        axes.set_xticks(angles, [_short(name) for name in axes_of], fontsize=8)
        axes.tick_params(axis="x", pad=2)
        for text, angle in zip(axes.get_xticklabels(), angles, strict=True):  # names start outside the circle
            across = math.cos(angle)
            text.set_horizontalalignment("center" if abs(across) < 0.1 else "left" if across > 0 else "right")
        axes.set_ylim(0, 1)
        axes.set_yticks([0.25, 0.5, 0.75, 1.0], ["", ".5", "", "1"])
        axes.grid(color=RULE, linewidth=0.6)
        axes.spines["polar"].set_color(RULE)
        figure.legend(loc="outside lower center", frameon=False, fontsize=8, ncols=4)
        return themed_svg(figure, f"Radar of {len(values)} systems over {', '.join(axes_of)}")


def group_bars(
    groups: Sequence[str], values: Mapping[str, Sequence[tuple[float, float, float] | None]], *, label: str
) -> Markup:
    """Bars `(value, low, high)` of systems side by side in each group, with their intervals. Deterministic SVG."""
    width = 0.82 / max(1, len(values))
    across = min(11.0, 2.2 + 0.5 * len(groups) * max(1, len(values)) ** 0.7)
    with canvas(label, across, 2.6, layout="constrained") as figure:
        axes = figure.add_subplot()
        for number, (system, bars) in enumerate(values.items()):
            colour, _ = _look(number)
            where = [k + (number - (len(values) - 1) / 2) * width for k in range(len(bars))]
            # What is missing keeps its place, and its colour in the legend.
            drawn = [bar or (math.nan,) * 3 for bar in bars]
            tops = [bar[0] for bar in drawn]
            errors = [[max(b[0] - b[1], 0.0) for b in drawn], [max(b[2] - b[0], 0.0) for b in drawn]]
            axes.bar(where, tops, width=width * 0.92, color=colour, linewidth=0, label=_short(system))
            axes.errorbar(where, tops, yerr=errors, fmt="none", ecolor=MUTED, elinewidth=0.9, capsize=1.5)
        axes.set_xticks(range(len(groups)), [_short(group) for group in groups], rotation=20 if len(groups) > 4 else 0)
        axes.set_xlim(-0.5, len(groups) - 0.5)
        axes.set_ylabel(label)
        axes.grid(axis="y", color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        figure.legend(loc="outside upper left", frameon=False, fontsize=8, ncols=4)
        return themed_svg(figure, f"Bars of {label} by group for {len(values)} systems")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What is drawn along videos: `lines` of `(name, frames (N,), values (N,))`, and the name of what the values are."""

    part: str
    lines: list[tuple[str, np.ndarray, np.ndarray]] = field(default_factory=list)


def timeline(drawn: Timeline, *, label: str) -> Markup:
    """Values along videos, of the metric `label`. Deterministic SVG."""
    with canvas(label, 7.2, 3.0, layout="constrained") as figure:
        axes = figure.add_subplot()
        for number, (name, frames, values) in enumerate(drawn.lines):
            colour, dash = _look(number)
            axes.plot(frames, values, color=colour, linestyle=dash, linewidth=1.1, label=_short(name, MAX_NAME))
        axes.set_xlabel("frame")
        axes.set_ylabel(drawn.part.replace("_", " "))
        axes.grid(axis="y", color=RULE, linewidth=0.6)
        axes.tick_params(length=0)
        figure.legend(loc="outside lower center", frameon=False, fontsize=7, ncols=2)
        return themed_svg(figure, f"{label} by frame of {len(drawn.lines)} videos")


def spread(values: Mapping[str, np.ndarray], scale: tuple[float, float] | None, *, label: str) -> Markup:
    """Histograms of values `(N,)` of several systems over the same bins; dashed lines are what a preset scales to 0 and 1."""
    pooled = np.concatenate([v[np.isfinite(v)] for v in values.values()]) if values else np.empty(0)
    low, high = (float(pooled.min()), float(pooled.max())) if len(pooled) else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1.0, NUM_BINS + 1)
    with canvas(label, 5.6, 2.4, layout="constrained") as figure:
        axes = figure.add_subplot()
        for number, (system, own) in enumerate(values.items()):
            colour, dash = _look(number)
            counts, _ = np.histogram(own[np.isfinite(own)], bins=edges)
            axes.stairs(counts, edges, color=colour, linestyle=dash, linewidth=1.3, label=_short(system))
        for end in scale or ():
            axes.axvline(end, color=BAD, linewidth=1.1, linestyle=(0, (4, 2)))
        axes.set_xlabel(label)
        axes.set_ylabel("videos")
        name_whole_numbers(axes, "y")
        if are_whole(pooled):
            name_whole_numbers(axes, "x")
        axes.tick_params(length=0)
        figure.legend(loc="outside right upper", frameon=False, fontsize=8)
        return themed_svg(figure, f"Distribution of {label} over videos of {len(values)} systems")


def _look(number: int) -> tuple[str, object]:
    return PALETTE[number % len(PALETTE)], DASHES[(number // len(PALETTE)) % len(DASHES)]


def _short(name: str, most: int = 22) -> str:
    """A name as a label, as it is written: cut, with the sign escaped by which the plotter knows formulas."""
    name = name if len(name) <= most else name[: most - 1] + "…"
    return name.replace("$", r"\$")
