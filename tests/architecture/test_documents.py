"""The README names every command, and its commands exist."""

import re
from pathlib import Path

import typer.main

from backend.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_every_command_is_named() -> None:
    missing = [name for name in commands() if not re.search(rf"\b{name}\b", README)]
    assert missing == []


def test_named_commands_exist() -> None:
    assert set(re.findall(r"^studio-backend ([a-z-]+)", README, re.MULTILINE)) <= set(commands())


def test_make_targets_exist() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE)) <= set(targets)


def test_linked_documents_exist() -> None:
    named = re.findall(r"`((?:docs/)?[\w.-]+\.md)`", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def commands() -> list[str]:
    return list(typer.main.get_command(app).commands)  # pyright: ignore[reportAttributeAccessIssue]
