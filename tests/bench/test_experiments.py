"""The small world, what is measured on it, and what is made of results."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from backend.sampleworld.places import PLACES
from backend.settings import parse_assignment
from bench.experiments import evaluating, lanes, training
from bench.experiments import tests as row_tests
from bench.experiments.document import Outcome, verdict, write_document
from bench.experiments.measures import Ruler, means
from bench.experiments.scenes import CLIP_SIDE, FRAMES, Figure, Scene, Studio, identity_of, side_of
from bench.experiments.table import ARMS, BASE, EVALUATED, EXPERIMENTS, SCALES, Hypothesis, settings_of
from bench.experiments.tests import TESTS
from bench.experiments.worlds import TEST_FROM, WORLDS
from training.config import with_settings
from training.recipes import recipe

MAN = Figure(kind="man", number=TEST_FROM, cell="left")
WOMAN = Figure(kind="woman", number=TEST_FROM, cell="right")


@pytest.fixture(scope="module")
def ruler() -> Ruler:
    return Ruler(Studio())


def filmed(ruler: Ruler, scene: Scene) -> np.ndarray:
    return ruler.studio.clip(scene)


def test_equal_scenes_are_equal_pictures_and_figures_sway_by_a_pixel() -> None:
    scene = Scene(place="park", variant=3, figures=(MAN,))
    one, other = Studio().clip(scene), Studio().clip(scene)
    assert one.shape == (FRAMES, CLIP_SIDE, CLIP_SIDE, 3)
    assert np.array_equal(one, other)
    columns = [np.flatnonzero(Studio().shot(scene, frame).masks[0].any(axis=0)).mean() for frame in (0, FRAMES - 1)]
    assert abs(abs(columns[1] - columns[0]) - (FRAMES - 1)) <= 1


def test_captions_tell_kinds_sides_and_places_and_not_who_it_is() -> None:
    two = Scene(place="library", variant=1, figures=(MAN, WOMAN))
    assert two.caption == "a man on the left and a woman on the right in a library"
    turned = Scene(place="night", variant=1, figures=(replace(MAN, azimuth_deg=180.0),), tells_side=True)
    assert turned.caption == "a man on the left from the back on a street at night"
    assert identity_of("man", 1).look != identity_of("man", 2).look
    assert [side_of(degrees) for degrees in (-40, 100, 170, 265)] == ["front", "left", "back", "right"]


@pytest.mark.parametrize("name", WORLDS)
def test_nobody_and_no_place_of_the_test_was_learned_from(name: str) -> None:
    world = WORLDS[name]()
    learned = {figure.name for take in world.train for figure in take.scene.figures}
    tested = {figure.name for take in world.test for figure in take.scene.figures}
    assert not learned & tested
    places = {(scene.place, scene.variant) for take in world.train for scene in (take.scene, *take.references)}
    assert not places & {(scene.place, scene.variant) for take in world.test for scene in (take.scene, *take.references)}
    if not world.cut:
        for take in world.test:
            (reference,) = take.references
            assert reference.figures[0].name == take.scene.figures[0].name
            assert (reference.place == take.scene.place, reference.figures[0].cell == take.scene.figures[0].cell) == (
                False,
                False,
            )


@pytest.mark.slow
def test_the_true_video_is_without_error_and_the_reference_itself_leaks(ruler: Ruler) -> None:
    asked = Scene(place="beach", variant=TEST_FROM, figures=(MAN,))
    shown = Scene(place="library", variant=TEST_FROM + 1, figures=(replace(MAN, cell="right"),))
    true = ruler.leak(filmed(ruler, asked), asked, shown)
    assert true["identity_error"] < 0.1
    assert (true["background_leak"], true["background_followed"], true["position_copied"]) == (0, 1, 0)
    copied = ruler.leak(filmed(ruler, shown)[:1], asked, shown)
    assert (copied["background_leak"], copied["background_followed"], copied["position_copied"]) == (1, 0, 1)
    assert (
        copied["identity_error_anywhere"] < 0.3 < 0.5 < copied["identity_error"]
    )  # what is copied has the light of its place


def test_a_stranger_where_the_figure_should_be_is_an_error_of_about_one(ruler: Ruler) -> None:
    asked = Scene(place="kitchen", variant=TEST_FROM, figures=(MAN,))
    errors = [
        ruler.leak(filmed(ruler, replace(asked, figures=(replace(MAN, number=TEST_FROM + k),))), asked, asked)
        for k in range(1, 5)
    ]
    assert np.mean([each["identity_error"] for each in errors]) == pytest.approx(1, abs=0.05)


def test_two_who_changed_places_are_swapped(ruler: Ruler) -> None:
    asked = Scene(place="street", variant=TEST_FROM, figures=(MAN, WOMAN))
    changed = replace(asked, figures=(replace(MAN, cell="right"), replace(WOMAN, cell="left")))
    assert ruler.two(filmed(ruler, asked), asked)["swapped"] == 0
    found = ruler.two(filmed(ruler, changed), asked)
    assert found["swapped"] == 1
    assert found["other_error"] < found["own_error"]


def test_the_back_in_place_of_the_front_is_a_copied_side(ruler: Ruler) -> None:
    asked = Scene(place="room", variant=TEST_FROM, figures=(WOMAN,), tells_side=True)
    turned = replace(asked, figures=(replace(WOMAN, azimuth_deg=180.0),))
    assert ruler.side(filmed(ruler, asked), asked)["side_copied"] == 0
    assert ruler.side(filmed(ruler, turned), asked)["side_copied"] == 1
    elsewhere = replace(asked, place="forest")
    same, other = (ruler.background_error(filmed(ruler, scene), asked) for scene in (asked, elsewhere))
    assert same < 0.02 < 0.2 < other


def test_means_are_over_the_cases_that_have_a_measure() -> None:
    assert means([{"a": 1.0}, {"a": 0.0, "b": 0.5}]) == {"a": 0.5, "b": 0.5}


def test_every_row_has_an_arm_a_world_and_a_test_and_every_hypothesis_its_rows() -> None:
    for experiment in EXPERIMENTS.values():
        for row in experiment.rows.values():
            assert row.arm in ARMS
            assert row.test in TESTS
        for hypothesis in experiment.hypotheses:
            assert {hypothesis.of, hypothesis.than} <= set(experiment.rows)
            for row in (experiment.rows[hypothesis.of], experiment.rows[hypothesis.than]):
                assert hypothesis.measure in (*experiment.measures, *EVALUATED[row.test])
    assert {arm.world for arm in (*ARMS.values(), BASE)} <= set(WORLDS)
    assert {row.arm for experiment in EXPERIMENTS.values() for row in experiment.rows.values()} == set(ARMS)
    assert all(len(place[0].split()) <= 5 for place in PLACES.values())


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", ARMS)
def test_every_arm_is_a_whole_config(name: str, scale: str) -> None:
    settings = settings_of(ARMS[name], SCALES[scale], base="/somewhere", seed=3)
    config = with_settings(recipe("tiny"), dict(parse_assignment(text) for text in settings))
    assert (config.run.seed, config.model.init) == (3, "run:/somewhere")
    assert config.data.latents.clips.frames == ((5,) if ARMS[name].has_time or scale == "cuda" else (1,))


def outcome(row: str, seed: int, value: float, measure: str = "m") -> Outcome:
    return Outcome(
        experiment="A", row=row, seed=seed, scale="cpu", steps=9, config="", commit="", values={measure: value, "cases": 4.0},
        loss=[(1, 0.5), (9, 0.1)],
    )  # fmt: skip


def test_verdicts_are_of_the_mean_over_seeds_that_both_rows_have() -> None:
    found = [outcome("one", 0, 0.9), outcome("one", 1, 0.5), outcome("other", 0, 0.1), outcome("other", 1, 0.2)]
    found += [outcome("one", 2, 0.9)]
    hypothesis = Hypothesis(says="", measure="m", of="one", than="other", least=0.5)
    assert verdict(hypothesis, found) == "**holds**: +0.55 (1 of 2 seeds alike; 2 of 3 seeds run)"
    assert verdict(replace(hypothesis, least=0.6), found).startswith("**does not hold**: +0.55 (1 of 2")
    assert verdict(replace(hypothesis, measure="n"), found) == "not run"


def test_the_document_gets_tables_verdicts_and_plots_between_its_marks(tmp_path: Path) -> None:
    document = tmp_path / "experiments.md"
    document.write_text("before\n<!-- results -->\nstale\n<!-- /results -->\nafter\n")
    leak = "background_leak"
    write_document(
        [outcome("in-pair", 0, 0.9, leak), outcome("in-pair", 1, 0.7, leak), outcome("cross-pair", 0, 0.1, leak)], document
    )
    text = document.read_text()
    assert (text[:7], text[-6:], "stale" in text) == ("before\n", "after\n", False)
    assert "| in-pair | 0, 1 | 4 | 0.80 (0.70-0.90) |" in text
    assert "| cross-pair | 0 | 4 | 0.10 |" in text
    assert "| face cross-pair | not run |" in text
    assert "in-pair over cross-pair | +0.5 | **holds**: +0.80 (1 of 1 seeds alike; 1 of 3 seeds run) |" in text
    assert "Not run." in text
    assert (tmp_path / "plots" / "experiments-cpu-A.svg").read_text().count("<svg") == 1


def test_the_time_of_rows_is_summed_where_it_was_kept(tmp_path: Path) -> None:
    document, leak = tmp_path / "experiments.md", "background_leak"
    document.write_text("<!-- results -->\n<!-- /results -->\n")
    timed = replace(outcome("in-pair", 0, 0.9, leak), seconds=100.4)
    untimed = outcome("cross-pair", 0, 0.1, leak)
    write_document([timed, replace(timed, seed=1, seconds=20.2)], document)
    assert "121 s of one worker in 2 rows and seeds; without the bases." in document.read_text()
    write_document([timed, untimed], document)
    assert "100 s of one worker in 1 rows and seeds of 2, of which the others did not keep it;" in document.read_text()
    write_document([untimed], document)
    assert "one worker" not in document.read_text()


def test_a_task_keeps_what_each_row_took(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ten seconds of training are shared by the rows of the arm, each test adds its own three; `evaluate` is told apart."""
    clock = [0.0]

    def passes(seconds: float, value: object):
        def done(*_: object, **__: object) -> object:
            clock[0] += seconds
            return value

        return done

    arm = max(ARMS, key=lambda name: len(lanes.rows_of(name, list(EXPERIMENTS))))
    rows = lanes.rows_of(arm, list(EXPERIMENTS))
    assert len(rows) > 1
    monkeypatch.setattr(lanes.time, "perf_counter", lambda: clock[0])
    exported = SimpleNamespace(test=tmp_path, truth=None)
    monkeypatch.setattr(training, "trained", passes(10.0, SimpleNamespace(run=tmp_path, exported=exported)))
    monkeypatch.setattr(training, "loss_curve", passes(0.0, []))
    monkeypatch.setattr(row_tests, "answers", passes(2.0, []))
    monkeypatch.setattr(row_tests, "measured", passes(1.0, {"cases": 2.0}))
    monkeypatch.setattr(evaluating, "evaluated", passes(5.0, {"sharp": {"one": 0.25, "two": 0.75}, "found": {}}))
    found, seconds = lanes._task((arm, 0), 0, "cpu", list(EXPERIMENTS), str(tmp_path))
    assert [each.seconds for each in found] == [pytest.approx(10 / len(rows) + 3, abs=0.06)] * len(rows)
    assert [each.evaluate_s for each in found] == [5.0] * len(rows)
    assert seconds == pytest.approx(10 + (3 + 5) * len(rows))
    assert found[0].values == {"cases": 2.0, "sharp": 0.5, "sharp_scored": 2.0, "found_scored": 0.0}
