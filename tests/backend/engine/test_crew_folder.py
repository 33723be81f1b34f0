"""What crews leave behind when they are killed, and who tidies it up."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backend.engine.context import WorkerSettings
from backend.engine.crew_folder import PREFIX
from backend.engine.crews import Process

CREW = """
import sys, time
from pathlib import Path
from backend.engine.context import WorkerSettings
from backend.engine.crews import Process
crew = Process(WorkerSettings(artifacts=Path(sys.argv[1]), roles={}, seed=0), num_workers=1)
print("ready", flush=True)
time.sleep(60)
"""


def started(temporary: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CREW, str(temporary / "artifacts")]
    root = str(Path(__file__).resolve().parents[3])
    environment = {"TMPDIR": str(temporary), "PYTHONPATH": root}
    owner = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    return owner


def test_next_crew_removes_what_a_killed_one_left_and_spares_the_living(
    tmp_path: Path, worker_settings: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    killed, living = started(tmp_path), started(tmp_path)
    try:
        assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 2
        killed.send_signal(signal.SIGKILL)
        killed.wait(10)
        assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 2
        crew = Process(worker_settings, num_workers=1)
        assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 2, "its own and the living one's"
        crew.close()
        assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 1, "the living one's"
    finally:
        living.kill()
        living.wait(10)
