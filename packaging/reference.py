"""`python packaging/reference.py FOLDER`: commands.md and settings.md, from the help of the commands and the settings records."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from manuals import told

from backend.engine.context import load
from backend.jobs import CALLS
from backend.recipes import RECIPES, sheet_of
from backend.settings import ProjectSettings


def main() -> None:
    """Writes both into the folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in {"commands": commands(), "settings": settings()}.items():
        (folder / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def commands() -> Iterator[str]:
    """Every command with its options, as its help says."""
    yield "# Commands"
    yield "Written from the help of each command; their man pages say the same."
    for one in told():
        yield f"\n## {' '.join(one.words)}"
        yield f"{' '.join(one.what.split())}\n\n    {one.usage}\n"
        yield from _table(("", "meaning"), ((f"`{_cell(name)}`", _cell(meaning)) for name, meaning in one.records))


def settings() -> Iterator[str]:
    """Settings of projects, of every stage and gate of every recipe, and of training recipes."""
    yield "# Settings"
    yield "Written from the settings records. `--set NAME=VALUE` changes one for a call, project.toml for a project; unknown names are errors."
    sheets = {name: sheet_of(ProjectSettings(recipe=name)) for name in RECIPES}
    whole = sheets["full"]
    head = ("name", "default", "meaning")
    yield "\n## Projects"
    yield from _table(head, map(_row, whole.project))
    yield "\n## Roles and weights"
    yield "The default is that of profile `embedded`; `models.ROLE` says where the weights lie."
    yield from _table(
        ("name", "default", "implementations"), ((f"`{r.name}`", r.default, ", ".join(r.choices)) for r in whole.roles)
    )
    stages = {stage.stage: stage for sheet in sheets.values() for stage in sheet.stages}
    yield "\n## Stages"
    yield "Defaults are those of recipe `full`, or of the recipe that has the stage."
    for name, stage in (stages | {stage.stage: stage for stage in whole.stages}).items():
        yield f"\n### {name}\n{_cell(stage.meaning)}\n"
        if stage.settings:
            yield from _table(head, map(_row, stage.settings))
    yield "\n## Gates\nA gate is a comparison of a stored score with a value; another value runs no model.\n"
    for recipe, sheet in sheets.items():
        yield f"\n### {recipe}"
        yield from _table(("name", "value", "source"), (_row(gate) for stage in sheet.stages for gate in stage.gates))
    trained: Any = load(CALLS["training_settings"])()
    for name, fields in {"latents": trained.latents, "generate": trained.generate}.items():
        yield f"\n## {name}"
        yield from _table(head, ((f"`{f.name}`", _cell(str(f.default)), _cell(f.words)) for f in fields))
    yield "\n## Training"
    yield "Of each recipe; `studio-backend recipes NAME` tells the same."
    for name, found in trained.recipes.items():
        yield f"\n### {name}\n{_cell(found.words)}\n"
        yield from _table(head, ((f"`{f.name}`", _cell(str(f.default)), _cell(f.words)) for f in found.settings))


def _row(setting: Any) -> tuple[str, str, str]:
    return f"`{setting.name}`", _cell(setting.default), _cell(setting.meaning)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    main()
