"""Texts of other people on every page of ours, in a real Chromium: shown as they are, never run."""

import dataclasses
import json
import time
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from markupsafe import Markup

from backend.api import Api
from backend.report import page as report_page
from backend.report.page import Block, Report, Section, render
from backend.service.study_page import PagePlace, serving_page
from backend.workspace import Workspace
from tests.attacks.payloads import PAYLOADS, Watch
from tests.backend.service.study_page.browser.chromium_page import WAIT_MS, unlocked, until, write_cases
from tests.backend.service.study_page.visitor import LENIENT
from tests.promises import ROOT, Tally

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def shown(chromium: Any, tmp_path: Path) -> Iterator[Callable[[str | Path], tuple[list[str], str]]]:
    """Opens a file or its text; gives the harm that it did, and the text that is seen."""
    context = chromium.new_context()

    def show(what: str | Path) -> tuple[list[str], str]:
        if isinstance(what, str):
            (tmp_path / "page.html").write_text(what, encoding="utf-8")
            what = tmp_path / "page.html"
        page = context.new_page()
        watch = Watch(page)
        page.goto(what.as_uri())
        page.wait_for_timeout(300)
        found = watch.harm(), page.content()
        page.close()
        return found

    yield show
    context.close()


def filled(kind: Any, text: str) -> Any:
    """A value of a record's field with `text` wherever a text may stand."""
    if isinstance(kind, types.UnionType):
        return filled(typing.get_args(kind)[0], text)
    if typing.get_origin(kind) is tuple:
        parts = typing.get_args(kind)
        return (filled(parts[0], text),) if parts[-1] is ... else tuple(filled(one, text) for one in parts)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        given = {field.name: filled(hints[field.name], text) for field in dataclasses.fields(kind)}
        if "image" in given:
            given["image"] = "data:,"  # a picture of ours, never a text
        return cast(Any, kind)(**given)
    if kind is Markup:
        return Markup("<svg xmlns='http://www.w3.org/2000/svg'></svg>")  # made by our own drawing, never by others
    return text if kind is str else {float: 0.5, int: 1, bool: True}.get(kind, frozenset())


def hostile_report(*texts: str) -> Report:
    """A page with a section for each text: every kind of block, each full of it."""
    kinds = [
        one for one in vars(report_page).values() if isinstance(one, type) and "KIND" in vars(one) and one is not Block
    ]
    assert {path.stem for path in (Path(report_page.__file__).parent / "templates" / "blocks").iterdir()} == {
        *(cast(Any, one).KIND for one in kinds),
        "thumb",
    }
    sections = [Section(anchor=text, title=text, lead=text, blocks=[filled(one, text) for one in kinds]) for text in texts]
    return Report(title=texts[0], kicker=texts[0], sections=sections, facts=((texts[0], texts[0]),), footer=texts[0])


@pytest.mark.promise(
    "no text, file name or tag runs as a script in reports, leaderboards, comparisons and study results: all are drawn "
    "by one renderer, whose every block is tried with every payload, and whose policy allows no script at all",
    area="Service",
    goal="0 dialogs, scripts, foreign requests or elements of 39 payloads in every block",
    control="tests/attacks/test_scripts_in_texts.py::test_without_escaping_texts_come_to_life",
)
def test_no_text_runs_on_a_report(shown: Callable[[str | Path], tuple[list[str], str]], long: bool, tally: Tally) -> None:
    found: list[str] = []
    for payloads in [(payload,) for payload in PAYLOADS] if long else [PAYLOADS]:
        html = render(hostile_report(*payloads))
        assert "default-src 'none'" in html.partition("<style>")[0]
        assert "script-src" not in html
        harm, seen = shown(html)
        assert ">49<" not in seen, "a template in a text is not filled in"
        found += [f"{payloads[0]}: {one}" for one in harm]
    tally.record(len(PAYLOADS), lost=len(found))
    assert found == []


def test_without_escaping_texts_come_to_life(
    shown: Callable[[str | Path], tuple[list[str], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_page._environment(), "autoescape", False)
    report_page._environment().cache.clear()  # pyright: ignore[reportOptionalMemberAccess]
    lively = [payload for payload in PAYLOADS[::4] if shown(render(hostile_report(payload)))[0]]
    report_page._environment().cache.clear()  # pyright: ignore[reportOptionalMemberAccess]
    assert len(lively) >= 7


def test_file_names_are_text_in_the_report_of_a_real_project(
    shown: Callable[[str | Path], tuple[list[str], str]], tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    names = [payload.replace("/", "∕").replace("\x00", "") for payload in PAYLOADS[::3]]
    for name in names:
        (folder / f"{name}.mp4").write_bytes(b"no video")
    workspace = Workspace(tmp_path / "<b onclick=alert(1)>project", create=True)
    api = cast(Api, workspace)
    api.ingest(paths=(str(folder),), licence="<script>alert(1)</script>", attribution=PAYLOADS[3])
    job = api.curate(engine="inline")
    while api.progress(job_id=job.job_id).state == "running":
        time.sleep(0.1)
    harm, seen = shown(Path(api.report(out=str(tmp_path / "report.html"))))
    workspace.close()
    assert harm == []
    assert "&lt;img src=x onerror=alert(1)&gt;.mp4" in seen, "the names are on the page"


TEXTS = ("label", "text", "comment", "consent", "code")
"""Fields of what the service tells the study page that hold words of people: of forms, prompts, consent and participants."""
EVERY = " ".join(PAYLOADS).replace("\x00", "")


def with_hostile_texts(told: Any, text: str) -> Any:
    """An answer of the service with that for every text of it."""
    if isinstance(told, list):
        return [with_hostile_texts(one, text) for one in told]
    if isinstance(told, dict):
        return {name: text if name in TEXTS else with_hostile_texts(value, text) for name, value in told.items()}
    return told


@dataclasses.dataclass
class Visited:
    """What a participant's browser showed: harm done, what was seen of the texts, and the page's policy."""

    harm: list[str]
    seen: dict[str, str]
    policy: str


@pytest.fixture(scope="module")
def visit(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Visited]]:
    """Takes part in a study whose every text is hostile, up to an answered trial; `dom` changes the page's way of building elements."""
    folder = tmp_path_factory.mktemp("hostile")
    write_cases(folder / "cases", frames=16)
    cases = json.loads((folder / "cases" / "cases.json").read_text())
    for case in cases.values():
        case["prompt"] = EVERY
    (folder / "cases" / "cases.json").write_text(json.dumps(cases))
    workspace = Workspace(folder / "project", create=True)
    api = cast(Api, workspace)
    api.create_study(
        name="hostile",
        form="gloria",
        trials=2,
        rules=LENIENT,
        cases=str(folder / "cases" / "cases.json"),
        systems=tuple(f"{system}={folder / 'cases' / system}" for system in ("north", "south")),
    )

    def told(route: Any, text: str) -> None:
        answer = route.fetch()
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        route.fulfill(status=answer.status, headers=headers, json=with_hostile_texts(answer.json(), text))

    def go(server: Any, dom: Callable[[str], str] | None, text: str) -> Visited:
        context = chromium.new_context()
        page = context.new_page()
        watch = Watch(page)
        page.set_default_timeout(WAIT_MS)
        for path in ("state", "trials"):
            context.route(f"**/s/{path}", lambda route: told(route, text))
        if dom is not None:
            changed = dom((ROOT / "resources" / "study_page" / "dom.js").read_text())
            context.route("**/s/static/dom.js", lambda route: route.fulfill(content_type="text/javascript", body=changed))
        answer = page.goto(server.place.invitation(api.invite(study="hostile")[0].token))
        page.locator("main button.primary").click()
        page.locator("main p[dir=auto]").first.wait_for()
        seen = {"consent": page.locator("main").text_content()}
        harm = watch.harm()
        if dom is None:
            for _ in range(2):  # agree, start
                before = page.locator("h1").inner_text()
                page.locator("main button.primary").click()
                until(lambda before=before: page.locator("h1").inner_text() != before)
            page.locator("video").first.wait_for()
            unlocked(page)
            page.keyboard.press("1")
            page.wait_for_timeout(300)
            seen["trial"] = page.locator("body").text_content()
            harm += watch.harm()
        context.close()
        return Visited(harm, seen, answer.headers["content-security-policy"])

    with serving_page(api, secret=folder / "page.key", place=PagePlace(port=0)) as server:
        yield lambda dom=None, text=EVERY: go(server, dom, text)
    workspace.close()


@pytest.mark.promise(
    "no text of a study runs as a script on its page: consent, prompts, questions, choices, reasons, labels of panels, comments",
    area="Service",
    goal="0 dialogs, scripts, foreign requests or elements of 39 payloads in every text",
    control="tests/attacks/test_scripts_in_texts.py::test_a_study_page_that_takes_texts_for_markup_comes_to_life",
)
def test_no_text_runs_on_the_study_page(visit: Callable[..., Visited], tally: Tally) -> None:
    found = visit()
    tally.record(len(PAYLOADS), lost=len(found.harm))
    assert found.harm == []
    assert "<svg onload=alert(1)>" in found.seen["consent"]
    assert found.seen["trial"].count("<svg onload=alert(1)>") >= 5, "the prompt, a panel, a question and its choices"
    assert "default-src 'self'" in found.policy
    assert "unsafe" not in found.policy
    assert "object-src 'none'" in found.policy
    assert "frame-ancestors 'none'" in found.policy


def test_a_study_page_that_takes_texts_for_markup_comes_to_life(visit: Callable[..., Visited]) -> None:
    appended = "made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));"

    def careless(dom: str) -> str:
        assert appended in dom
        return dom.replace(
            appended,
            "for (const one of children.flat()) if (typeof one === 'string') made.insertAdjacentHTML('beforeend', one); "
            "else if (one) made.append(one);",
        )

    assert any(one.startswith("element ") for one in visit(careless, "<img src=x onerror=alert(1)>").harm)
