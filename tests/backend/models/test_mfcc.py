"""MFCC against frozen values of python_speech_features 0.6, from which ours did not differ in one bit when frozen."""

import numpy as np
import pytest

from backend.models.mfcc import HOP, mfcc

# python_speech_features.mfcc(sound(), 16000)[[0, -1]]; 12 digits
FROZEN = [
    [20.0992381785, 5.63724481518, -14.7099559951, 11.7440857639, -26.8692041083, -66.9904888775, -13.9747534614]
    + [-0.0831871272344, -33.7599725488, 9.116503226, 42.4385330594, 1.24883681725, 0.568995031412],
    [19.8699602894, 8.40199711624, -11.2721156201, 17.6672727076, -20.320235887, -61.1114351652, -9.31820126342]
    + [4.9953047495, -28.3149210867, 11.1154231789, 41.961652902, 1.63187458021, -0.379638846382],
]


def sound() -> np.ndarray:
    t = np.arange(1600)
    return (8000 * np.sin(2 * np.pi * 440 * t / 16000) + 2000 * np.sin(2 * np.pi * 2500 * t / 16000)).astype(np.int16)


def test_cepstra_equal_the_package() -> None:
    found = mfcc(sound())
    assert found.shape == (9, 13)
    np.testing.assert_allclose(found[[0, -1]], FROZEN, rtol=1e-9)


def test_later_sound_gives_the_same_cepstra_later() -> None:
    noise = np.random.default_rng(0).integers(-9000, 9000, 4000).astype(np.int16)
    later = np.concatenate((noise[:1], np.zeros(3 * HOP, np.int16), noise[1:]))[: 4000 + 3 * HOP]
    np.testing.assert_allclose(mfcc(later)[5:20], mfcc(np.concatenate((noise[:1], noise[1:])))[2:17], rtol=1e-9)


@pytest.mark.parametrize(("num", "rows"), [(1, 1), (400, 1), (401, 2), (560, 2), (16_000, 99)])
def test_last_window_is_filled_up(num: int, rows: int) -> None:
    assert mfcc(np.ones(num, np.int16)).shape == (rows, 13)


def test_silence_is_finite_and_nothing_is_refused() -> None:
    assert np.isfinite(mfcc(np.zeros(2000, np.int16))).all()
    with pytest.raises(ValueError, match="no samples"):
        mfcc(np.empty(0, np.int16))
