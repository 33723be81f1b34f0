"""`import vectors`: embeddings that were computed elsewhere, laid beside the pictures that they are of (docs/formats.md).

The layout is that of clip-retrieval: an array of N rows, and a table of N rows that names the pictures.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.domain import ImportRefused
from backend.exports.beside import Faults, Files, write_beside
from backend.exports.table_rows import file_names
from backend.stages.given_vectors import ENDING

MOST_NUMBERS = 8192
"""Of a vector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorsTaken:
    """What an array gave: the pictures that have a vector beside them now."""

    pictures: tuple[Path, ...]
    rows: int
    written: int
    """Sidecars that are new or changed."""
    waiting: int
    """Rows whose picture is not here."""
    faults: tuple[str, ...] = ()


def take_vectors(array: Path, names: Path, pictures: Path, *, column: str, model: str) -> VectorsTaken:
    """Writes each row's unit vector beside its picture below `pictures`, as one of space `appearance` by `model`.

    `array` is .npy of floats `(N, D)`, read as it is mapped; row i is of the picture that row i of table `names` has in `column`.
    Raises ImportRefused for another array or table, or where their lengths differ, in which case nothing is written.
    """
    if not pictures.is_dir():
        raise ImportRefused(f"{pictures} is no folder; name the one that holds the pictures with --pictures")
    vectors = _mapped(array)
    listed = list(file_names(names, column))
    if len(listed) != len(vectors):
        raise ImportRefused(f"{array} has {len(vectors)} rows, {names} has {len(listed)}; they must be of one export")
    here, faults = Files(pictures), Faults()
    found: dict[Path, None] = {}
    written = waiting = 0
    for number, (name, row) in enumerate(zip(listed, vectors, strict=True), start=1):
        picture = here.find(name) if name else None
        if picture is None:
            waiting += 1
            continue
        vector = np.asarray(row, np.float64)
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length == 0:
            faults.add(f"{array.name}, row {number}: the vector of {picture.name} is zero or no number")
            continue
        if picture in found:
            faults.add(f"{names.name}, row {number}: {picture.name} has a vector already; the first is kept")
            continue
        told = [float(f"{value:.9g}") for value in (vector / length).astype(np.float32)]
        document = {"file": picture.name, "space": "appearance", "model": model, "vector": told}
        written += write_beside(picture, ENDING, document)
        found[picture] = None
    return VectorsTaken(pictures=tuple(found), rows=len(listed), written=written, waiting=waiting, faults=faults.told())


def _mapped(path: Path) -> np.ndarray:
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error}; give an array of floats (N, D) in .npy") from error
    except (ValueError, EOFError, SyntaxError):  # of objects, numpy's advice would be to load code
        raise ImportRefused(f"{path} cannot be read as .npy of numbers; give an array of floats (N, D)") from None
    if (
        not isinstance(vectors, np.ndarray)
        or vectors.ndim != 2
        or vectors.dtype.kind != "f"
        or not 0 < vectors.shape[1] <= MOST_NUMBERS
    ):
        shape = getattr(vectors, "shape", "several arrays")
        raise ImportRefused(f"{path} holds {shape}; give one array of floats (N, D), D at most {MOST_NUMBERS}")
    return vectors
