"""Each how-to of docs/how-to adds what it says: its files are written and its line is put into the table, as they stand there."""

import ast
import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import backend.exports
import backend.models
import backend.recipes
import backend.recipes.table
import backend.stages
import metrics
import metrics.table
from backend.cli.app import app
from backend.domain import resource
from backend.engine.context import load
from backend.media.images import encode_png
from backend.media.writer import write_video
from backend.studies import forms
from backend.studies.pairwise import Preference
from tests.architecture import test_tables
from tests.backend.exports import test_contract
from tests.backend.exports.made_pairs import made_films
from tests.metrics import test_table

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = ROOT / "docs" / "how-to"
FOLLOWED = {path.stem: path.read_text("utf-8") for path in HOW_TO.glob("*.md")}
DARK, BRIGHT = 30, 180
NUM_FRAMES, FPS = 48, 24


class Followed:
    """What a how-to says, done in a folder that our packages are looked for in too."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._patch = folder, monkeypatch

    def __call__(self, name: str, *, package: ModuleType | None = None, table: dict[str, str] | None = None) -> str:
        """Writes a how-to's files and adds its line to a table; gives the line as it stands."""
        files = re.findall(r"^`([\w/.]+)`:\n```\w+\n(.*?)^```", FOLLOWED[name], re.MULTILINE | re.DOTALL)
        assert files
        for path, text in files:
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text, encoding="utf-8")
            if package is not None:
                self._patch.setattr(package, "__path__", [*package.__path__, str((self.folder / path).parent)])
        (line,) = re.findall(r"^In `[^\n]*:\n```\w+\n([^\n]*)\n```", FOLLOWED[name], re.MULTILINE)
        if table is not None:
            for key, place in ast.literal_eval("{" + line + "}").items():
                self._patch.setitem(table, key, place)
        return line


@pytest.fixture
def followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Followed]:
    before = set(sys.modules)
    yield Followed(tmp_path / "followed", monkeypatch)
    for name in set(sys.modules) - before:
        place = getattr(sys.modules[name], "__file__", None)
        if place and Path(place).is_relative_to(tmp_path):
            del sys.modules[name]


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A dark film and a bright one, in which a square moves."""
    folder = tmp_path / "films"
    folder.mkdir()
    for name, grey in {"dark": DARK, "bright": BRIGHT}.items():
        frames = np.full((NUM_FRAMES, 120, 160, 3), grey, np.uint8)
        for n, frame in enumerate(frames):
            frame[40:80, 2 * n : 2 * n + 40] = (grey + 60, grey, grey + 30)
        write_video(folder / f"{name}.mp4", frames, fps=FPS, crf=1)
    return folder


def command(*words: object, code: int = 0) -> Any:
    """What a command prints as JSON."""
    done = CliRunner().invoke(app, [*map(str, words), "--json"], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_every_how_to_names_the_test_that_follows_it() -> None:
    assert set(FOLLOWED) == {"exporter", "form", "metric", "model", "recipe", "stage"}
    named = {name: re.findall(r"tests/packaging/test_how_to\.py::(\w+)", text) for name, text in FOLLOWED.items()}
    assert all(len(tests) == 1 and tests[0] in globals() for tests in named.values()), named


def test_a_metric_is_added(followed: Followed, films: Path, tmp_path: Path) -> None:
    followed("metric", package=metrics, table=metrics.table.METRICS)
    test_table.test_metric_declares_itself("brightness")
    test_table.test_features_are_named_and_hashable("brightness")
    cases = cases_in(tmp_path)
    about = ("--cases", cases, "--videos", films, "--system", "s", "--project", tmp_path / "p")
    found = command("evaluate", *about, "--metrics", "brightness", "--engine", "inline")
    values = {row["case_id"]: row["value"] for row in found["rows"]}
    square = 40 * 40 / (120 * 160) * 30 / 255  # the square is brighter by 30, as a mean over its channels
    assert values["dark"] == pytest.approx(DARK / 255 + square, abs=0.01)
    assert values["bright"] == pytest.approx(BRIGHT / 255 + square, abs=0.01)


def test_a_stage_and_a_recipe_are_added(
    followed: Followed, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed("stage", package=backend.stages, table=backend.stages.STAGES)
    assert followed("recipe", package=backend.recipes) == '"bright": bright,'
    bright = importlib.import_module("backend.recipes.bright").bright
    monkeypatch.setitem(backend.recipes.table.RECIPES, "bright", bright)
    test_tables.test_stage_is_a_frozen_dataclass_that_declares_itself(
        "measure_brightness", backend.stages.STAGES["measure_brightness"]
    )
    test_tables.test_recipe_gates_scores_of_its_own_stages("bright")
    project = ("--project", tmp_path / "p")
    command("init", "--recipe", "bright", "--engine", "inline", *project)
    command("ingest", films, *project)
    status = command("curate", *project)
    assert (status["counts"]["videos"], status["counts"]["clips"]) == (2, 1)
    (held,) = [gate for gate in status["gates"] if (gate["record"], gate["score"]) == ("clip", "brightness")]
    assert (held["entering"], held["dropped"]) == (2, 1), "the dark film"


def test_an_export_format_is_added(followed: Followed, tmp_path: Path) -> None:
    followed("exporter", package=backend.exports, table=backend.exports.EXPORTS)
    films = made_films(tmp_path / "films", 2 * test_contract.NUM)
    for number, holds in enumerate(
        (
            test_contract.test_equal_rows_give_equal_bytes_in_any_order,
            test_contract.test_every_file_is_listed_with_its_checksum,
            test_contract.test_an_earlier_export_is_replaced_and_other_files_are_not,
            test_contract.test_a_wrong_split_writes_nothing,
            test_contract.test_nothing_to_write_is_said_with_what_left_nothing_and_an_earlier_export_stays,
            test_contract.test_the_card_and_the_rows_name_source_licence_attribution_and_terms,
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        holds(load(backend.exports.EXPORTS["pair_list"])(), films, folder)


def test_a_form_is_added(followed: Followed, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert followed("form") == '"lighting",'
    monkeypatch.setattr(Preference, "forms", (*Preference.forms, "lighting"))
    written = followed.folder / "resources"
    monkeypatch.setattr(forms, "resource", lambda name: written / name if (written / name).exists() else resource(name))
    cases = cases_in(tmp_path)
    systems = ("--system", f"ours={films}", "--system", f"theirs={films}")
    made = command(
        *("study", "create", "light", "--form", "lighting", "--cases", cases, *systems),
        *("--project", project_in(tmp_path)),
    )
    assert (made["aspects"], made["items"]) == (["lighting"], 2)


def cases_in(folder: Path) -> Path:
    """One case a film, with a picture as its reference."""
    (folder / "square.png").write_bytes(encode_png(np.full((32, 32, 3), 200, np.uint8)))
    asked = {"prompt": "a square", "img_paths": ["square.png"], "class_label": ["Thing"]}
    path = folder / "cases.json"
    path.write_text(json.dumps(dict.fromkeys(("dark", "bright"), asked)))
    return path


def project_in(folder: Path) -> Path:
    command("init", "--project", folder / "p")
    return folder / "p"


def test_a_model_is_added(followed: Followed, tmp_path: Path) -> None:
    followed("model", package=backend.models, table=backend.models.MODELS["TechnicalScorer"])
    place = backend.models.MODELS["TechnicalScorer"]["laplacian"]
    test_tables.test_model_has_an_id_and_a_sentence("TechnicalScorer", "laplacian", place)
    command("init", "--project", tmp_path / "p", "--set", "roles.TechnicalScorer=laplacian")
    bound = command("doctor", "--project", tmp_path / "p")["roles"]["TechnicalScorer"]
    assert (bound["implementation"], bound["model_id"], bound["available"]) == ("laplacian", "laplacian-1", True)
    scorer = load(place)()
    line = np.zeros((1, 9, 9, 3), np.uint8)
    line[:, :, 4] = 10  # its Laplacian: 10 beside the line, -20 on it, 0 elsewhere
    assert scorer.score(line) == pytest.approx((2 * 100 + 400) / 9 / 1000)
    assert scorer.score(np.zeros((1, 9, 9, 3), np.uint8)) == 0.0
