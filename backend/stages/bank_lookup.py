"""The banks as a worker sees them: opened once for a roll of sources, and asked what is like the views of one of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from backend.domain import Box, Holding
from backend.measures.retrieval import chance_bound, person_vector
from backend.stages.bank_shards import (
    NAMES,
    Answer,
    Ask,
    KeptShard,
    Shard,
    ShardHolding,
    ask_all,
    joined_chance,
    read_roll,
    shards_of,
)
from backend.stages.banks import SPACES, read_part, vectors_of
from backend.store.artifacts import Artifacts

Held = Callable[[Holding], Callable[[Any], Any] | None]
"""`Context.held`."""
MaybeHeld = tuple[ShardHolding, Callable[[Any], Any] | None]
OPEN_PARTS = 64
"""Parts of other sources kept in a worker, about 100 kB each."""


@dataclass(frozen=True, slots=True)
class Found:
    """A row of a bank that lies in the band of a view: `own_row` of the item's part, `row` of part `part`."""

    own_row: int
    part: int
    row: int
    subject: int
    """Number of the other subject in these banks."""
    is_picture: bool
    cosine: float
    bank: str
    margin: float
    """The cosine less what chance gives in a bank of this size."""


class Views:
    """The views of a part: columns as lists, vectors by space (None where a view has none)."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.subjects: list[str] = table.column("subject").to_pylist()
        self.subject_ids: list[str | None] = table.column("subject_id").to_pylist()
        self.appearance_ids: list[str] = table.column("appearance_id").to_pylist()
        self.categories: list[str | None] = table.column("category").to_pylist()
        self.is_living: list[bool | None] = table.column("is_living").to_pylist()
        self.boxes: list[Box] = [tuple(box) for box in table.column("box").to_pylist()]
        self.frame_areas: list[float | None] = table.column("frame_area").to_pylist()
        self.crops: list[str | None] = table.column("crop").to_pylist()
        self.models: list[str | None] = table.column("model").to_pylist()
        self.face_models: list[str | None] = table.column("face_model").to_pylist()
        self._vectors = {space: vectors_of(table, space) for space in SPACES}
        self._has = {space: table.column(space).is_valid().to_numpy() for space in SPACES}

    def __len__(self) -> int:
        return self.table.num_rows

    def vector(self, row: int, space: str) -> np.ndarray | None:
        return self._vectors[space][row] if self._has[space][row] else None

    def rows_with(self, *, body: bool, face: bool) -> np.ndarray:
        """Rows that have exactly these blocks."""
        return np.flatnonzero((self._has["appearance"] == body) & (self._has["face"] == face))

    def vectors(self, rows: np.ndarray, space: str) -> np.ndarray:
        return self._vectors[space][rows]


def open_banks(
    artifacts: Artifacts, roll: str, face_weight: float, *, floor: float, shard_views: int, held: Held
) -> "Banks":
    """The banks of a roll's parts. Shards that nobody holds are opened here, and built where they are not there."""
    holdings = shards_of(artifacts, roll, face_weight, floor=floor, shard_views=shard_views)
    return _opened(artifacts, roll, face_weight, tuple((holding, held(holding)) for holding in holdings))


class Banks:
    """Banks of one roll of sources: their shards, each with who is to be asked where another process holds it."""

    def __init__(self, artifacts: Artifacts, roll: str, face_weight: float, shards: Sequence[MaybeHeld]) -> None:
        self._artifacts, self._face_weight = artifacts, face_weight
        self._parts = read_roll(artifacts, roll).parts
        self._shards: list[Shard] = [holding.open(artifacts) if ask is None else KeptShard(ask) for holding, ask in shards]
        self._chance = {name: joined_chance(self._shards, name) for name in NAMES}

    def views(self, part: int) -> Views:
        return _read_views(self._artifacts, self._parts[part])

    def found(self, position: int, floors: dict[str, float], *, upper: float, false_per_query: float) -> list[Found]:
        """Rows of parts before `position` in the band `[floor, upper)` of its views, each in the richest shared space."""
        own = self.views(position)
        faced, faceless, bodiless = (
            own.rows_with(body=body, face=face) for body, face in ((True, True), (True, False), (False, True))
        )
        wanted = [
            ("person", faced, (0,)),
            ("appearance", faced, (0,)),  # those without a face
            ("appearance", faceless, (0, 1)),
            ("face", faced, (0,)),  # those without a body
            ("face", bodiless, (0, 1)),
        ]
        wanted = [(name, rows, blocks) for name, rows, blocks in wanted if len(rows)]
        asks = [
            Ask(
                bank=name,
                queries=self._queries(own, rows, name),
                blocks=blocks,
                position=position,
                lo=floors[name],
                hi=upper,
            )
            for name, rows, blocks in wanted
        ]
        by_shard = ask_all(self._shards, asks)
        hits: list[Found] = []
        for k, (name, rows, _) in enumerate(wanted):
            answers = [answers[k] for answers in by_shard]
            bounds = [self._bound(name, own.categories[row], answers, false_per_query) for row in rows.tolist()]
            for shard, answer in enumerate(answers):
                hits += self._hits(answer, shard, rows, bounds, bank=name)
        return hits

    def _hits(self, answer: Answer, shard: int, rows: np.ndarray, bounds: Sequence[float], *, bank: str) -> Iterator[Found]:
        columns = (answer.queries, answer.parts, answer.rows, answer.subjects, answer.are_pictures, answer.cosines)
        for query, part, row, subject, is_picture, like in zip(*(column.tolist() for column in columns)):
            yield Found(
                own_row=int(rows[query]),
                part=part,
                row=row,
                subject=subject * len(self._shards) + shard,
                is_picture=is_picture,
                cosine=like,
                bank=bank,
                margin=like - bounds[query],
            )

    def _bound(self, bank: str, category: str | None, answers: Sequence[Answer], false_per_query: float) -> float:
        """The cosine over which chance gives `false_per_query` hits among the rows looked at, or among those of the category."""
        bounds = []
        for name in ("", category or ""):
            if name not in self._chance[bank]:
                continue
            mean, dimension = self._chance[bank][name]
            num = sum(answer.num_of_category.get(name, 0) if name else answer.num_rows for answer in answers)
            if num > false_per_query and dimension > 1:
                bounds.append(mean + chance_bound(num, dimension, false_per_query=false_per_query))
        return max(bounds, default=-1.0)

    def _queries(self, own: Views, rows: np.ndarray, name: str) -> np.ndarray:
        if name == "person":
            bodies, faces = own.vectors(rows, "appearance"), own.vectors(rows, "face")
            return person_vector(bodies, faces, face_weight=self._face_weight)
        return own.vectors(rows, name)


@lru_cache(maxsize=2)
def _opened(artifacts: Artifacts, roll: str, face_weight: float, shards: tuple[MaybeHeld, ...]) -> Banks:
    return Banks(artifacts, roll, face_weight, shards)


@lru_cache(maxsize=OPEN_PARTS)
def _read_views(artifacts: Artifacts, part: str) -> Views:
    return Views(read_part(artifacts.get(part)))
