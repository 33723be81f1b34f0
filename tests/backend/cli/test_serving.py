"""`serve` for other machines: what it refuses, TLS, its token, and its end under load."""

import contextlib
import datetime
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from backend.api import Api
from backend.cli.app import app
from backend.domain import VERIFY_STUDY, SettingsError
from backend.service import NetworkPlace, serving, token_of_file
from backend.store.journal_reader import JournalReader
from backend.workspace import Layout, Workspace
from tests.attacks.targets import TOKEN, ask, posted
from tests.promises import Tally

ROOT = Path(__file__).resolve().parents[3]
COMMAND = (sys.executable, "-m", "backend.cli")
HASTY = (sys.executable, str(Path(__file__).with_name("hasty_service.py")))
OPEN = ("--host", "0.0.0.0", "--public-url", "https://s2v.example")
REFUSED = (
    (("--host", "0.0.0.0"), "without TLS"),
    (("--host", "192.0.2.7"), "without TLS"),
    (("--host", "s2v.example"), "without TLS"),
    (("--host", "::"), "without TLS"),
    ((*OPEN, "--token-file", "t"), "without TLS"),
    ((*OPEN, "--tls-cert", "c.pem", "--token-file", "t"), "both --tls-cert and --tls-key"),
    ((*OPEN, "--tls-key", "k.pem", "--token-file", "t"), "both --tls-cert and --tls-key"),
    ((*OPEN, "--tls-cert", "c.pem", "--tls-key", "k.pem"), "--token-file"),
    ((*OPEN, "--behind-proxy"), "--token-file"),
    (("--host", "127.0.0.1", "--behind-proxy", "--public-url", "https://s2v.example"), "--token-file"),
    (("--host", "0.0.0.0", "--behind-proxy", "--token-file", "t"), "--public-url https://"),
    (("--host", "0.0.0.0", "--tls-cert", "c.pem", "--tls-key", "k.pem", "--token-file", "t"), "no name of its own"),
    ((*OPEN, "--tls-cert", "c.pem", "--tls-key", "k.pem", "--token-file", "t"), "cannot use certificate"),
    (("--token-file", "t"), "--host"),
)


def taken(folder: Path) -> list[str]:
    """Places in the open that were served, or refused without the word that says what to do."""
    found = []
    for words, said in REFUSED:
        done = CliRunner().invoke(app, ["serve", *words, "--project", str(folder / "project")])
        if done.exit_code == 0 or said not in str(done.exception):
            found.append(" ".join(words))
    return found


@pytest.mark.promise(
    "serving beyond this machine is refused, in a sentence, without TLS (certificate and key that belong together) or a proxy that "
    "speaks it, and without a token of its own",
    area="Servers",
    goal="0 of 14 ways",
    control="tests/backend/cli/test_serving.py::test_without_its_check_a_server_in_the_open_is_found_out",
)
def test_serving_in_the_open_is_refused(tmp_path: Path, tally: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lost = taken(tmp_path)
    tally.record(len(REFUSED), lost=len(lost))
    assert lost == []


def test_without_its_check_a_server_in_the_open_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(NetworkPlace, "__post_init__", lambda self: None)
    monkeypatch.setattr("backend.cli.serving.wait_for_signal", lambda: None)
    open_ways = tuple(way for way in REFUSED if "--tls-cert" not in way[0] and "--tls-key" not in way[0])
    monkeypatch.setattr(sys.modules[__name__], "REFUSED", open_ways)
    lost = taken(tmp_path)
    assert "--host 0.0.0.0 --public-url https://s2v.example --token-file t" in lost


def test_a_token_is_made_for_its_owner_only_and_kept(tmp_path: Path) -> None:
    made = token_of_file(tmp_path / "token")
    assert len(made) == 43
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    assert token_of_file(tmp_path / "token") == made


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("a" * 43, 0o644, "chmod 600"),
        ("a" * 43, 0o640, "chmod 600"),
        ("short", 0o600, "5 characters"),
        ("", 0o600, "0 char"),
    ],
)
def test_a_token_that_others_know_is_refused(tmp_path: Path, text: str, mode: int, said: str) -> None:
    (tmp_path / "token").write_text(text)
    (tmp_path / "token").chmod(mode)
    with pytest.raises(SettingsError, match=said):
        token_of_file(tmp_path / "token")


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that nobody but its maker knows, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "cert.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, private


@pytest.mark.server
def test_tls_is_spoken_and_nothing_else(tmp_path: Path) -> None:
    chain, private = certificate(tmp_path)
    workspace = Workspace(tmp_path / "project", create=True)
    network = NetworkPlace(host="127.0.0.1", port=0, tls_cert=str(chain), tls_key=str(private))
    with serving(cast(Api, workspace), workspace.layout.root, network=network, network_token=TOKEN) as server:
        assert server.network is not None
        port = server.network.port
        trusting = ssl.create_default_context(cafile=str(chain))
        with httpx.Client(base_url=f"https://localhost:{port}", verify=trusting) as client:
            assert client.get("/livez").json() == {"live": True}
            assert client.post("/api/about", json={}).status_code == 401
            found = client.post("/api/about", json={}, headers={"authorization": f"Bearer {TOKEN}"})
            assert found.json()["project"] == str(workspace.layout.root)
        assert ask(port, posted("about", b"{}", host=f"localhost:{port}")).status == 0
    workspace.close()


@contextlib.contextmanager
def started(folder: Path, command: tuple[str, ...] = COMMAND) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """A server as a command; gives its process, port and token."""
    words = ("serve", "--host", "127.0.0.1", "--port", "0", "--token-file", str(folder / "token"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*command, *words, "--project", str(folder / "project")], stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stderr is not None
    lines: list[str] = []
    while not lines or "show the token" not in lines[-1]:
        lines.append(process.stderr.readline())
        assert lines[-1], lines
    port = next(int(line.partition(";")[0].rpartition(":")[2]) for line in lines if line.startswith("answering at"))
    try:
        yield process, port, (folder / "token").read_text().strip()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def vote(port: int, token: str, who: int, acknowledged: list[str], stop: threading.Event) -> None:
    """Votes as fast as answers come, and remembers what was acknowledged."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    number = 0
    while not stop.is_set():
        number += 1
        told = {
            "id": f"v{who}-{number}",
            "rev": 1,
            "study_id": VERIFY_STUDY,
            "trial_id": f"t{number}",
            "item_id": f"i{number}",
        }
        said = {**told, "rater": f"r{who}", "rater_kind": "person", "question": "same", "choice": "yes"}
        try:
            connection.request("POST", "/api/submit_votes", json.dumps({"votes": [said]}), headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return
        if answer.status == 200:
            acknowledged.extend(one["id"] for one in json.loads(body))


def stopped_under_load(
    folder: Path, command: tuple[str, ...] = COMMAND, *, callers: int, seconds: float
) -> tuple[float, int, int, int]:
    """Seconds from SIGTERM to the end, exit code, votes acknowledged, and of these those that are not in the journal."""
    acknowledged: list[str] = []
    stop = threading.Event()
    with started(folder, command) as (process, port, token):
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        for connection in idle[:5]:  # they follow events, which never end
            head = f"GET /events/models HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
            connection.sendall(head.encode())
        threads = [threading.Thread(target=vote, args=(port, token, who, acknowledged, stop)) for who in range(callers)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        began_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
        taken_s = time.monotonic() - began_s
        stop.set()
        for thread in threads:
            thread.join()
        for connection in idle:
            connection.close()
    with JournalReader(Layout(folder / "project").journal) as journal:
        stored = {event.id for event in journal.events(0, 1_000_000) if event.kind == "vote"}
    return taken_s, code, len(acknowledged), len(set(acknowledged) - stored)


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.promise(
    "SIGTERM ends a server under load within 10 s, with exit code 0, and no vote that was acknowledged is lost",
    area="Servers",
    goal="50 callers, 5 followers of events, 15 idle connections: < 10 s, 0 lost",
    control="tests/backend/cli/test_serving.py::test_a_server_that_answers_before_it_stores_is_found_out",
)
def test_a_signal_ends_a_server_under_load(tmp_path: Path, long: bool, tally: Tally) -> None:
    callers, seconds = (50, 10.0) if long else (8, 1.5)
    taken_s, code, acknowledged, lost = stopped_under_load(tmp_path, callers=callers, seconds=seconds)
    tally.record(acknowledged, lost=lost, note=f"down in {taken_s:.1f} s with {callers} callers")
    assert acknowledged > 0
    assert (code, lost) == (0, 0)
    assert taken_s < (10 if long else 30)  # the short version also runs beside other tests


@pytest.mark.server
@pytest.mark.slow
def test_a_server_that_answers_before_it_stores_is_found_out(tmp_path: Path) -> None:
    assert stopped_under_load(tmp_path, HASTY, callers=4, seconds=1.5)[3] > 0
