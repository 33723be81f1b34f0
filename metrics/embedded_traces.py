"""What of a reference returns in a frame: its subject's details, pose, light and framing, and its background."""

from dataclasses import dataclass, fields
from functools import cached_property

import cv2
import numpy as np

from backend.domain import Box
from backend.geometry import boxes
from backend.measures import keypoints
from backend.measures.patch_extents import Extents, best_match
from backend.measures.patches import Residue
from backend.measures.saliency import background_saliency

SHAPE_PX = 48  # masks and shading are compared on a square of this side
EDGE_SHARE = 0.015  # of the picture's longer side: a box nearer than this to an edge is cut by it

LEAST_PLACED = 12  # points: unrelated pictures share up to 7 of 400 by chance
LEAST_AREA = 0.01  # of the picture
SALIENT_PX = 160

SQUEEZES = (1.0, 0.7, 0.5)
"""Widths that a flat side takes when it turns by 0, 45 and 60 degrees (the tilts of ASIFT, Morel and Yu 2009)."""


@dataclass(frozen=True)
class Cut:
    """A subject in a picture: RGB uint8 `(H, W, 3)`, its mask bool `(H, W)` and box."""

    picture: np.ndarray
    mask: np.ndarray
    box: Box
    has_background: bool = True
    points: keypoints.Keypoints | None = None
    """Of the whole picture, where they are known already."""

    @cached_property
    def extents(self) -> Extents:
        """Patches of the subject and of its parts."""
        return Extents(self.picture, self.mask)

    @cached_property
    def turned_points(self) -> list[keypoints.Keypoints]:
        """`subject_points` of the subject at each of SQUEEZES."""
        return [self.subject_points, *(self._squeezed_points(width) for width in SQUEEZES[1:])]

    @cached_property
    def subject_points(self) -> keypoints.Keypoints:
        """Points of the subject, described at the size of its box."""
        x0, y0, x1, y1 = boxes.to_pixels(self.box, self.picture.shape[1], self.picture.shape[0])
        return keypoints.describe(np.ascontiguousarray(self.picture[y0:y1, x0:x1]), self.mask[y0:y1, x0:x1])

    @cached_property
    def background_points(self) -> keypoints.Keypoints:
        """Points away from the subject, which is widened so that its outline is none of them."""
        reach = max(3, round(0.04 * max(self.box[2] - self.box[0], self.box[3] - self.box[1])))
        wide = cv2.dilate(self.mask.astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)).astype(bool)
        points = self.points or keypoints.describe(self.picture)
        x, y = (points.points / points.scale).astype(int).T if len(points.points) else (np.zeros(0, int),) * 2
        kept = ~wide[np.clip(y, 0, wide.shape[0] - 1), np.clip(x, 0, wide.shape[1] - 1)]
        return keypoints.Keypoints(points.points[kept], points.descriptors[kept], points.scale)

    @cached_property
    def shape(self) -> np.ndarray:
        """The mask's cover float32 `(SHAPE_PX, SHAPE_PX)`, its box's longer side filling the square, centred."""
        return self._squared(self.mask.astype(np.float32))

    @cached_property
    def light(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean Lab of the subject `(3,)`, and its shading: slopes of lightness across and down, from edge to edge."""
        x0, y0, x1, y1 = boxes.to_pixels(self.box, self.picture.shape[1], self.picture.shape[0])
        part, inside = self.picture[y0:y1, x0:x1], self.mask[y0:y1, x0:x1]
        lab = np.asarray(cv2.cvtColor(part.astype(np.float32) / 255, cv2.COLOR_RGB2Lab), np.float64)
        y, x = np.nonzero(inside)
        design = np.stack([x / max(1, x1 - x0) - 0.5, y / max(1, y1 - y0) - 0.5, np.ones(len(x))], axis=1)
        slopes = np.linalg.lstsq(design, lab[inside][:, 0], rcond=None)[0][:2] if len(x) >= 3 else np.zeros(2)
        return lab[inside].mean(axis=0), slopes

    @cached_property
    def cut_edges(self) -> np.ndarray:
        """Whether the picture's left, top, right and bottom edge cut the subject, bool `(4,)`."""
        height, width = self.picture.shape[:2]
        near = EDGE_SHARE * max(height, width)
        x0, y0, x1, y1 = self.box
        return np.array([x0 < near, y0 < near, width - x1 < near, height - y1 < near])

    def framed_as(self, other: "Cut") -> "Cut":
        """The picture cropped so that its subject lies in it as in the other's picture, where the picture reaches."""
        height, width = other.picture.shape[:2]
        ox0, oy0, ox1, oy1 = other.box
        x0, y0, x1, y1 = self.box
        factor = np.sqrt(max(boxes.area(self.box), 1.0) / max(boxes.area(other.box), 1.0))
        view = (x0 - factor * ox0, y0 - factor * oy0, x1 + factor * (width - ox1), y1 + factor * (height - oy1))
        vx0, vy0, vx1, vy1 = boxes.to_pixels(view, self.picture.shape[1], self.picture.shape[0])
        inside = np.ascontiguousarray(self.picture[vy0:vy1, vx0:vx1]), self.mask[vy0:vy1, vx0:vx1]
        return Cut(*inside, (x0 - vx0, y0 - vy0, x1 - vx0, y1 - vy0))

    def _squeezed_points(self, share: float) -> keypoints.Keypoints:
        x0, y0, x1, y1 = boxes.to_pixels(self.box, self.picture.shape[1], self.picture.shape[0])
        size = max(8, round((x1 - x0) * share)), max(1, y1 - y0)
        part = cv2.resize(np.ascontiguousarray(self.picture[y0:y1, x0:x1]), size, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(self.mask[y0:y1, x0:x1].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        return keypoints.describe(part, mask.astype(bool))

    def _squared(self, values: np.ndarray) -> np.ndarray:
        x0, y0, x1, y1 = boxes.to_pixels(self.box, self.mask.shape[1], self.mask.shape[0])
        factor = SHAPE_PX / max(x1 - x0, y1 - y0)
        size = max(1, round((x1 - x0) * factor)), max(1, round((y1 - y0) * factor))
        small = cv2.resize(values[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)
        square = np.zeros((SHAPE_PX, SHAPE_PX), np.float32)
        top, left = (SHAPE_PX - size[1]) // 2, (SHAPE_PX - size[0]) // 2
        square[top : top + size[1], left : left + size[0]] = small
        return square


def placed(reference: Cut, seen: np.ndarray, points: keypoints.Keypoints) -> tuple[np.ndarray, Box] | None:
    """Where a picture shows a reference's subject by the points that they share: mask and box; None when too few do.

    Finds what stands still and what a detector does not know; a subject seen from elsewhere shares too few points.
    """
    source = reference.points or keypoints.describe(reference.picture)
    found = keypoints.match(source, points)
    if found.mapping is None or found.inliers < LEAST_PLACED:
        return None
    # From pixels of the described reference to pixels of the described frame, as pictures of their own size.
    linear = found.mapping[:, :2] * (source.scale / points.scale)
    mapping = np.hstack([linear, found.mapping[:, 2:] / points.scale])
    size = seen.shape[1], seen.shape[0]
    mask = cv2.warpAffine(reference.mask.astype(np.uint8), mapping, size, flags=cv2.INTER_NEAREST).astype(bool)
    box = boxes.of_mask(mask)
    return None if box is None or boxes.area(box) < LEAST_AREA * mask.size else (mask, box)


def salient(picture: np.ndarray) -> Box | None:
    """The box of what stands out most near the middle, None when nothing of size does."""
    factor = SALIENT_PX / max(picture.shape[:2])
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    saliency = background_saliency(small)
    level, _ = cv2.threshold((saliency * 255).astype(np.uint8), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    opened = cv2.morphologyEx((saliency * 255 > level).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    num, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    x = np.abs(np.arange(small.shape[1]) / small.shape[1] - 0.5)
    masses = [float((saliency * (1 - x))[labels == i].sum()) for i in range(1, num)]
    if not masses:
        return None
    left, top, width, height, _ = (int(v) for v in stats[1 + int(np.argmax(masses))])
    box = boxes.scale((left, top, left + width, top + height), 1 / factor, 1 / factor)
    return box if boxes.area(box) >= LEAST_AREA * picture.shape[0] * picture.shape[1] else None


def compared(reference: Cut, seen: Cut) -> dict[str, float]:
    """How much of a reference a subject of a frame repeats. NaN where a reference shows no background.

    `keypoint_inliers`, `background_inliers`: points that one mapping explains; `subject_share`, `background_share`:
    of the fewer points; `shape_iou` of the masks; `lab_distance`, `slope_distance` in CIE L* units; `edges_alike`:
    edges of four that cut both or neither; `aspect_step`: log2 of the ratio of the boxes' aspects, at least 0;
    `turned_inliers`: the most when either is squeezed as if turned; `patches_...`: the `Residue` of their patches where
    both show the same part, NaN where one is too small.
    """
    inliers, share = _shared(reference.subject_points, seen.subject_points)
    behind = _shared(reference.background_points, seen.background_points) if reference.has_background else (np.nan, np.nan)
    (lab, slopes), (seen_lab, seen_slopes) = reference.light, seen.light
    overlap = np.minimum(reference.shape, seen.shape).sum() / max(np.maximum(reference.shape, seen.shape).sum(), 1e-6)
    return {
        "keypoint_inliers": inliers,
        "subject_share": share,
        "background_inliers": behind[0],
        "background_share": behind[1],
        "shape_iou": float(overlap),
        "lab_distance": float(np.linalg.norm(lab - seen_lab)),
        "slope_distance": float(np.linalg.norm(slopes - seen_slopes)),
        "edges_alike": float((reference.cut_edges == seen.cut_edges).mean()),
        "aspect_step": abs(float(np.log2(_aspect(reference.box) / _aspect(seen.box)))),
        "turned_inliers": max(inliers, _turned_inliers(reference, seen)),
    } | _residue(reference, seen)


def _turned_inliers(a: Cut, b: Cut) -> float:
    pairs = [(points, b.subject_points) for points in a.turned_points[1:]]
    pairs += [(a.subject_points, points) for points in b.turned_points[1:]]
    return float(max(keypoints.match(first, second).inliers for first, second in pairs))


def _residue(a: Cut, b: Cut) -> dict[str, float]:
    """What patches leave unexplained where both show the same part; NaN where no patches can be compared."""
    found = best_match(a.extents, b.extents)
    return {f"patches_{part.name}": getattr(found, part.name, np.nan) for part in fields(Residue)}


def _shared(a: keypoints.Keypoints, b: keypoints.Keypoints) -> tuple[float, float]:
    found = keypoints.match(a, b).inliers
    return float(found), found / max(min(len(a.points), len(b.points)), keypoints.MIN_MATCHES)


def _aspect(box: Box) -> float:
    return max(box[2] - box[0], 1.0) / max(box[3] - box[1], 1.0)
