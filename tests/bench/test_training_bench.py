"""The arithmetic beside the training bench, worked out by hand."""

import pytest

from bench.training import FULL, TINY, arithmetic


def test_tokens_and_flop_of_the_large_shape_are_those_worked_out_by_hand() -> None:
    """Clip 21 x 30 x 52, canvas 30 x 52, picture 30 x 30; a block of N tokens: N (12 d d + 4 d f) + 4 N N d + 4 L d d + 4 N L d."""
    assert FULL.tokens == (32_760, 1_560, 900)
    tokens, step, isolated, joint = arithmetic()
    assert (tokens["ours"], tokens["peer"]) == (35_460, 37_440)
    width, hidden, text, layers = 1536, 8960, 512, 30

    def forward(n: int) -> float:
        per_token = 12 * width**2 + 4 * width * hidden + 4 * n * width + 4 * text * width
        return layers * (n * per_token + 4 * text * width**2) / 1e12

    assert step["ours"] == pytest.approx(3 * forward(35_460))
    assert step["ours"] == pytest.approx(972, abs=1)
    assert step["ratio"] == pytest.approx(0.911, abs=0.001)
    assert joint["ratio"] == pytest.approx(forward(35_460) / forward(32_760))
    looked_at = layers * 4 * 32_760 * 2_700 * width / 1e12
    assert isolated["ratio"] == pytest.approx((forward(32_760) + looked_at) / forward(32_760))
    assert isolated["ratio"] < joint["ratio"]


def test_the_tiny_shape_has_references_of_a_quarter_of_the_canvas() -> None:
    assert TINY.tokens == (576, 64, 16)
