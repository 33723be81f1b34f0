"""Mel-frequency cepstra of speech, as the package python_speech_features 0.6 computes them by default."""

import math

import numpy as np
from scipy.fft import dct

RATE = 16_000
WINDOW, HOP, FFT = 400, 160, 512  # 25 ms, 10 ms, the next power of two
FILTERS, CEPSTRA, LIFTER, EMPHASIS = 26, 13, 22, 0.97


def mfcc(samples: np.ndarray) -> np.ndarray:
    """float64 `(n, 13)` of sound int16 `(m,)` at 16 kHz, 100 a second; the first column is the log energy.

    n is `1 + ceil((m - 400) / 160)`, the last window filled up with zeros. Raises ValueError for no sample.
    """
    if not len(samples):
        raise ValueError("no samples to analyse")
    emphasised = np.append(samples[0], samples[1:] - EMPHASIS * samples[:-1])
    num = 1 if len(samples) <= WINDOW else 1 + math.ceil((len(samples) - WINDOW) / HOP)
    padded = np.concatenate((emphasised, np.zeros((num - 1) * HOP + WINDOW - len(samples))))
    windows = padded[np.arange(num)[:, None] * HOP + np.arange(WINDOW)]
    power = 1.0 / FFT * np.square(np.absolute(np.fft.rfft(windows, FFT)))
    energy = _positive(np.sum(power, 1))
    bands = _positive(np.dot(power, _filters().T))
    cepstra = np.asarray(dct(np.log(bands), type=2, axis=1, norm="ortho"))[:, :CEPSTRA]
    lifted = (1 + (LIFTER / 2.0) * np.sin(np.pi * np.arange(CEPSTRA) / LIFTER)) * cepstra
    lifted[:, 0] = np.log(energy)
    return lifted


def _positive(values: np.ndarray) -> np.ndarray:
    return np.where(values == 0, np.finfo(float).eps, values)


def _filters() -> np.ndarray:
    """Triangles `(26, 257)` evenly spaced on the mel scale from 0 to 8 kHz, with corners on whole bins."""
    top = 2595 * np.log10(1 + RATE / 2 / 700.0)
    hertz = 700 * (10 ** (np.linspace(0, top, FILTERS + 2) / 2595.0) - 1)
    corners = np.floor((FFT + 1) * hertz / RATE)
    bins = np.arange(FFT // 2 + 1)
    filters = np.zeros((FILTERS, len(bins)))
    for row, (left, middle, right) in enumerate(zip(corners, corners[1:], corners[2:], strict=False)):
        rising, falling = (bins >= left) & (bins < middle), (bins >= middle) & (bins < right)
        filters[row, rising] = (bins[rising] - left) / (middle - left)
        filters[row, falling] = (right - bins[falling]) / (right - middle)
    return filters
