"""Man pages say what the commands' help says, and read as roff."""

import runpy
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main

from backend.cli.app import app

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def manuals() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "packaging" / "manuals.py"))


def test_every_command_has_a_page(manuals: dict[str, Any]) -> None:
    commands: dict[str, Any] = typer.main.get_command(app).commands  # pyright: ignore[reportAttributeAccessIssue]
    wanted = {f"studio-backend-{name}" for name, command in commands.items() if not command.hidden}
    assert wanted | {"studio", "studio-backend"} <= dict(manuals["pages"]()).keys()


def test_pages_name_commands_as_they_are_typed(manuals: dict[str, Any]) -> None:
    pages = dict(manuals["pages"]())
    assert ".B studio\\-backend sample\\-world [OPTIONS]" in pages["studio-backend-sample-world"]
    assert ".B studio\\-backend jobs list [OPTIONS]" in pages["studio-backend-jobs-list"]
    assert "\\-\\-recipe" in pages["studio-backend-curate"]


def test_words_that_roff_takes_for_commands_are_escaped(manuals: dict[str, Any]) -> None:
    assert manuals["plain"](".jpg files\n  and \\n") == "\\&.jpg files and \\en"


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_pages_are_sound_roff(manuals: dict[str, Any]) -> None:
    for name, text in manuals["pages"]():
        done = subprocess.run(
            ["groff", "-man", "-ww", "-Tutf8", "-z"], input=text, capture_output=True, text=True, check=True
        )
        assert done.stderr == "", name
