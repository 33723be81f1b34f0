"""What words of place promise of a picture's light, green and sky, and how a picture looks in these."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np

from metrics.framing import FramePlan, Linspace
from metrics.spec import Entry, Found, Roles, VideoFacts, VideoFeature

BACKGROUND_ROLE = "background"
LOOK_PX = 96

# Looks: (dark, green, sky), each 1 promised, 0 excluded, NaN left open. Common sense, fitted to no pictures.
_OPEN = np.nan
WORDS: dict[str, tuple[float, float, float]] = {
    "night|midnight|nighttime": (1.0, 0.0, 0.0),
    "dark|cave|cellar|nightclub": (1.0, 0.0, 0.0),
    "forest|woods|jungle|rainforest": (_OPEN, 1.0, _OPEN),
    "park|garden|meadow|lawn|grass|field|pasture": (0.0, 1.0, _OPEN),
    "beach|desert|sea|ocean|coast|shore|dunes": (0.0, 0.0, 1.0),
    "mountain|mountains|hills|summit": (0.0, _OPEN, 1.0),
    "snow|snowy|ski|glacier": (0.0, 0.0, _OPEN),
    "kitchen|library|room|office|bedroom|bathroom|studio|museum|shop|store|restaurant|hall|gym": (_OPEN, 0.0, 0.0),
    "street|city|road|square|market": (_OPEN, 0.0, _OPEN),
}
DARK_LIGHTNESS = 0.3  # mean lightness at which a picture is half dark
GREEN_SHARE, SKY_SHARE = 0.25, 0.15  # of the background at which it is half green, half under the sky


@dataclass(frozen=True, slots=True, kw_only=True)
class LookOfBackground(VideoFeature):
    """How each frame looks, `look` float64 `(T, 3)`: darkness, green and sky in [0, 1]. Subjects are not left out."""

    name: ClassVar[str] = "embedded_look"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"
    per_frame: ClassVar[bool] = True

    frames: FramePlan = field(default_factory=lambda: Linspace(8))

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_LookCollector":
        return _LookCollector()


class _LookCollector:
    def __init__(self) -> None:
        self._looks: list[np.ndarray] = []

    def add(self, index: int, frame: np.ndarray) -> None:
        self._looks.append(look_of(frame))

    def finish(self) -> Found:
        return {"look": np.stack(self._looks)}


def asked_looks(prompt: str) -> np.ndarray:
    """What a prompt's words promise, float64 `(3,)`: dark, green, sky; NaN where they promise nothing or differ."""
    words = set(re.findall(r"[a-z]+", prompt.lower()))
    promised = np.array([look for names, look in WORDS.items() if words & set(names.split("|"))]).reshape(-1, 3)
    asked = np.full(3, np.nan)
    for k, column in enumerate(promised.T):
        values = np.unique(column[np.isfinite(column)])
        if len(values) == 1:
            asked[k] = values[0]
    return asked


def look_of(picture: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Darkness, green and sky float64 `(3,)` in [0, 1] of an RGB picture outside a mask; sky is looked for in the upper half."""
    factor = LOOK_PX / max(picture.shape[:2])
    size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
    hls = cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2HLS)
    hue, light, colour = (hls[..., k].astype(np.float64) for k in range(3))
    rest = np.ones(light.shape, bool)
    if mask is not None:
        rest = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) == 0
    if not rest.any():
        return np.full(3, np.nan)
    green = (hue > 30) & (hue < 85) & (colour > 40) & (light > 15)  # OpenCV's hue: 60 is green; 255 is full
    sky = ((hue > 90) & (hue < 130) & (colour > 30) & (light > 110)) | ((colour < 25) & (light > 200))
    upper = rest.copy()
    upper[rest.shape[0] // 2 :] = False
    sky_share = float(sky[upper].mean()) if upper.any() else 0.0
    dark = float(np.exp2(-light[rest].mean() / 255 / DARK_LIGHTNESS))
    return np.array([dark, 1 - np.exp2(-float(green[rest].mean()) / GREEN_SHARE), 1 - np.exp2(-sky_share / SKY_SHARE)])


def agreement(asked: np.ndarray, looks: np.ndarray) -> np.ndarray:
    """How far looks `(T, 3)` agree with what was asked, `(T,)` in [0, 1]; NaN where nothing was."""
    told = np.isfinite(asked)
    if not told.any():
        return np.full(len(looks), np.nan)
    return 1.0 - np.abs(looks[:, told] - asked[told]).mean(axis=1)
