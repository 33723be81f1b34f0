"""A study page in Chromium, as a participant's hands and eyes use it."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.api import Api
from backend.domain import Vote
from backend.media.images import encode_png
from backend.media.writer import write_video

SYSTEMS = ("north", "south")
PAYLOAD = "<img src=x onerror=alert(1)> & \u202eright to left\u202c"
FRAMES, LONG_FRAMES = 16, 96  # 0.7 and 4 s
WAIT_MS = 60_000
Page = Any


def write_cases(folder: Path, *, frames: int) -> None:
    """Two cases of two systems: a bar that moves through 320 x 180 pixels."""
    (folder / "references").mkdir(parents=True)
    cases = {}
    for k in range(2):
        (folder / "references" / f"{k}.png").write_bytes(encode_png(np.full((40, 40, 3), 80 * k + 40, np.uint8)))
        cases[f"singleobj_{k}"] = {
            "img_paths": [f"references/{k}.png"],
            "prompt": f"A bar {k} {PAYLOAD}",
            "synthesis_flag": "wrong",
            "class_label": ["Bar"],
        }
        for n, system in enumerate(SYSTEMS):
            (folder / system).mkdir(exist_ok=True)
            pictures = []
            for i in range(frames):
                picture = np.full((180, 320, 3), 40 + 60 * n + 30 * k, np.uint8)
                picture[:, 3 * i : 3 * i + 16] = 250
                pictures.append(picture)
            write_video(folder / system / f"singleobj_{k}.mp4", pictures, fps=24)
    (folder / "cases.json").write_text(json.dumps(cases))


def begin(page: Page, *, touch: bool = False) -> None:
    """To the first trial, with the pointer or a finger."""
    for _ in range(3):  # join, agree, start
        forward = page.locator("main button.primary")
        forward.wait_for()
        before = heading(page)
        forward.tap() if touch else forward.click()
        until(lambda before=before: page.locator("h1").count() == 1 and heading(page) not in (before, page.title()))
    page.locator("video").first.wait_for()


def unlocked(page: Page) -> None:
    page.locator(".choice:enabled").first.wait_for()


def answer(page: Page, key: str = "1") -> None:
    unlocked(page)
    for _ in range(page.locator(".question").count()):
        page.keyboard.press(key)
    page.locator("footer button.primary:enabled").wait_for()


def answer_all(page: Page, key: str = "1") -> None:
    """Every trial by one key, up to the slider."""
    while page.locator("#slider").count() == 0:
        before = heading(page)
        answer(page, key)
        page.keyboard.press("Enter")
        until(lambda before=before: page.locator("h1").count() == 1 and heading(page) not in (before, page.title()))


def slide(page: Page) -> None:
    """Moves the slider to its target by keys, and ends."""
    page.locator("#slider").focus()
    target = int("".join(letter for letter in page.locator("label.big").inner_text() if letter.isdigit()))
    for _ in range(target // 10):
        page.keyboard.press("PageUp")
        time.sleep(0.08)
    while (place := int(page.locator("#slider").input_value())) != target:
        page.keyboard.press("ArrowRight" if place < target else "ArrowLeft")
    page.get_by_role("button", name="This is it").click()
    page.locator("#code").wait_for()


def heading(page: Page) -> str:
    return page.locator("h1").inner_text()


def until(true: Callable[[], bool], *, seconds: float = 45.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def stored(page: Page) -> None:
    """All that was answered is on the service's disk."""
    until(lambda: page.evaluate("localStorage.length") == 0)


def tab_to(page: Page, name: str) -> None:
    """Moves the focus by Tab to the control with that accessible name."""
    for _ in range(25):
        page.keyboard.press("Tab")
        focused = page.evaluate("(document.activeElement.ariaLabel || document.activeElement.innerText || '').trim()")
        if focused.startswith(name):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"the focus on {name} cannot be seen"
            return
    pytest.fail(f"{name} cannot be reached by Tab")


def votes_of(api: Api, study: str) -> list[Vote]:
    return list(api.votes(study_id=api.study(name=study).id))
