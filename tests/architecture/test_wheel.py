"""The wheel, built and installed away from the checkout: it holds what it needs, under names that are ours (ADR 3)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = {"backend", "metrics", "studio", "training"}
ASK = """
import importlib.metadata, json, sys
import backend, metrics, studio, training
from backend.domain import resource
from backend.studies.forms import load_form
owners = importlib.metadata.packages_distributions()
print(json.dumps({
    "version": importlib.metadata.version("subject-studio"),
    "files": [module.__file__ for module in (backend, metrics, studio, training)],
    "owners": {name: owners[name] for name in ("backend", "metrics", "studio", "training")},
    "resource": str(resource("forms/identity.json")),
    "question": load_form("identity").questions[0].name,
}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel in it and nothing else, built and installed without network."""
    folder = tmp_path_factory.mktemp("wheel")
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "-q")
    _run(sys.executable, "-m", "pip", "wheel", *offline, "-w", str(folder), str(ROOT), at=folder)
    (wheel,) = folder.glob("*.whl")
    target = folder / "site"
    _run(sys.executable, "-m", "pip", "install", *offline, "--target", str(target), str(wheel), at=folder)
    return target


@pytest.mark.slow
def test_wheel_works_away_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    told = json.loads(_run(sys.executable, "-c", ASK, at=tmp_path, packages=installed))
    assert told["version"] == _declared_version()
    assert [Path(file).parent.parent for file in told["files"]] == [installed] * 4
    assert Path(told["resource"]).is_relative_to(installed / "backend" / "_resources")
    assert told["question"] == "same"
    assert {owner for owners in told["owners"].values() for owner in owners} == {"subject-studio"}


@pytest.mark.slow
def test_console_script_of_the_wheel_runs_the_wheel(installed: Path, tmp_path: Path) -> None:
    command = str(installed / "bin" / "studio-backend")
    about = json.loads(_run(command, "init", "--project", "walks", "--json", at=tmp_path, packages=installed))
    assert (about["version"], about["profile"]) == (_declared_version(), "embedded")


@pytest.mark.slow
def test_wheel_takes_no_top_level_name_but_ours(installed: Path) -> None:
    names = {path.name for path in installed.iterdir()}
    info = {name for name in names if name.endswith(".dist-info")}
    assert len(info) == 1
    assert names - info == OURS | {"bin"}
    carried = {
        str(path.relative_to(installed / "backend" / "_resources")) for path in _files(installed / "backend/_resources")
    }
    assert carried == {str(path.relative_to(ROOT / "resources")) for path in _files(ROOT / "resources")}
    assert not [path for path in _files(installed) if "tests" in path.relative_to(installed).parts]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def _declared_version() -> str:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("version = ")).split('"')[1]


def _run(*command: str, at: Path, packages: Path | None = None) -> str:
    environment = {**os.environ, "PYTHONPATH": str(packages)} if packages else None
    done = subprocess.run(command, cwd=at, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
