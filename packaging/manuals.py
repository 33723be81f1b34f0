"""`python packaging/manuals.py FOLDER`: man pages of `studio` and of every command of `studio-backend`, from their own help."""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import typer.main

from backend.cli.app import app
from studio.app import command_line

EXITS = """0: nothing failed. 1: failures are listed, and the rest is done. 2: a wrong call. Commands with other codes name them above."""
Record = tuple[str, str]
"""An option or argument as it is written, and what it means."""


def main() -> None:
    """Writes NAME.1 of each into the folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages():
        (folder / f"{name}.1").write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Told:
    """What the help of a command says: its words as they are typed, meaning, usage, options, and commands to see also."""

    words: tuple[str, ...]
    what: str
    usage: str
    records: tuple[Record, ...]
    others: tuple[str, ...]


def pages() -> Iterator[tuple[str, str]]:
    """Names and roff texts."""
    for one in told():
        name = "-".join(one.words)
        yield name, page(name, one.what, one.usage, list(one.records), list(one.others))


def told() -> Iterator[Told]:
    """`studio` and every command of `studio-backend`, groups before their commands."""
    parser = command_line()
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    yield Told(("studio",), parser.description or "", usage, tuple(_of_argparse(parser)), ("studio-backend",))
    yield from _of_group(("studio-backend",), typer.main.get_command(app))


def page(name: str, what: str, usage: str, records: list[Record], others: list[str]) -> str:
    """A page of man(7): name, synopsis, description, options, exit status, see also."""
    first, _, more = what.strip().partition("\n\n")
    told = [f'.TH "{name.upper()}" "1" "" "Subject Studio {version("subject-studio")}" "User Commands"']
    told += [".SH NAME", f"{plain(name)} \\- {plain(first).rstrip('.')}", ".SH SYNOPSIS", f".B {plain(usage)}"]
    if more:
        told += [".SH DESCRIPTION", plain(more)]
    if records:
        told.append(".SH OPTIONS")
        for spelled, meaning in records:
            told += [".TP", f".B {plain(spelled)}", plain(meaning) or "\\&"]
    told += [".SH EXIT STATUS", plain(EXITS), ".SH SEE ALSO", ", ".join(f"\\fB{plain(other)}\\fR(1)" for other in others)]
    return "\n".join(told) + "\n"


def plain(text: str) -> str:
    """One paragraph for roff: what it takes for commands, escaped."""
    joined = re.sub(r"\s+", " ", text).strip().replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{joined}" if joined[:1] in (".", "'") else joined


def _of_group(words: tuple[str, ...], group: Any) -> Iterator[Told]:
    shown = {name: command for name, command in group.commands.items() if not command.hidden}
    inside = tuple("-".join((*words, command)) for command in shown)
    records = tuple((command, _first_line(found)) for command, found in shown.items())
    yield Told(words, group.help or "", f"{' '.join(words)} COMMAND ...", records, inside)
    for command, found in shown.items():
        spoken = (*words, command)
        if hasattr(found, "commands"):
            yield from _of_group(spoken, found)
        else:
            context = found.context_class(found, info_name=command)
            given = tuple(record for parameter in found.params if (record := parameter.get_help_record(context)))
            usage = " ".join((*spoken, *found.collect_usage_pieces(context)))
            yield Told(spoken, found.help or "", usage, given, ("-".join(words),))


def _first_line(command: Any) -> str:
    return (command.help or "").strip().partition("\n\n")[0]


def _of_argparse(parser: argparse.ArgumentParser) -> Iterator[Record]:
    for action in parser._actions:
        spelled = ", ".join(action.option_strings) or action.metavar or action.dest
        choices = f" {{{','.join(map(str, action.choices))}}}" if action.choices else ""
        yield f"{spelled}{choices}", action.help or ""


if __name__ == "__main__":
    main()
