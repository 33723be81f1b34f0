"""What came of a study: ranking, pairings, agreement and funnel, each a picture with its table."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from backend.domain.studies import AspectResults, GroupResults, StudyResults
from studio.charts.figures import Bar, ResultChart
from studio.fields import ChoiceField
from studio.flow import FlowLayout
from studio.pages.results_layout import SheetTable
from studio.sentences import translated
from studio.sessions.results import Sheet, agreement_rows
from studio.sessions.studies import OUTCOMES
from studio.sessions.study_sheets import agreement_sheet, funnel_sheet, pairings_sheet, ranking_sheet
from studio.texts import counted, named, text
from studio.theme import Theme
from studio.widgets import label

LETTERS = 13  # of a question's name, without which two of one form look alike


class OutcomeView(QWidget):
    """Ranking, pairings, agreement and funnel as a picture with its table."""

    def __init__(self, changed: Callable[[str], object]) -> None:
        super().__init__()
        self.chart, self.table = ResultChart(text("studies.outcome")), SheetTable()
        self.group, self.aspect = ChoiceField(), ChoiceField()
        self.aspect.setMinimumContentsLength(LETTERS)
        self.tabs: dict[str, QPushButton] = {}
        self.about = label("", "muted")
        self.about.setWordWrap(True)
        self._found: StudyResults | None = None
        self._outcome = OUTCOMES[0]
        self._build(changed)
        for box in (self.group, self.aspect):
            box.currentIndexChanged.connect(lambda _: self._draw())

    @property
    def sheet(self) -> Sheet:
        return self.table.sheet

    def show_results(self, found: StudyResults | None, outcome: str) -> None:
        """Results as they are now; group and question stay."""
        self._found, self._outcome = found, outcome
        self.tabs[outcome].setChecked(True)
        groups = found.groups if found else ()
        self.group.offer(
            [(one.group, named("studies.group_", one.group) if one.group else text("studies.everybody")) for one in groups],
            self.group.value,
        )
        aspects = groups[0].aspects if groups else ()
        self.aspect.offer([(one.aspect, named("aspects", one.aspect)) for one in aspects], self.aspect.value)
        self._draw()

    def set_theme(self, theme: Theme) -> None:
        self.chart.set_theme(theme)

    def _draw(self) -> None:
        found = self._found
        if found is None or not found.groups:
            self.chart.show_nothing()
            self.table.show_sheet(Sheet())
            self.about.setText(text("studies.reckoning"))
            return
        group = next((one for one in found.groups if one.group == self.group.value), found.groups[0])
        getattr(self, f"_draw_{self._outcome}")(found, group)
        aspect = self._aspect_of(group)
        remarks = (*aspect.remarks, *found.remarks) if aspect else found.remarks
        said = text(
            "studies.about_outcome",
            people=counted("participant", group.participants),
            votes=counted("vote", aspect.votes if aspect else 0),
        )
        self.about.setText("   ·   ".join((said, *map(translated, remarks[:3]))))
        self.chart.setAccessibleDescription(". ".join((text(f"studies.outcome_{self._outcome}"), said)))

    def _aspect_of(self, group: GroupResults) -> AspectResults | None:
        asked = self.aspect.value
        return next((one for one in group.aspects if one.aspect == asked), group.aspects[0] if group.aspects else None)

    def _draw_ranking(self, found: StudyResults, group: GroupResults) -> None:
        aspect = self._aspect_of(group)
        if aspect is None:
            return
        self.table.show_sheet(ranking_sheet(aspect))
        main = [
            *((one.system, one.davidson) for one in aspect.strengths),
            *((one.system, one.share) for one in aspect.shares),
            *((one.system, one.mean) for one in aspect.points),
        ]
        bars = [Bar(name=name, value=one.value, low=one.low, high=one.high) for name, one in main]
        axis = (
            "studies.axis_strength"
            if aspect.strengths
            else "studies.axis_share"
            if aspect.shares
            else "studies.axis_points"
        )
        self.chart.show_bars(bars, axis=text(axis), reference=0.0 if aspect.strengths else None)

    def _draw_pairings(self, found: StudyResults, group: GroupResults) -> None:
        aspect = self._aspect_of(group)
        if aspect is None:
            return
        self.table.show_sheet(pairings_sheet(aspect))
        bars = []
        for one in aspect.wins:
            if one.system > one.rival:
                continue  # the same votes from the other side
            for words, rate, series in ((text("studies.clustered"), one.rate, 0), ("Wilson", one.wilson, 1)):
                name = f"{one.system} : {one.rival} · {words}"
                bars.append(Bar(name=name, value=rate.value, low=rate.low, high=rate.high, series=series))
        self.chart.show_bars(bars, axis=text("studies.axis_rate"), reference=0.5)

    def _draw_agreement(self, found: StudyResults, group: GroupResults) -> None:
        self.table.show_sheet(agreement_sheet(replace(found, groups=(group,))))
        aspects, measures, values = agreement_rows(replace(found, groups=(group,)))
        names = [named("studies.measure_", name) for name in measures]
        self.chart.show_matrix(
            [named("aspects", one) for one in aspects], names, [[one.value for one in row] for row in values]
        )

    def _draw_funnel(self, found: StudyResults, group: GroupResults) -> None:
        self.table.show_sheet(funnel_sheet(found))
        bars = [Bar(name=text(f"studies.step_{step.rule}"), value=float(step.kept)) for step in found.funnel]
        self.chart.show_bars(bars, axis=text("studies.axis_kept"), reference=0.0)

    def _build(self, changed: Callable[[str], object]) -> None:
        tabs, boxes, row = QWidget(), QWidget(), QWidget()
        beside, among = QHBoxLayout(tabs), QHBoxLayout(boxes)
        for layout, room in ((beside, 4), (among, 8)):
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(room)
        for name in OUTCOMES:
            tab = QPushButton(text(f"studies.outcome_{name}"))
            tab.setObjectName("segment")
            tab.setCheckable(True)
            tab.setAutoExclusive(True)
            tab.clicked.connect(lambda _=False, name=name: changed(name))
            beside.addWidget(tab)
            self.tabs[name] = tab
        for key, box in (("studies.aspect", self.aspect), ("studies.group", self.group)):
            name = label(text(key), "fact_name")
            name.setBuddy(box)
            box.setAccessibleName(text(key))
            among.addWidget(name)
            among.addWidget(box)
        flow = FlowLayout(row, spacing=10)
        flow.addWidget(tabs)
        flow.addWidget(boxes)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(row)
        column.addWidget(self.about)
        column.addWidget(self.chart, 3)
        column.addWidget(self.table, 2)
