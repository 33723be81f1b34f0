"""Results over the real service: three systems on twenty cases, two imported metrics, votes that follow one of them."""

import csv
import io
import json
import math
import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from backend.api import Api
from backend.domain import Score
from backend.workspace import Workspace
from studio.pages.results import ResultsPage
from studio.pages.results_layout import MOST_ROWS, SheetTable
from studio.sessions.results import Sheet, as_csv, metrics_of
from tests.backend.workspace.study_project import SYSTEMS, write_benchmark
from tests.backend.workspace.test_metric_calibrating import prepare
from tests.studio.served import served_window
from tests.studio.test_charts_drawn import drawn, ticks, words

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: no test writes anything but files."""
    folder = tmp_path_factory.mktemp("results")
    opened = Workspace(folder / "project", create=True)
    api = cast(Api, opened)
    prepare(api, write_benchmark(folder / "benchmark", cases=20, frames=2), folder)
    api.calibrate_metrics(study="taste", bootstraps=20, by="none")
    opened.close()
    return folder


@pytest.fixture
def page(qtbot, project: Path, tmp_path: Path) -> Iterator[ResultsPage]:
    opened = Workspace(project / "project")
    with served_window(opened, tmp_path, "results") as window:
        found = window.page
        assert isinstance(found, ResultsPage)
        qtbot.waitUntil(lambda: found.board is not None and bool(found.studies))
        yield found
    opened.close()


def press(page: ResultsPage, key: str | Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    page.window().activateWindow()
    QApplication.processEvents()
    page.layout_of.chart.setFocus()
    if isinstance(key, str):
        QTest.keyClicks(page.layout_of.chart, key)
    else:
        QTest.keyClick(page.layout_of.chart, key, modifier)


def shown(page: ResultsPage) -> list[list[str]]:
    table = page.layout_of.table
    cells = [[table.item(r, c) for c in range(table.columnCount())] for r in range(table.rowCount())]
    return [["" if cell is None else cell.text() for cell in row] for row in cells]


def test_every_view_shows_the_services_figures_by_its_digit(qtbot, page: ResultsPage) -> None:
    press(page, "1")
    board = page.board
    assert board is not None
    values = {(one.system, one.metric): one.value for one in board.standings if not one.kind}
    first = shown(page)[0]
    assert first[1].startswith(f"{values[first[0], metrics_of(board)[0]]:.4g}")
    press(page, "2")
    aspect = page._aspect()
    assert aspect is not None
    rates = {(row.system, row.rival): f"{row.rate.value:.3f}" for row in aspect.wins}
    assert {(r[0], r[2]): r[6][:5] for r in shown(page) if r[2]} == rates
    press(page, "3")
    assert len(shown(page)) == 3
    press(page, "4")
    assert ["Krippendorff's α" in row[1] for row in shown(page)].count(True) == 1
    press(page, "5")
    assert {row[0] for row in shown(page)} >= {"gmescore"}
    press(page, "6")
    assert page.layout_of.stack.currentIndex() == 1, "imported scores have no values by frame"
    press(page, "7")
    assert len(shown(page)) == 8
    press(page, "8")
    assert len(shown(page)) == 20


def test_a_calibration_totals_the_leaderboard_and_is_named(qtbot, page: ResultsPage) -> None:
    box = page.layout_of.boxes["preset"]
    box.setCurrentIndex(box.findData("taste"))
    qtbot.waitUntil(lambda: page.board is not None and "taste" in page.board.preset)
    assert page.board is not None
    assert page.board.preset in page.layout_of.about.text()


def test_pictures_and_tables_are_kept_as_files(qtbot, page: ResultsPage, project: Path) -> None:
    folder = project / "project" / "exports" / "results"
    press(page, "2")
    press(page, Qt.Key.Key_S, CTRL | SHIFT)
    assert (folder / "wins.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (folder / "wins.svg").read_bytes()[:400]
    press(page, Qt.Key.Key_S, CTRL)
    rows = list(csv.reader((folder / "wins.csv").open(encoding="utf-8")))
    assert (rows[0][0], len(rows) - 1) == ("system", len(page.sheet.rows))


def test_what_is_not_there_is_not_kept_and_a_drawn_sheet_is(qtbot, page: ResultsPage, project: Path) -> None:
    folder = project / "project" / "exports" / "results"
    banner = page.window().banner_words  # type: ignore[attr-defined]
    press(page, "6")  # imported scores have no values by frame
    press(page, Qt.Key.Key_S, CTRL | SHIFT)
    assert banner.text() == "No picture is shown here that could be kept."
    press(page, Qt.Key.Key_S, CTRL)
    assert banner.text() == "No table is shown here that could be kept."
    press(page, "8")
    page.layout_of.show_picture(None)
    press(page, Qt.Key.Key_S, CTRL | SHIFT)
    assert banner.text().startswith("Nothing is drawn yet")
    assert not list(folder.glob("frames.*")) + list(folder.glob("sheets.*"))
    page.layout_of.table.selectRow(0)
    press(page, Qt.Key.Key_G, CTRL)
    qtbot.waitUntil(lambda: page.layout_of.picture_file is not None)
    press(page, Qt.Key.Key_S, CTRL | SHIFT)
    drawn = page.layout_of.picture_file
    assert drawn is not None
    assert (folder / "sheets.png").read_bytes() == drawn.read_bytes()


def test_the_axis_of_win_rates_names_what_the_study_gives(page: ResultsPage) -> None:
    press(page, "2")
    assert page.layout_of.chart.getAxis("bottom").labelText == "Bradley–Terry strength (log)"


def own_votes(project: Path) -> list[tuple[str, str]]:
    """Who won over whom, as the imported file says it."""
    rows = [json.loads(line) for line in (project / "votes.jsonl").read_text().splitlines()]
    return [tuple(row["systems"]) if row["choice"] == "left" else (row["systems"][1], row["systems"][0]) for row in rows]


def strengths(votes: list[tuple[str, str]]) -> dict[str, float]:
    """Bradley-Terry's log strengths of mean 0, by the minorization of Hunter 2004."""
    found: dict[str, float] = dict.fromkeys(SYSTEMS, 1.0)
    for _ in range(500):
        for name in SYSTEMS:
            met = [found[one if name == other else other] for one, other in votes if name in (one, other)]
            found[name] = sum(one == name for one, _ in votes) / sum(1 / (found[name] + other) for other in met)
    logs = {name: math.log(value) for name, value in found.items()}
    return {name: value - sum(logs.values()) / len(logs) for name, value in logs.items()}


def marks(page: ResultsPage) -> list[tuple[float, float]]:
    """Single marks of the picture."""
    series = drawn(page.layout_of.chart)
    return [(across[0], up[0]) for across, up in series if len(across) == 1]


def test_every_picture_has_its_values_along_the_axis_that_is_named(page: ResultsPage, project: Path) -> None:
    """Against strengths, rates and agreement worked out here, from the files that were imported."""
    chart, votes = page.layout_of.chart, own_votes(project)
    press(page, "2")
    rows = ticks(chart, "left")
    found = {rows[up]: across for across, up in marks(page)}
    centre = sum(found.values()) / len(found)
    assert {name: value - centre for name, value in found.items()} == pytest.approx(strengths(votes), abs=0.03)

    press(page, "3")
    box = page.layout_of.boxes["metric"]
    box.setCurrentIndex(next(n for n in range(box.count()) if "gme" in box.itemData(n)))
    at = {name: place for place, name in words(chart).items()}
    means, rates = {}, {}
    for system in SYSTEMS:
        scores = json.loads((project / system / "gmescore.json").read_text())
        means[system] = sum(one["gme_score"] for one in scores.values()) / len(scores)
        met = [pair for pair in votes if system in pair]
        rates[system] = sum(winner == system for winner, _ in met) / len(met)
    assert {name: across for name, (across, _) in at.items()} == pytest.approx(means, abs=1e-6)
    assert {name: up for name, (_, up) in at.items()} == pytest.approx(rates, abs=1e-6)
    assert set(marks(page)) == set(at.values())
    assert (chart.getAxis("bottom").labelText, chart.getAxis("left").labelText) == (box.currentText(), "Win rate")

    press(page, "4")
    columns = {name: place for place, name in ticks(chart, "bottom").items()}
    (row,) = ticks(chart, "left")
    assert words(chart)[columns["raw agreement"], row] == f"{raw_agreement(project):.2f}"

    press(page, "5")
    assert (chart.getAxis("bottom").labelText, chart.getAxis("left").labelText) == ("Raw value", "In the total")
    scores = [json.loads((project / system / "gmescore.json").read_text()) for system in SYSTEMS]
    raw = [one["gme_score"] for own in scores for one in own.values()]
    across, up = drawn(chart)[0]
    assert min(raw) <= min(across) < max(across) <= max(raw), "knots lie where values do"
    assert up == sorted(up), "more of what raters follow is more in the total"


def raw_agreement(project: Path) -> float:
    """The share of pairs of raters who chose the same side of an item, over items."""
    by_item: dict[tuple[str, ...], list[str]] = {}
    for line in (project / "votes.jsonl").read_text().splitlines():
        one = json.loads(line)
        by_item.setdefault((one["case_id"], *one["systems"]), []).append(one["choice"])
    shares = [sum(a == b for a, b in combinations(votes, 2)) / math.comb(len(votes), 2) for votes in by_item.values()]
    return sum(shares) / len(shares)


def test_a_timeline_has_frames_across_and_values_up(qtbot, project: Path, tmp_path: Path) -> None:
    """Of a project of its own: in that of the others no metric has values by frame."""
    shutil.copytree(project / "project", tmp_path / "project")
    opened = Workspace(tmp_path / "project")
    kept = io.BytesIO()
    np.savez(kept, frame=np.array([0, 2, 4]), level=np.array([10.0, 30.0, 20.0]))
    evidence = opened.artifacts.put(kept.getvalue(), "npz")
    target = opened.evaluation()[0].generation_id
    score = Score(target=target, name="temporal_flickering", value=20.0, producer="imported/planted", evidence=evidence)
    opened.catalog.add_records([score], work_key="imported:planted")
    with served_window(opened, tmp_path, "results") as window:
        page = window.page
        assert isinstance(page, ResultsPage)
        qtbot.waitUntil(lambda: page.board is not None and bool(page.studies))
        press(page, "6")
        chart = page.layout_of.chart
        qtbot.waitUntil(lambda: bool(drawn(chart)))
        assert drawn(chart) == [([0.0, 2.0, 4.0], [10.0, 30.0, 20.0])]
        assert (chart.getAxis("bottom").labelText, chart.getAxis("left").labelText) == ("Frame", "level")
    opened.close()


def test_a_table_runs_no_formula_in_a_spreadsheet() -> None:
    said = as_csv(Sheet(head=("system", "=Name"), rows=(("=1+1", -0.5), ("@x", None))))
    assert list(csv.reader(said.splitlines())) == [["system", "Name"], ["'=1+1", "-0.5"], ["'@x", ""]]


def test_chosen_cases_are_drawn_side_by_side(qtbot, page: ResultsPage, project: Path) -> None:
    press(page, "8")
    page.layout_of.table.selectRow(0)
    press(page, Qt.Key.Key_G, CTRL)
    qtbot.waitUntil(lambda: "1 sheet" in page.layout_of.status.text())
    assert not page.layout_of.picture.pixmap().isNull()


def test_a_long_table_shows_its_beginning_and_says_how_many_rows_more_there_are(qtbot) -> None:
    table = SheetTable()
    qtbot.addWidget(table)
    sheet = Sheet(head=("system", "n"), rows=tuple((f"s{k}", k) for k in range(MOST_ROWS + 7)))
    table.show_sheet(sheet)
    table.selectAll()
    last = table.item(MOST_ROWS, 0)
    assert last is not None
    assert last.text() == "and 7 rows more, in the CSV"
    assert (len(table.chosen_rows()), table.chosen_rows()[-1]) == (MOST_ROWS, MOST_ROWS - 1)
    assert len(as_csv(table.sheet).splitlines()) == MOST_ROWS + 8
    table.show_sheet(Sheet(head=("system",), rows=(("a",),)))
    assert (table.rowCount(), table.columnSpan(0, 0)) == (1, 1)
