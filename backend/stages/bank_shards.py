"""Banks in shards: a source's rows lie in the shard that a hash of its id names, and a look-up asks every shard.

A band has no rank over shards to agree on, so that answers are joined by putting them one after another. A shard is built
from its own sources alone: what building takes in memory is a shard's, whatever the bank's size.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, cast

import numpy as np

from backend.domain import ArtifactStore, digest
from backend.stages.banks import bank_content, read_part
from backend.store.artifacts import Artifacts
from backend.store.banks import BankContent, open_bank
from backend.store.banks_index import IndexSettings
from backend.store.banks_search import Bank

NAMES = ("person", "appearance", "face")
OPEN_BYTES = 450
"""A view of an open shard, in memory: 437 of a body and a face of 512 numbers each, in three banks: their codes, what is known of each row, and
columns (`test_an_open_shard_takes_what_it_claims`)."""
OPEN_GIB = 0.25
"""Python, numpy, FAISS and Ray, before a view is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What one source asks of a bank: its unit vectors `queries` `(Q, D)`, against rows of the `blocks` from sources before `position`."""

    bank: str
    queries: np.ndarray
    blocks: tuple[int, ...]
    position: int
    lo: float
    hi: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one shard found, a value of each array a hit: row `rows` of part `parts` answers query `queries` with `cosines`."""

    queries: np.ndarray
    parts: np.ndarray
    rows: np.ndarray
    subjects: np.ndarray
    """Numbers of subjects within the shard."""
    are_pictures: np.ndarray
    cosines: np.ndarray
    num_rows: int
    """Rows that were looked at."""
    num_of_category: Mapping[str, int]
    """The same by category, of those whose chance is known."""


class Shard(Protocol):
    """Something that answers, here or elsewhere."""

    @property
    def chance(self) -> Mapping[str, Mapping[str, tuple[float, float, int]]]:
        """By bank and category ("" for all): mean and effective dimension of random cosines, and the rows that they were measured on."""
        ...

    def answer(self, asks: Sequence[Ask]) -> list[Answer]: ...


def shard_of(source_id: str, num_shards: int) -> int:
    """The shard that holds a source, equal on every machine."""
    return int(digest(source_id, num_bytes=8), 16) % num_shards


def num_shards_for(num_views: int, shard_views: int) -> int:
    """The least power of two of shards that keeps each near `shard_views`: a growing bank doubles, and rarely."""
    num = 1
    while num_views > num * shard_views:
        num *= 2
    return num


class OpenShard:
    """A shard whose banks lie on this machine's disk."""

    def __init__(self, banks: Mapping[str, Bank]) -> None:
        self._banks = {name: _OpenBank(bank) for name, bank in banks.items()}
        self.chance = {name: bank.chance for name, bank in self._banks.items()}

    def __call__(self, asked: Sequence[Ask] | None) -> Any:
        """What a KeptShard asks: for answers, or, with None, for the chance."""
        return self.chance if asked is None else self.answer(asked)

    def answer(self, asks: Sequence[Ask]) -> list[Answer]:
        """In the order of asks."""
        return [self._banks[ask.bank].answer(ask) for ask in asks]


class KeptShard:
    """A shard that another process has open, and answers for."""

    def __init__(self, ask: Callable[[Any], Any]) -> None:
        self._ask = ask
        self.chance: Mapping[str, Mapping[str, tuple[float, float, int]]] = ask(None)

    def answer(self, asks: Sequence[Ask]) -> list[Answer]:
        return self._ask(list(asks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """The sources that banks are made of, in order: their ids, their parts, and how many views these have."""

    sources: tuple[str, ...]
    parts: tuple[str, ...]
    num_views: int


@lru_cache(maxsize=2)
def read_roll(artifacts: ArtifactStore, name: str) -> Roll:
    listed = json.loads(artifacts.get(name))
    parts = [entry["bank_part"][0] for entry in listed]
    return Roll(
        sources=tuple(entry["id"] for entry in listed),
        parts=tuple(part["artifact"] for part in parts),
        num_views=sum(part["num_views"] for part in parts),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardHolding:
    """Shard `number` of the `num_shards` of a roll's banks, to be opened by whoever is to hold it."""

    roll: str
    face_weight: float
    floor: float
    number: int
    num_shards: int
    num_views: int
    """About: a hash spreads sources evenly."""

    @property
    def name(self) -> str:
        return f"shard {self.number + 1} of {self.num_shards} of the banks"

    @property
    def ram_gib(self) -> float:
        return OPEN_GIB + self.num_views * OPEN_BYTES / 2**30

    def open(self, artifacts: ArtifactStore) -> OpenShard:
        """Opens its banks below the project's `index/banks`, built from the roll's parts where they are not there."""
        roll = read_roll(artifacts, self.roll)

        def content(name: str) -> BankContent:
            numbers = [n for n, source in enumerate(roll.sources) if shard_of(source, self.num_shards) == self.number]
            parts = (read_part(artifacts.get(roll.parts[n])) for n in numbers)
            return bank_content(name, parts, face_weight=self.face_weight, numbers=numbers)

        folder = cast(Artifacts, artifacts).root.parent / "index" / "banks"
        part = f"-{self.number + 1}-of-{self.num_shards}" if self.num_shards > 1 else ""
        generation = digest((roll.parts, self.face_weight), num_bytes=12)
        settings = IndexSettings(floor=self.floor)
        return OpenShard(
            {
                name: open_bank(folder / (name + part), generation, lambda name=name: content(name), settings=settings)
                for name in NAMES
            }
        )


def shards_of(
    artifacts: ArtifactStore, roll: str, face_weight: float, *, floor: float, shard_views: int
) -> list[ShardHolding]:
    """The shards of a roll's banks: as many as keep each near `shard_views` views."""
    num_views = read_roll(artifacts, roll).num_views
    num = num_shards_for(num_views, shard_views)
    return [
        ShardHolding(
            roll=roll, face_weight=face_weight, floor=floor, number=number, num_shards=num, num_views=num_views // num
        )
        for number in range(num)
    ]


def ask_all(shards: Sequence[Shard], asks: Sequence[Ask]) -> list[list[Answer]]:
    """By shard, then ask; several shards are asked at once."""
    if len(shards) == 1:
        return [shards[0].answer(asks)]
    with ThreadPoolExecutor(len(shards), thread_name_prefix="bank-shard") as pool:
        return list(pool.map(lambda shard: shard.answer(asks), shards))


def joined_chance(shards: Sequence[Shard], bank: str) -> dict[str, tuple[float, float]]:
    """Mean and effective dimension of random cosines by category, over all shards: means weighted by rows.

    A hash spreads sources evenly, so that each shard is a sample of the whole.
    """
    found: dict[str, list[tuple[float, float, int]]] = {}
    for shard in shards:
        for name, measured in shard.chance[bank].items():
            found.setdefault(name, []).append(measured)
    joined = {}
    for name, several in found.items():
        means, dimensions, weights = zip(*several)
        joined[name] = (float(np.average(means, weights=weights)), float(np.average(dimensions, weights=weights)))
    return joined


class _OpenBank:
    """A bank with the columns of its rows."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        facts = json.loads(bank.rows.schema.metadata[b"bank"])
        stops = np.cumsum(facts["blocks"])
        self._blocks = [(int(stop - size), int(stop)) for stop, size in zip(stops, facts["blocks"])]
        self._parts = bank.rows.column("part").to_numpy()
        self._rows = bank.rows.column("row").to_numpy()
        self._subjects = bank.rows.column("subject").to_numpy()
        self._are_pictures = bank.rows.column("is_picture").to_numpy(zero_copy_only=False)
        categories = np.array(bank.rows.column("category").to_pylist(), dtype=object)
        self._of_category = {name: np.flatnonzero(categories == name) for name in facts["chance"] if name}
        self.chance: dict[str, tuple[float, float, int]] = {
            name: (mean, dimension, len(self._of_category[name]) if name else len(bank.vectors))
            for name, (mean, dimension) in facts["chance"].items()
        }

    def answer(self, ask: Ask) -> Answer:
        spans = [self._before(block, ask.position) for block in ask.blocks]
        hits = self.bank.search(ask.queries, lo=ask.lo, hi=ask.hi, spans=spans)
        return Answer(
            queries=hits.queries,
            parts=self._parts[hits.rows],
            rows=self._rows[hits.rows],
            subjects=self._subjects[hits.rows],
            are_pictures=self._are_pictures[hits.rows],
            cosines=hits.cosines,
            num_rows=sum(stop - start for start, stop in spans),
            num_of_category={
                name: sum(int(np.diff(np.searchsorted(at, span))[0]) for span in spans)
                for name, at in self._of_category.items()
            },
        )

    def _before(self, block: int, position: int) -> tuple[int, int]:
        """Rows of a block whose part came before one: a block is in the order of parts."""
        start, stop = self._blocks[block]
        return start, start + int(np.searchsorted(self._parts[start:stop], position))
