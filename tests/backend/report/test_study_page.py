"""The report of a study: methods as they were decided, figures of what there is, files that agree with the results."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest

from backend.domain.calibration import MetricAgreement, MetricCalibration, MetricFit, MetricWeight
from backend.domain.studies import Estimate, FunnelStep, StudyDesign, StudyResults
from backend.measures.raters import Sitting
from backend.report import render
from backend.report.study import study_report
from backend.report.study_figure import StudyFigure
from backend.report.study_figures import study_figures, write_figures
from tests.backend.studies.made import made_design
from tests.backend.studies.test_results import OPEN, results, voted

CHOICES = {"preference": ("left", "tie", "right"), "best_of": ("video_1", "video_2", "video_3"), "rating": ("2", "3", "5")}
FORMS = {"preference": "ab", "best_of": "best_of", "rating": "rating"}
ASPECTS = {"preference": "better", "best_of": "best", "rating": "quality"}


def made(kind: str = "preference", *, raters: int = 6, systems: tuple[str, ...] = ("=one", "two", "three")):
    design = made_design(kind, form=FORMS[kind], aspects=(ASPECTS[kind],), systems=systems, rules=OPEN)

    def choose(case: str, systems: tuple[str, ...], rater: int) -> tuple[str, float]:
        turn = (len(case) + rater * 5 + sum(map(len, systems)) + int(case[-1])) % 3
        return CHOICES[kind][turn], {"preference": (1.0, 0.5, 0.0), "best_of": (0.0, 1.0, 2.0), "rating": (2.0, 3.0, 5.0)}[
            kind
        ][turn]

    given = voted(design, raters, choose, groups=("public", "expert"))
    sitting = Sitting(keys=("left", "right"), is_left=(True, False), seconds=(3.0, 4.0), is_right=(True, True))
    found = results(design, [replace(one, sitting=sitting) for one in given])
    return design, _of(found, design)


def _of(found: StudyResults, design: StudyDesign) -> StudyResults:
    about = {"kind": design.kind, "form": design.form, "aspects": design.aspects, "systems": design.systems}
    return replace(found, study=replace(found.study, joined=len(found.raters), **about))


def page(design: StudyDesign, found: StudyResults, calibrations: tuple[MetricCalibration, ...] = ()) -> str:
    return render(study_report(found, design, calibrations)[0])


def names(found: StudyResults) -> set[str]:
    return {figure.name for figure in study_figures(found)}


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        ("preference", {"win_tie_loss", "strengths", "position_bias"}),
        ("best_of", {"best_of_shares"}),
        ("rating", {"points"}),
    ],
)
def test_each_kind_has_the_figures_of_its_answers(kind: str, own: set[str]) -> None:
    _, found = made(kind)
    drawn = names(found)
    assert own <= drawn
    assert {"groups", "agreement", "funnel", "rater_quality"} <= drawn
    assert drawn.isdisjoint({"win_tie_loss", "best_of_shares", "points", "strengths", "position_bias"} - own)


@pytest.mark.slow
def test_figures_are_numbered_once_and_told_in_captions() -> None:
    design, found = made()
    html = page(design, found)
    numbers = [int(n) for n in re.findall(r"<b>Figure (\d+)\.</b>", html)]
    assert numbers == list(range(1, len(study_figures(found)) + 1))


@pytest.mark.slow
def test_methods_say_who_was_left_out_and_by_what() -> None:
    design, found = made()
    steps = (FunnelStep(rule="joined", removed=0, kept=9), FunnelStep(rule="unfinished", removed=3, kept=6))
    html = page(design, replace(found, funnel=steps))
    assert "They left out 3 for an unfinished response." in html
    assert "6 responses count (3 expert and 3 public)" in html
    assert "No response was left out." in page(design, found)


def test_files_hold_the_results_own_numbers_and_no_formula(tmp_path: Path) -> None:
    _, found = made()
    write_figures(study_figures(found), tmp_path)
    with (tmp_path / "win_tie_loss.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    wins = found.groups[0].aspects[0].wins
    assert [(row["system"].removeprefix("'"), int(row["win"]), int(row["loss"])) for row in rows] == [
        (one.system, one.wins, one.losses) for one in wins
    ]
    assert [float(row["value"]) for row in rows] == [one.rate.value for one in wins]
    assert {row["system"][0] for row in rows if "one" in row["system"]} == {"'"}
    svg = (tmp_path / "win_tie_loss.svg").read_text("utf-8")
    assert "var(" not in svg, "a file of its own has no page to take colours from"
    assert svg.count("=one") >= 1


def test_a_study_without_votes_is_a_page_that_says_so() -> None:
    design = made_design(rules=OPEN)
    found = _of(results(design, []), design)
    html = page(design, found)
    assert "no votes yet" in html
    assert "no response counts yet" in html
    assert "Nobody joined yet." in html


@pytest.mark.slow
def test_names_are_text_in_page_and_plots_as_they_are_written() -> None:
    design, found = made(systems=("<b>x</b>", "$y_1$", "my_model_2"))
    html = page(design, found)
    assert "<b>x</b>" not in html
    assert "&lt;b&gt;x" in html
    for name in ("$y_1$", "my_model_2"):
        assert html.count(name) > 3
        for figure in study_figures(found):
            if figure.name in ("win_tie_loss", "strengths"):
                assert name in figure.svg, (figure.name, name)
    assert "my model" not in html


@pytest.mark.slow
def test_a_group_of_few_does_not_make_the_others_unreadable() -> None:
    _, found = made()

    def groups_of(half: float) -> StudyFigure:
        changed = []
        for group in found.groups:
            (aspect,) = group.aspects
            width = half if group.group == "expert" else 0.2
            rows = tuple(
                replace(row, davidson=Estimate(value=0.1 * k, low=0.1 * k - width, high=0.1 * k + width, n=9))
                for k, row in enumerate(aspect.strengths)
            )
            changed.append(replace(group, aspects=(replace(aspect, strengths=rows),)))
        (figure,) = [one for one in study_figures(replace(found, groups=tuple(changed))) if one.name == "groups"]
        return figure

    wide, like = groups_of(40.0), groups_of(0.4)
    assert "goes on" in wide.caption
    assert "goes on" not in like.caption
    assert not re.search(r">[−-]?[1-9]0<", wide.svg), "no tick stands at tens"
    assert {row[4] for row in wide.rows if row[1] == "expert"} == {-40.0, -39.9, -39.8}


@pytest.mark.slow
def test_each_pair_stands_once_with_both_intervals() -> None:
    design, found = made()
    html = page(design, found)
    (wins,) = (aspect.wins for aspect in found.groups[0].aspects)
    for row in wins:
        low, high = row.wilson.low, row.wilson.high
        assert low is not None and high is not None and row.wilson.value is not None
        told = f"{row.wilson.value:.2f} [{low:.2f}, {high:.2f}]"
        cells = rf"<td[^>]*>{row.system}</td>\s*<td[^>]*>{row.rival}</td>\s*(<td[^>]*>[^<]*</td>\s*){{5}}<td[^>]*>{re.escape(told)}"
        is_first = design.systems.index(row.system) < design.systems.index(row.rival)
        assert len(re.findall(cells, html)) == is_first


@pytest.mark.slow
@pytest.mark.parametrize("elsewhere", [0, 2, 6])
def test_methods_claim_nothing_of_votes_that_were_read_from_files(elsewhere: int) -> None:
    design, found = made()
    raters = tuple(replace(row, is_imported=k < elsewhere) for k, row in enumerate(found.raters))
    html = page(design, replace(found, raters=raters, study=replace(found.study, invited=9, finished=6)))
    assert ("2 responses were given elsewhere and read from files" in html) == (elsewhere == 2)
    assert ("All votes were given elsewhere and read from files" in html) == (elsewhere == 6)
    assert (f"9 invitations were given out; {6 - elsewhere} people joined and {6 - elsewhere} finished." in html) == (
        elsewhere < 6
    )
    for claim in ("Videos were written anew", "for practice, each participant", "Each had agreed to"):
        assert (claim in html) == (elsewhere < 6), claim


@pytest.mark.slow
def test_metrics_stand_beside_baselines_and_ceilings() -> None:
    def score(name: str, value: float) -> MetricAgreement:
        share = Estimate(value=value, low=value - 0.05, high=value + 0.05, n=9)
        return MetricAgreement(name=name, pairs=9, missing=0, ratio=share, normalised=None, majority=share)

    design, found = made()
    calibration = MetricCalibration(
        name="c", version=1, made_at="", study="toy", aspect="better", data_hash="0", scaling="linear", folds=2, ridge=0.0,
        draws=1, seed=0, chance_with_ties=None, ceiling=Estimate(value=0.8), majority=Estimate(value=0.9),
        metrics=(score("dino_i_v3", 0.6), score("nexus_score", 0.7)),
        fits=(MetricFit(domain="", pairs=9, prompts=9, votes=9, incomplete=0, held_out=(score("fitted", 0.75),)),),
    )  # fmt: skip
    (figure,) = [one for one in study_figures(found, (calibration,)) if one.name == "metric_agreement"]
    assert [(row[1], row[2], row[3]) for row in figure.rows] == [
        ("fitted", "weighted sum, held out", 0.75),
        ("nexus_score", "detector", 0.7),
        ("dino_i_v3", "whole-image similarity", 0.6),
        ("a rater with the others", "ceiling", 0.8),
        ("the majority of all", "ceiling", 0.9),
    ]
    assert "No metric was compared" in page(design, found)
    assert "No metric was compared" not in page(design, found, (calibration,))


@pytest.mark.slow
def test_equal_results_give_equal_pages() -> None:
    assert page(*made()) == page(*made())


@pytest.mark.slow
def test_a_sequential_study_shows_its_fair_sample_beside_all_votes() -> None:
    design, _ = made()
    chosen = replace(design, sequential=True, hold_out=0.25, stop_half_width=0.3)

    def choose(case: str, systems: tuple[str, ...], rater: int) -> tuple[str, float]:
        turn = (len(case) + rater * 5 + sum(map(len, systems)) + int(case[-1])) % 3
        return CHOICES["preference"][turn], (1.0, 0.5, 0.0)[turn]

    given = [
        replace(one, votes=tuple(replace(v, held_out=k % 2 == 0) for k, v in enumerate(one.votes)))
        for one in voted(chosen, 6, choose)
    ]
    found = _of(results(chosen, given), chosen)
    (figure,) = [one for one in study_figures(found) if one.name == "held_out"]
    (aspect,) = found.groups[0].aspects
    assert aspect.held_out_votes == sum(vote.held_out for one in given for vote in one.votes)
    values = {(row[1], row[2]): row[3] for row in figure.rows}
    assert values["two", "all"] == next(row.davidson.value for row in aspect.strengths if row.system == "two")
    assert values["two", "hold_out"] == next(row.davidson.value for row in aspect.held_out if row.system == "two")
    html = page(chosen, found)
    assert "Of 12 main trials" not in html
    assert "Of 12 trials, 3 came evenly" in html
    assert "The study was to close when every main figure is known to +-0.3. The widest interval is +-" in html
    assert "It is open." in html
    closed = replace(found, study=replace(found.study, closed_at="2026-01-05T10:00:00", closed_because="enough people"))
    assert "It was closed on 2026-01-05: enough people." in page(chosen, closed)


@pytest.mark.slow
def test_metrics_are_told_in_words_and_weights() -> None:
    design, found = made()
    weights = tuple(
        MetricWeight(metric=name, title=name.upper(), version=1, weight=Estimate(value=value), raw=(0, 1), scaled=(0, 1))
        for name, value in (("m0", 0.75), ("m1", 0.25))
    )
    rows = tuple(MetricAgreement(name=n, pairs=9, missing=0, ratio=Estimate(value=v), normalised=None, majority=Estimate())
                 for n, v in (("fitted", 0.81), ("equal", 0.62)))  # fmt: skip
    fit = MetricFit(domain="", pairs=9, prompts=3, votes=27, incomplete=0, weights=weights, held_out=rows)
    one = _calibrated(fit)
    html = page(design, found, (one,))
    assert "27 votes on 9 pairs of 3 prompts gave weights to 2 metrics" in html
    assert "sides with a share of 0.810 of the votes for a side (equal 0.620)" in html
    assert re.search(r"M0</td>\s*<td[^>]*>0\.750", html)
    none = replace(fit, weights=(), held_out=(), reason="3 prompts are too few")
    assert "give no weights: 3 prompts are too few." in page(design, found, (_calibrated(none),))


def _calibrated(fit: MetricFit) -> MetricCalibration:
    alone = MetricAgreement(name="m0", pairs=9, missing=0, ratio=Estimate(value=0.66), normalised=None, majority=Estimate())
    return MetricCalibration(
        name="c", version=1, made_at="", study="toy", aspect="better", data_hash="0", scaling="linear", folds=2, ridge=0.0,
        draws=1, seed=0, chance_with_ties=None, ceiling=Estimate(value=0.8), majority=Estimate(value=0.9),
        metrics=(alone,), fits=(fit,),
    )  # fmt: skip
