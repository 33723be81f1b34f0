"""Keys: every action of the table with its keys; another combination is pressed, and what speaks against it is said."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QKeyCombination, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from studio.actions import ACTIONS, Action, canonical_key, key_of, shown_key
from studio.key_map import Conflict, conflicts, keys_of
from studio.pages import PAGES
from studio.preferences import Keys, preferences
from studio.texts import text
from studio.widgets import Chip, label

COLUMNS = ("action", "place", "keys", "default")
WIDTHS_PX = (250, 210, 130)
"""Of all columns but the first, which takes the rest."""
MODIFIERS = (Qt.Key.Key_Control, Qt.Key.Key_Shift, Qt.Key.Key_Alt, Qt.Key.Key_Meta, Qt.Key.Key_AltGr, Qt.Key.Key_unknown)
ACTION_ROLE = Qt.ItemDataRole.UserRole


class KeyTable(QTableWidget):
    """Actions in the order of the menus. While it listens, the next combination is taken as it is, whatever it does elsewhere."""

    pressed_keys = Signal(str)
    given_up = Signal()

    def __init__(self) -> None:
        super().__init__(0, len(COLUMNS))
        self.is_listening = False
        self.setObjectName("items")
        self.setAccessibleName(text("settings.keys"))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalHeaderLabels([text(f"settings.key_{name}") for name in COLUMNS])
        self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.verticalHeader().hide()
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)

    def keyboardSearch(self, search: str) -> None:
        """Letters are keys here."""

    def event(self, event: QEvent) -> bool:
        if self.is_listening and isinstance(event, QKeyEvent):
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress:
                self._take(event)
                return True
        return super().event(event)

    def focusNextPrevChild(self, next: bool) -> bool:
        return False if self.is_listening else super().focusNextPrevChild(next)

    def _take(self, event: QKeyEvent) -> None:
        if event.key() in MODIFIERS or event.isAutoRepeat():
            return
        self.is_listening = False
        if event.key() == Qt.Key.Key_Escape and not event.modifiers():
            self.given_up.emit()
            return
        self.pressed_keys.emit(combination_of(event.key(), event.modifiers()))


class KeysSection(QWidget):
    """`changed` carries the whole choice of keys."""

    def __init__(self, changed: Callable[[Keys], object]) -> None:
        super().__init__()
        self._changed = changed
        self.search = QLineEdit()
        self.search.setPlaceholderText(text("settings.find_key"))
        self.search.setAccessibleName(text("settings.find_key"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _: self.show_keys())
        self.table = KeyTable()
        self.table.pressed_keys.connect(self.give)
        self.table.given_up.connect(lambda: self._say(text("settings.key_kept"), "quiet"))
        self.table.cellDoubleClicked.connect(lambda *_: self.listen())
        self.chip, self.words = Chip(), label("", "muted")
        self.words.setWordWrap(True)
        foot = QHBoxLayout()
        foot.addWidget(self.chip)
        foot.addWidget(self.words, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(self.search)
        column.addWidget(self.table, 1)
        column.addLayout(foot)
        self.show_keys()
        self._say(text("settings.keys_words", cap=key_of("change_keys")), "quiet")

    @property
    def action(self) -> Action | None:
        """The action of the chosen row."""
        item = self.table.item(self.table.currentRow(), 0)
        return None if item is None else item.data(ACTION_ROLE)

    def show_keys(self) -> None:
        """Lists the actions that the search finds, by name, place or key."""
        here = self.action
        chosen = preferences().keys
        words = self.search.text().casefold().split()
        rows = [action for action in ACTIONS if all(word in _said(action, chosen) for word in words)]
        self.table.setRowCount(len(rows))
        for number, action in enumerate(rows):
            is_own = action.id in chosen
            keys = keys_of(action, chosen)
            cells = (
                action.title,
                _places(action),
                f"{'◆ ' if is_own else ''}{_shown(keys)}",
                _shown(action.keys) if is_own else "",
            )
            for place, said in enumerate(cells):
                item = QTableWidgetItem(said)
                item.setData(ACTION_ROLE, action)
                item.setToolTip(said)
                self.table.setItem(number, place, item)
            if here is not None and here.id == action.id:
                self.table.setCurrentCell(number, 0)
        for place in range(1, len(COLUMNS)):
            self.table.setColumnWidth(place, WIDTHS_PX[place - 1])
        if rows and self.table.currentRow() < 0:
            self.table.setCurrentCell(0, 0)

    def choose(self, action_id: str) -> None:
        """Goes to an action, whether the search finds it or not."""
        self.search.clear()
        for number in range(self.table.rowCount()):
            item = self.table.item(number, 0)
            if item is not None and item.data(ACTION_ROLE).id == action_id:
                self.table.setCurrentCell(number, 0)

    def listen(self) -> None:
        """The next combination is for the chosen action."""
        action = self.action
        if action is not None:
            self.table.setFocus(Qt.FocusReason.OtherFocusReason)
            self.table.is_listening = True
            self._say(text("settings.press", action=action.title), "accent")

    def give(self, key: str) -> None:
        """Gives a combination to the chosen action, or says what speaks against it."""
        action, chosen = self.action, preferences().keys
        if action is None:
            return
        found = conflicts(action, key, chosen)
        if found:
            self._say(text("settings.refused", pressed=key, why=" ".join(_reason(each) for each in found)), "bad")
            return
        self._take(action, (canonical_key(key),))

    def reset(self) -> None:
        """The chosen action has the keys of the table again, unless another one took them."""
        action, chosen = self.action, preferences().keys
        if action is None or action.id not in chosen:
            return
        rest = {name: keys for name, keys in chosen.items() if name != action.id}
        found = [each for key in action.keys for each in conflicts(action, key, rest)]
        if found:
            self._say(text("settings.not_reset", why=" ".join(_reason(each) for each in found)), "bad")
            return
        self._take(action, action.keys)

    def reset_all(self) -> None:
        """Every action has the keys of the table again."""
        if preferences().keys:
            self._changed({})

    def focus_first(self) -> None:
        self.table.setFocus(Qt.FocusReason.OtherFocusReason)

    def _take(self, action: Action, keys: tuple[str, ...]) -> None:
        rest = {name: kept for name, kept in preferences().keys.items() if name != action.id}
        self._changed(rest if keys == action.keys else {**rest, action.id: keys})

    def _say(self, words: str, tone: str) -> None:
        self.chip.setText(text(f"settings.tone_{tone}"))
        self.chip.set_tone(tone)
        self.words.setText(words)
        self.table.setAccessibleDescription(words)


def combination_of(key: int, modifiers: Qt.KeyboardModifier) -> str:
    """A press of keys as Qt names it: Shift is left out where it makes another sign of the key, as in `?`."""
    code = Qt.Key(key)
    if 0x21 <= key <= 0x7E and not chr(key).isalnum():
        modifiers &= ~Qt.KeyboardModifier.ShiftModifier
    modifiers &= ~Qt.KeyboardModifier.KeypadModifier
    return QKeySequence(QKeyCombination(modifiers, code)).toString(QKeySequence.SequenceFormat.PortableText)


def _reason(found: Conflict) -> str:
    """A sentence on what speaks against a key."""
    if found.kind == "action":
        title = next(action.title for action in ACTIONS if action.id == found.what)
        return text("settings.taken_by", action=title)
    return text(f"settings.taken_{found.kind}", what=found.what)


def _places(action: Action) -> str:
    """Where the action can be done: everywhere, or on pages."""
    if "window" in action.contexts:
        return text("settings.everywhere")
    names = ["compare" if name == "judge" else name for name in action.contexts]
    return ", ".join(text(f"pages.{name}") for name in names if name in PAGES)


def _said(action: Action, chosen: Keys) -> str:
    keys = " ".join(keys_of(action, chosen))
    return f"{action.title} {action.id} {text(f'actions.{action.id}', within='en')} {_places(action)} {keys}".casefold()


def _shown(keys: tuple[str, ...]) -> str:
    return "   ".join(shown_key(key) for key in keys)
