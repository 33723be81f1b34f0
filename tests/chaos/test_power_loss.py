"""Cuts of power while votes go from outbox to journal to catalog, simulated from every write and sync (tests.chaos.power)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.domain import StudioError
from backend.store.catalog import Catalog, CatalogDamaged, set_aside
from backend.store.journal import Journal
from backend.workspace.projection import Projection
from studio.outbox import Outbox
from tests.chaos.power import Step, cuts, files_of, laid_out, needs_strace, record
from tests.promises import Tally

pytestmark = [pytest.mark.slow, needs_strace]

REMADE_SHARE = 0.01
"""Most cuts after which DuckDB cannot read its file: amid a checkpoint it writes a block of metadata where the block lies."""

PROJECTING = """
import os, sys
from pathlib import Path
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.workspace.projection import Projection
from tests.chaos.killed_work import late_watermark, vote_of

folder = Path(sys.argv[1])
if sys.argv[2] == "apart":
    late_watermark()
journal, catalog = Journal(folder / "journal.sqlite"), Catalog(folder / "catalog.duckdb")
projection = Projection(journal, catalog)
for number in range(24):
    (receipt,) = journal.append_votes([vote_of(f"v{number}", "pair")])
    os.write(1, f"{receipt.seq} {receipt.hash}\\n".encode())
    projection.refresh()
    if number in (8, 19):
        catalog.checkpoint()
    if number == 14:
        catalog.rewrite()
os._exit(0)
"""

VOTING = """
import os, sys
from pathlib import Path
from backend.domain import Receipt
from studio.outbox import Outbox, send_pending
from tests.chaos.killed_work import vote_of

outbox = Outbox(Path(sys.argv[1]) / "outbox.sqlite")
outbox._connection.execute(f"pragma synchronous = {sys.argv[2]}")
outbox._connection.execute("pragma wal_autocheckpoint = 12")

def send(votes):
    return tuple(Receipt(id=vote.id, rev=vote.rev, seq=1, hash="0" * 64, applied=True) for vote in votes)

for number in range(60):
    outbox.put(vote_of(f"v{number}", "pair"))
    os.write(1, f"v{number}\\n".encode())
    if number % 4 == 3:
        send_pending(outbox, send)
os._exit(0)
"""


@pytest.fixture
def projected(tmp_path: Path) -> Iterator[dict[str, bytes]]:
    """An empty project's journal and catalog, as they lie on the disk."""
    folder = tmp_path / "run"
    folder.mkdir()
    Journal(folder / "journal.sqlite").close()
    Catalog(folder / "catalog.duckdb").close()
    yield files_of(folder)


@pytest.mark.promise(
    "After a cut of power the catalog, or one that is made again where it says that it cannot be read, catches up to exactly the journal: every vote with a receipt once",
    area="Durability",
    goal="0 lost, 0 doubled in 1,000 simulated cuts",
    control="tests/chaos/test_power_loss.py::test_the_simulation_sees_that_a_watermark_in_another_transaction_doubles_votes",
)
def test_the_catalog_catches_up_to_exactly_the_journal(
    tmp_path: Path, projected: dict[str, bytes], long: bool, tally: Tally
) -> None:
    steps = record(PROJECTING, tmp_path / "run", "")
    assert {step.what for step in steps} >= {"renamed", "gone", "sync", "said"}
    states = 1000 if long else 25
    remade: list[str] = []
    wrong = wrong_projections(steps, projected, states=states, remade=remade)
    tally.record(states, lost=len(wrong), note=f"{len(remade)} catalogs had to be made again")
    assert wrong == []
    assert len(remade) <= max(1, states * REMADE_SHARE)


def test_the_simulation_sees_that_a_watermark_in_another_transaction_doubles_votes(
    tmp_path: Path, projected: dict[str, bytes]
) -> None:
    steps = record(PROJECTING, tmp_path / "run", "apart")
    assert any("doubled" in found for found in wrong_projections(steps, projected, states=25))


@pytest.mark.promise(
    "A verdict that the screen moved on from is in Studio's outbox after a cut of power",
    area="Durability",
    goal="0 lost in 1,000 simulated cuts",
    control="tests/chaos/test_power_loss.py::test_the_simulation_sees_that_an_outbox_under_normal_loses_verdicts",
)
def test_no_verdict_is_lost_from_the_outbox(tmp_path: Path, long: bool, tally: Tally) -> None:
    states = 1000 if long else 40
    wrong = wrong_outboxes(tmp_path, synchronous="full", states=states)
    tally.record(states, lost=len(wrong))
    assert wrong == []


def test_the_simulation_sees_that_an_outbox_under_normal_loses_verdicts(tmp_path: Path) -> None:
    assert len(wrong_outboxes(tmp_path, synchronous="normal", states=40)) > 5


def wrong_projections(
    steps: list[Step], before: dict[str, bytes], *, states: int, remade: list[str] | None = None
) -> list[str]:
    """What was wrong with each disk: votes lost from the journal, or a catalog that did not catch up to it.

    `remade` gets what each catalog said that could not be read and was made again.
    """
    remade = [] if remade is None else remade
    return [found for files, said in cuts(steps, before, states=states) if (found := wrong_projection(files, said, remade))]


def wrong_projection(files: dict[str, bytes], said: list[str], remade: list[str]) -> str:
    with laid_out(files) as root:
        try:
            with Journal(root / "journal.sqlite") as journal:
                try:
                    catalog = Catalog(root / "catalog.duckdb", threads=1)
                except CatalogDamaged as damage:  # as `rebuild` does
                    remade.append(str(damage))
                    set_aside(root / "catalog.duckdb")
                    catalog = Catalog(root / "catalog.duckdb", threads=1)
                Projection(journal, catalog).refresh()
                stored = [(event.seq, event.hash) for event in journal.stream()]
                projected = [seq for (seq,) in catalog.query("SELECT seq FROM vote ORDER BY seq")]
                alarms = (*journal.verify_chain().problems, *catalog.problems())
                catalog.close()
        except StudioError as error:
            return str(error)
    if alarms:
        return alarms[0]
    lost = set(said) - {f"{seq} {digest}" for seq, digest in stored}
    if lost:
        return f"lost {len(lost)}"
    if len(set(projected)) < len(projected):
        return f"doubled {len(projected) - len(set(projected))}"
    return "" if projected == [seq for seq, _ in stored] else f"{len(projected)} of {len(stored)} are projected"


def wrong_outboxes(folder: Path, *, synchronous: str, states: int) -> list[str]:
    """How many verdicts each disk lacked, or why its outbox could not be opened."""
    run = folder / "run"
    run.mkdir()
    Outbox(run / "outbox.sqlite").close()
    before = files_of(run)
    wrong = []
    for files, said in cuts(record(VOTING, run, synchronous), before, states=states):
        with laid_out(files) as root:
            try:
                with Outbox(root / "outbox.sqlite") as outbox:
                    kept = {vote.id for vote in outbox.unsent(1000)} | {vote.id for vote, _ in outbox.sent(1000)}
                    wrong += [f"lost {len(set(said) - kept)}"] if set(said) - kept else []
            except StudioError as error:
                wrong.append(str(error))
    return wrong
