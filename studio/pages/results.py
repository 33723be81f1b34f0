"""Results: what was measured and what people said, as pictures and tables that can be kept."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox

from backend.api import EvaluationRow
from backend.domain import StudioError
from backend.domain.calibration import MetricCalibration
from backend.domain.evaluations import ComparisonFiles
from backend.domain.figures import FrameValues
from backend.domain.ranking import Leaderboard
from backend.domain.studies import AspectResults, StudyResults
from studio.actions import ActionSet, key_of
from studio.charts.chart import save_picture
from studio.charts.figures import Bar
from studio.frame_player import FramePlayer
from studio.pages.page import Page, PageContext
from studio.pages.results_layout import ResultsLayout
from studio.player.transport import playing
from studio.sessions import results
from studio.sessions.results import BOOTSTRAPS, VIEWS, Sheet, as_csv
from studio.texts import named, text
from studio.theme import Theme

T = TypeVar("T")
MAX_RATERS = 24  # of the picture; the table has all
MAX_LINES = 6  # of a timeline: systems that are told apart


class ResultsPage(Page):
    """Asks the service once for each choice, shows what came, and keeps it as files."""

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self.view = VIEWS[0]
        self.sheet = Sheet()
        self.board: Leaderboard | None = None
        self.rows: tuple[EvaluationRow, ...] = ()
        self.calibrations: tuple[MetricCalibration, ...] = ()
        self.studies: dict[str, StudyResults] = {}
        self._trouble: dict[str, str] = {}
        """By what was asked for, why it did not come."""
        self._awaited: list[str] = []
        """What was asked for and has not been answered: `lists`, `board`, `studies`, each as often as it was."""
        self._closed, self._filling = False, False
        self._wanted = ""
        """A study to be shown as soon as it is known."""
        self.player = FramePlayer(context.link, self.run)
        self.actions_ = ActionSet("results", self, self._handlers())
        self.layout_of = ResultsLayout(self, self.actions_, self.run, self.player)
        self.player.moved.connect(lambda frame: self.layout_of.chart.show_cursor(float(frame)))
        self.layout_of.chart.asked_for.connect(lambda place: self.player.deck.seek(round(place)))
        for box in self.layout_of.boxes.values():
            box.currentIndexChanged.connect(lambda _=0, box=box: self._chosen(box))
        self.link.revived.connect(self._refresh)
        self.set_theme(context.theme)

    def start(self) -> None:
        self._refresh()
        self.take_keyboard()

    def leave(self) -> None:
        self.player.deck.pause()

    def close_page(self) -> None:
        self._closed = True
        self.player.close_player()

    def set_theme(self, theme: Theme) -> None:
        self.layout_of.set_theme(theme)

    def describe(self) -> str:
        return f"{self.view}, {', '.join(box.currentText() for box in self.layout_of.boxes.values() if box.isVisible())}"

    def look_at(self, view: str) -> None:
        """Shows another view."""
        self.view = view
        self.player.deck.pause()
        self.show_view()

    def show_study(self, name: str, view: str) -> None:
        """Shows a view of a study that another page names."""
        self._wanted = name
        self.look_at(view)
        self._refresh()

    def _handlers(self) -> dict[str, Callable[[], object]]:
        return {
            "refresh": self._refresh,
            **{f"view_{view}": lambda view=view: self.look_at(view) for view in VIEWS},
            "save_picture": self._keep_picture,
            "save_table": self._keep_table,
            "make_sheets": self._make_sheets,
            **playing(lambda: self.player.deck, self.player.zoom),
        }

    def _refresh(self) -> None:
        """Asks for everything that the views choose from."""
        if self._closed:
            return
        self.studies.clear()
        api = self.link.api

        def known(found: tuple) -> None:
            presets, self.calibrations, studies, self.rows = found
            self._fill("preset", [("", text("results.no_preset")), *((name, name) for name in presets)])
            self._fill("study", [(one.name, one.name) for one in studies], self._wanted)
            self._wanted = ""
            self._fill("calibration", [(one.name, one.name) for one in self.calibrations])
            self._ask_board()
            self._ask_study()

        work = lambda: (api.presets(), api.calibrations(), api.studies(), api.evaluation())  # noqa: E731 - asked as one
        self._ask("lists", work, known, self._refused)
        if self.board is None:
            self.show_view()

    def _ask_board(self) -> None:
        preset = self._value("preset")

        def known(found: Leaderboard) -> None:
            if preset != self._value("preset"):
                return  # another one was chosen meanwhile, and is on its way
            self.board = found
            groups = [(f"{k}={g}" if k else "", g or text("results.all_cases")) for k, g in results.groups_of(found)]
            self._fill("group", groups)
            titles = {column.metric: column.label for column in found.columns}
            self._fill("metric", [(name, titles.get(name, name)) for name in results.metrics_of(found)])
            self.show_view()

        def failed(error: StudioError) -> None:
            self.board = None

        self._ask("board", lambda: self.link.api.leaderboard(preset=preset), known, failed)

    def _ask_study(self) -> None:
        name = self._value("study")
        if not name or name in self.studies:
            self.show_view()
            return

        def known(found: StudyResults) -> None:
            self.studies[name] = found
            self._fill(
                "aspect",
                [(one.aspect, named("aspects", one.aspect)) for one in found.groups[0].aspects] if found.groups else [],
            )
            self.show_view()

        self._ask("studies", lambda: self.link.api.study_results(name=name, bootstraps=BOOTSTRAPS), known)

    def _ask(
        self,
        what: str,
        work: Callable[[], T],
        known: Callable[[T], object],
        failed: Callable[[StudioError], object] = lambda error: None,
    ) -> None:
        """Asks the service; views that need the answer say so until it comes, and if none does, why."""

        def came(found: T) -> None:
            if not self._closed:
                self._answered(what, "")
                known(found)

        def did_not(error: StudioError) -> None:
            if not self._closed:
                self._answered(what, str(error))
                failed(error)
                self.show_view()

        self._awaited.append(what)
        self.link.ask(work, came, did_not, slow=True)

    def _answered(self, what: str, trouble: str) -> None:
        self._awaited.remove(what)
        self._trouble[what] = trouble

    def _chosen(self, box: QComboBox) -> None:
        if self._filling:
            return
        match box.objectName():
            case "preset":
                self._ask_board()
            case "study":
                self._ask_study()
            case _:
                self.show_view()

    def show_view(self) -> None:
        """Draws the view from what is at hand, or says what to do where nothing is."""
        self.layout_of.show_view(self.view)
        self.sheet = Sheet()
        getattr(self, f"_show_{self.view}")()
        self.layout_of.table.show_sheet(self.sheet)

    def _show_leaderboard(self) -> None:
        board = self.board
        if board is None:
            return self._nothing("board", "results.nothing_measured")
        kind, _, group = self._value("group").partition("=")
        self.sheet = results.board_sheet(board, (kind, group))
        metric = self._value("metric")
        bars = [
            Bar(name=o.system, value=o.value, low=o.low, high=o.high)
            for o in results.standings_of(board, metric, (kind, group))
        ]
        self.layout_of.chart.show_bars(bars, axis=self._title("metric"))
        named = board.preset or text("results.no_preset")
        self.layout_of.say_about(
            text("results.about_board", benchmark=board.benchmark, preset=named, count=board.cases), board.remarks
        )
        return None

    def _show_wins(self) -> None:
        aspect = self._aspect()
        if aspect is None:
            return self._nothing("studies", "results.no_study")
        self.sheet = results.wins_sheet(aspect)
        bars = [
            Bar(name=o.system, value=o.bradley_terry.value, low=o.bradley_terry.low, high=o.bradley_terry.high)
            for o in aspect.strengths
        ]
        bars += [
            Bar(name=o.system, value=o.share.value, low=o.share.low, high=o.share.high, series=1) for o in aspect.shares
        ]
        bars += [Bar(name=o.system, value=o.mean.value, low=o.mean.low, high=o.mean.high, series=2) for o in aspect.points]
        axes = (("strength", aspect.strengths), ("share", aspect.shares), ("points", aspect.points))
        axis = " · ".join(text(f"results.axis_{name}") for name, found in axes if found)
        self.layout_of.chart.show_bars(bars, axis=axis, reference=0.0 if aspect.strengths else None)
        self.layout_of.say_about(
            text("results.about_study", study=self._value("study"), count=aspect.votes), aspect.remarks
        )
        return None

    def _show_scatter(self) -> None:
        aspect, board, metric = self._aspect(), self.board, self._value("metric")
        if aspect is None or board is None:
            return self._nothing("studies" if aspect is None else "board", "results.no_scatter")
        points = results.points_of(board, aspect, metric)
        self.sheet = Sheet(head=("system", f"={self._title('metric')}", "win_rate"), rows=points)
        self.layout_of.chart.show_points(points, x=self._title("metric"), y=text("results.head_win_rate"))
        self.layout_of.say_about(text("results.about_scatter", count=len(points)), ())
        return None

    def _show_agreement(self) -> None:
        study = self.studies.get(self._value("study"))
        if study is None:
            return self._nothing("studies", "results.no_study")
        self.sheet = results.agreement_sheet(study)
        aspects, measures, values = results.agreement_rows(study)
        names = [named("studies.measure_", name) for name in measures]
        self.layout_of.chart.show_matrix(
            [named("aspects", one) for one in aspects], names, [[one.value for one in row] for row in values]
        )
        self.layout_of.say_about(text("results.about_agreement", study=self._value("study")), study.remarks)
        return None

    def _show_calibration(self) -> None:
        found = next((one for one in self.calibrations if one.name == self._value("calibration")), None)
        if found is None:
            return self._nothing("lists", "results.no_calibration")
        self.sheet = results.calibration_sheet(found)
        weights = found.fits[0].weights if found.fits else ()
        lines = {one.title or one.metric: (one.raw, one.scaled) for one in weights if one.raw}
        self.layout_of.chart.show_lines(lines, x=text("results.axis_raw"), y=text("results.axis_scaled"))
        self.layout_of.say_about(text("results.about_calibration", name=found.id), found.remarks)
        return None

    def _show_frames(self) -> None:
        metrics = tuple(dict.fromkeys(row.metric for row in self.rows if row.evidence))
        if not metrics:
            return self._nothing("lists", "results.no_frames")
        metric = self._value("metric") if self._value("metric") in metrics else metrics[0]
        self._fill("case", [(name, name) for name in results.cases_of(self.rows, metric)])
        case = self._value("case")
        own = [row for row in self.rows if (row.metric, row.case_id) == (metric, case) and row.evidence][:MAX_LINES]
        names = results.told_apart(own)

        def known(found: list[FrameValues]) -> None:
            if self._closed or self.view != "frames" or case != self._value("case"):
                return
            shown = dict(zip(names, found, strict=True))
            lines = {
                name: (one.frames, [float("nan") if v is None else v for v in one.values])
                for name, one in shown.items()
                if one.frames
            }
            parts = ", ".join(dict.fromkeys(one.part.replace("_", " ") for one in found if one.part))
            self.layout_of.chart.show_lines(lines, x=text("results.axis_frame"), y=parts or metric)
            self.layout_of.chart.show_cursor(float(self.player.deck.index))
            self.player.show_videos([(name, one.media_id) for name, one in shown.items()])
            cells = [(name, f, v) for name, one in shown.items() for f, v in zip(one.frames, one.values, strict=True)]
            self.sheet = Sheet(head=("system", "frame", "value"), rows=tuple(cells))
            self.layout_of.table.show_sheet(self.sheet)
            key = "results.about_frames" if lines else "results.no_line"
            self.layout_of.say_about(text(key, metric=metric, case=case), ())

        api = self.link.api
        self.layout_of.say_about(text("results.looking"), ())
        self.link.ask(
            lambda: [api.frame_values(generation_id=row.generation_id, metric=metric) for row in own],
            known,
            self._refused,
            slow=True,
        )
        return None

    def _show_raters(self) -> None:
        study = self.studies.get(self._value("study"))
        if study is None:
            return self._nothing("studies", "results.no_study")
        self.sheet = results.raters_sheet(study)
        repeats = any(one.consistency.value is not None for one in study.raters)
        bars = []
        for one in study.raters[:MAX_RATERS]:
            name, series = f"{'✕ ' if one.removed_by else ''}{one.participant}", 1 if one.removed_by else 0
            said = one.consistency
            bars.append(
                Bar(name=name, value=said.value, low=said.low, high=said.high, series=series)
                if repeats
                else Bar(name=name, value=one.left_share, series=series)
            )
        axis = "results.head_consistency" if repeats else "results.head_left_share"
        self.layout_of.chart.show_bars(bars, axis=text(axis), reference=None if repeats else 0.5)
        funnel = "   ".join(f"{named('studies.left_', step.rule)} −{step.removed}" for step in study.funnel if step.removed)
        kept = study.funnel[-1].kept if study.funnel else len(study.raters)
        self.layout_of.say_about(text("results.about_raters", count=kept, funnel=funnel or "–"), ())
        return None

    def _show_sheets(self) -> None:
        if not self.rows:
            return self._nothing("board", "results.nothing_measured")
        self.sheet = results.cases_sheet(self.rows)
        self.layout_of.say_about(text("results.about_sheets", cap=key_of("make_sheets")), ())
        return None

    def _nothing(self, about: str, key: str) -> None:
        """In place of a view: that `about` is under way, why it did not come, or else what to do first."""
        needed = dict.fromkeys(("lists", about))
        if not needed.keys().isdisjoint(self._awaited):
            self.layout_of.rest(text("results.looking"), "")
            return
        trouble = (self._trouble.get(what, "") for what in needed)
        self.layout_of.rest(
            text("results.nothing"), "\n\n".join(part for part in (self._first_step(key), *trouble) if part)
        )

    def _first_step(self, key: str) -> str:
        page = {"results.nothing_measured": "page_jobs", "results.no_study": "page_studies"}.get(key)
        return text(key, page=key_of(page)) if page else text(key)

    def _make_sheets(self) -> None:
        """Side-by-side sheets of the chosen cases, the first of which is shown."""
        if self.view != "sheets":
            self.look_at("sheets")
        cases = self.layout_of.table.chosen()
        out = self.context.project / "exports" / "comparison"
        self.layout_of.say(text("results.drawing"))

        def known(found: ComparisonFiles) -> None:
            if not self._closed:
                pictures = [name for name in found.files if name.endswith(".png")]
                self.layout_of.show_picture(Path(found.out) / pictures[0] if pictures else None)
                self.layout_of.say(text("results.sheets_made", count=len(found.cases), out=found.out))

        self.link.ask(lambda: self.link.api.compare(out=str(out), cases=cases), known, self._refused, slow=True)

    def _keep_picture(self) -> None:
        drawn = self.layout_of.picture_file
        if self.layout_of.shows_chart:
            self._keep(("svg", "png"), lambda path: save_picture(self.layout_of.chart, path))
        elif self.view == "sheets" and drawn is not None:
            self._keep(("png",), lambda path: path.write_bytes(drawn.read_bytes()))
        else:
            no_sheet = text("results.no_sheet_to_keep", cap=key_of("make_sheets"))
            self.context.notify(no_sheet if self.view == "sheets" else text("results.no_chart_to_keep"))

    def _keep_table(self) -> None:
        if self.sheet.rows:
            self._keep(("csv",), lambda path: path.write_text(as_csv(self.sheet), encoding="utf-8"))
        else:
            self.context.notify(text("results.no_table_to_keep"))

    def _keep(self, endings: tuple[str, ...], write: Callable[[Path], object]) -> None:
        folder = self.context.project / "exports" / "results"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for ending in endings:
                write(folder / f"{self.view}.{ending}")
        except (OSError, StudioError) as error:
            self.context.notify(text("results.not_kept", reason=str(error)))
            return
        self.layout_of.say(text("results.kept", place=str(folder / f"{self.view}.{endings[-1]}")))

    def _aspect(self) -> AspectResults | None:
        study = self.studies.get(self._value("study"))
        aspects = study.groups[0].aspects if study is not None and study.groups else ()
        return next((one for one in aspects if one.aspect == self._value("aspect")), aspects[0] if aspects else None)

    def _value(self, name: str) -> str:
        return str(self.layout_of.boxes[name].currentData() or "")

    def _title(self, name: str) -> str:
        return self.layout_of.boxes[name].currentText()

    def _fill(self, name: str, choices: list[tuple[str, str]], wanted: str = "") -> None:
        """Other choices; the chosen one stays where it is among them, unless another one is wanted."""
        box = self.layout_of.boxes[name]
        self._filling, before = True, wanted or box.currentData()
        if [box.itemData(n) for n in range(box.count())] != [value for value, _ in choices]:
            box.clear()
            for value, said in choices:
                box.addItem(said, value)
        box.setCurrentIndex(max(0, box.findData(before, Qt.ItemDataRole.UserRole)) if choices else -1)
        self._filling = False

    def _refused(self, error: StudioError) -> None:
        if not self._closed:
            self.context.notify(str(error))
