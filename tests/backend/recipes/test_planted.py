"""Each recipe on the script's world (`planted_script`): what stages do with right answers and with faults, and with stops.

What they do with right answers is counted by hand (`planted_numbers`).
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.engine.plan import Plan
from backend.recipes import RECIPES
from backend.workspace.snapshot import Snapshot
from tests.backend.recipes import planted
from tests.backend.recipes.interrupted import cancelled, killed
from tests.backend.recipes.planted_numbers import FOUND, HELD_BACK, WORKED, column
from tests.backend.recipes.planted_project import OPEN, ROLES, Project, opened
from tests.backend.recipes.planted_script import render_script
from tests.promises import Tally
from tests.thorough import quick

pytestmark = pytest.mark.slow

EVERYBODY = {"clip.human.min": -1.0, "clip.face_span_frames.min": -1.0}
"""Gates of OpenS2V that leave two clips of the world; open, thirteen are kept."""
MOST_BORDERS, MOST_STEPS = 200, 300
"""How far a run gets at most before it is stopped: a sixth of the way through the longest."""
COUNTS = {
    "clips": "SELECT count(*) FROM kept_clip",
    "subjects": "SELECT count(*) FROM kept_subject",
    "masks": "SELECT count(*) FROM kept_mask",
    "face tracks": "SELECT count(*) FROM kept_track k JOIN track t USING (id, work_key) WHERE t.kind = 'face'",
    "spans of 81 frames": "SELECT sum(s.value) FROM kept_clip k JOIN live_score s ON s.target = k.id WHERE s.name = 'num_face_spans'",
    "tags that no caption holds": "SELECT count(*) FROM kept_phrase k JOIN phrase p USING (id, work_key) WHERE p.text = 'red balloon'",
    "clips in sync": "SELECT count(*) FROM kept_clip k JOIN live_score s ON s.target = k.id WHERE s.name = 'sync_offset' AND s.value = 0",
    "clips out of sync": "SELECT count(*) FROM kept_clip k JOIN live_score s ON s.target = k.id WHERE s.name = 'sync_offset' AND s.value = 6",
    "marked cut-outs": "SELECT count(*) FROM kept_appearance k JOIN live_score s ON s.target = k.id WHERE s.name = 'num_logos' AND s.value = 1",
    "plates": "SELECT count(*) FROM kept_plate",
    "anchors on made pictures": """SELECT count(*) FROM kept_anchor k JOIN anchor a USING (id, work_key)
        WHERE a.appearance_id IN (SELECT id FROM appearance WHERE frame IS NULL)""",
    "made pairs that a judge saw": """SELECT count(DISTINCT p.id) FROM kept_pair k JOIN pair p USING (id, work_key)
        JOIN live_score s ON s.target = p.id WHERE p.kind = 'generated' AND s.name = 'judged_identity' AND s.value NOTNULL""",
    "tags of subjects": "SELECT count(*) FROM kept_phrase k JOIN phrase p USING (id, work_key) WHERE p.role = 'subject'",
    "tags of objects": "SELECT count(*) FROM kept_phrase k JOIN phrase p USING (id, work_key) WHERE p.role = 'object'",
    "tags of places": "SELECT count(*) FROM kept_phrase k JOIN phrase p USING (id, work_key) WHERE p.role = 'background'",
}
KINDS_OF = {"pairs": "pair", "samples": "sample"}
"""Facts `KIND pairs` and `KIND samples` count these records by their kinds."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted") / "world"
    render_script(folder)
    return folder


@pytest.fixture(scope="module")
def project(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Shared by the tests: what one recipe has computed the next one finds."""
    with opened(world, tmp_path_factory.mktemp("planted-project")) as found:
        yield found


@pytest.fixture(params=RECIPES)
def curated(request: pytest.FixtureRequest, project: Project) -> Iterator[tuple[str, Snapshot]]:
    """A recipe's name, and the catalog after it has run."""
    plan = project.plan(request.param, ROLES)
    assert project.run(plan, ROLES).failed == 0
    with project.now(plan) as now:
        yield request.param, now


def test_every_stage_does_what_was_counted_by_hand(curated: tuple[str, Snapshot], project: Project) -> None:
    recipe, now = curated
    stages = [step.stage.name for step in project.plan(recipe, ROLES).steps]
    assert {name: _worked(now, name) for name in stages} == column(WORKED, recipe)
    held_back: dict[str, int] = {}
    for count in now.gate_counts():
        if count.dropped:
            held_back[count.gate.name] = held_back.get(count.gate.name, 0) + count.dropped
    assert held_back == {gate: number for gate, number in column(HELD_BACK, recipe).items() if number}
    found = column(FOUND, recipe)
    assert {fact: _found(now, fact) for fact in found} == found


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_stage_of_a_recipe_has_a_row(recipe: str, project: Project) -> None:
    plan = project.plan(recipe, ROLES)
    assert {step.stage.name for step in plan.steps} == column(WORKED, recipe).keys()
    named = {gate for row in (HELD_BACK, OPEN) for gate in row}
    assert named <= {gate.name for name in RECIPES for gate in project.plan(name, ROLES).gates()}


def test_a_clip_with_technical_faults_is_held_back_with_all_that_is_its(project: Project) -> None:
    """The clip in which a dog is alone: a subject, three cut-outs, and a pair of two of them."""
    plan = project.plan("opens2v", ROLES).with_gates(EVERYBODY)
    project.run(plan, ROLES)
    assert _counted(project, plan) == {"clips": 12, "subjects": 12, "masks": 33, "in_pair": 11}
    loose = plan.with_gates({"clip.technical.min": -1.0})
    project.run(loose, ROLES)
    assert _counted(project, loose) == {"clips": 13, "subjects": 13, "masks": 36, "in_pair": 12}


def test_look_alikes_of_other_names_are_no_pair(project: Project) -> None:
    """The eyes take all that lives for one, in `film` a woman twice and a man twice; their phrases do not."""
    roles = {**ROLES, "AppearanceEmbedder": planted.ConfusedAppearance}
    plan = project.plan("opens2v", roles).with_gates(EVERYBODY | {"pair.rival_margin.min": -2.0})
    project.run(plan, roles)
    assert _crossed(project, plan) == 8, "two each of the woman, the man, the mug, and the woman of `late`"
    loose = plan.with_gates({"pair.phrase_cosine.min": -1.0})
    project.run(loose, roles)
    assert _crossed(project, loose) == 8 + 8, "and two for each of four links of a woman and a man"


def test_a_judge_that_denies_everything_leaves_no_pair(project: Project) -> None:
    roles = {**ROLES, "Judge": planted.DenyingJudge}
    plan = project.plan("phantom", roles)
    plan = plan.with_gates({g.name: -1.0 for g in plan.gates() if g.score.startswith("judged_") and g.record != "pair"})
    project.run(plan, roles)
    assert _crossed(project, plan) == 0
    assert _counted(project, plan)["clips"] == 13


def test_a_profile_without_a_judge_keeps_what_nobody_denied(project: Project) -> None:
    roles = {role: kind for role, kind in ROLES.items() if role != "Judge"}
    plan = project.plan("phantom", roles)
    project.run(plan, roles)
    assert _counted(project, plan) == {"clips": 13, "subjects": 13, "masks": 36, "in_pair": 12}
    assert _crossed(project, plan) == 7


def test_recipes_share_what_they_have_in_common(project: Project) -> None:
    """After `full` nothing that it computes with equal settings is computed again."""
    project.run(project.plan("full", ROLES), ROLES)
    again = project.run(project.plan("phantom", ROLES), ROLES)
    shared = {"probe_source", "split_shots", "find_borders", "find_overlays", "find_subjects", "segment_subjects"}
    assert shared.isdisjoint(again.worked)


def test_moving_a_gate_hides_rows_and_runs_nothing_before_it(project: Project) -> None:
    plan = project.plan("phantom", ROLES)
    project.run(plan, ROLES)
    tighter = replace(plan.with_gates({"pair.similarity.min": 0.99}))
    assert _crossed(project, tighter) == 0
    worked = project.run(tighter, ROLES).worked
    assert set(worked) <= {
        "diverse_contexts", "verify_pairs", "verify_pairs_across", "select_anchors", "assemble_samples", "build_banks", "pair_across", "match_logos", "match_logos_across",
    }  # fmt: skip


@pytest.mark.promise(
    "A curation that is cancelled or killed at random moments, by whatever recipe, ends with the catalog of one that nobody stopped",
    area="Durability",
    goal="equal hashes after 20 stops of each of 5 recipes, each inside a running stage",
    control="tests/backend/recipes/test_planted.py::test_a_run_that_is_not_taken_up_again_has_another_hash",
    kills=(4, 20),
)
@pytest.mark.parametrize("recipe", quick(("opens2v",), RECIPES))
def test_a_run_that_is_interrupted_ends_as_one_that_is_not(
    recipe: str, project: Project, world: Path, tmp_path: Path, long: bool, tally: Tally
) -> None:
    """Every second stop is a kill -9, the others are cancelled inside a batch. A project that is done makes place for a new one."""
    whole = project.plan(recipe, ROLES)
    project.run(whole, ROLES)
    wanted, rng = project.hash_of(whole), np.random.default_rng(7)
    asked, stops, number = 20 if long else 4, {"cancelled": 0, "killed": 0}, 0
    while sum(stops.values()) < asked:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        met, found = _stopped_until_done(recipe, world, folder, asked - sum(stops.values()), rng)
        stops = {how: count + met[how] for how, count in stops.items()}
        tally.record(sum(met.values()), lost=0 if found == wanted else sum(met.values()))
        assert found == wanted
    assert stops["killed"] >= asked / 4 <= stops["cancelled"], "both kinds were tried"


@pytest.mark.thorough
def test_a_run_that_is_not_taken_up_again_has_another_hash(project: Project, world: Path, tmp_path: Path) -> None:
    whole = project.plan("phantom", ROLES)
    project.run(whole, ROLES)
    assert cancelled(world, tmp_path, "phantom", at_border=MOST_BORDERS)
    with opened(world, tmp_path) as broken:
        assert broken.hash_of(broken.plan("phantom", ROLES)) != project.hash_of(whole)


def _stopped_until_done(
    recipe: str, world: Path, folder: Path, most: int, rng: np.random.Generator
) -> tuple[dict[str, int], str]:
    """Stops a project's run up to so many times while a stage is at work, then lets it end: the stops by kind, and the hash."""
    met = {"cancelled": 0, "killed": 0}
    for turn in range(3 * most):
        if sum(met.values()) == most:
            break
        if turn % 2:
            how, was_at_work = "killed", killed(world, folder, recipe, before_step=int(rng.integers(1, MOST_STEPS)))
        else:
            how, was_at_work = "cancelled", cancelled(world, folder, recipe, at_border=int(rng.integers(1, MOST_BORDERS)))
        if was_at_work is None:
            break
        met[how] += was_at_work
    with opened(world, folder) as broken:
        plan = broken.plan(recipe, ROLES)
        assert not broken.run(plan, ROLES).cancelled
        assert broken.run(plan, ROLES).worked == {}
        return met, broken.hash_of(plan)


def _counted(project: Project, plan: Plan) -> dict[str, int]:
    with project.now(plan) as now:
        counts = now.counts()
    return {name: counts[name] for name in ("clips", "subjects", "masks")} | {"in_pair": counts["in_pairs"]}


def _crossed(project: Project, plan: Plan) -> int:
    """Kept pairs of two clips."""
    with project.now(plan) as now:
        return now.query("SELECT count(*) FROM kept_pair k JOIN pair p USING (id, work_key) WHERE p.kind = 'cross_frame'")[
            0
        ][0]


def _worked(now: Snapshot, stage: str) -> tuple[int, int]:
    states = dict(
        now.query(f"SELECT w.state, count(*) FROM item_{stage} i JOIN work w USING (work_key) WHERE w.stage = ? GROUP BY 1", [stage])
    )  # fmt: skip
    return states.get("ok", 0) + states.get("warned", 0), states.get("filtered", 0)


def _found(now: Snapshot, fact: str) -> int:
    if fact in COUNTS:
        return now.query(COUNTS[fact])[0][0]
    label, _, what = fact.partition(" ")
    if what in KINDS_OF:
        kind = KINDS_OF[what]
        return now.query(
            f"SELECT count(*) FROM kept_{kind} k JOIN {kind} r USING (id, work_key) WHERE r.kind = ?", [label]
        )[0][0]
    assert what in ("anchors inside", "anchors outside"), f"nobody counts {fact}"
    anchors = "kept_anchor k JOIN anchor a USING (id, work_key)"
    is_it = "inside = ? AND (a.kind = ? OR a.kind IN ('viewpoint', 'expression') AND a.label = ?)"
    return now.query(f"SELECT count(*) FROM {anchors} WHERE {is_it}", [what == "anchors inside", label, label])[0][0]
