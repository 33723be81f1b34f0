"""Where the shots of a video meet: hard cuts to one frame, and gradual changes (dissolves, fades) as intervals.

One pass over small frames. A hard cut is a jump between two neighbouring frames that stands out from the jumps
around it and does not return (a flash does). A gradual change is a stretch whose frames lie on the straight line
between the pictures at its ends: with RMS distances d, a blend has residual ((d(s,m)^2 + d(m,e)^2)/2 - d(s,e)^2/4)
near 0 at its middle m, a cut inside the stretch gives d^2/4 and unrelated pictures 3 d^2/4. This is the second
difference of luma variance of a dissolve, taken on the pixels instead of on one number.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from backend.measures.shots_signals import Signals, signals_of

BLOCK_FRAMES = 4096  # frames analysed together: 7 MB of thumbnails, so that a film needs no more memory than a clip


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of shot: frames `[start, stop)` belong to neither shot; a cut is empty (`start == stop`).

    `start` is the first frame touched by the change, `stop` the first frame wholly of the next shot.
    """

    start: int
    stop: int
    kind: str
    """cut or gradual."""
    confidence: float
    """In (0, 1); .5 stands exactly at the threshold."""


@dataclass(frozen=True, kw_only=True)
class ShotRules:
    """Thresholds of the detector. Distances are RMS over 8-bit RGB thumbnails, times in seconds.

    Measured on 35 real videos (80 cuts, 22 gradual) and on cross-fades made of them; between the weakest cut kept
    and the strongest motion dropped each limit could move by a fifth without changing a decision.
    """

    cut_jump: float = 12.0
    """Least jump of a cut: compression noise and pans stay under 10 on quiet video."""
    cut_novelty: float = 1.5
    """Least novelty of a cut: how far jump and content value stand out from those around, times how unlike the two
    frames are. The weakest of 80 real cuts has 2.1, the strongest motion 1.1."""
    around_s: float = 0.25
    """How far to either side jumps are compared."""
    flash_s: float = 0.25
    """A change that returns within this time is a flash or a dropped frame."""
    flash_return: float = 0.4
    """Distance after the return, relative to the jump, that still counts as a return."""
    half_s: tuple[float, ...] = (0.13, 0.2, 0.27, 0.33, 0.42, 0.5, 0.6, 0.75, 0.9, 1.07)
    """Half lengths of the stretches tried for a gradual change."""
    blend_jump: float = 12.0
    """Least distance between the ends of a gradual change."""
    flat_jump: float = 2.5
    """The same where one end is a flat picture (fades, titles on black)."""
    flat_contrast: float = 2.0
    """A picture is flat when its RMS contrast is under this."""
    blend_residual: float = 0.35
    """Greatest residual at the middle, as a part of the residual of a cut (which is 1)."""
    dip_residual: float = 0.7
    """The same where the contrast dips as a blend's does, however much the two shots move meanwhile."""
    dip: tuple[float, float] = (0.7, 1.4)
    """A blend loses a(1-a)d^2 of its variance at the part a of its way; the part of that loss to be seen."""
    blend_similarity: float = 0.6
    """Greatest correlation of the two ends; beyond it only a stationary change over the whole picture counts."""
    blend_spread: float = 0.15
    """Least part of the change outside the fifth that changes most: .35 when differences are normally distributed,
    near 0 when a title appears. Fades are exempt."""
    near_similarity: float = 0.8
    near_residual: float = 0.15
    near_drift: float = 0.35
    """Beyond `blend_similarity`: distance moved just outside the stretch, relative to the change within it."""
    max_wander: float = 1.25
    """Greatest length walked along the line between the ends; a blend walks it once."""
    same_change: float = 0.94
    """A shorter stretch with this part of the change of a longer one is the same gradual change."""
    max_step: float = 0.5
    """Greatest jump between neighbours inside a gradual change, relative to the whole change."""


def find_transitions(chunks: Iterable[np.ndarray], fps: float, *, rules: ShotRules | None = None) -> list[Transition]:
    """The changes of shot in a stream of frames uint8 `(T, H, W, 3)`, RGB, any size, in order.

    Raises ValueError when `fps` is not positive.
    """
    if not fps > 0:
        raise ValueError(f"frames per second must be positive, got {fps}")
    rules = rules or ShotRules()
    margin = 2 + 2 * max(_halves(rules, fps)[-1:], default=0)
    found: list[Transition] = []
    for offset, block, first, last in _blocks(signals_of(chunks), margin):
        cuts = _hard_cuts(block, fps, rules)
        changes = [*cuts, *_gradual_changes(block, [c.start for c in cuts], fps, rules)]
        found += [
            Transition(c.start + offset, c.stop + offset, c.kind, c.confidence)
            for c in changes
            if first <= (c.start + c.stop) // 2 < last
        ]
    return _without_overlaps(found)


def spans_between(transitions: Sequence[Transition], num_frames: int) -> list[tuple[int, int, str, float]]:
    """Shots as `(start_frame, stop_frame, opens_with, confidence)`, frames of gradual changes left out.

    `opens_with` is start, cut or gradual; the confidence is the lesser of those at its two ends (1 at the ends of
    the video).
    """
    spans = []
    start, opens_with, confidence = 0, "start", 1.0
    for change in [*transitions, Transition(num_frames, num_frames, "end", 1.0)]:
        if change.start > start:
            spans.append((start, change.start, opens_with, min(confidence, change.confidence)))
        start, opens_with, confidence = change.stop, change.kind, change.confidence
    return spans


def _blocks(stream: Iterator[Signals], margin: int) -> Iterator[tuple[int, Signals, int, int]]:
    """Overlapping blocks `(offset, signals, first, last)`; changes with their centre in `[first, last)` are its own."""
    held: Signals | None = None
    offset, first = 0, 0
    for piece in stream:
        held = piece if held is None else held.joined(piece)
        if len(held) >= BLOCK_FRAMES + 2 * margin:
            last = len(held) - margin
            yield offset, held, first, last
            dropped = last - margin
            held, offset, first = held.since(dropped), offset + dropped, margin
    if held is not None:
        yield offset, held, first, len(held) + 1


def _hard_cuts(block: Signals, fps: float, rules: ShotRules) -> list[Transition]:
    pictures = block.pictures()
    jumps = _jumps(pictures)
    around = max(2, round(rules.around_s * fps))
    unlike = 1 - np.maximum(0.0, np.r_[1.0, _similarity(pictures[:-1], pictures[1:])])
    novelty = unlike * (_outstanding(jumps, around) + _outstanding(block.content, around)) / 2
    reach = max(1, round(rules.flash_s * fps))
    kept: list[int] = []
    for frame in map(int, np.flatnonzero((novelty >= rules.cut_novelty) & (jumps >= rules.cut_jump))):
        if _returns(pictures, frame, jumps[frame] * rules.flash_return, reach):
            continue
        if kept and frame - kept[-1] <= 2:
            kept[-1] = max(kept[-1], frame, key=lambda f: jumps[f])
        else:
            kept.append(frame)
    return [Transition(f, f, "cut", float(novelty[f] / (novelty[f] + rules.cut_novelty))) for f in kept]


def _returns(pictures: np.ndarray, frame: int, limit: float, reach: int) -> bool:
    """Whether the picture before a jump comes back within `reach` frames, or the one after it was there before."""
    before, after = pictures[frame - 1], pictures[frame]
    later = pictures[frame + 1 : frame + 1 + reach]
    earlier = pictures[max(0, frame - 1 - reach) : frame - 1]
    return bool((_distance(later, before) < limit).any() or (_distance(earlier, after) < limit).any())


def _gradual_changes(block: Signals, cuts: Sequence[int], fps: float, rules: ShotRules) -> list[Transition]:
    pictures = block.pictures()
    blends = [blend for half in _halves(rules, fps) for blend in _blends(pictures, half, rules)]
    blends = [b for b in blends if b.last > b.first and not any(b.first < cut < b.last for cut in cuts)]
    found = []
    while blends:
        largest = max(blends, key=lambda b: b.change)
        # A longer stretch gains some change from motion in the two shots: the shortest that has most of it is meant.
        peers = [b for b in blends if b.overlaps(largest) and b.change >= rules.same_change * largest.change]
        best = min(peers, key=lambda b: (b.last - b.first, b.residual))
        found.append(Transition(best.first, best.last, "gradual", 1 / (1 + best.residual)))
        blends = [b for b in blends if not (b.overlaps(best) or b.overlaps(largest))]
    return found


@dataclass(frozen=True, slots=True)
class _Blend:
    """A stretch of frames `[first, last)` on the line between the pictures at its ends."""

    first: int
    last: int
    change: float
    residual: float
    """Relative to its limit."""

    def overlaps(self, other: "_Blend") -> bool:
        return self.first < other.last and other.first < self.last


def _blends(pictures: np.ndarray, half: int, rules: ShotRules) -> Iterator[_Blend]:
    """Stretches of `2 * half` frames that are blends of their ends."""
    middle = np.arange(half, len(pictures) - half)
    if not len(middle):
        return
    start, stop = middle - half, middle + half
    change = _distance(pictures[start], pictures[stop])
    power = change**2 + 1e-3
    left, right = _distance(pictures[start], pictures[middle]) ** 2, _distance(pictures[middle], pictures[stop]) ** 2
    residual = np.maximum(0.0, 2 * (left + right) / power - 1)
    step = np.lib.stride_tricks.sliding_window_view(_jumps(pictures)[1:], 2 * half).max(axis=1) / np.sqrt(power)
    similarity = _similarity(pictures[start], pictures[stop])
    relief = _relief(pictures)
    contrast = np.sqrt((relief**2).mean(axis=1))
    flat = np.minimum(contrast[start], contrast[stop]) < rules.flat_contrast
    large = (change >= rules.blend_jump) | (flat & (change >= rules.flat_jump))
    possible = large & (residual < rules.dip_residual) & (step < rules.max_step) & (similarity < rules.near_similarity)
    for k in np.flatnonzero(possible):
        ends = int(start[k]), int(stop[k])
        if not flat[k] and _spread(pictures, *ends) < rules.blend_spread:
            continue
        if similarity[k] >= rules.blend_similarity and not (
            residual[k] < rules.near_residual and _stationary(pictures, *ends, half, rules)
        ):
            continue
        first, last, off, wander = _path(pictures, *ends)
        off = max(off, float(residual[k]), 0.0 if flat[k] else _relief_residual(relief, *ends, rules))
        limit = rules.dip_residual if _dips(relief, *ends, rules) else rules.blend_residual
        if off < limit and wander < rules.max_wander:
            yield _Blend(first, last, float(change[k]), off / limit)


def _path(pictures: np.ndarray, start: int, stop: int) -> tuple[int, int, float, float]:
    """How frames go from one end to the other: first and last frame between 4 and 96 % of the way; the mean squared
    distance from the straight line, in quarters of the squared way; and the length walked along it (1 is straight)."""
    way = pictures[stop] - pictures[start]
    moved = pictures[start : stop + 1] - pictures[start]
    place = moved @ way / (way @ way)
    off = ((moved - place[:, None] * way) ** 2).sum(axis=1).mean() / (way @ way / 4)
    moving = np.flatnonzero((place > 0.04) & (place < 0.96))
    first, last = (start + int(moving[0]), start + int(moving[-1]) + 1) if len(moving) else (start, start)
    return first, last, float(off), float(abs(np.diff(place)).sum())


def _stationary(pictures: np.ndarray, start: int, stop: int, half: int, rules: ShotRules) -> bool:
    """Whether the change covers the picture and the picture rests on both sides of it: a pan goes on, a blend ends."""
    change = float(_distance(pictures[start], pictures[stop]))
    outside = max(
        float(_distance(pictures[max(0, start - half)], pictures[start])),
        float(_distance(pictures[min(len(pictures) - 1, stop + half)], pictures[stop])),
    )
    return outside < rules.near_drift * change


def _spread(pictures: np.ndarray, start: int, stop: int) -> float:
    """The part of a change (in squares) that happens outside the fifth of the picture that changes most."""
    squares = np.sort((pictures[start] - pictures[stop]) ** 2)
    return float(squares[: len(squares) * 4 // 5].sum() / (squares.sum() + 1e-9))


def _relief_residual(relief: np.ndarray, start: int, stop: int, rules: ShotRules) -> float:
    """The residual of the relief (the picture less its mean colour): light that changes evenly is no blend."""
    change = float(_distance(relief[start], relief[stop]))
    if change < rules.blend_jump / 2:
        return float("inf")
    middle = relief[(start + stop) // 2]
    squares = float(_distance(relief[start], middle)) ** 2 + float(_distance(middle, relief[stop])) ** 2
    return 2 * squares / change**2 - 1


def _dips(relief: np.ndarray, start: int, stop: int, rules: ShotRules) -> bool:
    """Whether the variance is as much lower along the way as that of a blend of the two ends."""
    power = float(_distance(relief[start], relief[stop])) ** 2 + 1e-3
    at = np.array([0.25, 0.5, 0.75])
    variance = (relief[[start, *(start + np.round(at * (stop - start)).astype(int)), stop]] ** 2).mean(axis=1)
    loss = ((1 - at) * variance[0] + at * variance[-1] - variance[1:-1]) / (at * (1 - at) * power)
    return bool(((loss > rules.dip[0]) & (loss < rules.dip[1])).all())


def _without_overlaps(changes: Sequence[Transition]) -> list[Transition]:
    """Changes in order, each once; gradual ones that touch are one. A cut at either end of a gradual one remains."""
    merged: list[Transition] = []
    for change in sorted(changes, key=lambda c: (c.start, c.stop)):
        last = merged[-1] if merged else None
        if last is None or last.kind != change.kind or change.start > last.stop:
            merged.append(change)
            continue
        stop, confidence = max(last.stop, change.stop), max(last.confidence, change.confidence)
        merged[-1] = Transition(last.start, stop, change.kind, confidence)
    return merged


def _halves(rules: ShotRules, fps: float) -> list[int]:
    return sorted({max(3, round(half * fps)) for half in rules.half_s})


def _jumps(pictures: np.ndarray) -> np.ndarray:
    return np.r_[0.0, _distance(pictures[1:], pictures[:-1])]


def _distance(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.sqrt(((left - right) ** 2).mean(axis=-1))


def _relief(pictures: np.ndarray) -> np.ndarray:
    """Pictures less their mean colour."""
    cells = pictures.reshape(len(pictures), -1, 3)
    return (cells - cells.mean(axis=1, keepdims=True)).reshape(pictures.shape)


def _similarity(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Correlation of pictures, pulled to 0 where both are flat (a contrast of 2 counts as noise)."""
    left = left - left.mean(axis=-1, keepdims=True)
    right = right - right.mean(axis=-1, keepdims=True)
    scale = np.sqrt((left**2).mean(axis=-1) * (right**2).mean(axis=-1))
    return (left * right).mean(axis=-1) / (scale + 4.0)


def _outstanding(values: np.ndarray, around: int) -> np.ndarray:
    """Each value over the mean of those within `around` to either side, the greatest of them left out (another cut
    may stand near)."""
    padded = np.pad(values, around, mode="reflect" if len(values) > around else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * around + 1)
    others = np.sort(np.delete(windows, around, axis=1), axis=1)[:, :-1]
    return values / (others.mean(axis=1) + 1.0)
