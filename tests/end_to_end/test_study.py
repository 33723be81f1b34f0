"""A study of the sample world's three systems, answered by raters with the world's planted taste, read rightly."""

import json
import math
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from backend.api import Api
from backend.domain import Trial
from backend.domain.studies import IDENTICAL, MAIN
from backend.sampleworld import render_world
from backend.sampleworld.cases import SYSTEMS
from backend.workspace import Workspace
from tests.backend.workspace.study_project import finished

RATERS = 20
SLACK = 0.3  # one strength for all cases is not quite the mean of what the cases were planted with
TIES = 0.7  # planted nu: ties are nu / (2 + nu) of the votes between equals, here .26
RULES = ("min_seconds=0", "min_item_seconds=0")


@pytest.mark.slow
def test_the_planted_order_and_tie_rate_are_recovered(tmp_path: Path) -> None:
    world = tmp_path / "world"
    render_world(world, seed=11, videos=1, duration_s=1.0, cases=3)
    truth = json.loads((world / "cases_truth.json").read_text("utf-8"))
    workspace = Workspace(tmp_path / "p", create=True)
    api = cast(Api, workspace)
    try:
        made = api.create_study(
            name="taste",
            form="ab",
            cases=str(world / "cases.json"),
            systems=tuple(f"{name}={world / 'systems' / name}" for name in SYSTEMS),
            trials=9,
            rules=RULES,
        )
        assert (made.items, made.participants_needed) == (9, 5)
        rng = np.random.default_rng(4)
        for _ in range(RATERS):
            finished(api, "taste", _taste(workspace, truth, rng))
        results = api.study_results(name="taste", bootstraps=200)
    finally:
        workspace.close()
    assert [step.kept for step in results.funnel] == [RATERS] * len(results.funnel)
    (aspect,) = results.groups[0].aspects
    assert aspect.votes == RATERS * 9
    planted = _strengths(truth)
    for row in aspect.strengths:
        found = row.davidson
        assert found.low is not None
        assert found.high is not None
        assert found.low - SLACK < planted[row.system] < found.high + SLACK
    assert [row.system for row in aspect.strengths] == sorted(planted, key=lambda name: -planted[name])
    nu = aspect.tie_rate
    assert nu.low is not None
    assert nu.high is not None
    assert nu.low < TIES < nu.high
    assert aspect.bias is not None
    assert (aspect.bias.p_value or 0) > 0.001
    assert all(row.gold.value == 1.0 for row in results.raters)


def _taste(workspace: Workspace, truth: dict, rng: np.random.Generator):
    """Votes by the world's model with ties after Davidson; checks are answered rightly, repeats as they fall."""
    weights = np.array(truth["weights"])

    def choose(trial: Trial, question: str) -> str:
        assert question == "better"
        _, item, assigned = workspace._shelf.trial(trial.item_id)
        if item.role == IDENTICAL:
            return "tie"
        if item.role != MAIN and any(media.treatment for media in item.media):
            return "left" if not item.media[assigned.order[0]].treatment else "right"
        left, right = (truth["samples"][item.case_id][item.systems[k]] for k in assigned.order)
        gap = float(weights @ (np.array(left) - np.array(right)))
        shares = np.array([math.exp(gap / 2), math.exp(-gap / 2), TIES])
        return ("left", "right", "tie")[int(rng.choice(3, p=shares / shares.sum()))]

    return choose


def _strengths(truth: dict) -> dict[str, float]:
    """Mean planted utility of each system, about a mean of 0."""
    weights = np.array(truth["weights"])
    means = {name: float(np.mean([weights @ np.array(by[name]) for by in truth["samples"].values()])) for name in SYSTEMS}
    middle = sum(means.values()) / len(means)
    return {name: value - middle for name, value in means.items()}
