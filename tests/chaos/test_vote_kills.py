"""kill -9 of a project's owner between any two steps of taking a vote: journal, commit, head, receipt, projection, checkpoint."""

import random
from pathlib import Path
from typing import Any

import pytest

from backend.domain import VERIFY_STUDY
from backend.store.catalog import Catalog
from backend.store.journal_reader import JournalReader
from tests.chaos import killed_work
from tests.chaos.killing import run, spread
from tests.promises import Tally

STAGES = {
    "before the journal": "sqlite insert into events",
    "before the commit": "sqlite commit",
    "after the commit, before the head": "pwrite",
    "before the receipt": "say str",
    "in the projection": 'duckdb insert into "watermark"',
    "before the projection's commit": "duckdb commit",
    "before a checkpoint": "duckdb checkpoint",
}
LONGEST_LIFE_S = 0.4


@pytest.mark.slow
@pytest.mark.promise(
    "A vote with a receipt survives kill -9 of the project's owner at every step from journal to checkpoint, once in journal and catalog",
    area="Durability",
    goal="0 lost, 0 doubled in 300 kills",
    control="tests/chaos/test_vote_kills.py::test_a_projector_with_its_watermark_in_another_transaction_doubles_votes",
    kills=(4, 300),
)
def test_kills_of_the_owner_lose_and_double_no_vote(memory: Path, long: bool, tally: Tally) -> None:
    project = killed_work.made(memory / "made")
    receipts = [*run(killed_work.vote, project, "whole", folder=project).said]
    steps = run(killed_work.vote, project, "again", folder=project).steps
    chance = random.Random(8)
    moments: list[dict[str, Any]] = [{"dies_before": 2, "named": stage} for stage in STAGES.values()]
    moments += [{"dies_before": number} for number in spread(steps, 90 if long else 2)]
    moments += [{"after_s": chance.uniform(0.02, LONGEST_LIFE_S)} for _ in range(300 if long else 2)]
    kills = 0
    for life, moment in enumerate(moments):
        ended = run(killed_work.vote, project, f"life-{life}", folder=project, **moment)
        receipts, kills = [*receipts, *ended.said], kills + ended.killed
    assert kills >= (300 if long else len(moments) * 0.8)
    lost, doubled = wrong_in(project, receipts)
    tally.record(kills, lost=lost + doubled, note=f"{len(receipts)} receipts")
    assert (lost, doubled) == (0, 0)
    workspace = killed_work.opened(project)
    assert workspace.verify().problems == ()
    workspace.close()
    assert not [path for path in project.rglob("*") if path.name.endswith((".new", ".unfinished", ".upgrading"))]


@pytest.mark.slow
def test_a_projector_with_its_watermark_in_another_transaction_doubles_votes(memory: Path) -> None:
    project = killed_work.made(memory / "made")
    run(killed_work.vote_with_late_watermark, project, "whole", folder=project)
    second = {"dies_before": 2, "named": 'duckdb insert into "watermark"'}
    assert run(killed_work.vote_with_late_watermark, project, "killed", folder=project, **second).killed
    assert wrong_in(project, [])[1] > 0


def wrong_in(project: Path, receipts: list[str]) -> tuple[int, int]:
    """Votes that have a receipt and are not in journal and catalog, and votes that stand there more than once."""
    workspace = killed_work.opened(project)
    counted = {vote.id for vote in workspace.votes(study_id=VERIFY_STUDY)}  # brings the catalog up to the journal
    workspace.close()
    with JournalReader(project / "journal.sqlite") as journal:
        said = [event.id for event in journal.stream() if event.kind == "vote"]
        assert journal.verify_chain().problems == ()
    catalog = Catalog(project / "catalog.duckdb")
    projected = [name for (name,) in catalog.query("SELECT id FROM vote")]
    catalog.close()
    lost = sum(name not in set(said) or name not in counted for name in receipts)
    doubled = len(said) - len(set(said)) + len(projected) - len(set(projected))
    return lost, doubled
