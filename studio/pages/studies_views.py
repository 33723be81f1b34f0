"""Three looks at a study: how it runs, who is invited, who takes part."""

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from backend.domain.dashboards import Dashboard
from backend.domain.studies import Invitation, Participant, StudyResults, StudySummary
from backend.domain.study_plans import PageNotice, WidthPoint
from studio.charts.figures import ResultChart
from studio.fields import ChoiceField, CountField, NumberField, card, put
from studio.pages.results_layout import SheetTable
from studio.pages.studies_serving import ServedCard
from studio.sessions.results import Sheet
from studio.sessions.studies import share_of
from studio.sessions.study_sheets import (
    busiest_sheet,
    came_in_sheet,
    funnel_sheet,
    links_sheet,
    people_sheet,
)
from studio.texts import counted, text
from studio.theme import Theme
from studio.widgets import label

FIGURES = ("invited", "joined", "finished", "counting", "votes")
SIDE_PX = 312
MOST_INVITED = 10_000  # at once, as the service takes them


class MonitorView(QWidget):
    """Figures, how narrow intervals became, the funnel, votes as they came in."""

    def __init__(self) -> None:
        super().__init__()
        self.figures = {name: label("–", "headline") for name in FIGURES}
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(text("studies.progress"))
        self.stop = label("", "muted")
        self.stop.setWordWrap(True)
        self.chart = ResultChart(text("studies.widths"))
        self.funnel, self.came_in, self.busiest = SheetTable(), SheetTable(), SheetTable()
        self.coverage = label("", "muted")
        self.coverage.setWordWrap(True)
        self._build()

    @property
    def sheet(self) -> Sheet:
        """What the table of votes shows."""
        return self.came_in.sheet

    def show_study(self, study: StudySummary) -> None:
        """Counts of now; what takes longer to know comes by the others."""
        said = {
            "invited": f"{study.invited:,}",
            "joined": f"{study.joined:,}",
            "finished": text("studies.of", number=f"{study.finished:,}", total=f"{study.participants_needed:,}"),
            "votes": f"{study.votes:,}",
        }
        for name, words in said.items():
            self.figures[name].setText(words)
        self.progress.setRange(0, 1000)
        self.progress.setValue(round(1000 * share_of(study)))

    def show_came_in(self, found: Dashboard) -> None:
        """Votes before any rule."""
        self.came_in.show_sheet(came_in_sheet(found))
        self.busiest.show_sheet(busiest_sheet(found))
        often = ", ".join(text("studies.items_times", items=items, times=times) for times, items in found.coverage.items())
        self.coverage.setText(text("studies.coverage", raters=counted("rater", found.num_raters), often=often or "–"))

    def show_results(self, found: StudyResults | None) -> None:
        """Who counts after the rules, and how near the rule that closes the study is."""
        self.funnel.show_sheet(funnel_sheet(found) if found else Sheet())
        counting = f"{found.groups[0].participants:,}" if found else "–"
        self.figures["counting"].setText(counting)

    def show_widths(self, points: Sequence[WidthPoint], wanted: float) -> None:
        """The widest half of an interval over responses, beside the width at which the study closes."""
        known = [point for point in points if point.widest is not None]
        across = [float(point.responses) for point in known]
        lines = {text("studies.widest"): (across, [point.widest or 0.0 for point in known])}
        if wanted:
            ends = [min(across, default=0.0), max(across, default=1.0)]
            lines[text("studies.wanted", width=f"{wanted:g}")] = (ends, [wanted, wanted])
        self.chart.show_lines(lines, x=text("studies.axis_responses"), y=text("studies.axis_width"))
        self.stop.setText(_course_words(points, wanted))
        self.chart.setAccessibleDescription(self.stop.text())

    def set_theme(self, theme: Theme) -> None:
        self.chart.set_theme(theme)

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        row = QHBoxLayout()
        row.setSpacing(28)
        for name, figure in self.figures.items():
            cell = QVBoxLayout()
            cell.setSpacing(0)
            cell.addWidget(figure)
            cell.addWidget(label(text(f"studies.count_{name}"), "caption"))
            row.addLayout(cell)
        row.addStretch(1)
        column.addLayout(row)
        column.addWidget(self.progress)
        column.addWidget(self.stop)
        middle = QHBoxLayout()
        middle.setSpacing(14)
        middle.addWidget(self.chart, 1)
        middle.addLayout(titled("studies.funnel", self.funnel))
        self.funnel.setFixedWidth(SIDE_PX)
        column.addLayout(middle, 5)
        lower = QHBoxLayout()
        lower.setSpacing(14)
        lower.addLayout(titled("studies.came_in", self.came_in), 1)
        lower.addLayout(titled("studies.busiest", self.busiest))
        self.busiest.setFixedWidth(SIDE_PX)
        column.addLayout(lower, 4)
        column.addWidget(self.coverage)


class InviteView(QWidget):
    """Where the page is served, and new invitations, whose links are told once."""

    def __init__(self, press: dict[str, Callable[[], object]]) -> None:
        super().__init__()
        self.page = ServedCard(lambda name: press[name]())
        self.num, self.group = CountField(MOST_INVITED, least=1), ChoiceField()
        self.days, self.url = NumberField(3650.0, step=1.0, decimals=1), QLineEdit()
        self.num.setValue(10)
        self.days.setValue(30)
        self.url.setPlaceholderText("https://study.example")
        self.links = SheetTable()
        self.links.setAccessibleName(text("studies.links"))
        self.about = label("", "muted")
        self.about.setWordWrap(True)
        self._made: Sequence[Invitation] = ()
        self._told_url = ""
        self._is_open = True
        self._build(press)
        self.url.textChanged.connect(lambda _: self._show())

    @property
    def sheet(self) -> Sheet:
        return self.links.sheet

    def offer_groups(self, groups: Sequence[str]) -> None:
        """Whom one can invite; the public at first."""
        chosen = self.group.value or next((name for name in groups if name == "public"), "")
        self.group.offer([(name, text(f"studies.group_{name}")) for name in groups], chosen)

    def show_page(self, page: PageNotice, command: str) -> None:
        """Whether the page is served; its address is where links lead, unless somebody wrote another."""
        self.page.show_page(page, command)
        if page.url and self.url.text() in ("", self._told_url):
            self.url.setText(page.url)
            self._told_url = page.url

    def show_told(self, made: Sequence[Invitation], *, is_open: bool) -> None:
        """Links of this window's invitations; of a closed study no more are made."""
        self._made, self._is_open = tuple(made), is_open
        self.make.setEnabled(is_open)
        self._show()

    def chosen_links(self) -> tuple[str, ...]:
        """Those of the chosen rows, of all without a choice."""
        rows = self.links.chosen_rows() or range(len(self.sheet.rows))
        return tuple(str(self.sheet.rows[row][0]) for row in rows)

    def _show(self) -> None:
        self.links.show_sheet(links_sheet(self._made, self.url.text().strip()))
        said = [] if self._is_open else [text("studies.no_more")]
        said.append(text("studies.told_once" if self._made else "studies.none_told"))
        if self._made and not self.url.text().strip():
            said.append(text("studies.say_where"))
        self.about.setText(" ".join(said))

    def _build(self, press: dict[str, Callable[[], object]]) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self.page)
        asked = QGridLayout()
        put(asked, 0, "studies.num", self.num)
        put(asked, 0, "studies.group", self.group, at=2)
        put(asked, 1, "studies.days", self.days)
        put(asked, 1, "studies.url", self.url, at=2)
        self.make = _button("studies.invite", press["make_invitations"])
        self.make.setObjectName("primary")
        asked.addWidget(self.make, 1, 4)
        column.addWidget(card("studies.new_invitations", asked))
        column.addWidget(self.about)
        column.addWidget(self.links, 1)


class PeopleView(QWidget):
    """Everybody who joined, with what the rules say of them."""

    def __init__(self) -> None:
        super().__init__()
        self.sheet = Sheet()
        """Of everybody, whoever is found in it."""
        self.table, self.search = SheetTable(), QLineEdit()
        self.table.setAccessibleName(text("studies.view_people"))
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.search.setPlaceholderText(text("studies.find"))
        self.search.setAccessibleName(text("studies.find"))
        self.search.setClearButtonEnabled(True)
        self.search.setFixedWidth(SIDE_PX)
        self.search.textChanged.connect(lambda _: self._show())
        self.search.returnPressed.connect(self.table.setFocus)
        self.about = label("", "muted")
        self.about.setWordWrap(True)
        column, head = QVBoxLayout(self), QHBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        head.setSpacing(14)
        head.addWidget(self.about, 1)
        head.addWidget(self.search)
        column.addLayout(head)
        column.addWidget(self.table, 1)

    def show_people(self, people: Sequence[Participant], found: StudyResults | None) -> None:
        """Newest first; the chosen one stays chosen."""
        self.sheet = people_sheet(people, found)
        self.about.setText(text("studies.about_people" if people else "studies.nobody"))
        self._show()

    def chosen(self) -> str:
        """The participant whose row is chosen; empty without one."""
        rows = self.table.chosen_rows()  # not the current row: that one is there as soon as the table has the focus
        return str(self.table.sheet.rows[rows[0]][0]) if rows else ""

    def _show(self) -> None:
        """Those in whose row every word occurs."""
        before, words = self.chosen(), self.search.text().lower().split()
        rows = [row for row in self.sheet.rows if all(word in " ".join(map(str, row)).lower() for word in words)]
        self.table.show_sheet(Sheet(head=self.sheet.head, rows=tuple(rows)))
        names = [str(row[0]) for row in rows]
        if before in names and before != self.chosen():
            self.table.selectRow(names.index(before))


def titled(key: str, widget: QWidget) -> QVBoxLayout:
    """A widget under its headline, which is also what screen readers say."""
    column = QVBoxLayout()
    column.setSpacing(5)
    column.addWidget(label(text(key), "slot"))
    column.addWidget(widget, 1)
    widget.setAccessibleName(text(key))
    return column


def _button(key: str, press: Callable[[], object]) -> QPushButton:
    button = QPushButton(text(key))
    button.setObjectName("worded")
    button.setAutoDefault(True)
    button.clicked.connect(lambda _=False: press())
    return button


def _course_words(points: Sequence[WidthPoint], wanted: float) -> str:
    """How near the rule is, or why nobody can tell yet."""
    if not points:
        return text("studies.too_few")
    last = points[-1]
    if last.widest is None:
        return text("studies.no_width", why=last.about)
    said = text("studies.width_now", width=f"{last.widest:.3f}", about=last.about)
    return " ".join((said, text("studies.closes_at", width=f"{wanted:g}"))) if wanted else said
