"""`report ablate` over verdicts that people gave through the service: every row is counted here again, from the votes and the gates."""

import operator
import shutil
import signal
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from backend.domain import VERIFY_STUDY, Vote
from backend.domain.statistics import AblationRow
from backend.workspace import Workspace
from backend.workspace.snapshot import Snapshot
from tests.end_to_end.test_first_run import served

RIGHT, WRONG, COPY, UNSURE = "same", "different", "near_duplicate", "unsure"
PATTERN: tuple[tuple[str, ...], ...] = ((RIGHT,), (WRONG,), (RIGHT, RIGHT), (RIGHT, WRONG), (UNSURE,), (COPY,), ())
"""What raters say of one pair after the other: one, two who agree or not, and nobody."""
VERDICTS = (1.0, 0.0, 1.0, None, None, 0.0, None)
"""What that comes to: 1 the same one, 0 not; nothing where people are unsure or of two minds."""
HOLDS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}


@pytest.mark.slow
@pytest.mark.server
def test_each_row_of_the_ablation_follows_from_votes_and_gates(demo_project: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(demo_project, project)
    workspace = Workspace(project)
    whole = kept(workspace)
    ids = [row[0] for row in workspace.catalog.query("SELECT DISTINCT id FROM pair WHERE kind <> 'in_pair'")]
    workspace.close()
    ids.sort(key=lambda pair: (pair not in whole, pair))
    assert len(whole) >= 2 and len(ids) > len(PATTERN), "too few pairs to tell anything"
    said = [(pair, PATTERN[place % len(PATTERN)]) for place, pair in enumerate(ids)]
    verdicts = {pair: VERDICTS[place % len(VERDICTS)] for place, pair in enumerate(ids)}
    votes = [vote(pair, choice, f"rater {n}") for pair, choices in said for n, choice in enumerate(choices)]
    mistaken = replace(votes[0], choice=WRONG)
    api, service = served(project)
    api.submit_votes(votes=(mistaken, *votes[1:]))
    api.submit_votes(votes=(replace(votes[0], rev=1),))
    rows = api.ablate().rows
    api.close()
    service.send_signal(signal.SIGTERM)
    service.wait(20)
    workspace = Workspace(project)
    try:
        assert_counted(workspace, rows, verdicts)
    finally:
        workspace.close()


def assert_counted(workspace: Workspace, rows: tuple[AblationRow, ...], verdicts: dict[str, float | None]) -> None:
    """That each row counts the pairs which no gate but those that it leaves out denies, with the verdicts planted on them."""
    whole, denied, scores = kept(workspace), denials(workspace), stored_scores(workspace)
    kinds = dict(workspace.catalog.query("SELECT id, kind FROM pair"))
    groups = {("construction", kind): {pair for pair in whole if kinds[pair] == kind} for kind in set(kinds.values())}
    for low, high, name in ((0, 10, "0 to 10 s"), (10, 60, "10 to 60 s"), (60, 600, "60 to 600 s")):
        groups["time gap", name] = {pair for pair in whole if low <= scores["time_gap_s"].get(pair, -1) < high}
    of = {(row.group, row.name): row for row in rows if row.group != "bank"}
    for key, row in of.items():
        if row.group == "gates":
            groups[key] = {pair for pair, by in denied.items() if by <= set(row.removed)}
    assert groups["gates", "all gates"] == whole
    assert len(groups["gates", "without the lower bound"]) > len(whole)
    assert {key for key, pairs in groups.items() if pairs} == of.keys()
    for key, row in of.items():
        assert row.pairs + row.unmeasured == len(groups[key]), key
        judged = [verdict for pair in groups[key] if (verdict := verdicts[pair]) is not None]
        if row.unmeasured:  # which of them, the row does not say
            assert (row.judged <= len(judged), row.same <= sum(judged)) == (True, True), key
            continue
        assert (row.judged, row.same) == (len(judged), sum(judged)), key
        assert row.precision == (sum(judged) / len(judged) if judged else None), key
        diversity = [scores["context_diversity"][pair] for pair in groups[key] if pair in scores["context_diversity"]]
        assert row.context_diversity == (pytest.approx(fmean(diversity)) if diversity else None), key


def kept(workspace: Workspace) -> set[str]:
    """Pairs other than in-pairs that the project's plan keeps."""
    with Snapshot(workspace.catalog).of(workspace.plan) as now:
        return {
            row[0] for row in now.query("SELECT k.id FROM kept_pair k JOIN pair p ON p.id = k.id WHERE p.kind <> 'in_pair'")
        }


def denials(workspace: Workspace) -> dict[str, set[str]]:
    """By pair other than in-pairs that got as far as the gates on pairs: names of the gates whose score it fails."""
    with Snapshot(workspace.catalog).of(workspace.plan) as now:
        asked = now.query("SELECT id FROM kept_pair UNION SELECT id FROM gated WHERE kind = 'pair'")
    others = {row[0] for row in workspace.catalog.query("SELECT id FROM pair WHERE kind <> 'in_pair'")}
    scores = stored_scores(workspace)
    gates = [gate for gate in workspace.plan.gates() if gate.record == "pair" and gate.comparison in HOLDS]
    return {
        pair: {g.name for g in gates if pair in scores[g.score] and not HOLDS[g.comparison](scores[g.score][pair], g.value)}
        for (pair,) in asked
        if pair in others
    }


def stored_scores(workspace: Workspace) -> dict[str, dict[str, float]]:
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    for name, pair, value in workspace.catalog.query("SELECT name, target, value FROM score WHERE value NOTNULL"):
        scores[name][pair] = value
    return scores


def vote(pair: str, choice: str, rater: str) -> Vote:
    return Vote(
        id=f"{rater} {pair}",
        rev=0,
        study_id=VERIFY_STUDY,
        trial_id=f"trial {rater} {pair}",
        item_id=pair,
        rater=rater,
        rater_kind="person",
        question="same",
        choice=choice,
    )
