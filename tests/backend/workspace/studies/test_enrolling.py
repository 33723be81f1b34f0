"""Who takes part: invitations, joining once, ending, withdrawing; what is kept of them."""

import contextlib
import csv
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest

from backend.api import Api
from backend.domain import ProjectError, SettingsError, StoreError
from backend.domain.studies import PageEvent, StudySummary
from backend.workspace import Workspace
from backend.workspace.study_enrolling import Enrolling
from tests.backend.service.study_page.visitor import Visitor
from tests.backend.workspace.study_project import create, finished, newcomer
from tests.promises import Tally


def test_an_invitation_lets_one_person_in(api: Api, study: StudySummary) -> None:
    (one,) = api.invite(study="taste", group="expert")
    person = api.join_study(token=one.token, login="ann", address="10.0.0.1")
    assert (person.group, person.state) == ("expert", "joined")
    with pytest.raises(ProjectError, match="used already"):
        api.join_study(token=one.token)
    with pytest.raises(ProjectError, match="not valid"):
        api.join_study(token="forged" + one.token[6:])
    (late,) = api.invite(study="taste", days=1e-9)
    with pytest.raises(ProjectError, match="ended on"):
        api.join_study(token=late.token)
    (other,) = api.invite(study="taste")
    with pytest.raises(ProjectError, match="has taken part already"):
        api.join_study(token=other.token, login=" ann ")
    assert api.join_study(token=other.token, login="bob").state == "joined"


def test_nothing_of_a_token_a_login_or_an_address_is_kept(api: Api, study: StudySummary, workspace: Workspace) -> None:
    (one,) = api.invite(study="taste")
    api.join_study(token=one.token, login="ann.canary", address="203.0.113.77")
    workspace.status()
    for path in workspace.layout.root.rglob("*"):
        if path.is_file():
            found = path.read_bytes()
            assert not any(text.encode() in found for text in (one.token, "ann.canary", "203.0.113.77")), path


@pytest.mark.promise(
    "an invitation lets one person in, whoever else comes with it at the same moment",
    area="Service",
    goal="1 participant of 20 callers at once, 20 times over",
    control="tests/backend/workspace/studies/test_enrolling.py::test_without_its_turn_an_invitation_lets_several_in",
)
def test_twenty_threads_with_one_invitation_make_one_participant(
    workspace: Workspace, benchmark: Path, long: bool, tally: Tally
) -> None:
    create(cast(Api, workspace), benchmark)
    for _ in range(20 if long else 1):
        joined, refused = joined_at_once(workspace)
        tally.record(20, lost=joined - 1)
        assert (joined, refused) == (1, 19)


def test_without_its_turn_an_invitation_lets_several_in(
    workspace: Workspace, benchmark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(cast(Api, workspace), benchmark)
    newcomer_of = Enrolling._newcomer

    def later(self: Enrolling, *about: Any, **more: Any) -> Any:
        time.sleep(0.2)  # so that others look meanwhile
        return newcomer_of(self, *about, **more)

    monkeypatch.setattr(Enrolling, "_newcomer", later)
    monkeypatch.setattr(workspace._enrolling._shelf, "once", contextlib.nullcontext())
    assert joined_at_once(workspace)[0] > 1


def joined_at_once(workspace: Workspace) -> tuple[int, int]:
    """How many of twenty threads with one invitation were let in, and how many refused."""
    (one,) = workspace.invite(study="taste")
    joined, refused = [], []

    def join() -> None:
        try:
            joined.append(workspace.join_study(token=one.token))
        except ProjectError as error:
            refused.append(error)

    threads = [threading.Thread(target=join) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(joined), len(refused)


def test_an_open_response_cannot_be_finished(api: Api, study: StudySummary) -> None:
    person = newcomer(api, "taste")
    with pytest.raises(ProjectError, match=r"\d+ of \d+ trials are not answered yet"):
        api.finish_study(participant=person.id)
    (invitation,) = api.invite(study="taste")
    joined = api.join_study(token=invitation.token)
    assert api.study_trials(participant=joined.id).trials == ()
    with pytest.raises(ProjectError, match="not agreed"):
        api.finish_study(participant=joined.id)


def test_withdrawn_and_second_responses_are_rows_of_the_funnel(api: Api, study: StudySummary) -> None:
    def tie(*_: object) -> str:
        return "tie"

    kept = finished(api, "taste", tie, address="10.0.0.9")
    twin = finished(api, "taste", tie, address="10.0.0.9")
    gone = finished(api, "taste", tie)
    api.withdraw(participant=gone.id)
    newcomer(api, "taste")
    results = api.study_results(name="taste", bootstraps=20)
    steps = {step.rule: step for step in results.funnel}
    assert steps["joined"].kept == 4
    assert (steps["withdrawn"].removed, steps["unfinished"].removed) == (1, 1)
    removed = {row.participant: row.removed_by for row in results.raters}
    # Whoever says tie to everything fails the gold trials
    assert (removed[kept.id], removed[twin.id]) == ("min_gold_accuracy", "min_gold_accuracy")
    assert results.groups[0].participants == 0
    assert "no response counts yet" in results.remarks[0]
    assert results.groups[0].aspects[0].strengths[0].davidson.reason == "no votes"


def test_a_background_stands_in_results_and_leaves_with_its_person(api: Api, study: StudySummary, tmp_path: Path) -> None:
    def tie(*_: object) -> str:
        return "tie"

    told = {finished(api, "taste", tie, background=text).id: text for text in ("\u7535\u5f71 =editing", "")}
    results = api.study_results(name="taste", bootstraps=20)
    assert {row.participant: row.background for row in results.raters} == told
    api.write_study_report(name="taste", figures=str(tmp_path / "figures"), bootstraps=20)
    with (tmp_path / "figures" / "rater_quality.csv").open(encoding="utf-8", newline="") as file:
        assert {row["participant"]: row["background"] for row in csv.DictReader(file)} == told
    (somebody,) = (who for who, text in told.items() if text)
    api.erase_participant(participant=somebody)
    left = api.study_results(name="taste", bootstraps=20).raters
    assert [row.background for row in left if row.participant != somebody] == [""]
    assert not any(row.background for row in left)


def test_who_works_on_the_project_goes_on_under_their_name(api: Api, study: StudySummary) -> None:
    first = api.take_part(study="taste", login="ann")
    assert api.take_part(study="taste", login="ann") == first
    api.consent(participant=first.id, text="yes")
    trials = api.next_trials(study_id=study.study_id, rater=first.id, limit=2)
    assert len(trials) == 2
    (more,) = api.next_trials(study_id=study.study_id, rater=first.id, limit=1, skip=tuple(t.item_id for t in trials))
    assert more.item_id not in {t.item_id for t in trials}
    state = api.queue_state(study_id=study.study_id, rater=first.id)
    assert (state.judged, state.total) == (0, study.trials)
    assert api.form(name=trials[0].form).questions[0].name == "better"


def test_page_events_are_kept_once_and_checked(api: Api, study: StudySummary) -> None:
    person = newcomer(api, "taste")
    events = (PageEvent(id="a", name="offline"), PageEvent(id="b", name="played", value=1.0))
    assert api.page_events(participant=person.id, events=events) == 2
    assert api.page_events(participant=person.id, events=events) == 0
    with pytest.raises(SettingsError, match="no fit name"):
        api.page_events(participant=person.id, events=(PageEvent(id="c", name="<b>"),))
    with pytest.raises(SettingsError, match="does not have"):
        api.page_events(participant=person.id, events=(PageEvent(id="c", name="played", trial_id="trial_x"),))


def test_under_a_damaged_key_nobody_joins_again_and_verify_tells_of_it(
    api: Api, study: StudySummary, workspace: Workspace
) -> None:
    newcomer(api, "taste", login="ann")
    key = workspace.layout.study_key
    sound = key.read_bytes()
    key.write_bytes(sound[:20])
    (other,) = api.invite(study="taste")
    with pytest.raises(StoreError, match=r"studies.key is damaged \(20 bytes\); put a copy"):
        api.join_study(token=other.token, login="ann")
    refused = Visitor(api, ask_login=True).join(other.token, login="ann")
    assert (refused.status_code, refused.json()) == (503, {"error": {"code": "later", "message": ""}})
    assert [problem for problem in api.verify().problems if "studies.key is damaged" in problem]
    key.write_bytes(sound)
    assert api.verify().ok
    assert api.join_study(token=other.token, login="bob").state == "joined"


@pytest.mark.parametrize(
    ("language", "purpose"), [("en", "serve this study alone: to compare"), ("zh", "仅用于本研究：比较")]
)
def test_what_is_agreed_to_says_what_it_is_for_and_is_kept_as_it_was_shown(
    workspace: Workspace, benchmark: Path, language: str, purpose: str
) -> None:
    api = cast(Api, workspace)
    create(api, benchmark, language=language)
    (one,) = api.invite(study="taste")
    page = Visitor(api)
    page.join(one.token)
    shown = page.state()["consent"]
    assert purpose in shown
    assert page.post("/s/consent", {"agreed": True}).status_code == 200
    (kept,) = [event for event in workspace.journal.stream() if event.kind == "study_consented"]
    assert kept.body["text"] == shown
