"""A human study from end to end: the sample world's systems are measured, compared by people in a browser, in Studio and
over the page's calls, and read again: the planted order, ties and weights come out, and no vote is lost or doubled."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from typer.testing import CliRunner

from backend.api import Api
from backend.cli.app import app
from backend.client import ServicePlace
from backend.client.remote import RemoteApi
from backend.sampleworld.cases import SYSTEMS, Takes, render_cases
from backend.sampleworld.cast import draw_cast
from backend.service import serving
from backend.service.study_page import PageKeys, PageLimits, PagePlace, PageServing, Rate, serving_page
from backend.workspace import Workspace
from tests.chromium import CHROMIUM, browsing
from tests.end_to_end.planted_raters import (
    METRICS,
    TASTE,
    TIES,
    TOTAL,
    PlantedRaters,
    Sent,
    many_through_the_page,
    planted,
)

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
NUM_CASES = 10  # what calibrating in five parts needs
TAKES = Takes(size=(320, 192), num_frames=16)
NUM_TRIALS = 5
NUM_OVER_HTTP = 100
SLACK = 0.3  # one strength for all cases is not quite the mean of what the cases were planted with
RULES = ("min_seconds=0", "min_item_seconds=0", "max_straight=0", "one_per_ip=false")
WAIT_MS = 60_000


def command(*words: object) -> Any:
    """What a command prints as JSON."""
    done = CliRunner().invoke(app, [str(word) for word in (*words, "--json")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    folder = tmp_path / "world"
    render_cases(folder, draw_cast(11), seed=11, count=NUM_CASES, takes=TAKES)
    return folder


@pytest.fixture
def project(tmp_path: Path, world: Path) -> Path:
    """A project in which the three systems were measured, and a study of them."""
    folder = tmp_path / "p"
    command("init", "--project", folder)
    about = ("--project", folder, "--cases", world / "cases.json")
    for system in SYSTEMS:
        names = ("--system", system, "--metrics", ",".join(METRICS), "--engine", "inline")
        command("evaluate", *about, "--videos", world / "systems" / system, *names)
    asked = ("--form", "opens2v", "--aspects", f"{TASTE},{TOTAL}", "--trials", NUM_TRIALS)
    rules = [word for rule in RULES for word in ("--rule", rule)]
    made = command("study", "create", "taste", *asked, *rules, "--project", folder)
    assert (made["items"], sorted(made["systems"])) == (3 * NUM_CASES, sorted(SYSTEMS))
    return folder


@pytest.fixture
def opened(project: Path) -> Iterator[tuple[Workspace, PageServing]]:
    """The project's owner, its service and the study page."""
    limits = PageLimits(
        per_address=Rate(5_000, 5_000), joins_per_address=Rate(1_000, 1_000), per_session=Rate(1_000, 1_000)
    )  # everybody comes from one address, and in a hurry
    with ExitStack() as open_:
        workspace = Workspace(project)
        open_.callback(workspace.close)
        api = cast(Api, workspace)
        open_.enter_context(serving(api, project))
        secret = workspace.layout.page_key
        server = open_.enter_context(serving_page(api, secret=secret, place=PagePlace(port=0), limits=limits))
        yield workspace, server


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_planted_order_and_weights_come_out_of_a_study_that_people_answered_everywhere(
    qtbot: Any, tmp_path: Path, world: Path, project: Path, opened: tuple[Workspace, PageServing]
) -> None:
    workspace, server = opened
    api = cast(Api, workspace)
    raters = planted(workspace, world)
    (study,) = workspace.studies()
    in_chromium(api, server, raters, secret=workspace.layout.page_key)
    in_studio(qtbot, tmp_path, project, raters)
    sent = many_through_the_page(api, server.place.url, raters, study="taste", num=NUM_OVER_HTTP)
    people = NUM_OVER_HTTP + 3
    every_vote_is_there_once(workspace, sent, num=people * study.trials * 2)
    found = command("study", "results", "taste", "--bootstraps", 200, "--project", project)
    assert {step["kept"] for step in found["funnel"]} == {people}
    aspects = {one["aspect"]: one for one in found["groups"][0]["aspects"]}
    assert {name: one["votes"] for name, one in aspects.items()} == dict.fromkeys((TASTE, TOTAL), people * NUM_TRIALS)
    order_and_ties_are_recovered(aspects[TASTE], raters)
    weights_are_recovered(project)
    leaderboard_follows_the_votes(project, raters)
    report_reads_like_a_paper(project, tmp_path)


def in_chromium(api: Api, server: PageServing, raters: PlantedRaters, *, secret: Path) -> None:
    """Two people in browsers of their own, one at a desk and one on a telephone, each to the completion code."""
    keys = PageKeys.of_file(secret)
    with browsing() as browser:
        sizes = (
            {"viewport": {"width": 1280, "height": 900}},
            {"viewport": {"width": 390, "height": 844}, "has_touch": True},
        )
        pages = [browser.new_context(**size).new_page() for size in sizes]
        for page, invitation in zip(pages, api.invite(study="taste", num=len(pages)), strict=True):
            page.set_default_timeout(WAIT_MS)
            page.goto(server.place.invitation(invitation.token))
            page.get_by_role("button", name="Begin").click()
            page.get_by_role("button", name="I agree").click()
            page.get_by_role("button", name="Start").click()
        (sealed,) = [cookie["value"] for cookie in pages[0].context.cookies() if cookie["name"] == "study_session"]
        told = keys.opened("session", sealed.strip('"'))
        assert told is not None
        total = api.study_trials(participant=told.split("\n")[0], limit=1).total
        for position in range(total):  # by turns, so that one watches while the other answers
            for page in pages:
                answer_shown(page, position, raters, keys)
        for page in pages:
            slide(page)
            page.locator("#code").wait_for()


def answer_shown(page: Any, position: int, raters: PlantedRaters, keys: PageKeys) -> None:
    """Answers both questions of the trial on the screen once it opens, and goes on."""
    page.wait_for_function("(place) => history.state?.position === place", arg=position)
    page.locator(".choice:enabled").first.wait_for()
    (sealed,) = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "study_session"]
    participant = (keys.opened("session", sealed.strip('"')) or "").split("\n")[0]
    trial = raters.workspace._shelf.enrolment(participant)[1].trial_ids[position]
    labels = {"left": "Left", "right": "Right", "tie": "As good as each other"}
    for place, question in enumerate((TASTE, TOTAL)):
        asked = page.locator(".question").nth(place)
        asked.get_by_role("button", name=labels[raters.choose(trial, question)]).click()
    page.locator("footer button.primary:enabled").click()


def slide(page: Any) -> None:
    """Moves the slider to its target by keys."""
    slider = page.locator("#slider")
    slider.wait_for()
    target = int("".join(letter for letter in page.locator("label.big").inner_text() if letter.isdigit()))
    slider.focus()
    for _ in range(target // 10):
        page.keyboard.press("PageUp")
        page.wait_for_timeout(60)
    while (place := int(slider.input_value())) != target:
        page.keyboard.press("ArrowRight" if place < target else "ArrowLeft")
    page.get_by_role("button", name="This is it").click()


def in_studio(qtbot: Any, tmp_path: Path, project: Path, raters: PlantedRaters) -> None:
    """One person in Studio's Compare page, as a client of the project's service."""
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    from studio.app import open_window
    from studio.pages import PAGES
    from studio.pages.compare import ComparePage
    from studio.sessions.verify import Phase

    keys = {"left": Qt.Key.Key_Left, "right": Qt.Key.Key_Right, "tie": Qt.Key.Key_Down}
    remote = RemoteApi(ServicePlace(project))
    state = tmp_path / "studio"
    window = open_window(cast(Api, remote), project=project, rater="ann", theme="light", state=state)
    window.resize(1280, 860)
    window.show()
    window.activateWindow()
    window.open_page(next(name for name in PAGES if name.lower() == "compare"))
    page = window.page
    assert isinstance(page, ComparePage)
    for button in ("taste", "agree", "start"):
        qtbot.waitUntil(lambda button=button: button in page.gate.buttons, timeout=WAIT_MS)
        page.gate.buttons[button].click()
    session = page.session
    qtbot.waitUntil(lambda: session.phase is Phase.JUDGING, timeout=WAIT_MS)
    for judged in range(session.total):
        qtbot.waitUntil(lambda n=judged: session.phase is Phase.JUDGING and session.judged == n, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: page.watched, timeout=WAIT_MS)
        for place in range(2):
            held = session.current
            assert held is not None and held.open_question is not None
            QTest.keyClick(page, keys[raters.choose(held.trial.item_id, held.open_question.name)])
            qtbot.waitUntil(lambda held=held, place=place: len(held.answers) == place + 1, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: "end" in page.gate.buttons, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not window.link.outbox.unsent(10), timeout=WAIT_MS)
    for _ in range(page.gate.closing.target):  # the slider, as in the browser
        QTest.keyClick(page.gate.closing.slider, Qt.Key.Key_Right, delay=8)
    page.gate.buttons["end"].click()
    qtbot.waitUntil(lambda: page.gate.head.text() == "Thank you", timeout=WAIT_MS)
    window.close()
    remote.close()


def every_vote_is_there_once(workspace: Workspace, sent: Sent, *, num: int) -> None:
    """The journal on the disk, the catalog and an exported file hold the same votes, and all that were acknowledged."""
    connection = sqlite3.connect(f"file:{workspace.layout.journal}?mode=ro", uri=True)
    with connection:
        newest = "select id, max(rev), json_extract(body, '$.choice') from events where kind = 'vote' group by id"
        journal = {vote_id: (rev, choice) for vote_id, rev, choice in connection.execute(newest)}
        (asked,) = connection.execute(
            "select count(distinct actor || json_extract(body, '$.trial_id') || json_extract(body, '$.question')) "
            "from events where kind = 'vote'"
        ).fetchone()
    connection.close()
    study_id = workspace.study(name="taste").id
    catalog = {vote.id: (vote.rev, vote.choice) for vote in workspace.votes(study_id=study_id)}
    assert len(journal) == asked == num, "one vote a person, trial and question"
    assert catalog == journal
    assert {vote_id: journal.get(vote_id) for vote_id in sent} == sent
    out = workspace.layout.root / "votes.jsonl"
    assert workspace.export_votes(study="taste", out=str(out)).votes == num - 2 * 2 * (num // (2 * _trials(workspace)))


def _trials(workspace: Workspace) -> int:
    return workspace.studies()[0].trials


def order_and_ties_are_recovered(aspect: dict, raters: PlantedRaters) -> None:
    truth = raters.strengths(TASTE)
    assert [row["system"] for row in aspect["strengths"]] == sorted(truth, key=lambda name: -truth[name])
    for row in aspect["strengths"]:
        assert row["davidson"]["low"] - SLACK < truth[row["system"]] < row["davidson"]["high"] + SLACK
    assert aspect["tie_rate"]["low"] < TIES < aspect["tie_rate"]["high"]


def weights_are_recovered(project: Path) -> None:
    about = ("--study", "taste", "--aspect", TOTAL, "--name", "taste", "--by", "none", "--scaling", "linear")
    about += ("--metrics", ",".join(METRICS))
    found = command("calibrate", "metrics", *about, "--bootstraps", 200, "--project", project)["calibration"]
    (fit,) = found["fits"]
    assert fit["reason"] == ""
    weights = {row["metric"]: row["weight"] for row in fit["weights"]}
    assert set(weights) == set(METRICS)
    for name, weight in METRICS.items():
        assert weights[name]["low"] <= weight <= weights[name]["high"], name
    assert max(weights, key=lambda name: weights[name]["value"]) == max(METRICS, key=lambda name: METRICS[name])
    assert weights["motion_amplitude"]["low"] > 0.2, "the interval is narrow enough to say something"
    ratios = {row["name"]: row["ratio"]["value"] for row in fit["held_out"]}
    assert ratios["fitted"] > 0.6


def leaderboard_follows_the_votes(project: Path, raters: PlantedRaters) -> None:
    board = command("leaderboard", "--preset", "taste", "--project", project)
    truth = raters.strengths(TOTAL)
    totals = [row for row in board["standings"] if (row["metric"], row["kind"]) == ("total", "")]
    assert [row["system"] for row in totals] == sorted(truth, key=lambda name: -truth[name])
    assert board["preset"].startswith("taste v1 (taste, naturalness")


def report_reads_like_a_paper(project: Path, tmp_path: Path) -> None:
    page, figures = tmp_path / "taste.html", tmp_path / "figures"
    command("study", "results", "taste", "--bootstraps", 50, "--html", page, "--figures", figures, "--project", project)
    text = page.read_text("utf-8")
    for words in ("<h2>Methods", "<h2>Results", "<h2>Metrics and votes", "<h2>Participants", "No response was left out."):
        assert words in text, words
    drawn = {path.stem for path in figures.glob("*.svg")}
    wanted = {
        "win_tie_loss",
        "strengths",
        "metric_agreement",
        "agreement",
        "funnel",
        "rater_quality",
        "position_bias",
        "power",
    }
    assert wanted <= drawn == {path.stem for path in figures.glob("*.csv")}
    assert np.mean([f"Figure {number}." in text for number in range(1, len(drawn) + 1)]) == 1.0
