"""How the code reads, held by tests: sizes, broad excepts, who imports what at start, where the packages lie."""

import ast
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted(
    path for package in ("backend", "studio", "training", "metrics", "bench") for path in (ROOT / package).rglob("*.py")
)
MAX_LINES = 500
MAX_FUNCTION_LINES = 70  # "up to about 60"
BROAD = {
    "backend/engine/work.py",
    "backend/jobs/board.py",
    "backend/jobs/model_ladder.py",
    "backend/store/journal.py",
    "metrics/planner.py",
    "studio/crash.py",
}
"""The pipeline item (of stages, of features), the job worker (of jobs, of models), the journal's writer (it works for all callers), the GUI's excepthook."""


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, f"{node.name} is too long"


def test_broad_excepts_stand_in_few_places() -> None:
    found = set()
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler) and (node.type is None or getattr(node.type, "id", "") == "Exception"):
                found.add(str(path.relative_to(ROOT)))
    assert found <= BROAD


@pytest.mark.slow
def test_the_four_packages_are_ours_from_anywhere(tmp_path: Path) -> None:
    script = "import backend, metrics, studio, training; print(*(m.__file__ for m in (backend, metrics, studio, training)), sep='\\n')"
    found = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [Path(line).parent.parent for line in found.stdout.split()] == [ROOT] * 4
    command = Path(sys.executable).with_name("studio-backend")
    shown = subprocess.run([command, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "curate" in shown.stdout


def test_no_other_distribution_owns_a_package_of_ours() -> None:
    owners = packages_distributions()
    for package in ("backend", "metrics", "studio", "training"):
        assert set(owners.get(package, ["subject-studio"])) <= {"subject-studio"}


@pytest.mark.slow
def test_the_owner_imports_no_torch_and_studio_nothing_heavy() -> None:
    heavy = "'torch', 'transformers', 'diffusers', 'ray'"
    for module, forbidden in (
        ("backend.cli", heavy),
        ("training.describing", heavy),  # and so the recipes: what the owner's forms show
        ("studio.app", f"{heavy}, 'cv2', 'duckdb', 'fastapi', 'scipy', 'pyarrow'"),
    ):
        script = f"import sys, {module}; print([name for name in ({forbidden},) if name in sys.modules])"
        found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert found.stdout.strip() == "[]", module


def test_commands_of_the_distribution_are_two() -> None:
    entries = {entry.name for entry in distribution("subject-studio").entry_points if entry.group == "console_scripts"}
    assert entries == {"studio", "studio-backend"}
