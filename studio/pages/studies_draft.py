"""The form of a new study: what is asked, of what, how much of it, and which responses count. The session keeps what is said."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QFileDialog, QGridLayout, QLineEdit, QPushButton, QScrollArea, QVBoxLayout, QWidget

from backend.domain.study_plans import RuleOption
from studio.fields import ChoiceField, CountField, NumberField, card, put, stack_of_rows, tick
from studio.sessions.studies import FROM_FILE, DraftSession
from studio.texts import LANGUAGES, named, text
from studio.widgets import clear, label

MOST = 100_000  # of items, raters and trials, as the service takes them
SIZES = ("pairs", "raters", "trials")


class DraftForm(QScrollArea):
    """Fields in cards, each with its name; `changed` after every change of the session."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.session: DraftSession | None = None
        self._filling = False
        self.name, self.cases, self.references, self.system = QLineEdit(), QLineEdit(), QLineEdit(), QLineEdit()
        self.kind, self.form, self.source, self.preset, self.language = (ChoiceField() for _ in range(5))
        self.sizes = {name: CountField(MOST) for name in SIZES}
        self.seed = CountField(2**31 - 1)
        self.sequential = QCheckBox(text("studies.sequential"))
        self.hold_out, self.stop = NumberField(1.0, step=0.05), NumberField(99.0, step=0.05)
        self.aspects: dict[str, QCheckBox] = {}
        self.systems: dict[str, QCheckBox] = {}
        self.rules: dict[str, QCheckBox | NumberField] = {}
        self._aspect_rows, self._system_rows, self._rule_rows = QWidget(), stack_of_rows(), QWidget()
        self._file_rows = QWidget()
        self._build()
        self._connect()

    def show_draft(self, session: DraftSession) -> None:
        """Fills every field from the session; nothing is told while it does."""
        self.session = session
        self._filling = True
        self.name.setText(session.name)
        self.kind.offer([(kind, text(f"studies.kind_{kind}")) for kind in session.kinds], session.kind)
        sources = [
            (one.name, text("studies.cases_of", name=one.name, count=one.cases)) for one in session.options.benchmarks
        ]
        self.source.offer([*sources, (FROM_FILE, text("studies.from_file"))], session.source)
        presets = [(one.name, one.name or text("studies.no_preset")) for one in session.options.presets]
        self.preset.offer(presets, session.preset)
        self.language.offer([(name, LANGUAGES.get(name, name)) for name in session.options.languages], session.language)
        for field, said in ((self.cases, session.cases), (self.references, session.references)):
            field.setText(said)
        self.seed.setValue(session.seed)
        self.sequential.setChecked(session.sequential)
        self.hold_out.setValue(session.hold_out)
        self.stop.setValue(session.stop_half_width)
        self._fill_rules(session)
        self._filling = False
        self._show_forms()
        self._show_systems()
        self._show_sizes()
        self._show_holds()

    def _build(self) -> None:
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 14, 8)
        column.setSpacing(14)
        for one in (
            self._build_asked(),
            self._build_compared(),
            self._build_sizes(),
            self._build_end(),
            self._build_rules(),
        ):
            column.addWidget(one)
        column.addStretch(1)
        self.setWidget(body)

    def _build_asked(self) -> QWidget:
        grid = QGridLayout()
        self.name.setMaxLength(100)
        put(grid, 0, "studies.name", self.name, span=3)
        put(grid, 1, "studies.kind", self.kind)
        put(grid, 1, "studies.form", self.form, at=2)
        grid.addWidget(label(text("studies.aspects"), "fact_name"), 2, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self._aspect_rows, 2, 1, 1, 3)
        rows = QGridLayout(self._aspect_rows)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setHorizontalSpacing(14)
        rows.setColumnStretch(1, 1)
        return card("studies.what_is_asked", grid)

    def _build_compared(self) -> QWidget:
        grid = QGridLayout()
        put(grid, 0, "studies.cases", self.source, span=3)
        grid.addWidget(self._file_rows, 1, 0, 1, 4)
        grid.addWidget(label(text("studies.systems"), "fact_name"), 2, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self._system_rows, 2, 1, 1, 3)
        inner = QGridLayout(self._file_rows)
        inner.setContentsMargins(0, 0, 0, 0)
        self.system.setPlaceholderText(text("studies.system_hint"))
        buttons = (
            ("studies.cases_file", self.cases, "studies.browse", self._browse_cases),
            ("studies.references", self.references, "studies.browse", self._browse_references),
            ("studies.add_system", self.system, "studies.add", self._add_system),
        )
        for row, (key, field, words, press) in enumerate(buttons):
            put(inner, row, key, field)
            button = QPushButton(text(words))
            button.setObjectName("worded")
            button.setAccessibleName(f"{text(key)}: {text(words)}")
            button.clicked.connect(lambda _=False, press=press: press())
            inner.addWidget(button, row, 2)
        return card("studies.what_is_compared", grid)

    def _build_sizes(self) -> QWidget:
        grid = QGridLayout()
        put(grid, 0, "studies.preset", self.preset)
        put(grid, 0, "studies.pairs", self.sizes["pairs"], at=2)
        put(grid, 1, "studies.raters", self.sizes["raters"])
        put(grid, 1, "studies.trials", self.sizes["trials"], at=2)
        put(grid, 2, "studies.language", self.language)
        put(grid, 2, "studies.seed", self.seed, at=2)
        return card("studies.how_much", grid)

    def _build_end(self) -> QWidget:
        self.stop.setSpecialValueText(text("studies.never"))
        grid = QGridLayout()
        grid.addWidget(self.sequential, 0, 0, 1, 4)
        put(grid, 1, "studies.hold_out", self.hold_out)
        put(grid, 1, "studies.stop_at", self.stop, at=2)
        return card("studies.when_it_ends", grid)

    def _build_rules(self) -> QWidget:
        grid = QGridLayout()
        grid.addWidget(self._rule_rows, 0, 0)
        self._rule_rows.setLayout(QGridLayout())
        return card("studies.which_count", grid)

    def _connect(self) -> None:
        def on_text(field: QLineEdit, name: str) -> None:
            field.textChanged.connect(lambda said: self._set(name, said))

        for name in ("name", "cases", "references"):
            on_text(getattr(self, name), name)
        for name, field in (*self.sizes.items(), ("seed", self.seed)):
            field.valueChanged.connect(lambda value, name=name: self._set(name, value))
        self.hold_out.valueChanged.connect(lambda value: self._set("hold_out", round(value, 4)))
        self.stop.valueChanged.connect(lambda value: self._set("stop_half_width", round(value, 4)))
        self.sequential.toggled.connect(lambda on: self._set("sequential", on))
        self.sequential.toggled.connect(lambda _: self._show_holds())
        self.language.currentIndexChanged.connect(lambda _: self._set("language", self.language.value))
        self.preset.currentIndexChanged.connect(lambda _: self._set("preset", self.preset.value))
        self.preset.currentIndexChanged.connect(lambda _: self._show_sizes())
        self.kind.currentIndexChanged.connect(lambda _: self._choose(DraftSession.choose_kind, self.kind, self._show_forms))
        self.form.currentIndexChanged.connect(
            lambda _: self._choose(DraftSession.choose_form, self.form, self._show_aspects)
        )
        self.source.currentIndexChanged.connect(
            lambda _: self._choose(DraftSession.choose_source, self.source, self._show_systems)
        )
        self.system.returnPressed.connect(self._add_system)

    def _set(self, name: str, value: object) -> None:
        if self.session is not None and not self._filling:
            setattr(self.session, name, value)
            self.session.changed()
            self.changed.emit()

    def _choose(self, choose: Callable[[DraftSession, str], object], box: ChoiceField, after: Callable[[], object]) -> None:
        if self.session is not None and not self._filling:
            choose(self.session, box.value)
            after()
            self.changed.emit()

    def _show_forms(self) -> None:
        assert self.session is not None
        self.form.offer([(form.name, f"{form.name}: {form.title}") for form in self.session.forms], self.session.form)
        self._show_aspects()

    def _show_aspects(self) -> None:
        assert self.session is not None
        clear(self._aspect_rows)
        self.aspects = {}
        grid = self._aspect_rows.layout()
        assert isinstance(grid, QGridLayout)
        for row, one in enumerate(self.session.form_option.aspects):
            box = tick(named("aspects", one.name), on=one.name in self.session.aspects)
            box.setAccessibleDescription(one.text)
            box.toggled.connect(lambda on, name=one.name: self._ask(name, on))
            said = label(one.text, "muted")
            said.setWordWrap(True)
            grid.addWidget(box, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(said, row, 1)
            self.aspects[one.name] = box

    def _show_systems(self) -> None:
        session = self.session
        assert session is not None
        clear(self._system_rows)
        self.systems = {}
        benchmark = session.benchmark
        self._file_rows.setVisible(benchmark is None)
        for one in benchmark.systems if benchmark else ():
            box = tick(text("studies.system_has", name=one.name, count=one.cases), on=one.name in session.systems)
            box.toggled.connect(lambda on, name=one.name: self._compare(name, on))
            _add(self._system_rows, box)
            self.systems[one.name] = box
        for said in session.named if benchmark is None else ():
            box = tick(said, on=True)
            box.toggled.connect(lambda _on, said=said: self._drop_system(said))
            _add(self._system_rows, box)
            self.systems[said] = box
        if not self.systems:
            _add(self._system_rows, label(text("studies.no_systems"), "hint"))

    def _ask(self, aspect: str, on: bool) -> None:
        assert self.session is not None
        self.session.ask(aspect, asked=on)
        self.changed.emit()

    def _compare(self, system: str, on: bool) -> None:
        assert self.session is not None
        self.session.compare(system, compared=on)
        self.changed.emit()

    def _show_sizes(self) -> None:
        """What 0 stands for is written in its place."""
        assert self.session is not None
        for name, field in self.sizes.items():
            field.setSpecialValueText(text("studies.usual", number=getattr(self.session.usual, name)))
            field.setValue(getattr(self.session, name))

    def _show_holds(self) -> None:
        self.hold_out.setEnabled(self.sequential.isChecked())

    def _fill_rules(self, session: DraftSession) -> None:
        clear(self._rule_rows)
        self.rules = {}
        grid = self._rule_rows.layout()
        assert isinstance(grid, QGridLayout)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        for place in (1, 3):
            grid.setColumnStretch(place, 1)
        switches = [rule for rule in session.options.rules if rule.is_switch]
        numbers = [rule for rule in session.options.rules if not rule.is_switch]
        for place, rule in enumerate(numbers):
            field = NumberField(1e6, step=1.0 if rule.value >= 1 else 0.05, decimals=0 if rule.is_whole else 3)
            field.setValue(session.rule(rule.name))
            field.valueChanged.connect(lambda value, rule=rule: self._set_rule(rule, value))
            put(grid, place // 2, f"studies.rule_{rule.name}", field, at=2 * (place % 2))
            self.rules[rule.name] = field
        for place, rule in enumerate(switches, start=(len(numbers) + 1) // 2):
            box = tick(text(f"studies.rule_{rule.name}"), on=bool(session.rule(rule.name)))
            box.toggled.connect(lambda on, rule=rule: self._set_rule(rule, float(on)))
            grid.addWidget(box, place, 0, 1, 4)
            self.rules[rule.name] = box

    def _set_rule(self, rule: RuleOption, value: float) -> None:
        if self.session is not None and not self._filling:
            self.session.set_rule(rule, round(value, 4))
            self.changed.emit()

    def _add_system(self) -> None:
        assert self.session is not None
        if self.session.add_system(self.system.text()):
            self.system.clear()
            self._show_systems()
            self.changed.emit()
        self.system.setFocus()

    def _drop_system(self, said: str) -> None:
        assert self.session is not None
        self.session.drop_system(said)
        self._show_systems()
        self.changed.emit()

    def _browse_cases(self) -> None:
        found, _ = QFileDialog.getOpenFileName(self, text("studies.cases_file"), self.cases.text(), "JSON (*.json)")
        if found:
            self.cases.setText(found)

    def _browse_references(self) -> None:
        at = self.references.text() or str(Path(self.cases.text()).parent)
        found = QFileDialog.getExistingDirectory(self, text("studies.references"), at)
        if found:
            self.references.setText(found)


def _add(holder: QWidget, widget: QWidget) -> None:
    rows = holder.layout()
    assert rows is not None
    rows.addWidget(widget)
