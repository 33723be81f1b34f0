"""Corrections go through the outbox as votes do: whatever is killed, each arrives once."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.client import RemoteApi, ServicePlace
from backend.domain import VERIFY_STUDY, ItemErased, ServiceError, StudioError
from backend.domain.corrections import Correction
from studio.outbox import Outbox, Said, recheck, send_pending
from studio.sync import VoteSync
from tests.studio.served import toy_workspace

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


def test_what_is_about_erased_footage_leaves_no_byte_in_the_outbox(tmp_path: Path) -> None:
    words = "kestrel-canary-0088"
    with Outbox(tmp_path / "outbox.sqlite") as outbox:
        outbox.put(correction(1, "clip_1", kind="caption", text=words))
        told: list[str] = []

        def send(given: tuple[Said, ...]):
            raise ItemErased("clip_1 was erased from this project")

        assert words.encode() in b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert send_pending(outbox, send, refused=lambda said, why: told.append(said.id)) == 0
        assert (outbox.counts().pending, outbox.counts().attention, told) == (0, 0, ["c1"])
        assert words.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("dies", ["before", "after"])
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
    with Outbox(tmp_path / "outbox.sqlite") as outbox:
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
        with service(project, dies) as process:
            sync.start()
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
        sync.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("outbox")]


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
