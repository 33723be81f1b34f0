"""`import table` and `import images` from the command line, into a project."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from backend.cli.app import app
from tests.backend.workspace.toy_project import write_toy_video

pytestmark = pytest.mark.slow


def run(*arguments: object, code: int = 0) -> Any:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return json.loads(result.stdout) if "--json" in arguments else result.output


def test_a_table_lists_its_videos_with_their_licences_and_says_what_waits(tmp_path: Path) -> None:
    films, project = tmp_path / "films", tmp_path / "project"
    films.mkdir()
    write_toy_video(films / "a.mp4")
    table = tmp_path / "t.jsonl"
    rows = [
        {"p": "a.mp4", "c": "A square moves.", "l": "CC0-1.0", "s": 5},
        {"p": "b.mp4", "c": "It is not here.", "l": "CC0-1.0", "s": 5},
        {"p": "a.mp4", "c": "Dull.", "l": "CC0-1.0", "s": 1},
    ]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "map.toml").write_text('video = "p"\ncaption = "c"\nlicence = "l"\n[scores]\nsharp = "s"\n')
    asked = ("import", "table", table, "--map", tmp_path / "map.toml", "--videos", films, "--project", project, "--json")
    found = run(*asked, "--keep", "sharp > 2", "--missing", tmp_path / "missing.txt")
    assert (found["rows"], found["chosen"], found["taken"], found["captions"], found["waiting"]) == (3, 2, 1, 1, 1)
    assert (tmp_path / "missing.txt").read_text() == "b.mp4\n"
    assert run("status", "--project", project, "--json")["states"] == {"pending": 1}
    assert run(*asked, "--keep", "sharp > 9", code=1)["videos"] == 0
    run("import", "table", table, "--videos", films, "--project", project, code=2)
    run("import", "tabel", table, "--project", project, code=2)


def test_pictures_of_a_tar_become_sources(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, "PNG")
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        member = tarfile.TarInfo("mug.png")
        member.size = len(buffer.getvalue())
        tar.addfile(member, io.BytesIO(buffer.getvalue()))
    project = tmp_path / "project"
    asked = ("import", "images", tmp_path / "0.tar", "--licence", "CC0-1.0", "--project", project, "--json")
    assert run(*asked, "--out", tmp_path / "bank") == {"pictures": 1, "taken": 1, "known": 0}
    run(*asked[:-1], code=2)
