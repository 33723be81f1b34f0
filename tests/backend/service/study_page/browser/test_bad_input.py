"""What goes wrong in a participant's browser: they read a plain sentence, the evaluator a row of the funnel, no vote is lost."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.service.study_page import PagePlace, PageServing, serving_page
from backend.workspace import Workspace
from tests.backend.service.study_page.browser.chromium_page import (
    FRAMES,
    SYSTEMS,
    Page,
    answer,
    answer_all,
    begin,
    heading,
    slide,
    stored,
    unlocked,
    until,
    votes_of,
    write_cases,
)
from tests.backend.service.study_page.browser.conftest import LIMITS
from tests.backend.service.study_page.visitor import LENIENT

pytestmark = pytest.mark.browser
CLICKS = """
setInterval(() => {
    for (const one of document.querySelectorAll(".choice, footer button.primary")) one.click();
    for (const key of ["1", "Enter"]) document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
}, 20)
"""
"""A script that answers whatever can be answered, fifty times a second."""


def study(workspace: Workspace, folder: Path, name: str, **fields) -> Api:
    """A study of its own, with videos of its own."""
    write_cases(folder / name, frames=FRAMES)
    api = cast(Api, workspace)
    api.create_study(
        name=name,
        form="ab",
        trials=2,
        cases=str(folder / name / "cases.json"),
        systems=tuple(f"{system}={folder / name / system}" for system in SYSTEMS),
        **fields,
    )
    return api


def removed(api: Api, name: str) -> dict[str, int]:
    """The funnel's rows that left somebody out."""
    return {step.rule: step.removed for step in api.study_results(name=name, bootstraps=10).funnel if step.removed}


@pytest.fixture
def naming(workspace: Workspace, api: Api) -> Iterator[PageServing]:
    """The page as it asks for names."""
    secret, place = workspace.layout.root / "page.key", PagePlace(port=0)
    with serving_page(api, secret=secret, place=place, limits=LIMITS, ask_login=True) as server:
        yield server


def test_a_script_that_clicks_answers_nothing_unwatched_and_is_a_row_of_the_funnel(
    opened: Callable[..., Page], workspace: Workspace, tmp_path: Path
) -> None:
    api = study(workspace, tmp_path, "clicked", rules=("min_seconds=0", "min_item_seconds=60", "min_gold_accuracy=0"))
    page = opened("clicked")
    begin(page)
    page.evaluate(CLICKS)
    page.locator("video").first.wait_for()
    assert page.evaluate("[...document.querySelectorAll('video')].every((v) => !v.ended)")
    assert votes_of(api, "clicked") == []
    page.locator("#slider").wait_for()
    total = api.studies()[-1].trials
    assert len(votes_of(api, "clicked")) == total
    page.evaluate(
        "const s = document.querySelector('#slider'); for (let k = 0; k <= 100; k++)"
        " { s.value = k; s.dispatchEvent(new Event('input', { bubbles: true })); }"
    )
    page.get_by_role("button", name="This is it").click()
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").inner_text() in (
        "Not quite there. Here is another one.",
        "That was too quick. Please try once more.",
    )
    assert removed(api, "clicked") == {"unfinished": 1}
    slide(page)
    assert removed(api, "clicked") == {"min_item_seconds": 1}
    assert len(votes_of(api, "clicked")) == total


def test_five_minutes_in_five_seconds_count_by_the_services_clock(
    opened: Callable[..., Page], workspace: Workspace, tmp_path: Path
) -> None:
    api = study(workspace, tmp_path, "hurried", rules=("min_item_seconds=0", "min_gold_accuracy=0"))
    page = opened("hurried")
    page.clock.install(time="1999-12-31T23:59:00Z")  # years behind
    page.reload()
    begin(page)
    while page.locator("#slider").count() == 0:
        before = heading(page)
        answer(page)
        page.clock.fast_forward(60_000)  # a minute a trial, as far as the browser knows
        page.keyboard.press("Enter")
        until(lambda before=before: page.locator("h1").count() == 1 and heading(page) not in (before, page.title()))
    slide(page)
    assert removed(api, "hurried") == {"min_seconds": 1}
    votes = votes_of(api, "hurried")
    assert {vote.made_at[:2] for vote in votes} <= {"19", "20"}
    assert any(vote.made_at.startswith("2000-01-01") for vote in votes), "the browser's clock went its own way"
    (rater,) = api.study_results(name="hurried", bootstraps=10).raters
    assert 1 < rater.seconds < 120


def test_fifty_kilobytes_of_reason_are_cut_to_what_is_kept(opened: Callable[..., Page], api: Api) -> None:
    page = opened()
    begin(page)
    answer(page)
    page.locator(".question details summary").click()
    page.locator(".question textarea").focus()
    page.keyboard.insert_text("x" + "👍🏽" * 6_250)  # 50 kB, and no cut between its letters is between two characters
    page.keyboard.press("Tab")
    stored(page)
    comment = next(vote.comment for vote in reversed(votes_of(api, "short")) if vote.comment)
    assert comment.startswith("x👍🏽👍🏽")
    assert 900 <= len(comment) <= 2_000
    assert page.get_by_role("alert").count() == 0


@pytest.mark.parametrize("name", ["مريم العلي", "👩🏽‍🎨 Ada", "\u202eשלום\u202c"])
def test_a_name_in_any_script_answers_once(opened: Callable[..., Page], naming: PageServing, name: str) -> None:
    for expected in ("Before you agree", "This did not work"):
        page = opened(at=naming)
        page.get_by_label("Your name or login").fill(name)
        page.get_by_role("button", name="Begin").click()
        until(lambda page=page, expected=expected: page.locator("h1").count() == 1 and heading(page) == expected)
    assert (
        page.get_by_role("alert").inner_text() == "Somebody with this name has taken part already. Everybody answers once."
    )


def test_missing_videos_are_told_and_the_response_waits_for_them(
    opened: Callable[..., Page], workspace: Workspace, tmp_path: Path
) -> None:
    api = study(workspace, tmp_path, "gone", rules=LENIENT)
    page = opened("gone")
    away = tmp_path / "away"
    for system in SYSTEMS:
        shutil.move(tmp_path / "gone" / system, away / system)
    begin(page)
    for _ in range(api.studies()[-1].trials):
        until(lambda: "cannot be shown" in page.locator(".hint.lock").inner_text())
        assert page.locator(".choice:enabled").count() == 0
        before = heading(page)
        page.locator("footer button.primary:enabled").click()
        until(lambda before=before: page.locator("h1").count() == 1 and heading(page) not in (before, page.title()))
    assert "Some videos could not be shown" in page.get_by_role("alert").inner_text()
    assert removed(api, "gone") == {"unfinished": 1}
    connection = sqlite3.connect(f"file:{workspace.layout.journal}?mode=ro", uri=True)
    told = "select count(*) from events where kind = 'study_page' and json_extract(body, '$.name') = 'media_missing'"
    assert connection.execute(told).fetchone()[0] >= api.studies()[-1].trials
    connection.close()
    for system in SYSTEMS:
        shutil.move(away / system, tmp_path / "gone" / system)
    page.get_by_role("button", name="Try again").click()
    page.locator("video, main button.primary").first.wait_for()
    if page.locator("video").count() == 0:  # instructions come again, since nothing is answered
        page.locator("main button.primary").click()
    answer_all(page)
    slide(page)
    assert removed(api, "gone") == {}


def test_a_network_that_goes_while_videos_are_fetched_keeps_nobody_out(opened: Callable[..., Page], api: Api) -> None:
    page = opened()
    begin(page)
    answer(page)
    page.context.set_offline(True)
    page.keyboard.press("Enter")
    time.sleep(0.5)
    page.context.set_offline(False)
    unlocked(page)
    answer_all(page)
    slide(page)
    code = page.locator("#code").inner_text()
    assert len(code) == 8


def test_a_cut_link_and_no_link_say_what_to_do(opened: Callable[..., Page], serving: PageServing) -> None:
    page = opened()
    stranger = page.context.browser.new_context().new_page()
    stranger.goto(f"{serving.place.url}/s/")
    stranger.locator("h1").wait_for()
    until(lambda: heading(stranger) == "An invitation is needed")
    stranger.goto(f"{serving.place.url}/s/join/abc")
    stranger.get_by_role("button", name="Begin").click()
    assert "the link is not complete" in stranger.get_by_role("alert").inner_text()
    stranger.context.close()
