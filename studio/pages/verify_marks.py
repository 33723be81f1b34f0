"""Where the subjects of a trial lie on their clips: boxes and masks drawn over them, and the frame that a picture is from."""

from collections.abc import Callable, Mapping

from backend.domain import ProjectError
from backend.domain.corrections import Outline
from backend.domain.library import ItemView, Marked
from studio.link import Link
from studio.panel_view import PanelView
from studio.player.deck import Deck
from studio.player.marked_pane import MarkedPane
from studio.sessions.verify import Held
from studio.texts import text

Outlines = dict[str, Outline]
"""By slot; panels whose picture is from no clip are left out."""


class ClipMarks:
    """Of the trial that `show` names. What cannot be done is told by `notify`, in a sentence."""

    def __init__(
        self, link: Link, deck: Deck, views: Callable[[], Mapping[str, PanelView]], notify: Callable[[str], object]
    ) -> None:
        self._link, self._deck, self._views, self._notify = link, deck, views, notify
        self._held: Held | None = None
        self._known: Outlines | None = None
        self._drawn = False
        self._framed = ""

    def show(self, held: Held | None) -> None:
        """Another trial, or the same as it is now; marks stay on or off."""
        self._held, self._known, self._framed = held, None, ""
        if self._drawn and held is not None and _has_clips(held):
            self.ask(self._draw)

    def toggle(self) -> None:
        """Draws the marks over the clips, which rest where they lie, or takes them away."""
        self._drawn = not self._drawn
        if self._drawn:
            self._ask_or_tell(self._draw)
            return
        for view in self._views().values():
            view.movie.set_view(None)

    def go_to_frame(self) -> None:
        """Rests the clips where a side's picture was cut from; again, where the next side's was."""
        self._ask_or_tell(self._seek)

    def ask(self, act: Callable[[Outlines], object]) -> None:
        """Does something with what lies on the panels of the trial, once it is known."""
        held = self._held
        if held is None:
            return
        if self._known is not None:
            act(self._known)
            return
        api, study, item = self._link.api, held.trial.study_id, held.trial.item_id
        slots = [stimulus.slot for stimulus in held.trial.stimuli]

        def read() -> Outlines:
            found = {}
            for slot in slots:
                try:
                    found[slot] = api.outline(study_id=study, item_id=item, slot=slot)
                except ProjectError:
                    continue  # a picture from outside lies on no frame
            return found

        def known(found: Outlines) -> None:
            if self._held is held:
                self._known = found
                act(found)

        self._link.ask(read, known, lambda error: self._notify(str(error)))

    def _ask_or_tell(self, act: Callable[[Outlines], object]) -> None:
        if self._held is None:
            self._notify(text("verify.nothing_shown"))
        elif not _has_clips(self._held):
            self._notify(text("verify.no_frame"))
        else:
            self.ask(act)

    def _draw(self, outlines: Outlines) -> None:
        for slot, outline in outlines.items():
            if slot in self._views():
                self._views()[slot].movie.set_view(view_of(outline))
        if not self._framed:
            self._seek(outlines)

    def _seek(self, outlines: Outlines) -> None:
        views = self._views()
        slots = [slot for slot in views if slot in outlines]
        if not slots:
            self._notify(text("verify.no_frame"))
            return
        if slots == [self._framed] and len(views) > 1:
            self._notify(text("verify.other_no_frame"))
        self._framed = slots[(slots.index(self._framed) + 1) % len(slots)] if self._framed in slots else slots[0]
        outline, pane = outlines[self._framed], views[self._framed].movie
        assert isinstance(pane, MarkedPane), "panels play clips in panes that can be drawn on"
        index = self._deck.place_of(pane, outline.frame - outline.start_frame)
        if index is not None:
            self._deck.seek(index)


def _has_clips(held: Held) -> bool:
    """Whether a picture of the trial may be from a frame of a clip: references of cases are from none that is known."""
    return any(stimulus.clip_media for stimulus in held.trial.stimuli)


def view_of(outline: Outline) -> ItemView:
    """An outline as a pane draws it over its clip."""
    name = outline.phrase or outline.category
    mark = Marked(
        frame=outline.frame,
        label=name,
        box=outline.box,
        counts=outline.counts,
        height=outline.height,
        width=outline.width,
    )
    return ItemView(
        slot="",
        clip_id=outline.clip_id,
        clip_media=outline.clip_media,
        picture_media=outline.picture_media,
        start_frame=outline.start_frame,
        width=outline.width,
        height=outline.height,
        marks=(mark,),
    )
