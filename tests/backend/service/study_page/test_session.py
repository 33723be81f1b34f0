"""A participant's way through the page over HTTP: every call may come twice, and nothing is lost or counted twice."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.domain.studies import Participant
from backend.service.study_page import PageKeys
from tests.backend.service.study_page.visitor import KEYS, Visitor, study_project

Newcomer = Callable[..., Visitor]
ID = "00000000-0000-4000-8000-000000000001"


def person(visitor: Visitor, api: Api) -> Participant:
    sealed = visitor.http.cookies["study_session"].strip('"')
    told = KEYS.opened("session", sealed)
    assert told is not None
    return api.participant(participant=told.split("\n")[0])


def test_a_whole_session_ends_with_a_code(api: Api, visitor: Visitor, token: str) -> None:
    assert visitor.state()["step"] == "uninvited"
    link = visitor.open(token)
    assert (link.status_code, link.headers["location"]) == (303, "/s/")
    assert visitor.state()["step"] == "join"
    assert visitor.post("/s/join", {"background": "editor"}).json() == {"joined": True}
    state = visitor.state()
    assert state["step"] == "consent"
    assert state["consent"] == api.study(name="taste").consent
    assert visitor.post("/s/consent", {"agreed": True}).status_code == 200
    visitor.answer_all()
    assert visitor.state()["step"] == "slider"
    assert visitor.post("/s/finish", {}).json()["error"]["code"] == "slider"
    assert visitor.slide() == {"passed": True, "problem": ""}
    code = visitor.post("/s/finish", {}).json()["code"]
    again = Visitor(api)
    again.http.cookies = visitor.http.cookies
    assert again.post("/s/finish", {}).json()["code"] == code
    state = again.state()
    assert (state["step"], state["code"]) == ("done", code)
    found = person(visitor, api)
    assert (found.state, found.code, found.background) == ("finished", code, "editor")
    results = api.study_results(name="taste", bootstraps=10)
    assert results.study.finished == 1
    (mine,) = [row for row in results.raters if row.participant == found.id]
    assert mine.votes == results.study.trials - 2  # practice is not counted
    assert mine.removed_by == ""
    assert [step.kept for step in results.funnel if step.rule == "slider"] == [1]


def test_opening_a_link_changes_nothing(api: Api, visitor: Visitor, token: str) -> None:
    before = api.studies()[0]
    for _ in range(3):
        Visitor(api).open(token)  # a mail scanner
    assert api.studies()[0] == before
    cookie = visitor.open(token).headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Secure", "Path=/s"))
    assert token not in cookie
    assert visitor.post("/s/join", {}).status_code == 200
    assert api.studies()[0].joined == before.joined + 1


def test_an_invitation_works_once_and_the_same_browser_goes_on(api: Api, visitor: Visitor, token: str) -> None:
    assert visitor.join(token).status_code == 200
    joined = api.studies()[0].joined
    assert visitor.join(token).json() == {"joined": True}  # the link again, the button twice
    assert visitor.post("/s/join", {}).json() == {"joined": True}
    assert visitor.state()["step"] == "consent"
    other = Visitor(api)
    answer = other.join(token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "invitation")
    assert api.studies()[0].joined == joined


@pytest.mark.parametrize("token", ["forged", "x" * 43, "x" * 500, "%3Cscript%3E", "..%2f..", "%00", "%F0%9F%92%A9"])
def test_a_forged_invitation_is_refused_with_a_word(api: Api, visitor: Visitor, token: str) -> None:
    answer = visitor.join(token)
    assert (answer.status_code, answer.json()) == (403, {"error": {"code": "invitation"}})
    assert Visitor(api).post("/s/join", {}).json() == {"error": {"code": "invitation"}}  # without a link


def test_an_expired_invitation_is_refused(api: Api, visitor: Visitor) -> None:
    (late,) = api.invite(study="taste", days=1e-9)
    assert visitor.join(late.token).json()["error"]["code"] == "invitation"


@pytest.mark.parametrize("login", ["مريم", "👩🏽‍🎨 Ada", "שלום\u202eabc", "  ann  ", "O'Brien\\; DROP", "<b>x</b>"])
def test_one_login_answers_once_whatever_it_is_written_in(api: Api, login: str) -> None:
    first, again = (api.invite(study="taste")[0].token for _ in range(2))
    assert Visitor(api, ask_login=True).join(first, login=login).status_code == 200
    refused = Visitor(api, ask_login=True).join(again, login=login.strip())
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "login")


def test_no_trial_is_given_before_consent(api: Api, visitor: Visitor, token: str) -> None:
    visitor.join(token)
    assert visitor.trials() == []
    assert visitor.post("/s/consent", {"agreed": False}).status_code == 422
    assert visitor.state()["step"] == "consent"
    for _ in range(2):
        assert visitor.post("/s/consent", {"agreed": True}).status_code == 200
    assert len(visitor.trials()) == 3


def test_trials_go_on_at_the_first_open_one(newcomer: Newcomer) -> None:
    visitor = newcomer()
    first, second, _ = visitor.trials()
    assert visitor.trials()[0]["id"] == first["id"]
    visitor.answer(first, first["questions"][0], "left")
    assert visitor.trials()[0]["id"] == second["id"]
    again = visitor.trials(0)[0]
    assert (again["id"], again["questions"][0]["choice"], again["questions"][0]["rev"]) == (first["id"], "left", 1)


def test_the_same_answer_twice_is_one_vote(api: Api, newcomer: Newcomer) -> None:
    visitor = newcomer()
    (trial, *_) = visitor.trials()
    question = trial["questions"][0]
    receipts = [visitor.answer(trial, question, "left").json() for _ in range(3)]
    assert receipts == [{"rev": 1, "applied": True}] * 3
    mine = [vote for vote in api.votes(study_id=person(visitor, api).study_id) if vote.rater == person(visitor, api).id]
    assert len(mine) == 1


def test_two_windows_make_revisions_of_one_vote(api: Api, newcomer: Newcomer) -> None:
    visitor = newcomer()
    trial = visitor.trials()[0]
    question = trial["questions"][0]
    assert visitor.answer(trial, question, "left").status_code == 200
    late = visitor.answer(trial, question, "right", made_at="2026-01-02T03:05:00Z")  # the other window knew of none
    assert late.status_code == 409
    current = late.json()["error"]["current"]
    assert (late.json()["error"]["code"], current["choice"], current["rev"]) == ("conflict", "left", 1)
    assert visitor.answer(trial, question, "right", rev=2).json() == {"rev": 2, "applied": True}
    assert visitor.trials(0)[0]["questions"][0]["choice"] == "right"
    mine = person(visitor, api)
    assert [vote.choice for vote in api.votes(study_id=mine.study_id) if vote.rater == mine.id] == ["right"]


def test_what_is_not_asked_is_refused(newcomer: Newcomer) -> None:
    visitor, other = newcomer(), newcomer()
    trial, theirs = visitor.trials()[0], other.trials()[0]
    question = trial["questions"][0]
    assert visitor.answer(trial, question, "best").status_code in (400, 409)
    assert visitor.answer(trial, question, "left", vote="mine").status_code == 422
    assert visitor.answer(theirs, theirs["questions"][0], "left").status_code == 422
    assert visitor.answer(trial, question, "left", reasons=["because"]).status_code in (400, 409)
    assert visitor.trials(0)[0]["questions"][0]["choice"] is None


def test_a_long_reason_is_refused_in_a_sentence_and_other_scripts_are_kept(newcomer: Newcomer) -> None:
    visitor = newcomer()
    trial = visitor.trials()[0]
    question = trial["questions"][0]
    long = visitor.answer(trial, question, "left", comment="ä" * 25_000)  # 50 kB
    assert long.status_code in (400, 409)
    assert "shorten it to 2000" in long.json()["error"]["message"]
    assert visitor.answer(trial, question, "left", comment="x" * 70_000).json()["error"]["code"] == "too_large"
    said = "יותר טוב 👍🏽 \u202eabc\u202c <b>&amp;"
    assert visitor.answer(trial, question, "left", comment=f"{said}\x00\x07").status_code == 200
    assert visitor.trials(0)[0]["questions"][0]["comment"] == said


def test_page_events_are_kept_once(api: Api, newcomer: Newcomer) -> None:
    visitor = newcomer()
    trial = visitor.trials()[0]
    event = {"id": ID, "name": "played", "trial": trial["id"], "value": 1200.0, "made_at": "x"}
    assert visitor.post("/s/events", {"events": [event]}).json() == {"new": 1}
    assert visitor.post("/s/events", {"events": [event]}).json() == {"new": 0}
    assert visitor.post("/s/events", {"events": [{**event, "name": "slider_passed"}]}).status_code == 422
    assert visitor.post("/s/events", {"events": [{**event, "id": ID[:-1] + "2", "trial": "theirs"}]}).status_code == 400


def test_nothing_more_is_taken_after_withdrawing_or_erasing(api: Api, newcomer: Newcomer) -> None:
    visitor = newcomer()
    trial = visitor.trials()[0]
    for _ in range(2):
        assert visitor.post("/s/withdraw", {}).json() == {"withdrawn": True}
    assert visitor.state()["step"] == "withdrawn"
    assert visitor.answer(trial, trial["questions"][0], "left").status_code in (400, 409)
    api.erase_participant(participant=person(visitor, api).id)
    assert visitor.state()["step"] == "uninvited"


def test_a_restart_of_the_service_keeps_the_session(api: Api, newcomer: Newcomer) -> None:
    visitor = newcomer()
    trial = visitor.trials()[0]
    again = Visitor(api)
    again.http.cookies = visitor.http.cookies
    media = trial["panels"][-1]["media"]
    assert again.get(media).content == visitor.get(media).content
    assert again.answer(trial, trial["questions"][0], "left").status_code == 200
    stranger = Visitor(api, keys=PageKeys(b"other" * 8))
    stranger.http.cookies = visitor.http.cookies
    assert stranger.state()["step"] == "uninvited"


def test_missing_media_is_gone_and_the_response_stays_unfinished(tmp_path: Path) -> None:
    workspace = study_project(tmp_path, rules=("slider=false",))
    api = cast(Api, workspace)
    visitor = Visitor(api).begin(api.invite(study="taste")[0].token)
    trial = visitor.trials()[0]
    media = [panel["media"] for panel in trial["panels"] if panel["shows"] == "video"]
    assert visitor.get(media[0]).status_code == 200
    for path in (tmp_path / "benchmark").rglob("*.mp4"):
        path.unlink()
    gone = Visitor(api).begin(api.invite(study="taste")[0].token)
    lost = [panel["media"] for panel in gone.trials()[0]["panels"] if panel["shows"] == "video"]
    answer = gone.get(lost[0])
    assert answer.status_code == 410
    assert b"benchmark" not in answer.content
    event = {"id": ID, "name": "media_missing", "trial": gone.trials()[0]["id"]}
    assert gone.post("/s/events", {"events": [event]}).json() == {"new": 1}
    refused = gone.post("/s/finish", {})
    assert refused.status_code == 409
    funnel = api.study_results(name="taste", bootstraps=10).funnel
    assert [step.removed for step in funnel if step.rule == "unfinished"] == [2]
    workspace.close()


def test_a_study_without_a_slider_is_finished_by_a_button(tmp_path: Path) -> None:
    workspace = study_project(tmp_path, rules=("slider=false",), language="zh")
    api = cast(Api, workspace)
    visitor = Visitor(api).begin(api.invite(study="taste")[0].token)
    assert visitor.state()["language"] == "zh"
    visitor.answer_all()
    assert visitor.state()["step"] == "finish"
    assert len(visitor.post("/s/finish", {}).json()["code"]) == 8
    workspace.close()
