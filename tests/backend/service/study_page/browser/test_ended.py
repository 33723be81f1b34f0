"""A study that is closed under somebody's hands, in a real Chromium."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
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
    until,
    write_cases,
)
from tests.backend.service.study_page.visitor import LENIENT

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def create(api: Api, folder: Path, name: str, *, trials: int) -> None:
    """A study of its own, since it is closed."""
    write_cases(folder / name, frames=FRAMES)
    api.create_study(
        name=name,
        form="ab",
        trials=trials,
        rules=LENIENT,
        cases=str(folder / name / "cases.json"),
        systems=tuple(f"{system}={folder / name / system}" for system in SYSTEMS),
    )


def test_who_is_in_the_middle_hands_in_what_they_answered_and_others_are_told(
    opened: Callable[..., Page], workspace: Workspace, tmp_path: Path
) -> None:
    api = cast(Api, workspace)
    create(api, tmp_path, "ended", trials=2)
    page, late = opened("ended"), opened("ended")
    begin(page)
    answer(page)
    stored(page)
    api.close_study(name="ended", because="enough")
    late.get_by_role("button", name="Begin").click()
    until(lambda: heading(late) == "This study has ended")
    page.reload()  # or going on until the next trials are asked for
    page.locator("#slider").wait_for()
    assert "What you answered is kept and counts." in page.locator(".card [role=status]").inner_text()
    slide(page)
    code = page.locator("#code").inner_text()
    (row,) = api.study_results(name="ended", bootstraps=10).raters
    assert (api.participant(participant=row.participant).code, row.removed_by) == (code, "")


def test_going_on_from_the_last_trial_that_was_given_out_reaches_the_end(
    opened: Callable[..., Page], workspace: Workspace, tmp_path: Path
) -> None:
    """Trials that the page holds already may still be answered; then it asks for more, and is told."""
    api = cast(Api, workspace)
    create(api, tmp_path, "on", trials=6)
    page = opened("on")
    begin(page)
    answer(page)
    stored(page)
    api.close_study(name="on")
    answer_all(page)
    slide(page)
    assert len(page.locator("#code").inner_text()) == 8
