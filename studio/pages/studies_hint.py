"""What a draft of a study would come to, beside its form: figures, the power table, what is odd, and the button that decides it."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QPushButton, QVBoxLayout, QWidget

from backend.domain.studies import PowerRow, StudySummary
from studio.pages.results_layout import SheetTable
from studio.sentences import translated
from studio.sessions.results import Sheet
from studio.sessions.studies import DraftSession
from studio.sessions.study_sheets import power_sheet
from studio.texts import text
from studio.widgets import clear, label

WIDTH_PX = 404
POWER_PX = 222
FIGURES = ("items", "people", "trials", "width")


class DraftHint(QWidget):
    """Follows a draft; `make` is called by the button."""

    def __init__(self, make: Callable[[], object], leave: Callable[[], object]) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(WIDTH_PX)
        self.figures = {name: label("–", "headline") for name in FIGURES}
        self.words = label("", "muted")
        self.refusal = label("", "banner")
        self.power = SheetTable()
        self.power.setAccessibleName(text("studies.power"))
        self.power.setFixedHeight(POWER_PX)
        self._remarks = QWidget()
        rows = QVBoxLayout(self._remarks)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(6)
        for words in (self.words, self.refusal):
            words.setWordWrap(True)
        self.make = QPushButton(text("studies.make"))
        self.make.setObjectName("primary")
        self.make.clicked.connect(lambda _=False: make())
        self.leave = QPushButton(text("studies.leave"))
        self.leave.setObjectName("worded")
        self.leave.clicked.connect(lambda _=False: leave())
        self._build()

    def show_plan(self, draft: DraftSession, *, asking: bool) -> None:
        """What the draft as it stands would come to, or why it can be nothing yet."""
        plan = draft.plan
        self._show_figures(plan)
        self.words.setText(_sentences(draft, plan))
        refused = text(f"studies.lacks_{draft.lacks}") if draft.lacks else draft.refusal
        self.refusal.setText(refused)
        self.refusal.setVisible(bool(refused))
        self.power.show_sheet(power_sheet(plan) if plan else Sheet())
        self.power.setVisible(plan is not None)
        self._power_head.setVisible(plan is not None)
        clear(self._remarks)
        for remark in plan.remarks if plan else ():
            words = label(f"• {translated(remark)}", "muted")
            words.setWordWrap(True)
            rows = self._remarks.layout()
            assert rows is not None
            rows.addWidget(words)
        self.make.setEnabled(draft.is_ready)
        self.last.setText(_last(draft, asking=asking))

    def _show_figures(self, plan: StudySummary | None) -> None:
        chosen = _chosen(plan)
        said = dict.fromkeys(FIGURES, "–")
        if plan is not None and chosen is not None:
            said = {
                "items": f"{plan.items:,}",
                "people": f"{plan.participants_needed:,}",
                "trials": f"{plan.trials:,}",
                "width": f"± {chosen.half_width:.2f}",
            }
        for name, words in said.items():
            self.figures[name].setText(words)
            self.figures[name].setAccessibleName(": ".join((text(f"studies.figure_{name}"), words)))

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(10)
        column.addWidget(label(text("studies.before"), "slot"))
        grid = QGridLayout()
        grid.setVerticalSpacing(0)
        for place, (name, figure) in enumerate(self.figures.items()):
            row, at = divmod(place, 2)
            grid.addWidget(figure, 2 * row, at)
            grid.addWidget(label(text(f"studies.figure_{name}"), "caption"), 2 * row + 1, at)
        column.addLayout(grid)
        column.addWidget(self.words)
        column.addWidget(self.refusal)
        self._power_head = label(text("studies.power"), "slot")
        column.addWidget(self._power_head)
        column.addWidget(self.power)
        column.addWidget(self._remarks)
        column.addStretch(1)
        self.last = label("", "muted")
        self.last.setWordWrap(True)
        column.addWidget(self.last)
        column.addWidget(self.make)
        column.addWidget(self.leave)


def _chosen(plan: StudySummary | None) -> PowerRow | None:
    return next((row for row in plan.power if row.chosen), None) if plan else None


def _sentences(draft: DraftSession, plan: StudySummary | None) -> str:
    """What the figures mean, and from when on a response counts."""
    chosen = _chosen(plan)
    if plan is None or chosen is None:
        return ""
    said = [text("studies.tells", low=f"{1 - chosen.detectable:.2f}", high=f"{chosen.detectable:.2f}")]
    seconds = draft.rule("min_seconds")
    if seconds:
        said.append(text("studies.counts_from", minutes=f"{seconds / 60:.3g}", each=f"{seconds / plan.trials:.2g}"))
    if plan.stop_half_width:
        said.append(text("studies.ends_at", width=f"{plan.stop_half_width:g}"))
    return "\n".join(said)


def _last(draft: DraftSession, *, asking: bool) -> str:
    if asking:
        return text("studies.planning")
    return text("studies.unchangeable") if draft.name.strip() else text("studies.needs_name")
