"""Every kind of file that a project keeps: how a sound one is made, and how the product reads and checks it."""

import contextlib
import io
import json
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backend.domain import Absent, Case, Receipt, StoreError, Vote
from backend.domain.calibration import MetricCalibration, MetricFit, MetricWeight
from backend.domain.studies import Estimate
from backend.exports.reader import ManifestReader, read_manifest
from backend.media.images import encode_jpeg, encode_png
from backend.models.kept_answers import AnswerFolder
from backend.settings import ProjectSettings, changed_outside, read_settings, write_settings
from backend.store.artifacts import Artifacts
from backend.store.backups import backup_project, read_table, verify_backup
from backend.store.banks import BankContent, check_generation, open_bank
from backend.store.banks_index import IndexSettings
from backend.store.catalog import Catalog, Work
from backend.store.checksums import LIST
from backend.store.journal import Journal
from backend.store.journal_reader import JournalReader
from backend.store.journal_schema import Event
from backend.store.secret_file import secret_of_file
from bench.clustered import clustered
from metrics.calibration_file import read_calibration, write_calibration
from metrics.score_files import read_scores, write_scores
from metrics.store import FeatureStore
from studio.outbox import Outbox
from tests.faults.flips import Read
from tests.training.made_export import made_export

MESSAGE = "kept with forty others"  # of each row of the catalog
HEADER_BYTES, BLOCK_BYTES = 4096, 262_144  # of a file of DuckDB


@dataclass(frozen=True, slots=True)
class Kind:
    """`make` fills an empty folder, `read` gives its content, `careless` does so without looking at any checksum.

    None where others' code reads the file and looks at checksums of its own.
    """

    make: Callable[[Path], object]
    read: Read
    careless: Read | None
    advice: str
    """What every sentence about damage says to do, as a regular expression."""
    files: str = "**/*"
    slow: bool = False
    apart: bool = False
    """Whether code of others reads it before any checksum is looked at, so that a process of its own must do so."""


def events(first: int, last: int) -> list[Event]:
    return [Event(kind="note", id=f"n{n}", actor="ann", body={"n": n, "text": "x" * (n % 40)}) for n in range(first, last)]


def make_artifacts(folder: Path) -> None:
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 255, (24, 24, 3), np.uint8)
    arrays = io.BytesIO()
    np.savez(arrays, allow_pickle=False, frame=np.arange(50), value=rng.random(50))
    mask = json.dumps({"height": 24, "width": 24, "counts": "0a1b" * 9}).encode()
    store = Artifacts(folder, durable=False)
    store.put_many(
        [(encode_jpeg(picture), "jpg"), (encode_png(picture), "png"), (arrays.getvalue(), "npz"), (mask, "json")]
    )


def read_artifacts(folder: Path) -> object:
    store = Artifacts(folder)
    found = {name: store.get(name) for name in sorted(store.names())}
    assert not store.verify_all(), "what `get` gives, `verify` passes"
    return found


def careless_artifacts(folder: Path) -> object:
    store = Artifacts(folder)
    return {name: store.path(name).read_bytes() for name in sorted(store.names())}


def make_bank(folder: Path) -> None:
    vectors = clustered(3000, identities=600, categories=12, length=64, seed=0)
    content = BankContent(vectors, pa.table({"row": np.arange(len(vectors))}))
    open_bank(folder, "g", lambda: content, settings=IndexSettings(least_rows=500, sample=128))


def read_bank(folder: Path) -> object:
    (place,) = (path for path in folder.iterdir() if path.is_dir())
    if problem := check_generation(place):
        raise StoreError(problem)
    return careless_bank(folder)


def careless_bank(folder: Path) -> object:
    (place,) = (path for path in folder.iterdir() if path.is_dir())
    return np.load(place / "vectors.npy").tobytes(), (place / "index.faiss").read_bytes()


def read_export(folder: Path) -> object:
    return _exported(read_manifest(folder / "export"))


def careless_export(folder: Path) -> object:
    return _exported(read_manifest(folder / "export", verify=False))


def _exported(reader: ManifestReader) -> object:
    pictures = sorted({pair.reference.crop for pair in reader.pairs() if pair.reference.crop})
    return [*reader.pairs(), *reader.samples(), *reader.videos(), *(reader.artifact(p).read_bytes() for p in pictures)]


def make_backup(folder: Path) -> None:
    project = folder.with_name(f"{folder.name} project")
    project.mkdir()
    (project / "project.toml").write_text('profile = "embedded"\n')
    with Journal(project / "journal.sqlite") as journal:
        journal.append(events(0, 60))
    clips = pa.table({"id": [f"clip_{n}" for n in range(500)], "start": list(range(500))})
    backup_project(project, folder / "backup", {"clip": clips})


def read_backup(folder: Path) -> object:
    found = verify_backup(folder / "backup")
    with JournalReader(found.path / "journal.sqlite") as journal:
        said = list(journal.stream())
    return said, [read_table(path) for path in found.tables.values()], (found.path / "project.toml").read_text()


def careless_backup(folder: Path) -> object:
    connection = sqlite3.connect(folder / "backup" / "journal.sqlite")
    said = connection.execute("select * from events").fetchall()
    connection.close()
    return said, pq.read_table(folder / "backup" / "catalog" / "clip.parquet")


def make_catalog(folder: Path) -> None:
    """As a killed owner leaves it: half of the transactions in the file, half in the log."""
    live = folder.with_name(f"{folder.name} live")
    live.mkdir()
    folder.mkdir()
    with contextlib.closing(Catalog(live / "catalog.duckdb")) as catalog:
        for n in range(40):
            work = [
                Work(
                    work_key=f"k{n}-{i}",
                    stage="s",
                    stage_key="k",
                    item_id=f"clip_{i}" * (n % 5),
                    state="ok",
                    message=MESSAGE,
                )
                for i in range(5)
            ]
            catalog.commit(work, {})
            if n == 20:
                catalog.checkpoint()
        for path in live.iterdir():
            shutil.copyfile(path, folder / path.name)


def read_catalog(folder: Path) -> object:
    with contextlib.closing(Catalog(folder / "catalog.duckdb")) as catalog:
        if problems := catalog.problems():
            raise StoreError(problems[0])
        return {name: sorted(map(str, table.to_pylist())) for name, table in catalog.tables().items()}


def careless_catalog(folder: Path) -> object:
    with duckdb.connect(str(folder / "catalog.duckdb")) as connection:
        return sorted(connection.execute("SELECT * FROM work").fetchall())


def flip_with_checksums(folder: Path, word: bytes) -> None:
    """Turns a bit of a word of the catalog over, and makes the checksums of its blocks fit what stands there then."""
    path = folder / "catalog.duckdb"
    content = bytearray(path.read_bytes())
    content[content.index(word)] ^= 1
    for start, stop in blocks_of(len(content)):
        content[start : start + 8] = block_checksum(bytes(content[start + 8 : stop]))
    path.write_bytes(content)


def blocks_of(size: int) -> list[tuple[int, int]]:
    """Where DuckDB's three headers and its blocks lie in a file, half-open; each begins with a checksum of eight bytes."""
    bounds = [*range(0, 3 * HEADER_BYTES, HEADER_BYTES), *range(3 * HEADER_BYTES, size, BLOCK_BYTES), size]
    return list(pairwise(bounds))


def block_checksum(content: bytes) -> bytes:
    """DuckDB's checksum of a block (`src/common/checksum.cpp`): its words, multiplied, in an exclusive or."""
    words = np.frombuffer(content, "<u8") * np.uint64(0xBF58476D1CE4E5B9)
    return (np.bitwise_xor.reduce(words) ^ np.uint64(5381)).tobytes()


def careless_outbox(folder: Path) -> object:
    connection = sqlite3.connect(folder / "outbox.sqlite")
    said = connection.execute("select id, rev, vote, state from votes order by n").fetchall()
    connection.close()
    return said


def make_settings(folder: Path) -> None:
    folder.mkdir()
    gates = {"pair.similarity.min": 0.725, "clip.aesthetic.min": 4.5}
    write_settings(folder / "project.toml", ProjectSettings(seed=1234, workers=3, gates=gates, preview_gib=2.5))


def read_project(folder: Path) -> object:
    if changed := changed_outside(folder / "project.toml"):
        raise StoreError(changed)
    return careless_project(folder)


def careless_project(folder: Path) -> object:
    return read_settings(folder / "project.toml")


def make_calibration(folder: Path, *, version: int = 1) -> None:
    known = Estimate(value=0.75, low=0.5, high=0.875)
    weights = [
        MetricWeight(
            metric=f"m{n}", title=f"M{n}", version=1, weight=replace(known, value=0.25), raw=(0.1, 0.9), scaled=(0.0, 1.0)
        )
        for n in range(4)
    ]
    fit = MetricFit(domain="", pairs=120, prompts=40, votes=360, incomplete=2, weights=tuple(weights), temperature=known)
    write_calibration(
        MetricCalibration(
            name="ours",
            version=version,
            made_at="2026-01-02T03:04:05Z",
            study="pilot",
            aspect="overall",
            data_hash="ab" * 16,
            scaling="linear",
            folds=5,
            ridge=0.1,
            draws=100,
            seed=7,
            chance_with_ties=0.4,
            ceiling=known,
            majority=known,
            metrics=(),
            fits=(fit,),
        ),
        folder / "calibration.json",
    )


def read_calibrated(folder: Path) -> MetricCalibration:
    return read_calibration(folder / "calibration.json")


def careless_calibration(folder: Path) -> object:
    path = folder / "calibration.json"
    said = json.loads(path.read_text())
    said.pop("checksum", None)
    path.write_text(json.dumps(said))
    return read_calibration(path)


CASES = [Case(benchmark="b", name=f"case_{n}", prompt="p", category="c", domain="open") for n in range(9)]


@dataclass(frozen=True, slots=True)
class Scored:
    case_id: str
    seed: int
    metric: str
    value: float | None


def make_scores(folder: Path) -> None:
    rows = [
        Scored(case.name, 0, metric, 0.125 * n + 0.0625)
        for n, case in enumerate(CASES)
        for metric in ("gmescore", "aesthetic_opens2v_compat", "nexus_compat")
    ]
    write_scores("opens2v-scores", rows, str(folder), name="ours", cases=CASES)


def read_exported_scores(folder: Path) -> object:
    found = read_scores("opens2v-scores", str(folder), CASES)
    return sorted((one.case, one.metric, one.value) for one in found.scores), found.remarks


def careless_scores(folder: Path) -> object:
    (folder / LIST).unlink()
    return read_exported_scores(folder)


def make_outbox(folder: Path) -> None:
    folder.mkdir()
    with Outbox(folder / "outbox.sqlite") as outbox:
        for n in range(60):
            outbox.put(vote(n))
            if n < 30:
                outbox.mark_sent(f"v{n}", 0, Receipt(id=f"v{n}", rev=0, seq=n + 1, hash="f" * 64, applied=True))


def vote(n: int) -> Vote:
    return Vote(
        id=f"v{n}",
        rev=0,
        study_id="verify",
        trial_id=f"t{n}",
        item_id=f"pair_{n}",
        rater="ann",
        rater_kind="person",
        question="same",
        choice="same" if n % 3 else "different",
    )


def make_killed_outbox(folder: Path) -> None:
    """As a killed Studio leaves it: some of the votes in the file, the others in its log."""
    live = folder.with_name(f"{folder.name} live")
    make_outbox(live)
    folder.mkdir()
    with Outbox(live / "outbox.sqlite") as outbox:
        for n in range(60, 100):
            outbox.put(vote(n))
        for path in live.iterdir():
            if path.suffix != ".sqlite-shm":
                shutil.copyfile(path, folder / path.name)


def read_outbox(folder: Path) -> object:
    with Outbox(folder / "outbox.sqlite") as outbox:
        return outbox.unsent(1000), outbox.sent(1000), outbox.refused(), asdict(outbox.counts())


def make_key(folder: Path) -> None:
    folder.mkdir()
    secret_of_file(folder / "studies.key")


def read_key(folder: Path) -> object:
    return secret_of_file(folder / "studies.key")


def careless_key(folder: Path) -> object:
    path = folder / "studies.key"
    path.write_bytes(path.read_bytes()[:32])  # as earlier versions wrote it
    return secret_of_file(path)


def make_answers(folder: Path) -> None:
    store = AnswerFolder(folder)
    for n in range(6):
        told = {"score": n + 0.5, "raw": f'{{"score": {n}.5}}', "reason": "", "model": "m-1", "repeat": 0}
        store.put(f"{n:02d}ab", told)


def read_answers(folder: Path) -> object:
    """What is kept; of what counts as absent, that it is asked for again."""
    kept = {n: AnswerFolder(folder).get(f"{n:02d}ab") for n in range(6)}
    if lost := [n for n, answer in kept.items() if answer is None]:
        raise StoreError(f"question {lost[0]} is asked again")
    return kept


def careless_answers(folder: Path) -> object:
    for path in folder.rglob("*.json"):
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            path.write_text(json.dumps(json.loads(path.read_bytes()).get("answer")))
    return read_answers(folder)


def make_features(folder: Path) -> None:
    chance = np.random.default_rng(2)
    for n in range(4):
        FeatureStore(folder).put(f"{n:02d}ab", {"unit": chance.random((3, 8)), "frame": np.arange(n, n + 3)})
    FeatureStore(folder).put("09ab", Absent("no face in 16 frames"))


def read_features(folder: Path) -> object:
    """As `read_answers`, of what encoders saw."""
    kept = {n: FeatureStore(folder).get(f"{n:02d}ab") for n in (0, 1, 2, 3, 9)}
    if lost := [n for n, found in kept.items() if found is None]:
        raise StoreError(f"feature {lost[0]} is made again")
    return {
        n: found.reason
        if isinstance(found, Absent)
        else {name: (a.dtype, a.shape, a.tobytes()) for name, a in found.items()}
        for n, found in kept.items()
        if found is not None
    }


def careless_features(folder: Path) -> object:
    """Neither the digest at the end nor the archive's own checksums are looked at."""
    kept: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*.npz")):
        with zipfile.ZipFile(io.BytesIO(path.read_bytes()[:-40])) as archive:
            for member in archive.infolist():
                del member.CRC
                kept[f"{path.name} {member.filename}"] = archive.read(member)
    return kept


KINDS: dict[str, Kind] = {
    "catalog": Kind(make_catalog, read_catalog, None, r"run `studio-backend rebuild`", "catalog.*", slow=True, apart=True),
    "log of the catalog": Kind(
        make_catalog, read_catalog, careless_catalog, r"run `studio-backend rebuild`", "*.wal", slow=True, apart=True
    ),
    "artifacts": Kind(make_artifacts, read_artifacts, careless_artifacts, r"delete .* and run the stage|move it away"),
    "banks": Kind(make_bank, read_bank, careless_bank, r"bank .*(damaged|altered|manifest|missing)", slow=True),
    "outbox": Kind(make_killed_outbox, read_outbox, careless_outbox, "Keep the file for rescue"),
    "log of the outbox": Kind(make_killed_outbox, read_outbox, careless_outbox, "Keep the file for rescue", "*-wal"),
    "project.toml": Kind(
        make_settings,
        read_project,
        careless_project,
        "look through it, and run `studio-backend rebuild`|mend the line|did you mean|known|is ",
    ),
    "calibration": Kind(make_calibration, read_calibrated, careless_calibration, "calibrat"),
    "scores": Kind(make_scores, read_exported_scores, careless_scores, "export it again"),
    "export": Kind(
        made_export, read_export, careless_export, r"export again|export it again|no export", "export/**/*", slow=True
    ),
    "key of studies": Kind(make_key, read_key, careless_key, r"put a copy of your own|chmod 600"),
    "answers of judges": Kind(make_answers, read_answers, careless_answers, "asked again"),
    "features": Kind(make_features, read_features, careless_features, "made again"),
    "backup": Kind(make_backup, read_backup, careless_backup, r"another backup|restore|not a backup"),
}
