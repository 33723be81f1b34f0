"""Token buckets: so many calls a second in the long run, and a burst at once."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MAX_KEYS = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_s` tokens come back each second, up to `burst`."""

    per_s: float
    burst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLimits:
    """How often the page may be called. Raise those of an address where many people sit behind one router."""

    per_address: Rate = Rate(per_s=30, burst=120)  # a page is about twelve files, a trial three to five calls
    joins_per_address: Rate = Rate(per_s=10 / 60, burst=10)  # tokens have 256 bits: this only keeps logs short
    per_session: Rate = Rate(per_s=5, burst=20)
    media_per_session: Rate = Rate(per_s=10, burst=60)  # a player asks for ranges of its own accord


SHIPPED = PageLimits()


class Buckets:
    """One bucket a key. The keys that were asked for longest ago are forgotten beyond 20,000; theirs would be full again."""

    def __init__(self, rate: Rate, *, now: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._now = rate, now
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Takes a token: 0 when there was one, else the seconds until there is."""
        now = self._now()
        level, at = self._levels.pop(key, (self._rate.burst, now))
        level = min(self._rate.burst, level + (now - at) * self._rate.per_s)
        wait_s = 0.0 if level >= 1 else (1 - level) / self._rate.per_s
        self._levels[key] = (level if wait_s else level - 1, now)
        if len(self._levels) > MAX_KEYS:
            self._levels.popitem(last=False)
        return wait_s
