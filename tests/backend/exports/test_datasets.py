"""`export datasets`: Parquet as pyarrow and Hugging Face's package read it."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from backend.exports.datasets import ExportDatasets, parquet_of
from backend.exports.rows import ExportRows
from tests.backend.exports.made_pairs import ABOUT, made_pair, made_video, store

NUM = 6


def export(folder: Path, *, split: str = "") -> Path:
    artifacts = store(folder)
    picture = io.BytesIO()
    Image.new("RGBA", (7, 5), (1, 2, 3, 4)).save(picture, "PNG")
    crop = artifacts.put(picture.getvalue(), "png")
    pairs = [made_pair(2 * n, 2 * n + 1, None) for n in range(NUM)]
    pairs = [replace(pair, target=replace(pair.target, crop=crop)) for pair in pairs]
    videos = [made_video(n) for n in range(2 * NUM)]
    about = replace(ABOUT, split=split)
    ExportDatasets().write(ExportRows(pairs=pairs, videos=videos, about=about), out=folder / "out", artifacts=artifacts)
    return folder / "out"


def test_a_row_holds_the_pair_with_its_picture_and_both_origins(tmp_path: Path) -> None:
    table = pq.read_table(export(tmp_path) / "data" / "train-00000-of-00001.parquet")
    assert table.num_rows == NUM
    row = table.to_pylist()[1]
    assert (row["pair_id"], row["verdict"], row["is_living"]) == ("pair_002_003", "same", True)
    assert Image.open(io.BytesIO(row["target"]["bytes"])).getpixel((6, 4)) == (1, 2, 3, 4)
    assert row["reference"] is None, "it has no cut-out"
    assert (row["target_frame"], row["reference_frame"], row["target_box"]) == (12, 36, [12.0, 100.0, 212.0, 300.0])
    assert (row["reference_licence"], row["reference_attribution"]) == ("CC-BY-4.0", "A. [Maker]")
    assert row["target_terms"] == ["attribution"]
    assert json.loads(row["scores"])[1] == ["face_similarity", None, "embed_faces/1", "no face"]


def test_the_card_names_the_files_of_each_split(tmp_path: Path) -> None:
    out = export(tmp_path, split="train=.5,test=.5")
    head = yaml.safe_load((out / "README.md").read_text().split("---\n")[1])
    files = head["configs"][0]["data_files"]
    assert [one["split"] for one in files] == sorted({one["split"] for one in files})
    found = {one["split"]: sum(pq.read_metadata(path).num_rows for path in out.glob(one["path"])) for one in files}
    assert found == json.loads((out / "about.json").read_text())["num_pairs_by_split"]
    assert sum(found.values()) == NUM


def test_a_flipped_byte_of_a_page_is_seen(tmp_path: Path) -> None:
    data = bytearray(parquet_of([made_pair(0, 1, None)], store(tmp_path)))
    pq.read_table(io.BytesIO(bytes(data)), page_checksum_verification=True)
    column = pq.ParquetFile(io.BytesIO(bytes(data))).metadata.row_group(0).column(0)
    start, size = column.dictionary_page_offset or column.data_page_offset, column.total_compressed_size
    data[start + size - 1] ^= 1
    with pytest.raises(OSError, match="could not verify page integrity"):
        pq.read_table(io.BytesIO(bytes(data)), page_checksum_verification=True)


@pytest.mark.slow
def test_load_dataset_reads_folder_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    datasets = pytest.importorskip("datasets")
    out, cache = export(tmp_path), str(tmp_path / "cache")
    found = datasets.load_dataset("parquet", data_files={"train": str(out / "data" / "*.parquet")}, cache_dir=cache)
    row = found["train"][0]
    assert row["target"].size == (7, 5)
    assert row["target_terms"] == ["attribution"]
    whole = datasets.load_dataset(str(out), cache_dir=cache)
    assert (list(whole), whole["train"].num_rows) == (["train"], NUM)
