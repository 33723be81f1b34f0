"""Pictures leave this machine only where the user allowed the endpoint and the project that its footage leaves."""

import ast
from pathlib import Path

import pytest

import backend
from backend.domain import ModelUnavailable
from backend.engine.context import WorkContext, WorkerSettings
from backend.models.outgoing import AllowedEndpoints
from backend.models.places import ModelPlace
from backend.recipes import doctor_of, worker_settings
from backend.settings import ProjectSettings
from tests.promises import Tally

FAR, NEAR = "openai:gpt@https://api.example.com/v1", "openai:gpt@http://127.0.0.1:9/v1"
ASKED = {
    "Judge": "backend.models.judge_openai:OpenAiJudge",
    "Captioner": "backend.models.captioner_vlm:OpenAiCaptioner",
    "PhraseExtractor": "backend.models.phrase_llm:OpenAiPhrases",
    "ReferenceSynthesizer": "backend.models.gpt_frames:GptFrames",
}
"""Every role that an endpoint may serve, with the implementation that asks one."""
CLIENTS = ("openai", "httpx", "requests", "aiohttp", "urllib.request", "http.client", "urllib3", "websockets")
ROOT = Path(backend.__path__[0]).parent
OWN_SOCKETS = ("backend/client/",)
"""Talks to the project's own service, over a socket of this machine."""


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user trusts the endpoints, and there is a key."""
    pytest.importorskip("openai")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    for url in ("https://api.example.com", "http://127.0.0.1:9"):
        AllowedEndpoints().allow(url)


def asking(folder: Path, location: str, *, leave: bool) -> list[str]:
    """Roles whose implementation can be made, that is, would ask."""
    found = []
    for role, path in ASKED.items():
        settings = WorkerSettings(artifacts=folder, roles={role: path}, models={role: location}, footage_may_leave=leave)
        try:
            WorkContext(settings).role(role)
            found.append(role)
        except ModelUnavailable as error:
            assert "footage_may_leave = true in project.toml" in str(error), error
    return found


@pytest.mark.promise(
    "no role sends pictures or texts beyond this machine unless project.toml says that footage may leave",
    area="Privacy",
    goal="0 of 4 roles ask",
    control="tests/backend/models/test_leaving.py::test_with_the_switch_they_are_asked",
)
def test_without_the_switch_nothing_beyond_this_machine_is_asked(allowed: None, tmp_path: Path, tally: Tally) -> None:
    found = asking(tmp_path, FAR, leave=False)
    tally.record(len(ASKED), lost=len(found))
    assert found == []


def test_with_the_switch_they_are_asked(allowed: None, tmp_path: Path) -> None:
    assert asking(tmp_path, FAR, leave=True) == list(ASKED)
    assert asking(tmp_path, NEAR, leave=False) == list(ASKED)


def test_the_projects_switch_reaches_workers_and_doctor(allowed: None, tmp_path: Path) -> None:
    settings = ProjectSettings(roles={"Judge": "openai"}, models={"Judge": FAR})
    assert not worker_settings(settings, tmp_path).footage_may_leave
    assert "footage_may_leave" in doctor_of(settings).roles["Judge"].reason
    open_ = ProjectSettings(roles={"Judge": "openai"}, models={"Judge": FAR}, footage_may_leave=True)
    assert worker_settings(open_, tmp_path).footage_may_leave
    assert doctor_of(open_).roles["Judge"].available


def test_the_name_of_a_model_does_not_change_with_the_switch() -> None:
    # Otherwise what it answered would be lost to the plan as soon as it may not be asked any more
    assert ModelPlace("Judge", FAR).model_id("k") == ModelPlace("Judge", FAR, footage_may_leave=True).model_id("k")


def clients_of(text: str) -> set[str]:
    """Libraries of the network that a source imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{each.name}" for each in node.names)}
    return {name for name in names if any(name == client or name.startswith(f"{client}.") for client in CLIENTS)}


@pytest.mark.promise(
    "calls to endpoints and to Label Studio open connections: no other source of the product imports a client of the network",
    area="Privacy",
    goal="0 others",
    control="tests/backend/models/test_leaving.py::test_another_client_would_be_noticed",
)
def test_no_other_module_talks_to_the_network(tally: Tally) -> None:
    sources = [path for folder in ("backend", "metrics", "training", "studio") for path in (ROOT / folder).rglob("*.py")]
    found = {
        path.relative_to(ROOT).as_posix(): sorted(clients)
        for path in sources
        if (clients := clients_of(path.read_text("utf-8")))
    }
    gate = {"backend/models/endpoint_calls.py", "backend/models/outgoing.py", "backend/exports/label_studio_server.py"}
    typed = {"backend/models/chat_endpoint.py", "backend/models/gpt_frames.py"}  # for annotations alone
    others = [name for name in found if name not in gate | typed and not name.startswith(OWN_SOCKETS)]
    tally.record(len(sources), lost=len(others))
    assert others == []
    for name in typed:
        guarded = (ROOT / name).read_text("utf-8").partition("if TYPE_CHECKING:\n")
        assert clients_of(guarded[0]) == set()


def test_another_client_would_be_noticed() -> None:
    assert clients_of("from urllib.request import urlopen") == {"urllib.request", "urllib.request.urlopen"}
    assert clients_of("def send():\n    import httpx") == {"httpx"}
    assert clients_of("import urllib.parse\nfrom urllib.parse import quote") == set()
