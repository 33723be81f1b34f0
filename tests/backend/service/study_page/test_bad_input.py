"""Hurry, wrong clocks, guessed links and doubled calls over the page's own calls: told plainly, counted once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.domain.studies import StudyResults
from backend.service.study_page import PageLimits, PagePlace, PageServing, Rate, serving_page
from backend.workspace import Workspace
from tests.backend.service.study_page.visitor import Visitor, study_project

pytestmark = pytest.mark.slow  # together they take too long for the fast run

Newcomer = Callable[..., Visitor]


def answered(api: Api, study: str, *, choice: str = "left", made_at: str = "2026-01-02T03:04:05.678Z") -> Visitor:
    """Somebody who answered all as fast as calls go, and finished."""
    visitor = Visitor(api).begin(api.invite(study=study)[0].token)
    while trials := visitor.trials():
        for trial in trials:
            for question in trial["questions"]:
                assert visitor.answer(trial, question, choice, made_at=made_at).status_code == 200
    assert visitor.slide() == {"passed": True, "problem": ""}
    assert len(visitor.post("/s/finish", {}).json()["code"]) == 8, "the person is thanked all the same"
    return visitor


def results(api: Api) -> tuple[StudyResults, dict[str, int]]:
    found = api.study_results(name="taste", bootstraps=10)
    return found, {step.rule: step.removed for step in found.funnel if step.removed}


@pytest.fixture(scope="module")
def server(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServing]:
    limits = PageLimits(per_address=Rate(1_000, 1_000), joins_per_address=Rate(100, 100))  # all come from one address
    secret = tmp_path_factory.mktemp("secret") / "page.key"
    with serving_page(api, secret=secret, place=PagePlace(port=0), limits=limits) as serving:
        yield serving


@pytest.fixture
def connected(api: Api, server: PageServing) -> Iterator[Newcomer]:
    """Somebody who joined and agreed over a real connection."""
    people: list[Visitor] = []

    def begin() -> Visitor:
        people.append(Visitor(api, at=server.place.url).begin(api.invite(study="taste")[0].token))
        return people[-1]

    yield begin
    for visitor in people:
        visitor.http.close()


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[..., Api]]:
    """A study with rules of its own."""
    opened: list[Workspace] = []

    def make(*rules: str) -> Api:
        opened.append(study_project(tmp_path / str(len(opened)), rules=rules))
        return cast(Api, opened[-1])

    yield make
    for workspace in opened:
        workspace.close()


@pytest.mark.parametrize(
    ("rules", "row"),
    [
        (("min_seconds=300",), "min_seconds"),
        (("min_item_seconds=1",), "min_item_seconds"),
        (("max_straight=3",), "max_straight"),
        (("min_gold_accuracy=0.6",), "min_gold_accuracy"),
    ],
)
def test_a_script_that_clicks_is_thanked_and_a_row_of_the_funnel(
    made: Callable[..., Api], rules: tuple[str, ...], row: str
) -> None:
    api = made(*rules)
    choice = "right" if row == "min_gold_accuracy" else "left"
    visitor = answered(api, "taste", choice=choice)
    if row == "min_gold_accuracy":  # one side alone may be right by chance: the other side is taken by another
        answered(api, "taste", choice="left")
    found, removed = results(api)
    assert removed[row] >= 1
    assert set(removed) == {row}
    assert visitor.state()["step"] == "done"
    assert {rater.removed_by for rater in found.raters} <= {row, ""}
    assert all(rater.votes for rater in found.raters), "what was said is kept"


@pytest.mark.parametrize("clock", ["1970-01-01T00:00:00Z", "2099-12-31T23:59:59.999Z"])
def test_a_wrong_clock_changes_nothing_that_counts(made: Callable[..., Api], clock: str) -> None:
    api = made()
    for made_at in ("2026-01-02T03:04:05Z", clock):
        answered(api, "taste", made_at=made_at)
    found, removed = results(api)
    assert removed == {}
    right, wrong = found.raters
    assert wrong.votes == right.votes
    assert 0 <= wrong.seconds < 60
    assert abs(wrong.seconds - right.seconds) < 30
    assert all(vote.made_at in (clock, "2026-01-02T03:04:05Z") for vote in api.votes(study_id=found.study.study_id))


def test_the_newest_revision_counts_whatever_the_clocks_of_two_windows_say(api: Api, newcomer: Newcomer) -> None:
    visitor = newcomer()
    trial = visitor.trials()[0]
    question = trial["questions"][0]
    assert visitor.answer(trial, question, "left", made_at="2099-01-01T00:00:00Z").status_code == 200
    assert visitor.answer(trial, question, "right", rev=2, made_at="1999-01-01T00:00:00Z").json()["applied"]
    assert visitor.trials(0)[0]["questions"][0]["choice"] == "right"


def test_one_answer_sent_by_eight_calls_at_once_is_one_vote(api: Api, connected: Newcomer) -> None:
    visitor = connected()
    trial = visitor.trials()[0]
    question = trial["questions"][0]
    study = api.studies()[0].study_id
    before = len(api.votes(study_id=study))
    with ThreadPoolExecutor(8) as pool:
        told = [one.json() for one in pool.map(lambda _: visitor.answer(trial, question, "left"), range(8))]
    assert told == [{"rev": 1, "applied": True}] * 8
    assert len(api.votes(study_id=study)) == before + 1


def test_two_windows_that_answer_at_the_same_moment_make_one_vote_and_one_conflict(connected: Newcomer) -> None:
    visitor = connected()
    trial = visitor.trials()[0]
    question = trial["questions"][0]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda choice: visitor.answer(trial, question, choice), ("left", "right")))
    assert sorted(one.status_code for one in answers) == [200, 409]
    (refused,) = [one.json()["error"] for one in answers if one.status_code == 409]
    assert refused["code"] == "conflict"
    assert visitor.trials(0)[0]["questions"][0]["choice"] == refused["current"]["choice"]


def test_two_calls_end_one_response(api: Api, connected: Newcomer) -> None:
    visitor = connected()
    visitor.answer_all()
    assert visitor.slide()["passed"]
    before = api.studies()[0].finished
    with ThreadPoolExecutor(4) as pool:
        codes = [one.json()["code"] for one in pool.map(lambda _: visitor.post("/s/finish", {}), range(4))]
    assert len(set(codes)) == 1
    assert api.studies()[0].finished == before + 1


def test_one_refused_answer_keeps_no_other_from_the_disk(connected: Newcomer) -> None:
    people = [connected() for _ in range(6)]
    asked = [(visitor, visitor.trials()[0]) for visitor in people]

    def send(k: int) -> int:
        visitor, trial = asked[k]
        return visitor.answer(trial, trial["questions"][0], "best" if k == 3 else "left").status_code

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(send, range(6))) == [200, 200, 200, 400, 200, 200]
    assert [visitor.trials(0)[0]["questions"][0]["choice"] for visitor, _ in asked] == [*["left"] * 3, None, *["left"] * 2]


def test_a_copy_that_somebody_deletes_is_made_anew(made: Callable[..., Api], tmp_path: Path) -> None:
    api = made()
    visitor = Visitor(api).begin(api.invite(study="taste")[0].token)
    address = next(panel["media"] for panel in visitor.trials()[0]["panels"] if panel["shows"] == "video")
    first = visitor.get(address)
    assert first.status_code == 200
    (copy,) = tmp_path.rglob("index/studies/**/*-*.mp4")
    copy.unlink()
    again = visitor.get(address)
    assert (again.status_code, len(again.content)) == (200, len(first.content))
