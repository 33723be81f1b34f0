"""Erasing a participant: every byte, whatever breaks off, and backups when that is asked."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.domain import ProjectError
from backend.domain.studies import PageEvent
from backend.workspace import Workspace
from tests.backend.workspace.study_project import create, finished, vote_on

CANARY = "kestrel-canary-4471"


@pytest.mark.slow
def test_an_erased_participant_leaves_no_byte(workspace: Workspace, benchmark: Path) -> None:
    api = cast(Api, workspace)
    create(api, benchmark)
    (invitation,) = api.invite(study="taste")
    person = api.join_study(token=invitation.token, login=CANARY, address=CANARY, background=CANARY)
    api.consent(participant=person.id, text=f"I, {CANARY}, agree.")
    for one in api.study_trials(participant=person.id, limit=50).trials:
        api.submit_votes(votes=(replace(vote_on(person, one.trial, "left"), comment=CANARY),))
    api.page_events(participant=person.id, events=(PageEvent(id=CANARY, name="slider_passed"),))
    api.finish_study(participant=person.id)
    other = finished(api, "taste", lambda *_: "right")
    workspace.status()
    workspace.catalog.checkpoint()
    assert holding(workspace, CANARY)
    backup = api.backup()
    done = api.erase_participant(participant=person.id)
    assert done.votes == api.study_trials(participant=other.id).total
    assert done.backups == (backup,)
    assert holding(workspace, CANARY, person.id) == [
        path for path in holding(workspace, CANARY, person.id) if backup in path
    ]
    assert api.verify().ok
    assert api.verify().journal_events == workspace.journal.head().seq
    with pytest.raises(ProjectError, match="takes part in no study"):
        api.participant(participant=person.id)
    with pytest.raises(ProjectError, match="used already"):
        api.join_study(token=invitation.token)
    assert [row.participant for row in api.study_results(name="taste", bootstraps=20).raters] == [other.id]
    api.join_study(token=api.invite(study="taste")[0].token, login=CANARY)


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
    assert api.erase_participant(participant=person.id).events == 0
    assert holding(workspace, person.id) == []
    assert api.verify().ok


def test_erasing_waits_for_long_reads(workspace: Workspace, benchmark: Path) -> None:
    api = cast(Api, workspace)
    create(api, benchmark)
    person = api.take_part(study="taste", login="ann")
    with workspace.catalog.reading(), pytest.raises(ProjectError, match="is being read"):
        api.erase_participant(participant=person.id)
    assert api.participant(participant=person.id) == person
