"""Both programs say which version they are."""

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli.app import app
from studio.app import command_line

ROOT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


def test_the_service_says_its_version() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.output) == (0, f"{VERSION}\n")


def test_studio_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line().parse_args(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"{VERSION}\n")
