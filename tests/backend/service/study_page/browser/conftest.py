"""One Chromium, one service, and studies that tests answer."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from backend.api import Api
from backend.service.study_page import PageLimits, PagePlace, PageServing, Rate, serving_page
from backend.workspace import Workspace
from tests.backend.service.study_page.browser.chromium_page import (
    FRAMES,
    LONG_FRAMES,
    SYSTEMS,
    WAIT_MS,
    Page,
    write_cases,
)
from tests.backend.service.study_page.visitor import LENIENT

LIMITS = PageLimits(per_address=Rate(200, 1_000), joins_per_address=Rate(10, 100))  # all tests come from one address
EXPECTED = ("Failed to load resource", "ERR_INTERNET_DISCONNECTED")  # what an offline or refused call writes


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("browser")
    workspace = Workspace(folder / "project", create=True)
    for name, frames, language in (("short", FRAMES, "en"), ("long", LONG_FRAMES, "en"), ("chinese", FRAMES, "zh")):
        write_cases(folder / name, frames=frames)
        cast(Api, workspace).create_study(
            name=name,
            form="gloria" if name == "chinese" else "ab",
            trials=2,
            rules=LENIENT,
            language=language,
            cases=str(folder / name / "cases.json"),
            systems=tuple(f"{system}={folder / name / system}" for system in SYSTEMS),
        )
    yield workspace
    workspace.close()


@pytest.fixture(scope="module")
def api(workspace: Workspace) -> Api:
    return cast(Api, workspace)


@pytest.fixture(scope="module")
def serving(workspace: Workspace, api: Api) -> Iterator[PageServing]:
    with serving_page(api, secret=workspace.layout.root / "page.key", place=PagePlace(port=0), limits=LIMITS) as server:
        yield server


@pytest.fixture
def opened(chromium: Any, serving: PageServing, api: Api) -> Iterator[Callable[..., Page]]:
    """Opens an invitation in a browser of its own; at the end nothing may have been complained about or asked elsewhere."""
    contexts, complaints = [], []

    def open_study(study: str = "short", *, at: PageServing = serving, **options: Any) -> Page:
        options = {"viewport": {"width": 1280, "height": 900}, **options}
        context = chromium.new_context(**options)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        context.on("page", lambda page: watch(page, at.place.url))
        page = context.new_page()
        (invitation,) = api.invite(study=study)
        page.goto(at.place.invitation(invitation.token))
        return page

    def watch(page: Page, url: str) -> None:
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith((url, "blob:")) else complaints.append(f"asked {asked.url}"),
        )

    yield open_study
    for context in contexts:
        context.close()
    assert [text for text in complaints if not any(word in text for word in EXPECTED)] == []
