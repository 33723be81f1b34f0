"""Sound features without weights: logarithmic mel bands."""

from functools import lru_cache
from typing import ClassVar

import numpy as np

WINDOW, HOP, FFT = 400, 320, 512  # 25 ms every 20 ms, as the receptive field and stride of wav2vec 2.0
BANDS = 64
TOP_HZ = 8000.0
FLOOR = 1e-10  # of a band's power: -100 dB


class LogMel:
    """64 bands from 0 to 8 kHz, 50 times a second, in units of 4 decades around -50 dB, so that they lie near -1 to 1."""

    model_id: ClassVar[str] = "log-mel-64"
    width: ClassVar[int] = BANDS
    rate: ClassVar[int] = 16_000

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """float32 `(max(1, n // 320), 64)` of mono samples float32 `(n,)`."""
        num = max(1, len(samples) // HOP)
        margin = (WINDOW - HOP) // 2
        padded = np.zeros(num * HOP + 2 * margin, np.float64)
        known = samples[: num * HOP + margin]
        padded[margin : margin + len(known)] = known
        windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:num]
        power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW), FFT)) ** 2 / FFT
        return ((np.log10(np.maximum(power @ _filters().T, FLOOR)) + 5) / 4).astype(np.float32)


@lru_cache
def _filters() -> np.ndarray:
    """Triangles `(64, 257)`, evenly spaced on O'Shaughnessy's mel scale."""
    top = 2595 * np.log10(1 + TOP_HZ / 700)
    corners = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    hertz = np.fft.rfftfreq(FFT, 1 / LogMel.rate)
    rising = (hertz - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - hertz) / (corners[2:] - corners[1:-1])[:, None]
    return np.maximum(0, np.minimum(rising, falling))
