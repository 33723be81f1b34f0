"""Every command in the documents is one that the command line takes, options and all."""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import typer.main
from typer._click.exceptions import MissingParameter, UsageError  # typer brings its own click
from typer.core import TyperGroup

from backend.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
NOTATION = re.compile(r"(?<=[\w.])\|[\w|-]+| \[[^\]]*\]")
"""Of `push|pull|take` the first is tried; what stands in brackets is not."""


def test_commands_parse(subtests: pytest.Subtests) -> None:
    found = 0
    for document in DOCUMENTS:
        for line in commands(document.read_text()):
            found += 1
            with subtests.test(msg=f"{document.name}: {line}"):
                parse(line)
    assert found > 130


def test_commands_of_tables_parse(subtests: pytest.Subtests) -> None:
    found = 0
    for document in DOCUMENTS:
        for line in spoken(document.read_text()):
            found += 1
            with (
                subtests.test(msg=f"{document.name}: {line}"),
                suppress(MissingParameter),
            ):  # what is always needed may be left out
                parse(line)
    assert found > 60


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("studio-backend curat --project P", "No such command 'curat'"),
        ("studio-backend curate --projekt P", "No such option"),
        ("studio-backend erase --retries many", "No such option"),
        ("studio-backend sample-world DIR --seed first", "valid integer"),
    ],
)
def test_wrong_commands_are_found(line: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse(line)


def commands(text: str) -> Iterator[str]:
    """Lines of code blocks that begin with the program's name, without remarks and continued lines joined."""
    text = text.replace("\\\n", " ")
    for block in re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from _lines(block)
    yield from _lines("\n".join(re.findall(r"^ {4}(.*)$", text, re.MULTILINE)))


def spoken(text: str) -> Iterator[str]:
    """Commands in the tables, where the reader has been told of files and projects."""
    for row in re.findall(r"^\|.*$", text, re.MULTILINE):
        for line in re.findall(r"`(studio-backend [a-z][^`]*)`", row):
            yield from _lines(line)


def parse(line: str) -> None:
    """Raises UsageError where the command line does not take it."""
    words = shlex.split(NOTATION.sub("", line), comments=True)[1:]
    command, parent = typer.main.get_command(app), None
    while True:
        parent = command.make_context(command.name, words, parent=parent)
        words = [*parent._protected_args, *parent.args]
        if not isinstance(command, TyperGroup) or not words:
            return  # a group by itself, as it is spoken of
        _, found, words = command.resolve_command(parent, words)
        assert found is not None
        command = found


def _lines(block: str) -> Iterator[str]:
    for line in block.splitlines():
        text = re.sub(r"^(\$ |\w+=\S+ )+", "", line.strip())
        if text.startswith("studio-backend ") and "…" not in text:
            yield re.split(r" (?:&&|;|>|\|\|?) | &$", text)[0]
