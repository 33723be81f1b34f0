"""A form made from a job's fields: what is changed is marked and can be put back; further settings are folded away, with a search."""

from collections.abc import Callable, Mapping
from typing import Protocol

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from backend.domain.jobs import JobField
from studio.fields import ChoiceField
from studio.path_fields import PathLine, PathLines
from studio.sentences import translated
from studio.sessions.job_form import PATHS, FormSession, group_of, title_of
from studio.texts import named, text
from studio.widgets import clear, give_keyboard, label, tool_button

SEARCH_MS = 150
AT_ONCE = 8  # rows that are made between two turns of the window
NAME_PX = 190
PLACEHOLDERS = {"integer": "12", "number": "0.5", "list": '["a", "b"]'}


class SettingsForm(QWidget):
    """Shows a `FormSession` and keeps it up to date. `changed` carries the name of the field that changed."""

    changed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.session: FormSession | None = None
        self.rows: dict[str, FieldRow] = {}
        self.more = QPushButton()
        self.more.setObjectName("toggle")
        self.more.setCheckable(True)
        self.more.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.more.clicked.connect(self.show_more)
        self.search = QLineEdit()
        self.search.setPlaceholderText(text("jobs.more_search"))
        self.search.setAccessibleName(text("jobs.more_search"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _: self._soon.start())
        self.found = label("", "hint")
        self._soon = QTimer(self, singleShot=True, interval=SEARCH_MS)
        self._soon.timeout.connect(self._search)
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self._add_rows)
        self._waiting: list[JobField] = []
        self._group = ""
        self._main, self._further = QWidget(), QWidget()
        for holder in (self._main, self._further):
            column = QVBoxLayout(holder)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(10)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(2, 2, 14, 12)
        column.setSpacing(14)
        column.addWidget(self._main)
        fold = QHBoxLayout()
        fold.setSpacing(10)
        fold.addWidget(self.more)
        fold.addWidget(self.search, 1)
        fold.addWidget(self.found)
        fold.addStretch(0)
        column.addLayout(fold)
        column.addWidget(self._further)
        column.addStretch(1)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setWidget(inner)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(self.area)

    def show_form(self, session: FormSession) -> None:
        """Another form, or the same with other values."""
        self.session = session
        clear(self._main)
        self.rows = {}
        layout = self._main.layout()
        assert layout is not None
        for field in session.form.main:
            layout.addWidget(self._row(field))
        self.more.setVisible(bool(session.form.more))
        with QSignalBlocker(self.search):
            self.search.setText(session.search)
        self._show_further()

    def show_more(self, on: bool) -> None:
        """Unfolds the further settings, or folds them away."""
        if self.session is not None and self.session.form.more:
            self.session.with_more = on
            self._show_further()
            if on:
                self.search.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_values(self) -> None:
        """Brings every field in line with the session."""
        for row in self.rows.values():
            row.show_value()

    def show_problems(self, problems: dict[str, str]) -> None:
        """Says beside fields why they cannot be right, and goes to the first."""
        if self.session is not None and any(
            name in problems and name not in self.rows for name in (one.name for one in self.session.form.more)
        ):
            self.session.with_more, self.session.search = True, ""
            self.show_form(self.session)
        self._add_rows(len(self._waiting))
        for name, row in self.rows.items():
            row.show_problem(problems.get(name, ""))
        first = next((row for name, row in self.rows.items() if name in problems), None)
        if first is not None:
            give_keyboard(first.editor)
            QTimer.singleShot(0, first, lambda: self.area.ensureWidgetVisible(first))

    def reset(self) -> None:
        """Every field has its default again."""
        if self.session is not None and self.session.reset_all():
            self.show_values()
            self.changed.emit("")

    def focus_first(self) -> None:
        """To the first field that must be given and is not, else to the first."""
        rows = list(self.rows.values())
        if not rows or self.session is None:
            return
        problems = self.session.problems()
        give_keyboard(next((row for row in rows if row.asked.name in problems), rows[0]).editor)

    def _search(self) -> None:
        if self.session is not None:
            self.session.search = self.search.text()
            self.session.with_more |= bool(self.search.text())
            self._show_further()

    def _show_further(self) -> None:
        session = self.session
        assert session is not None, "a form is shown before it is searched"
        number, shown = len(session.form.more), session.shown_more()
        changed = sum(session.is_changed(one.name) for one in session.form.more)
        words = text("jobs.more", count=number)
        self.more.setText(f"{'▾' if session.with_more else '▸'}  {words}{f'   ● {changed}' if changed else ''}")
        self.more.setChecked(session.with_more)
        self.search.setVisible(bool(number) and session.with_more)
        narrowed = session.with_more and session.search
        self.found.setText(text("jobs.more_found", count=len(shown), total=number) if narrowed else "")
        for one in session.form.more:
            self.rows.pop(one.name, None)
        clear(self._further)
        self._group, self._waiting = "", list(shown)
        self._add_rows()

    def _add_rows(self, most: int = AT_ONCE) -> None:
        """The next of the further settings; the rest when the window has had its turn, since there may be a hundred."""
        layout = self._further.layout()
        assert layout is not None
        for field in self._waiting[:most]:
            if group_of(field.name) != self._group:
                self._group = group_of(field.name)
                layout.addWidget(label(self._group.replace("_", " ").replace(".", " · "), "slot"))
            layout.addWidget(self._row(field))
        del self._waiting[:most]
        if self._waiting:
            self._later.start()

    def _row(self, field: JobField) -> "FieldRow":
        assert self.session is not None, "rows are of a session"
        self.rows[field.name] = row = FieldRow(field, self.session, self._told)
        return row

    def _told(self, name: str) -> None:
        """A field has another value: those that a choice of this form depends on are the page's business."""
        session = self.session
        if session is not None and name in {one.name for one in session.form.more}:
            changed = sum(session.is_changed(one.name) for one in session.form.more)
            words = text("jobs.more", count=len(session.form.more))
            self.more.setText(f"▾  {words}{f'   ● {changed}' if changed else ''}")
        self.changed.emit(name)


class Values(Protocol):
    """What a row needs of a session: values by name, what differs from where it began, what was refused."""

    @property
    def refused(self) -> Mapping[str, str]: ...

    def value(self, name: str) -> str: ...

    def fill(self, name: str, value: str) -> bool: ...

    def is_changed(self, name: str) -> bool: ...


class FieldRow(QWidget):
    """One field: its name, an editor for its type, what it means, why it cannot be right, and a way back to its default."""

    def __init__(self, asked: JobField, session: Values, told: Callable[[str], object]) -> None:
        super().__init__()
        self.asked, self._session, self._told = asked, session, told
        self.title = label("", "fact_name")
        self.title.setFixedWidth(NAME_PX)
        self.title.setWordWrap(True)
        self.title.setToolTip(asked.name)
        self.editor = self._build_editor()
        self.editor.setAccessibleName(field_title(asked.name))
        self.editor.setToolTip(translated(asked.words))
        self.title.setBuddy(self.editor)
        self.back = tool_button("reset_field", text("jobs.reset_field", default=asked.default or "–"))
        self.back.setText("↺")
        self.back.clicked.connect(self._reset)
        keep = self.back.sizePolicy()
        keep.setRetainSizeWhenHidden(True)
        self.back.setSizePolicy(keep)
        self.about, self.trouble = label(translated(asked.words), "hint"), label("", "field_problem")
        for words in (self.about, self.trouble):
            words.setWordWrap(True)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.title, 0, 0)
        grid.addLayout(self._beside_editor(), 0, 1)
        grid.addWidget(self.back, 0, 2)
        grid.addWidget(self.about, 1, 1)
        grid.addWidget(self.trouble, 2, 1)
        self.about.setVisible(bool(asked.words))
        self.show_value()
        self.show_problem(session.refused.get(asked.name, ""))

    def show_value(self) -> None:
        """What the session says of this field."""
        value = self._session.value(self.asked.name)
        with QSignalBlocker(self.editor):
            if isinstance(self.editor, QComboBox):
                self.editor.setCurrentIndex(self.editor.findData(value))
            elif isinstance(self.editor, PathLines):
                self.editor.show_paths(value)
            elif isinstance(self.editor, QLineEdit) and self.editor.text() != value:
                self.editor.setText(value)
        changed = self._session.is_changed(self.asked.name)
        mark, must = "● " if changed else "", " *" if self.asked.required else ""
        self.title.setText(f"{mark}{field_title(self.asked.name)}{must}")
        said = [translated(self.asked.words)]
        said += [text("jobs.is_required")] if self.asked.required else []
        said += [text("jobs.is_changed", default=self.asked.default or "–")] if changed else []
        self.editor.setAccessibleDescription(". ".join(part for part in said if part))
        self.back.setVisible(changed)

    def show_problem(self, sentence: str) -> None:
        """Why it cannot be right; empty where it can."""
        self.trouble.setText(f"✕ {sentence}" if sentence else "")
        self.trouble.setVisible(bool(sentence))
        if sentence:
            self.editor.setAccessibleDescription(sentence)

    def take(self, value: str) -> None:
        """Another value, by typing, choosing or browsing."""
        if self._session.fill(self.asked.name, value):
            self.show_problem("")
            self.show_value()
            self._told(self.asked.name)

    def _reset(self) -> None:
        self.take(self.asked.default)
        self.editor.setFocus(Qt.FocusReason.OtherFocusReason)

    def _build_editor(self) -> QWidget:
        asked = self.asked
        if asked.type in ("choice", "boolean"):
            box = ChoiceField()
            box.offer(_choices(asked), asked.default)
            box.currentIndexChanged.connect(lambda place: self.take(str(box.itemData(place) or "")))
            return box
        if asked.type == "paths":
            lines = PathLines()
            lines.setPlaceholderText(text("jobs.one_a_line"))
            lines.edited.connect(self.take)
            return lines
        field = PathLine() if asked.type in PATHS else QLineEdit()
        field.setPlaceholderText(PLACEHOLDERS.get(asked.type, ""))
        field.textChanged.connect(self.take)
        return field

    def _beside_editor(self) -> QBoxLayout:
        """The editor with its buttons: beside a path, below several."""
        if self.asked.type == "paths":
            column = QVBoxLayout()
            column.setSpacing(6)
            column.addWidget(self.editor)
            below = QHBoxLayout()
            below.setSpacing(8)
            below.addWidget(self._browse_button("jobs.add_files", QFileDialog.FileMode.ExistingFiles))
            below.addWidget(self._browse_button("jobs.add_folder", QFileDialog.FileMode.Directory))
            below.addStretch(1)
            column.addLayout(below)
            return column
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.editor, 1)
        if self.asked.type in PATHS:
            is_file = self.asked.type == "file"
            mode = QFileDialog.FileMode.AnyFile if is_file else QFileDialog.FileMode.Directory
            row.addWidget(self._browse_button("library.browse", mode))
        return row

    def _browse_button(self, key: str, mode: QFileDialog.FileMode) -> QPushButton:
        button = QPushButton(text(key))
        button.setObjectName("worded")
        button.setAccessibleName(f"{text(key)} {field_title(self.asked.name)}")
        button.clicked.connect(lambda: self._browse(mode))
        return button

    def _browse(self, mode: QFileDialog.FileMode) -> None:
        """A picker that holds nothing up; what it gives stands in the field, where it can be typed as well."""
        editor = self.editor
        here = editor.paths()[-1:] if isinstance(editor, PathLines) else (self._session.value(self.asked.name),)
        dialog = QFileDialog(self, field_title(self.asked.name), *here)
        dialog.setFileMode(mode)
        if mode is QFileDialog.FileMode.Directory:
            dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if isinstance(editor, PathLines):
            dialog.filesSelected.connect(editor.add)
        else:
            dialog.fileSelected.connect(self.take)
        dialog.open()


def field_title(name: str) -> str:
    """A field's name for people: what a job asks in the chosen language, a settings record's own as the code says it."""
    return named("fields", name) if "." not in name else title_of(name)


def _choices(asked: JobField) -> list[tuple[str, str]]:
    """What there is to choose from, with its words; none of them where the field may stay empty."""
    if asked.type == "boolean":
        return [("true", text("library.yes")), ("false", text("library.no"))]
    may_be_none = not asked.required and not asked.default and "" not in asked.choices
    return [(choice, choice or "–") for choice in (*(("",) if may_be_none else ()), *asked.choices)]
