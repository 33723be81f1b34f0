"""Bounds that verdicts taught, with the curve behind each."""

import numpy as np
from markupsafe import Markup

from backend.measures.thresholds import Threshold, Thresholds
from backend.report.page import Figure, Plot, Report, Section, Table
from backend.report.plots import ACCENT, BAD, FADED, RULE, canvas, themed_svg


def calibration_report(found: Thresholds, *, title: str) -> Report:
    """A table of the bounds, and precision with Wilson's lower end against the score for each category."""
    rows = tuple((threshold.category or "all together", *_cells(threshold)) for _, threshold in _ordered(found))
    plots = tuple(
        Plot(
            svg=curve(threshold, found.precision, label=f"{found.score_name}, {name or 'all together'}"),
            title=(name or "all together").capitalize(),
            remark=threshold.reason or f"{threshold.num} judged, {threshold.num_right} right",
        )
        for name, threshold in _ordered(found)
        if threshold.curve
    )
    blocks = [
        Table(
            head=("Category", "Bound", "Judged", "Right", "Why none"),
            rows=rows,
            numeric=frozenset({1, 2, 3}),
            empty="Nobody has judged a pair yet.",
        ),
        *([Figure(plots)] if plots else []),
    ]
    return Report(
        kicker="Calibration report",
        title=title,
        facts=(
            ("Score", found.score_name),
            ("Precision wanted", f"{found.precision:g}"),
            ("Producer", found.producer or "–"),
        ),
        sections=[
            Section(
                anchor="bounds",
                title="Bounds by category",
                lead="The lowest score from which Wilson's lower end of the precision reaches what is wanted.",
                blocks=blocks,
            )
        ],
        footer="A bound is chosen and shown on the same verdicts; judge new pairs to see how it holds.",
    )


def curve(threshold: Threshold, wanted: float, *, label: str) -> Markup:
    """Precision, its lower end and recall against the score. Deterministic SVG."""
    points = sorted(threshold.curve, key=lambda point: point.score)
    scores = np.array([point.score for point in points])
    with canvas(label, 5.6, 2.4, layout="constrained") as figure:
        axes = figure.add_subplot()
        axes.plot(scores, [point.precision for point in points], color=ACCENT, linewidth=1.3, label="precision")
        axes.plot(
            scores, [point.precision_low for point in points], color=ACCENT, linewidth=1.0, linestyle=":", label="lower end"
        )
        axes.plot(scores, [point.recall for point in points], color=FADED, linewidth=1.1, label="recall")
        axes.axhline(wanted, color=BAD, linewidth=1.0, linestyle=(0, (4, 2)))
        if threshold.score is not None:
            axes.axvline(threshold.score, color=BAD, linewidth=1.2)
        axes.set_ylim(0, 1.05)
        axes.set_xlabel(label)
        axes.grid(axis="y", color=RULE, linewidth=0.6)
        axes.tick_params(length=0)
        figure.legend(loc="outside upper left", frameon=False, fontsize=8, ncols=3)
        return themed_svg(figure, f"Precision against {label}, {len(points)} points")


def _ordered(found: Thresholds) -> list[tuple[str, Threshold]]:
    return sorted(found.by_category.items())


def _cells(threshold: Threshold) -> tuple[str, ...]:
    bound = "–" if threshold.score is None else f"{threshold.score:.3f}"
    return bound, f"{threshold.num:,}", f"{threshold.num_right:,}", threshold.reason
