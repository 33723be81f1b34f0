"""Erasing a participant: every byte, whatever breaks off, and backups when that is asked."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.cli.label_studio import _remember, _remembered
from backend.domain import ProjectError
from backend.domain.studies import Invitation, PageEvent, Participant
from backend.exports.label_studio import pushed
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.workspace import Workspace
from tests.backend.workspace.study_project import create, finished, vote_on
from tests.promises import Tally

CANARY = "kestrel-canary-4471"


def taken_part(workspace: Workspace, benchmark: Path) -> tuple[Participant, Invitation]:
    """Somebody who said a canary wherever they could say something."""
    api = cast(Api, workspace)
    create(api, benchmark)
    (invitation,) = api.invite(study="taste")
    person = api.join_study(token=invitation.token, login=CANARY, address=CANARY, background=CANARY)
    api.consent(participant=person.id, text=f"I, {CANARY}, agree.")
    shown = api.study_trials(participant=person.id, limit=50).trials
    for one in shown:
        api.submit_votes(votes=(replace(vote_on(person, one.trial, "left"), comment=CANARY),))
    api.page_events(participant=person.id, events=(PageEvent(id=CANARY, name="slider_passed"),))
    api.finish_study(participant=person.id)
    _remember(workspace.layout.root, "http://127.0.0.1:8080", 3, [pushed(shown[0].trial, rater=person.id)], is_whole=True)
    workspace.status()
    workspace.catalog.checkpoint()
    assert holding(workspace, CANARY)
    return person, invitation


@pytest.mark.slow
@pytest.mark.promise(
    "erasing a participant leaves no byte of what they said or were called in any file but backups, which are named with dates",
    area="Privacy",
    goal="0 files hold a canary",
    control="tests/backend/workspace/studies/test_erasing.py::test_a_participant_whose_rows_are_only_deleted_would_be_noticed",
)
def test_an_erased_participant_leaves_no_byte(workspace: Workspace, benchmark: Path, tally: Tally) -> None:
    api = cast(Api, workspace)
    person, invitation = taken_part(workspace, benchmark)
    other = finished(api, "taste", lambda *_: "right")
    where = (workspace.layout.root, "http://127.0.0.1:8080")
    (told,) = _remembered(*where, 3).values()
    _remember(*where, 4, [replace(told, rater=other.id)], is_whole=True)
    backup = api.backup()
    done = api.erase_participant(participant=person.id)
    assert len(_remembered(*where, 4)) == 1
    assert done.votes == api.study_trials(participant=other.id).total
    assert done.backups == (backup,)
    left = [path for path in holding(workspace, CANARY, person.id) if backup not in path]
    tally.record(sum(path.is_file() for path in workspace.layout.root.rglob("*")), lost=len(left))
    assert left == []
    assert api.verify().ok
    assert api.verify().journal_events == workspace.journal.head().seq
    with pytest.raises(ProjectError, match="takes part in no study"):
        api.participant(participant=person.id)
    with pytest.raises(ProjectError, match="used already"):
        api.join_study(token=invitation.token)
    assert [row.participant for row in api.study_results(name="taste", bootstraps=20).raters] == [other.id]
    api.join_study(token=api.invite(study="taste")[0].token, login=CANARY)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["catalog", "journal"])
def test_a_participant_whose_rows_are_only_deleted_would_be_noticed(
    workspace: Workspace, benchmark: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    person, _ = taken_part(workspace, benchmark)
    place, step = (Catalog, "rewrite") if what == "catalog" else (Journal, "compact")
    monkeypatch.setattr(place, step, lambda self: None)
    cast(Api, workspace).erase_participant(participant=person.id)
    assert any(Path(path).name.startswith(what) for path in holding(workspace, CANARY, person.id))


def holding(workspace: Workspace, *texts: str) -> list[str]:
    """Files of the project that hold one of the texts."""
    files = (path for path in workspace.layout.root.rglob("*") if path.is_file())
    return [str(path) for path in files if any(text.encode() in path.read_bytes() for text in texts)]


def test_backups_are_deleted_with_the_person_when_that_is_asked(workspace: Workspace, benchmark: Path) -> None:
    api = cast(Api, workspace)
    create(api, benchmark)
    person = api.take_part(study="taste", login="ann")
    backup = api.backup()
    done = api.erase_participant(participant=person.id, delete_backups=True)
    assert (done.backups, done.deleted_backups) == ((), (backup,))
    assert holding(workspace, person.id) == []


def test_an_erasure_that_broke_off_is_finished_by_asking_again(
    workspace: Workspace, benchmark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = cast(Api, workspace)
    create(api, benchmark)
    person = api.take_part(study="taste", login="ann")

    def full() -> None:
        raise ProjectError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(workspace.catalog, "rewrite", full)
        with pytest.raises(ProjectError, match="the disk is full"):
            api.erase_participant(participant=person.id)
    assert api.erase_participant(participant=person.id).events == 1
    (gone,) = [row for row in api.audit() if row.what == "participant_erased"]
    assert gone.about["events"] == 1
    assert holding(workspace, person.id) == []
    assert api.verify().ok


def test_erasing_waits_for_long_reads(workspace: Workspace, benchmark: Path) -> None:
    api = cast(Api, workspace)
    create(api, benchmark)
    person = api.take_part(study="taste", login="ann")
    with workspace.catalog.reading(), pytest.raises(ProjectError, match="is being read"):
        api.erase_participant(participant=person.id)
    assert api.participant(participant=person.id) == person
