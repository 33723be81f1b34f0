"""The sound of a deck: that of one side at a time, in step with the pictures, or none."""

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from backend.domain import Absent
from studio.link import Link
from studio.player.deck import Deck
from studio.player.decoder import Reel
from studio.player.played_side import PlayedSide
from studio.player.sound_feed import SOUND_RATE, SoundFeed
from studio.player.sound_output import NoSound, SoundOutput, open_output
from studio.texts import text

FILL_MS = 20  # six times while what is queued lasts
OWN_RATE = 0.005
"""How far a side may be from its own rate and be heard: 23.976 beside 24 frames a second differ by 0.001."""


class DeckSound(QObject):
    """Nothing is heard until somebody listens; then the chosen side, while the deck plays it at its own rate.

    `changed` tells that `heard` or `words` may have changed. The samples come from the files that the deck plays.
    """

    changed = Signal()

    def __init__(self, deck: Deck, link: Link) -> None:
        super().__init__()
        self.listens = False
        self._deck, self._link = deck, link
        self._chosen = 0
        self._sounds: dict[str, np.ndarray | str] = {}
        """By path of a reel: its samples, or why it has none."""
        self._output: SoundOutput | None = None
        self._trouble = ""
        self._feed = SoundFeed(clock=deck.clock)
        self._fed: tuple[str, int] | None = None
        """Path and shift of the side that the feed gives."""
        self._timer = QTimer(self, interval=FILL_MS)
        self._timer.timeout.connect(self._fill)
        deck.changed.connect(self._follow)

    def load(self) -> None:
        """Reads the sound of the reels that the deck has now, and forgets that of others."""
        paths = [side.reel.path for side in self._deck.sides]
        self._sounds = {path: found for path, found in self._sounds.items() if path in paths}
        for reel in {side.reel.path: side.reel for side in self._deck.sides}.values():
            if reel.path not in self._sounds:
                self._read(reel)
        self._follow()

    @property
    def has_sound(self) -> bool:
        """Whether a side can be heard at all."""
        return any(isinstance(found, np.ndarray) for found in self._sounds.values())

    @property
    def heard(self) -> PlayedSide | None:
        """The side that is heard while the deck plays."""
        side = self.side
        return side if self.listens and not self._trouble and side is not None and not self._why_silent(side) else None

    @property
    def side(self) -> PlayedSide | None:
        """The one that is listened to."""
        sides = self._deck.sides
        return sides[self._chosen % len(sides)] if sides else None

    @property
    def words(self) -> str:
        """Why nothing is heard though somebody listens; empty otherwise."""
        if not self.listens or (side := self.side) is None:
            return ""
        return self._trouble or self._why_silent(side)

    def listen(self, listens: bool) -> None:
        """Whether anything is to be heard; a device that was missing is looked for again."""
        self.listens, self._trouble = listens, ""
        if listens and self._output is None:
            try:
                self._output = open_output()
            except NoSound as error:
                self._trouble = str(error)
        self._follow()

    def hear_next(self) -> None:
        """The next side is the one that is heard."""
        self._chosen = (self._chosen + 1) % max(1, len(self._deck.sides))
        self.listen(True)

    def close(self) -> None:
        """Gives the device back."""
        self._timer.stop()
        if self._output is not None:
            self._output.close()
            self._output = None

    def _read(self, reel: Reel) -> None:
        def found(samples: np.ndarray | str) -> None:
            if any(side.reel.path == reel.path for side in self._deck.sides):
                self._sounds[reel.path] = samples
                self._follow()

        self._link.ask(lambda: samples_of(reel), found, lambda error: found(str(error)), slow=True)

    def _why_silent(self, side: PlayedSide) -> str:
        found = self._sounds.get(side.reel.path, text("sound.reading"))
        if isinstance(found, str):
            return found
        clock = self._deck.clock
        rate = clock.fps * clock.rate * side.frames_per_frame / side.reel.fps
        return text("sound.other_rate", rate=f"{rate:.2g}") if abs(rate - 1) > OWN_RATE else ""

    def _follow(self) -> None:
        """Brings what is heard in line with what is chosen and played."""
        side, clock = self.heard, self._deck.clock
        fed = None if side is None else (side.reel.path, side.shift)
        if fed != self._fed:
            self._fed = fed
            self._quieten()
            if side is not None:
                samples = self._sounds[side.reel.path]
                assert isinstance(samples, np.ndarray), "a side without samples is not heard"
                self._feed.samples, self._feed.shift = samples, round(side.shift / side.reel.fps * SOUND_RATE)
        if side is not None and clock.playing:
            if not self._timer.isActive():
                self._timer.start()
                self._fill()
        elif self._timer.isActive():
            self._timer.stop()
            if clock.goes_round or clock.index < clock.span[1] - 1:  # else what is queued are the last moments
                self._quieten()
            self._feed.begin_anew()
        self.changed.emit()

    def _fill(self) -> None:
        output = self._output
        assert output is not None, "a side is heard on a device only"
        if self._deck.clock.waits:
            self._quieten()  # the picture waits, and the sound with it
            return
        try:
            output.write(self._feed.take(output.room(), queued=output.queued()))
        except NoSound as error:
            self._trouble = str(error)
            self.close()
            self._follow()

    def _quieten(self) -> None:
        self._feed.begin_anew()
        if self._output is not None and self._output.queued():
            self._output.drop()


def samples_of(reel: Reel) -> np.ndarray | str:
    """The sound of a reel int16 `(n,)`, mono at SOUND_RATE, from its first frame to the end of its last; or why there is none.

    Raises MediaError for a file that cannot be read.
    """
    from backend.media.audio import sound_from_first_frame  # not above: PyAV is a tenth of a second of Studio's start

    length_s = reel.num_frames / reel.fps
    sound = sound_from_first_frame(reel.path, SOUND_RATE, max_s=length_s)
    if isinstance(sound, Absent):
        return text("sound.none")
    return sound.to_int16()[: round(length_s * SOUND_RATE)]
