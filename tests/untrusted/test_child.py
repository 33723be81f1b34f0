"""The child that reads untrusted files: what it may take, what becomes of it, and that nothing of it is left."""

import faulthandler
import importlib
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from backend.domain import MediaError
from backend.media.guard import GIB, MAX_OPEN_FILES, MAX_WRITTEN_BYTES, close_children, run_guarded
from tests.backend.media.test_guard import (
    die_of_a_fault,
    open_many_files,
    sleep_for_long,
    spin,
    take_memory,
    write_too_much,
)
from tests.promises import Tally

SOON_S = 20.0  # on a machine that is busy


def limits() -> dict[str, int]:
    """Of the process that is asked."""
    names = ("AS", "CPU", "CORE", "FSIZE", "NOFILE")
    return {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[0] for name in names}


def used_cpu_s() -> float:
    return time.process_time()


def modules() -> list[str]:
    return sorted(set(sys.modules) & {"torch", "cv2", "duckdb", "PySide6", "onnxruntime"})


def start_another(path: str) -> None:
    """Starts a process that would outlive this one, and dies."""
    other = subprocess.Popen(["sleep", "600"])
    Path(path).write_text(str(other.pid))
    os.kill(os.getpid(), signal.SIGSEGV)


ILLS: dict[str, tuple[Callable[..., object], tuple[object, ...], str]] = {
    "a fault": (die_of_a_fault, (), "crash"),
    "a sleep without end": (sleep_for_long, (), "timeout"),
    "a loop without end": (spin, (), "timeout"),
    "3 GiB of memory": (take_memory, (3.0,), "memory"),
    "200 MiB written": (write_too_much, ("large",), "crash"),
    "1000 open files": (open_many_files, ("one",), "crash"),
}


def verdict(function: Callable[..., object], args: tuple[object, ...]) -> str:
    wall_s = 2.0 if function is sleep_for_long else SOON_S  # all others end by themselves or by another limit
    cpu_s = 0.5 if function is spin else 10.0  # a child imports this module first, which may take as much
    try:
        run_guarded(function, args, wall_s=wall_s, cpu_s=cpu_s, address_space_gib=2.0)
    except MediaError as error:
        return error.kind
    return "done"


@pytest.mark.promise(
    "a decoder that faults, hangs, spins, takes memory, fills the disk or opens files without end ends in a typed error of its file",
    area="Untrusted files",
    goal="0 of 6 ills reach the owner; the next file is read",
    control="tests/untrusted/test_child.py::test_without_the_limits_the_same_ills_are_not_stopped",
)
@pytest.mark.slow
def test_ills_of_a_decoder_stay_in_its_child(tmp_path: Path, tally: Tally) -> None:
    (tmp_path / "one").write_text("x")
    for name, (function, args, kind) in ILLS.items():
        found = verdict(function, tuple(str(tmp_path / arg) if isinstance(arg, str) else arg for arg in args))
        lives_on = run_guarded(os.getpid) != os.getpid()
        tally.record(1, lost=found != kind or not lives_on)
        assert found == kind, name
        assert lives_on


@pytest.mark.thorough
@pytest.mark.slow
def test_without_the_limits_the_same_ills_are_not_stopped(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("x")
    for name in ("200 MiB written", "1000 open files", "3 GiB of memory"):
        function, args, _ = ILLS[name]
        module = importlib.import_module(function.__module__)
        given = [str(tmp_path / arg) if isinstance(arg, str) else 0.3 for arg in args]
        getattr(module, function.__name__)(*given)  # in this process: nothing is raised
    assert (tmp_path / "large").stat().st_size == 200 * 2**20
    fault, sleep, spinning = (unguarded(ILLS[name][0]) for name in NOT_HERE)
    assert os.waitstatus_to_exitcode(os.waitpid(fault, 0)[1]) == -signal.SIGSEGV, "it takes its process along"
    time.sleep(2.5)  # longer than such a call may take
    for other in (sleep, spinning):
        assert os.waitpid(other, os.WNOHANG) == (0, 0), "nobody ends it"
        os.kill(other, signal.SIGKILL)
        os.waitpid(other, 0)


NOT_HERE = ("a fault", "a sleep without end", "a loop without end")
"""Ills that this process would not survive, or never come back from."""


def unguarded(ill: Callable[..., object]) -> int:
    """The number of a process of its own that does this without any limit."""
    child = os.fork()
    if not child:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        ill()
        os._exit(0)
    return child


def test_a_child_has_limits_and_none_of_the_large_libraries() -> None:
    close_children()
    assert run_guarded(modules) == []
    found = run_guarded(limits, cpu_s=7.0, address_space_gib=3.0)
    assert (found["AS"], found["CORE"], found["FSIZE"], found["NOFILE"]) == (3 * GIB, 0, MAX_WRITTEN_BYTES, MAX_OPEN_FILES)
    assert 7 <= found["CPU"] - run_guarded(used_cpu_s) <= 9
    assert limits() != found


def test_default_limits_are_those_that_are_promised() -> None:
    found = run_guarded(limits)
    assert found["AS"] == 4 * GIB
    assert 60 <= found["CPU"] - run_guarded(used_cpu_s) <= 62


def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="SIGSEGV"):
        run_guarded(start_another, (str(tmp_path / "pid"),))
    ends(int((tmp_path / "pid").read_text()))


OWNER = """
import sys, threading
from backend.media.guard import run_guarded
from tests.backend.media.test_guard import process_id, sleep_for_long
print(run_guarded(process_id), flush=True)
threading.Thread(target=run_guarded, args=(sleep_for_long,), daemon=True).start()
sys.stdin.read()
"""


@pytest.mark.slow
def test_a_child_ends_soon_after_its_owner_was_killed() -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert owner.stdin is not None
    pid = int(owner.stdout.readline())
    assert psutil.pid_exists(pid)
    time.sleep(0.3)  # until the child sleeps over its call
    owner.kill()
    owner.wait()
    ends(pid)
    owner.stdin.close()
    owner.stdout.close()


def ends(pid: int) -> None:
    """Waits until there is no such process, or only what is left of one that nobody has asked about."""
    deadline = time.monotonic() + SOON_S
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"process {pid} lives on"
        time.sleep(0.05)
