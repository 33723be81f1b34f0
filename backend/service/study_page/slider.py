"""The slider at the end: a small task that a person does in passing and a plain script does not. Friction, not security.

The target and its nonce are made here and told apart by an HMAC, so that nothing has to be kept but which nonces were used.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backend.service.study_page.keys import PageKeys

VALID_S = 120.0
MIN_S, MAX_S = 0.3, 30.0  # of the movement; people took one to four seconds (ours)
TOLERANCE = 2  # of 100 steps
MIN_SAMPLES = 8  # of a pointer
MIN_STEPS = 3  # of a keyboard: ten steps a key, then single ones
STRAIGHT = 0.999  # correlation of place and time beyond which a hand did not draw it (ours)
MAX_USED = 10_000


@dataclass(frozen=True, slots=True)
class Challenge:
    """`target` and `start` are places from 0 to 100."""

    target: int
    start: int
    nonce: str


class Sliders:
    """Makes challenges and judges answers. `now` gives seconds since the epoch."""

    def __init__(self, keys: PageKeys, *, now: Callable[[], float] = time.time) -> None:
        self._keys, self._now = keys, now
        self._used: OrderedDict[str, None] = OrderedDict()

    def challenge(self, participant: str) -> Challenge:
        target = 55 + secrets.randbelow(36)
        nonce = self._keys.seal("slider", f"{participant} {target} {self._now():.3f} {secrets.token_hex(8)}")
        return Challenge(target=target, start=0, nonce=nonce)

    def problem(
        self, participant: str, nonce: str, *, value: int, trace: Sequence[tuple[float, float]], by_keys: bool
    ) -> str:
        """Why an answer does not count, as a word; empty when it does. `trace` is `(milliseconds, place)`, oldest first.

        `stale` for a nonce that is forged, old, used or of somebody else; `missed`; `quick`, `slow`; `stiff` for too few
        samples or a movement that no hand makes.
        """
        told = (self._keys.opened("slider", nonce) or "").split(" ")
        if len(told) != 4 or told[0] != participant or nonce in self._used:
            return "stale"
        age = self._now() - float(told[2])
        if not 0 <= age <= VALID_S:
            return "stale"
        self._used[nonce] = None
        if len(self._used) > MAX_USED:
            self._used.popitem(last=False)
        if abs(value - int(told[1])) > TOLERANCE:
            return "missed"
        if len(trace) < (MIN_STEPS if by_keys else MIN_SAMPLES):
            return "stiff"
        duration = (trace[-1][0] - trace[0][0]) / 1000
        if duration < MIN_S or age < MIN_S:
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
