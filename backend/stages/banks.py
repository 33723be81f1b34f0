"""S24: what each source adds to the retrieval banks, and the banks that all of it makes.

A source's *part* is a table of the views of its subjects (or of a picture), with their vectors: one small artifact, made
once. A bank is put together from the parts of all sources, in the order in which these were listed, so that "whatever was
listed before" is a span of rows. Three banks hold what can be compared: `person` the views with a face and a body,
`appearance` every body, `face` every face. Two views are compared in the richest space that both have, and in no other: in
`appearance` and `face` those that lack the other block come first, so that they too are a span.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from backend.domain import (
    Appearance,
    BankPart,
    Clip,
    Context,
    Embedding,
    Filtered,
    Item,
    Mask,
    Ok,
    Resources,
    Result,
    Source,
    StoreError,
    Subject,
    Video,
)
from backend.measures.retrieval import effective_dimension, person_vector
from backend.stages.embedding import FRAME_HASH_SPACE
from backend.store.banks import BankContent

VECTOR = pa.list_(pa.float32())
COMPARED = ("appearance", "face")
SPACES = (*COMPARED, "background", FRAME_HASH_SPACE)
PART_SCHEMA = pa.schema(
    [
        ("subject", pa.string()),  # a picture's appearance stands for its subject
        ("subject_id", pa.string()),
        ("appearance_id", pa.string()),
        ("category", pa.string()),
        ("is_living", pa.bool_()),
        ("frame", pa.int32()),
        ("box", pa.list_(pa.float64())),
        ("frame_area", pa.float64()),
        ("crop", pa.string()),
        ("model", pa.string()),
        ("face_model", pa.string()),
        *((space, VECTOR) for space in SPACES),
    ]
)
"""One row a view; `model` made its appearance vector, `face_model` its face's. NULL where there is nothing."""
LEAST_CATEGORY = 200
"""Rows of one category from which the dimension that chance works in is measured for it alone."""


@dataclass(frozen=True, slots=True)
class BuildBanks:
    """A BankPart for each source with an embedded appearance: up to `views_per_subject` views, spread over its frames."""

    name: ClassVar[str] = "build_banks"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = (Video, Clip, Subject, Appearance, Mask, Embedding)
    makes: ClassVar[tuple[type, ...]] = (BankPart,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(ram_gib=0.5)

    views_per_subject: int = 3
    """Phantom-Data looks at three frames of a clip (section 4.1)."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._part(item, context) for item in items]

    def _part(self, item: Item, context: Context) -> Result:
        rows = _views(item, self.views_per_subject)
        if not rows:
            return Filtered(item.id, "no appearance with a vector")
        sink = pa.BufferOutputStream()
        table = pa.Table.from_pylist(rows, schema=PART_SCHEMA)
        with pa.ipc.new_file(sink, PART_SCHEMA) as writer:
            writer.write_table(table)
        name = context.artifacts.put(sink.getvalue().to_pybytes(), "arrow")
        return Ok(item.id, (BankPart(source_id=item.id, artifact=name, num_views=table.num_rows),))


def read_part(data: bytes) -> pa.Table:
    """A part's views. Raises StoreError for other bytes."""
    try:
        table = pa.ipc.open_file(data).read_all()
    except pa.ArrowInvalid as error:
        raise StoreError(f"a bank part cannot be read ({error}); run stage build_banks again") from error
    if table.schema != PART_SCHEMA:
        raise StoreError("a bank part has other columns; run stage build_banks again")
    return table


def bank_content(
    name: str, parts: Iterable[pa.Table], *, face_weight: float, numbers: Sequence[int] | None = None
) -> BankContent:
    """The bank `name` (person, appearance or face) of parts in the order of their sources; `numbers` are theirs where they are a shard's.

    Each row has its `part` and `row` there, a `subject` number (the same in all three banks), `is_picture` and a `category`. Metadata of the
    rows' schema: `blocks`, rows of each block; `chance`, mean and effective dimension of random cosines, by category and of all as "".
    Parts are looked at one after another, and of each only the vectors of this bank are kept.
    """
    spaces = COMPARED if name == "person" else (name,)
    facts, vectors = list[pa.Table](), list[np.ndarray]()
    for k, table in enumerate(parts):
        has_body, has_face = (table.column(space).is_valid().to_numpy() for space in COMPARED)
        number = k if numbers is None else numbers[k]
        row = np.arange(table.num_rows, dtype=np.int32)
        facts.append(
            table.select(["subject", "subject_id", "category"])
            .take(row)  # a copy: a column of a file keeps the whole file
            .append_column("part", pa.array(np.full(table.num_rows, number, np.int32)))
            .append_column("row", pa.array(row))
            .append_column("has_body", pa.array(has_body))
            .append_column("has_face", pa.array(has_face))
        )
        kept = table.filter(pa.array({"person": has_body & has_face, "appearance": has_body, "face": has_face}[name]))
        if kept.num_rows:
            found = [vectors_of(kept, space) for space in spaces]
            vectors.append(person_vector(*found, face_weight=face_weight) if name == "person" else found[0])
    if not facts:
        return bank_content(name, [PART_SCHEMA.empty_table()], face_weight=face_weight)
    every = pa.concat_tables(facts)
    has_body, has_face = (every.column(column).to_numpy() for column in ("has_body", "has_face"))
    both = np.flatnonzero(has_body & has_face)
    alone = {
        "person": [],
        "appearance": [np.flatnonzero(has_body & ~has_face)],
        "face": [np.flatnonzero(has_face & ~has_body)],
    }
    blocks = [*alone[name], both]
    rows = np.concatenate(blocks)
    every_vector = np.concatenate(vectors) if vectors else np.zeros((0, len(spaces)), np.float32)
    vectors.clear()
    if name != "person":
        every_vector = every_vector[np.searchsorted(np.sort(rows), rows)]  # from the order of parts to that of blocks
    return BankContent(every_vector, _row_table(every, rows, every_vector, [len(block) for block in blocks]))


def vectors_of(table: pa.Table, space: str) -> np.ndarray:
    """float32 `(N, D)` of a column of vectors, zeros where there is none; `(N, 1)` when there are none at all."""
    column = table.column(space).combine_chunks()
    valid = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    if not len(valid):
        return np.zeros((table.num_rows, 1), np.float32)
    flat = column.drop_null().flatten().to_numpy()
    vectors = np.zeros((table.num_rows, len(flat) // len(valid)), np.float32)
    vectors[valid] = flat.reshape(len(valid), -1)
    return vectors


def _views(item: Item, most: int) -> list[dict[str, Any]]:
    subjects = {subject.id: subject for subject in item.all(Subject)}
    clips = {clip.id: clip for clip in item.all(Clip)}
    areas = {video.id: float(video.width * video.height) for video in item.all(Video)}
    masks: dict[str, Mask] = {}
    for mask in sorted(item.all(Mask), key=lambda mask: (mask.author.startswith("person"), mask.id)):
        masks[mask.appearance_id] = mask  # a person's last, so that it stays
    vectors: dict[str, dict[str, Embedding]] = defaultdict(dict)
    for embedding in item.all(Embedding):
        vectors[embedding.appearance_id][embedding.space] = embedding
    of_subject: dict[str, list[Appearance]] = defaultdict(list)
    for appearance in item.all(Appearance):
        known = appearance.subject_id is None or appearance.subject_id in subjects
        if known and vectors[appearance.id].keys() & {"appearance", "face"}:
            of_subject[appearance.subject_id or appearance.id].append(appearance)
    rows = []
    for name in sorted(of_subject):
        views = sorted(of_subject[name], key=lambda a: (a.frame or 0, a.id))
        chosen = np.unique(np.linspace(0, len(views) - 1, min(most, len(views))).round().astype(int))
        subject = subjects.get(name)
        area = areas[clips[subject.clip_id].video_id] if subject else None
        rows += [_view(views[k], subject, masks.get(views[k].id), area, vectors[views[k].id]) for k in chosen.tolist()]
    return rows


def _view(
    appearance: Appearance,
    subject: Subject | None,
    mask: Mask | None,
    area: float | None,
    vectors: Mapping[str, Embedding],
) -> dict[str, Any]:
    if area is None and mask is not None:
        area = float(mask.width * mask.height)
    return {
        "subject": subject.id if subject else appearance.id,
        "subject_id": subject.id if subject else None,
        "appearance_id": appearance.id,
        "category": subject.category if subject else None,
        "is_living": subject.is_living if subject else None,
        "frame": appearance.frame,
        "box": list(appearance.box),
        "frame_area": area,
        "crop": mask.crop if mask else None,
        "model": vectors["appearance"].model if "appearance" in vectors else None,
        "face_model": vectors["face"].model if "face" in vectors else None,
        **{space: vectors[space].vector if space in vectors else None for space in SPACES},
    }


def _row_table(every: pa.Table, rows: np.ndarray, vectors: np.ndarray, blocks: Sequence[int]) -> pa.Table:
    subjects = every.column("subject").combine_chunks().dictionary_encode()
    numbers = subjects.indices.to_numpy(zero_copy_only=False) if every.num_rows else np.zeros(0, np.int32)
    taken = every.select(["category", "subject_id"]).take(pa.array(rows))
    table = pa.table(
        {
            "part": every.column("part").to_numpy()[rows] if every.num_rows else np.zeros(0, np.int32),
            "row": every.column("row").to_numpy()[rows] if every.num_rows else np.zeros(0, np.int32),
            "subject": numbers[rows].astype(np.int64),
            "is_picture": taken.column("subject_id").is_null(),
            "category": taken.column("category"),
        }
    )
    facts = {"blocks": list(blocks), "chance": _chance(vectors, table.column("category").to_pylist())}
    return table.replace_schema_metadata({"bank": json.dumps(facts)})


def _chance(vectors: np.ndarray, categories: Sequence[str | None]) -> dict[str, tuple[float, float]]:
    """Mean and effective dimension of the cosines of random rows, of all and of each large category."""
    groups: dict[str, Any] = {"": np.arange(len(vectors))}
    names = np.array([name or "" for name in categories], dtype=object)
    for name in sorted({name for name in categories if name}):
        groups[name] = np.flatnonzero(names == name)
    found = {}
    for name, rows in groups.items():
        if len(rows) >= (2 if name == "" else LEAST_CATEGORY):
            chosen = rows[:: max(1, len(rows) // 20_000)].tolist()
            dimension = effective_dimension(vectors[chosen], np.random.default_rng(0))
            mean = vectors[chosen].astype(np.float64).mean(axis=0)
            found[name] = (float(mean @ mean), min(dimension, float(vectors.shape[1])))
    return found
