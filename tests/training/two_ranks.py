"""Run in two processes by `test_ranks`: runs of several layouts one after another, each with the gradients of its first step.

Arguments: export, folder, and for each run a name and its settings joined by spaces; `RANK` and the rest come from the environment.
"""

import sys
from pathlib import Path

import torch
from torch.distributed.tensor import DTensor
from torch.optim.optimizer import register_optimizer_step_pre_hook

from tests.training.made_run import trained


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


def main() -> None:
    torch.set_num_threads(1)
    export, folder = Path(sys.argv[1]), Path(sys.argv[2])
    for told in sys.argv[3:]:
        name, *settings = told.split(" ")
        gradients: list = []
        handle = record(gradients)
        trained(export, folder / name, *settings)
        handle.remove()  # pyright: ignore[reportAttributeAccessIssue]
        if torch.distributed.get_rank() == 0:
            torch.save(gradients, folder / f"{name}.pt")


if __name__ == "__main__":
    main()
