"""What children of a workspace load: they start once for each kind of work, while somebody waits."""

import subprocess
import sys

import pytest

HEAVY = ("backend.workspace.workspace", "backend.recipes", "fastapi", "matplotlib", "scipy", "torch")


@pytest.mark.parametrize("module", ["media", "segmenting", "shot_thumbs", "case_media"])
def test_a_child_that_reads_media_loads_no_workspace(module: str) -> None:
    asked = f"import sys, backend.workspace.{module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []


def test_a_name_that_is_not_there_is_named() -> None:
    with pytest.raises(ImportError, match="Nothing"):
        from backend.workspace import Nothing  # type: ignore[attr-defined] # noqa: F401
