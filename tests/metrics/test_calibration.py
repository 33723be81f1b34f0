"""Weights fitted to votes: the maximum of the likelihood, the planted ones, nothing where nothing is known; their file."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression
from typer.testing import CliRunner

from backend.cli.app import app
from backend.domain import Case, SettingsError
from backend.domain.calibration import MetricCalibration
from bench.planted_votes import PlantedMetrics
from metrics.calibration import Calibrate, MetricFacts, _folds
from metrics.calibration_file import read_calibration, write_calibration
from metrics.judged import Judged
from metrics.leaderboard import leaderboard
from metrics.nonnegative import fit_nonnegative, is_perfect
from metrics.presets import Preset, Term, calibrated, preset
from metrics.scaling import isotonic, straight
from metrics.total import totals_of_file
from tests.metrics.test_leaderboard import Row

FACTS = {f"m{k}": MetricFacts(title=f"M{k}", version=3, range=(0.0, 1.0)) for k in range(4)}
LINEAR = Calibrate(scaling="linear", facts=FACTS, num_draws=60)
ISOTONIC = Calibrate(facts=FACTS, num_draws=20)
STUDY = PlantedMetrics()


def calibration(found: Judged, by: Calibrate = LINEAR) -> MetricCalibration:
    return by(found, name="ours", study="pilot", aspect="overall", made_at="2026-01-02T03:04:05Z")


def weights(found: MetricCalibration, fit: int = 0) -> dict[str, float]:
    return {one.metric: one.weight.value or 0.0 for one in found.fits[fit].weights}


@given(seed=st.integers(0, 100_000), num_metrics=st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_fit_is_the_maximum_that_scipy_finds(seed: int, num_metrics: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (60, num_metrics)) @ rng.normal(0, 1, (num_metrics, num_metrics))
    num = rng.integers(1, 6, 60).astype(float)
    wins = rng.binomial(num.astype(int), 1 / (1 + np.exp(-x @ rng.normal(0, 1, num_metrics)))).astype(float)
    scale = np.sqrt((x**2).mean(axis=0))

    def loss(b: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ b
        slope = -(wins - num / (1 + np.exp(-z))) @ x + 2 * 0.1 * scale**2 * b
        return float(-(wins * z - num * np.logaddexp(0, z)).sum() + 0.1 * ((scale * b) ** 2).sum()), slope

    ends = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5000}
    best = minimize(loss, np.ones(num_metrics), jac=True, bounds=[(0, None)] * num_metrics, method="L-BFGS-B", options=ends)
    found = fit_nonnegative(x, wins[None], num[None], ridge=0.1)[0]
    assert (found >= 0).all()
    assert loss(found)[0] <= best.fun + 1e-7
    np.testing.assert_allclose(found * scale, best.x * scale, atol=2e-3)


def test_many_weightings_are_fitted_as_each_alone_and_units_do_not_matter() -> None:
    found = STUDY.judged(np.random.default_rng(0))
    x = found.first - found.second
    weight = np.random.default_rng(1).integers(0, 4, (20, len(x))).astype(float)
    together = fit_nonnegative(x, weight * found.wins, weight * found.num, ridge=1e-3)
    alone = [fit_nonnegative(x, one * found.wins[None], one * found.num[None], ridge=1e-3)[0] for one in weight]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    stacked = fit_nonnegative(np.broadcast_to(x, (20, *x.shape)), weight * found.wins, weight * found.num, ridge=1e-3)
    np.testing.assert_allclose(together, stacked, atol=1e-6)
    units = np.array([1.0, 1000.0, 0.001])
    np.testing.assert_allclose(
        fit_nonnegative(x * units, found.wins[None], found.num[None], ridge=1e-3)[0] * units,
        fit_nonnegative(x, found.wins[None], found.num[None], ridge=1e-3)[0],
        rtol=1e-5,
    )


def test_exchanging_first_and_second_changes_nothing() -> None:
    found = STUDY.judged(np.random.default_rng(2))
    x = found.first - found.second
    turned = np.random.default_rng(3).random(len(x)) < 0.5
    one = fit_nonnegative(x, found.wins[None], found.num[None], ridge=1e-3)
    wins = np.where(turned, found.num - found.wins, found.wins)
    other = fit_nonnegative(np.where(turned[:, None], -x, x), wins[None], found.num[None], ridge=1e-3)
    np.testing.assert_allclose(one, other, atol=1e-9)


@given(seed=st.integers(0, 100_000), rising=st.booleans())
@settings(max_examples=40, deadline=None)
def test_isotonic_map_agrees_with_scikit_learn(seed: int, rising: bool) -> None:
    rng = np.random.default_rng(seed)
    values, shares, weight = np.round(rng.random(40), 1), rng.random(40), rng.integers(1, 6, 40).astype(float)
    found = isotonic(values, shares, weight, rising=rising)
    theirs = IsotonicRegression(increasing=rising, out_of_bounds="clip").fit(values, shares, sample_weight=weight)
    asked = np.linspace(-0.5, 1.5, 201)
    np.testing.assert_allclose(found(asked), theirs.predict(asked), atol=1e-9)


def test_scales_keep_what_is_missing_and_straight_ones_turn_round() -> None:
    assert np.isnan(straight(0, 2, rising=True)(np.array([np.nan]))[0])
    np.testing.assert_allclose(straight(2, 4, rising=False)(np.array([1.0, 2.0, 3.0, 9.0])), [1, 1, 0.5, 0])
    with pytest.raises(ValueError, match="scales nothing"):
        straight(1, 1, rising=True)
    with pytest.raises(ValueError, match="one vote"):
        isotonic(np.array([np.nan]), np.array([1.0]), np.array([1.0]), rising=True)


@pytest.mark.slow
def test_planted_weights_are_found_and_sum_to_one() -> None:
    found = calibration(replace(STUDY, num_prompts=700).judged(np.random.default_rng(4)))
    assert sum(weights(found).values()) == pytest.approx(1.0)
    assert list(weights(found).values()) == pytest.approx([0.5, 0.3, 0.2], abs=0.05)
    temperature = found.fits[0].temperature
    assert temperature.low is not None
    assert temperature.low < (temperature.value or 0) < (temperature.high or 0)


def test_a_metric_that_says_nothing_weighs_little_and_a_misleading_one_nothing() -> None:
    found = replace(STUDY, weights=(0.7, 0.3, 0.0), num_prompts=300).judged(np.random.default_rng(5))
    assert weights(calibration(found))["m2"] < 0.05
    turned = Calibrate(scaling="linear", facts=FACTS | {"m0": replace(FACTS["m0"], higher_is_better=False)}, num_draws=20)
    assert weights(calibration(found, turned))["m0"] == 0.0


@pytest.mark.parametrize("by", [LINEAR, ISOTONIC], ids=["linear", "isotonic"])
def test_a_fit_beats_equal_weights_and_the_best_metric_on_prompts_that_it_has_not_seen(by: Calibrate) -> None:
    study = PlantedMetrics(weights=(0.55, 0.35, 0.1, 0.0), num_prompts=300, temperature=10.0)
    found = calibration(study.judged(np.random.default_rng(6)), by)
    held_out = {one.name: one.ratio.value or 0.0 for one in found.fits[0].held_out}
    assert held_out["fitted"] > max(held_out["equal"], held_out["best single"])
    assert held_out["fitted"] <= (found.majority.value or 0)
    assert found.ceiling.value is not None


@pytest.mark.parametrize("lacking", ["", "m9"])
def test_a_fit_stands_beside_the_published_total_of_the_same_votes(lacking: str) -> None:
    judged = PlantedMetrics(weights=(0.6, 0.3, 0.1), num_prompts=40).judged(np.random.default_rng(8))
    low, high = (0.2, 0.0, -1.0), (0.7, 1.0, 3.0)
    shares = (0.1, 0.2, 0.7)
    terms = tuple(
        Term(key=f"k{k}", title=f"K{k}", metric=f"m{k}", upstream="", weight=shares[k], low=low[k], high=high[k])
        for k in range(3)
    )
    terms = (*terms, replace(terms[0], metric=lacking)) if lacking else terms
    old = Preset(id="old", title="Old", source="a paper", domain="open", terms=terms)
    fit, *_ = LINEAR(judged, name="ours", study="pilot", aspect="overall", made_at="", published=old).fits
    row = {one.name: one for one in fit.held_out}["published: old"]
    if lacking:
        assert row.ratio.value is None
        assert row.ratio.reason
        return
    ends = np.array(low), np.array(high)
    totals = [(np.clip(raw, *ends) - ends[0]) / (ends[1] - ends[0]) @ shares for raw in (judged.first, judged.second)]
    apart = (totals[0] - totals[1])[judged.votes.item]
    decided = judged.votes.outcome != 0.5
    assert np.abs(apart[decided]).min() > 0
    assert row.ratio.value == pytest.approx(np.mean((apart > 0)[decided] == (judged.votes.outcome == 1)[decided]))


@pytest.mark.slow
def test_held_out_agreement_of_a_fit_to_noise_is_chance() -> None:
    """Maps fitted to the pairs that they are judged on would side with their votes; those of other folds do not."""
    study = PlantedMetrics(weights=(0.25,) * 4, temperature=0.0, num_prompts=120)
    ratios = []
    for seed in range(4):
        fit = calibration(study.judged(np.random.default_rng(seed)), ISOTONIC).fits[0]
        ratios += [one.ratio.value for one in fit.held_out if one.name == "fitted"]
    assert np.mean(np.array(ratios, float)) == pytest.approx(0.5, abs=0.04)


def test_folds_part_prompts_not_pairs() -> None:
    """Pairs of a prompt have equal votes and equal values: a fold that split them would foretell its own pairs."""
    found = replace(STUDY, num_prompts=40, pairs_per_prompt=6).judged(np.random.default_rng(7))
    folds = _folds(found.prompt, 5, np.random.default_rng(0))
    assert (np.sum(folds, axis=0) == 1).all()
    assert all(len(set(found.prompt[one]) & set(found.prompt[~one])) == 0 for one in folds)


def test_a_missing_value_leaves_a_pair_out_and_a_metric_that_is_mostly_missing_leaves_itself_out() -> None:
    found = calibration(replace(STUDY, missing=(0.1, 0.8)).judged(np.random.default_rng(8)))
    fit = found.fits[0]
    assert set(weights(found)) == {"m0", "m2"}
    assert [name for name, _ in fit.left_out] == ["m1"]
    assert fit.pairs + fit.incomplete == 300
    assert 10 <= fit.incomplete <= 60
    assert [one.missing for one in found.metrics][1] > 200


def test_a_metric_that_never_differs_is_left_out() -> None:
    found = STUDY.judged(np.random.default_rng(9))
    first, second = found.first.copy(), found.second.copy()
    first[:, 1] = second[:, 1] = 0.5
    fit = calibration(replace(found, first=first, second=second)).fits[0]
    assert fit.left_out == (("m1", "the same value for both videos of every pair"),)


def test_each_domain_has_a_fit_of_its_own() -> None:
    found = calibration(replace(STUDY, num_prompts=60).judged(np.random.default_rng(10)))
    assert [fit.domain for fit in found.fits] == ["", "human", "open"]
    assert found.fits[0].pairs == found.fits[1].pairs + found.fits[2].pairs


def test_where_no_weights_fit_best_there_is_a_sentence() -> None:
    found = STUDY.judged(np.random.default_rng(11))
    few = calibration(found.only(found.prompt < 4))
    assert "4 prompts are too few for 5 folds" in few.fits[0].reason
    perfect = replace(found.votes, outcome=(found.first[:, 0] > found.second[:, 0])[found.votes.item].astype(float))
    assert "meet every vote" in calibration(replace(found, votes=perfect)).fits[0].reason
    ties = replace(found.votes, outcome=np.full(len(found.votes), 0.5))
    assert "coin" in calibration(replace(found, votes=ties)).fits[0].reason
    empty = replace(found, first=found.first * np.nan)
    assert "no metric" in calibration(empty).fits[0].reason
    for one in (few, calibration(replace(found, votes=ties))):
        assert one.fits[0].weights == ()
        with pytest.raises(SettingsError, match="no weights"):
            calibrated(one, "")


def test_perfect_weights_are_told_from_good_ones() -> None:
    x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -2.0]])
    assert is_perfect(x, np.array([3.0, 3.0, 3.0]), np.full(3, 3.0))
    assert is_perfect(x, np.array([3.0, 3.0, 0.0]), np.full(3, 3.0))
    assert not is_perfect(x, np.array([3.0, 2.0, 1.0]), np.full(3, 3.0))
    assert not is_perfect(-x[:1], np.array([3.0]), np.full(1, 3.0)), "weights cannot be below 0"


def test_equal_data_and_seed_give_equal_files(tmp_path: Path) -> None:
    found = STUDY.judged(np.random.default_rng(12))
    for name in ("one", "other"):
        write_calibration(calibration(found), tmp_path / f"{name}.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "other.json").read_bytes()
    assert read_calibration(tmp_path / "one.json") == calibration(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.pop("format"), "no calibration"),
        (lambda raw: raw.pop("fits"), "fits"),
        (lambda raw: raw["fits"][0]["weights"][0]["weight"].update(value=-0.1), "below 0"),
        (lambda raw: raw["fits"][0]["weights"][0]["weight"].update(value=0.9), "sum to 1"),
        (lambda raw: raw["fits"][0]["weights"][0].update(raw=[1.0, 0.0]), "rising"),
        (lambda raw: raw["fits"][0].update(pairs="many"), "pairs"),
    ],
)
def test_a_changed_file_is_refused_with_its_place(tmp_path: Path, change, message: str) -> None:
    path = tmp_path / "calibration.json"
    write_calibration(calibration(STUDY.judged(np.random.default_rng(13))), path)
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))
    with pytest.raises(SettingsError, match=message):
        read_calibration(path)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        preset(str(tmp_path / "missing.json"))
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(SettingsError, match="no JSON"):
        preset(str(tmp_path / "bad.json"))


def test_a_leaderboard_by_a_calibration_weighs_mapped_scores_and_names_it(tmp_path: Path) -> None:
    found = calibration(STUDY.judged(np.random.default_rng(14)), ISOTONIC)
    path = tmp_path / "calibration.json"
    write_calibration(found, path)
    cases = [Case(benchmark="b", name=f"open_{k}", prompt="p", domain="open") for k in range(3)]
    raw = {f"m{k}": value for k, value in enumerate((0.3, 0.5, 0.7))}
    rows = [Row(case.name, "a", 0, name, value) for case in cases for name, value in raw.items()]
    board = leaderboard(rows, cases, preset_id=str(path))
    total = next(one for one in board.standings if one.metric == "total" and not one.kind)
    fit = next(fit for fit in found.fits if fit.domain == "open")
    by_hand = sum((one.weight.value or 0) * np.interp(raw[one.metric], one.raw, one.scaled) for one in fit.weights)
    assert total.value == pytest.approx(by_hand)
    assert board.preset == found.id
    assert "pilot" in board.preset
    assert found.data_hash[:12] in board.preset
    assert any("calibration ours v1" in remark and "open" in remark for remark in board.remarks)


def test_totals_of_a_list_take_a_calibration(tmp_path: Path) -> None:
    found = calibration(STUDY.judged(np.random.default_rng(15)))
    write_calibration(found, tmp_path / "calibration.json")
    (tmp_path / "scores.json").write_text(json.dumps([{"system": "a", "m0": 100, "m1": 0, "m2": 50}]))
    totals = totals_of_file(str(tmp_path / "scores.json"), preset_id=str(tmp_path / "calibration.json"))
    own = weights(found)
    assert totals.systems[0]["total"] == pytest.approx(100 * own["m0"] + 50 * own["m2"], abs=0.01)


def test_a_term_of_which_less_is_better_has_its_best_end_below() -> None:
    facts = FACTS | {"m0": replace(FACTS["m0"], higher_is_better=False)}
    data = STUDY.judged(np.random.default_rng(16))
    data = replace(
        data,
        first=np.where([True, False, False], 1 - data.first, data.first),
        second=np.where([True, False, False], 1 - data.second, data.second),
    )
    found = calibration(data, Calibrate(scaling="linear", facts=facts, num_draws=20))
    term = next(one for one in calibrated(found, "").terms if one.metric == "m0")
    assert term.ends == (1.0, 0.0)
    assert term.normalised([0.25]) == pytest.approx(0.75)
    assert term.weight == pytest.approx(0.5, abs=0.12)


def test_the_total_command_names_the_calibration(tmp_path: Path) -> None:
    found = calibration(STUDY.judged(np.random.default_rng(11)))
    write_calibration(found, tmp_path / "calibration.json")
    scores = {one.metric: 50.0 for one in found.fits[0].weights}
    (tmp_path / "scores.json").write_text(json.dumps([{"system": "a", **scores}]))
    words = ["total", str(tmp_path / "scores.json"), "--preset", str(tmp_path / "calibration.json")]
    told = CliRunner().invoke(app, words, catch_exceptions=False).stdout
    assert "Totals by " + found.id in " ".join(told.split())
    (row,) = json.loads(CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False).stdout)
    assert (row["total"], row["preset"]) == (50.0, found.id)
