"""docs/scale.md: tables of what was measured and computed, and plots of seconds against size."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from bench.scale_model import Curve, Model, bank_curves, planned, slope
from bench.scale_points import Point

DOCUMENT = Path(__file__).parents[1] / "docs" / "scale.md"
MARKS = ("<!-- scale -->", "<!-- /scale -->")
COLUMNS = 3
PLANS = ((53_000_000, 4_000_000), (3_000_000_000, 4_000_000), (3_000_000_000, 64_000_000))
"""Vectors, and views from which a bank is cut."""


def write_document(points: Sequence[Point], curves: Mapping[str, Curve], document: Path = DOCUMENT) -> None:
    """Puts tables between the document's marks, and the plots into `plots` beside it."""
    shown = {**curves, **bank_curves(points)}
    plot = document.parent / "plots" / "scale.svg"
    _plot(plot, shown)
    parts = [*_banks(points), "", *_curves(shown), "", f"![Seconds against size](plots/{plot.name})", "", *_plans(points)]
    text = document.read_text()
    before, _, rest = text.partition(MARKS[0])
    document.write_text("\n".join([before + MARKS[0], *parts, MARKS[1] + rest.partition(MARKS[1])[2]]))


def _banks(points: Sequence[Point]) -> list[str]:
    lines = [
        "| vectors of 512 | lists | looked into | build, core-s | a query, core-ms | come back | recall | bytes a vector | peak MiB |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for p in points:
        cells = (
            f"{p.num:,}",
            p.lists,
            p.probes,
            f"{p.train_s + p.add_s:.1f}",
            f"{p.query_s * 1000:.2f}",
            f"{p.candidates:.1f}",
            f"{p.recall:.4f}",
            f"{p.bytes_per_vector:.0f}",
            f"{p.peak_mib:.0f}",
        )
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return lines


def _curves(curves: Mapping[str, Curve]) -> list[str]:
    lines = ["| what | slope | between the two largest | core-seconds by size |", "|---|--:|--:|---|"]
    for name, curve in curves.items():
        last = dict(sorted(curve.items())[-2:])
        seconds = ", ".join(f"{size:,}: {value:.3g}" for size, value in sorted(curve.items()))
        lines.append(f"| {name} | {slope(curve):.2f} | {slope(last):.2f} | {seconds} |")
    return lines


def _plans(points: Sequence[Point]) -> list[str]:
    *smaller, largest = sorted(points, key=lambda point: point.num)
    model = Model.fitted(smaller)
    off = (
        model.build_s(largest.num) / (largest.train_s + largest.add_s) - 1,
        model.query_s(largest.num) / largest.query_s - 1,
    )
    lines = [
        f"The model, fitted to the others, says {off[0]:+.0%} of the build and {off[1]:+.0%} of a query of the largest bank measured. By it:",
        "",
        "| vectors | shards | codes, GB | vectors, GB | build, core-hours | a query, core-ms | 53 million queries, core-hours |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for num, shard_views in PLANS:
        plan = planned(model, num, shard_views, bytes_per_vector=largest.bytes_per_vector)
        cells = (plan.codes_gb, plan.vectors_gb, plan.build_hours, plan.query_ms, plan.hours_for_53_million)
        lines.append(f"| {num:,} | {plan.shards} | " + " | ".join(_round(cell) for cell in cells) + " |")
    return lines


def _round(value: float) -> str:
    """Two digits that mean something."""
    digits = max(0, 1 - math.floor(math.log10(value)))
    return f"{round(value, 1 - math.floor(math.log10(value))):,.{digits}f}"


def _short(size: int) -> str:
    return f"{size / 1e6:g} M" if size >= 1_000_000 else f"{size // 1000} k" if size >= 1000 else str(size)


def _plot(path: Path, curves: Mapping[str, Curve]) -> None:
    path.parent.mkdir(exist_ok=True)
    rows = math.ceil(len(curves) / COLUMNS)
    with rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none", "font.size": 7}):
        figure = Figure(figsize=(2.6 * COLUMNS, 2.1 * rows), layout="constrained")
        panels: list[Any] = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
        for panel, (name, curve) in zip(panels, curves.items()):
            panel.loglog(list(curve), list(curve.values()), "o-", color="#1f6f8b", linewidth=1, markersize=3)
            panel.set_title(f"{name}: slope {slope(curve):.2f}", fontsize=7)
            panel.set_xticks(list(curve), [_short(size) for size in curve])
            panel.minorticks_off()
            panel.spines[["top", "right"]].set_visible(False)
        for panel in panels[len(curves) :]:
            panel.set_axis_off()
        figure.supylabel("seconds of one core")
        figure.supxlabel("videos, votes, vectors")
        FigureCanvasSVG(figure).print_svg(str(path), metadata={"Date": None, "Creator": None})
