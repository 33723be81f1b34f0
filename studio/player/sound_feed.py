"""Which samples are to be heard now: the sound of one clip along the clock that its pictures follow. Knows no Qt and no device."""

from dataclasses import dataclass, field

import numpy as np

from studio.player.clock import TransportClock

SOUND_RATE = 48_000  # of the copies that studies show, and what every device takes
TOLERANCE_S = 0.045  # ITU-R BT.1359-1: people notice sound that comes 45 ms before its picture


@dataclass(slots=True, kw_only=True)
class SoundFeed:
    """Gives the samples in turn. What was given follows on without a gap while it stays within TOLERANCE_S of the clock;
    else it begins anew where the clock is."""

    clock: TransportClock
    samples: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int16))
    """int16 `(n,)`, mono, SOUND_RATE; the first belongs to the first frame of the clip."""
    shift: int = 0
    """How many samples the clip is ahead of the clock; below 0, it begins that much later."""
    _next: int | None = None
    """The sample of the clock that is given next; None to begin where the clock is."""

    def begin_anew(self) -> None:
        """What was given before is not going to be heard."""
        self._next = None

    def take(self, count: int, *, queued: int) -> np.ndarray:
        """The next `count` samples int16 `(count,)`, which are heard after `queued` others; silence outside the clip."""
        due = self._around(round(self.clock.place_s * SOUND_RATE) + queued)
        place = due if self._next is None or self._apart(self._next, due) > TOLERANCE_S * SOUND_RATE else self._next
        found = np.zeros(count, np.int16)
        done = 0
        while done < count:
            part = count - done
            if self.clock.goes_round:
                part = min(part, self._ends[1] - place)
            self._copy(found[done : done + part], place + self.shift)
            done += part
            place = self._around(place + part)
        self._next = place
        return found

    @property
    def _ends(self) -> tuple[int, int]:
        """First and behind the last sample of what the clock plays."""
        start, stop = self.clock.span
        return round(start / self.clock.fps * SOUND_RATE), round(stop / self.clock.fps * SOUND_RATE)

    def _around(self, place: int) -> int:
        start, stop = self._ends
        return start + (place - start) % (stop - start) if self.clock.goes_round and place >= stop else place

    def _apart(self, one: int, other: int) -> int:
        apart, (start, stop) = abs(one - other), self._ends
        return min(apart, abs(stop - start - apart)) if self.clock.goes_round else apart

    def _copy(self, into: np.ndarray, first: int) -> None:
        start, stop = max(first, 0), min(first + len(into), len(self.samples))
        if start < stop:
            into[start - first : stop - first] = self.samples[start:stop]
