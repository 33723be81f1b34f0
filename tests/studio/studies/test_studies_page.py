"""The page of studies by keys alone, over the real service: thought out, made, invited to, watched, read, closed."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QLineEdit, QWidget

from backend.api import Api
from backend.domain import ServiceError, Trial
from backend.domain.studies import IDENTICAL, MAIN
from backend.workspace import Workspace
from studio.app import open_window
from studio.ask_dialog import AskDialog
from studio.pages.compare import ComparePage
from studio.pages.results import ResultsPage
from studio.pages.studies import StudiesPage
from studio.sessions.studies import FROM_FILE
from studio.texts import use_language
from studio.window import Window
from tests.backend.workspace.study_project import SYSTEMS, create, finished, named, newcomer
from tests.studio.settling import settle
from tests.studio.studies.hands import CTRL, SHIFT, dialog_of, press

pytestmark = pytest.mark.slow


def ranked(workspace: Workspace, *, cares: bool = True) -> Callable[[Trial, str], str]:
    """A rater who knows what is shown: good beats fair beats poor, copies are as good, noise is not. Another looks left."""

    def choose(trial: Trial, question: str) -> str:
        _, item, assigned = workspace._shelf.trial(trial.item_id)
        if not cares:
            return "left"
        if item.role == IDENTICAL:
            return "tie"
        left, right = (assigned.order[k] for k in (0, 1))
        if item.role != MAIN and any(one.treatment for one in item.media):
            return "right" if item.media[left].treatment else "left"
        return "left" if SYSTEMS.index(item.systems[left]) < SYSTEMS.index(item.systems[right]) else "right"

    return choose


def voted(workspace: Workspace, benchmark: Path, *, people: int = 6, **fields) -> Api:
    """The study `taste` on twelve items, answered by so many people of whom the second looks at nothing."""
    api = cast(Api, workspace)
    create(api, benchmark, trials=12, **fields)
    for k in range(people):
        group = "expert" if k % 3 == 0 else "public"
        finished(api, "taste", ranked(workspace, cares=k != 1), address=f"10.0.0.{k}", group=group)
    return api


def known(qtbot, page: StudiesPage, counted: int) -> None:
    """Until the study's results are on the screen."""
    qtbot.waitUntil(lambda: page.layout_of.monitor.figures["counting"].text() == str(counted))


def planned(qtbot, page: StudiesPage) -> None:
    draft = page.session.draft
    assert draft is not None
    qtbot.waitUntil(lambda: draft.plan is not None or bool(draft.refusal))


def test_a_study_is_thought_out_with_what_it_tells_made_and_invited_to(
    qtbot, page: StudiesPage, workspace: Workspace, benchmark: Path
) -> None:
    layout, before = page.layout_of, workspace.journal.head()
    assert layout.nothing.head.text() == "No study yet"
    press(page, "n")
    draft = page.session.draft
    assert draft is not None
    assert (draft.source, layout.hint.refusal.text()) == (FROM_FILE, "Name the file of its cases.")
    assert layout.form.name.hasFocus()
    press(page, "a taste")
    layout.form.cases.setFocus()
    press(page, str(benchmark / "cases.json"))
    for system in named(benchmark):
        layout.form.system.setFocus()
        press(page, system)
        press(page, Qt.Key.Key_Return)
    layout.form.form.setFocus()
    press(page, Qt.Key.Key_End)
    assert draft.form == "ab"
    layout.form.sizes["raters"].setFocus()
    press(page, Qt.Key.Key_A, CTRL)
    press(page, "3")
    qtbot.waitUntil(lambda: layout.hint.figures["people"].text() == "3")
    assert layout.hint.figures["items"].text() == "12"
    assert [row[0] for row in layout.hint.power.sheet.rows if str(row[0]).startswith("▸")] == ["▸ 12"]
    assert "Nothing of a study changes" in layout.hint.last.text()
    assert workspace.journal.head() == before, "nothing is kept while one thinks"
    assert workspace.studies() == ()
    press(page, Qt.Key.Key_Return, CTRL)
    qtbot.waitUntil(lambda: len(workspace.studies()) == 1 and page.session.draft is None)
    design = workspace.study(name="a taste")
    assert (design.form, design.raters_per_item, design.systems) == ("ab", 3, SYSTEMS)
    assert page.session.view == "invite"
    layout.invite.num.setFocus()
    press(page, Qt.Key.Key_A, CTRL)
    press(page, "3")
    press(page, Qt.Key.Key_I, CTRL)
    qtbot.waitUntil(lambda: len(layout.invite.sheet.rows) == 3)
    assert workspace.studies()[0].invited == 3


def test_links_are_copied_and_kept_readable_by_this_person_alone(
    qtbot, page: StudiesPage, workspace: Workspace, benchmark: Path
) -> None:
    create(cast(Api, workspace), benchmark)
    press(page, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: page.session.study is not None)
    press(page, Qt.Key.Key_I, CTRL)
    assert page.session.view == "invite", "first one sees how many, for whom and for how long"
    invite = page.layout_of.invite
    invite.url.setText("https://study.example")
    press(page, Qt.Key.Key_I, CTRL)
    qtbot.waitUntil(lambda: len(invite.sheet.rows) == 10)
    page.layout_of.invite.links.setFocus()
    press(page, "c")
    link = QApplication.clipboard().text()
    assert link == invite.sheet.rows[0][0]
    person = workspace.join_study(token=link.rpartition("/")[2])
    assert (person.group, link.startswith("https://study.example/s/join/")) == ("public", True)
    press(page, Qt.Key.Key_C, SHIFT)
    assert QApplication.clipboard().text().split() == [row[0] for row in invite.sheet.rows]
    folder = workspace.layout.root / "exports" / "studies" / "taste"
    for number in (1, 2):
        press(page, Qt.Key.Key_S, CTRL)
        kept = folder / f"invite-{number}.csv"
        assert kept.stat().st_mode & 0o777 == 0o600
        rows = list(csv.reader(kept.open(encoding="utf-8")))
        assert [row[0] for row in rows] == ["link", *(row[0] for row in invite.sheet.rows)]
    use_language("zh")
    try:
        window = page.window()
        assert isinstance(window, Window)
        window.set_language("zh")
        again = window.page
        assert isinstance(again, StudiesPage)
        assert len(again.session.told("taste")) == 10, "what is told once survives another language"
        qtbot.waitUntil(lambda: again.options is not None)
    finally:
        use_language("en")


def test_what_comes_in_is_seen_without_a_key(qtbot, page: StudiesPage, workspace: Workspace, benchmark: Path) -> None:
    api = voted(workspace, benchmark, people=5, stop_half_width=0.01)
    monitor = page.layout_of.monitor
    known(qtbot, page, 4)
    assert monitor.figures["finished"].text() == "5 of 5"
    assert monitor.funnel.sheet.rows[-1][-1] == 4
    pairs = {(str(row[1]), str(row[3])): row[2] for row in monitor.sheet.rows}
    tallies = {(one.a, one.b): one for one in api.study_dashboard(name="taste").pairs}
    for (a, b), said in pairs.items():
        one = tallies[a, b]
        assert said == f"{one.wins} : {one.ties + one.both_bad} : {one.losses}"
    assert "told from five responses" in monitor.stop.text() or "No interval yet" in monitor.stop.text()
    finished(api, "taste", ranked(workspace), address="10.0.0.99")
    known(qtbot, page, 5)
    assert monitor.figures["votes"].text() == f"{workspace.studies()[0].votes:,}"


def test_outcomes_are_the_services_figures_each_by_its_digit(
    qtbot, page: StudiesPage, workspace: Workspace, benchmark: Path
) -> None:
    voted(workspace, benchmark)
    known(qtbot, page, 5)
    press(page, "4")
    outcome, found = page.layout_of.outcome, page.results["taste"]
    aspect = found.groups[0].aspects[0]
    assert [row[1] for row in outcome.sheet.rows] == [one.system for one in aspect.strengths]
    press(page, "6")
    assert {(r[0], r[1]): (r[2], r[5]) for r in outcome.sheet.rows} == {
        (one.system, one.rival): (one.wins, one.losses) for one in aspect.wins
    }
    assert {row[0]: row[2] for row in outcome.sheet.rows if row[1] == "poor"} == {"good": 20, "fair": 20}
    press(page, "7")
    assert [row[2] for row in outcome.sheet.rows if row[1] == "raw"] == [1.0]
    press(page, "8")
    assert [(row[0], row[2]) for row in outcome.sheet.rows] == [(step.rule, step.kept) for step in found.funnel]
    press(page, "5")
    outcome.group.setFocus()
    press(page, Qt.Key.Key_End)
    assert outcome.group.value == "public"
    assert "3 participants" in outcome.about.text()
    outcome.table.setFocus()
    press(page, Qt.Key.Key_S, CTRL | SHIFT)
    press(page, Qt.Key.Key_S, CTRL)
    folder = workspace.layout.root / "exports" / "studies" / "taste"
    assert (folder / "ranking.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(csv.reader((folder / "ranking.csv").open(encoding="utf-8")))) == 4


def test_votes_and_a_report_are_written_and_results_opens_on_the_study(
    qtbot, page: StudiesPage, window: Window, workspace: Workspace, benchmark: Path
) -> None:
    voted(workspace, benchmark)
    known(qtbot, page, 5)
    folder = workspace.layout.root / "exports" / "studies" / "taste"
    for format_, name, size in (("jsonl", "votes.jsonl", 5), ("csv", "votes.csv", 5), ("parquet", "votes.parquet", 5),
                                ("vbench2", "votes.json", 5)):  # fmt: skip
        press(page, Qt.Key.Key_E, CTRL)
        dialog = dialog_of(qtbot, page)
        box = next(one for one in dialog.findChildren(QWidget) if one.accessibleName() == "Format")
        box.setCurrentIndex(box.findData(format_))  # pyright: ignore[reportAttributeAccessIssue]
        dialog.go.click()
        qtbot.waitUntil(lambda name=name: f"votes: {folder / name}" in page.layout_of.status.text())
        assert (folder / name).stat().st_size > size
    press(page, Qt.Key.Key_I, CTRL | SHIFT)
    dialog = dialog_of(qtbot, page)
    path = next(one for one in dialog.findChildren(QLineEdit) if one.accessibleName() == "File")
    path.setText(str(folder / "votes.jsonl"))
    QTest.keyClick(path, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: f"72 votes of {folder / 'votes.jsonl'}" in page.layout_of.status.text())
    known(qtbot, page, 11)
    press(page, Qt.Key.Key_R, CTRL)
    qtbot.waitUntil(lambda: "Report and figures" in page.layout_of.status.text())
    assert "<h2>Methods" in (folder / "report.html").read_text("utf-8")
    assert (folder / "figures" / "funnel.svg").is_file()
    press(page, "3")
    press(page, "r")
    results = window.page
    assert isinstance(results, ResultsPage)
    qtbot.waitUntil(lambda: "taste" in results.studies and bool(results.sheet.rows))
    assert (results.view, results.layout_of.boxes["study"].currentText()) == ("raters", "taste")


def test_a_study_is_closed_with_a_reason_and_reopened(
    qtbot, page: StudiesPage, workspace: Workspace, benchmark: Path
) -> None:
    create(cast(Api, workspace), benchmark)
    press(page, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: page.session.study is not None)
    press(page, "x")
    dialog = dialog_of(qtbot, page)
    (because,) = dialog.findChildren(QLineEdit)
    QTest.keyClicks(because, "the deadline came")
    QTest.keyClick(because, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(workspace.studies()[0].closed_at))
    assert workspace.studies()[0].closed_because == "the deadline came"
    qtbot.waitUntil(lambda: "the deadline came" in page.layout_of.about.text())
    assert not page.actions_.qt["make_invitations"].isEnabled(), "nobody joins a closed study"
    assert not page.layout_of.invite.make.isEnabled()
    assert page.layout_of.invite.about.text().startswith("The study is closed")
    press(page, "o")
    QTest.keyClick(dialog_of(qtbot, page), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not workspace.studies()[0].closed_at)
    qtbot.waitUntil(lambda: page.actions_.qt["close_study"].isEnabled())


def test_somebody_is_withdrawn_and_erased_only_when_it_is_said_again(
    qtbot, page: StudiesPage, workspace: Workspace, benchmark: Path
) -> None:
    api = voted(workspace, benchmark)
    workspace.backup(out=str(workspace.layout.backups / "before"))
    known(qtbot, page, 5)
    press(page, "w")
    assert (page.session.view, "Choose a participant" in page.layout_of.status.text()) == ("people", True)
    table = page.layout_of.people.table
    qtbot.waitUntil(lambda: table.rowCount() == 6)
    table.setFocus()
    press(page, Qt.Key.Key_Space)
    chosen = page.layout_of.people.chosen()
    assert chosen == api.participants(study="taste")[-1].id
    press(page, "w")
    dialog = dialog_of(qtbot, page)
    assert dialog.cancel.hasFocus(), "Return leaves it"
    QTest.keyClick(dialog.cancel, Qt.Key.Key_Return)
    assert {one.state for one in api.participants(study="taste")} == {"finished"}
    press(page, "w")
    QTest.keyClick(dialog_of(qtbot, page).go, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: api.participants(study="taste")[-1].state == "withdrawn")
    known(qtbot, page, 4)
    assert page.layout_of.people.chosen() == chosen, "who is chosen stays chosen"
    press(page, "/")
    press(page, f"{chosen[2:9]} withdrawn")
    assert [row[0] for row in page.layout_of.people.table.sheet.rows] == [chosen]
    press(page, Qt.Key.Key_Return)
    assert len(page.layout_of.people.sheet.rows) == 6, "a file has everybody"
    press(page, Qt.Key.Key_Delete)
    dialog = dialog_of(qtbot, page)
    (backups,) = dialog.findChildren(QCheckBox)
    QTest.keyClick(backups, Qt.Key.Key_Space)
    QTest.keyClick(dialog.go, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: "votes among them" in page.layout_of.status.text())
    assert chosen not in {one.id for one in api.participants(study="taste")}
    assert not (workspace.layout.backups / "before").exists()
    page.layout_of.people.search.clear()
    qtbot.waitUntil(lambda: table.rowCount() == 5)


def test_taking_part_goes_to_the_study_itself(
    qtbot, page: StudiesPage, window: Window, workspace: Workspace, benchmark: Path
) -> None:
    api = cast(Api, workspace)
    create(api, benchmark)
    create(api, benchmark, name="other")
    press(page, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: page.session.current == "other")
    press(page, Qt.Key.Key_Down, CTRL)
    assert page.session.current == "taste"
    press(page, "t")
    compare = window.page
    assert isinstance(compare, ComparePage)
    qtbot.waitUntil(lambda: "agree" in compare.gate.buttons)
    assert compare.gate.head.text() == "taste"
    compare.gate.buttons["agree"].click()
    qtbot.waitUntil(lambda: "start" in compare.gate.buttons)
    compare.gate.buttons["start"].click()
    qtbot.waitUntil(lambda: compare.person is not None)
    window.open_page("studies")
    press(page, Qt.Key.Key_Up, CTRL)
    press(page, "t")
    qtbot.waitUntil(lambda: compare.gate.head.text() == "other")
    assert compare.person is None, "taste keeps its place; other begins with what one agrees to"


def test_a_refusal_of_the_service_stays_beside_the_draft_and_nothing_is_made(
    qtbot, page: StudiesPage, workspace: Workspace, benchmark: Path
) -> None:
    create(cast(Api, workspace), benchmark)
    press(page, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: page.session.study is not None)
    press(page, "n")
    layout, draft = page.layout_of, page.session.draft
    assert draft is not None
    press(page, "taste")
    qtbot.waitUntil(lambda: "exists already" in layout.hint.refusal.text())
    assert not layout.hint.make.isEnabled()
    press(page, Qt.Key.Key_Return, CTRL)
    assert "exists already" in layout.status.text()
    press(page, " two")
    planned(qtbot, page)
    assert (draft.refusal, layout.hint.make.isEnabled()) == ("", True)
    for box in layout.form.systems.values():
        QTest.keyClick(box, Qt.Key.Key_Space)
    assert layout.hint.refusal.text() == "Take at least one system."
    press(page, Qt.Key.Key_Escape)
    assert page.session.draft is None
    press(page, "n")
    assert (page.session.draft, layout.form.name.text()) == (draft, "taste two"), "what was left is gone on with"
    press(page, Qt.Key.Key_Escape)
    assert [one.name for one in workspace.studies()] == ["taste"]


def test_a_service_that_is_away_is_told_quietly_and_the_page_comes_back(
    qtbot, workspace: Workspace, benchmark: Path, tmp_path: Path
) -> None:
    class Away:
        away = True

        def __getattr__(self, name: str):
            def call(**arguments):
                if self.away:
                    raise ServiceError("the service cannot be reached")
                return getattr(workspace, name)(**arguments)

            return call

    create(cast(Api, workspace), benchmark)
    service = Away()
    window = open_window(
        cast(Api, service),
        project=tmp_path / "project",
        rater="ann",
        theme="dark",
        state=tmp_path / "s" / "p",
        page="studies",
    )
    window.show()
    try:
        page = window.page
        assert isinstance(page, StudiesPage)
        qtbot.waitUntil(lambda: "cannot be reached" in page.layout_of.nothing.words.text())
        assert not window.banner.isVisible()
        service.away = False
        qtbot.waitUntil(lambda: page.options is not None and page.session.current == "taste")  # by itself
        known(qtbot, page, 0)
        service.away = True
        settle(qtbot, window)
        page.run("refresh")
        settle(qtbot, window)
        assert page.layout_of.title.text() == "taste", "what was known stays on the screen"
    finally:
        window.close()


def test_every_field_of_the_draft_is_reached_by_tab_and_named(qtbot, page: StudiesPage) -> None:
    press(page, "n")
    form, seen = page.layout_of.form, []
    for _ in range(60):
        widget = QApplication.focusWidget()
        if widget is not None and form.isAncestorOf(widget):
            seen.append(widget)
        press(page, Qt.Key.Key_Tab)
    wanted = [
        form.name, form.kind, form.form, form.source, form.cases, form.references, form.system, form.preset, *form.sizes.values(),
        form.language, form.seed, form.sequential, form.stop, *form.aspects.values(), *form.rules.values(),
    ]  # fmt: skip
    assert [one.accessibleName() for one in wanted if one not in seen] == []
    assert all(one.accessibleName() or isinstance(one, QCheckBox) for one in wanted)


def test_every_action_can_be_pressed_with_and_without_a_study(
    qtbot, page: StudiesPage, window: Window, workspace: Workspace, benchmark: Path
) -> None:
    def press_all() -> None:
        for action in page.actions_.qt.values():
            if action.isEnabled():
                action.trigger()
            for dialog in page.findChildren(AskDialog):
                dialog.reject()
            window.open_page("studies")

    press_all()
    voted(workspace, benchmark, people=1)
    page.run("refresh")
    qtbot.waitUntil(lambda: page.session.study is not None)
    page.run("leave_draft")
    press_all()
    qtbot.waitUntil(lambda: not page._reckoning and not page.drafting.planning and not page.drafting.making)
    assert newcomer(cast(Api, workspace), "taste").state == "consented", "nothing closed it unasked"
