"""Where a secret lies: in every file below a folder, as it is, as others spell it, and inside of what is packed."""

import base64
import gzip
import io
import json
import urllib.parse
import zipfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq


def leaks(secret: str, *folders: Path, texts: dict[str, str] | None = None) -> list[str]:
    """Files, tables and texts (by name) that hold the secret or most of it."""
    found = {name for name, text in (texts or {}).items() if _holds(text.encode("utf-8", "replace"), secret)}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                found |= {str(path) for data in _contents(path) if _holds(data, secret)}
    return sorted(found)


def _holds(data: bytes, secret: str) -> bool:
    return any(spelled in data for spelled in spellings(secret))


def spellings(secret: str) -> set[bytes]:
    """The secret, its longer half (what is left where a text was cut), and what encodings make of both."""
    found: set[bytes] = set()
    for text in (secret, secret[: 2 * len(secret) // 3]):
        found |= {text.encode(name) for name in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le")}
        found |= {urllib.parse.quote(text, safe="").encode(), json.dumps(text)[1:-1].replace("/", "\\/").encode()}
        found |= {text.encode().hex().encode(), "".join(f"\\u{ord(letter):04x}" for letter in text).encode()}
        for shift in range(3):  # base64 of a longer text that holds it
            found.add(base64.b64encode(b"x" * shift + text.encode())[4:-4])
    return found


def _contents(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield data
    if data[:4] == b"PAR1":
        yield repr(pq.read_table(path).to_pylist()).encode("utf-8", "replace")
    elif data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    elif data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                member = archive.read(name)
                yield member
                if name.endswith(".npy"):
                    yield repr(np.load(io.BytesIO(member)).tolist()).encode("utf-8", "replace")
    elif path.suffix == ".duckdb":
        yield from _tables(path)


def _tables(path: Path) -> Iterator[bytes]:
    """Columns are packed in the file; its rows say what stands there."""
    with duckdb.connect(str(path), read_only=True) as connection:
        for schema, name in connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
        ).fetchall():
            rows = connection.execute(f'SELECT * FROM "{schema}"."{name}"').fetchall()
            yield repr(rows).encode("utf-8", "replace")
