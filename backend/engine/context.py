"""What a stage may ask for while it works: the `Context` of workers."""

import importlib
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from backend.domain import (
    KEY_FRACTIONS,
    Clip,
    Footage,
    Holding,
    Item,
    MediaError,
    ModelUnavailable,
    Region,
    Source,
    Video,
    digest,
)
from backend.engine.frames import CachedReader, FrameCache
from backend.engine.heap import keep_heap
from backend.engine.holdings import HoldingLine
from backend.media.guarded_reader import FrameSource, GuardedReader
from backend.media.index import FrameIndex
from backend.models.call_wire import BoundModel
from backend.models.kept_answers import AnswerFolder
from backend.models.places import ModelPlace, model_id_of, place_of
from backend.models.remote_role import ModelAddress, ModelLine, remote_role
from backend.store.artifacts import Artifacts

OPEN_READERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """What a worker needs to know; travels to it by pickling."""

    artifacts: Path
    roles: Mapping[str, str]
    """Dotted path of the implementation bound to each role."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Where the weights of a role lie."""
    device: str = "auto"
    dtype: str = "float32"
    seed: int = 0
    footage_may_leave: bool = False
    """Whether endpoints beyond this machine may be asked."""
    service: ModelAddress | None = None
    """Where model workers answer that hold the models with weights; None to load them here."""
    holdings: str = ""
    """Path of the socket where holdings of other processes are asked; empty where there are none."""
    exchange: str = ""
    """Where artifacts come from and are left for the owner, by workers that do not see its folder; else they share that."""

    @property
    def answers(self) -> Path:
        """Where the project keeps what its models answered: beside the artifacts, in the same folder."""
        return self.artifacts.parent / "index" / "answers"

    def model_id(self, role: str) -> str:
        """What is bound to a role, with its weights, without loading it; empty for an unbound role."""
        return model_id_of(role, load(self.roles[role]), self.models) if role in self.roles else ""


class WorkContext:
    """`backend.domain.Context` over a project's artifacts. Holds open readers, decoded frames and loaded models.

    Models with weights are asked in the model worker where there is one: `alive` is called while an answer takes long,
    and `cancelled` ends the waiting with Interrupted.
    """

    def __init__(
        self, settings: WorkerSettings, *, cancelled: Event | None = None, alive: Callable[[], None] = lambda: None
    ) -> None:
        keep_heap()
        self.artifacts = artifacts_of(settings)
        self.answers = AnswerFolder(settings.answers)
        self._settings = settings
        self._readers: OrderedDict[str, CachedReader] = OrderedDict()
        self._cache = FrameCache()
        self._source = FrameSource()
        self._models: dict[str, object] = {}
        self._model_ids: dict[str, str] = {}
        self._alive = alive
        self._line: ModelLine | None = None
        self._held: dict[Holding, HoldingLine] = {}
        self.cancelled = cancelled

    def path(self, video: Video, item: Item) -> str:
        """The video's file. Raises MediaError when it has gone or changed since it was ingested."""
        source = item.one(Source)
        try:
            found = Path(source.uri).stat()
        except OSError as error:
            raise MediaError(
                f"{source.uri} is not there any more ({error.strerror}); put it back or ingest it again", kind="gone"
            ) from error
        if (found.st_size, found.st_mtime_ns) != (source.num_bytes, source.modified_ns):
            raise MediaError(f"{source.uri} changed since it was ingested; ingest it again", kind="changed")
        return source.uri

    def frames(self, item: Item) -> CachedReader:
        """Frames of the item's video, decoded at most once as long as the cache holds them."""
        video = item.one(Video)
        reader = self._readers.get(video.id)
        if reader is None:
            index = FrameIndex.from_bytes(self.artifacts.get(video.index))
            reader = CachedReader(video.id, GuardedReader(self.path(video, item), index, self._source), self._cache)
            self._readers[video.id] = reader
        self._readers.move_to_end(video.id)
        while len(self._readers) > OPEN_READERS:
            self._readers.popitem(last=False)[1].close()
        return reader

    def footage(self, item: Item) -> Footage:
        """Frames of the item's clip. Borders and overlays are those of gathered Regions, else none.

        The picture is what was cropped free of overlays, or else what is inside the borders.
        """
        video, clip = item.one(Video), item.one(Clip)
        content = (0.0, 0.0, float(video.width), float(video.height))
        regions = [region for region in item.all(Region) if region.clip_id == clip.id]
        for kind in ("content", "crop"):
            content = next((region.box for region in regions if region.kind == kind), content)
        overlays = tuple(region.box for region in regions if region.kind == "overlay")
        reader = self.frames(item)
        footage = Footage(video, clip, reader, content, overlays)
        reader.expect(range(clip.start_frame, clip.stop_frame), footage.fractions(KEY_FRACTIONS))
        return footage

    def role(self, name: str) -> object:
        """The implementation bound to a role, loaded once. Raises ModelUnavailable for an unbound role."""
        if name not in self._models:
            if name not in self._settings.roles:
                raise ModelUnavailable(
                    f"role {name} has no implementation in this profile; name one under [roles] in project.toml"
                )
            implementation = load(self._settings.roles[name])
            leave = self._settings.footage_may_leave
            place = place_of(name, implementation, self._settings.models, footage_may_leave=leave)
            if place is None:
                self._models[name] = implementation()
            elif self._settings.service is not None and place.is_held:
                self._models[name] = self._remote(name, implementation, place)
            else:
                self._models[name] = implementation(place, device=self._settings.device, dtype=self._settings.dtype)
        return self._models[name]

    def _remote(self, name: str, implementation: type, place: ModelPlace) -> object:
        assert self._settings.service is not None, "a model worker is asked where there is one"
        if self._line is None:
            self._line = ModelLine(self._settings.service, choice=os.getpid(), alive=self._alive)
        self._line.cancelled = self.cancelled
        model = BoundModel(name, self._settings.roles[name], place.location, self._settings.dtype)
        return remote_role(self._line, model, implementation)

    def model_id(self, name: str) -> str:
        """Names what is bound to a role and its weights, without loading it."""
        if name not in self._model_ids:
            self._model_ids[name] = self._settings.model_id(name)
        return self._model_ids[name]

    def held(self, holding: Holding) -> Callable[[Any], Any] | None:
        """A line to whoever holds it."""
        if not self._settings.holdings:
            return None
        line = self._held.get(holding)
        if line is None or not line.is_open:
            where = self._settings.holdings
            line = self._held[holding] = HoldingLine(where, holding, alive=self._alive, cancelled=self.cancelled)
        return line if line.is_held else None

    def rng(self, item_id: str) -> np.random.Generator:
        return np.random.default_rng(int(digest((self._settings.seed, item_id), num_bytes=8), 16))

    def close(self) -> None:
        """Closes every reader and the child that decodes for them, and the lines to the model worker and to holdings."""
        while self._readers:
            self._readers.popitem()[1].close()
        self._source.close()
        if self._line is not None:
            self._line.close()
        for line in self._held.values():
            line.close()


def has_weights(workers: WorkerSettings, role: str) -> bool:
    """Whether a role is bound to a model whose weights are named and are to be held on this machine."""
    if role not in workers.roles:
        return False
    place = place_of(role, load(workers.roles[role]), workers.models)
    return place is not None and place.is_held


def load(path: str) -> type:
    """The class or function at `package.module:Name`."""
    module, name = path.split(":")
    return getattr(importlib.import_module(module), name)


def artifacts_of(settings: WorkerSettings) -> Artifacts:
    """What a worker reads and puts, without waiting for the disk: the owner settles them before it commits."""
    if settings.exchange:
        from backend.engine.exchange import Exchange, ExchangedArtifacts  # which needs the extra `cluster`

        return ExchangedArtifacts(settings.artifacts, Exchange(settings.exchange))
    return Artifacts(settings.artifacts, durable=False)
