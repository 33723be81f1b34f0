"""Files that come with models and create another file when they are run: `ran` in their folder."""

import io
import json
import pickle
import pkgutil
import runpy
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.numpy import save_file

from backend.domain import ModelUnavailable
from backend.models import gvhmr_results
from backend.models.devices import transformers_for
from backend.models.loading import loaded
from backend.models.plain_configs import check_targets, literals_of
from backend.models.reward_weights import read_state
from backend.models.sam2_package import PARTS
from backend.models.scripts import load_script
from backend.models.states import load_state

RAN = "ran"
Read = Callable[[Path], object]


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


def bert_config(folder: Path, **more: Any) -> None:
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 10}
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **sizes, **more}))


def write_state(folder: Path) -> None:
    torch.save({"weight": torch.ones(2), "more": Trap(folder / RAN)}, folder / "weights.pth")


def write_plain_pickle(folder: Path) -> None:
    (folder / "weights.pth").write_bytes(pickle.dumps(Trap(folder / RAN)))


def write_named_safetensors(folder: Path) -> None:
    write_plain_pickle(folder)
    (folder / "weights.pth").rename(folder / "weights.safetensors")


def write_reward(folder: Path) -> None:
    torch.save({"weight": Trap(folder / RAN)}, folder / "model.pth")


def write_transformers_pickle(folder: Path) -> None:
    bert_config(folder)
    torch.save({"embeddings.word_embeddings.weight": Trap(folder / RAN)}, folder / "pytorch_model.bin")


def write_own_code(folder: Path) -> None:
    """A model that brings a program, as repositories with `trust_remote_code` do."""
    names = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}
    (folder / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": names}))
    (folder / "own.py").write_text(
        f"from pathlib import Path\nPath({str(folder / RAN)!r}).touch()\n"
        "from transformers import PretrainedConfig, PreTrainedModel\n"
        "class OwnConfig(PretrainedConfig):\n    model_type = 'own'\n"
        "class OwnModel(PreTrainedModel):\n    config_class = OwnConfig\n"
    )
    save_file({"weight": np.zeros(1, np.float32)}, folder / "model.safetensors", metadata={"format": "pt"})


def write_python_config(folder: Path) -> None:
    line = f"hidden_dim = 256\nnheads = __import__('pathlib').Path({str(folder / RAN)!r}).touch()\n"
    (folder / "config.py").write_text(line)


def write_python_statement(folder: Path) -> None:
    (folder / "config.py").write_text(f"from pathlib import Path\nPath({str(folder / RAN)!r}).touch()\n")


def write_python_class(folder: Path) -> None:
    (folder / "config.py").write_text(
        f"class Config:\n    from pathlib import Path\n    Path({str(folder / RAN)!r}).touch()\n"
    )


def write_yaml_target(folder: Path) -> None:
    config = {"model": {"_target_": "os.system", "command": f"touch {folder / RAN}"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def write_yaml_detour(folder: Path) -> None:
    """Nested in a list, and through a module of the package itself."""
    call = {"_target_": "sam2.build_sam.os.system", "command": f"touch {folder / RAN}"}
    config = {"model": {"_target_": "sam2.modeling.sam2_base.SAM2Base", "image_encoder": [{"trunk": call}]}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


class SavesWhatItSees(torch.nn.Module):
    """A network that writes a file when it is asked."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.ops.aten.save(x, self.path)
        return x


def write_script(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.script(SavesWhatItSees(str(folder / RAN))).save(str(folder / "network.pt"))


def run_script(folder: Path) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return torch.jit.load(str(folder / "network.pt"))(torch.zeros(1))


def write_object_array(folder: Path) -> None:
    np.save(folder / "array.npy", np.array([Trap(folder / RAN)], object), allow_pickle=True)


def write_object_archive(folder: Path) -> None:
    data = io.BytesIO()
    np.save(data, np.array([Trap(folder / RAN)], object), allow_pickle=True)
    with zipfile.ZipFile(folder / "array.npz", "w") as archive:
        archive.writestr("global_orient.npy", data.getvalue())


def read_model(folder: Path) -> object:
    return loaded(transformers_for("a test").AutoModel, folder, what="a model", device="cpu", dtype="float32")


def read_yaml(folder: Path) -> object:
    path = folder / "config.yaml"
    return check_targets(yaml.safe_load(path.read_text()), PARTS, path)


def read_array(folder: Path) -> object:
    try:
        return np.load(folder / "array.npy", allow_pickle=False)
    except ValueError as error:
        raise ModelUnavailable(str(error)) from error


def run_pickle(folder: Path) -> object:
    (path,) = (path for path in folder.iterdir() if path.suffix in (".pth", ".bin", ".safetensors"))
    if zipfile.is_zipfile(path):
        return torch.load(path, weights_only=False)
    return pickle.loads(path.read_bytes())  # noqa: S301, what a careless reader does


def run_own_code(folder: Path) -> object:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, trust_remote_code=True)


def run_python(folder: Path) -> object:
    return runpy.run_path(str(folder / "config.py"))


def run_yaml(folder: Path) -> object:
    """As hydra, which looks any dotted name up and calls it with what stands beside."""
    found = yaml.safe_load((folder / "config.yaml").read_text())["model"]
    found = found["image_encoder"][0]["trunk"] if "image_encoder" in found else found
    named = found["_target_"].removeprefix("sam2.build_sam.")  # the package need not be here: it imports os
    return pkgutil.resolve_name(named)(found["command"])


def run_array(folder: Path) -> object:
    (path,) = folder.glob("array.*")
    found = np.load(path, allow_pickle=True)
    return found["global_orient"] if path.suffix == ".npz" else found


@dataclass(frozen=True)
class Bait:
    """How a file is written, how the product reads it, and how it would be read by somebody careless."""

    write: Read
    read: Read
    run: Read


BAITS = {
    "state dict": Bait(write_state, lambda folder: load_state(folder / "weights.pth"), run_pickle),
    "plain pickle": Bait(write_plain_pickle, lambda folder: load_state(folder / "weights.pth"), run_pickle),
    "named safetensors": Bait(
        write_named_safetensors, lambda folder: load_state(folder / "weights.safetensors"), run_pickle
    ),
    "reward": Bait(write_reward, read_state, run_pickle),
    "results of GVHMR": Bait(write_reward, lambda folder: gvhmr_results._pt(folder / "model.pth"), run_pickle),
    "transformers": Bait(write_transformers_pickle, read_model, run_pickle),
    "a model's own code": Bait(write_own_code, read_model, run_own_code),
    "config, a call": Bait(write_python_config, lambda folder: literals_of(folder / "config.py"), run_python),
    "config, a statement": Bait(write_python_statement, lambda folder: literals_of(folder / "config.py"), run_python),
    "config, a class": Bait(write_python_class, lambda folder: literals_of(folder / "config.py"), run_python),
    "yaml": Bait(write_yaml_target, read_yaml, run_yaml),
    "yaml, a detour": Bait(write_yaml_detour, read_yaml, run_yaml),
    "TorchScript": Bait(write_script, lambda folder: load_script(folder / "network.pt", device="cpu"), run_script),
    "object array": Bait(write_object_array, read_array, run_array),
    "object archive": Bait(write_object_archive, lambda folder: gvhmr_results._npz(folder / "array.npz"), run_array),
}
