"""What is kept of people, where, and what leaves this machine."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QScrollArea, QVBoxLayout, QWidget

from backend.domain.project_care import PrivacyFacts
from studio.item_model import stage_words
from studio.pages.page import Frame
from studio.preferences import preferences
from studio.texts import counted, text
from studio.widgets import label

BLOCKS = ("away", "judges", "participants", "shown")
MAX_NAME = 80


class PrivacySection(QWidget):
    """Blocks of a headline, a figure and words; below them the name of one's votes and the crash records."""

    def __init__(self, frame: Frame, *, forget_crashes: Callable[[], object]) -> None:
        super().__init__()
        self._frame = frame
        self.figures: dict[str, QLabel] = {}
        self.words: dict[str, QLabel] = {}
        inner = QWidget()
        inner.setMaximumWidth(980)
        column = QVBoxLayout(inner)
        column.setContentsMargins(2, 2, 14, 12)
        column.setSpacing(16)
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(16)
        for place, name in enumerate(BLOCKS):
            grid.addWidget(self._build_block(name), place // 2, place % 2)
        column.addLayout(grid)
        self.rater = QLineEdit(frame.rater)
        self.rater.setMaxLength(MAX_NAME)
        self.rater.setMaximumWidth(320)
        self.rater.setAccessibleName(text("settings.rater"))
        self.rater.editingFinished.connect(self._take_name)
        column.addWidget(_labelled("rater", self.rater))
        self.crashes = label("", "fact")
        self.forget = QPushButton(text("settings.forget_crashes"))
        self.forget.setObjectName("worded")
        self.forget.clicked.connect(lambda: forget_crashes())
        row = QHBoxLayout()
        row.addWidget(self.crashes)
        row.addWidget(self.forget)
        row.addStretch(1)
        holder = QWidget()
        holder.setLayout(row)
        row.setContentsMargins(0, 0, 0, 0)
        column.addWidget(_labelled("crash", holder))
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(inner)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(area)
        self.show_crashes()

    def show_facts(self, facts: PrivacyFacts) -> None:
        """What the service counted."""
        away = [far for far in facts.far if not far.on_this_machine]
        self.figures["away"].setText(text("settings.away_none") if not away else str(len(away)))
        told = [
            text(
                "settings.far_here" if far.on_this_machine else "settings.far",
                role=far.role,
                model=far.model,
                url=far.url,
                stages=", ".join(map(stage_words, far.asked_by)) or text("settings.asked_by_none"),
            )
            for far in facts.far
        ]
        self.words["away"].setText("\n".join((*told, text("settings.away_words" if told else "settings.away_none_words"))))
        self.figures["judges"].setText(
            text("settings.judges_figure", names=counted("name", facts.raters), verdicts=counted("verdict", facts.verdicts))
        )
        self.words["judges"].setText(text("settings.judges_words"))
        figure = text(
            "settings.participants_figure",
            people=counted("person", facts.participants),
            answers=counted("answer", facts.participants_votes),
        )
        self.figures["participants"].setText(figure)
        hashed = text("settings.addresses_hashed" if facts.addresses_hashed else "settings.addresses_none")
        erased = text("settings.erased", count=facts.erased, backups=facts.backups)
        self.words["participants"].setText(f"{hashed} {erased}")
        shown = text(
            "settings.shown_figure", subjects=counted("subject", facts.subjects), faces=counted("face", facts.faces)
        )
        self.figures["shown"].setText(shown)
        rights = text("settings.licences", sources=f"{facts.sources:,}", without=f"{facts.without_licence:,}")
        self.words["shown"].setText(f"{text('settings.shown_words')} {rights}")

    def show_crashes(self) -> None:
        """How many records of crashes lie on this machine."""
        number = len(crash_records(self._frame.state_dir))
        self.crashes.setText(text("settings.crashes", count=number))
        self.forget.setEnabled(number > 0)

    def focus_first(self) -> None:
        self.rater.setFocus(Qt.FocusReason.OtherFocusReason)

    def _build_block(self, name: str) -> QWidget:
        block = QWidget()
        block.setObjectName("panel")
        block.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.figures[name], self.words[name] = label("…", "big"), label("", "hint")
        self.figures[name].setWordWrap(True)
        self.words[name].setWordWrap(True)
        self.words[name].setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column = QVBoxLayout(block)
        column.setContentsMargins(18, 14, 18, 16)
        column.setSpacing(6)
        column.addWidget(label(text(f"settings.block_{name}"), "slot"))
        column.addWidget(self.figures[name])
        column.addWidget(self.words[name])
        column.addStretch(1)
        return block

    def _take_name(self) -> None:
        name = self.rater.text().strip()
        if name != self._frame.rater:
            self._frame.set_preferences(replace(preferences(), rater=name))


def crash_records(state: Path) -> list[Path]:
    """Files that the crash hook wrote for this project, oldest first."""
    return sorted((state / "crashes").glob("*.txt"))


def _labelled(name: str, widget: QWidget) -> QWidget:
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(6)
    column.addWidget(label(text(f"settings.{name}"), "slot"))
    column.addWidget(widget)
    words = label(text(f"settings.{name}_words"), "hint")
    words.setWordWrap(True)
    column.addWidget(words)
    return holder
