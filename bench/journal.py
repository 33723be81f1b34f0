"""How fast people's answers and machines' files reach the disk, and how fast a journal is read again."""

import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from backend.domain import Vote
from backend.store.artifacts import Artifacts
from backend.store.journal import Journal
from backend.store.journal_schema import vote_of
from studio.outbox import Outbox, send_pending

NUM_SINGLE = 300
NUM_CALLERS = 32
NUM_EACH = 40
NUM_READ = 50_000
NUM_PUT = 500
CROP_BYTES = 20_000  # a 128 x 128 RGBA crop as PNG
NUM_CROPS = 500


def run(folder: Path | None = None) -> list[dict]:
    """One row per figure: `area`, `name`, `value`, `unit`, `target` (None where there is none).

    Works in a new folder below `folder` (the system's temporary folder when not given); the first row tells what
    the disk below it can do.
    """
    with tempfile.TemporaryDirectory(dir=folder) as name:
        root = Path(name)
        return [_row("disk: synced 4 KiB writes", _syncs(root), "1/s"), *_journal(root), *_outbox(root), *_artifacts(root)]


def _journal(root: Path) -> list[dict]:
    with Journal(root / "journal.sqlite") as journal:
        single = _rate(lambda: [journal.append_votes([_vote(f"s{n}")]) for n in range(NUM_SINGLE)], NUM_SINGLE)
        groups = journal.num_groups
        grouped = _rate(lambda: _callers(journal), NUM_CALLERS * NUM_EACH)
        groups = journal.num_groups - groups
        batched = _rate(lambda: _fill(journal), NUM_READ)
        total = journal.head().seq
        rebuilt = _rate(lambda: sum(vote_of(event).rev for event in journal.stream()), total)
        verified = _rate(journal.verify_chain, total)
    started = time.perf_counter()
    Journal(root / "journal.sqlite").close()
    opening = time.perf_counter() - started
    return [
        _row("durable votes, one caller", single, "votes/s"),
        _row(f"durable votes, {NUM_CALLERS} callers", grouped, "votes/s", target=500.0),
        _row("votes in one commit", NUM_CALLERS * NUM_EACH / groups, "votes"),
        _row("durable votes, 500 a call", batched, "votes/s"),
        _row("votes read for a rebuild", rebuilt, "votes/s", target=66_667.0),  # 1 M in 15 s
        _row("hashes recomputed by verify", verified, "events/s"),
        _row(f"opening and closing with {total} events", opening * 1000, "ms"),
    ]


def _outbox(root: Path) -> list[dict]:
    waits_ms: list[float] = []
    with Outbox(root / "outbox.sqlite") as outbox, Journal(root / "service.sqlite") as journal:
        for n in range(NUM_PUT):
            started = time.perf_counter()
            outbox.put(_vote(f"o{n}"))
            waits_ms.append((time.perf_counter() - started) * 1000)

        def empty() -> None:
            while send_pending(outbox, journal.append_votes):
                pass

        synced = _rate(empty, NUM_PUT)
    waits_ms.sort()
    return [
        _row("outbox put, median", waits_ms[NUM_PUT // 2], "ms"),
        _row("outbox put, 99th percentile", waits_ms[NUM_PUT * 99 // 100], "ms", target=50.0),
        _row("votes synced from a full outbox", synced, "votes/s", target=166.7),  # 10,000 in a minute
    ]


def _artifacts(root: Path) -> list[dict]:
    durable, quick = Artifacts(root / "artifacts"), Artifacts(root / "artifacts", durable=False)
    names: list[str] = []
    crops = _crops()
    one = _rate(lambda: [durable.put(data, suffix) for data, suffix in crops], NUM_CROPS)
    crops = _crops()
    worker = _rate(lambda: names.extend(quick.put(data, suffix) for data, suffix in crops), NUM_CROPS)
    settled = _rate(lambda: durable.settle(names), NUM_CROPS)
    crops = _crops()
    many = _rate(lambda: durable.put_many(crops), NUM_CROPS)
    known = _rate(lambda: quick.put_many(crops), NUM_CROPS)
    verified = _rate(durable.verify_all, 3 * NUM_CROPS)
    return [
        _row("artifacts put, each on the disk", one, "files/s"),
        _row("artifacts put by a worker", worker, "files/s"),
        _row("artifacts settled by the owner", settled, "files/s"),
        _row("artifacts put as one batch", many, "files/s"),
        _row("artifacts known already", known, "files/s"),
        _row("artifacts verified", verified, "files/s"),
    ]


def _syncs(root: Path) -> float:
    fd = os.open(root / "probe", os.O_RDWR | os.O_CREAT)
    os.pwrite(fd, bytes(4096), 0)
    os.fsync(fd)

    def write_and_sync() -> None:
        for _ in range(100):
            os.pwrite(fd, secrets.token_bytes(4096), 0)
            os.fdatasync(fd)

    rate = _rate(write_and_sync, 100)
    os.close(fd)
    return rate


def _callers(journal: Journal) -> None:
    def send(caller: int) -> None:
        for n in range(NUM_EACH):
            journal.append_votes([_vote(f"c{caller}-{n}")])

    callers = [threading.Thread(target=send, args=(caller,)) for caller in range(NUM_CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()


def _fill(journal: Journal) -> None:
    for start in range(0, NUM_READ, 500):
        journal.append_votes([_vote(f"f{n}") for n in range(start, start + 500)])


def _crops() -> list[tuple[bytes, str]]:
    return [(secrets.token_bytes(CROP_BYTES), "png") for _ in range(NUM_CROPS)]


def _vote(name: str) -> Vote:
    return Vote(
        id=name,
        rev=1,
        study_id="verify",
        trial_id="trial_0123456789abcdef0123",
        item_id="pair_0123456789abcdef0123",
        rater="ann",
        rater_kind="person",
        question="identity",
        choice="same",
        shown_order=("target", "reference"),
        visible_ms=2300,
        made_at="2026-03-01T12:00:00Z",
    )


def _rate(work: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


def _row(name: str, value: float, unit: str, *, target: float | None = None) -> dict:
    return {"area": "storage", "name": name, "value": round(value, 1), "unit": unit, "target": target}
