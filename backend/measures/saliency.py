"""Where a picture differs from its surroundings: maps in [0, 1] of what may be a subject."""

from dataclasses import dataclass

import cv2
import numpy as np

SPECTRUM_PX = 64  # Hou & Zhang, CVPR 2007, section 3: the scale at which objects stand out
COLOUR_SIGMA = 10.0  # Zhu et al., CVPR 2014, section 3.2: Lab distance of one and the same region
SPACE_SIGMA = 0.25  # Zhu et al., section 4.1, in picture widths
CONNECTION_SIGMA = 1.0  # Zhu et al., equation 5
FARTHEST = 4.0  # sigmas: regions farther apart count less than one in 2,900, and finding how far costs as much again


def spectral_residual(gray: np.ndarray, *, size: int = SPECTRUM_PX) -> np.ndarray:
    """Saliency float32 `(H, W)` in [0, 1] of a gray picture `(H, W)` (Hou & Zhang, CVPR 2007)."""
    small = cv2.resize(np.asarray(gray, np.float32), (size, size), interpolation=cv2.INTER_AREA)
    spectrum = np.fft.fft2(small)
    log_amplitude = np.log(np.abs(spectrum) + 1e-6)
    residual = log_amplitude - cv2.blur(log_amplitude, (3, 3))
    energy = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
    smooth = cv2.GaussianBlur(energy.astype(np.float32), (0, 0), size / 25)
    return cv2.resize(_stretched(smooth), gray.shape[1::-1], interpolation=cv2.INTER_LINEAR)


@dataclass(frozen=True, slots=True)
class Superpixels:
    """A picture divided into regions of like colour: `labels` int32 `(H, W)`, 0 to `num - 1`."""

    labels: np.ndarray
    num: int

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Mean of `values` `(H, W)` or `(H, W, C)` over each region, float64 `(num,)` or `(num, C)`."""
        flat = self.labels.ravel()
        counts = np.maximum(np.bincount(flat, minlength=self.num), 1)
        planes = values.reshape(flat.size, -1)
        sums = [np.bincount(flat, weights=planes[:, c], minlength=self.num) for c in range(planes.shape[1])]
        means = np.stack(sums, axis=1) / counts[:, None]
        return means[:, 0] if values.ndim == 2 else means


def superpixels(lab: np.ndarray, *, side_px: int = 10, compactness: float = 12.0, rounds: int = 3) -> Superpixels:
    """Regions of about `side_px` by local k-means in colour and place (SLIC, Achanta et al., TPAMI 2012).

    `lab` is float32 `(H, W, 3)` in CIE Lab units. Each pixel chooses among the nine seeds around its grid cell.
    """
    height, width = lab.shape[:2]
    rows, columns = max(2, round(height / side_px)), max(2, round(width / side_px))
    y, x = np.mgrid[:height, :width]
    weight = compactness / side_px
    points = np.dstack([lab, x * weight, y * weight]).reshape(-1, 5).astype(np.float32)
    cell_y = (y * rows // height).ravel()
    cell_x = (x * columns // width).ravel()
    labels = cell_y * columns + cell_x
    around = [
        np.clip(cell_y + dy, 0, rows - 1) * columns + np.clip(cell_x + dx, 0, columns - 1)
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    ]
    for _ in range(rounds):
        centres = _centres(points, labels, rows * columns)
        best = np.full(points.shape[0], np.inf, np.float32)
        for candidate in around:
            difference = points - centres[candidate]
            distance = np.einsum("ij,ij->i", difference, difference)
            closer = distance < best
            best = np.where(closer, distance, best)
            labels = np.where(closer, candidate, labels)
    used, dense = np.unique(labels, return_inverse=True)
    return Superpixels(labels=dense.reshape(height, width).astype(np.int32), num=used.size)


def background_saliency(rgb: np.ndarray, *, regions: Superpixels | None = None) -> np.ndarray:
    """Saliency float32 `(H, W)` in [0, 1]: regions unlike those that hold on to the picture's edge.

    Robust background detection and its least-squares optimisation (Zhu et al., CVPR 2014). `rgb` is uint8; sizes of
    100 to 300 pixels are meant.
    """
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    regions = regions or superpixels(lab)
    colours = regions.mean(lab)
    appearance = np.sqrt(((colours[:, None] - colours[None]) ** 2).sum(axis=-1))
    on_edge, places = _layout(regions)
    pairs = _neighbours(regions, on_edge)
    background = _background_probability(appearance, pairs, on_edge)
    distance = ((places[:, None] - places[None]) ** 2).sum(axis=-1)
    nearness = np.exp(-distance / (2 * SPACE_SIGMA**2))
    contrast = _stretched((appearance * nearness * background[None]).sum(axis=1) / nearness.sum(axis=1))
    return _optimised(contrast, background, appearance, pairs)[regions.labels].astype(np.float32)


def _centres(points: np.ndarray, labels: np.ndarray, num: int) -> np.ndarray:
    counts = np.maximum(np.bincount(labels, minlength=num), 1)
    sums = [np.bincount(labels, weights=points[:, c], minlength=num) for c in range(points.shape[1])]
    return (np.stack(sums, axis=1) / counts[:, None]).astype(np.float32)


def _layout(regions: Superpixels) -> tuple[np.ndarray, np.ndarray]:
    """Which regions touch the edge, bool `(num,)`, and their centres as fractions of the larger side `(num, 2)`."""
    labels = regions.labels
    on_edge = np.zeros(regions.num, bool)
    for line in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        on_edge[line] = True
    y, x = np.mgrid[: labels.shape[0], : labels.shape[1]] / max(labels.shape)
    return on_edge, regions.mean(np.dstack([x, y]))


def _neighbours(regions: Superpixels, on_edge: np.ndarray) -> np.ndarray:
    """Touching pairs of regions `(P, 2)`, first index smaller; edge regions all touch one another."""
    labels = regions.labels
    across = np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()], axis=1)
    down = np.stack([labels[:-1].ravel(), labels[1:].ravel()], axis=1)
    edge = np.flatnonzero(on_edge)
    frame = np.stack(np.meshgrid(edge, edge), axis=-1).reshape(-1, 2)
    pairs = np.sort(np.concatenate([across, down, frame]), axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def _background_probability(appearance: np.ndarray, pairs: np.ndarray, on_edge: np.ndarray) -> np.ndarray:
    """How firmly each region holds on to the edge, in [0, 1] (boundary connectivity, equations 2 to 5)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra  # not above: a fifth of a second of every command's start

    num = appearance.shape[0]
    costs = appearance[pairs[:, 0], pairs[:, 1]]
    # Steps below a small distance are noise; without this long smooth paths add up (Zhu et al., released settings).
    costs = np.maximum(costs - np.median(costs) * 0.5, 1e-6)
    graph = coo_array((costs, (pairs[:, 0], pairs[:, 1])), shape=(num, num))
    geodesic = dijkstra(graph.tocsr(), directed=False, limit=FARTHEST * COLOUR_SIGMA)
    same = np.exp(-(geodesic**2) / (2 * COLOUR_SIGMA**2))
    connection = same[:, on_edge].sum(axis=1) / np.sqrt(same.sum(axis=1))
    return 1 - np.exp(-(connection**2) / (2 * CONNECTION_SIGMA**2))


def _optimised(contrast: np.ndarray, background: np.ndarray, appearance: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Saliency of each region that agrees with contrast, background and likeness of neighbours (section 4.2)."""
    num = contrast.size
    smoothness = np.exp(-(appearance[pairs[:, 0], pairs[:, 1]] ** 2) / (2 * COLOUR_SIGMA**2)) + 0.1
    weights = np.zeros((num, num))
    weights[pairs[:, 0], pairs[:, 1]] = smoothness
    weights += weights.T
    laplacian = np.diag(weights.sum(axis=1)) - weights
    return _stretched(np.linalg.solve(np.diag(background + contrast + 1e-6) + laplacian, contrast))


def _stretched(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
