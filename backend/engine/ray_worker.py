"""An actor's life on a node of a Ray cluster: batches in, fragments out.

It never works itself: that is done by a `Process` crew of one, a child of the actor. So a batch that crashes or hangs takes the child with it and
not the actor, is bisected there, and its culprit ends as it would without a cluster, with signal and stderr.
"""

import importlib
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from backend.domain import Holding
from backend.engine.chain import Feed
from backend.engine.context import WorkerSettings
from backend.engine.crew_folder import CrewFolder
from backend.engine.crews import Process
from backend.engine.exchange import Exchange, ExchangedArtifacts
from backend.engine.holdings import HoldingRelay
from backend.engine.ray_node import objection
from backend.engine.ray_questions import Questions
from backend.engine.work import Batch

Answer = list[tuple[tuple[int, ...], str]]
"""Fragments of a batch: positions of the items that each is about, and its name. Several when the batch was bisected."""


class RayWorker:
    """The actor. Where the settings name an exchange, artifacts come from there and go there; else their folder is shared."""

    def __init__(self, settings: WorkerSettings, exchange: str, seconds_per_item: float) -> None:
        sys.modules["__main__"].__file__ = None  # else the child would run Ray's own start-up as its main module
        os.environ.pop("RAY_AUTH_TOKEN", None)  # what works on footage has no business with the cluster
        if settings.device.startswith("cuda:"):
            settings = replace(settings, device="cuda")  # the one that Ray assigned; no other is seen
        self._exchange = Exchange(exchange)
        self._artifacts: ExchangedArtifacts | None = None
        if settings.exchange:
            self._folder = CrewFolder(Path(tempfile.gettempdir()))
            settings = replace(settings, artifacts=self._folder.path / "artifacts")
            self._artifacts = ExchangedArtifacts(settings.artifacts, self._exchange)
        self._questions = Questions()
        self._relay = HoldingRelay(self._questions.__contains__, self._questions)
        settings = replace(settings, holdings=self._relay.path)
        self._crew = Process(settings, num_workers=1, seconds_per_item=seconds_per_item)

    def check(self, word: str, code: str) -> tuple[str, str]:
        """The node's id, and why it cannot work for the owner that signed with `word` and runs the code of this digest; empty
        when it can."""
        return importlib.import_module("ray").get_runtime_context().get_node_id(), objection(self._exchange, word, code)

    def work(self, batch: Batch, keepers: Mapping[Holding, Any]) -> Answer:
        """Works on a batch and leaves what it gave in the exchange. `keepers` are the actors that hold what its stage asks."""
        self._questions.learn(keepers)
        positions = {item.id: n for n, item in enumerate(batch.items)}
        answer: Answer = []
        for part, outcome in self._crew.work(Feed(iter([batch])), Event()):
            artifacts = self._artifacts.leave() if self._artifacts is not None else []
            fragment = self._exchange.put(part, outcome, artifacts)
            answer.append((tuple(positions[item.id] for item in part.items), fragment))
        return answer
