"""A keeper that dies of each question, asked as a worker's actor does: `python deadly.py ADDRESS FOLDER`; says how that ended."""

import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain import ArtifactStore, HoldingLost, Item
from backend.engine.context import WorkerSettings
from backend.engine.exchange import Exchange
from backend.engine.ray_keeper import Keepers
from backend.engine.ray_node import code_digest
from backend.engine.ray_questions import ask_keeper
from backend.engine.work import Batch
from backend.stages.bank_pairs import PairAcross
from backend.store.artifacts import Artifacts


@dataclass(frozen=True)
class Deadly:
    """Writes down its process and dies."""

    log: str
    name: str = "the deadly one"
    ram_gib: float = 0.1

    def open(self, artifacts: ArtifactStore) -> Callable[[Any], Any]:
        def answer(asked: Any) -> None:
            with open(self.log, "a", encoding="utf-8") as file:
                file.write(f"{os.getpid()}\n")
            os.kill(os.getpid(), signal.SIGKILL)

        return answer


@dataclass(frozen=True, slots=True)
class AskDeadly(PairAcross):
    log: str = ""

    def holdings(self, items: Sequence[Item], artifacts: ArtifactStore) -> list[Any]:
        return [Deadly(self.log)]


def main(address: str, folder: Path) -> None:
    ray = importlib.import_module("ray")
    ray.init(address=address, log_to_driver=False, configure_logging=False)
    settings, exchange = WorkerSettings(artifacts=folder / "artifacts", roles={}), Exchange(str(folder / "exchange"))
    told = settings, exchange.url, exchange.sign(), code_digest()
    keepers = Keepers(ray, Artifacts(settings.artifacts), told, lambda keeper, reference: None)
    batch = Batch(stage=AskDeadly(log=str(folder / "log")), items=(), work_keys=())
    ((holding, handle),) = keepers.of(batch).items()
    try:
        ask_keeper(handle, holding, "anything", lambda: None)
    except HoldingLost as error:
        sys.stdout.write(str(error))
    keepers.close()
    ray.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
