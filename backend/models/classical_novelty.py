"""How unlike its surroundings each pixel of a box is: what no example of background explains belongs to the subject."""

import cv2
import numpy as np

NUM_EXAMPLES = 800
NUM_GROUPS = 8
LEAST_EXAMPLES = 24
COLOUR_STEP = 6.0  # Lab distance that counts as much as the steps of place below; 4 to 9 measure alike
LIGHTNESS_WEIGHT = 0.7  # shadows and shading change lightness before they change colour
DOWN_STEP, ACROSS_STEP = 0.15, 1.0  # of the picture's longer side: backgrounds are layered (sky, wall, ground)
UNKNOWN = 1.7  # novelty where nothing is known of the background: a subject's own median


def novelty(rgb: np.ndarray, inside: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Distance float32 `(H, W)` of each pixel inside to the examples of background nearest in colour and height.

    `rgb` is uint8 `(H, W, 3)`, the others bool `(H, W)`; 0 outside. Unlike a colour model of the subject, this does
    not ask that a subject be of one piece or few colours: each of its parts is judged by itself. The distance is the
    mean over eight random groups of examples, so that a few wrong ones (another subject) do not decide.
    """
    height, width = inside.shape
    places = np.flatnonzero(background)
    if len(places) < LEAST_EXAMPLES:
        return np.where(inside, UNKNOWN, 0).astype(np.float32)
    num = min(NUM_EXAMPLES, len(places)) // NUM_GROUPS * NUM_GROUPS
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    y, x = np.mgrid[:height, :width].astype(np.float32) / max(height, width)
    colours = lab * (np.array([LIGHTNESS_WEIGHT, 1, 1], np.float32) / COLOUR_STEP)
    points = np.dstack([colours, y / DOWN_STEP, x / ACROSS_STEP]).reshape(-1, 5)
    examples = points[np.random.default_rng(0).permutation(places)[:num]]
    asked = points[inside.ravel()]
    partial = (examples**2).sum(axis=1)[None] - 2 * asked @ examples.T
    nearest = partial.reshape(len(asked), NUM_GROUPS, -1).min(axis=2) + (asked**2).sum(axis=1)[:, None]
    found = np.zeros((height, width), np.float32)
    found[inside] = np.sqrt(np.maximum(nearest, 0)).mean(axis=1)
    return found
