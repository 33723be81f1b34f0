"""GrabCut with a fixed start, so that equal pictures give equal masks."""

import cv2
import numpy as np

MIN_PIXELS = 12  # OpenCV fits five colour components to each side and needs at least that many samples


def grab_cut(rgb: np.ndarray, labels: np.ndarray, *, rounds: int) -> np.ndarray:
    """Bool mask `(H, W)` of RGB uint8 pixels by energy of colours and edges (Rother et al., SIGGRAPH 2004).

    `labels` uint8 `(H, W)` holds OpenCV's GC_BGD, GC_FGD, GC_PR_BGD and GC_PR_FGD. When either side has too few
    pixels to learn colours from, the start is the answer.
    """
    start = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    if min(int(start.sum()), int(start.size - start.sum())) < MIN_PIXELS:
        return start
    cut = labels.copy()
    # The colour components start from k-means, which draws from OpenCV's global generator.
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(rgb), cut, (0, 0, 1, 1), *models, rounds, cv2.GC_INIT_WITH_MASK)
    return (cut == cv2.GC_FGD) | (cut == cv2.GC_PR_FGD)
