"""Files that training keeps: a checkpoint and published weights of a tiny model."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save

from backend.store.artifacts import Artifacts
from tests.faults.kept_files import Kind
from training.checkpoint import Checkpoints, Progress, Trained
from training.config import TrainConfig, from_json, to_json
from training.data.shards import Kept, LatentCache
from training.ema import Ema
from training.loading import load_transformer
from training.model import S2VTransformer
from training.parallel import World, join_group
from training.publish import publish
from training.recipes import recipe


def world() -> World:
    rank, size, device = join_group()
    return World(rank=rank, size=size, device=device, data_rank=0, data_size=1, weights=None, context=None)


def trained(seed: int) -> Trained:
    torch.manual_seed(seed)
    model = S2VTransformer(
        num_attention_heads=2,
        attention_head_dim=24,
        text_dim=32,
        freq_dim=32,
        ffn_dim=64,
        num_layers=1,
        rope_max_seq_len=128,
    )
    optimizer = torch.optim.AdamW(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return Trained(model=model, optimizer=optimizer, ema=Ema(model, 0.5))


def make_checkpoint(folder: Path) -> None:
    checkpoints = Checkpoints(folder, world(), keep=1)
    checkpoints.save(trained(1), Progress(step=4, samples=9))
    checkpoints.finish()


def read_checkpoint(folder: Path) -> object:
    found = trained(2)
    progress = Checkpoints(folder, world(), keep=1).load(found, 4)
    assert found.ema is not None
    tensors = {**found.model.state_dict(), **{f"ema {name}": value for name, value in found.ema.average.items()}}
    return progress, {name: value.numpy().tobytes() for name, value in tensors.items()}


def careless_checkpoint(folder: Path) -> object:
    for path in folder.rglob("*.sha256"):
        path.unlink()
    return read_checkpoint(folder)


def make_published(folder: Path) -> None:
    publish(trained(1).model, None, TrainConfig(), world(), folder / "export")


def read_published(folder: Path) -> object:
    model = load_transformer(folder / "export")
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def careless_published(folder: Path) -> object:
    for path in folder.rglob("*.sha256"):
        path.unlink()
    return read_published(folder)


def make_latents(folder: Path) -> None:
    artifacts = Artifacts(folder.with_name(f"{folder.name} artifacts"))
    chance = np.random.default_rng(3)
    kept = [
        Kept("k", f"clip_{n}", artifacts.put(save({"video": chance.random((4, 3)), "audio": np.full(2, n)}), "st"))
        for n in range(6)
    ]
    folder.mkdir()
    LatentCache(folder).pack(kept, artifacts, shard_bytes=400)


def read_latents(folder: Path) -> object:
    cache = LatentCache(folder)
    entries = {n: cache.find("k", f"clip_{n}") for n in range(6)}
    tensors = {(n, name): cache.tensor("k", f"clip_{n}", name) for n in range(6) for name in ("video", "audio")}
    return (
        {n: entry and (entry.artifact, entry.shapes) for n, entry in entries.items()},
        {place: (found.dtype, found.shape, found.numpy().tobytes()) for place, found in tensors.items()},
    )


def careless_latents(folder: Path) -> object:
    """The index without its checksums, as earlier versions wrote it."""
    for path in (folder / "shards").glob("*.jsonl"):
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        kept = [{name: said for name, said in line.items() if name not in ("sha256", "line")} for line in lines]
        path.write_text("\n".join(map(json.dumps, kept)))
    return read_latents(folder)


def make_run(folder: Path) -> None:
    folder.mkdir()
    (folder / "config.json").write_text(to_json(recipe("tiny")))


def read_run(folder: Path) -> object:
    return from_json((folder / "config.json").read_bytes())


def careless_run(folder: Path) -> object:
    path = folder / "config.json"
    lines = path.read_text("latin-1").splitlines()
    path.write_text("\n".join(line for line in lines if '"checksum"' not in line).replace("},\n}", "}\n}"))
    return read_run(folder)


WEIGHTS: dict[str, Kind] = {
    "checkpoint": Kind(make_checkpoint, read_checkpoint, careless_checkpoint, "remove it to go on from the one before"),
    "published weights": Kind(
        make_published, read_published, careless_published, "export it again", "export/transformer/*"
    ),
    "latents": Kind(make_latents, read_latents, careless_latents, "delete the folder, and"),
    "config of a run": Kind(make_run, read_run, careless_run, r"put a copy|cannot be read|is not a setting|config\."),
}
