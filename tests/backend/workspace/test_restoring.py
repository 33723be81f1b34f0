"""A project out of its backup: everything that people said, and what machines found; and the catalog again from the journal."""

import threading
import time
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.domain import VERIFY_STUDY, ProjectError, Vote
from backend.domain.corrections import Correction
from backend.domain.library import Selection
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.store.schema import KINDS, PEOPLE
from backend.workspace import Workspace
from backend.workspace.checks import restore
from backend.workspace.projection import Projection
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.study_project import create, finished, write_benchmark
from tests.backend.workspace.test_api import vote_on
from tests.backend.workspace.toy_project import plan, write_toy_video
from tests.promises import Tally

MOST_S = 15.0
"""Of a rebuild of a million votes, in seconds of the processor."""


@pytest.fixture
def full(workspace: Workspace, tmp_path: Path) -> Workspace:
    """Footage, verdicts, a correction, an exclusion, a consent, and a study that somebody answered."""
    api = cast(Api, workspace)
    api.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),), licence="CC0-1.0")
    curated(api)
    trials = api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=9)
    api.submit_votes(votes=tuple(vote_on(trial, "same") for trial in trials))
    first, second, third = api.items(kind="subject").ids
    (clip, *_) = api.items(kind="clip").ids
    api.correct(corrections=(Correction(id="c1", rev=1, kind="caption", item_id=clip, rater="ann", text="A mug."),))
    api.exclude(selection=Selection(kind="subject", ids=(third,)), rater="bob", reason="blurred")
    api.state_consent(
        selection=Selection(kind="subject", ids=(first, second)), rater="bob", purposes=("training",), version="1"
    )
    create(api, write_benchmark(tmp_path / "bench", cases=2))
    finished(api, "taste", lambda trial, question: "left")
    return workspace


def tables(catalog: Catalog, *names: str) -> dict[str, list[tuple]]:
    """Every row, ordered by all of its columns, of people's tables or of those that are named."""
    return {name: catalog.query(f'SELECT * FROM "{name}" ORDER BY ALL') for name in names or PEOPLE}


def facts(project: Workspace) -> dict[str, object]:
    """What the project answers, once the library shows the correction: it goes on with what it has until that is made anew."""
    api = cast(Api, project)
    deadline = time.monotonic() + 60
    while not any("A mug." in row for row in api.items(kind="clip").rows):
        assert time.monotonic() < deadline, "the library does not come up to the correction"
        time.sleep(0.05)
    return {
        "status": api.status().counts,
        "votes": api.votes(study_id=VERIFY_STUDY),
        "consents": api.consents(),
        "pairs": api.pairs(order="id").rows,
        "clips": api.items(kind="clip").rows,
        "states": [row[api.items(kind="subject").columns.index("state")] for row in api.items(kind="subject").rows],
        "study": api.study_results(name="taste"),
        "hash": api.verify().catalog_hash,
        **every_table(project),
    }


def every_table(project: Workspace) -> dict[str, object]:
    machines = {f"machine {name}": rows for name, rows in tables(project.catalog, *KINDS).items()}
    return {**tables(project.catalog), **machines}


def differing(one: dict[str, object], other: dict[str, object]) -> list[str]:
    return [name for name in one if one[name] != other[name]]


def reopened(folder: Path) -> Workspace:
    opened = Workspace(folder)
    opened.plan = plan()
    return opened


@pytest.mark.slow
@pytest.mark.promise(
    "a restored project answers as the one that was backed up: verdicts, corrections, consent, studies, every row of the catalog",
    area="Backup",
    goal="0 of its answers and tables differ",
    control="tests/backend/workspace/test_restoring.py::test_a_restored_project_that_lacks_a_word_would_be_noticed",
)
def test_a_restored_project_answers_as_before(full: Workspace, tmp_path: Path, tally: Tally) -> None:
    before = facts(full)
    backup = Path(full.backup(out=str(tmp_path / "backup")))
    restore(backup, tmp_path / "again", artifacts=full.layout.artifacts)
    again = reopened(tmp_path / "again")
    try:
        wrong = differing(before, facts(again))
        again.rebuild()
        wrong += differing(before, facts(again))
        assert again.verify().ok
    finally:
        again.close()
    tally.record(2 * len(before), lost=len(wrong))
    assert wrong == []


@pytest.mark.slow
def test_a_restored_project_that_lacks_a_word_would_be_noticed(full: Workspace, tmp_path: Path) -> None:
    backup = Path(full.backup(out=str(tmp_path / "backup")))
    cast(Api, full).exclude(
        selection=Selection(kind="subject", ids=cast(Api, full).items(kind="subject").ids[:1]), rater="ann"
    )
    before = facts(full)
    restore(backup, tmp_path / "again")
    again = reopened(tmp_path / "again")
    try:
        # The exclusion came after the backup, and machines' work is not there without its artifacts
        assert {"exclusion", "machine mask"} <= set(differing(every_table(full), every_table(again)))
        curated(cast(Api, again))
        assert not {"machine mask", "machine pair", "machine caption"} & set(differing(before, facts(again)))
    finally:
        again.close()


def test_artifacts_of_a_folder_that_is_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="is no folder of artifacts"):
        restore(tmp_path / "backup", tmp_path / "again", artifacts=tmp_path / "none")
    assert not (tmp_path / "again").exists()


def vote(number: int) -> Vote:
    return Vote(
        id=f"v{number}",
        rev=1,
        study_id=VERIFY_STUDY,
        trial_id=f"t{number % 5000}",
        item_id=f"pair_{number % 5000}",
        rater=f"r{number % 40}",
        rater_kind="person",
        question="identity",
        choice=("same", "different")[number % 3 == 0],
    )


@pytest.mark.slow
@pytest.mark.promise(
    "a backup that is taken while people vote is of one moment: sound, with every vote that was acknowledged before",
    area="Backup",
    goal="0 votes lost in 20 backups",
    control="tests/backend/workspace/test_restoring.py::test_a_backup_of_an_earlier_moment_would_be_noticed",
)
def test_a_backup_while_votes_arrive_is_of_one_moment(
    workspace: Workspace, tmp_path: Path, long: bool, tally: Tally
) -> None:
    api, stop, acknowledged = cast(Api, workspace), threading.Event(), [0]

    def keep_voting() -> None:
        while not stop.is_set():
            api.submit_votes(votes=(vote(acknowledged[0]),))
            acknowledged[0] += 1

    voter = threading.Thread(target=keep_voting)
    voter.start()
    lost = 0
    try:
        for number in range(20 if long else 2):
            at_least = acknowledged[0]
            backup = Path(workspace.backup(out=str(tmp_path / f"b{number}")))
            lost += lost_in(backup, tmp_path / f"p{number}", at_least)
    finally:
        stop.set()
        voter.join()
    tally.record(acknowledged[0], lost=lost)
    assert (lost, acknowledged[0] > 0) == (0, True)


def lost_in(backup: Path, project: Path, at_least: int) -> int:
    """How many of the first votes a restored project lacks; what is not one after the other counts too."""
    restore(backup, project)
    opened = Workspace(project)
    found = [each.id for each in opened.votes(study_id=VERIFY_STUDY)]
    ok = opened.verify().ok
    opened.close()
    return max(0, at_least - len(found)) + (found != [f"v{n}" for n in range(len(found))]) + (not ok)


@pytest.mark.slow
def test_a_backup_of_an_earlier_moment_would_be_noticed(workspace: Workspace, tmp_path: Path) -> None:
    api = cast(Api, workspace)
    api.submit_votes(votes=tuple(vote(number) for number in range(3)))
    backup = Path(workspace.backup(out=str(tmp_path / "b")))
    api.submit_votes(votes=(vote(3),))
    assert lost_in(backup, tmp_path / "p", 4) == 1


@pytest.mark.slow
@pytest.mark.promise(
    "rebuild makes people's part of the catalog again from the journal, each row as it was, a million votes in 15 s",
    area="Backup",
    goal="0 rows differ; 1,000,000 votes in 15 s of the processor",
    control="tests/backend/workspace/test_restoring.py::test_a_rebuild_that_loses_a_vote_would_be_noticed",
)
def test_a_rebuild_gives_the_same_rows(tmp_path: Path, long: bool, tally: Tally) -> None:
    num = 1_000_000 if long else 20_000
    with Journal(tmp_path / "journal.sqlite") as journal:
        fill(journal, num)
        catalog = Catalog(tmp_path / "catalog.duckdb")
        projection = Projection(journal, catalog)
        projection.refresh()
        before = digest(catalog)
        began_s, busy_s = time.monotonic(), time.process_time()
        projection.rebuild()
        took_s, busy_s = time.monotonic() - began_s, time.process_time() - busy_s
        after = digest(catalog)
        catalog.close()
    lost = abs(before[0] - after[0]) + (before != after)
    tally.record(num, lost=lost, note=f"{num:,} votes in {busy_s:.1f} s of the processor, {took_s:.1f} s on the clock")
    assert before == after
    assert before[0] == num
    assert busy_s < MOST_S


def test_a_rebuild_that_loses_a_vote_would_be_noticed(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite") as journal:
        fill(journal, 100)
        catalog = Catalog(tmp_path / "catalog.duckdb")
        Projection(journal, catalog).refresh()
        before = digest(catalog)
        catalog.delete({"vote": "r.id = 'v7'"})
        assert digest(catalog) != before
        Projection(journal, catalog).rebuild()
        assert digest(catalog) == before
        catalog.close()


def fill(journal: Journal, num: int) -> None:
    for start in range(0, num, 5000):
        journal.append_votes([vote(number) for number in range(start, min(start + 5000, num))])


def digest(catalog: Catalog) -> tuple[int, list[tuple]]:
    """How many votes, and what holds for the whole table, the order of rows among it, and for what is counted of it."""
    ((rows,),) = catalog.query("SELECT count(*) FROM vote")
    whole = catalog.query(
        "SELECT bit_xor(hash(v)), bit_xor(hash(v.id, place)), sum(seq) FROM (SELECT *, row_number() OVER (ORDER BY rowid) AS place FROM vote) v"
    )
    counted = catalog.query("SELECT item_id, choice, count(DISTINCT rater) FROM vote GROUP BY ALL ORDER BY ALL LIMIT 500")
    return rows, [*whole, *counted]
