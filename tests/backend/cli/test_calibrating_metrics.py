"""What `calibrate metrics` prints of a calibration."""

import numpy as np
import pytest

from backend.cli.calibrating_metrics import show
from bench.planted_votes import PlantedMetrics
from metrics.calibration import Calibrate


def test_weights_agreement_and_reasons_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    found = PlantedMetrics(num_prompts=30, missing=(0.0, 0.0, 0.9)).judged(np.random.default_rng(0))
    by = Calibrate(scaling="linear", num_draws=20)
    show(by(found, name="ours", study="pilot", aspect="overall", made_at="2026-01-02"))
    text = capsys.readouterr().out
    for words in (
        "ours v1 (pilot, overall; data ",
        "without m2: values of both videos",
        "fitted",
        "best single",
        "chance .5; with ties",
    ):
        assert words in text
    assert "all domains:" in text
    assert "human:" in text


def test_a_fit_without_weights_is_printed_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    found = PlantedMetrics(num_prompts=4).judged(np.random.default_rng(0))
    show(Calibrate(num_draws=10)(found, name="ours", study="pilot", aspect="overall", made_at="2026-01-02"))
    assert "no weights: 4 prompts are too few" in capsys.readouterr().out
