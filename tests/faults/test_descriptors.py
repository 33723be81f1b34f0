"""A service whose descriptors are used up by half-open connections answers again, and has lost nothing."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from backend.client import ServicePlace
from backend.client.remote import RemoteApi
from backend.domain import VERIFY_STUDY, StudioError
from studio.outbox import Outbox, send_pending
from tests.faults.kept_files import vote
from tests.promises import ROOT, Tally
from tests.studio.served import toy_workspace

LIMIT, SOCKETS = 90, 600
ANSWERS_S = 40.0
"""Within so long after the last of them let go; heads are waited for 10 s."""

pytestmark = [pytest.mark.slow, pytest.mark.server]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    with toy_workspace(folder) as workspace:
        return workspace.layout.root


@contextmanager
def served(project: Path, *how: str) -> Iterator[psutil.Process]:
    command = [sys.executable, "-m", "tests.faults.few_descriptors", str(project), str(LIMIT), *how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "serving\n"
        yield psutil.Process(child.pid)
        child.communicate(timeout=30)
        assert child.returncode == 0


@contextmanager
def half_open(place: Path) -> Iterator[None]:
    """Connections that begin a call and never end it, as many as get through."""
    held = []
    for _ in range(SOCKETS):
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        one.setblocking(False)
        held.append(one)
        with contextlib.suppress(OSError):
            one.connect(str(place))
            one.send(b"POST /api/about HTTP/1.1\r\nhost: sub")
        if len(held) % 40 == 0:
            time.sleep(0.05)
    yield
    for one in held:
        one.close()


def flooded(project: Path, folder: Path, *how: str) -> tuple[int, int, float]:
    """Votes that were acknowledged and are not there, the most descriptors seen, and seconds until it answered again."""
    with Outbox(folder / "outbox.sqlite") as outbox, served(project, *how) as service:
        api = cast(Any, RemoteApi(ServicePlace(project)))
        pair = api.pairs().rows[0].pair_id

        def send() -> None:
            with contextlib.suppress(StudioError):
                send_pending(outbox, lambda votes: api.submit_votes(votes=votes))

        for n in range(5):
            outbox.put(replace(vote(n), study_id=VERIFY_STUDY, item_id=pair))
        send()
        most = 0
        with half_open(ServicePlace(project).socket):
            for n in range(5, 10):
                outbox.put(replace(vote(n), study_id=VERIFY_STUDY, item_id=pair))
            during = threading.Thread(target=send)
            during.start()
            for _ in range(20):
                most = max(most, service.num_fds())
                time.sleep(0.1)
        began = time.monotonic()
        during.join(ANSWERS_S)
        while outbox.counts().pending and time.monotonic() < began + ANSWERS_S:
            send()
            time.sleep(0.2)
        sound = False
        while not sound and time.monotonic() < began + ANSWERS_S:
            with contextlib.suppress(StudioError):  # what others opened is still being closed
                sound = bool(how) or api.verify().ok
        took_s = time.monotonic() - began
        assert sound
        lost = {f"v{n}" for n in range(10)} - {vote.id for vote in api.votes(study_id=VERIFY_STUDY)}
        api.close()
    return len(lost), most, took_s


@pytest.mark.promise(
    "a service whose descriptors are used up by half-open connections answers again by itself, with every vote",
    area="Durability",
    goal="600 connections, 0 votes lost",
    control="tests/faults/test_descriptors.py::test_a_service_that_acknowledges_without_storing_is_found_out",
)
def test_used_up_descriptors_cost_no_vote(project: Path, tmp_path: Path, long: bool, tally: Tally) -> None:
    for n in range(5 if long else 1):
        (tmp_path / str(n)).mkdir()
        lost, most, took_s = flooded(project, tmp_path / str(n))
        tally.record(SOCKETS, lost=lost, note=f"answers after {took_s:.1f} s")
        assert most >= LIMIT - 2, "the descriptors were not used up"
        assert lost == 0


def test_a_service_that_acknowledges_without_storing_is_found_out(tmp_path: Path) -> None:
    with toy_workspace(tmp_path) as workspace:
        project = workspace.layout.root
    (tmp_path / "out").mkdir()
    lost, _, _ = flooded(project, tmp_path / "out", "forgetful")
    assert lost == 10


def test_where_descriptors_are_few_idle_connections_never_use_them_up(project: Path) -> None:
    with served(project, "early") as service, half_open(ServicePlace(project).socket):
        api = cast(Any, RemoteApi(ServicePlace(project)))
        assert api.about().profile == "embedded"
        assert service.num_fds() < LIMIT - 10
        api.close()
