"""Getting the features that metrics ask for: kept ones from the store, the rest with one decode of the video."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from backend.domain import Absent, MediaError, ModelUnavailable, StudioError, digest
from backend.media.guard import guarded_index
from backend.media.guarded_reader import GuardedReader
from backend.media.index import FrameIndex
from metrics.spec import (
    Arrays,
    CaseFeature,
    Collector,
    Entry,
    Feature,
    FileFeature,
    Found,
    Roles,
    VideoFacts,
    VideoFeature,
    View,
)
from metrics.store import FeatureStore

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Planner:
    """Computes features of entries. `model_id` names what is bound to a role, without loading it.

    `anew` takes none from the store: each is computed, and kept in the place of what was there.
    """

    store: FeatureStore
    roles: Roles
    model_id: Callable[[str], str]
    anew: bool = False
    decodes: int = 0
    """How many times a video was decoded so far."""
    _memory: dict[str, Found | Exception] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    _keys: dict[Feature, str] = field(default_factory=dict)
    _entry: Entry | None = None

    def features(self, entry: Entry, wanted: Sequence[Feature], beside: Iterable[Feature] = ()) -> list[Found]:
        """The wanted features. When the video must be decoded, the features `beside` are computed along with them.

        What a person can mend (a model that is missing, a file that is broken) gives Absent; anything else that a
        wanted feature raises is raised. A failure of one feature never touches another.
        """
        if entry != self._entry:
            self._memory, self._keys, self._entry = {}, {}, entry
        left = [feature for feature in _closure(wanted) if self._kept(feature, entry) is None]
        if any(isinstance(feature, VideoFeature) for feature in left):
            left += [f for f in _closure(beside) if f not in left and self._kept(f, entry) is None]
        while left:
            ready = [f for f in left if all(self._kept(needed, entry) is not None for needed in f.inputs.values())]
            assert ready, "features ask for each other in a circle"
            done = [feature for feature in ready if not isinstance(feature, VideoFeature)]
            for feature in done:
                self._keep(feature, entry, _attempt(lambda f=feature: self._computed(f, entry)))
            if not done:  # only then, so that what waits for references or sound shares the decode
                self._watch(entry, [feature for feature in ready if isinstance(feature, VideoFeature)])
                done = ready
            left = [feature for feature in left if feature not in done]
        return [self._found(feature, entry) for feature in wanted]

    def took(self, entry: Entry, wanted: Sequence[Feature]) -> bool:
        """Whether one of the wanted features of the entry, or of those that they need, came from the store."""
        return any(self.key(feature, entry) in self._taken for feature in _closure(wanted))

    def key(self, feature: Feature, entry: Entry) -> str:
        """Names a feature of an entry by all that decides its value."""
        inputs = {name: self.key(needed, entry) for name, needed in feature.inputs.items()}
        models = {role: self.model_id(role) for role in feature.roles}
        return digest((feature.name, feature, feature.version, models, _content(feature.of, entry), inputs))

    def _kept(self, feature: Feature, entry: Entry) -> Found | Exception | None:
        key = self._key(feature, entry)
        if key not in self._memory and not self.anew and (found := self.store.get(key)) is not None:
            self._memory[key] = found
            self._taken.add(key)
        return self._memory.get(key)

    def _key(self, feature: Feature, entry: Entry) -> str:
        if feature not in self._keys:
            self._keys[feature] = self.key(feature, entry)
        return self._keys[feature]

    def _found(self, feature: Feature, entry: Entry) -> Found:
        found = self._kept(feature, entry)
        if isinstance(found, Exception):
            raise found
        assert found is not None, f"feature {feature.name} was not computed"
        return found

    def _keep(self, feature: Feature, entry: Entry, found: Found | Exception) -> None:
        """Failures, and what was made without something that failed, are remembered for this entry only."""
        key = self._key(feature, entry)
        if isinstance(found, StudioError):
            found = Absent(f"{_state(found)}: {found}")
        elif not isinstance(found, Exception) and not any(_is_passing(given) for given in self._given(feature, entry)):
            self.store.put(key, found)
        self._memory[key] = found

    def _given(self, feature: Feature, entry: Entry) -> Iterator[Found | Exception | None]:
        return (self._kept(needed, entry) for needed in feature.inputs.values())

    def _computed(self, feature: Feature, entry: Entry) -> Found:
        given = self._inputs(feature, entry)
        if isinstance(feature, CaseFeature):
            return feature.compute(entry.case, self.roles, given)
        assert isinstance(feature, FileFeature), f"{feature.name} is no kind of feature"
        return feature.read(entry, self.roles, given)

    def _inputs(self, feature: Feature, entry: Entry) -> Mapping[str, Found]:
        return {name: self._found(needed, entry) for name, needed in feature.inputs.items()}

    def _watch(self, entry: Entry, features: Sequence[VideoFeature]) -> None:
        """Decodes the video once and shows each collector the frames it wants."""
        if not features:
            return
        try:
            with GuardedReader(entry.generation.path, self._index(entry)) as reader:
                groups = [_Group(members, reader) for members in _grouped(features)]
                for group in groups:
                    group.start(entry, self.roles, lambda first=group.members[0]: self._inputs(first, entry))
                self.decodes += 1
                for index, frame in _frames(reader, sorted({i for group in groups for i in group.wanted})):
                    views: dict[View, np.ndarray] = {}
                    for group in groups:
                        group.show(index, frame, views)
                for group in groups:
                    for feature, found in group.results():
                        self._keep(feature, entry, found)
        except MediaError as error:
            for feature in features:
                self._keep(feature, entry, error)

    def _index(self, entry: Entry) -> FrameIndex:
        """Where the video's frames lie, read once for each content."""
        key = digest(("frame_index", entry.generation.content_hash))
        kept = self.store.get(key)
        if isinstance(kept, dict):
            return FrameIndex.from_bytes(kept["index"].tobytes())
        index = guarded_index(entry.generation.path)
        self.store.put(key, {"index": np.frombuffer(index.to_bytes(), np.uint8)})
        return index


class _Group:
    """Features that one collector serves: equal but for their frames. A single feature is a group of its own."""

    def __init__(self, members: Sequence[VideoFeature], reader: GuardedReader) -> None:
        self.members = members
        fps = reader.index.fps
        self._indices = {feature: feature.frames.indices(reader.num_frames, fps) for feature in members}
        self.wanted = tuple(sorted({i for indices in self._indices.values() for i in indices}))
        self._due = frozenset(self.wanted)
        self._facts = VideoFacts(reader.name, reader.num_frames, fps, reader.width, reader.height, self.wanted)
        self._collector: Collector | Exception | None = None

    def start(self, entry: Entry, roles: Roles, given: Callable[[], Mapping[str, Found]]) -> None:
        self._collector = _attempt(lambda: self.members[0].begin(self._facts, entry, roles, given()))

    def show(self, index: int, frame: np.ndarray, views: dict[View, np.ndarray]) -> None:
        """Shows the frame, or the view of it, which is taken from `views` or put there for the others."""
        collector = self._collector
        if index in self._due and not isinstance(collector, Exception) and collector is not None:
            failed = _attempt(lambda: collector.add(index, self._seen(frame, views)))
            if isinstance(failed, Exception):
                self._collector = failed

    def _seen(self, frame: np.ndarray, views: dict[View, np.ndarray]) -> np.ndarray:
        view = self.members[0].view
        if view is None:
            return frame
        if view not in views:
            views[view] = view(frame)
        return views[view]

    def results(self) -> Iterator[tuple[Feature, Found | Exception]]:
        collector = self._collector
        assert collector is not None, "started before it is asked for results"
        found = collector if isinstance(collector, Exception) else _attempt(collector.finish)
        for feature in self.members:
            yield feature, self._cut(feature, found) if isinstance(found, dict) else found

    def _cut(self, feature: VideoFeature, found: Arrays) -> Arrays:
        """The rows of a feature's own frames, where several features may be served together."""
        if not feature.per_frame:
            return found
        rows = np.searchsorted(self.wanted, self._indices[feature])
        return {name: values[rows] for name, values in found.items()} | {
            "frame": np.array(self._indices[feature], np.int64)
        }


def _frames(reader: GuardedReader, wanted: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Wanted frames in order. Raises MediaError where one is lost."""
    seen = 0
    for index, _, frame in reader.at_sizes(dict.fromkeys(wanted, (None,))):
        if index != wanted[seen]:
            break
        seen += 1
        yield index, frame
    if seen < len(wanted):
        raise MediaError(f"{reader.name}: frame {wanted[seen]} cannot be decoded; make the video again", kind="damaged")


def _state(error: StudioError) -> str:
    if isinstance(error, ModelUnavailable):
        return "over budget" if error.kind == "budget" else "unavailable"
    return "failed"


def _is_passing(found: Found | Exception | None) -> bool:
    """Whether it may be otherwise the next time: a model that is missing now, a file that could not be read."""
    return isinstance(found, Absent) and found.reason.startswith(("unavailable", "over budget", "failed"))


def _attempt(work: Callable[[], T]) -> T | Exception:
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - the pipeline item: what failed is told to who asks for it, the rest goes on
        return error


def _grouped(features: Sequence[VideoFeature]) -> list[list[VideoFeature]]:
    groups: dict[object, list[VideoFeature]] = {}
    for feature in features:
        alike = dataclasses.replace(feature, frames=None) if feature.per_frame else feature  # pyright: ignore[reportArgumentType, reportCallIssue]
        groups.setdefault((type(feature), alike), []).append(feature)
    return list(groups.values())


def _closure(features: Iterable[Feature]) -> list[Feature]:
    """The features and all that they need, each once, what is needed first."""
    found: dict[Feature, None] = {}
    for feature in features:
        for needed in _closure(feature.inputs.values()):
            found[needed] = None
        found[feature] = None
    return list(found)


def _content(of: str, entry: Entry) -> tuple:
    case, generation = entry.case, entry.generation
    parts = {
        "video": generation.content_hash,
        "references": (case.hashes, case.labels, case.kinds),
        "prompt": (case.prompt, case.language),
        "audio": case.audio_hash,
    }
    return tuple(parts[name] for name in of.split("+"))
