"""The page in a real Chromium: by keyboard alone, in sync, through reloads, second windows, lost networks and small screens."""

import re
import time
from collections.abc import Callable

import numpy as np
import pytest

from backend.api import Api
from backend.service.study_page import PageServing
from tests.backend.service.study_page.browser.chromium_page import (
    PAYLOAD,
    Page,
    answer,
    begin,
    heading,
    stored,
    tab_to,
    unlocked,
    until,
    votes_of,
)
from tests.promises import Tally

pytestmark = pytest.mark.browser


def test_a_whole_session_by_keyboard_alone_is_accessible_at_every_step(opened: Callable[..., Page], api: Api) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def examine(step: str) -> None:
        found = axe.run(page)
        told = [(one["id"], [node["target"] for node in one["nodes"]]) for one in found.response["violations"]]
        assert told == [], step

    page = opened(color_scheme="dark")
    page.get_by_role("button", name="Begin").wait_for()
    assert page.url.endswith("/s/"), "the token has left the address"
    examine("join")
    tab_to(page, "Begin")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="I agree").wait_for()
    examine("consent")
    tab_to(page, "I agree")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Start").wait_for()
    examine("instructions")
    tab_to(page, "Start")
    page.keyboard.press("Enter")
    seen: list[str] = []
    while "of" in (title := heading_when(page, seen)):
        seen.append(title)
        if len(seen) == 1:
            page.keyboard.press("2")  # before the videos were watched
            assert page.locator(".choice[aria-pressed=true]").count() == 0
        unlocked(page)
        page.keyboard.press("1" if len(seen) % 2 else "ArrowRight")
        chosen = page.locator(".choice[aria-pressed=true]")
        assert chosen.count() == 1
        if len(seen) == 1:
            page.keyboard.press("Space")  # pauses
            until(lambda: page.evaluate("[...document.querySelectorAll('video')].every((v) => v.paused)"))
            examine("trial")
        page.keyboard.press("Enter")
    assert seen[0] == "Practice · 1 of 2"
    page.locator("#slider").wait_for()
    examine("slider")
    while page.evaluate("document.activeElement.id") != "slider":
        page.keyboard.press("Tab")
    target = int(re.findall(r"\d+", page.locator("label.big").inner_text())[0])
    for _ in range(target // 10):
        page.keyboard.press("PageUp")
        time.sleep(0.08)
    while (place := int(page.locator("#slider").input_value())) != target:
        page.keyboard.press("ArrowRight" if place < target else "ArrowLeft")
    tab_to(page, "This is it")
    page.keyboard.press("Enter")
    page.locator("#code").wait_for()
    examine("thanks")
    code = page.locator("#code").inner_text()
    assert re.fullmatch(r"[0-9A-F]{8}", code)
    assert page.evaluate("localStorage.length") == 0
    page.reload()
    assert page.locator("#code").inner_text() == code
    finished = [row for row in api.study_results(name="short", bootstraps=10).raters if not row.removed_by]
    assert [row.votes for row in finished] == [len(seen) - 2]


def heading_when(page: Page, seen: list[str]) -> str:
    """The next step's heading, once it is another one than the last trial's."""
    until(lambda: page.locator("h1").count() == 1 and heading(page) not in (seen[-1:] or [""]) + ["A study of videos"])
    return heading(page)


DRIFT = """(() => {
    const [a, b] = document.querySelectorAll('video');
    return a.paused || a.ended || b.paused || b.ended ? 1e6 : 1000 * Math.abs(a.currentTime - b.currentTime);
})()"""
"""In ms, while both play: at the end the sides are together whatever was done."""
FALL_BACK = "(s) => { const v = document.querySelectorAll('video')[1]; v.currentTime = v.currentTime - s; }"


def p95_of_a_play(page: Page) -> float:
    """How far the sides are apart while they play once more, in ms: the 95th percentile over 160 painted frames."""
    page.keyboard.press("r")
    until(lambda: page.evaluate("(() => { const v = document.querySelector('video'); return !v.paused && !v.ended; })()"))
    drifts = page.evaluate(
        """() => new Promise((done) => {
            const [left, right] = document.querySelectorAll("video");
            const found = [];
            const look = () => {
                if (!left.paused && !left.ended && !right.ended) found.push(1000 * Math.abs(left.currentTime - right.currentTime));
                found.length < 160 && !left.ended ? requestAnimationFrame(look) : done(found);
            };
            look();
        })"""
    )
    assert len(drifts) > 30
    return float(np.percentile(drifts, 95))


@pytest.mark.promise(
    "the videos of a trial play less than 20 ms apart, and one that falls behind is brought back while they play",
    area="Service",
    goal="p95 of 160 frames < 20 ms in the best of three plays; 50 ms and 500 ms behind are caught up",
    control="tests/backend/service/study_page/browser/test_sessions.py::test_videos_that_nobody_brings_back_stay_apart",
)
def test_videos_drift_less_than_20_ms_and_one_that_falls_behind_is_brought_back(
    opened: Callable[..., Page], tally: Tally
) -> None:
    page = opened("long")
    begin(page)
    unlocked(page)
    # A busy machine stalls a decoder now and then: the page is judged by the best of three plays.
    best_ms = min(p95_of_a_play(page) for _ in range(3))
    lost = [behind_s for behind_s in (0.05, 0.5) if not caught_up(page, behind_s)]  # by rate, by a seek
    tally.record(3, lost=(best_ms >= 20.0) + len(lost), note=f"p95 {best_ms:.1f} ms")
    assert best_ms < 20.0
    assert lost == []


def caught_up(page: Page, behind_s: float, *, plays: int = 3) -> bool:
    """Whether a side that is set back is within 20 ms of the other again before a play of both ends, in one of a few plays."""
    for _ in range(plays):
        page.keyboard.press("r")
        until(lambda: 0.6 < page.evaluate("document.querySelector('video').currentTime") < 2.0)
        page.evaluate(FALL_BACK, behind_s)
        while not page.evaluate("document.querySelector('video').ended"):
            if page.evaluate(DRIFT) < 20.0:
                return True
            time.sleep(0.05)
    return False


def test_videos_that_nobody_brings_back_stay_apart(opened: Callable[..., Page]) -> None:
    """The same look at a page whose hand on the rate of its videos does nothing."""
    page = opened("long")
    begin(page)
    unlocked(page)
    page.evaluate("Object.defineProperty(HTMLMediaElement.prototype, 'playbackRate', { get: () => 1, set: () => {} })")
    assert not caught_up(page, 0.1, plays=1)


def test_a_reload_goes_on_with_the_first_open_trial(opened: Callable[..., Page], api: Api) -> None:
    page = opened()
    begin(page)
    answer(page)
    page.keyboard.press("Enter")
    until(lambda: heading(page) == "Practice · 2 of 2")
    unlocked(page)
    page.keyboard.press("3")
    stored(page)
    page.reload()
    until(lambda: heading(page) == "Practice · 2 of 2")
    until(lambda: page.locator(".choice[aria-pressed=true]").count() == 1)
    before = len(votes_of(api, "short"))
    fresh = page.context.new_page()
    fresh.goto(page.url)
    until(lambda: fresh.locator("h1").count() == 1 and heading(fresh).startswith("1 of"))
    assert len(votes_of(api, "short")) == before


def test_the_back_button_shows_what_was_answered_and_changes_nothing(opened: Callable[..., Page], api: Api) -> None:
    page = opened()
    begin(page)
    answer(page, "3")
    page.keyboard.press("Enter")
    until(lambda: heading(page) == "Practice · 2 of 2")
    stored(page)
    before = [(vote.id, vote.rev, vote.choice) for vote in votes_of(api, "short")]
    page.go_back()
    until(lambda: heading(page) == "Practice · 1 of 2")
    until(lambda: page.locator(".choice[aria-pressed=true]").count() == 1)
    page.go_forward()
    until(lambda: heading(page) == "Practice · 2 of 2")
    assert [(vote.id, vote.rev, vote.choice) for vote in votes_of(api, "short")] == before
    page.keyboard.press("Backspace")
    until(lambda: heading(page) == "Practice · 1 of 2")
    page.keyboard.press("1")
    until(lambda: [vote.rev for vote in votes_of(api, "short")][-1] == 2)
    assert len(votes_of(api, "short")) == len(before)


def test_two_windows_make_one_answer(opened: Callable[..., Page], api: Api) -> None:
    first = opened()
    begin(first)
    second = first.context.new_page()
    second.goto(first.url)
    begin_again = second.locator("main button.primary")
    begin_again.click()  # instructions come again, since nothing is answered
    unlocked(second)
    unlocked(first)
    stored(first)
    before = len(votes_of(api, "short"))
    first.bring_to_front()
    first.keyboard.press("1")
    until(lambda: len(votes_of(api, "short")) == before + 1)
    second.bring_to_front()
    second.keyboard.press("3")
    until(lambda: votes_of(api, "short")[-1].choice == "right")
    assert len(votes_of(api, "short")) == before + 1
    assert votes_of(api, "short")[-1].rev == 2


def test_answers_given_offline_are_kept_and_sent(opened: Callable[..., Page], api: Api) -> None:
    page = opened()
    begin(page)
    unlocked(page)
    until(
        lambda: (
            page.evaluate("performance.getEntriesByType('resource').filter((r) => r.name.includes('/s/media/')).length")
            >= 9
        )
    )
    before = len(votes_of(api, "short"))
    page.context.set_offline(True)
    for number in (1, 2):
        answer(page)
        page.keyboard.press("Enter")
        until(lambda number=number: heading(page) != f"Practice · {number} of 2")
    assert "offline" in page.locator("#notice").inner_text()
    assert len(votes_of(api, "short")) == before
    page.context.set_offline(False)
    until(lambda: len(votes_of(api, "short")) == before + 2)
    until(lambda: page.locator("#notice").is_hidden())
    stored(page)


def test_a_phone_shows_everything_without_scrolling_sideways(opened: Callable[..., Page]) -> None:
    page = opened("chinese", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, locale="zh-CN")
    begin(page, touch=True)
    unlocked(page)
    assert page.evaluate("document.documentElement.lang") == "zh"
    assert heading(page).startswith("练习")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    sizes = page.evaluate(
        "[...document.querySelectorAll('.choice, footer button, .play')].map((one) => one.getBoundingClientRect()).map((box) => [box.width, box.height])"
    )
    assert all(width >= 44 and height >= 44 for width, height in sizes)
    boxes = page.evaluate("[...document.querySelectorAll('video')].map((one) => one.getBoundingClientRect().width)")
    assert all(width > 300 for width in boxes)
    page.locator(".choice").first.tap()
    assert page.locator(".choice[aria-pressed=true]").count() == 1


@pytest.mark.parametrize(("touch", "told"), [(False, True), (True, False)])
def test_fingers_are_told_of_no_keys(opened: Callable[..., Page], touch: bool, told: bool) -> None:
    page = opened(has_touch=touch, is_mobile=touch)
    for name in ("Begin", "I agree"):
        page.get_by_role("button", name=name).click()
    page.get_by_role("button", name="Start").wait_for()
    assert page.get_by_role("heading", name="Keys").is_visible() is told
    assert page.locator(".keys").is_visible() is told


def test_nothing_moves_by_itself_for_those_who_ask_for_that(opened: Callable[..., Page]) -> None:
    page = opened(reduced_motion="reduce")
    begin(page)
    page.locator(".play:enabled").wait_for()
    time.sleep(0.5)
    assert page.evaluate("[...document.querySelectorAll('video')].every((v) => v.paused && v.currentTime === 0)")
    assert page.locator(".choice:enabled").count() == 0
    page.keyboard.press("Space")
    unlocked(page)
    assert page.evaluate("[...document.querySelectorAll('video')].every((v) => v.paused)"), "and it does not begin again"


def test_a_prompt_is_text_whatever_it_holds(opened: Callable[..., Page]) -> None:
    page = opened()
    begin(page)
    assert PAYLOAD in page.locator(".prompt p").text_content()
    assert page.locator(".prompt img").count() == 0


def test_a_link_that_was_used_says_so_in_a_sentence(opened: Callable[..., Page], api: Api, serving: PageServing) -> None:
    (invitation,) = api.invite(study="short")
    api.join_study(token=invitation.token)
    page = opened()
    page.goto(serving.place.invitation(invitation.token))
    page.get_by_role("button", name="Begin").click()
    assert "it was used already" in page.get_by_role("alert").inner_text()
    page.goto(serving.place.invitation("forged"))
    page.get_by_role("button", name="Begin").click()
    assert "link is not complete" in page.get_by_role("alert").inner_text()
