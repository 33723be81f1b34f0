"""Masks and cut-outs as pictures: on white, found again on white, and grown to a hole that hides its subject."""

import cv2
import numpy as np

FIRST_GROWTH_PX, THEN_GROWTH_PX, THEN_TIMES = 20, 4, 3
"""OpenS2V's step5-2: a dilation by 20 x 20, three by 4 x 4."""
WHITE_DISTANCE = 12  # levels in any channel by which a pixel departs from white: JPEG's ringing stays below


def grown_mask(mask: np.ndarray) -> np.ndarray:
    """The mask bool `(H, W)` dilated as OpenS2V does it, with its holes filled."""
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((FIRST_GROWTH_PX, FIRST_GROWTH_PX), np.uint8))
    grown = cv2.dilate(grown, np.ones((THEN_GROWTH_PX, THEN_GROWTH_PX), np.uint8), iterations=THEN_TIMES)
    return filled(grown.astype(bool))


def filled(mask: np.ndarray) -> np.ndarray:
    """The mask bool `(H, W)` with what it encloses: what cannot be reached from outside of the picture."""
    outside = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(outside, None, (0, 0), 2)
    return outside[1:-1, 1:-1] != 2


def on_white(cut_out: np.ndarray) -> np.ndarray:
    """uint8 `(H, W, 3)` of uint8 `(H, W, 4)`, blended on white."""
    alpha = cut_out[..., 3:].astype(np.uint32)
    return ((cut_out[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def foreground_on_white(picture: np.ndarray) -> np.ndarray:
    """bool `(H, W)`: what stands before a white ground, with all that it encloses; everything where the ground is not white."""
    apart = filled((255 - picture.astype(np.int16)).max(axis=2) > WHITE_DISTANCE)
    border = np.concatenate([apart[0], apart[-1], apart[:, 0], apart[:, -1]])
    return np.ones_like(apart) if border.mean() > 0.5 else apart
