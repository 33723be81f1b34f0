"""`export datasets`: Parquet files laid out as Hugging Face's `datasets` and hub read them (docs/formats.md).

A row is a pair with both cut-outs. Equal rows give equal bytes for one version of pyarrow.
"""

import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from backend.api import ExportSummary
from backend.domain import ArtifactStore
from backend.exports.arranged import WHOLE, arranged, require_content
from backend.exports.finishing import finish, origin_of, summary
from backend.exports.folder import whole_folder
from backend.exports.rows import ExportPair, ExportRows, ExportSide

ROWS_PER_GROUP = 100
"""A row with two cut-outs takes some 100 KB; the hub's viewer reads groups up to 286 MiB."""
ROWS_PER_FILE = 5_000
FILES = (
    "`data/SPLIT-N-of-M.parquet`: a pair a row. `target` and `reference` are pictures (RGBA cut-outs; alpha is the mask);"
    " `*_source_id`, `*_licence`, `*_attribution`, `*_terms` say where each comes from and what may be done with it.",
    "`about.json`: recipe, gates and counts.",
)
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_BOX, _TEXTS = pa.list_(pa.float64()), pa.list_(pa.string())
_SIDE = {
    "box": _BOX,
    "mask_rle": pa.string(),
    "mask_height": pa.int32(),
    "mask_width": pa.int32(),
    "appearance_id": pa.string(),
    "subject_id": pa.string(),
    "clip_id": pa.string(),
    "video_id": pa.string(),
    "origin": pa.string(),
    "frame": pa.int64(),
    "start_frame": pa.int64(),
    "stop_frame": pa.int64(),
    "start_s": pa.float64(),
    "stop_s": pa.float64(),
    "caption": pa.string(),
    "source_id": pa.string(),
    "source_uri": pa.string(),
    "content_hash": pa.string(),
    "licence": pa.string(),
    "attribution": pa.string(),
    "terms": _TEXTS,
}
_PAIR = {
    "pair_id": pa.string(),
    "kind": pa.string(),
    "status": pa.string(),
    "verdict": pa.string(),
    "num_votes": pa.int64(),
    "category": pa.string(),
    "phrase": pa.string(),
    "is_living": pa.bool_(),
    "identity": pa.string(),
    "licence": pa.string(),
    "scores": pa.string(),
}
SIDES = ("target", "reference")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportDatasets:
    """Writes data/*.parquet, README.md with the hub's header, about.json and MANIFEST.sha256."""

    whole_clips: ClassVar[bool] = False

    def write(self, rows: ExportRows, *, out: Path, artifacts: ArtifactStore) -> ExportSummary:
        """Writes the folder whole or not at all; an earlier export at `out` is replaced. Samples and clips have no place here.

        Raises ProjectError when `out` holds something else or cannot be written, or no pair is given, SettingsError for a
        wrong split, StoreError when an artifact is damaged.
        """
        found, about = arranged(rows), rows.about
        left_out = dict(about.left_out)
        require_content(len(found.pairs), left_out)
        counts = Counter(pair.split or WHOLE for pair in found.pairs)
        with whole_folder(out) as folder:
            for part in found.parts():
                of_part = [pair for pair in found.pairs if (pair.split or WHOLE) == part]
                num_files = -(-len(of_part) // ROWS_PER_FILE)
                for number in range(num_files):
                    some = of_part[number * ROWS_PER_FILE : (number + 1) * ROWS_PER_FILE]
                    folder.put(f"data/{part}-{number:05d}-of-{num_files:05d}.parquet", parquet_of(some, artifacts))
            told = {"num_pairs": len(found.pairs), "num_pairs_by_split": dict(sorted(counts.items()))}
            head = _head(found.parts())
            finish(folder, found, about, format="datasets", files=FILES, counts=told, left_out=left_out, head=head)
        return summary(out, folder, format="datasets", pairs=len(found.pairs), left_out=left_out)


def parquet_of(pairs: Sequence[ExportPair], artifacts: ArtifactStore) -> bytes:
    """A file of pairs, with checksums of its pages."""
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, SCHEMA, compression="zstd", write_page_checksum=True, store_schema=True) as writer:
        for start in range(0, len(pairs), ROWS_PER_GROUP):
            rows = [_row(pair, artifacts) for pair in pairs[start : start + ROWS_PER_GROUP]]
            writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
    return buffer.getvalue()


def _row(pair: ExportPair, artifacts: ArtifactStore) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(pair, name) for name in _PAIR if name != "scores"}
    scores = [[one.name, one.value, one.producer, one.reason] for one in pair.scores]
    row["scores"] = json.dumps(scores, ensure_ascii=False, allow_nan=False)
    for name, side in zip(SIDES, (pair.target, pair.reference), strict=True):
        row[name] = {"bytes": artifacts.get(side.crop), "path": side.crop} if side.crop else None
        row |= {f"{name}_{field}": value for field, value in _side(side)}
    return {name: _plain(value) for name, value in row.items()}


def _side(side: ExportSide) -> Iterator[tuple[str, Any]]:
    told = origin_of(side)
    mask = side.mask
    for field in _SIDE:
        match field:
            case "mask_rle":
                yield field, mask.counts if mask else None
            case "mask_height" | "mask_width":
                yield field, getattr(mask, field.removeprefix("mask_")) if mask else None
            case "box":
                yield field, list(side.box)
            case _:
                yield field, told[field] if field in told else getattr(side, field)


def _plain(value: Any) -> Any:
    """Text that is UTF-8: file names that are not get escapes."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _schema() -> pa.Schema:
    fields = {**_PAIR, **dict.fromkeys(SIDES, _IMAGE)}
    fields |= {f"{side}_{name}": kind for side in SIDES for name, kind in _SIDE.items()}
    features = {name: _feature(kind) for name, kind in fields.items()}
    told = json.dumps({"info": {"features": features}}, sort_keys=True)
    return pa.schema(list(fields.items()), metadata={"huggingface": told})


def _feature(kind: pa.DataType) -> dict[str, Any]:
    """What `datasets` calls a column's type; pictures are no Arrow type and need it."""
    if kind == _IMAGE:
        return {"_type": "Image"}
    if pa.types.is_list(kind):
        return {"_type": "List", "feature": _feature(kind.value_type)}
    names = {pa.float64(): "float64", pa.int64(): "int64", pa.int32(): "int32", pa.bool_(): "bool", pa.string(): "string"}
    return {"_type": "Value", "dtype": names[kind]}


SCHEMA = _schema()


def _head(parts: Sequence[str]) -> str:
    """The header of a dataset card on the hub: which files are which split."""
    lines = ["---", "configs:", "- config_name: default", "  data_files:"]
    for part in parts:
        lines += [f"  - split: {part}", f"    path: data/{part}-*.parquet"]
    return "\n".join([*lines, "---", "", ""])
