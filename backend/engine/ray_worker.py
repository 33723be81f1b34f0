"""An actor's life on a node of a Ray cluster: batches in, fragments out.

It never works itself: that is done by a `Process` crew of one, a child of the actor. So a batch that crashes or hangs takes the child with it and
not the actor, is bisected there, and its culprit ends as it would without a cluster, with signal and stderr.
"""

import hashlib
import importlib
import os
import sys
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from threading import Event

from backend.engine.chain import Feed
from backend.engine.context import WorkerSettings
from backend.engine.crew_folder import CrewFolder
from backend.engine.crews import Process
from backend.engine.exchange import Exchange, ExchangedArtifacts
from backend.engine.work import Batch

PACKAGES = ("backend", "metrics", "training")
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
        self._crew = Process(settings, num_workers=1, seconds_per_item=seconds_per_item)

    def check(self, word: str, code: str) -> tuple[str, str]:
        """The node's id, and why it cannot work for the owner that signed with `word` and runs the code of this digest; empty
        when it can."""
        return importlib.import_module("ray").get_runtime_context().get_node_id(), self._objection(word, code)

    def work(self, batch: Batch) -> Answer:
        """Works on a batch and leaves what it gave in the exchange."""
        positions = {item.id: n for n, item in enumerate(batch.items)}
        answer: Answer = []
        for part, outcome in self._crew.work(Feed(iter([batch])), Event()):
            artifacts = self._artifacts.leave() if self._artifacts is not None else []
            fragment = self._exchange.put(part, outcome, artifacts)
            answer.append((tuple(positions[item.id] for item in part.items), fragment))
        return answer

    def _objection(self, word: str, code: str) -> str:
        if code_digest() != code:
            return f"runs another version of Subject Studio (in {Path(__file__).parents[2]}); install the owner's there"
        if not self._exchange.is_signed(word):
            return (
                f"does not see {self._exchange.url} as the owner does; share the project's folder under the same path with "
                "every node, or name a folder or object store that all of them reach as ray_store"
            )
        return ""


@cache
def code_digest() -> str:
    """Of the source files that decide what stages give: equal on every node, or results would depend on where they were made."""
    root, hasher = Path(__file__).parents[2], hashlib.blake2b(digest_size=16)
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
        hasher.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return hasher.hexdigest()
