"""The systemd unit is one that systemd takes as it stands, starts a command that there is, and lies where the documents say."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main

from backend.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "packaging" / "subject-studio@.service"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text("utf-8")
    assert complaints(text, tmp_path) == ""
    assert "Unknown key 'Umaks'" in complaints(text.replace("UMask", "Umaks"), tmp_path), "what is wrong is told"


def test_the_unit_starts_a_command_with_options_that_there_are() -> None:
    (line,) = re.findall(r"^ExecStart=/usr/bin/env studio-backend (.*)$", UNIT.read_text("utf-8"), re.MULTILINE)
    name, *options = line.split()
    commands: dict = typer.main.get_command(app).commands  # pyright: ignore[reportAttributeAccessIssue]
    known = {spelled for parameter in commands[name].params for spelled in parameter.opts}
    assert {option for option in options if option.startswith("-")} <= known


def complaints(text: str, folder: Path) -> str:
    """What systemd says of a unit of a project at /data/walks."""
    unit = folder / "subject-studio@data-walks.service"
    unit.write_text(text, "utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False, timeout=60)
    return "".join(line + "\n" for line in done.stderr.splitlines() if str(unit) in line or "subject-studio" in line)
