"""A display that is unplugged while a verdict waits for the service: the next start has it, and sends it once."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend.domain import VERIFY_STUDY
from studio.outbox import Outbox
from studio.pages.verify import VerifyPage
from studio.sessions.verify import Phase
from tests.studio.served import Service, toy_workspace, window_over

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed: no display can be taken away"),
]
PATIENCE_S = 60


@contextmanager
def display() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """An X server, which somebody may end, and its name."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp"],
        pass_fds=(write,),
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as told:
            number = told.readline().strip()
        assert number, "the X server did not start"
        yield server, f":{number}"
    finally:
        server.kill()
        server.wait(PATIENCE_S)


@contextmanager
def studio_on(screen: str, project: Path, state: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.studio.unplugged", str(project)],
        env={**os.environ, "DISPLAY": screen, "QT_QPA_PLATFORM": "xcb", "XDG_DATA_HOME": str(state)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)


def test_a_verdict_that_waits_when_the_display_goes_is_sent_at_the_next_start(qtbot, tmp_path: Path) -> None:
    with toy_workspace(tmp_path) as workspace:
        service, state = Service(workspace), tmp_path / "state"
        service.start()
        with display() as (server, screen), studio_on(screen, workspace.layout.root, state) as process:
            assert process.stdin is not None and process.stdout is not None and process.stderr is not None
            assert process.stdout.readline() == "open\n", process.stderr.read()
            service.stop()
            process.stdin.write("judge\n")
            process.stdin.flush()
            assert process.stdout.readline() == "waiting\n", process.stderr.read()
            server.kill()
            assert process.wait(PATIENCE_S) == 1, "it ends by itself, and not as if somebody had closed it"
        (path,) = state.rglob("outbox.sqlite")
        with Outbox(path) as kept:
            (vote,) = kept.unsent()
        assert (vote.choice, vote.rater) == ("different", "ann")
        service.start()
        assert workspace.votes(study_id=VERIFY_STUDY) == ()
        (state / "p").symlink_to(path.parent)
        with window_over(service, tmp_path, "verify") as window:
            page = window.page
            assert isinstance(page, VerifyPage)
            qtbot.waitUntil(lambda: workspace.votes(study_id=VERIFY_STUDY) == (vote,))
            qtbot.waitUntil(lambda: page.session.phase is Phase.JUDGING)
            assert page.session.current is not None and page.session.current.trial.item_id != vote.item_id
            assert page.session.judged == 1
        service.stop()
