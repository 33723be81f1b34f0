"""`study serve`, as it is typed: the page comes up, answers only as the page, and ends on a signal."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import httpx
import pytest
from typer.testing import CliRunner

from backend.api import Api
from backend.cli.app import app
from backend.client import ServicePlace
from backend.client.remote import RemoteApi
from tests.backend.workspace.study_project import named, write_benchmark

COMMAND = (sys.executable, "-m", "backend.cli")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serving")
    videos = write_benchmark(folder / "videos", cases=2)
    systems = [word for system in named(videos) for word in ("--system", system)]
    for words in (
        ("init", "--project", folder / "p"),
        ("study", "create", "taste", "--form", "ab", "--cases", videos / "cases.json", *systems, "--project", folder / "p"),
    ):
        assert CliRunner().invoke(app, [str(word) for word in words]).exit_code == 0
    return folder / "p"


@pytest.fixture
def served(project: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    words = ("study", "serve", "--port", "0", "--project", str(project))
    process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("study page: http://127.0.0.1:"), process.stderr and process.stderr.read()
    yield process, line.split()[-1]
    process.kill()
    process.wait()
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()


@pytest.mark.slow
@pytest.mark.server
def test_the_page_is_served_until_a_signal(served: tuple[subprocess.Popen, str], project: Path) -> None:
    process, url = served
    copies = list((project / "index" / "studies").rglob("*-*.mp4"))
    assert len(copies) >= 6  # before anybody asked
    assert "<main" in httpx.get(url).text
    origin = url.removesuffix("/s/")
    remote = RemoteApi(ServicePlace(project))
    assert cast(Api, remote).study_page().url == origin
    remote.close()
    invited = subprocess.run(
        [*COMMAND, "study", "invite", "taste", "--url", origin, "--project", str(project)],
        capture_output=True,
        text=True,
        check=True,
    )  # through the process that owns the project
    with httpx.Client(base_url=origin, headers={"origin": origin}) as client:
        assert client.get(invited.stdout.strip()).status_code == 303
        assert client.post("/s/join", json={}).json() == {"joined": True}
        assert client.get("/s/state").json()["step"] == "consent"
        assert client.post("/api/about", json={}).status_code == 404
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    assert (project / "study_page.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--host", "0.0.0.0"), "without TLS"),
        (("--behind-proxy",), "--public-url https://study.example.org"),
        (("--tls-cert", "a.pem"), "both --tls-cert and --tls-key"),
    ],
)
def test_a_place_in_the_open_is_refused_before_anything_is_opened(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = CliRunner().invoke(app, ["study", "serve", *words, "--project", str(tmp_path / "none")])
    assert done.exit_code != 0
    assert said in str(done.exception)
