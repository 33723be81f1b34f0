"""The page of a leaderboard: radars, groups, spreads and distances stand on it, and say what they rest on."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backend.domain.ranking import TOTAL, Answered, Column, Leaderboard, SetDistance, Standing, SystemFacts
from backend.report import leaderboard_report, render
from backend.report.board_plots import PALETTE, Timeline, group_bars
from backend.report.comparison import Example, MetricSpread
from backend.report.leaderboard import _radar_of


def column(name: str, *, rising: bool = True, embedded: bool = True) -> Column:
    return Column(
        metric=name, title=name.title(), higher_is_better=rising, embedded=embedded, range_low=0.0, range_high=1.0
    )


def board(columns: tuple[Column, ...], **fields: object) -> Leaderboard:
    standings = [Standing(system=s, metric=TOTAL, value=None) for s in "ab"]
    for kind, group in (("", ""), ("label", "cup"), ("label", "man")):
        standings += [
            Standing(system=s, metric=c.metric, value=0.25 + 0.5 * (s == "b"), num_cases=2, kind=kind, group=group)
            for s in "ab"
            for c in columns
        ]
    return Leaderboard(
        benchmark="bench",
        preset="opens2v-v1.1-open",
        cases=2,
        columns=columns,
        standings=tuple(standings),
        answered=tuple(Answered(system=s, cases=2, answered=2, videos=2, missing=()) for s in "ab"),
        **fields,  # pyright: ignore[reportArgumentType]
    )


NAMES = ("identity", "copying", "quality", "fading")


def test_classical_scores_have_a_radar_of_their_own() -> None:
    html = render(leaderboard_report(board(tuple(column(name) for name in NAMES)), {}))
    assert "Radar of 2 systems over Identity, Copying, Quality, Fading" in html
    few = render(leaderboard_report(board(tuple(column(name) for name in NAMES[:2])), {}))
    assert "Radar of" not in few, "two axes are no radar"


def test_best_is_outside_on_every_axis() -> None:
    """.25 of a score that falls is .75 of one that rises: equal drawings, but for what they are called."""
    columns = [column(name) for name in NAMES]
    found = board(tuple(columns))
    rising = _radar_of(found, dict.fromkeys(columns, (0.0, 1.0)), "x")
    mirrored = _radar_of(found, dict.fromkeys(columns, (1.0, 0.0)), "x")
    low = Leaderboard(**{**_fields(found), "standings": tuple(_flipped(s) for s in found.standings)})
    assert _radar_of(low, dict.fromkeys(columns, (1.0, 0.0)), "x") == rising != mirrored


def test_classical_scores_that_a_calibration_weighs_are_said_to_be_in_the_total() -> None:
    alone = str(render(leaderboard_report(board((column("a"),)), {})))
    weighed = str(render(leaderboard_report(board((replace(column("a"), low=0.0, high=1.0),)), {})))
    assert "in no total" in alone
    assert "in no total" not in weighed
    assert "in the total as" in weighed


def test_groups_are_a_row_each_with_systems_side_by_side() -> None:
    html = render(leaderboard_report(board(tuple(column(name) for name in NAMES)), {}))
    assert html.count("<td>cup</td>") == html.count("<td>man</td>") == 4, "a row a metric"
    assert "Bars of identity by group for 2 systems" in html


def test_facts_of_a_system_stand_on_the_page() -> None:
    """Seed 0 is a seed; of a system that nothing is said of the cells are empty."""
    known = SystemFacts(
        name="a",
        venue="ICCV 2025",
        open=True,
        base="Wan2.1-14B",
        domains=("open", "human"),
        references=3,
        size="1280x720",
        frames=81,
        fps=16,
        seed=0,
        cost=0.9,
    )
    html = str(render(leaderboard_report(board((column("identity"),), systems=(known,)), {})))
    table = html[html.index('id="systems"') :].partition("</table>")[0]
    head, first, second = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr.*?</tr>", table, re.S))
    assert dict(zip(head, first, strict=True)) == {
        "system": "a", "cases": "2 of 2", "videos": "2", "venue": "ICCV 2025", "weights": "open", "base": "Wan2.1-14B",
        "domains": "open, human", "references": "3", "format": "1280x720, 81 frames, 16 fps", "seed": "0", "cost": "0.9",
        "missing": "",
    }  # fmt: skip
    assert second == ["b", "2 of 2", "2", *[""] * 9]


def test_values_along_videos_are_drawn_for_each_system() -> None:
    lines = [(f"{s}, cup_1", np.arange(3.0), np.array([0.1, 0.5, last])) for s, last in (("a", 0.9), ("b", np.nan))]
    along = Timeline(part="identity_of_frame", lines=lines)
    html = render(leaderboard_report(board((column("identity", embedded=False),)), {"identity": along}))
    section = html[html.index('id="timelines"') :]
    assert "Along the video" in section
    for words in ("a, cup_1", "b, cup_1", "identity of frame", ">frame<"):
        assert words in section
    assert "Along the video" not in render(leaderboard_report(board((column("identity"),)), {}))


def test_distances_say_what_they_rest_on() -> None:
    about: dict[str, Any] = {
        "benchmark": "bench",
        "metric": "fid",
        "title": "FID",
        "real": "/films",
        "extractor": "inception@1",
    }
    known = SetDistance(
        system="a", value=12.5, num_units=810, num_videos=10, num_real_units=900, num_real_videos=9, **about
    )
    missing = SetDistance(system="b", value=None, reason="unavailable: no weights", **about)
    html = render(leaderboard_report(board((column("identity"),), distances=(known, missing)), {}))
    for words in ("12.5000", "810 (10 videos)", "900 (9 videos)", "inception@1", "unavailable: no weights", "in /films."):
        assert words in html


@pytest.mark.parametrize(
    ("scale", "declared", "words"),
    [
        ((0.2, 0.8), (0.0, 1.0), "can be 0 to 1; dashed: what the preset scales to 0 and 1"),
        (None, (0.0, None), "can be 0 to ∞; no preset scales it"),
        (None, (None, None), "no preset scales it"),
    ],
)
def test_spread_shows_range_and_moving_examples(
    scale: tuple[float, float] | None, declared: tuple[float | None, float | None], words: str
) -> None:
    example = Example(where="low", system="a", case="c_1", value=0.25, moving=b"RIFFfilm")
    one = MetricSpread(
        metric="m", title="M", values={"a": np.array([0.25, 0.5])}, scale=scale, declared=declared, examples=(example,)
    )
    html = render(leaderboard_report(board((column("m"),)), {}, [one]))
    assert words in html and "low: 0.2500" in html
    assert "data:image/webp;base64,UklGRmZpbG0=" in html


def _fields(found: Leaderboard) -> dict:
    return {name: getattr(found, name) for name in Leaderboard.__dataclass_fields__}


def _flipped(s: Standing) -> Standing:
    value = None if s.value is None else 1 - s.value
    return Standing(**{**{n: getattr(s, n) for n in Standing.__dataclass_fields__}, "value": value})


def test_system_without_bars_keeps_its_place_and_its_colour() -> None:
    """Its legend has the colour that it has elsewhere, and the other's bars stand where they would beside it."""
    bars: list[tuple[float, float, float] | None] = [(0.5, 0.4, 0.6), (0.7, 0.6, 0.8)]
    names = ("people", "things")
    both = group_bars(names, {"a": [(0.1, 0.1, 0.1)] * 2, "b": bars}, label="x")
    alone = group_bars(names, {"a": [None, None], "b": bars}, label="x")
    for drawn in (both, alone):
        assert PALETTE[0] in drawn and PALETTE[1] in drawn and "nan" not in drawn.lower()
    assert alone.count(PALETTE[1]) == both.count(PALETTE[1])
