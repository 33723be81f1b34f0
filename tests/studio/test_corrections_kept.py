"""Corrections go through the outbox as votes do: whatever is killed, each arrives once."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.client import ServicePlace
from backend.client.remote import RemoteApi
from backend.domain import VERIFY_STUDY, ItemErased, ServiceError, StudioError
from backend.domain.corrections import Correction
from backend.workspace import Workspace
from studio.outbox import Outbox, Said, recheck, send_pending
from studio.sync import VoteSync
from tests.metrics.made_cases import case, written
from tests.promises import Tally
from tests.studio.served import toy_workspace
from tests.thorough import quick

BOX = (9.0, 9.0, 41.0, 41.0)


def correction(number: int, item_id: str, **value: object) -> Correction:
    return Correction(id=f"c{number}", rev=1, item_id=item_id, rater="ann", made_at="2026-01-01", **value)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_correction_waits_beside_votes_and_is_sent_once(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.sqlite") as outbox, toy_workspace(tmp_path) as workspace:
        api = cast(Api, workspace)
        trial = api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=1)[0]
        outline = api.outline(study_id=VERIFY_STUDY, item_id=trial.item_id, slot="target")
        mask = outline.counts
        said = (
            correction(1, outline.appearance_id, kind="box", box=BOX),
            correction(2, outline.appearance_id, kind="mask", counts=mask),
            correction(3, outline.clip_id, kind="caption", text="a mug, seen from above"),
        )
        for one in said:
            outbox.put(one)
        assert outbox.unsent() == ()
        assert outbox.unsent(of=Correction) == said

        def send(given: tuple[Said, ...]):
            return api.correct(corrections=tuple(one for one in given if isinstance(one, Correction)))

        first = send(said)  # a reply that was cut
        assert send(said) == first  # and the same again: the cut-outs of then, though the outline is another now
        assert recheck(outbox, send) == 0
        with Outbox(tmp_path / "again.sqlite") as other:
            for one in said:
                other.put(one)
            assert [receipt.seq for receipt in send(other.unsent(of=Correction))] == [receipt.seq for receipt in first]
        found = api.outline(study_id=VERIFY_STUDY, item_id=trial.item_id, slot="target")
        assert (found.box, found.caption) == (BOX, "a mug, seen from above")
        with pytest.raises(StudioError):
            send((correction(1, outline.appearance_id, kind="box", box=(9.0, 9.0, 30.0, 30.0)),))


@pytest.mark.promise(
    "what waits in Studio's outbox about erased footage is refused and forgotten: no byte of it stays in the outbox's files",
    area="Privacy",
    goal="0 of 300 corrections leave a byte",
    control="tests/studio/test_corrections_kept.py::test_words_that_are_only_deleted_stay_in_the_outbox",
)
def test_what_is_about_erased_footage_leaves_no_byte_in_the_outbox(tmp_path: Path, long: bool, tally: Tally) -> None:
    number = 300 if long else 20
    left = left_in_the_outbox(tmp_path, number)
    tally.record(number, lost=left)
    assert left == 0


def test_words_that_are_only_deleted_stay_in_the_outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outbox, "forget", lambda self, said_id: self._change("delete from votes where id = ?", said_id))
    assert left_in_the_outbox(tmp_path, 20) > 0


def left_in_the_outbox(folder: Path, number: int) -> int:
    """Of so many words on what was erased, each refused as it is sent: how many still stand in the outbox's files."""
    words = [f"kestrel-canary-{n:04d} " + "x" * (37 * n % 700) for n in range(number)]
    with Outbox(folder / "outbox.sqlite") as outbox:
        for n, said in enumerate(words):
            outbox.put(correction(n, f"clip_{n}", kind="caption", text=said))
        told: list[str] = []

        def send(given: tuple[Said, ...]):
            raise ItemErased(f"{given[0].item_id} was erased from this project")

        stored = bytes_of(folder)
        assert all(said[:19] in stored for said in words)
        for _ in range(number):  # some at a time
            if outbox.counts().pending:
                assert send_pending(outbox, send, refused=lambda said, why: told.append(said.id)) == 0
        assert (outbox.counts().pending, outbox.counts().attention, len(told)) == (0, 0, number)
        left = bytes_of(folder)
        return sum(said[:19] in left for said in words)


def bytes_of(folder: Path) -> str:
    return b"".join(path.read_bytes() for path in folder.iterdir()).decode("latin-1")


@pytest.mark.slow
@pytest.mark.parametrize("dies", quick(("before",), ("before", "after")))
def test_a_service_killed_as_it_takes_a_prompt_loses_and_doubles_nothing(tmp_path: Path, dies: str) -> None:
    (tmp_path / "bench").mkdir()
    file = written(tmp_path / "bench", {"singleobj_1": case()}, pictures=2)
    with closing(Workspace(tmp_path / "project", create=True)) as workspace:
        (before,) = cast(Api, workspace).ask_approval(cases=file).cases
    said = (
        correction(1, before.content, kind="prompt", text="A red mug."),
        replace(correction(1, before.content, kind="prompt", withdrawn=True), rev=2),
        correction(2, before.content, kind="prompt", text="A blue mug."),
    )
    sent: list[tuple[str, int]] = []
    with Outbox(tmp_path / "outbox.sqlite") as outbox, syncing(tmp_path / "project", outbox, sent) as sync:
        with service(tmp_path / "project", dies) as process:
            for one in said:
                sync.write(one)
            assert process.wait(30) == -9
        assert sent == []
        with service(tmp_path / "project", "never"):
            sync.wake()
            _until(lambda: sorted(sent) == [("c1", 1), ("c1", 2), ("c2", 1)])
            api = cast(Api, RemoteApi(ServicePlace(tmp_path / "project")))
            (now,) = api.review_cases(cases=file).cases
            assert (now.prompt, now.caption_by, now.edited) == ("A blue mug.", "ann", True)
            events = [(event["id"], event["rev"]) for event in api.journal_tail(limit=200) if event["kind"] == "corrected"]
            assert events == [("c1", 1), ("c1", 2), ("c2", 1)]


def test_what_the_project_does_not_have_holds_up_no_correction_after_it(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.sqlite") as outbox, closing(Workspace(tmp_path / "project", create=True)) as workspace:
        for one in (
            correction(1, "content_0", kind="prompt", text="A red mug."),
            correction(2, "appearance_0", kind="box", box=BOX),
        ):
            outbox.put(one)
        told: list[str] = []

        def send(given: tuple[Said, ...]):
            return cast(Api, workspace).correct(corrections=tuple(one for one in given if isinstance(one, Correction)))

        send_pending(outbox, send, refused=lambda said, why: told.append(said.id))
        assert (told, outbox.counts().pending, outbox.counts().attention) == (["c1", "c2"], 0, 2)


@pytest.mark.slow
@pytest.mark.parametrize("dies", quick(("before",), ("before", "after")))
def test_a_service_killed_in_a_correction_loses_and_doubles_nothing(tmp_path: Path, dies: str) -> None:
    with toy_workspace(tmp_path) as workspace:
        project = workspace.layout.root
        trial = workspace.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=1)[0]
        outline = cast(Api, workspace).outline(study_id=VERIFY_STUDY, item_id=trial.item_id, slot="target")
    said = (
        correction(1, outline.appearance_id, kind="box", box=BOX),
        correction(2, outline.subject_id, kind="phrase", text="a blue cup"),
    )
    sent: list[tuple[str, int]] = []
    with Outbox(tmp_path / "outbox.sqlite") as outbox, syncing(project, outbox, sent) as sync:
        with service(project, dies) as process:
            for one in said:
                sync.write(one)
            assert process.wait(30) == -9
        assert sent == []
        assert outbox.unsent(of=Correction) == said
        with service(project, "never"):
            sync.wake()
            _until(lambda: sorted(sent) == [("c1", 1), ("c2", 1)])
            api = cast(Api, RemoteApi(ServicePlace(project)))
            now = api.outline(study_id=VERIFY_STUDY, item_id=trial.item_id, slot="target")
            assert (now.box, now.phrase, now.corrected) == (BOX, "a blue cup", ("box", "phrase"))
            events = [event["id"] for event in api.journal_tail(limit=200) if event["kind"] == "corrected"]
            assert sorted(events) == ["c1", "c2"]
            assert api.verify().ok
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("outbox")]


@contextmanager
def syncing(project: Path, outbox: Outbox, sent: list[tuple[str, int]]) -> Iterator[VoteSync]:
    sync = VoteSync(
        outbox=outbox,
        submit=lambda given: _submit(project, given),
        saved=lambda one: None,
        not_saved=lambda one, why: None,
        sent=sent.extend,
        refused=lambda one, why: None,
        state=lambda state: None,
        first_wait_s=0.05,
    )
    sync.start()
    yield sync
    sync.close()


@contextmanager
def service(project: Path, dies: str) -> Iterator[subprocess.Popen[str]]:
    script = Path(__file__).with_name("dying_service.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    process = subprocess.Popen(
        [sys.executable, str(script), str(project), dies],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "serving\n"
    yield process
    with suppress(BrokenPipeError):
        process.communicate(timeout=30)


def _submit(project: Path, given: tuple[Said, ...]):
    """As a window does: to the service that is there now."""
    try:
        api = RemoteApi(ServicePlace(project))
    except OSError as error:
        raise ServiceError(f"there is no service: {error}") from error
    try:
        return cast(Api, api).correct(corrections=tuple(one for one in given if isinstance(one, Correction)))
    finally:
        api.close()


def _until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not claim():
        assert time.monotonic() < deadline, "did not come true within 30 s"
        time.sleep(0.02)
