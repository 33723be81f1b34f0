"""`endpoints`: the user's own list, from the command line."""

import json
from pathlib import Path

import pytest

from tests.backend.cli.test_commands import run


def test_endpoints_are_allowed_listed_and_forbidden(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert "none; `studio-backend endpoints allow URL`" in run(monkeypatch, capsys, "endpoints", "list")[1]
    assert (
        "http://127.0.0.1:8000 may be asked"
        in run(monkeypatch, capsys, "endpoints", "allow", "http://127.0.0.1:8000/v1")[1]
    )
    run(monkeypatch, capsys, "endpoints", "allow", "https://api.openai.com", "--json")
    _, out, _ = run(monkeypatch, capsys, "endpoints", "list", "--json")
    assert json.loads(out) == ["http://127.0.0.1:8000", "https://api.openai.com"]
    code, out, _ = run(monkeypatch, capsys, "endpoints", "forbid", "https://api.openai.com/v1", "--json")
    assert (code, json.loads(out)) == (0, {"forbidden": "https://api.openai.com"})
    assert run(monkeypatch, capsys, "endpoints", "list")[1] == "http://127.0.0.1:8000\n"


def test_what_may_never_be_asked_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    code, _, err = run(monkeypatch, capsys, "endpoints", "allow", "http://10.0.0.5:8000")
    assert code == 1 and "http is for this machine alone" in err
    code, _, err = run(monkeypatch, capsys, "endpoints", "allow", "https://169.254.169.254")
    assert code == 1 and "no address of the open network" in err
    assert list(tmp_path.iterdir()) == []
