"""Library: everything that a project holds, as a table or as pictures; what one chooses can be sent on."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtWidgets import QInputDialog, QLineEdit, QMenu

from backend.domain import StudioError
from backend.domain.erasing import ERASABLE, ErasedItems
from backend.domain.library import EXCLUDED, KEPT, KINDS, Excluded, ItemColumn, ItemKind, ItemPage, Selection
from studio.actions import ActionSet, key_of
from studio.erase_dialog import EraseDialog
from studio.export_dialog import ExportDialog
from studio.item_model import GridModel, ItemModel, column_title, fetch
from studio.item_views import ItemGrid, ItemTable, count
from studio.pages.library_layout import LibraryLayout
from studio.pages.page import Page, PageContext
from studio.player.transport import playing
from studio.sessions.library import (
    MAX_IDS,
    Filter,
    LibrarySession,
    Look,
    chosen_of,
    views_as_json,
    views_of_json,
    with_filter,
    without_filter,
)
from studio.texts import text
from studio.theme import Theme
from studio.thumbnails import ThumbnailStore

SEARCH_MS = 180  # after the last letter, so that not every one of a word is asked
EMPTY_POLL_MS = 3000  # how often an empty library is looked at; curation may be filling it
WATCH_MS = 5000  # how often the number of items is looked at while the page is shown
FOLLOW_MS = 120  # a row that is only passed on the way is not opened
HIDDEN = frozenset(
    [
        "video_id",
        "clip_id",
        "subject_id",
        "anchor_id",
        "pair_id",
        "appearance_id",
        "reference_subject_id",
        "reference_clip_id",
        "reference_video_id",
        "uri",
        "attribution",
        "num_frames",
        "caption_by",
        "height",
        "width",
        "codec",
        "gate",
        "haystack",
    ]
)
"""Columns that the table leaves out at first; one can filter and sort by them."""


KEPT_ONLY = (Filter(column="state", values=(KEPT,)),)
"""What one sees at first: what gates hold back and what people took out is shown on demand."""


class LibraryPage(Page):
    """The session says what is looked at; this shows it and does what is asked with the chosen items."""

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self.session = LibrarySession()
        self.kinds: dict[str, ItemKind] = {}
        self.views: dict[str, Look] = views_of_json(str(context.prefs.value("views") or ""))
        self.thumbnails = ThumbnailStore(context.link)
        self.model = ItemModel(self.session, context.link, self.thumbnails, self._tell)
        for one in (self.thumbnails, self.model):
            one.setParent(self)  # they go with the page; what listens to them would else hold it for ever
        self.grid_model = GridModel(self.model)
        self.actions_ = ActionSet("library", self, self._handlers())
        self.layout_of = LibraryLayout(self, context.link, self.actions_, self.run, self.model, self.grid_model)
        self._closed = False
        self._filling = False
        self._taken_out: Selection | None = None
        self._search_soon = QTimer(self, singleShot=True, interval=SEARCH_MS)
        self._follow_soon = QTimer(self, singleShot=True, interval=FOLLOW_MS)
        self._poll = QTimer(self, singleShot=True, interval=EMPTY_POLL_MS)
        self._watch = QTimer(self, interval=WATCH_MS)
        self._connect()
        self.set_theme(context.theme)
        last = views_of_json(str(context.prefs.value("look") or "")).get("last")
        self.look_at(last or Look(filters=KEPT_ONLY), asking=False)

    @property
    def list(self) -> ItemTable | ItemGrid:
        """The view that is shown."""
        return self.layout_of.grid if self.session.look.layout == "grid" else self.layout_of.table

    @property
    def columns(self) -> tuple[ItemColumn, ...]:
        kind = self.kinds.get(self.session.look.kind)
        return kind.columns if kind else ()

    def start(self) -> None:
        self._ask_kind()
        self._watch.start()
        self._focus()

    def leave(self) -> None:
        self.layout_of.detail.deck.pause()
        self._poll.stop()
        self._watch.stop()

    def close_page(self) -> None:
        self._closed = True
        for timer in (self._search_soon, self._follow_soon, self._poll, self._watch):
            timer.stop()
        self.context.prefs.setValue("look", views_as_json({"last": self.session.look}))
        self.model.close()
        self.thumbnails.close()
        self.layout_of.detail.close_panel()

    def set_theme(self, theme: Theme) -> None:
        self.layout_of.set_theme(theme)

    def describe(self) -> str:
        look = self.session.look
        return f"{look.kind}s where {look.where!r}, search {look.words!r}, row {self.list.current()}"

    def look_at(self, look: Look, *, asking: bool = True) -> None:
        """Looks at something else, and shows it."""
        before, other = self.session.look, self.session.look_at(look)
        self.layout_of.show_look(look, self.columns)
        if before.kind != look.kind or not self.model.columns:
            self.model.set_columns(list(self.columns), HIDDEN)
            self.layout_of.table.fit_columns()
        self.layout_of.table.show_order(look.order)
        if other:
            self.layout_of.detail.show_item(look.kind, None, self.columns)
        if asking and (other or before.kind != look.kind):
            if look.kind != before.kind:
                self._ask_kind()
            self.model.restart()
        self._tell()

    def _handlers(self) -> dict[str, Callable[[], object]]:
        detail = lambda: self.layout_of.detail  # noqa: E731 - made after the actions
        return {
            "refresh": self._refresh,
            "find": lambda: self.layout_of.search.setFocus(Qt.FocusReason.ShortcutFocusReason),
            "add_filter": lambda: self.layout_of.filters.offer(),
            "clear_filters": self._clear,
            "sort": self._offer_columns,
            "turn_order": self._turn_order,
            "layout": lambda: self.look_at(replace(self.session.look, layout=self._other_layout())),
            "details": lambda: detail().setVisible(detail().isHidden()),
            "views": self._offer_views,
            "save_view": self._name_view,
            "choose_all": self._choose_all,
            "choose_none": self._choose_none,
            "send": lambda: self._with_chosen(self._send),
            "export_items": lambda: self._with_chosen(self._export),
            "exclude": lambda: self._with_chosen(lambda chosen: self._exclude(chosen, excluded=True)),
            "include": self._include,
            "erase_items": lambda: self._with_chosen(self._erase),
            **{f"kind_{kind}": lambda kind=kind: self._choose_kind(kind) for kind in KINDS},
            **{
                f"layer_{n}": lambda n=n: detail().set_layer(n, not detail().pane.layers[n])
                for n in ("boxes", "masks", "points")
            },
            **playing(lambda: detail().deck, lambda factor: detail().pane.zoom_by(factor)),
        }

    def _connect(self) -> None:
        layout = self.layout_of
        layout.search.textChanged.connect(lambda _: self._search_soon.start())
        layout.search.returnPressed.connect(self._take_search)
        self._search_soon.timeout.connect(self._search)
        layout.filters.changed.connect(self._take_filter)
        layout.filters.cleared.connect(self._clear)
        layout.table.sort_wanted.connect(lambda place: self._sort_by(self.model.columns[place].name))
        for view in (layout.table, layout.grid):
            view.selectionModel().selectionChanged.connect(self._on_selection)
            view.selectionModel().currentChanged.connect(lambda *_: self._follow_soon.start())
        self._follow_soon.timeout.connect(self._follow)
        self._poll.timeout.connect(self._refresh)
        self._watch.timeout.connect(self._count_again)
        self.link.revived.connect(self._refresh)

    def _ask_kind(self) -> None:
        kind = self.session.look.kind

        def known(found: ItemKind) -> None:
            if self._closed:
                return
            self.kinds[kind] = found
            if kind != self.session.look.kind:
                return
            self.layout_of.show_counts(found.counts)
            self.layout_of.show_look(self.session.look, self.columns)
            if [each.name for each in self.model.known] != [each.name for each in found.columns]:
                self.model.set_columns(list(found.columns), HIDDEN)
                self.layout_of.table.fit_columns()
                self.layout_of.table.show_order(self.session.look.order)
            self.model.ask()
            self._tell()

        self.link.ask(lambda: self.link.api.item_kind(kind=kind), known, self._on_trouble)

    def _on_trouble(self, error: StudioError) -> None:
        if not self._closed:
            self.session.trouble = str(error)
            self._tell()
            self._poll.start()

    def _refresh(self) -> None:
        """Asks anew for everything that is shown; the place in the list stays."""
        if self._closed:
            return
        bar = self.list.verticalScrollBar()
        at, current = bar.value(), self.list.current()
        self.session.refresh()
        self._ask_kind()
        self.model.restart()
        self.layout_of.detail.look_again()

        def back() -> None:
            if self.session.is_known and not self._closed:
                bar.setValue(at)
                if current is not None:
                    self.list.set_current(current)

        self._after_rows = back

    def _count_again(self) -> None:
        """Shows what curation or other people added or took away, unless somebody is choosing."""
        look, number = self.session.look, self.session.number

        def counted(page: ItemPage) -> None:
            stale = self._closed or number != self.session.number or not self.session.is_known
            if stale or page.total == self.session.total:
                return
            if self._num_chosen() > 1:
                self.layout_of.say(text("library.changed", cap=key_of("refresh")))
                self._tell()
            else:
                self._refresh()

        self.link.ask(
            lambda: self.link.api.items(kind=look.kind, where=look.where, search=look.words, order=look.order, limit=1),
            counted,
            lambda _: None,  # what cannot be reached is told by what is asked for next
        )

    _after_rows: Callable[[], None] | None = None

    def _tell(self) -> None:
        """Brings words and empty states in line with the session."""
        session, layout = self.session, self.layout_of
        focused = any(widget.hasFocus() for widget in (self, layout.table, layout.grid))
        layout.show_state(session, num_chosen=self._num_chosen())
        if focused:  # a list that is hidden while rows are on their way would hand the keys to some button
            self._focus()
        if session.is_known and self._after_rows is not None:
            after, self._after_rows = self._after_rows, None
            after()
        nothing = session.is_known and not session.total and not session.look.is_narrow
        if (nothing or session.trouble) and self.isVisible() and not self._poll.isActive():
            self._poll.start()
        if session.is_known and session.total and self.list.current() is None:
            self.list.set_current(0)

    def _focus(self) -> None:
        """To the list, or to the page while no list is shown."""
        (self.list if self.layout_of.lists.currentWidget() is self.list else self).setFocus()

    def _num_chosen(self) -> int:
        return self.session.total if self.session.all_chosen else count(self.list.chosen())

    def _on_selection(self) -> None:
        if not self._filling:
            self.session.all_chosen = False
            self._tell()

    def _follow(self) -> None:
        number = self.list.current()
        row = None if number is None else self.session.row(number)
        if row is not None:
            self.layout_of.detail.show_item(self.session.look.kind, row[0], self.columns)
        elif number is not None:
            self._follow_soon.start()  # its window is on the way

    def _choose_kind(self, kind: str) -> None:
        if kind != self.session.look.kind:
            look = self.session.look
            of_all = tuple(each for each in look.filters if each.column == "state")
            self.look_at(Look(kind=kind, layout=look.layout, search=look.words, filters=of_all))

    def _other_layout(self) -> str:
        return "table" if self.session.look.layout == "grid" else "grid"

    def _search(self) -> None:
        self.look_at(replace(self.session.look, search=self.layout_of.search.text()))

    def _take_search(self) -> None:
        self._search_soon.stop()
        self._search()
        self._focus()

    def _take_filter(self, new: Filter) -> None:
        self.look_at(with_filter(self.session.look, new))
        self._focus()

    def _clear(self) -> None:
        self.look_at(replace(without_filter(self.session.look, [f.column for f in self.session.look.filters]), search=""))
        self._focus()

    def _sort_by(self, name: str) -> None:
        """By a column; by the same again, the other way round."""
        order = self.session.look.order
        self.look_at(replace(self.session.look, order=f"-{name}" if order == name else name))

    def _turn_order(self) -> None:
        order = self.session.look.order
        if order:
            self.look_at(replace(self.session.look, order=order[1:] if order.startswith("-") else f"-{order}"))

    def _offer_columns(self) -> None:
        menu = QMenu(self)
        menu.addAction(text("library.footage_order"), lambda: self.look_at(replace(self.session.look, order="")))
        for column in self.columns:
            menu.addAction(column_title(column.name), lambda name=column.name: self._sort_by(name))
        self._pop_up(menu)

    def _offer_views(self) -> None:
        menu = QMenu(self)
        menu.addAction(text("actions.save_view"), self._name_view)
        if self.views:
            menu.addSeparator()
        for name, look in self.views.items():
            menu.addAction(name, lambda look=look: self.look_at(look))
        if self.views:
            gone = menu.addMenu(text("library.forget_view"))
            for name in self.views:
                gone.addAction(name, lambda name=name: self._forget_view(name))
        self._pop_up(menu)

    def _pop_up(self, menu: QMenu) -> None:
        button = self.layout_of.views_button
        menu.popup(button.mapToGlobal(QPoint(0, button.height() + 4)))
        menu.aboutToHide.connect(lambda: QTimer.singleShot(0, menu.deleteLater))

    def _name_view(self) -> None:
        dialog = QInputDialog(self)
        dialog.setWindowTitle(text("actions.save_view"))
        dialog.setLabelText(text("library.view_name"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.textValueSelected.connect(self.save_view)
        dialog.open()
        field = dialog.findChild(QLineEdit)
        if field is not None:
            field.setFocus()

    def save_view(self, name: str) -> None:
        """Keeps what is looked at under a name; the same name again replaces it."""
        if name.strip():
            self.views = {**self.views, name.strip(): self.session.look}
            self._keep_views()

    def _forget_view(self, name: str) -> None:
        self.views = {other: look for other, look in self.views.items() if other != name}
        self._keep_views()

    def _keep_views(self) -> None:
        self.context.prefs.setValue("views", views_as_json(self.views))
        self.context.prefs.sync()

    def _choose_all(self) -> None:
        """All that match, also those that are not at hand."""
        self._filling = True
        self.list.selectAll()
        self._filling = False
        self.session.all_chosen = bool(self.session.total)
        self._tell()

    def _choose_none(self) -> None:
        self.session.all_chosen = False
        self.list.clearSelection()
        self._tell()

    def _with_chosen(self, act: Callable[[Selection], object]) -> None:
        """Does something with the chosen items, else with the current one; fetches ids that are not at hand first."""
        spans = self.list.chosen()
        current = self.list.current()
        if not spans and current is not None:
            spans = [range(current, current + 1)]
        if self.session.all_chosen:
            act(self.session.all_that_match())
            return
        if count(spans) > MAX_IDS:
            self.context.notify(text("library.too_many", count=MAX_IDS, cap=key_of("choose_all")))
            return
        kind = self.session.look.kind
        at_hand, missing = self.session.windows_of(spans)

        def fetched(pages: list[ItemPage]) -> None:
            asked = {window.page: page for window, page in zip(missing, pages, strict=True)}
            chosen = chosen_of(kind, spans, {**at_hand, **asked})
            if self._closed or chosen is None:
                self._notify(text("library.changed", cap=key_of("refresh")))
            elif chosen.ids:
                act(chosen)

        if missing:
            self.link.ask(lambda: [fetch(self.link, window) for window in missing], fetched, self._refused, slow=True)
        else:
            fetched([])

    def _refused(self, error: StudioError) -> None:
        self._notify(str(error))

    def _notify(self, sentence: str) -> None:
        if not self._closed:
            self.context.notify(sentence)

    def _done(self, sentence: str) -> None:
        if not self._closed:
            self.layout_of.say(sentence)
            self._refresh()

    def _send(self, chosen: Selection) -> None:
        rater = self.context.rater
        self.link.ask(
            lambda: self.link.api.ask_verification(selection=chosen, rater=rater),
            lambda asked: self._done(text("library.sent", count=asked.pairs)),
            self._refused,
        )

    def _exclude(self, chosen: Selection, *, excluded: bool) -> None:
        rater = self.context.rater
        key = "library.included"
        if excluded:
            key = "library.excluded_all" if chosen.all_matching else "library.excluded"

        def changed(done: Excluded) -> None:
            self._taken_out = chosen if excluded and not chosen.all_matching else None
            self._done(text(key, count=done.items))

        self.link.ask(
            lambda: self.link.api.exclude(selection=chosen, rater=rater, excluded=excluded),
            changed,
            self._refused,
        )

    def _include(self) -> None:
        """The chosen items when they are excluded; else those that were taken out last."""
        current = self.list.current()
        if self._taken_out is not None and (current is None or self.model.value(current, "state") != EXCLUDED):
            self._exclude(self._taken_out, excluded=False)
        else:
            self._with_chosen(lambda chosen: self._exclude(chosen, excluded=False))

    def _export(self, chosen: Selection) -> None:
        dialog = ExportDialog(self, self.link, chosen, out=self.context.project / "exports")
        dialog.done_with.connect(self._done)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _erase(self, chosen: Selection) -> None:
        if chosen.kind not in ERASABLE:
            self.context.notify(text("erase.not_these"))
            return

        def erased(went: ErasedItems) -> None:
            paths = ", ".join(one.path for one in went.leftovers)
            rows = sum(went.removed.rows.values())
            key = "erase.done_left" if paths else "erase.done"
            self._done(text(key, count=len(went.leftovers) if paths else rows, paths=paths))

        EraseDialog(self, self.link, chosen, rater=self.context.rater, erased=erased).open()
