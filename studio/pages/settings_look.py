"""How Studio looks and speaks: theme, language, size of type. All of it holds at once."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from studio.pages.page import Frame
from studio.preferences import TEXT_PERCENT, preferences
from studio.texts import LANGUAGES, language, text
from studio.theme import CHOICES
from studio.widgets import label

SIZES = (85, 100, 115, 130, 150)
"""Percent of the desktop's size of type."""


class LookSection(QWidget):
    """A row of segments for each choice."""

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        self._frame = frame
        assert all(TEXT_PERCENT[0] <= size <= TEXT_PERCENT[1] for size in SIZES), "every size can be kept"
        self.themes = _Segments({name: text(f"settings.theme_{name}") for name in CHOICES}, frame.set_theme)
        self.languages = _Segments(LANGUAGES, frame.set_language)
        self.sizes = _Segments({str(size): f"{size} %" for size in SIZES}, self._resize)
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 2, 14, 0)
        column.setSpacing(8)
        for name, segments in (("theme", self.themes), ("language", self.languages), ("size", self.sizes)):
            column.addWidget(label(text(f"settings.{name}"), "slot"))
            segments.setAccessibleName(text(f"settings.{name}"))
            column.addWidget(segments)
            words = label(text(f"settings.{name}_words"), "hint")
            words.setWordWrap(True)
            column.addWidget(words)
            column.addSpacing(14)
        column.addStretch(1)
        self.show_choices()

    def show_choices(self) -> None:
        """What is chosen now."""
        self.themes.check(self._frame.theme_choice)
        self.languages.check(language())
        self.sizes.check(str(preferences().text_percent))

    def focus_first(self) -> None:
        self.themes.focus_checked()

    def _resize(self, percent: str) -> None:
        self._frame.set_preferences(replace(preferences(), text_percent=int(percent)))


class _Segments(QWidget):
    """One of a few; a click or Space chooses it."""

    def __init__(self, titles: Mapping[str, str], chosen: Callable[[str], object]) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QPushButton] = {}
        for name, title in titles.items():
            button = QPushButton(title)
            button.setObjectName("segment")
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.clicked.connect(lambda _=False, name=name: chosen(name))
            self._group.addButton(button)
            row.addWidget(button)
            self.buttons[name] = button
        row.addStretch(1)

    def check(self, name: str) -> None:
        if name in self.buttons:
            self.buttons[name].setChecked(True)

    def focus_checked(self) -> None:
        here = self._group.checkedButton() or next(iter(self.buttons.values()))
        here.setFocus(Qt.FocusReason.OtherFocusReason)
