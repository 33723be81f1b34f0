"""A key of an endpoint, through every channel and every way in which the endpoint and our own processes fail."""

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil
import pytest

from backend.api import Api
from backend.media.guard import run_guarded
from backend.media.writer import write_video
from backend.models import judge_openai
from backend.models.endpoint_calls import Limits
from backend.models.hidden_key import HiddenKey
from backend.settings import ProjectSettings
from backend.workspace import Workspace
from tests.backend.cli.test_commands import run
from tests.leaks import leaks, spellings
from tests.metrics.checkpoints_language import Endpoint, completion, dripping, endpoint, sent, silent
from tests.promises import Tally

KEY = "Canary/of+the-KEY_0123456789abcdef"
"""Without OpenAI's prefix: other servers take any text."""
QUICK = Limits(tries=2, attempt_s=0.4, first_wait_s=0.01, longest_wait_s=0.05)
METRIC = "natural_compat"
ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in KEY)
WAYS: dict[str, Callable] = {
    "401": sent(401, json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}."}})),
    "401 escaped": sent(401, json.dumps({"error": KEY}).replace("/", "\\/")),
    "403 in unicode": sent(403, f'{{"error": "{ESCAPED}"}}'),
    "401 in a header": sent(401, "{}", WWW_Authenticate=f"Bearer {KEY}", X_Request_Id=KEY),
    "401 cut in the middle": sent(401, "x" * 135 + KEY),
    "429": sent(429, f"slow down, {KEY}", Retry_After="0.01"),
    "500 of a proxy": sent(500, f"<html>GET /?key={'%2F'.join(KEY.split('/'))}</html>"),
    "302": sent(302, "", Location=f"http://127.0.0.1:1/?key={KEY}"),
    "HTML 200": sent(200, f"<html>Bearer {KEY}</html>", Content_Type="text/html"),
    "malformed": sent(200, '{"choices": [{"mess' + KEY),
    "packed": sent(200, KEY, Content_Encoding="gzip"),
    "said": completion(f"your key is {KEY}"),
    "said in unicode": sent(200, f'{{"choices": [{{"message": {{"content": "{ESCAPED}"}}}}]}}'),
    "refusal": sent(200, json.dumps({"choices": [{"message": {"content": None, "refusal": f"no, {KEY}"}}]})),
    "cut in the middle": completion("y" * 140 + KEY),
    "timeout": silent,
    "drip": dripping,
}
QUICKEST = ("401", "HTML 200", "said", "cut in the middle")
COMMANDS = (
    ("status",), ("doctor",), ("report",), ("leaderboard",), ("journal", "export"), ("journal", "tail"), ("jobs", "list"),
    ("jobs", "log"), ("jobs", "quarantine"), ("backup",), ("verify",), ("export", "manifest", "--out", "out"), ("endpoints", "list"),
)  # fmt: skip


@pytest.fixture
def stub(place: Path) -> Iterator[Endpoint]:
    with endpoint() as found:
        yield found


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with everything that this test may leave behind, its temporary files too; of a short name, for sockets."""
    with tempfile.TemporaryDirectory(prefix="key") as folder:
        monkeypatch.setenv("XDG_CONFIG_HOME", folder + "/config")
        yield _furnished(Path(folder), monkeypatch)
    monkeypatch.undo()


def _furnished(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (place / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(place / "tmp"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(Path.home() / ".cache"))  # of matplotlib's fonts
    monkeypatch.setenv("HOME", str(place / "home"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    case = {"img_paths": ["a.png"], "prompt": "A mug.", "class_label": ["Cup"]}
    (place / "cases.json").write_text(json.dumps({"singleobj_1": case}))
    (place / "videos").mkdir()
    frames = (np.full((48, 64, 3), 4 * n, np.uint8) for n in range(16))
    write_video(place / "videos" / "singleobj_1.mp4", frames, fps=8)
    monkeypatch.chdir(place)
    return place


def evaluated(place: Path, stub: Endpoint, ways: tuple[str, ...]) -> dict[str, str]:
    """An evaluation for each way, with what the Api says of it."""
    settings = ProjectSettings(roles={"Judge": "openai"}, models={"Judge": f"openai:gpt@{stub.url}"})
    opened = Workspace(place / "project", create=True, settings=settings)
    api, told = cast(Api, opened), {}
    try:
        for way in ways:
            stub.answers = [WAYS[way]]
            about: dict[str, Any] = {"cases": str(place / "cases.json"), "videos": str(place / "videos")}
            job = api.evaluate(**about, system=f"after {way}", metrics=(METRIC,), engine="inline").job
            deadline = time.monotonic() + 60
            while job.state in ("queued", "running"):
                assert time.monotonic() < deadline, "evaluation hangs"
                time.sleep(0.01)
                job = api.progress(job_id=job.job_id)
            told[f"progress after {way}"] = repr(asdict(job))
        rows = api.evaluation(metrics=(METRIC,))
        assert all(row.value is None and row.reason for row in rows), "missing is no number"
        answers = (rows, api.doctor(), api.settings_sheet(), api.privacy(), api.status(), api.jobs())
        told |= {f"answer {number}": repr(answer) for number, answer in enumerate(answers)}
        told |= {f"log {job.job_id}": repr(api.job_log(job_id=job.job_id)) for job in api.jobs()}
    finally:
        opened.close()
    return told


def commanded(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What the commands say afterwards."""
    told = {}
    for command in COMMANDS:
        where = () if command[0] == "endpoints" else ("--project", place / "project")
        told[" ".join(command)] = repr(run(monkeypatch, capsys, *command, *where))
    return told


@pytest.mark.slow
@pytest.mark.promise(
    "the key of an endpoint stands in no file, log, answer, command line or report, however endpoint and processes fail",
    area="Service",
    goal="0 hits",
    control="tests/end_to_end/test_key_leaks.py::test_with_nothing_hidden_the_key_is_found",
)
def test_a_key_stands_nowhere(
    place: Path,
    stub: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    tally: Tally,
) -> None:
    monkeypatch.setattr(judge_openai, "Limits", lambda: QUICK)
    caplog.set_level(logging.DEBUG)
    texts = evaluated(place, stub, tuple(WAYS)) | {"guarded child": repr(run_guarded(environment))}
    texts |= commanded(place, monkeypatch, capsys)
    texts |= {"log": caplog.text, "rest": repr(capsys.readouterr())}
    assert {f"Bearer {KEY}"} == {headers["authorization"] for headers in stub.headers}, "it reached the endpoint"
    found = leaks(KEY, place, texts=texts)
    files = sum(path.is_file() for path in place.rglob("*"))
    tally.record(len(WAYS) + len(COMMANDS), lost=len(found), note=f"{len(texts)} texts and {files} files searched")
    assert found == []


def environment() -> dict[str, str]:
    """What a guarded child sees: a decoder that is taken over finds this."""
    return dict(os.environ)


@pytest.mark.slow
def test_with_nothing_hidden_the_key_is_found(
    place: Path, stub: Endpoint, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(judge_openai, "Limits", lambda: QUICK)
    monkeypatch.setattr(HiddenKey, "__call__", lambda self, text: text)
    texts = evaluated(place, stub, QUICKEST)
    found = leaks(KEY, place, texts=texts)
    assert [name for name in found if name.startswith("answer")], "in what the Api answers"
    assert [name for name in found if name.endswith("catalog.duckdb")], "in packed columns"
    assert [name for name in found if "/artifacts/" in name], "in evidence"


def test_every_spelling_is_found(tmp_path: Path) -> None:
    for number, spelled in enumerate(spellings(KEY)):
        (tmp_path / str(number)).write_bytes(b"before " + spelled + b" after")
    assert len(leaks(KEY, tmp_path)) == len(spellings(KEY)) > 15


@pytest.mark.slow
@pytest.mark.promise(
    "a worker that dies with the key in its environment leaves it in no file, no output and no command line",
    area="Service",
    goal="0 hits",
    control="tests/end_to_end/test_key_leaks.py::test_a_key_on_a_command_line_is_seen",
)
def test_a_dying_worker_leaves_no_key(place: Path, stub: Endpoint, tally: Tally) -> None:
    lines: set[str] = set()
    command = subprocess.Popen(
        [
            *(sys.executable, "-m", "backend.cli", "evaluate", "--cases", "cases.json", "--videos", "videos", "--system", "x"),
            *("--metrics", METRIC, "--project", "project", "--engine", "process", "--workers", "1", "--json"),
            *("--set", "roles.Judge=openai", "--set", f"models.Judge=openai:gpt@{stub.url}"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )  # fmt: skip
    killed: list[int] = []

    def answer(handler: Any) -> None:
        if not killed:
            killed.extend(_killed_below(command.pid))
        WAYS["401"](handler)

    stub.answers = [answer]
    watching = threading.Thread(target=_watch, args=(command, lines))
    watching.start()
    try:
        out, err = command.communicate(timeout=120)
    finally:
        command.kill()
        watching.join()
    assert killed and stub.requests, (out, err)
    found = leaks(KEY, place, texts={"stdout": out, "stderr": err, "ps": "\n".join(lines)})
    tally.record(len(lines) + 2, lost=len(found), note=f"{len(lines)} command lines seen")
    assert lines and found == []


def _killed_below(pid: int) -> list[int]:
    """Workers of a command, which die as by a fault of their own."""
    workers = [child for child in psutil.Process(pid).children(recursive=True) if "spawn_main" in " ".join(child.cmdline())]
    for worker in workers:
        worker.send_signal(signal.SIGSEGV)
    return [worker.pid for worker in workers]


def _watch(command: subprocess.Popen[str], lines: set[str]) -> None:
    while command.poll() is None:
        lines |= command_lines(command.pid)
        time.sleep(0.05)


def command_lines(pid: int) -> set[str]:
    """What `ps` shows of a process and of those below it."""
    found = set()
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            try:
                found.add(" ".join(process.cmdline()))
            except psutil.Error:
                continue
    except psutil.Error:
        return found
    return found


def test_a_key_on_a_command_line_is_seen() -> None:
    sleeping = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)", KEY])
    try:
        deadline = time.monotonic() + 20
        while not (seen := leaks(KEY, texts={"ps": "\n".join(command_lines(sleeping.pid))})):
            assert time.monotonic() < deadline
    finally:
        sleeping.kill()
        sleeping.wait()
    assert seen == ["ps"]
