"""The slider at the end of a study, from 0 to 100: what a person does in passing and a plain script does not.

Friction, not security. The browser page judges it in the service, Studio beside its widget.
"""

from collections.abc import Sequence

LOWEST, HIGHEST = 55, 90  # of targets: far enough from the start at 0 that nobody hits one by chance
MIN_S, MAX_S = 0.3, 30.0  # of the movement; people took one to four seconds (ours)
TOLERANCE = 2  # of 100 steps
MIN_SAMPLES = 8  # of a pointer
MIN_STEPS = 3  # of a keyboard: ten steps a key, then single ones
STRAIGHT = 0.999  # correlation of place and time beyond which a hand did not draw it (ours)


def slide_problem(target: int, value: int, trace: Sequence[tuple[float, float]], *, by_keys: bool) -> str:
    """Why a movement does not count, as a word; empty when it does. `trace` is `(milliseconds, place)`, oldest first.

    `missed`; `quick`, `slow`; `stiff` for too few samples or a movement that no hand makes.
    """
    if abs(value - target) > TOLERANCE:
        return "missed"
    if len(trace) < (MIN_STEPS if by_keys else MIN_SAMPLES):
        return "stiff"
    duration = (trace[-1][0] - trace[0][0]) / 1000
    if duration < MIN_S:
        return "quick"
    if duration > MAX_S:
        return "slow"
    if not by_keys and _correlation(trace) > STRAIGHT:
        return "stiff"
    return ""


def _correlation(trace: Sequence[tuple[float, float]]) -> float:
    """Of time and place: 1 when the slider moved with one speed."""
    num = len(trace)
    mean_t, mean_x = sum(t for t, _ in trace) / num, sum(x for _, x in trace) / num
    tt = sum((t - mean_t) ** 2 for t, _ in trace)
    xx = sum((x - mean_x) ** 2 for _, x in trace)
    tx = sum((t - mean_t) * (x - mean_x) for t, x in trace)
    return abs(tx) / (tt * xx) ** 0.5 if tt > 0 and xx > 0 else 1.0
