"""`import vectors`: rows of an array lie beside their pictures and take the embedder's place, or a sentence says why not."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backend.domain import Embedding, ImportRefused, Item, Mask, Ok, Source
from backend.exports.vector_import import take_vectors
from backend.geometry import rle
from backend.media.images import encode_png
from backend.models import MODELS
from backend.stages.given_vectors import ENDING
from backend.stages.picture_subjects import FindPictureSubjects
from backend.store.artifacts import Artifacts

MODEL = "clip:ViT-B-32@0123"


class Roles:
    """A context whose AppearanceEmbedder is of MODEL and fails when it is asked."""

    def __init__(self, root: Path) -> None:
        self.artifacts = Artifacts(root)

    def role(self, name: str) -> object:
        if name == "AppearanceEmbedder":
            return type("Refusing", (), {"space": "appearance", "model_id": MODEL})()
        assert name in ("BackgroundEmbedder", "FaceEmbedder"), f"{name} was asked of a picture that came with its vector"
        module, _, kind = MODELS[name]["embedded"].partition(":")
        return getattr(__import__(module, fromlist=[kind]), kind)()


def pictures(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        path = folder / "bank" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(np.random.default_rng(number).integers(0, 255, (40, 60, 3), np.uint8)))
    return folder / "bank"


def arrays(folder: Path, vectors: np.ndarray, names: list[str]) -> tuple[Path, Path]:
    np.save(folder / "img_emb_0.npy", vectors)
    pq.write_table(pa.table({"image_path": names, "caption": ["x"] * len(names)}), folder / "metadata_0.parquet")
    return folder / "img_emb_0.npy", folder / "metadata_0.parquet"


def found(path: Path, root: Path) -> Ok:
    source = Source(uri=str(path), num_bytes=1, modified_ns=1)
    (result,) = FindPictureSubjects()([Item(source.id, {Source: (source,)})], Roles(root))  # type: ignore[arg-type]
    assert isinstance(result, Ok), result
    return result


def test_a_row_is_the_vector_of_its_picture(tmp_path: Path) -> None:
    bank = pictures(tmp_path, "0001.png", "sub/0002.png")
    given = np.array([[3, 4, 0], [0, 0, 2], [1, 1, 1]], np.float16)
    taken = take_vectors(
        *arrays(tmp_path, given, ["0001.png", "out/sub/0002.png", "gone.png"]), bank, column="image_path", model=MODEL
    )
    assert (taken.rows, len(taken.pictures), taken.written, taken.waiting, taken.faults) == (3, 2, 2, 1, ())
    result = found(bank / "0001.png", tmp_path / "artifacts")
    (vector,) = (row for row in result.rows if isinstance(row, Embedding) and row.space == "appearance")
    assert (vector.model, vector.vector.dtype) == (MODEL, np.float32)
    assert vector.vector == pytest.approx([0.6, 0.8, 0.0], abs=1e-7)
    (mask,) = (row for row in result.rows if isinstance(row, Mask))
    assert mask.author == "whole"
    assert rle.decode(mask.counts, 40, 60).all()
    again = take_vectors(*arrays(tmp_path, given[:1], ["0001.png"]), bank, column="image_path", model=MODEL)
    assert again.written == 0, "it says all of this already"


def test_a_vector_of_another_model_is_told_and_not_taken(tmp_path: Path) -> None:
    bank = pictures(tmp_path, "0001.png")
    take_vectors(*arrays(tmp_path, np.ones((1, 4)), ["0001.png"]), bank, column="image_path", model="another@1")
    with pytest.raises(AssertionError, match="Detector was asked"):
        found(bank / "0001.png", tmp_path / "artifacts")


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (
            '{"file": "a.png", "space": "appearance", "model": "other", "vector": [1.0]}',
            "is of other, the role is bound to",
        ),
        ('{"file": "a.png", "space": "appearance", "model": "MODEL", "vector": [2.0, 0.0]}', "no unit vector"),
        ('{"file": "a.png", "space": "appearance", "model": "MODEL", "vector": [NaN]}', "no unit vector"),
        ('{"file": "a.png", "space": "appearance", "model": "MODEL", "vector": "x"}', "ValueError"),
        ("[1, 2]", "TypeError"),
        ("no json", "JSONDecodeError"),
    ],
)
def test_what_is_no_vector_is_a_remark(tmp_path: Path, told: str, reason: str) -> None:
    from backend.stages.given_vectors import given_vector

    (tmp_path / f"a{ENDING}").write_text(told.replace("MODEL", MODEL))
    vector, remark = given_vector(tmp_path / "a.png", space="appearance", model=MODEL)
    assert vector is None
    assert reason in str(remark)


def test_arrays_and_tables_that_do_not_fit_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    bank = pictures(tmp_path, "0001.png")

    def refused(vectors: np.ndarray, names: list[str], *, column: str = "image_path") -> str:
        with pytest.raises(ImportRefused) as error:
            take_vectors(*arrays(tmp_path, vectors, names), bank, column=column, model=MODEL)
        return str(error.value)

    assert "has 2 rows" in refused(np.ones((2, 4)), ["0001.png"])
    assert "holds (4,)" in refused(np.ones(4), ["0001.png"])
    assert "holds (1, 4)" in refused(np.ones((1, 4), np.int64), ["0001.png"])
    assert "has no column 'path'; it has image_path, caption" in refused(np.ones((1, 4)), ["0001.png"], column="path")
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ImportRefused, match=r"cannot be read as \.npy"):
        take_vectors(tmp_path / "objects.npy", tmp_path / "metadata_0.parquet", bank, column="image_path", model=MODEL)
    assert not list(bank.rglob(f"*{ENDING}"))


def test_zero_numberless_and_doubled_rows_are_faults(tmp_path: Path) -> None:
    bank = pictures(tmp_path, "1.png", "2.png", "3.png")
    given = np.array([[0, 0], [np.nan, 1], [1, 0], [0, 1]])
    taken = take_vectors(
        *arrays(tmp_path, given, ["1.png", "2.png", "3.png", "3.png"]), bank, column="image_path", model=MODEL
    )
    assert [path.name for path in taken.pictures] == ["3.png"]
    assert [fault.split(":")[0] for fault in taken.faults] == [
        "img_emb_0.npy, row 1",
        "img_emb_0.npy, row 2",
        "metadata_0.parquet, row 4",
    ]
    assert json.loads((bank / f"3{ENDING}").read_text())["vector"] == [1.0, 0.0]
