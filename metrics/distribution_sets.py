"""FID and FVD of systems: the features that rows hold as evidence, as sets, against one set of real videos."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from backend.domain import Absent, Case, Generation, ImportRefused, digest
from backend.domain.ranking import SetDistance
from backend.engine.context import WorkerSettings
from backend.media.listing import scan
from metrics.benchmark import VIDEO_SUFFIXES
from metrics.distribution import Ddof, FeatureSet, Moments, set_distance
from metrics.distribution_features import FidFeatures, FvdFeatures
from metrics.store import FeatureStore

REAL = "real"
"""The system of real videos, and the first folder of their benchmark: `/` stands in no name of a cases file."""
FEW_LINES = 5  # remarks of one set


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """A distance of sets, and the metric whose rows hold what it rests on."""

    id: str
    title: str
    metric: FidFeatures | FvdFeatures
    ddof: Ddof

    @property
    def role(self) -> str:
        (feature,) = self.metric.features.values()
        return feature.roles[0]


DISTANCES = (
    Distance(id="fid", title="FID", metric=FidFeatures(), ddof=1),  # pytorch-fid and torchmetrics divide by n - 1
    Distance(id="fvd", title="FVD", metric=FvdFeatures(), ddof=0),  # cd-fvd by n
)


class Row(Protocol):
    """One metric of one video, as `backend.api.EvaluationRow`."""

    @property
    def case_id(self) -> str: ...
    @property
    def benchmark(self) -> str: ...
    @property
    def system(self) -> str: ...
    @property
    def metric(self) -> str: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def evidence(self) -> str | None: ...


Read = Callable[[str], Mapping[str, np.ndarray]]
"""The arrays of an artifact."""


@dataclass(frozen=True, slots=True)
class RealList:
    """Real videos as generations of the system `real`, each answering a case of its own, and what is odd."""

    cases: tuple[Case, ...]
    generations: tuple[Generation, ...]
    remarks: tuple[str, ...]


def real_videos(folder: Path) -> RealList:
    """The videos below a folder, each content once. Their names and contents name the benchmark that they are.

    Raises ImportRefused when the folder is none or holds none.
    """
    if not folder.is_dir():
        raise ImportRefused(f"{folder} is not a folder; --real names the folder that holds real videos")
    files, odd = scan([folder])
    remarks, contents = list(odd), {}
    for path in files:
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            continue
        try:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()  # pyright: ignore[reportArgumentType]
        except OSError as error:
            remarks.append(f"real video {path.name} cannot be read ({error.strerror}); it is left out")
            continue
        if content in contents:
            remarks.append(f"real video {path.name} is a copy of {contents[content].name}; it counts once")
            continue
        contents[content] = path
    if not contents:
        raise ImportRefused(f"{folder} holds no real video; a name ends in {', '.join(sorted(VIDEO_SUFFIXES))}")
    names = {content: path.relative_to(folder.absolute()).as_posix() for content, path in contents.items()}
    benchmark = f"{REAL}/{digest(('real_set', sorted(names.items())), num_bytes=8)}"
    cases = {content: Case(benchmark=benchmark, name=name, prompt="") for content, name in names.items()}
    generations = tuple(
        Generation(
            case_id=case.id,
            system=REAL,
            seed=0,
            path=str(contents[content].resolve()),
            content_hash=content,
            num_bytes=contents[content].stat().st_size,
        )
        for content, case in cases.items()
    )
    return RealList(tuple(cases.values()), generations, tuple(remarks))


def set_metrics(names: Sequence[str], workers: WorkerSettings, *, real: bool) -> tuple[str, ...]:
    """Those of the named metrics whose features make sets; with `real` and none among them, all whose role is bound."""
    own = tuple(one.metric.id for one in DISTANCES if one.metric.id in names)
    return own or tuple(one.metric.id for one in DISTANCES if real and one.role in workers.roles)


def set_distances(
    rows: Iterable[Row],
    real: Sequence[Row],
    *,
    systems: Sequence[tuple[str, str]],
    folder: str,
    has_real: bool,
    workers: WorkerSettings,
    read: Read,
    store: Path,
) -> tuple[SetDistance, ...]:
    """FID and FVD of each of the `systems` (with its benchmark), from the rows of their metrics.

    `real` are rows of the current real set, if there is one, and `folder` is where its videos lie. A distance that cannot
    be computed has the reason. Without a real set, only what has rows is told. Sums and distances are kept in `store`.
    """
    rows, kept, found = list(rows), FeatureStore(store), []
    for one in DISTANCES:
        extractor = workers.model_id(one.role)
        true = _set(real, one, extractor, read, kept)
        for system, benchmark in systems:
            own = [row for row in rows if (row.system, row.benchmark, row.metric) == (system, benchmark, one.metric.id)]
            if not own and not has_real:
                continue
            made = _set(own, one, extractor, read, kept)
            value = _distance(one, true, made, workers, kept, system, has_real=has_real)
            found.append(_told(one, system, benchmark, folder, extractor, true, made, value))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Set:
    """A set or why there is none, the key of its sums, and a line for each video that is not in it."""

    features: FeatureSet | Absent
    key: str
    remarks: tuple[str, ...]


def _set(rows: Iterable[Row], one: Distance, extractor: str, read: Read, store: FeatureStore) -> _Set:
    own = [row for row in rows if row.metric == one.metric.id]
    evidence = sorted(row.evidence for row in own if row.evidence)  # float64 sums depend on their order in the last bits
    remarks = tuple(f"{row.case_id}: {row.reason}" for row in own if not row.evidence)
    key = digest(("feature_set", extractor, one.metric.clip_frames, evidence))
    if not evidence:
        reason = next((row.reason for row in own if row.reason), None) or "not applicable: a set of no videos"
        return _Set(Absent(reason), key, remarks)
    known = store.get(key)
    if isinstance(known, dict):
        return _Set(FeatureSet.from_arrays(known), key, remarks)
    made = FeatureSet(
        moments=Moments.merged(Moments.of(read(place)["features"]) for place in evidence),
        extractor=extractor,
        clip_frames=one.metric.clip_frames,
        num_videos=len(evidence),
    )
    store.put(key, made.to_arrays())
    return _Set(made, key, remarks)


def _distance(
    one: Distance, real: _Set, made: _Set, workers: WorkerSettings, store: FeatureStore, system: str, *, has_real: bool
) -> float | Absent:
    if not has_real:
        return Absent("not applicable: there is no set of real videos; give one by `evaluate --real DIR`")
    if one.role not in workers.roles:
        return Absent(f"unavailable: role {one.role} is not bound; set roles.{one.role} in project.toml")
    if isinstance(made.features, Absent):
        if made.features.reason.endswith("no videos"):
            return Absent(f"not applicable: {one.metric.id} was not measured of {system}; evaluate it with --real DIR")
        return made.features
    if isinstance(real.features, Absent):
        return Absent(f"{real.features.reason} (of the real set)")
    key = digest(("set_distance", real.key, made.key, one.ddof))
    known = store.get(key)
    if isinstance(known, dict):
        return float(known["distance"])
    value = set_distance(real.features, made.features, ddof=one.ddof)
    if not isinstance(value, Absent):
        store.put(key, {"distance": np.array(value)})
    return value


def _told(
    one: Distance,
    system: str,
    benchmark: str,
    folder: str,
    extractor: str,
    real: _Set,
    made: _Set,
    value: float | Absent,
) -> SetDistance:
    sizes = [found.features if isinstance(found.features, FeatureSet) else None for found in (real, made)]
    remarks = [f"real: {line}" for line in real.remarks] + list(made.remarks)
    for name, size in zip(("real", "generated"), sizes, strict=True):
        if size is not None and size.moments.num <= len(size.moments.total):
            num, width = size.moments.num, len(size.moments.total)
            remarks.insert(0, f"the {name} set has {num} units for {width} features: the distance comes out too large")
    more = [f"… and {len(remarks) - FEW_LINES} more"] if len(remarks) > FEW_LINES else []
    return SetDistance(
        system=system,
        benchmark=benchmark,
        metric=one.id,
        title=one.title,
        value=None if isinstance(value, Absent) else value,
        reason=value.reason if isinstance(value, Absent) else None,
        real=folder,
        extractor=extractor,
        clip_frames=one.metric.clip_frames,
        ddof=one.ddof,
        num_real_videos=sizes[0].num_videos if sizes[0] else 0,
        num_real_units=sizes[0].moments.num if sizes[0] else 0,
        num_videos=sizes[1].num_videos if sizes[1] else 0,
        num_units=sizes[1].moments.num if sizes[1] else 0,
        remarks=(*remarks[:FEW_LINES], *more),
    )
