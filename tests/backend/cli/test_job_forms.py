"""Commands from forms: what was filled in becomes the command that a person would have typed."""

import shlex
from pathlib import Path

import pytest
import typer.main

from backend.cli.app import app
from backend.cli.forms import COMMANDS, PATHS, command_line, fields_of
from backend.domain import SettingsError
from backend.domain.jobs import JobField, JobForm
from backend.workspace.job_forms import values_of, with_choices


def test_command_of_a_form_is_what_a_person_would_type() -> None:
    values = {"recipe": "tiny", "data": "/a folder", "out": "/runs/x", "resume": True}
    words = command_line("train", values, ["run.steps=6", 'data.modes=["a b"]'])
    assert shlex.join(words) == (
        "train '--data=/a folder' --out=/runs/x --resume --set=run.steps=6 '--set=data.modes=[\"a b\"]' -- tiny"
    )
    assert command_line("train", {"recipe": "-x", "resume": False, "data": None}, []) == ["train", "--", "-x"]
    assert command_line("generate", {"limit": 3, "seeds": "0,1", "system": "run:/r"}, []) == [
        "generate",
        "--system=run:/r",
        "--seeds=0,1",
        "--limit=3",
    ]


@pytest.mark.parametrize("kind", COMMANDS)
def test_form_asks_what_the_command_of_its_name_takes(kind: str) -> None:
    (command,) = [c for name, c in typer.main.get_command(app).commands.items() if name == kind]  # pyright: ignore[reportAttributeAccessIssue]
    assert command.callback is not None
    assert command.callback.__wrapped__ is COMMANDS[kind].function
    types = {field.type for field in fields_of(kind)}
    assert types <= {"text", "integer", "number", "boolean", "list", "paths", *PATHS.values()}


def form(**more: object) -> JobForm:
    field = JobField(name="x", **{"type": "text", **more})  # type: ignore[arg-type]
    return JobForm(kind="train", main=(field,))


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", " a b ", "a b"),
        ("integer", "12", 12),
        ("number", "1e-3", 0.001),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("list", '["a", "b"]', ("a", "b")),
        ("list", "[1, 2,]", (1, 2)),
        ("new_folder", "runs/a", "ROOT/runs/a"),
        ("new_folder", "/runs/a", "/runs/a"),
        ("text", "  ", None),
        ("integer", "", None),
    ],
)
def test_text_becomes_a_value(tmp_path: Path, kind: str, text: str, value: object) -> None:
    expected = value.replace("ROOT", str(tmp_path)) if isinstance(value, str) else value
    assert values_of(form(type=kind), {"x": text}, root=tmp_path) == {"x": expected}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "1.5"),
        ("number", "inf"),
        ("number", "one"),
        ("boolean", "True"),
        ("list", "{}"),
        ("file", "gone"),
        ("folder", "gone"),
    ],
)
def test_text_that_is_no_value_is_refused_by_name(tmp_path: Path, kind: str, text: str) -> None:
    with pytest.raises(SettingsError, match=r"^x is "):
        values_of(form(type=kind), {"x": text}, root=tmp_path)


def test_choice_is_one_of_its_own_or_none_where_none_is_needed(tmp_path: Path) -> None:
    optional = with_choices(JobField(name="x", type="text"), ("a", "b"))
    assert optional.choices == ("", "a", "b")
    assert with_choices(JobField(name="x", type="text", default="a"), ("a", "b")).choices == ("a", "b")
    required = with_choices(JobField(name="x", type="text", required=True), ("a", "b"))
    assert required.choices == ("a", "b")
    assert values_of(JobForm(kind="k", main=(optional,)), {}, root=tmp_path) == {"x": None}
    with pytest.raises(SettingsError, match="x is missing"):
        values_of(JobForm(kind="k", main=(required,)), {}, root=tmp_path)
    with pytest.raises(SettingsError, match="x is 'c'; known: a, b"):
        values_of(JobForm(kind="k", main=(required,)), {"x": "c"}, root=tmp_path)
