"""Speech-like sound: voiced syllables, and the envelope that mouths follow."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

SAMPLE_RATE = 16_000
SYLLABLE_S = (0.14, 0.30)  # four to five syllables a second, as in running speech
FORMANTS = ((730, 1090), (530, 1840), (270, 2290), (570, 840), (300, 870))  # Peterson and Barney, JASA 24, 1952, men


@dataclass(frozen=True, slots=True)
class Syllable:
    """One voiced syllable: start and length in seconds, pitch in hertz, loudness in 0 to 1, vowel number."""

    start_s: float
    length_s: float
    pitch_hz: float
    loudness: float
    vowel: int


def draw_speech(rng: np.random.Generator, start_s: float, stop_s: float) -> list[Syllable]:
    """Syllables between two times, with pauses between words."""
    syllables: list[Syllable] = []
    now = start_s + float(rng.uniform(0.05, 0.25))
    base = float(rng.uniform(95, 210))
    while True:
        length = float(rng.uniform(*SYLLABLE_S))
        if now + length > stop_s - 0.05:
            return syllables
        pitch = base * float(rng.uniform(0.85, 1.2))
        syllables.append(Syllable(now, length, pitch, float(rng.uniform(0.55, 1.0)), int(rng.integers(len(FORMANTS)))))
        now += length + (float(rng.uniform(0.02, 0.06)) if rng.random() < 0.72 else float(rng.uniform(0.15, 0.4)))


def envelope(syllables: list[Syllable], times_s: np.ndarray) -> np.ndarray:
    """Loudness in 0 to 1 at the given times, float64 (N,)."""
    out = np.zeros(len(times_s))
    for s in syllables:
        inside = (times_s - s.start_s) / s.length_s
        rise = np.sin(np.pi * np.clip(inside, 0, 1)) ** 0.8
        out = np.maximum(out, s.loudness * np.where((inside > 0) & (inside < 1), rise, 0))
    return out


def speak(syllables: list[Syllable], duration_s: float, *, offset_s: float = 0.0, seed: int = 0) -> np.ndarray:
    """The sound, float32 (N,) at 16 kHz in -1 to 1: syllables moved by `offset_s`, over a faint room tone."""
    rng = np.random.default_rng([seed, 5])
    n = round(duration_s * SAMPLE_RATE)
    out = 0.004 * _filter([1], [1, -0.9], rng.standard_normal(n))
    for s in syllables:
        first = round((s.start_s + offset_s) * SAMPLE_RATE)
        t = np.arange(round(s.length_s * SAMPLE_RATE)) / SAMPLE_RATE
        keep = slice(max(0, -first), max(0, min(len(t), n - first)))
        if keep.start >= keep.stop:
            continue
        glide = s.pitch_hz * (1 + 0.06 * np.sin(2 * np.pi * 3.1 * t))
        phase = 2 * np.pi * np.cumsum(glide) / SAMPLE_RATE
        voice = np.sum([np.sin(k * phase) / k for k in range(1, 14)], axis=0)
        for formant in FORMANTS[s.vowel]:
            voice = voice + 1.6 * _resonate(voice, formant)
        voice = voice / max(np.abs(voice).max(), 1e-9) * envelope([s], s.start_s + t) * 0.5
        out[first + keep.start : first + keep.stop] += voice[keep]
    return np.clip(out, -1, 1).astype(np.float32)


def _resonate(signal: np.ndarray, hz: float) -> np.ndarray:
    radius = np.exp(-np.pi * 90 / SAMPLE_RATE)
    angle = 2 * np.pi * hz / SAMPLE_RATE
    return _filter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], signal)


def _filter(ahead: list[float], back: list[float], signal: np.ndarray) -> np.ndarray:
    return np.asarray(lfilter(ahead, back, signal))
