"""Leaderboards: means over cases, intervals that hold the truth, ranks only where they mean something."""

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from backend.domain import Case, SettingsError
from backend.domain.ranking import Column, Leaderboard, SetDistance, Standing, SystemFacts
from metrics.leaderboard import _unranked, groups_of, is_human, leaderboard
from metrics.presets import preset
from metrics.resampling import drawn_means, holm, interval, means, sign_flip_p
from metrics.total import merged


@dataclass(frozen=True)
class Row:
    case_id: str
    system: str
    seed: int
    metric: str
    value: float | None
    imported: bool = False
    embedded: tuple[str, ...] = ()


def case(name: str, references: int = 1, label: str = "Cup", domain: str = "open") -> Case:
    return Case(
        benchmark="b",
        name=name,
        prompt="p",
        references=tuple(f"/{n}.png" for n in range(references)),
        labels=(label,) * references,
        category=name.rsplit("_", 1)[0],
        domain=domain,
    )


CASES = [case("singleobj_1"), case("singleobj_2"), case("multihuman_1", 3, "Man")]


def standing(board: Leaderboard, system: str, metric: str, kind: str = "", group: str = "") -> Standing:
    (found,) = [s for s in board.standings if (s.system, s.metric, s.kind, s.group) == (system, metric, kind, group)]
    return found


def test_seeds_are_averaged_before_cases() -> None:
    rows = [Row("singleobj_1", "a", seed, "gmescore", value) for seed, value in enumerate((0.0, 0.3, 0.6))]
    rows.append(Row("singleobj_2", "a", 0, "gmescore", 0.9))
    found = standing(leaderboard(rows, CASES), "a", "gmescore")
    assert found.value == pytest.approx((0.3 + 0.9) / 2), "not the mean of four videos, 0.45"
    assert (found.num_cases, found.num_videos) == (2, 4)


def test_interval_holds_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(120):
        between = rng.normal(0.5, 0.2, (1, 60, 1))
        values = between + rng.normal(0, 0.2, (1, 60, 3))
        ends = interval(drawn_means(values, rng, num_draws=300)[:, 0])
        assert ends is not None
        hits += ends[0] <= 0.5 <= ends[1]
    assert 0.88 <= hits / 120 <= 0.99


def test_interval_of_many_cases_is_the_normal_one() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(0, 1, (1, 400, 1))
    ends = interval(drawn_means(values, rng)[:, 0])
    assert ends is not None
    error = values.std() / 20
    assert ends == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.25 * error)


def test_seeds_that_disagree_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    calm = np.repeat(rng.normal(0, 0.1, (1, 40, 1)), 2, axis=2)
    loud = calm + np.array([-1.0, 1.0])
    assert means(calm) == pytest.approx(means(loud))
    widths = [np.ptp(interval(drawn_means(v, np.random.default_rng(0))[:, 0]) or (0, 0)) for v in (calm, loud)]
    assert widths[1] > 2 * widths[0]


def test_seed_moves_intervals_and_no_mean() -> None:
    many = [case(f"singleobj_{n}") for n in range(20)]
    values = np.random.default_rng(3).uniform(size=20)
    rows = [Row(one.name, "a", 0, "gmescore", float(value)) for one, value in zip(many, values, strict=True)]
    boards = [leaderboard(rows, many, seed=seed) for seed in (0, 1, 1)]
    found = [standing(board, "a", "gmescore") for board in boards]
    assert found[0].value == found[1].value == pytest.approx(values.mean())
    assert (found[0].low, found[0].high) != (found[1].low, found[1].high)
    assert boards[1] == boards[2] and [board.seed for board in boards] == [0, 1, 1]
    with pytest.raises(SettingsError, match="--seed is -1"):
        leaderboard(rows, CASES, seed=-1)


def test_sign_flip_counts_every_pattern() -> None:
    differences = np.array([[0.3, 0.1, 0.4, -0.2, 0.5]])
    expected = np.mean([
        abs(np.mean(differences[0] * np.array(signs))) >= abs(differences.mean()) - 1e-12
        for signs in itertools.product((1, -1), repeat=5)
    ])  # fmt: skip
    assert sign_flip_p(differences, np.ones(1), np.random.default_rng(0)) == pytest.approx(expected)


def test_sign_flip_of_nothing_is_not_significant_and_of_much_is() -> None:
    rng = np.random.default_rng(5)
    ps = [sign_flip_p(rng.normal(0, 1, (1, 40)), np.ones(1), rng) for _ in range(60)]
    assert 0.0 <= np.mean(np.array(ps) < 0.1) <= 0.25, "uniform, so about a tenth"
    assert sign_flip_p(rng.normal(1, 1, (1, 60)), np.ones(1), rng) < 0.001


def test_holm_multiplies_the_smallest_most() -> None:
    """Of .01, .04, .03, .005: .005 x 4, .01 x 3, .03 x 2, and .04 x 1 raised to the one before it."""
    assert holm([0.01, None, 0.04, 0.03, 0.005]) == pytest.approx([0.03, None, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0] and holm([None]) == [None] and holm([]) == []


def test_compared_metrics_are_corrected_for_their_number() -> None:
    """Five cases that all differ: p is 2 / 2^5 in each of two metrics, and the total has none."""
    cases = [case(f"singleobj_{n}") for n in range(5)]
    rows = [Row(c.name, s, 0, m, v) for c in cases for s, v in (("a", 0.6), ("b", 0.5)) for m in ("gmescore", "clip_t")]
    total, *found = leaderboard(rows, cases, against=("a", "b")).comparisons
    assert [(one.p, one.p_corrected, one.num_tests, one.correction) for one in found] == [(2 / 32, 4 / 32, 2, "Holm")] * 2
    assert (total.p, total.p_corrected) == (None, None)


RAW = {
    "aesthetic_opens2v_compat": (4.811809062957764, 5.194509506225586),
    "motion_amplitude_compat": (0.35025984048843384, 0.038793787360191345),
    "motion_smoothness_opens2v_compat": (0.8985507246376812, 1.0),
    "facesim_cur_compat": (None, 0.9420197624713182),
    "gmescore": (0.68115234375, 0.67236328125),
    "nexus_compat": (0.01300811767578125, None),
    "natural_compat": (4.0, 10 / 3),
}
"""Upstream's demo: faceobj_14 and singleface_3."""


def demo_rows(system: str, shift: float = 0.0) -> list[Row]:
    return [
        Row(name, system, 0, metric, None if value is None else value + shift)
        for metric, values in RAW.items()
        for name, value in zip(("faceobj_14", "singleface_3"), values, strict=True)
    ]


DEMO_CASES = [case("faceobj_14", 3, "Woman"), case("singleface_3", 1, "Man")]


def test_total_is_upstreams_merge() -> None:
    found = standing(leaderboard(demo_rows("a"), DEMO_CASES), "a", "total")
    assert found.value == pytest.approx(0.5959962472, abs=5e-11)
    values = {name: [v for v in raw if v is not None] for name, raw in RAW.items()}
    assert found.value == pytest.approx(merged(values, preset("opens2v-v1.1-open"))["total_score"])


def test_total_needs_every_term() -> None:
    rows = [row for row in demo_rows("a") if row.metric != "nexus_compat"]
    found = standing(leaderboard(rows, DEMO_CASES), "a", "total")
    assert (found.value, found.rank) == (None, None)
    assert found.reason == "no value of nexus_compat"


def test_groups_split_by_what_cases_are() -> None:
    groups = {(kind, group): members for kind, group, members in groups_of(CASES)}
    assert groups[("", "")] == [0, 1, 2]
    assert groups[("category", "singleobj")] == [0, 1]
    assert groups[("references", "3")] == [2]
    assert groups[("subjects", "human")] == [2] and groups[("subjects", "other")] == [0, 1]
    assert groups[("label", "man")] == [2]
    assert is_human(case("faceobj_1", label="Park")) and not is_human(case("multiobject_1"))


def test_languages_are_groups_with_means_of_their_own() -> None:
    cases = [replace(one, language=language) for one, language in zip(CASES, ("en", "zh", "zh"), strict=True)]
    groups = {(kind, group): members for kind, group, members in groups_of(cases)}
    assert groups["language", "en"] == [0] and groups["language", "zh"] == [1, 2]
    rows = [Row(c.name, "a", 0, "gmescore", v) for c, v in zip(cases, (0.2, 0.4, 0.9), strict=True)]
    board = leaderboard(rows, cases)
    assert standing(board, "a", "gmescore", "language", "zh").value == pytest.approx(0.65)
    assert standing(board, "a", "gmescore", "language", "en").value == pytest.approx(0.2)


def test_group_means_are_of_its_cases() -> None:
    rows = [Row(c.name, "a", 0, "gmescore", v) for c, v in zip(CASES, (0.2, 0.4, 0.9), strict=True)]
    board = leaderboard(rows, CASES)
    assert standing(board, "a", "gmescore", "category", "singleobj").value == pytest.approx(0.3)
    assert standing(board, "a", "gmescore", "subjects", "human").value == pytest.approx(0.9)


def test_classical_scores_are_never_ranked() -> None:
    rows = [Row("singleobj_1", s, 0, m, v) for s, v in (("a", 0.1), ("b", 0.9)) for m in ("copy_paste_index", "gmescore")]
    board = leaderboard(rows, CASES)
    assert standing(board, "b", "copy_paste_index").value == 0.9
    assert {standing(board, s, "copy_paste_index").rank for s in "ab"} == {None}
    assert "classical" in standing(board, "a", "copy_paste_index").reason
    assert [standing(board, s, "gmescore").rank for s in "ab"] == [2, 1]
    assert not any("copy_paste_index" in line for line in board.guide)


def test_what_was_measured_with_an_embedded_role_is_not_ranked() -> None:
    """One system's sync is by the embedded scorer, the other's came from elsewhere: they stand beside each other unranked."""
    rows = [Row("singleobj_1", s, 0, "gmescore", v) for s, v in (("a", 0.1), ("b", 0.9))]
    rows.append(Row("singleobj_1", "a", 0, "sync_c", 5.0, embedded=("SyncScorer",)))
    rows.append(Row("singleobj_1", "b", 0, "sync_c", 6.0, imported=True))
    board = leaderboard(rows, CASES)
    assert [standing(board, s, "sync_c").rank for s in "ab"] == [None, None]
    assert "embedded SyncScorer: not ranked beside models'" in standing(board, "a", "sync_c").reason
    (column,) = [one for one in board.columns if one.metric == "sync_c"]
    assert (column.embedded, column.embedded_roles) == (True, ("SyncScorer",))
    assert column.label == "Sync-C (SyncNet confidence) (embedded)"
    assert [standing(board, s, "gmescore").rank for s in "ab"] == [2, 1]
    assert any("GmeScore" in line for line in board.guide) and not any("Sync-C" in line for line in board.guide)
    by_models = leaderboard([replace(row, embedded=()) for row in rows], CASES)
    assert [standing(by_models, s, "sync_c").rank for s in "ab"] == [2, 1]


def test_total_that_mixes_classical_scores_with_models_is_not_ranked() -> None:
    rows = demo_rows("a") + demo_rows("b", shift=0.001)
    assert [standing(leaderboard(rows, DEMO_CASES), s, "total").rank for s in "ab"] == [2, 1]
    mixed = [replace(row, embedded=("Gme",)) if row.metric == "gmescore" else row for row in rows]
    found = [standing(leaderboard(mixed, DEMO_CASES), s, "total") for s in "ab"]
    assert [(one.rank, one.reason) for one in found] == [
        (None, "mixes classical scores (gmescore) with models': not ranked")
    ] * 2
    assert found[0].value == pytest.approx(0.5959962472, abs=5e-11)


def test_total_of_classical_scores_and_of_what_needs_no_model_is_ranked() -> None:
    """As a calibration of the embedded profile weighs them: how much moves is told by no model."""
    weighed = {"embedded_identity": True, "motion_amplitude": False}
    columns = [
        Column(metric=name, title=name, higher_is_better=True, embedded=embedded, low=0.0, high=1.0)
        for name, embedded in weighed.items()
    ]
    assert list(_unranked(columns)) == ["embedded_identity"]
    assert list(_unranked([*columns, replace(columns[1], metric="gmescore")])) == ["embedded_identity", "total"]


def test_counts_of_features_are_no_scores() -> None:
    rows = [Row("singleobj_1", "a", 0, name, 81.0) for name in ("fid_features", "gmescore")]
    assert [column.metric for column in leaderboard(rows, CASES).columns] == ["gmescore"]


def test_equal_scores_share_a_rank() -> None:
    rows = [Row("singleobj_1", s, 0, "gmescore", v) for s, v in (("a", 0.5), ("b", 0.5), ("c", 0.4))]
    board = leaderboard(rows, CASES)
    assert [standing(board, s, "gmescore").rank for s in "abc"] == [1, 1, 3]


def test_system_is_ranked_only_where_it_is_supported() -> None:
    rows = [Row(c.name, s, 0, "gmescore", v) for c in CASES for s, v in (("one", 0.9), ("all", 0.5))]
    board = leaderboard(rows, CASES, facts=[SystemFacts(name="one", references=1), SystemFacts(name="all")])
    assert standing(board, "one", "gmescore").rank is None
    assert standing(board, "one", "gmescore").reason == "takes 1 references; 1 cases have more"
    total = standing(board, "one", "total").reason
    assert total.startswith("takes 1 references; 1 cases have more; no value of "), "why it is unranked is said first"
    assert standing(board, "all", "gmescore").rank == 1
    assert standing(board, "one", "gmescore", "references", "1").rank == 1
    human = leaderboard(rows, CASES, facts=[SystemFacts(name="one", domains=("human",))])
    assert "made for human cases; these are open" in standing(human, "one", "gmescore").reason


def test_completeness_is_against_the_cases() -> None:
    board = leaderboard([Row("singleobj_1", "a", 0, "gmescore", None)], CASES)
    (found,) = board.answered
    assert (found.answered, found.cases, found.missing) == (1, 3, ("singleobj_2", "multihuman_1"))
    assert "a answers 1 of 3 cases; its means are over those" in board.remarks
    assert standing(board, "a", "gmescore").value is None


def test_comparison_is_over_common_cases() -> None:
    cases = [case(f"singleobj_{n}") for n in range(30)]
    rng = np.random.default_rng(0)
    level = rng.normal(0.5, 0.3, 30)
    rows = [Row(c.name, "a", 0, "gmescore", v + 0.05) for c, v in zip(cases, level, strict=True)]
    rows += [Row(c.name, "b", 0, "gmescore", v + rng.normal(0, 0.02)) for c, v in zip(cases[5:], level[5:], strict=True)]
    found = {one.metric: one for one in leaderboard(rows, cases, against=("a", "b")).comparisons}
    gme = found["gmescore"]
    assert gme.num_cases == 25 and gme.difference == pytest.approx(0.05, abs=0.01)
    assert gme.p is not None and gme.p < 0.001 and gme.low is not None and gme.low > 0.03
    assert found["total"].difference is None, "terms are missing"
    with pytest.raises(SettingsError, match="system 'c' has no scores"):
        leaderboard(rows, cases, against=("a", "c"))


def test_compared_total_is_the_difference_of_totals() -> None:
    rows = demo_rows("a") + demo_rows("b", shift=0.001)
    board = leaderboard(rows, DEMO_CASES, against=("b", "a"))
    totals = {s.system: s.value for s in board.standings if s.metric == "total" and not s.kind}
    assert totals["a"] is not None and totals["b"] is not None
    assert board.comparisons[0].difference == pytest.approx(totals["b"] - totals["a"])
    assert board == leaderboard(rows, DEMO_CASES, against=("b", "a")), "equal rows give an equal leaderboard"


def test_distances_of_sets_are_ranked_and_guide_nobody() -> None:
    """Nearer is better; without an interval nothing says how sure a lead is."""
    rows = [Row("singleobj_1", s, 0, "gmescore", 0.5) for s in "abc"]
    about: dict[str, Any] = {"benchmark": "b", "metric": "fid", "title": "FID"}
    values = {"a": 12.0, "b": 11.5, "c": None}
    distances = [
        SetDistance(system=s, value=v, num_units=81, reason=None if v else "failed: torn", **about)
        for s, v in values.items()
    ]
    board = leaderboard(rows, CASES, distances=distances, against=("a", "b"))
    assert [(standing(board, s, "fid").value, standing(board, s, "fid").rank) for s in "abc"] == [
        (12.0, 2),
        (11.5, 1),
        (None, None),
    ]
    assert standing(board, "c", "fid").reason == "failed: torn"
    assert not any("FID" in line for line in board.guide)
    assert "fid" not in {one.metric for one in board.comparisons}, "it has no cases to pair"
    distances[0] = replace(distances[0], num_units=810)
    assert any("FID is of 81 to 810 units" in line for line in leaderboard(rows, CASES, distances=distances).remarks)


def test_guide_says_what_intervals_leave_open() -> None:
    cases = [case(f"singleobj_{n}") for n in range(40)]
    rng = np.random.default_rng(2)
    levels = {"far": 0.9, "near": 0.5, "close": 0.49}
    rows = [Row(c.name, s, 0, "gmescore", v + rng.normal(0, 0.05)) for c in cases for s, v in levels.items()]
    facts = [SystemFacts(name="far", cost=2.0), SystemFacts(name="near", cost=0.5, open=True), SystemFacts(name="close")]
    guide = leaderboard(rows, cases, facts=facts).guide
    assert any(line.startswith("best GmeScore: far") and "overlap" not in line for line in guide)
    assert "cheapest: near, 0.5 a video" in guide
    rows = [row for row in rows if row.system != "far"]
    assert any("overlap it" in line for line in leaderboard(rows, cases, facts=facts).guide)
