"""What doctor says of models: licence, size of the weights that are there or as published, and what is missing."""

import dataclasses
from pathlib import Path

import pytest

from backend.cli.output import show_doctor
from backend.engine.context import load
from backend.models import MODELS
from backend.models.outgoing import AllowedEndpoints
from backend.recipes import doctor_of
from backend.settings import ProjectSettings

WITH_WEIGHTS = [
    (role, name, path)
    for role, found in MODELS.items()
    for name, path in found.items()
    if getattr(load(path), "suggested", None) is not None
]


@pytest.mark.parametrize(("role", "name", "path"), WITH_WEIGHTS)
def test_a_model_that_suggests_weights_says_how_large_and_under_which_licence(role: str, name: str, path: str) -> None:
    implementation = load(path)
    assert implementation.licence  # type: ignore[attr-defined]
    assert (implementation.published_gb > 0) == bool(implementation.suggested)  # type: ignore[attr-defined]


def test_weights_that_are_there_are_measured_and_those_missing_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "dino"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"x" * 12_345)
    (folder / "config.json").write_text("{}")
    AllowedEndpoints().allow("https://host/v1")
    found = doctor_of(
        ProjectSettings(
            roles={"AppearanceEmbedder": "dinov2", "Segmenter": "paper", "Judge": "openai"},
            models={"AppearanceEmbedder": str(folder), "Judge": "openai:m@https://host/v1"},
            footage_may_leave=True,
        )
    )
    there, missing, far, none = (found.roles[name] for name in ("AppearanceEmbedder", "Segmenter", "Judge", "Detector"))
    assert (there.available, there.num_bytes, there.licence) == (True, 12_345, "Apache-2.0")
    assert (missing.available, missing.num_bytes, missing.published_bytes) == (False, 0, 900_000_000)
    assert (far.num_bytes, far.published_bytes, none.num_bytes, none.published_bytes) == (0, 0, 0, 0)
    assert found.missing == ("Segmenter",)
    show_doctor(found)
    told = capsys.readouterr().out
    assert "12,345 B" in told and "about 0.9 GB" in told
    assert "missing, Segmenter (about 0.9 GB): role Segmenter has no weights; set models.Segmenter" in told
    assert "not bound by this profile:" in told
    show_doctor(dataclasses.replace(found, missing=()))
    assert "missing: nothing" in capsys.readouterr().out
