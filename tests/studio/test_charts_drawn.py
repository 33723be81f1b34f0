"""Drawings of results hold what was given, each value along the axis that is named for it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyqtgraph as pg
import pytest

from studio.charts.cut_plot import CountAxis, CutPlot
from studio.charts.figures import Bar, ResultChart
from studio.theme import load_theme


@pytest.fixture
def chart(qtbot) -> Iterator[ResultChart]:
    made = ResultChart("Drawn")
    qtbot.addWidget(made)
    made.resize(800, 500)
    made.set_theme(load_theme("light"))
    yield made


def drawn(chart: ResultChart) -> list[tuple[list[float], list[float]]]:
    """What each series has across and up, in the order of drawing."""
    series = [item.getData() for item in chart.listDataItems()]
    return [([float(v) for v in across], [float(v) for v in up]) for across, up in series if across is not None]


def ticks(chart: ResultChart, side: str) -> dict[float, str]:
    return {float(place): name for row in chart.getAxis(side)._tickLevels or () for place, name in row}


def items(chart: Any) -> list[Any]:
    return chart.plotItem.items


def words(chart: ResultChart) -> dict[tuple[float, float], str]:
    return {(item.pos().x(), item.pos().y()): item.toPlainText() for item in items(chart) if isinstance(item, pg.TextItem)}


def test_an_estimate_lies_across_in_the_row_of_its_name(chart: ResultChart) -> None:
    chart.show_bars(
        [Bar(name="good", value=0.7, low=0.6, high=0.9), Bar(name="poor", value=-3.0)], axis="Strength", reference=0.25
    )
    assert chart.getAxis("bottom").labelText == "Strength"
    rows = {name: place for place, name in ticks(chart, "left").items()}
    assert rows["good"] > rows["poor"], "the first is on top"
    assert drawn(chart) == [
        ([0.6, 0.9], [rows["good"], rows["good"]]),
        ([0.7], [rows["good"]]),
        ([-3.0], [rows["poor"]]),
    ]
    lines = [item for item in items(chart) if isinstance(item, pg.InfiniteLine)]
    assert [(line.value(), line.angle) for line in lines] == [(0.25, 90)], "upright: a value, not a row"


def test_a_point_lies_across_by_its_first_value_and_up_by_its_second(chart: ResultChart) -> None:
    chart.show_points([("good", 30.0, 0.8), ("poor", 10.0, 0.1)], x="Metric", y="Win rate")
    assert (chart.getAxis("bottom").labelText, chart.getAxis("left").labelText) == ("Metric", "Win rate")
    assert drawn(chart) == [([30.0], [0.8]), ([10.0], [0.1])]
    assert words(chart) == {(30.0, 0.8): "good", (10.0, 0.1): "poor"}
    (low, high), (bottom, top) = chart.getViewBox().viewRange()
    assert low < 10 < 30 < high
    assert bottom < 0.1 < 0.8 < top < 2


def test_a_line_goes_across_by_its_first_values(chart: ResultChart) -> None:
    chart.show_lines({"gme": ([0.0, 5.0, 10.0], [1.0, float("nan"), 3.0])}, x="Frame", y="gme")
    assert (chart.getAxis("bottom").labelText, chart.getAxis("left").labelText) == ("Frame", "gme")
    ((across, up),) = drawn(chart)
    assert across == [0.0, 5.0, 10.0]
    assert np.array_equal(up, [1.0, np.nan, 3.0], equal_nan=True)
    chart.show_cursor(5.0)
    assert chart._cursor is not None
    assert (chart._cursor.value(), chart._cursor.angle) == (5.0, 90)


@pytest.mark.parametrize("num_points", [10, 81])
def test_eight_lines_differ_without_their_colours(chart: ResultChart, num_points: int) -> None:
    steps = list(range(num_points))
    chart.show_lines({f"system {n}": (steps, [float(n)] * num_points) for n in range(8)}, x="Frame", y="Value")
    lines = chart.listDataItems()
    pens = [line.opts["pen"] for line in lines]
    strokes = {(pen.style(), tuple(pen.dashPattern()), line.opts["symbol"]) for pen, line in zip(pens, lines, strict=True)}
    assert len(strokes) == len(lines) == 8
    assert len({pen.color().name() for pen in pens}) < 8, "there are fewer inks than lines"


def test_a_cell_stands_in_the_row_and_the_column_of_its_names(chart: ResultChart) -> None:
    chart.show_matrix(["quality", "motion"], ["alpha", "kappa", "raw"], [[0.1, 0.2, None], [0.4, 0.5, 1.0]])
    rows = {name: place for place, name in ticks(chart, "left").items()}
    columns = {name: place for place, name in ticks(chart, "bottom").items()}
    assert rows["quality"] > rows["motion"]
    assert columns["alpha"] < columns["kappa"] < columns["raw"]
    assert words(chart) == {
        (columns["alpha"], rows["quality"]): "0.10",
        (columns["kappa"], rows["quality"]): "0.20",
        (columns["raw"], rows["quality"]): "–",
        (columns["alpha"], rows["motion"]): "0.40",
        (columns["kappa"], rows["motion"]): "0.50",
        (columns["raw"], rows["motion"]): "1.00",
    }
    cells = [item for item in items(chart) if isinstance(item, pg.BarGraphItem)]
    darkest = min(cells, key=lambda cell: cell.opts["brush"].lightness())
    assert darkest.boundingRect().center().x() == pytest.approx(columns["raw"])
    assert darkest.boundingRect().center().y() == pytest.approx(rows["motion"])


@pytest.mark.parametrize(("top", "named"), [(1, {0, 1}), (3, {0, 1, 2, 3}), (40, {0, 10, 20, 30, 40})])
def test_counts_are_named_by_whole_numbers(qtbot, top: int, named: set[int]) -> None:
    plot = CutPlot("Drawn")
    qtbot.addWidget(plot)
    axis = plot.getAxis("left")
    assert isinstance(axis, CountAxis)
    ticks = {float(tick) for _, row in axis.tickValues(0, top * 1.08, 300) for tick in row}
    assert named <= ticks
    assert all(tick.is_integer() for tick in ticks)
