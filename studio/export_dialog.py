"""Asks what, how and where pairs are exported, shows what that would come to, and exports them."""

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from backend.api import ExportSummary
from backend.domain import ProjectError, StudioError
from backend.domain.figures import ExportForecast, NamedSelection
from backend.domain.library import Selection
from backend.domain.privacy import PURPOSES
from studio.link import Link
from studio.sentences import translated
from studio.texts import counted, text
from studio.widgets import label

WIDTH_PX = 560
ASK_MS = 350  # after the last letter of a split
UNMET = {"where": "export.unmet", "not chosen": "export.not_chosen"}
"""Names that an export's summary has for what a condition, or a choice, does not take."""


class ExportDialog(QDialog):
    """Which pairs, format, folder and split, and before anything is written: parts, leaks and licences.

    `chosen` are the items that somebody chose; without, everything that the gates keep, or a named selection. `done_with`
    tells what was written. What is refused stays on the screen, to be mended.
    """

    done_with = Signal(str)

    def __init__(self, parent: QWidget, link: Link, chosen: Selection | None, *, out: Path) -> None:
        super().__init__(parent)
        self.setWindowTitle(text("export.title"))
        self.setMinimumWidth(WIDTH_PX)
        self._link, self._chosen, self._open, self._number = link, chosen, True, 0
        self._foreseen: ExportForecast | None = None
        self._is_writing = False
        self.what, self.format, self.purpose = QComboBox(), QComboBox(), QComboBox()
        for each in PURPOSES:
            self.purpose.addItem(text(f"export.purpose_{each}"), each)
        self.what.addItem(text("export.chosen" if chosen else "export.everything"), "")
        self.out = QLineEdit(str(out / "selection"))
        self.out.textChanged.connect(lambda _: self._allow())
        self.split = QLineEdit()
        self.split.setPlaceholderText("train=.9,val=.05,test=.05")
        self.forecast = label("", "fact")
        self.forecast.setWordWrap(True)
        self.forecast.setMinimumHeight(96)
        self.forecast.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.forecast.setAccessibleName(text("export.before"))
        self.trouble = label("", "banner")
        self.trouble.setWordWrap(True)
        self.trouble.hide()
        self._soon = QTimer(self, singleShot=True, interval=ASK_MS)
        self._soon.timeout.connect(self._foresee)
        self.split.textChanged.connect(lambda _: self._change())
        for box in (self.what, self.format, self.purpose):
            box.currentIndexChanged.connect(lambda _: self._change())
        column = QVBoxLayout(self)
        column.setContentsMargins(28, 24, 28, 22)
        column.setSpacing(16)
        column.addWidget(label(text("export.title"), "title"))
        words = label(text("export.words"), "muted")
        words.setWordWrap(True)
        column.addWidget(words)
        column.addLayout(self._build_fields())
        column.addWidget(label(text("export.before"), "slot"))
        column.addWidget(self.forecast)
        column.addWidget(self.trouble)
        column.addLayout(self._build_buttons())
        self.finished.connect(self._leave)
        self.forecast.setText(text("export.looking"))
        self._tell_choices()

    def _build_fields(self) -> QGridLayout:
        browse = QPushButton(text("library.browse"))
        browse.setObjectName("worded")
        browse.clicked.connect(self._browse)
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(10)
        grid.setColumnStretch(1, 1)
        fields = (
            ("export.what", self.what),
            ("library.format", self.format),
            ("library.folder", self.out),
            ("library.split", self.split),
            ("export.purpose", self.purpose),
        )
        for row, (key, field) in enumerate(fields):
            name = label(text(key), "fact_name")
            name.setBuddy(field)
            field.setAccessibleName(text(key))
            grid.addWidget(name, row, 0)
            grid.addWidget(field, row, 1)
        grid.addWidget(browse, 2, 2)
        return grid

    def _build_buttons(self) -> QHBoxLayout:
        self.go = QPushButton(text("library.do_export_items"))
        self.go.setObjectName("primary")
        self.go.setDefault(True)
        self.go.setEnabled(False)
        self.go.clicked.connect(self._export)
        cancel = QPushButton(text("library.cancel"))
        cancel.setObjectName("worded")
        cancel.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.go)
        return buttons

    def _allow(self) -> None:
        """Exports can be asked for once it is known what they hold, in which format and where to, and none is under way."""
        found = self._foreseen
        told = self.format.count() > 0 and bool(self.out.text().strip())
        can = found is not None and found.pairs > 0 and found.leaks == 0 and not found.refused
        self.go.setEnabled(told and not self._is_writing and can)

    def _change(self) -> None:
        """What was foreseen is of something else."""
        self._number += 1
        self._foreseen = None
        self.forecast.setText(text("export.looking"))
        self._allow()
        self._soon.start()

    def _leave(self) -> None:
        self._open = False
        self._soon.stop()

    def _tell_choices(self) -> None:
        def known(found: tuple[tuple[str, ...], tuple[NamedSelection, ...]]) -> None:
            if self._open:
                self.format.addItems(list(found[0]))
                for each in found[1]:
                    self.what.addItem(text("export.named", name=each.name), each.name)
                self.format.setFocus(Qt.FocusReason.OtherFocusReason)
                self._foresee()

        api = self._link.api
        self._link.ask(lambda: (api.export_formats(), api.selections()), known, self._not_foreseen)

    def _browse(self) -> None:
        found = QFileDialog.getExistingDirectory(self, text("library.folder"), self.out.text())
        if found:
            self.out.setText(found)

    def _asked(self) -> tuple[str, Selection | None, dict[str, str]]:
        """The named selection, the chosen items where it is not one, and how they are exported."""
        name = str(self.what.currentData() or "")
        how = {
            "format": self.format.currentText(),
            "split": self.split.text().strip(),
            "purpose": str(self.purpose.currentData()),
        }
        return name, None if name else self._chosen, how

    def _foresee(self) -> None:
        """Asks what the export would hold."""
        self._change()
        self._soon.stop()
        number = self._number
        name, chosen, how = self._asked()
        self.trouble.hide()

        def known(found: ExportForecast) -> None:
            if self._open and number == self._number:
                self.show_forecast(found)

        def refused(error: StudioError) -> None:
            if number == self._number:
                self._not_foreseen(error)

        self._link.ask(
            lambda: self._link.api.forecast_export(selection=chosen, name=name, **how), known, refused, slow=True
        )

    def show_forecast(self, found: ExportForecast) -> None:
        """What the export would come to; it can be asked for unless it would be refused."""
        self.forecast.setText(forecast_words(found))
        self._foreseen = found
        if found.refused:
            self._refused(ProjectError(translated(found.refused)))
        else:
            self._allow()

    def _export(self) -> None:
        name, chosen, how = self._asked()
        told = {"out": self.out.text().strip(), **how}
        self._is_writing = True
        self._allow()
        self.trouble.hide()
        api = self._link.api
        if name:
            work = lambda: api.export_selection(name=name, **told)  # noqa: E731 - one of three
        elif chosen is not None:
            work = lambda: api.export_items(selection=chosen, **told)  # noqa: E731
        else:
            work = lambda: api.export(**told)  # noqa: E731
        self._link.ask(work, self._written, self._not_written, slow=True)

    def _written(self, summary: ExportSummary) -> None:
        told = text("library.exported", count=summary.pairs, out=summary.out)
        if summary.left_out:
            told += " · " + _left_out(summary.left_out)
        self.done_with.emit(told)
        if self._open:
            self.accept()

    def _not_written(self, error: StudioError) -> None:
        self._is_writing = False
        self._refused(error)

    def _not_foreseen(self, error: StudioError) -> None:
        if self._open:
            self.forecast.setText("")
            self._refused(error)

    def _refused(self, error: StudioError) -> None:
        if self._open:
            self._allow()
            self.trouble.setText(str(error))
            self.trouble.show()


def forecast_words(found: ExportForecast) -> str:
    """What an export would hold, line by line: pairs, parts, leaks, licences."""
    lines = [text("export.pairs", pairs=counted("pair", found.pairs), videos=counted("video", found.videos))]
    if found.parts:
        parts = "   ".join(f"{name} {number:,}" for name, number in found.parts.items())
        lines.append(text("export.parts", parts=parts))
        lines.append(text("export.leaks", count=found.leaks) if found.leaks else text("export.no_leaks"))
    if found.left_out:
        lines.append(f"! {_left_out(found.left_out)}")
    if not found.pairs:
        return "\n".join([*lines, *([] if found.left_out else [text("export.nothing")])])
    lines.append(text("export.groups", count=found.groups, largest=counted("pair", found.largest)))
    stated = [f"{name} ({number:,})" for name, number in found.licences.items() if name]
    if stated:
        lines.append(text("export.licences", licences=", ".join(stated)))
    if unstated := found.licences.get("", 0):
        lines.append(text("export.no_licence", count=unstated))
    return "\n".join(lines)


def _left_out(reasons: Mapping[str, int]) -> str:
    told = {text(UNMET[reason]) if reason in UNMET else translated(reason): number for reason, number in reasons.items()}
    return text("export.left_out", reasons=", ".join(f"{reason} {number:,}" for reason, number in told.items()))
