"""What monitoring is told: liveness, readiness by trying, figures in Prometheus' text format."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from backend.api import Api
from backend.domain import ProjectError, StoreError, Vote
from backend.domain.health import Health
from backend.domain.model_work import ModelWorkerRow
from backend.service import NetworkPlace, Serving, serving
from backend.service import health as health_module
from backend.service.calls import Call
from backend.service.guard import Guard
from backend.service.health import exposition
from backend.workspace import Workspace
from tests.attacks.targets import TOKEN, Answer, ask, request
from tests.promises import Tally

GOOD = Health(
    problems={"journal": "", "catalog": "", "worker": "", "disk": ""},
    jobs={"done": 2, "running": 1},
    queued=3,
    num_votes=17,
    lag=4,
    commit_p99_s=0.0125,
    num_restarts=1,
    resident_bytes=123_456_789,
    model_bytes=42,
    free_bytes=10**12,
)
SAMPLE = re.compile(r'([a-z0-9_]+)(?:\{([a-z]+)="([a-z]+)"\})? (-?[0-9.e+-]+)')


def read(text: str) -> dict[str, float]:
    """The samples of an exposition, by name and label. Raises AssertionError for what Prometheus' format 0.0.4 is not."""
    found: dict[str, float] = {}
    kinds: dict[str, str] = {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds, "each family once"
            assert kind in ("counter", "gauge")
            assert (kind == "counter") == name.endswith("_total")
            kinds[name] = kind
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample is not None, line
        name, _, label, value = sample.groups()
        assert name in kinds, "its type comes before"
        assert f"{name}/{label or ''}" not in found
        found[f"{name}/{label or ''}"] = float(value)
    return found


def test_figures_are_in_the_format_that_prometheus_reads() -> None:
    found = read("".join(exposition(GOOD)))
    assert {name.removeprefix("subject_studio_"): value for name, value in found.items() if "start_time" not in name} == {
        "up/": 1,
        "ready/journal": 1,
        "ready/catalog": 1,
        "ready/worker": 1,
        "ready/disk": 1,
        "jobs/queued": 0,
        "jobs/running": 1,
        "jobs/done": 2,
        "jobs/failed": 0,
        "jobs/cancelled": 0,
        "jobs/interrupted": 0,
        "queue_depth/": 3,
        "votes_acknowledged_total/": 17,
        "projector_lag_events/": 4,
        "commit_p99_seconds/": 0.0125,
        "worker_restarts_total/": 1,
        "resident_bytes/": 123_456_789,
        "model_bytes/": 42,
        "disk_free_bytes/": 1e12,
    }


def test_what_is_not_known_is_left_out() -> None:
    assert read("".join(exposition(None))).keys() == {"subject_studio_up/", "subject_studio_start_time_seconds/"}
    partly = read("".join(exposition(replace(GOOD, lag=None, commit_p99_s=None))))
    assert not any("lag" in name or "commit" in name for name in partly)


@pytest.fixture
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    workspace = Workspace(tmp_path_factory.mktemp("watched") / "project", create=True)
    yield workspace
    workspace.close()


@pytest.fixture
def asked(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Answer]]:
    """Asks the service anew, with no token."""
    monkeypatch.setattr(health_module, "PROBE_S", 0.0)
    with serving(cast(Api, workspace), workspace.layout.root, network=NetworkPlace(port=0), network_token=TOKEN) as server:
        yield lambda path, *headers: _ask(server, path, headers)


def _ask(server: Serving, path: str, headers: tuple[str, ...]) -> Answer:
    assert server.network is not None
    port = server.network.port
    return ask(port, request(path, host=f"127.0.0.1:{port}", headers=headers))


def full_disk(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6))  # pyright: ignore[reportAttributeAccessIssue]


def unwritable_journal(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, progress: Any) -> None:
        raise ProjectError("the disk is full")

    monkeypatch.setattr(workspace.journal, "set_progress", refuse)


def unreadable_catalog(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> tuple[int, str]:
        raise StoreError("the catalog cannot be read")

    monkeypatch.setattr(workspace.catalog, "watermark", refuse)


def dead_worker(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    row = ModelWorkerRow(
        device="cpu",
        state="failed",
        budget_bytes=0,
        resident=(),
        running="",
        running_s=0,
        waiting=0,
        clients=0,
        restarts=3,
        pid=0,
    )
    monkeypatch.setattr(workspace, "models", lambda: (row,))


BROKEN = {"disk": full_disk, "journal": unwritable_journal, "catalog": unreadable_catalog, "worker": dead_worker}


def not_told(asked: Callable[..., Answer], workspace: Workspace) -> list[str]:
    """Of the parts that can break, those whose breaking /readyz and /metrics did not tell, or whose mending."""
    found = []
    for part, breaks in BROKEN.items():
        with pytest.MonkeyPatch.context() as patch:
            breaks(workspace, patch)
            answer = asked("/readyz")
            figures = read(asked("/metrics").body.decode())
            told = answer.json().get("checks", {})
            alone = [name for name, is_ready in told.items() if not is_ready] == [part]
            if answer.status != 503 or not alone or figures[f"subject_studio_ready/{part}"] != 0:
                found.append(part)
        if asked("/readyz").status != 200 or asked("/livez").status != 200:
            found.append(f"{part} mended")
    return found


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.promise(
    "a server says that it is not ready while its journal cannot be written, its catalog not read, a model worker is dead or its disk "
    "nearly full, which part it is, and that it is ready again; it lives all the while",
    area="Servers",
    goal="0 of 4 parts untold",
    control="tests/backend/service/test_health.py::test_a_server_that_says_ready_unseen_is_found_out",
)
def test_a_part_that_breaks_is_told(asked: Callable[..., Answer], workspace: Workspace, tally: Tally) -> None:
    lost = not_told(asked, workspace)
    tally.record(len(BROKEN), lost=len(lost))
    assert lost == []


@pytest.mark.server
@pytest.mark.slow
def test_a_server_that_says_ready_unseen_is_found_out(
    asked: Callable[..., Answer], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = cast(Api, workspace).health()
    monkeypatch.setattr(workspace, "health", lambda: found)
    monkeypatch.setattr(health_module._Asked, "_fresh", lambda self: found)
    assert not_told(asked, workspace) == list(BROKEN)


@pytest.mark.server
def test_answers_tell_nothing_of_the_project(asked: Callable[..., Answer], workspace: Workspace) -> None:
    full = workspace.layout.root
    for path in ("/livez", "/readyz", "/metrics"):
        answer = asked(path)
        assert answer.status == 200
        assert str(full).encode() not in answer.body
    assert asked("/metrics").head.lower().count(b"text/plain; version=0.0.4; charset=utf-8") == 1


@pytest.mark.parametrize(
    ("peer", "here", "status"),
    [("127.0.0.1", True, None), ("::1", True, None), ("127.0.0.1", False, 401), ("192.0.2.7", True, 401), ("", True, 401)],
)
def test_figures_are_for_this_machine_or_those_with_the_token(peer: str, here: bool, status: int | None) -> None:

    guard = Guard(cast(Any, None), token=TOKEN, hosts=frozenset(), shows_metrics_here=here)
    call = Call({"method": "GET", "path": "/metrics", "headers": [], "client": (peer, 1) if peer else None})
    refusal = guard.of_token(call)
    assert (refusal.status if refusal else None) == status
    known = Call({"method": "GET", "path": "/metrics", "headers": [(b"authorization", f"Bearer {TOKEN}".encode())]})
    assert guard.of_token(known) is None
    assert (
        guard.of_token(Call({"method": "GET", "path": "/metrics/", "headers": [], "client": ("127.0.0.1", 1)})) is not None
    )


def test_health_counts_what_was_acknowledged(workspace: Workspace) -> None:

    api = cast(Api, workspace)
    assert api.health().num_votes == 0
    vote = Vote(
        id="v1", rev=1, study_id="s", trial_id="t", item_id="i", rater="r", rater_kind="person", question="q", choice="a"
    )
    workspace.journal.append_votes([vote])
    found = api.health()
    assert found.num_votes == 1
    assert found.lag is not None
    assert found.lag >= 1, "the catalog has not been asked since"
    assert found.commit_p99_s is not None
    assert 0 < found.commit_p99_s < 30
    assert found.resident_bytes > 10**7
    assert set(found.problems.values()) == {""}
