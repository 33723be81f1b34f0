"""The banks as a worker sees them: opened once for a roll of sources, and asked what is like the views of one of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from backend.domain import Box, digest
from backend.measures.retrieval import chance_bound, person_vector
from backend.stages.banks import SPACES, bank_contents, read_part, vectors_of
from backend.store.artifacts import Artifacts
from backend.store.banks import open_bank
from backend.store.banks_index import IndexSettings
from backend.store.banks_search import Bank

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


def open_banks(artifacts: Artifacts, roll: str, face_weight: float, *, floor: float) -> "Banks":
    """The banks of a roll's parts, built below the project's `index/banks` when they are not there."""
    return _opened(artifacts.root, roll, face_weight, floor)


class Banks:
    """Banks of one roll of sources."""

    def __init__(self, root: Path, roll: str, face_weight: float, floor: float) -> None:
        self._artifacts = Artifacts(root, durable=False)
        listed = json.loads(self._artifacts.get(roll))
        self._parts = [entry["bank_part"][0]["artifact"] for entry in listed]
        self._face_weight = face_weight
        generation = digest((tuple(self._parts), face_weight), num_bytes=12)
        folder = root.parent / "index" / "banks"
        made: dict[str, Any] = {}

        def content(name: str) -> Any:
            if not made:
                tables = [read_part(self._artifacts.get(part)) for part in self._parts]
                made.update(bank_contents(tables, face_weight=face_weight))
            return made[name]

        self._banks = {
            name: _OpenBank(
                open_bank(folder / name, generation, lambda name=name: content(name), settings=IndexSettings(floor=floor))
            )
            for name in ("person", "appearance", "face")
        }

    def views(self, part: int) -> Views:
        return _read_views(self._artifacts.root, self._parts[part])

    def found(self, position: int, floors: dict[str, float], *, upper: float, false_per_query: float) -> list[Found]:
        """Rows of parts before `position` in the band `[floor, upper)` of its views, each in the richest shared space."""
        own = self.views(position)
        faced, faceless, bodiless = (
            own.rows_with(body=body, face=face) for body, face in ((True, True), (True, False), (False, True))
        )
        asked = [
            ("person", faced, (0,)),
            ("appearance", faced, (0,)),  # those without a face
            ("appearance", faceless, (0, 1)),
            ("face", faced, (0,)),  # those without a body
            ("face", bodiless, (0, 1)),
        ]
        hits: list[Found] = []
        for name, rows, blocks in asked:
            bank = self._banks[name]
            spans = [bank.before(block, position) for block in blocks]
            if not len(rows) or not any(stop > start for start, stop in spans):
                continue
            queries = self._queries(own, rows, name)
            answer = bank.bank.search(queries, lo=floors[name], hi=upper, spans=spans)
            bounds = [bank.chance(own.categories[row], spans, false_per_query) for row in rows.tolist()]
            for q, row, like in zip(answer.queries.tolist(), answer.rows.tolist(), answer.cosines.tolist()):
                hits.append(bank.hit(row, own_row=int(rows[q]), cosine=like, bank=name, margin=like - bounds[q]))
        return hits

    def _queries(self, own: Views, rows: np.ndarray, name: str) -> np.ndarray:
        if name == "person":
            bodies, faces = own.vectors(rows, "appearance"), own.vectors(rows, "face")
            return person_vector(bodies, faces, face_weight=self._face_weight)
        return own.vectors(rows, name)


class _OpenBank:
    """A bank with the columns of its rows."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        facts = json.loads(bank.rows.schema.metadata[b"bank"])
        stops = np.cumsum(facts["blocks"])
        self._blocks = [(int(stop - size), int(stop)) for stop, size in zip(stops, facts["blocks"])]
        self._chance: dict[str, tuple[float, float]] = facts["chance"]
        self._parts = bank.rows.column("part").to_numpy()
        self._rows = bank.rows.column("row").to_numpy()
        self._subjects = bank.rows.column("subject").to_numpy()
        self._is_picture = bank.rows.column("is_picture").to_numpy(zero_copy_only=False)
        categories = np.array(bank.rows.column("category").to_pylist(), dtype=object)
        self._of_category = {name: np.flatnonzero(categories == name) for name in self._chance if name}

    def before(self, block: int, position: int) -> tuple[int, int]:
        """Rows of a block whose part came before one: a block is in the order of parts."""
        start, stop = self._blocks[block]
        return start, start + int(np.searchsorted(self._parts[start:stop], position))

    def chance(self, category: str | None, spans: Sequence[tuple[int, int]], false_per_query: float) -> float:
        """The cosine over which chance gives `false_per_query` hits among these rows, or among those of the category."""
        bounds = []
        for name in ("", category or ""):
            if name not in self._chance:
                continue
            num = sum(stop - start for start, stop in spans)
            if name:
                at = self._of_category[name]
                num = sum(int(np.diff(np.searchsorted(at, span))[0]) for span in spans)
            mean, dimension = self._chance[name]
            if num > false_per_query and dimension > 1:
                bounds.append(mean + chance_bound(num, dimension, false_per_query=false_per_query))
        return max(bounds, default=-1.0)

    def hit(self, row: int, *, own_row: int, cosine: float, bank: str, margin: float) -> Found:
        return Found(
            own_row=own_row,
            part=int(self._parts[row]),
            row=int(self._rows[row]),
            subject=int(self._subjects[row]),
            is_picture=bool(self._is_picture[row]),
            cosine=cosine,
            bank=bank,
            margin=margin,
        )


@lru_cache(maxsize=2)
def _opened(root: Path, roll: str, face_weight: float, floor: float) -> Banks:
    return Banks(root, roll, face_weight, floor)


@lru_cache(maxsize=OPEN_PARTS)
def _read_views(root: Path, part: str) -> Views:
    return Views(read_part(Artifacts(root, durable=False).get(part)))
