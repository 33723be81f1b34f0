"""Small widgets that every page uses: keycaps, choice buttons, chips, tool buttons."""

import re

from PySide6.QtCore import QEvent, QSize, Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from backend.domain import Choice
from studio.actions import shown_key
from studio.texts import text
from studio.theme import Theme, icon

TONES = {"same": "good", "yes": "good", "different": "bad", "no": "bad", "near_duplicate": "warn", "unsure": "quiet"}
"""Colour of a choice by its value; others have none. The word and the key always say the same."""
ICONS = {"same": "same", "different": "different", "near_duplicate": "copy", "unsure": "unsure"}
REST_PX = 400
"""Width of the words of a page that has nothing to show: about 65 letters a line."""
LONGEST_WORD = 40  # letters that are shown unbroken
PRESSED_MS = 140  # long enough to be seen, gone before the next verdict


class Keycap(QLabel):
    """A key as drawn on a keyboard."""

    def __init__(self, key: str) -> None:
        super().__init__(shown_key(key))
        self.setObjectName("keycap")
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)


class ChoiceButton(QPushButton):
    """One choice: icon, words and the key that gives it."""

    def __init__(self, choice: Choice, theme: Theme) -> None:
        super().__init__()
        self.choice = choice
        tone = TONES.get(choice.value, "")
        self.setObjectName("verdict")
        self.setProperty("tone", tone)
        self.setAccessibleName(text("frame.by_key", words=choice.label, cap=shown_key(choice.key)))
        self.setMinimumHeight(56)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(18, 10, 14, 10)
        row.setSpacing(10)
        row.addStretch(1)
        if choice.value in ICONS:
            picture = QLabel()
            picture.setPixmap(icon(ICONS[choice.value], theme.colour(tone or "text"), size_px=22).pixmap(22, 22))
            row.addWidget(picture)
        words = QLabel(choice.label)
        words.setObjectName("choice")
        row.addWidget(words)
        row.addSpacing(4)
        row.addWidget(Keycap(choice.key))
        row.addStretch(1)
        for child in self.findChildren(QLabel):
            child.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def sizeHint(self) -> QSize:
        return self._row.sizeHint()

    def flash(self) -> None:
        """Shows for a moment that this choice was taken."""
        self._press(True)
        QTimer.singleShot(PRESSED_MS, self, lambda: self._press(False))

    def _press(self, pressed: bool) -> None:
        self.setProperty("pressed", "true" if pressed else "false")
        self.style().unpolish(self)
        self.style().polish(self)


class Chip(QLabel):
    """A word in a rounded box; `tone` is good, bad, warn, accent or quiet."""

    def __init__(self, text: str = "", tone: str = "quiet") -> None:
        super().__init__(text)
        self.setObjectName("chip")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.set_tone(tone)

    def set_tone(self, tone: str) -> None:
        """Changes the colour."""
        _set_tone(self, tone)


class ChipButton(QPushButton):
    """A chip that can be pressed."""

    def __init__(self, text: str, tone: str) -> None:
        super().__init__(text)
        self.setObjectName("chip")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.set_tone(tone)

    def set_tone(self, tone: str) -> None:
        """Changes the colour."""
        _set_tone(self, tone)


class Rest(QWidget):
    """What stands where there is nothing to show: a headline, words, and `below` them what one can do."""

    def __init__(self, *below: QWidget) -> None:
        super().__init__()
        self.setObjectName("rest")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.head, self.words = label("", "title"), label("", "muted")
        self.words.setWordWrap(True)
        self.words.setFixedWidth(REST_PX)
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addStretch(4)
        for words in (self.head, self.words):
            words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        for widget in (self.head, self.words, *below):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(5)

    def say(self, head: str, words: str) -> None:
        """Other words."""
        self.head.setText(head)
        self.words.setText(breakable(words))
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def _fit(self) -> None:
        """All lines of the words: a layout that centres them asks for no height by width."""
        self.words.setMinimumHeight(max(0, self.words.heightForWidth(REST_PX)))  # -1 while there are none


def look_as_rows(view: QTableView, *, height_px: int) -> None:
    """A table that is read row by row: whole rows are chosen, nothing is edited in place, and it scrolls by pixels."""
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.setShowGrid(False)
    view.setWordWrap(False)
    view.setTabKeyNavigation(False)
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    rows = view.verticalHeader()
    rows.hide()
    rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    rows.setDefaultSectionSize(height_px)


def tool_button(name: str, tip: str, *, checkable: bool = False) -> QToolButton:
    """A button that shows an icon only; `name` is the action, `tip` is also its accessible name."""
    button = QToolButton()
    button.setObjectName("tool")
    button.setProperty("action", name)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setCheckable(checkable)
    button.setIconSize(QSize(20, 20))
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


class KeyButton(QPushButton):
    """A key and what it does, in a quiet row; a click does it too. `name` is what the style sheet calls it."""

    def __init__(self, key: str, words: str, *, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(text("frame.by_key", words=words, cap=shown_key(key)))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(6, 3, 10, 3)
        row.setSpacing(7)
        row.addWidget(Keycap(key))
        self._words = label(words, "hint")
        row.addWidget(self._words)
        for child in self.findChildren(QLabel):
            child.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def set_words(self, words: str) -> None:
        """Other words, when what the key does has changed."""
        self._words.setText(words)

    def sizeHint(self) -> QSize:
        return self._row.sizeHint()


def label(text: str, name: str) -> QLabel:
    """Plain text whose look the style sheet takes from `name`."""
    widget = QLabel(text)
    widget.setObjectName(name)
    widget.setTextFormat(Qt.TextFormat.PlainText)
    return widget


def give_keyboard(widget: QWidget) -> None:
    """Gives the keyboard to a widget on the screen, also to one that was just added to a layout.

    Such a one is shown only in the window's next turn; till then Qt forgets who asked, if the window is not the active one.
    """
    above: QWidget | None = widget
    late: list[QWidget] = []
    while above is not None and not above.isWindow():
        if above.isHidden() and not above.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide):
            late.append(above)
        above = above.parentWidget()
    for each in reversed(late):
        each.show()
    if widget.isVisible():
        widget.setFocus(Qt.FocusReason.OtherFocusReason)


def breakable(sentence: str) -> str:
    """A sentence whose long paths may be broken after each slash: a label is as wide as its longest word."""
    return re.sub(rf"\S{{{LONGEST_WORD},}}", lambda word: word[0].replace("/", "/\u200b"), sentence)


def clear(layout_owner: QWidget) -> None:
    """Removes everything from a widget's layout."""
    layout = layout_owner.layout()
    while layout is not None and (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            widget.hide()
            widget.deleteLater()


def _set_tone(widget: QWidget, tone: str) -> None:
    if widget.property("tone") != tone:
        widget.setProperty("tone", tone)
        widget.style().unpolish(widget)
        widget.style().polish(widget)
