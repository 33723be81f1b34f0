"""What is done to one side of a trial alone: shifted against the others, heard; and what is said beside it."""

from collections.abc import Callable

from studio.actions import key_of
from studio.panel_view import PanelView
from studio.player.deck import Deck
from studio.player.played_side import PlayedSide
from studio.texts import text


class SideTools:
    """Works on the sides of a deck that play in the panels of `views`. `notify` says why nothing is done."""

    heard: Callable[[], PlayedSide | None] = staticmethod(lambda: None)
    """Gives the side that is heard now."""

    def __init__(self, deck: Deck, views: Callable[[], dict[str, PanelView]], notify: Callable[[str], None]) -> None:
        self._deck, self._views, self._notify = deck, views, notify
        self._chosen = 1
        """Place of the side that is shifted; the second, unless another was chosen."""
        deck.changed.connect(self.tell)

    def handlers(self) -> dict[str, Callable[[], object]]:
        """By the actions' ids."""
        return {
            "shift_side": self.choose_next,
            "shift_back": lambda: self.shift(-1),
            "shift_on": lambda: self.shift(1),
        }

    def choose_next(self) -> None:
        """Another side is the one that is shifted."""
        if self._has_sides():
            self._chosen = (self._chosen + 1) % len(self._deck.sides)
            keys = {"back": key_of("shift_back"), "on": key_of("shift_on")}
            self._notify(text("judge.shifts", panel=self.name_of(self._deck.sides[self._chosen]), **keys))

    def shift(self, frames: int) -> None:
        """Puts the chosen side ahead of the others, or back."""
        if self._has_sides():
            self._deck.shift(self._deck.sides[self._chosen % len(self._deck.sides)], frames)

    def tell(self) -> None:
        """Says at each side how far it is shifted, and whether it is heard."""
        shifts, heard = {side.pane: side.shift for side in self._deck.sides}, self.heard()
        for view in self._views().values():
            shift = shifts.get(view.movie, 0)
            shifted = text("judge.ahead" if shift > 0 else "judge.later", count=abs(shift)) if shift else ""
            sounds = text("sound.heard") if heard is not None and heard.pane is view.movie else ""
            words = " · ".join(part for part in (shifted, sounds) if part)
            if view.aside.text() != words:
                view.aside.setText(words)

    def why_unwatched(self) -> str:
        """What keeps a side from being watched to its end, and what to do: one that is ahead never shows its beginning."""
        for side in self._deck.sides:
            if side.shift > 0 and 0 in side.seen[: side.shift]:
                keys = {"cap": key_of("shift_back"), "choose": key_of("shift_side")}
                return text("judge.ahead_unwatched", panel=self.name_of(side), count=side.shift, **keys)
        return ""

    def name_of(self, side: PlayedSide) -> str:
        """What its panel is called."""
        return next((view.panel.label for view in self._views().values() if view.movie is side.pane), "")

    def _has_sides(self) -> bool:
        if len(self._deck.sides) < 2:
            self._notify(text("judge.no_other_clip"))
        return len(self._deck.sides) > 1
