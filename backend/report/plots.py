"""Plots as inline SVG whose colours follow the page's light or dark theme."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from markupsafe import Markup

from backend.domain.score_words import SIGNS

if TYPE_CHECKING:  # matplotlib takes a third of a second of every command's start, and reports alone need it
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure as Canvas

# Stand-ins that no plot uses by chance; in the SVG they become the page's custom properties.
THEME = {
    "#010203": "var(--ink)",
    "#040506": "var(--muted)",
    "#070809": "var(--rule)",
    "#0a0b0c": "var(--accent)",
    "#0d0e0f": "var(--bad)",
    "#101112": "var(--faded)",
}
INK, MUTED, RULE, ACCENT, BAD, FADED = THEME
STYLE: dict[Any, Any] = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "text.color": INK,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "path.simplify": True,
}

PRINTED = {
    "var(--ink)": "#1d1c1a",
    "var(--muted)": "#6b675f",
    "var(--rule)": "#e4e0d8",
    "var(--accent)": "#0f7a6e",
    "var(--bad)": "#b3402f",
    "var(--faded)": "#c9d6d2",
}
"""The page's light colours, for files that stand without a page."""


@dataclass(frozen=True, slots=True)
class Line:
    """A gate in a histogram: `comparison` says which side is kept (`>=`, `>`, `<=`, `<`)."""

    comparison: str
    value: float

    def keeps(self, values: np.ndarray) -> np.ndarray:
        """bool of the shape of `values`."""
        match self.comparison:
            case ">=":
                return values >= self.value
            case ">":
                return values > self.value
            case "<=":
                return values <= self.value
            case "<":
                return values < self.value
        raise ValueError(f"comparison {self.comparison!r} is none of >=, >, <=, <")

    def place(self, *, among_whole: bool) -> float:
        """Where it parts values: at its own, among whole numbers halfway between the last that it drops and the first it keeps."""
        if not among_whole:
            return self.value
        return float(np.ceil(self.value) - 0.5 if self.comparison in (">=", "<") else np.floor(self.value) + 0.5)


def histogram(values: np.ndarray, lines: Sequence[Line] = (), *, label: str, num_bins: int = 36) -> Markup:
    """A histogram of float `(N,)` with gates; the bins that a gate drops are faded. Deterministic SVG.

    Of whole numbers each bin holds as many, and the axis names whole numbers alone.
    """
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    with canvas(label, 4.6, 1.9) as figure:
        whole = are_whole(values)
        places = [line.place(among_whole=whole) for line in lines]
        edges = _whole_edges(values, places, num_bins) if whole else _edges(values, places, num_bins)
        counts, _ = np.histogram(values, bins=edges)
        centres = (edges[:-1] + edges[1:]) / 2
        kept = np.ones(len(centres), bool)
        for line in lines:
            kept &= line.keeps(centres)
        top = max(1, int(counts.max(initial=0)))
        # Margins by hand: laying them out takes longer than drawing, and a report has dozens of these.
        axes = figure.add_axes((left := 0.045 + 0.019 * len(f"{top:,}"), 0.25, 0.965 - left, 0.73))
        axes.add_collection(_bars(edges, counts, np.where(kept, ACCENT, FADED)))
        axes.set_xlim(edges[0], edges[-1])
        for line, place in zip(lines, places, strict=True):
            is_right = place > edges[0] + 0.8 * (edges[-1] - edges[0])
            axes.axvline(place, color=BAD, linewidth=1.2, linestyle=(0, (4, 2)))
            axes.annotate(
                f"{SIGNS[line.comparison]} {line.value:g}",
                (place, top * 1.04),
                xytext=(-4 if is_right else 4, 0),
                textcoords="offset points",
                color=BAD,
                fontsize=8.5,
                ha="right" if is_right else "left",
                va="bottom",
            )
        axes.set_ylim(0, top * 1.22)
        axes.set_xlabel(label)
        axes.locator_params(axis="y", nbins=3, integer=True)
        if whole:
            name_whole_numbers(axes, "x")
        axes.grid(axis="y", color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        return themed_svg(figure, f"Histogram of {label}, {len(values)} values")


def are_whole(values: np.ndarray) -> bool:
    """Whether values `(N,)` are whole numbers, as counts are; none are not."""
    return len(values) > 0 and bool((values == np.round(values)).all())


def name_whole_numbers(axes: "Axes", axis: Literal["x", "y"], **options: Any) -> None:
    """Puts ticks at whole numbers alone, however few of them an axis shows."""
    axes.locator_params(axis=axis, integer=True, min_n_ticks=1, **options)


@contextmanager
def canvas(label: str, width: float, height: float, **options: Any) -> Iterator["Canvas"]:
    """A figure of so many inches in the page's style; equal drawings with equal labels give equal bytes."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({**STYLE, "svg.hashsalt": label}):
        yield Figure(figsize=(width, height), **options)


def themed_svg(figure: "Canvas", label: str) -> Markup:
    """A figure as SVG for a page: `label` tells it to who cannot see it."""
    text = io.StringIO()
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()[text.getvalue().index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for stand_in, name in THEME.items():
        svg = svg.replace(stand_in, name)
    # The page sets the font; sizes stay in the plot's own units.
    svg = re.sub(r"font: ([0-9.]+)px [^;\"]*", r"font-size: \1px", svg)
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{Markup.escape(label)}" ', 1))


def printed_svg(svg: str) -> str:
    """A plot as a file of its own: in light colours and a font that are there without the page."""
    for name, colour in PRINTED.items():
        svg = svg.replace(name, colour)
    return svg.replace("<svg ", '<svg font-family="DejaVu Sans, sans-serif" ', 1)


def _bars(edges: np.ndarray, counts: np.ndarray, colours: np.ndarray) -> "PolyCollection":
    """The filled bins as one artist."""
    gap = 0.07 * (edges[1] - edges[0])
    filled = np.flatnonzero(counts)
    corners = [
        [(edges[k] + gap, 0), (edges[k] + gap, counts[k]), (edges[k + 1] - gap, counts[k]), (edges[k + 1] - gap, 0)]
        for k in filled
    ]
    from matplotlib.collections import PolyCollection

    return PolyCollection(corners, facecolors=colours[filled].tolist(), linewidths=0)


def _edges(values: np.ndarray, places: Sequence[float], num_bins: int) -> np.ndarray:
    """Edges of equal bins; the first gate's place is one of them, so that no bin of it is half kept."""
    low, high = _reach(values, places)
    margin = 0.04 * (high - low) or 0.5
    width = (high - low + 2 * margin) / num_bins
    anchor = places[0] if places else low - margin
    before = int(np.ceil((anchor - (low - margin)) / width))
    return anchor + width * np.arange(-before, num_bins + 1 - before)


def _whole_edges(values: np.ndarray, places: Sequence[float], num_bins: int) -> np.ndarray:
    """The same between whole numbers, as many of them in each bin."""
    low, high = _reach(values, places)
    low, high = np.floor(low + 0.5) - 0.5, np.ceil(high - 0.5) + 0.5
    width = max(1, int(np.ceil((high - low) / num_bins)))
    anchor = places[0] if places else low
    before, after = int(np.ceil((anchor - low) / width)), int(np.ceil((high - anchor) / width))
    return anchor + width * np.arange(-before, after + 1.0)


def _reach(values: np.ndarray, places: Sequence[float]) -> tuple[float, float]:
    """From where to where bins go."""
    marks = list(places)
    if len(values):
        # One far-off value must not squeeze the rest into one bin
        marks += [float(mark) for mark in np.quantile(values, (0.002, 0.998))]
    return (min(marks), max(marks)) if marks else (0.0, 1.0)
