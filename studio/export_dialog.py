"""Asks how and where chosen items are exported, and exports them."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
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
from backend.domain import StudioError
from backend.domain.library import Selection
from studio.link import Link
from studio.texts import text
from studio.widgets import label

WIDTH_PX = 520


class ExportDialog(QDialog):
    """Format, folder and split; `done_with` tells what was written. What is refused stays on the screen, to be mended."""

    done_with = Signal(str)

    def __init__(self, parent: QWidget, link: Link, chosen: Selection, *, out: Path) -> None:
        super().__init__(parent)
        self.setWindowTitle(text("actions.export_items"))
        self.setMinimumWidth(WIDTH_PX)
        self._link, self._chosen, self._open = link, chosen, True
        self.format = QComboBox()
        self.out = QLineEdit(str(out / "selection"))
        self.split = QLineEdit()
        self.split.setPlaceholderText("train=.9,val=.05,test=.05")
        self.words = label(text("library.export_words"), "muted")
        self.words.setWordWrap(True)
        self.trouble = label("", "banner")
        self.trouble.setWordWrap(True)
        self.trouble.hide()
        browse = QPushButton(text("library.browse"))
        browse.setObjectName("worded")
        browse.clicked.connect(self._browse)
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(10)
        grid.setColumnStretch(1, 1)
        for row, (key, field) in enumerate(
            (("library.format", self.format), ("library.folder", self.out), ("library.split", self.split))
        ):
            name = label(text(key), "fact_name")
            name.setBuddy(field)
            field.setAccessibleName(text(key))
            grid.addWidget(name, row, 0)
            grid.addWidget(field, row, 1)
        grid.addWidget(browse, 1, 2)
        self.go = QPushButton(text("library.do_export_items"))
        self.go.setObjectName("primary")
        self.go.setDefault(True)
        self.go.clicked.connect(self._export)
        cancel = QPushButton(text("library.cancel"))
        cancel.setObjectName("worded")
        cancel.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.go)
        column = QVBoxLayout(self)
        column.setContentsMargins(28, 24, 28, 22)
        column.setSpacing(16)
        column.addWidget(label(text("actions.export_items"), "title"))
        column.addWidget(self.words)
        column.addLayout(grid)
        column.addWidget(self.trouble)
        column.addLayout(buttons)
        self.finished.connect(self._leave)
        self._tell_formats()

    def _leave(self) -> None:
        self._open = False

    def _tell_formats(self) -> None:
        def known(names: tuple[str, ...]) -> None:
            if self._open:
                self.format.addItems(list(names))
                self.format.setFocus(Qt.FocusReason.OtherFocusReason)

        self._link.ask(lambda: self._link.api.export_formats(), known, self._refused)

    def _browse(self) -> None:
        found = QFileDialog.getExistingDirectory(self, text("library.folder"), self.out.text())
        if found:
            self.out.setText(found)

    def _export(self) -> None:
        chosen, form, out, split = (
            self._chosen,
            self.format.currentText(),
            self.out.text().strip(),
            self.split.text().strip(),
        )
        self.go.setEnabled(False)
        self.trouble.hide()
        self._link.ask(
            lambda: self._link.api.export_items(selection=chosen, format=form, out=out, split=split),
            self._written,
            self._refused,
            slow=True,
        )

    def _written(self, summary: ExportSummary) -> None:
        self.done_with.emit(text("library.exported", count=summary.pairs, out=summary.out))
        if self._open:
            self.accept()

    def _refused(self, error: StudioError) -> None:
        if self._open:
            self.go.setEnabled(True)
            self.trouble.setText(str(error))
            self.trouble.show()
