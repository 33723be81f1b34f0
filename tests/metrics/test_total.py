"""Totals reproduce the paper's tables and upstream's merge; what is no number is named and never summed."""

import json
import math
from pathlib import Path

import pytest

from backend.domain import ImportRefused, SettingsError
from metrics.presets import preset, preset_ids
from metrics.score_files import DIMENSIONS, FIELDS, NATURAL
from metrics.table import METRICS
from metrics.total import merged, totals, totals_of_file

# OpenS2V-Nexus, Tables 3, 4 and 5: system, total, then the scores in the order of KEYS (Table 4 has no NexusScore).
KEYS = ("aesthetics", "motion_amplitude", "motion_smoothness", "facesim", "gmescore", "nexusscore", "naturalscore")
OPEN = """
Vidu2.0 51.95 41.48 13.52 90.45 35.11 67.57 43.37 65.88
Pika2.1 51.88 46.88 24.71 87.06 30.38 69.19 45.40 63.32
Kling1.6 56.23 44.59 41.60 86.93 40.10 66.20 45.89 74.59
VACE-P1.3B 48.98 47.34 12.03 96.80 16.59 71.38 40.19 64.31
VACE-1.3B 49.89 48.24 18.83 97.20 20.57 71.26 37.91 65.46
VACE-14B 57.55 47.21 15.02 94.97 55.09 67.27 44.08 67.04
Phantom-1.3B 54.89 46.67 14.29 93.30 48.56 69.43 42.48 62.50
Phantom-14B 56.77 46.39 33.42 96.31 51.46 70.65 37.43 69.35
SkyReels-A2-P14B 52.25 39.41 25.60 87.93 45.95 64.54 43.75 60.32
MAGREF-480P 52.51 45.02 21.81 93.17 30.83 70.47 43.04 66.90
"""
HUMAN = """
Vidu2.0 57.70 47.33 14.54 91.31 38.50 70.43 67.78
Pika2.1 56.84 52.39 28.77 85.29 29.42 75.03 67.53
Kling1.6 60.19 50.94 50.02 84.75 41.02 67.79 71.55
VACE-P1.3B 53.97 51.91 8.78 95.80 19.98 73.27 65.83
VACE-1.3B 54.90 53.18 16.87 95.84 22.29 73.61 65.28
VACE-14B 65.78 52.78 94.96 94.96 64.65 69.53 69.31
Phantom-1.3B 60.00 50.00 14.00 92.00 46.20 72.17 65.33
Phantom-14B 64.22 49.14 41.24 94.81 55.04 72.55 69.86
SkyReels-A2-P14B 56.43 39.89 31.04 80.19 55.01 63.63 59.31
Hunyuancustom 61.22 49.67 15.13 84.73 62.25 69.78 60.56
MAGREF-480P 57.72 51.2 14.76 90.26 32.87 70.88 70.28
Hailuo 55.26 52.75 31.80 99.10 57.69 71.42 69.20
ConsisID 54.19 41.77 37.99 79.83 43.19 72.03 55.83
Concat-ID-CogVideoX 55.89 44.13 31.07 81.90 43.87 73.67 58.75
Concat-ID-Wan-AdaLN 59.85 43.13 17.19 85.86 50.05 71.90 68.47
FantasyID 54.33 45.60 23.41 85.44 32.48 72.68 62.36
EchoVideo 56.36 39.93 35.58 77.96 48.65 68.40 62.22
VideoMaker 54.23 31.76 50.09 77.5 76.45 45.28 47.08
ID-Animator 49.75 42.03 33.54 94.69 31.56 52.91 56.11
Ours_dagger 58.00 41.30 20.83 84.32 47.64 72.12 65.42
Ours_double_dagger 59.23 41.86 22.77 86.03 49.51 72.35 66.80
"""
SINGLE = """
Vidu2.0 52.90 43.32 17.52 91.88 36.19 66.96 44.84 66.11
Pika2.1 53.12 47.43 26.32 86.07 32.33 69.84 47.35 64.68
Kling1.6 56.67 45.97 47.17 85.76 39.27 65.36 49.30 73.63
VACE-P1.3B 49.20 48.93 11.91 95.68 18.04 70.78 36.24 66.85
VACE-1.3B 51.13 49.41 22.51 95.42 22.37 70.87 38.34 68.33
VACE-14B 61.75 48.94 19.69 93.16 64.65 65.86 50.82 70.56
Phantom-1.3B 54.50 49.00 16.38 93.70 44.03 69.54 37.72 66.76
Phantom-14B 57.02 47.46 41.55 94.86 51.82 70.07 35.30 71.11
SkyReels-A2-P14B 55.06 40.85 26.41 85.54 54.42 61.81 48.60 61.85
HunyuanCustom 56.89 44.84 17.94 86.49 55.93 62.71 56.49 58.98
MAGREF-480P 53.44 46.31 27.43 92.63 33.77 69.02 42.45 68.33
"""
ERRATA = {
    "VACE-14B": 68.28,
    "Phantom-1.3B": 59.67,
    "Hailuo": 65.26,
}
"""What the printed cells of three rows of Table 4 sum to; the paper states 65.78, 60.00 and 55.26.

VACE-14B: the Motion-A cell repeats Motion-S; the v1.1 leaderboard has 11.76, which gives 65.785. Phantom-1.3B: the row is
rounded; the leaderboard's cells give 59.996. Hailuo: the total's first digit is wrong; the leaderboard states 65.26.
"""
MENDED = """
VACE-14B 65.78 52.78 11.76 94.96 64.65 69.53 69.31
Phantom-1.3B 60.00 50.80 14.09 92.02 46.29 72.17 65.83
"""
"""Rows of Table 4 with the leaderboard's cells."""
# Of 7 cells rounded to .01 each and a total rounded likewise; the paper's SkyReels-A2 differs most (its Motion-A is a typo).
TOLERANCE = 0.0125


def rows_of(table: str, domain: str) -> list[dict]:
    keys = [key for key in KEYS if domain != "human" or key != "nexusscore"]
    rows = [line.split() for line in table.split("\n") if line]
    return [
        {"system": row[0], "stated": float(row[1]), **dict(zip(keys, map(float, row[2:]), strict=True))} for row in rows
    ]


@pytest.mark.parametrize(("table", "domain", "count"), [(OPEN, "open", 10), (HUMAN, "human", 21), (SINGLE, "single", 11)])
def test_totals_of_the_papers_tables(table: str, domain: str, count: int) -> None:
    found = totals(rows_of(table, domain), preset(f"opens2v-v1.1-{domain}"))
    assert len(found.systems) == count and not found.problems
    errata = ERRATA if domain == "human" else {}
    for row in found.systems:
        assert row["total"] == pytest.approx(errata.get(row["system"], row["stated"]), abs=TOLERANCE), row["system"]


def test_leaderboards_cells_give_the_stated_totals() -> None:
    for row in totals(rows_of(MENDED, "human"), preset("opens2v-v1.1-human")).systems:
        assert row["total"] == pytest.approx(row["stated"], abs=TOLERANCE)


def test_every_preset_names_its_source_and_ranges() -> None:
    assert preset_ids() == tuple(f"opens2v-{v}-{d}" for v in ("v1.0", "v1.1") for d in ("human", "open", "single"))
    for name in preset_ids():
        chosen = preset(name)
        assert chosen.source and chosen.id.endswith(chosen.domain)
        ranges = {term.key: (term.low, term.high) for term in chosen.terms}
        assert ("nexusscore" in ranges) == (chosen.domain != "human")
        assert ranges.get("nexusscore", (0, 0.05)) == (0, 0.05)
        assert ranges["aesthetics"] == (4, 7) and ranges["naturalscore"] == (1, 5)
    assert sum(t.weight for t in preset("opens2v-v1.0-open").terms if t.key == "motion_amplitude") == 0.12


def test_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"did you mean opens2v-v1\.1-open"):
        preset("opens2v-v1.1-opn")
    with pytest.raises(SettingsError, match="does not exist"):
        preset("../presets/opens2v-v1.1-open")


# Upstream's demo, output_json_v1.1: raw scores of faceobj_14 and singleface_3 by metric.
DEMO = {
    "aesthetic_opens2v_compat": [4.811809062957764, 5.194509506225586],
    "motion_amplitude_compat": [0.35025984048843384, 0.038793787360191345],
    "motion_smoothness_opens2v_compat": [0.8985507246376812, 1.0],
    "facesim_cur_compat": [0.9420197624713182],
    "gmescore": [0.68115234375, 0.67236328125],
    "nexus_compat": [0.01300811767578125],
    "natural_compat": [4.0, 10 / 3],
}


def test_demo_merges_to_the_papers_weights() -> None:
    found = merged(DEMO, preset("opens2v-v1.1-open"))
    assert found["total_score"] == pytest.approx(0.5959962472, abs=5e-11)
    assert found["aes_score"] == pytest.approx(0.334386428, abs=5e-10)
    assert found["nexus_score"] == pytest.approx(0.260162, abs=5e-7)
    assert found["natural_score"] == pytest.approx(2 / 3)
    assert list(found) == [
        "total_score", "aes_score", "motion_amplitude", "motion_smoothness", "facesim_cur", "gme_score", "nexus_score",
        "natural_score",
    ]  # fmt: skip


def test_demo_of_v10_merges_to_its_weights() -> None:
    """.12 x .334386 + .12 x .194527 + .2 x .942020 + .12 x .676758 + .2 x .260010 + .24 x 2/3."""
    found = merged({**DEMO, "nexus_compat": [0.01300048828125]}, preset("opens2v-v1.0-open"))
    assert found["total_score"] == pytest.approx(0.54508643, abs=5e-9)
    assert list(found) == [
        "total_score", "aes_score", "motion_score", "facesim_cur", "gme_score", "nexus_score", "natural_score",
    ]  # fmt: skip


V10_WEIGHTS = {"aesthetics": 0.12, "motion_amplitude": 0.12, "facesim": 0.20, "gmescore": 0.12, "naturalscore": 0.24}
V10_HUMAN = {"aesthetics": 0.15, "motion_amplitude": 0.15, "facesim": 0.25, "gmescore": 0.15, "naturalscore": 0.30}


@pytest.mark.parametrize(
    ("domain", "weights"),
    [("open", {**V10_WEIGHTS, "nexusscore": 0.20}), ("single", {**V10_WEIGHTS, "nexusscore": 0.20}), ("human", V10_HUMAN)],
)
def test_weights_of_v10(domain: str, weights: dict[str, float]) -> None:
    """No motion smoothness, and motion weighs as much as aesthetics."""
    chosen = preset(f"opens2v-v1.0-{domain}")
    assert {term.key: term.weight for term in chosen.terms} == weights
    for key, weight in weights.items():
        row = {"system": "s", **dict.fromkeys(weights, 0.0), key: 100.0}
        assert totals([row], chosen).systems[0]["total"] == pytest.approx(100 * weight), "alone it gives its weight"


def test_raw_values_are_limited_before_their_mean() -> None:
    terms = {term.key: term for term in preset("opens2v-v1.1-open").terms}
    assert terms["aesthetics"].normalised([3.0, 8.5]) == pytest.approx(0.5), "4 and 7"
    assert terms["motion_amplitude"].normalised([-0.4, 2.0]) == pytest.approx(0.7), "signs are dropped, 1 is the most"
    assert terms["nexusscore"].normalised([0.0, 0.01, 0.2]) == pytest.approx((0.2 + 1.0) / 2), "zeros do not count"
    assert terms["nexusscore"].normalised([0.0]) is None
    assert terms["facesim"].normalised([0.0, 1.0]) == 0.5, "zeros count"


def test_missing_term_gives_no_total() -> None:
    found = merged({**DEMO, "nexus_compat": []}, preset("opens2v-v1.1-open"))
    assert found["nexus_score"] is None and found["total_score"] is None
    assert found["gme_score"] is not None


GOOD = {"system": "good", **dict.fromkeys(KEYS, 50.0)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"facesim": math.nan}, "bad: facesim is not a number"),
        ({"facesim": -math.inf}, "bad: facesim is infinite"),
        ({"facesim": "50%"}, "bad: facesim is the text '50%'"),
        ({"facesim": None}, "bad: facesim is null"),
        ({"facesim": True}, "bad: facesim is true"),
        ({"facesim": 100.5}, "bad: facesim is 100.5, outside 0 to 100"),
        ({"facesim": -3.0}, "bad: facesim is -3, outside 0 to 100"),
        ({"facesim": [math.nan]}, "bad: facesim is a list"),
        ({"system": ""}, "item 2 has no system"),
    ],
)
def test_what_is_no_score_is_named_beside_good_systems(changes: dict, words: str) -> None:
    found = totals([GOOD, {**GOOD, "system": "bad", **changes}], preset("opens2v-v1.1-open"))
    assert len(found.problems) == 1 and found.problems[0].startswith(words)
    assert [row["total"] for row in found.systems] == [50.0, None]
    json.dumps(found.systems, allow_nan=False)


def test_score_that_is_not_asked_for_is_not_read() -> None:
    found = totals([{**GOOD, "nexusscore": None, "note": "x"}], preset("opens2v-v1.1-human"))
    assert not found.problems and found.systems[0]["total"] == 50.0 and found.systems[0]["note"] == "x"
    short = {key: value for key, value in GOOD.items() if key != "nexusscore"}
    assert totals([short], preset("opens2v-v1.1-open")).problems == ("good: nexusscore is missing",)


def test_file_by_system_is_read_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text(json.dumps({"a": {k: v for k, v in GOOD.items() if k != "system"}}))
    assert totals_of_file(str(path), preset_id="opens2v-v1.1-open").systems[0]["total"] == 50.0
    for text in ("[]", "3", '"x"'):
        path.write_text(text)
        with pytest.raises(ImportRefused, match="give a list of objects"):
            totals_of_file(str(path), preset_id="opens2v-v1.1-open")


@pytest.mark.real
def test_broken_scores_are_each_named(real_media: Path) -> None:
    found = totals_of_file(str(real_media / "bad" / "data" / "scores_not_numbers.json"), preset_id="opens2v-v1.1-open")
    assert len(found.problems) == 5
    for number, (words, problem) in enumerate(
        zip(("not a number", "infinite", "text '0.5'", "null", "-3"), found.problems, strict=True), 1
    ):
        assert problem.startswith(f"video_{number} ") and words in problem
    assert all(row["total"] is None for row in found.systems)


def test_what_feeds_totals_and_files_are_metrics() -> None:
    fed = {term.metric for name in preset_ids() for term in preset(name).terms}
    written = {metric for fields in FIELDS.values() for metric in fields.values()}
    assert fed | written | {NATURAL} | set(DIMENSIONS) <= set(METRICS)
