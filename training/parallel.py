"""Ranks and what they share: the meshes, and a model laid out over them.

Rank = (replica * shard + s) * context + c. Ranks of one context share a sequence; weights are sharded over shard x context and
repeated over replicas. A single rank in float32 is left plain.
"""

import datetime
import os
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import HashStore
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

from backend.domain import SettingsError
from training.config import Parallel
from training.context_parallel import UlyssesProcessor, UlyssesSharding
from training.model import S2VTransformer

WAIT = datetime.timedelta(
    days=2
)  # for the first rank, while it encodes; a hang of training itself is the cluster's to notice
RECOMPILES = 64  # of one block: a shape of the batch each
_KEPT = (
    "_scaled_dot_product",
    "all_to_all",
)  # what selective checkpointing never computes again, besides every other product


@dataclass(frozen=True, slots=True)
class World:
    """This rank's place. `data_rank` of `data_size` reads its own batches; ranks of one context read the same."""

    rank: int
    size: int
    device: torch.device
    data_rank: int
    data_size: int
    weights: DeviceMesh | None
    """Over which weights are sharded; None for a single plain rank."""
    context: dist.ProcessGroup | None
    """Of the ranks that share a sequence; None for one alone."""

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def summed(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all ranks of a float64 tensor on the CPU."""
        found = values.to(self.device)
        if self.size > 1:
            dist.all_reduce(found)
        return found.cpu()

    def barrier(self) -> None:
        """Waits for all."""
        if self.size > 1:
            self.summed(torch.zeros(1, dtype=torch.float64))


def join_group() -> tuple[int, int, torch.device]:
    """Rank, number of ranks and device of this process, as torchrun says; one rank without it. A group is made where none is."""
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
            dist.init_process_group(backend, timeout=WAIT)
        else:
            dist.init_process_group(backend, store=HashStore(), rank=0, world_size=1)
    return dist.get_rank(), dist.get_world_size(), device


def make_world(parallel: Parallel) -> World:
    """The meshes. Raises SettingsError where the sizes do not give the number of ranks."""
    rank, size, device = join_group()
    shard = parallel.shard or size // (parallel.replicate * parallel.context)
    if parallel.replicate * shard * parallel.context != size:
        raise SettingsError(
            f"parallel.replicate {parallel.replicate} x shard {shard} x context {parallel.context} is not the number of ranks, {size}; "
            "change them, or start another number of processes"
        )
    weights = None
    if size > 1 or parallel.dtype != "float32":
        shape, names = (shard * parallel.context,), ("shard",)
        if parallel.replicate > 1:
            shape, names = (parallel.replicate, *shape), ("replicate", *names)
        weights = init_device_mesh(device.type, shape, mesh_dim_names=names)
    context = None
    if parallel.context > 1:
        both = init_device_mesh(
            device.type, (size // parallel.context, parallel.context), mesh_dim_names=("data", "context")
        )
        context = both.get_group("context")
    return World(rank, size, device, rank // parallel.context, size // parallel.context, weights, context)


def parallelize(model: S2VTransformer, world: World, parallel: Parallel) -> S2VTransformer:
    """The model on its device: shared sequence, recomputation, compilation, sharded weights, in this order."""
    if world.context is not None:
        heads = model.config["num_attention_heads"]
        if heads % parallel.context:
            raise SettingsError(f"parallel.context {parallel.context} does not divide the model's {heads} heads")
        sharding = UlyssesSharding(world.context)
        model.sharding = sharding
        for block in model.blocks:
            part: Any = block
            part.attn1.set_processor(UlyssesProcessor(sharding))
    module: Any = model
    module.to(world.device)
    for block in model.blocks:
        if parallel.checkpointing != "none":
            block.forward = _recomputed(block.forward, selective=parallel.checkpointing == "selective")
        if parallel.compile:
            torch._dynamo.config.recompile_limit = RECOMPILES
            block.forward = torch.compile(block.forward)
    if world.weights is not None:
        dtype = getattr(torch, parallel.dtype)
        policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False)
        for block in model.blocks:
            fully_shard(block, mesh=world.weights, mp_policy=policy)
        fully_shard(model, mesh=world.weights, mp_policy=policy)
    return model


def _recomputed(forward: Any, *, selective: bool) -> Any:
    if not selective:
        return partial(checkpoint, forward, use_reentrant=False)
    return partial(checkpoint, forward, use_reentrant=False, context_fn=_selective)


def _selective() -> Any:
    """Attention and communication are kept, and every other matrix product; the rest is cheap (torchtitan's policy)."""
    products = {"forward": 0, "recompute": 0}

    def decide(about: Any, operation: Any, *_: Any, **__: Any) -> CheckpointPolicy:
        name = str(operation)
        if any(kept in name for kept in _KEPT):
            return CheckpointPolicy.MUST_SAVE
        if operation in (torch.ops.aten.mm.default, torch.ops.aten.addmm.default):
            phase = "recompute" if about.is_recompute else "forward"
            products[phase] += 1
            if products[phase] % 2:
                return CheckpointPolicy.MUST_SAVE
        return CheckpointPolicy.PREFER_RECOMPUTE

    return create_selective_checkpoint_contexts(decide)
