"""Exports, reports and checks take long; people who verify meanwhile are not kept waiting."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backend.api import ExportSummary
from backend.domain import VERIFY_STUDY, ArtifactStore
from backend.exports import EXPORTS
from backend.exports.rows import ExportRows
from backend.store.artifacts import Artifacts
from backend.workspace import Workspace, reporting
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.test_api import vote_on
from tests.backend.workspace.toy_project import write_toy_video

ANSWER_S = 20.0  # a read takes about 30 ms; one that waits for the held operation waits for good

asked, go_on = threading.Event(), threading.Event()


class HeldExport:
    """An export whose sink takes nothing before `go_on` is set."""

    whole_clips = False

    def write(self, rows: ExportRows, *, out: Path, artifacts: ArtifactStore) -> ExportSummary:
        asked.set()
        assert go_on.wait(3 * ANSWER_S)
        manifest = out.with_suffix(".sha256")
        manifest.touch()
        return ExportSummary(out=str(out), format="held", pairs=len(list(rows.pairs)), files=0, manifest=str(manifest))


@pytest.fixture
def verifying(workspace: Workspace, tmp_path: Path) -> Workspace:
    workspace.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),), licence="CC0-1.0")
    curated(workspace)
    return workspace


def test_export_keeps_nobody_waiting(verifying: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXPORTS, "held", f"{__name__}:HeldExport")
    asked.clear()
    go_on.clear()
    with held(lambda: verifying.export(format="held", out=str(tmp_path / "out")), go_on.set) as export:
        assert asked.wait(ANSWER_S), export.exception(0)
        assert_answers(verifying)
    assert export.result().pairs == 2


@pytest.mark.parametrize(
    ("owner", "name", "work"),
    [
        (reporting, "write_whole", lambda workspace, out: workspace.report(out=str(out))),
        (Artifacts, "verify_all", lambda workspace, out: workspace.verify()),
    ],
    ids=["report", "check"],
)
def test_report_and_check_keep_nobody_waiting(
    verifying: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, work: Callable[..., Any]
) -> None:
    real = getattr(owner, name)

    def waits(*given: Any) -> Any:
        asked.set()
        assert go_on.wait(3 * ANSWER_S)
        return real(*given)

    monkeypatch.setattr(owner, name, waits)
    asked.clear()
    go_on.clear()
    with held(lambda: work(verifying, tmp_path / "report.html"), go_on.set) as running:
        assert asked.wait(ANSWER_S), running.exception(0)
        assert_answers(verifying)
    running.result()


@contextmanager
def held(work: Callable[[], Any], let_go: Callable[[], Any]) -> Iterator[Future[Any]]:
    """Starts `work`, which stands still until `let_go`."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(work)
        try:
            yield running
            assert not running.done(), "the operation was not held, so that the test shows nothing"
        finally:
            let_go()


def assert_answers(workspace: Workspace) -> None:
    """Status, queue, vote and the vote's verdict, all while something else is held."""
    pool = ThreadPoolExecutor(1)
    (trial,) = pool.submit(workspace.next_trials, study_id=VERIFY_STUDY, rater=os.urandom(4).hex(), limit=1).result(
        ANSWER_S
    )
    pool.submit(workspace.submit_votes, votes=(vote_on(trial, "same", rater="bob"),)).result(ANSWER_S)
    assert pool.submit(workspace.status).result(ANSWER_S).counts["verdicts"] >= 1
    assert pool.submit(workspace.pair, pair_id=trial.item_id).result(ANSWER_S).verdict == "same"
    pool.shutdown()
