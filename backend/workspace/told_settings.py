"""Settings of training, latents and generation: told by a child, since their records need torch, and kept until the code changes."""

import importlib.metadata
import importlib.util
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter

from backend.domain import digest
from backend.domain.jobs import TrainingSettings
from backend.jobs.commands import tell

MADE_OF = ("training", "backend.settings", "backend.domain")
"""Packages whose source decides what is told."""
_TOLD = TypeAdapter(TrainingSettings)


def training_settings(kept: Path) -> TrainingSettings:
    """What `studio-backend recipes` tells, as the file has it where that is of this code; else a child is asked, and the file written.

    Raises StudioError with the child's sentence where it fails.
    """
    code = _code()
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(kept.read_text("utf-8"))
        if found["code"] == code:
            return _TOLD.validate_python(found["told"])
    told = tell(["recipes"])
    with suppress(OSError):  # on a full disk the child is asked again
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft = kept.with_suffix(".new")
        draft.write_text(json.dumps({"code": code, "told": told}), encoding="utf-8")
        draft.replace(kept)
    return _TOLD.validate_python(told)


def _code() -> str:
    """Tells this code from any other that would say something else."""
    return digest((importlib.metadata.version("subject-studio"), *_sources()))


def _sources() -> Iterator[tuple[str, int, int]]:
    for name in MADE_OF:
        spec = importlib.util.find_spec(name)  # of a package, without importing it
        assert spec is not None and spec.submodule_search_locations, f"{name} is a package of ours"
        for path in sorted(Path(spec.submodule_search_locations[0]).rglob("*.py")):
            facts = path.stat()
            yield str(path), facts.st_size, facts.st_mtime_ns
