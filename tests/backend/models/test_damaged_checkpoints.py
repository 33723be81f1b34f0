"""A folder of weights that is cut off, lacks a tensor, or is of another network is refused by every model that reads one.

What the library does by itself: it fills the gaps with chance, warns, and goes on.
"""

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from backend.domain import ModelUnavailable
from backend.engine.context import load
from backend.models import MODELS
from backend.models.places import ModelPlace

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow

DAMAGES = ("another network's weights", "another network", "cut off", "without a tensor", "of another shape", "no weights")
"""The first two in `make test`, all with `--long`."""


def _tiny(module: str, kind: str, *arguments: Any, **more: Any) -> Callable[[Path], Any]:
    """What makes a checkpoint; imported when it is asked."""
    return lambda folder: getattr(import_module(f"tests.{module}"), kind)(folder, *arguments, **more)


MAKERS: Mapping[tuple[str, str], Callable[[Path], Any]] = {
    ("Captioner", "paper"): _tiny("backend.models.tiny_words", "qwen25_vl"),
    ("ClipB32", "paper"): _tiny("backend.models.tiny_vision", "save_clip"),
    ("ClipL14", "paper"): _tiny("backend.models.tiny_vision", "save_clip"),
    ("Detector", "paper"): _tiny("backend.models.tiny_grounding", "save_grounding_dino"),
    ("DinoV1", "paper"): _tiny("backend.models.tiny_vision", "save_dino", "vit"),
    ("DinoV2", "paper"): _tiny("backend.models.tiny_vision", "save_dino", "dinov2"),
    ("DinoV3", "paper"): _tiny("backend.models.tiny_vision", "save_dino", "dinov3_vit"),
    ("Gme", "paper"): _tiny("metrics.checkpoints_language", "qwen2_vl"),
    ("Judge", "local"): _tiny("metrics.checkpoints_language", "qwen2_vl", words=("0", "1", "2")),
    ("LevelReader", "paper"): _tiny("metrics.checkpoints_language", "qwen2_vl"),
    ("PhraseExtractor", "local"): _tiny("backend.models.tiny_words", "causal"),
    ("PoseEstimator", "vitpose"): _tiny("backend.models.test_pose_keypoints", "write_checkpoint"),
    ("ReferenceDetector", "owlv2"): _tiny("backend.models.tiny_grounding", "save_owl", "owlv2"),
    ("ReferenceDetector", "owlvit"): _tiny("backend.models.tiny_grounding", "save_owl", "owlvit"),
    ("SafetyFilter", "paper"): _tiny("backend.models.test_safety", "classifier"),
    ("Segmenter", "paper"): _tiny("backend.models.tiny_grounding", "save_sam2"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[str, str]], Path]:
    torch.set_num_threads(1)
    folders: dict[tuple[str, str], Path] = {}

    def folder_of(key: tuple[str, str]) -> Path:
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp("whole") / "weights"
            folders[key].mkdir()
            MAKERS[key](folders[key])
        return folders[key]

    return folder_of


@pytest.mark.parametrize("key", MAKERS, ids=" ".join)
def test_weights_that_are_not_whole_are_refused(
    made: Callable[[tuple[str, str]], Path], key: tuple[str, str], tmp_path: Path, long: bool
) -> None:
    role, name = key
    implementation: Any = load(MODELS[role][name])
    build = partial(implementation, device="cpu", dtype="float32")
    build(ModelPlace(role, str(made(key))))
    other = made(("Segmenter", "paper") if key != ("Segmenter", "paper") else ("Detector", "paper"))
    for number, damage in enumerate(DAMAGES if long else DAMAGES[:2]):
        folder = tmp_path / str(number)
        shutil.copytree(other if damage == "another network" else made(key), folder)
        harm(folder / "model.safetensors", damage, other / "model.safetensors")
        with pytest.raises(ModelUnavailable) as refused:
            build(ModelPlace(role, str(folder)))
        assert str(folder) in str(refused.value), damage
        assert "Traceback" not in str(refused.value), damage


def harm(weights: Path, damage: str, other: Path) -> None:
    from safetensors.torch import load_file, save_file

    if damage == "cut off":
        weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    elif damage in ("without a tensor", "of another shape"):
        state = load_file(weights)
        largest = max(state, key=lambda key: (state[key].ndim > 1, state[key].numel()))
        if damage == "without a tensor":
            del state[largest]
        else:
            state[largest] = state[largest][:-1].contiguous()
        save_file(state, weights, metadata={"format": "pt"})
    elif damage == "another network's weights":
        shutil.copy(other, weights)
    elif damage == "no weights":
        weights.unlink()
