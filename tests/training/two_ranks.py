"""Run by `test_ranks`: two ranks make runs of several layouts one after another, each with the gradients of its first step.

Arguments: export, folder, and for each run a name and its settings joined by spaces, among them `stop_at=STEP` and `resume`. The ranks
are forked from a process that has imported torch once; where they meet comes from the environment.
"""

import multiprocessing
import os
import sys
import time
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import torch
from torch.distributed.tensor import DTensor
from torch.optim.optimizer import register_optimizer_step_pre_hook

from backend.store.checksums import list_files
from tests.training.made_run import trained
from training import checkpoint


def record(into: list) -> object:
    """From now on the first step's gradients of each optimizer, whole, in order of the weights."""
    seen: set[int] = set()

    def hook(optimizer: torch.optim.Optimizer, *_: object) -> None:
        if id(optimizer) not in seen:
            seen.add(id(optimizer))
            into.clear()
            into.extend(whole(p.grad) for group in optimizer.param_groups for p in group["params"])

    return register_optimizer_step_pre_hook(hook)


def whole(gradient: torch.Tensor | None) -> torch.Tensor | None:
    if isinstance(gradient, DTensor):
        return gradient.full_tensor()
    return None if gradient is None else gradient.clone()


def late(*listed: Any, **to: Any) -> None:
    """Checksums as they are written on a busy disk."""
    time.sleep(0.2)
    list_files(*listed, **to)


def work(rank: int) -> None:
    os.environ |= {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank)}
    if rank == 1:
        checkpoint.list_files = late  # a checkpoint may not have its name before every rank has listed its part
    export, folder = Path(sys.argv[1]), Path(sys.argv[2])
    for told in sys.argv[3:]:
        name, *settings = told.split(" ")
        gradients: list = []
        handle = record(gradients)
        stop_at = next((int(each.removeprefix("stop_at=")) for each in settings if each.startswith("stop_at=")), 0)
        kept = [each for each in settings if each != "resume" and not each.startswith("stop_at=")]
        trained(export, folder / name, *kept, resume="resume" in settings, stop_at=stop_at)
        handle.remove()  # pyright: ignore[reportAttributeAccessIssue]
        if rank == 0:
            torch.save(gradients, folder / f"{name}.pt")


def main() -> None:
    torch.set_num_threads(1)
    ranks = [multiprocessing.get_context("fork").Process(target=work, args=(rank,), daemon=True) for rank in range(2)]
    for each in ranks:
        each.start()
    wait([each.sentinel for each in ranks])
    for each in ranks if not any(each.exitcode for each in ranks) else ():  # the other would wait for one that failed
        each.join()
    sys.exit(int(any(each.exitcode for each in ranks)))


if __name__ == "__main__":
    main()
