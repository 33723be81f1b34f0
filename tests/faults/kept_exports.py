"""Exports as their readers read them: the list of checksums first, as each README says, then the content."""

import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from backend.cli.label_studio import _remember, _remembered
from backend.domain import VERIFY_STUDY, StoreError
from backend.engine.context import load
from backend.exports import EXPORTS
from backend.exports.label_studio import PushedTrial
from backend.exports.rows import ExportRows
from tests.backend.exports.made_pairs import ABOUT, film_pair, film_sample, made_clip, made_films, store
from tests.faults.flips import Read
from tests.faults.kept_files import Kind

LIST = "MANIFEST.sha256"
SERVER = "http://127.0.0.1:8080"


def maker(name: str) -> Callable[[Path], object]:
    """Writes an export of one pair in a format."""

    def make(folder: Path) -> object:
        films = made_films(folder.with_name(f"{folder.name} films"), 2)
        artifacts = store(folder.with_name(f"{folder.name} store"))
        pair = film_pair(films[0], films[1], artifacts)
        clips = [made_clip(film, artifacts) for film in films]
        rows = ExportRows(pairs=[pair], videos=films, about=ABOUT, samples=[film_sample(pair)], clips=clips)
        return load(EXPORTS[name])().write(rows, out=folder, artifacts=artifacts)

    return make


def checked(read: Read) -> Read:
    """Reads after `sha256sum -c`, as a README tells whoever takes an export in."""

    def look(folder: Path) -> object:
        listed = ["sha256sum", "-c", "--quiet", "--strict", LIST]
        if subprocess.run(listed, cwd=folder, check=False, capture_output=True).returncode:
            raise StoreError(f"{folder} is not what {LIST} lists; export again")
        return read(folder)

    return look


def read_webdataset(folder: Path) -> object:
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*.tar")):
        with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as shard:
            found |= {member.name: taken.read() for member in shard if (taken := shard.extractfile(member)) is not None}
    return found, json_of(folder)


def read_datasets(folder: Path) -> object:
    return {path.name: pq.read_table(path).to_pylist() for path in folder.rglob("*.parquet")}, json_of(folder)


def read_plain(folder: Path) -> object:
    """JSON, lines of JSON, pictures."""
    return json_of(folder), {
        path.name: path.read_bytes() for path in folder.rglob("*") if path.suffix in (".png", ".jpg", ".mp4")
    }


def json_of(folder: Path) -> dict[str, Any]:
    documents = {str(path.relative_to(folder)): json.loads(path.read_bytes()) for path in folder.rglob("*.json")}
    lines = {
        str(path.relative_to(folder)): [json.loads(line) for line in path.read_bytes().splitlines()]
        for path in folder.rglob("*.jsonl")
    }
    return documents | lines


def careless(read: Read) -> Read:
    """Reads without looking at any checksum; what then cannot be parsed is noticed all the same."""

    def look(folder: Path) -> object:
        try:
            return read(folder)
        except Exception as error:
            raise StoreError(f"cannot be parsed: {error}") from error

    return look


READS = {
    "opens2v": read_plain,
    "webdataset": read_webdataset,
    "datasets": read_datasets,
    "coco": read_plain,
    "phantom": read_plain,
}


def make_pushed(folder: Path) -> None:
    """What was pushed to Label Studio, which says what a token there stands for here."""
    trials = [
        PushedTrial(
            token=f"t{n}", study_id=VERIFY_STUDY, item_id=f"pair_{n}", trial_id="", form="identity", shown=("target",)
        )
        for n in range(9)
    ]
    _remember(folder, SERVER, 3, trials, is_whole=True)


def read_pushed(folder: Path) -> object:
    return _remembered(folder, SERVER, 3)


def careless_pushed(folder: Path) -> object:
    """As earlier versions wrote it, without a checksum."""
    for path in (folder / "index").iterdir():
        path.write_text(json.dumps(careless(lambda _, path=path: json.loads(path.read_bytes())["trials"])(path)))
    return read_pushed(folder)


EXPORTED: dict[str, Kind] = {
    f"export as {name}": Kind(maker(name), checked(read), careless(read), "export again", slow=True)
    for name, read in READS.items()
} | {"pushed to Label Studio": Kind(make_pushed, read_pushed, careless_pushed, "push again")}
