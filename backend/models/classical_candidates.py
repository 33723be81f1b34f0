"""Candidate subjects of one view: seeds from faces, motion and saliency, grown to whole things by GrabCut."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from backend.domain import Box
from backend.geometry import boxes
from backend.models.classical_cut import grab_cut
from backend.models.classical_views import HISTOGRAM_BINS, View

SURROUND = 0.15  # of the searched place: what GrabCut learns the background from; .35 finds no more
ROUNDS = 1  # of GrabCut; two or three find at most one subject in a hundred more, and cost twice as much
SAME_THING = 0.7  # IoU of a moving part and what it grew into, below which both stand


@dataclass(frozen=True, slots=True)
class Seed:
    """Where a subject may be: a box and how likely each pixel is part of it, float32 `(H, W)` in [0, 1]."""

    kind: str
    box: Box
    prior: np.ndarray
    face: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A seed grown to a mask, with what speaks for it."""

    view: View
    kind: str
    mask: np.ndarray
    box: Box
    face: float
    features: dict[str, float]
    colours: np.ndarray
    """Lab histogram of the mask, unit sum."""


def seeds(view: View) -> Iterator[Seed]:
    """Seeds of a view, the surest source first."""
    for face, score in view.faces:
        yield Seed("face", _body(face, view.bounds), _body_prior(face, view.blocked.shape), score)
    standing_out = _sharpened(view.saliency)
    both = 1 - (1 - view.motion) * (1 - standing_out)
    for kind, prior, levels in (
        ("motion", view.motion, (0.35, 0.7)),
        ("both", both, (0.5, 0.8)),
        ("saliency", standing_out, (0.35, 0.65)),
    ):
        for level in levels:
            for part in _parts(prior >= level):
                yield _seed(kind, prior, part)
                for piece in _pieces(part, view.flow if kind == "motion" else None):
                    yield _seed(kind + "_piece", prior, piece)


def _seed(kind: str, prior: np.ndarray, part: np.ndarray) -> Seed:
    box = boxes.of_mask(part)
    assert box is not None, "a part has pixels"
    return Seed(kind, box, np.where(part, np.maximum(prior, 0.5), prior * 0.3).astype(np.float32))


def candidates(view: View, *, most: int = 14) -> list[Candidate]:
    """Up to `most` different seeds grown to whole things; small ones and those under overlays are left out."""
    taken: list[Seed] = []
    for seed in seeds(view):
        if len(taken) >= most:
            break
        if all(boxes.iou(seed.box, other.box) < 0.8 for other in taken):
            taken.append(seed)
    found: list[Candidate] = []
    for seed in taken:
        whole = grown(view, seed)
        if whole is not None:
            found.append(whole)
        if seed.kind.startswith("motion") and (whole is None or boxes.iou(whole.box, seed.box) < SAME_THING):
            found.append(_candidate(view, seed, seed.prior >= 0.5))
    return found


def _parts(mask: np.ndarray) -> Iterator[np.ndarray]:
    """Connected parts whose box is 1.5 to 92 per cent of the picture, largest first, small gaps closed."""
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    num, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    for i in sorted(range(1, num), key=lambda i: -stats[i, cv2.CC_STAT_AREA]):
        w, h = float(stats[i, cv2.CC_STAT_WIDTH]), float(stats[i, cv2.CC_STAT_HEIGHT])
        if 0.015 <= w * h / mask.size <= 0.92:
            yield labels == i


def _pieces(part: np.ndarray, flow: np.ndarray | None) -> list[np.ndarray]:
    """The things that a part may be made of: split where it is narrow, and where its motion differs."""
    found = _split_at_necks(part)
    if flow is not None and part.sum() >= 0.03 * part.size:
        found += _split_by_flow(part, flow)
    return found


def _split_at_necks(part: np.ndarray) -> list[np.ndarray]:
    """Pieces around the thick places of a part that hang together by less than half their thickness."""
    depth = cv2.distanceTransform(np.pad(part, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    cores = depth >= 0.55 * depth.max()
    num, labels, stats, _ = cv2.connectedComponentsWithStats(cores.astype(np.uint8), connectivity=8)
    large = [i for i in range(1, num) if stats[i, cv2.CC_STAT_AREA] >= 0.004 * part.size]
    if not 2 <= len(large) <= 4:
        return []
    distances = np.stack([cv2.distanceTransform((labels != i).astype(np.uint8), cv2.DIST_L2, 3) for i in large])
    nearest = distances.argmin(axis=0)
    return [part & (nearest == i) for i in range(len(large))]


def _split_by_flow(part: np.ndarray, flow: np.ndarray) -> list[np.ndarray]:
    """Two pieces that move apart: k-means of flow and place, kept when the flows differ more than they scatter."""
    rows, columns = np.nonzero(part)
    vectors = flow[rows, columns]
    spread = float(vectors.std(axis=0).max())
    if spread < 0.3:
        return []
    places = np.stack([columns, rows], axis=1) / max(part.shape)
    samples = np.hstack([vectors / spread, 2.0 * places]).astype(np.float32)
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, 15, 0.01)
    _, labels, centres = cv2.kmeans(samples, 2, np.zeros((0, 0), np.int32), criteria, 1, cv2.KMEANS_PP_CENTERS)
    sides = labels.ravel() == 1
    scatter = np.mean([samples[sides == side, :2].std() for side in (False, True)])
    if np.linalg.norm(centres[0, :2] - centres[1, :2]) < 2.0 * scatter:
        return []
    pieces = []
    for side in (False, True):
        mask = np.zeros(part.shape, bool)
        mask[rows[sides == side], columns[sides == side]] = True
        pieces += list(_parts(mask))[:1]
    return pieces


def _sharpened(saliency: np.ndarray) -> np.ndarray:
    """Saliency with its own Otsu level at one half, so that dim and bright pictures give like levels."""
    scaled = (saliency * 255).astype(np.uint8)
    level, _ = cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    level = min(max(level / 255, 0.02), 0.9)
    return np.where(saliency < level, 0.5 * saliency / level, 0.5 + 0.5 * (saliency - level) / (1 - level))


def _body(face: Box, bounds: Box) -> Box:
    """The box that a standing person with this face fills at most: three faces wide, seven and a half high."""
    width, height = face[2] - face[0], face[3] - face[1]
    middle = (face[0] + face[2]) / 2
    return boxes.clip((middle - 1.6 * width, face[1] - 0.6 * height, middle + 1.6 * width, face[1] + 7 * height), bounds)


def _body_prior(face: Box, shape: tuple[int, int]) -> np.ndarray:
    """Head, neck, shoulders and trunk under a face, softer further down where legs or a seat may be."""
    width, height = face[2] - face[0], face[3] - face[1]
    middle = (face[0] + face[2]) / 2
    prior = np.zeros(shape, np.float32)
    trunk = [
        (middle - 0.3 * width, face[3] - 0.1 * height),
        (middle + 0.3 * width, face[3] - 0.1 * height),
        (middle + 1.15 * width, face[3] + 0.8 * height),
        (middle + 1.0 * width, face[3] + 3.0 * height),
        (middle - 1.0 * width, face[3] + 3.0 * height),
        (middle - 1.15 * width, face[3] + 0.8 * height),
    ]
    legs = [(middle - 0.8 * width, face[3] + 3 * height), (middle + 0.8 * width, face[3] + 3 * height)]
    legs += [(middle + 0.6 * width, face[3] + 6 * height), (middle - 0.6 * width, face[3] + 6 * height)]
    cv2.fillPoly(prior, [np.round(legs).astype(np.int32)], 0.55)
    cv2.fillPoly(prior, [np.round(trunk).astype(np.int32)], 0.8)
    centre = (round(middle), round((face[1] + face[3]) / 2))
    cv2.ellipse(prior, centre, (round(0.6 * width), round(0.75 * height)), 0, 0, 360, 0.7, -1)
    cv2.ellipse(prior, centre, (round(0.38 * width), round(0.48 * height)), 0, 0, 360, 1.0, -1)
    return prior


def grown(view: View, seed: Seed) -> Candidate | None:
    """The thing around a seed, None when nothing of size is left of it."""
    mask = _cut(view, seed)
    mask = _main_part(mask & ~view.blocked, seed.prior)
    box = boxes.of_mask(mask)
    if box is None or boxes.area(box) < 0.02 * mask.size:
        return None
    return _candidate(view, seed, mask)


def _candidate(view: View, seed: Seed, mask: np.ndarray) -> Candidate:
    box = boxes.of_mask(mask)
    assert box is not None, "a candidate has pixels"
    features, colours = _evidence(view, mask, box)
    return Candidate(view, seed.kind, mask, box, seed.face, features, colours)


def _cut(view: View, seed: Seed) -> np.ndarray:
    """GrabCut in the seed's surroundings. The prior decides where each pixel starts; far outside is background."""
    height, width = view.blocked.shape
    reach = boxes.clip(boxes.expand(seed.box, 0.12 if seed.kind != "face" else 0.05), view.bounds)
    x0, y0, x1, y1 = boxes.to_pixels(boxes.expand(reach, SURROUND), width, height)
    labels = np.full((height, width), cv2.GC_BGD, np.uint8)
    rx0, ry0, rx1, ry1 = boxes.to_pixels(reach, width, height)
    labels[ry0:ry1, rx0:rx1] = cv2.GC_PR_BGD
    labels[(seed.prior >= 0.5) & (labels == cv2.GC_PR_BGD)] = cv2.GC_PR_FGD
    labels[(seed.prior >= 0.98) & (labels == cv2.GC_PR_FGD) & (seed.kind == "face")] = cv2.GC_FGD
    start = (labels == cv2.GC_PR_FGD) | (labels == cv2.GC_FGD)
    mask = np.zeros((height, width), bool)
    mask[y0:y1, x0:x1] = grab_cut(view.rgb[y0:y1, x0:x1], labels[y0:y1, x0:x1], rounds=ROUNDS)
    return mask if mask.sum() >= 0.25 * start.sum() else start


def _main_part(mask: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """The connected part with most of the prior, with others at least a quarter as large."""
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    num, labels = cv2.connectedComponents(opened, connectivity=8)
    if num <= 1:
        return np.zeros_like(mask)
    mass = np.bincount(labels.ravel(), weights=prior.ravel() + 0.05, minlength=num)
    mass[0] = 0
    return np.isin(labels, np.flatnonzero(mass >= 0.3 * mass.max()))


def _evidence(view: View, mask: np.ndarray, box: Box) -> tuple[dict[str, float], np.ndarray]:
    """How the mask differs from a ring around it, each in [0, 1] or [-1, 1], and its colours."""
    height, width = mask.shape
    reach = max(3, round(0.12 * max(box[2] - box[0], box[3] - box[1])))
    ring = cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)).astype(bool) & ~mask & ~view.blocked
    inside, outside = _histogram(view.colours[mask]), _histogram(view.colours[ring])
    features = {
        "separation": 1 - float(np.sqrt(inside * outside).sum()),
        "motion": float(view.motion[mask].mean()),
        "motion_contrast": float(view.motion[mask].mean() - (view.motion[ring].mean() if ring.any() else 0)),
        "motion_share": float(view.motion[mask].sum() / (view.motion[mask | ring].sum() + 0.05 * mask.sum())),
        "saliency": float(view.saliency[mask].mean()),
        "saliency_contrast": float(view.saliency[mask].mean() - (view.saliency[ring].mean() if ring.any() else 0)),
        "fill": float(mask.sum() / boxes.area(box)),
        "border": boxes.border_contact(box, view.bounds),
        "area": boxes.area(box) / (height * width),
        "face": max((s for f, s in view.faces if boxes.contain(f, box) > 0.8), default=0.0),
        "edge": _edge_support(view.edges, mask),
    }
    return features, inside


def _histogram(codes: np.ndarray) -> np.ndarray:
    counts = np.bincount(codes.ravel(), minlength=HISTOGRAM_BINS**3).astype(np.float64)
    return counts / max(counts.sum(), 1)


def _edge_support(edges: np.ndarray, mask: np.ndarray) -> float:
    """Mean of the edges on the mask's outline, in [0, 1]."""
    outline = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).astype(bool)
    outline[[0, -1]] = outline[:, [0, -1]] = False
    return float(edges[outline].mean()) if outline.any() else 0.0
