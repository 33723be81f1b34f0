"""What is done to one side of a trial alone: shifted against the others."""

from collections.abc import Callable

from studio.panel_view import PanelView
from studio.player.deck import Deck
from studio.player.played_side import PlayedSide
from studio.texts import text


class SideTools:
    """Works on the sides of a deck that play in the panels of `views`. `notify` says why nothing is done."""

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
            self._notify(text("judge.shifts", panel=self._panel_of(self._deck.sides[self._chosen])))

    def shift(self, frames: int) -> None:
        """Puts the chosen side ahead of the others, or back."""
        if self._has_sides():
            self._deck.shift(self._deck.sides[self._chosen % len(self._deck.sides)], frames)

    def tell(self) -> None:
        """Says at each side how far it is shifted."""
        shifts = {side.pane: side.shift for side in self._deck.sides}
        for view in self._views().values():
            shift = shifts.get(view.movie, 0)
            words = text("judge.ahead" if shift > 0 else "judge.later", count=abs(shift)) if shift else ""
            if view.aside.text() != words:
                view.aside.setText(words)

    def _has_sides(self) -> bool:
        if len(self._deck.sides) < 2:
            self._notify(text("judge.no_other_clip"))
        return len(self._deck.sides) > 1

    def _panel_of(self, side: PlayedSide) -> str:
        return next((view.panel.label for view in self._views().values() if view.movie is side.pane), "")
