"""What the evaluation bench says of itself: which code rendered, which seeds and commit, and orders that claim nothing."""

import os
import subprocess
from pathlib import Path

from backend.sampleworld.cases import Takes
from bench.__main__ import PARTS, commit_of
from bench.evaluation import CLAIMS, DIAGNOSTICS, SYSTEM_METRICS, order_of, rendered
from metrics.motion import MotionAmplitude
from metrics.speech import SyncDistance
from metrics.stage import roles_of
from metrics.table import SETS


def test_cases_that_other_code_rendered_are_rendered_again(tmp_path: Path) -> None:
    folder, takes = tmp_path / "0-1", Takes(size=(64, 48), num_frames=2)
    (folder / "systems").mkdir(parents=True)
    (folder / "systems" / "stale.mp4").write_bytes(b"of older code")
    (folder / "rendered_by").write_text("older code")
    assert rendered(0, 1, root=tmp_path, takes=takes) == folder
    assert not (folder / "systems" / "stale.mp4").exists() and len(list(folder.glob("systems/*/*.mp4"))) == 3
    os.utime(folder / "cases.json", (1, 1))
    rendered(0, 1, root=tmp_path, takes=takes)
    assert (folder / "cases.json").stat().st_mtime == 1, "what the same code rendered is used"


def test_results_name_the_seeds_that_were_used() -> None:
    assert PARTS["evaluation"].chosen(None) == "0,1000"
    assert PARTS["pairs"].chosen(None) == "1000-1009"
    assert PARTS["evaluation"].chosen("3000") == PARTS["pairs"].chosen("3000") == "3000"
    assert PARTS["media"].chosen("3000") == PARTS["media"].chosen(None) == "", "made of no world"


def test_results_name_the_commit_and_that_code_was_changed(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        return subprocess.run(
            ["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    results = tmp_path / "bench" / "results"
    results.mkdir(parents=True)
    assert commit_of(results) == "", "no repository"
    for path in (results / "a.json", tmp_path / "README.md", tmp_path / "code.py"):
        path.write_text("1")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    head = git("rev-parse", "--short", "HEAD")
    (results / "a.json").write_text("2")
    (tmp_path / "README.md").write_text("2")
    assert commit_of(results) == head, "what benchmarks write is no change"
    (tmp_path / "code.py").write_text("2")
    assert commit_of(results) == f"{head}+"


def test_systems_are_ordered_by_their_medians_best_first() -> None:
    systems = {"faithful": (1.0, 2.0, 9.0), "copy_paste": (0.1, 0.2, 0.3), "wrong_identity": (3.0, 4.0, 5.0)}
    for metric, order in (
        (MotionAmplitude(), "wrong_identity 4.000, faithful 2.000, copy_paste 0.200"),
        (SyncDistance(), "copy_paste 0.200, faithful 2.000, wrong_identity 4.000"),
    ):
        values = {(metric.id, name): {str(n): value for n, value in enumerate(each)} for name, each in systems.items()}
        row = order_of(values, metric)
        assert (row["note"], row["target"], row["n"]) == (order, None, 3) and "ok" not in row
    assert order_of({}, MotionAmplitude())["value"] is None


def test_every_metric_without_weights_is_judged() -> None:
    judged = {metric.id for metric in (*SYSTEM_METRICS, *DIAGNOSTICS)}
    assert judged == {*SETS["embedded"], *SETS["weights-free"], *SETS["diagnostics"]}
    assert {metric for metric, _, _ in CLAIMS} <= judged
    assert all(not roles_of(metric) for metric in SYSTEM_METRICS if metric.id in SETS["weights-free"])
