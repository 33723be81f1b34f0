"""Pages of the site that are written from the code name everything, and a look at an installation finds what is wrong with it."""

import dataclasses
import runpy
import sys
from pathlib import Path

import pytest
import typer.main

from backend.cli.app import app
from backend.recipes import RECIPES
from backend.settings import ProjectSettings
from backend.stages import STAGES
from training.recipes import RECIPES as TRAINED

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "packaging")  # as for a script
        patch.setattr(sys, "argv", ["reference.py", str(folder)])
        runpy.run_path(str(ROOT / "packaging" / "reference.py"), run_name="__main__")
    return {path.stem: path.read_text("utf-8") for path in folder.iterdir()}


@pytest.mark.slow
def test_every_command_has_its_part(pages: dict[str, str]) -> None:
    known = typer.main.get_command(app).commands  # pyright: ignore[reportAttributeAccessIssue]
    missing = [
        name for name, one in known.items() if not one.hidden and f"\n## studio-backend {name}\n" not in pages["commands"]
    ]
    assert missing == []
    assert "\n## studio-backend study create\n" in pages["commands"]


@pytest.mark.slow
def test_every_setting_stage_and_recipe_is_named(pages: dict[str, str]) -> None:
    text = pages["settings"]
    assert [name for name in STAGES if f"\n### {name}\n" not in text] == []
    assert [name for name in (*RECIPES, *TRAINED) if f"\n### {name}\n" not in text] == []
    plain = [field.name for field in dataclasses.fields(ProjectSettings) if field.type in (str, int, float, bool)]
    assert [name for name in plain if name != "format_version" and f"| `{name}` |" not in text] == []
    assert "| `gates.clip.duration_s.min` | 0.5 |" in text


def test_missing_and_other_resources_of_an_installation_are_found(tmp_path: Path) -> None:
    wrong = runpy.run_path(str(ROOT / "packaging" / "installed.py"))["wrong_resources"]
    assert wrong(ROOT / "resources") == []
    (tmp_path / "forms").mkdir()
    (tmp_path / "forms" / "none.json").write_text("{}")
    (tmp_path / "safety.yaml").write_text("other")
    assert [sentence.split(" is ")[0] for sentence in wrong(tmp_path)] == ["resource forms/none.json", "safety.yaml"]
