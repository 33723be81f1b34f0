"""The slider at the end, made and judged by the service.

The target and its nonce are made here and told apart by an HMAC, so that nothing has to be kept but which nonces were used.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backend.domain.sliding import HIGHEST, LOWEST, MIN_S, slide_problem
from backend.service.study_page.keys import PageKeys

VALID_S = 120.0
MAX_USED = 10_000


@dataclass(frozen=True, slots=True)
class Challenge:
    """`target` and `start` are places from 0 to 100."""

    target: int
    start: int
    nonce: str


class Sliders:
    """Makes challenges and judges answers. `now` gives seconds that no change of the wall's clock moves."""

    def __init__(self, keys: PageKeys, *, now: Callable[[], float] = time.monotonic) -> None:
        self._keys, self._now = keys, now
        self._used: OrderedDict[str, None] = OrderedDict()

    def challenge(self, participant: str) -> Challenge:
        target = LOWEST + secrets.randbelow(HIGHEST - LOWEST + 1)
        nonce = self._keys.seal("slider", f"{participant} {target} {self._now():.3f} {secrets.token_hex(8)}")
        return Challenge(target=target, start=0, nonce=nonce)

    def problem(
        self, participant: str, nonce: str, *, value: int, trace: Sequence[tuple[float, float]], by_keys: bool
    ) -> str:
        """Why an answer does not count, as a word; empty when it does. `trace` is `(milliseconds, place)`, oldest first.

        `stale` for a nonce that is forged, old, used or of somebody else, `quick` for one that was just made; else as
        `backend.domain.sliding`.
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
        found = slide_problem(int(told[1]), value, trace, by_keys=by_keys)
        return "quick" if not found and age < MIN_S else found
