"""Gates whose value goes by the category of the subject: counted by hand, and alike in SQL and in a chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest

from backend.domain import Appearance, Clip, Context, Item, Ok, Record, Resources, Result, Score, Subject
from backend.engine.context import WorkerSettings
from backend.engine.crews import Inline
from backend.engine.plan import Gate, Plan, Step, scale_of
from backend.engine.run import PlanRun
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot
from backend.workspace.status import status_of
from tests.backend.engine.toy_stages import MakeVideo, SplitEvenly

WORTH = {("dog", 0): 0.3, ("dog", 1): 0.6, ("mug", 0): 0.3, ("mug", 1): 0.6, (None, 0): 0.3, (None, 1): 0.6}
"""Of each subject two views: one of .3, one of .6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowThings:
    """In each clip a dog, a mug and something unnamed, each on two frames."""

    name: ClassVar[str] = "show_things"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Subject, Appearance)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [Ok(item.id, self._rows(item)) for item in items]

    def _rows(self, item: Item) -> list[Record]:
        rows: list[Record] = []
        for (category, frame), worth in WORTH.items():
            thing = Subject(clip_id=item.id, track_id=f"{category}", phrase=None, category=category, is_living=None)
            view = Appearance(subject_id=thing.id, frame=frame, box=(0, 0, 9, 9), confidence=worth, origin="video")
            rows += [thing, view]
        return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreThings:
    """The worth of each view, by `producer`."""

    name: ClassVar[str] = "score_things"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Appearance
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()
    producer: str = "it's/1"

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [
            Ok(
                item.id,
                [Score(target=item.id, name="worth", value=item.one(Appearance).confidence, producer=self.producer)],
            )
            for item in items
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAgain(ScoreThings):
    """Follows each view in the chain."""

    name: ClassVar[str] = "look_again"


def plan(**by_category: float) -> Plan:
    gate = Gate(record="appearance", score="worth", comparison=">=", value=0.5, source="test")
    made = Plan(
        steps=(
            Step(MakeVideo()),
            Step(SplitEvenly()),
            Step(ShowThings()),
            Step(ScoreThings(), (gate,)),
            Step(LookAgain()),
        )
    )
    return made.with_thresholds({"appearance.worth.min": (["it's/1"], by_category)}) if by_category else made


def kept(catalog: Catalog, of: Plan) -> dict[tuple[str | None, float], int]:
    with Snapshot(catalog).of(of) as now:
        rows = now.query(
            """SELECT s.category, a.confidence, count(*) FROM kept_appearance k JOIN appearance a ON a.id = k.id
            JOIN kept_subject ks ON ks.id = k.subject_id JOIN subject s ON s.id = ks.id GROUP BY ALL"""
        )
    return {(category, worth): count for category, worth, count in rows}


@pytest.fixture
def run(catalog: Catalog, worker_settings: WorkerSettings):
    def it(of: Plan) -> dict[str, int]:
        crew = Inline(worker_settings)
        return PlanRun(catalog=catalog, artifacts=Artifacts(worker_settings.artifacts), plan=of, crew=crew)().worked

    return it


def test_a_category_has_its_own_value_and_the_rest_the_gates(catalog: Catalog, run) -> None:
    run(plan())
    num_clips = kept(catalog, plan())["dog", 0.6]
    assert kept(catalog, plan()) == dict.fromkeys([("dog", 0.6), ("mug", 0.6), (None, 0.6)], num_clips)
    own = plan(dog=0.2, mug=0.7)
    assert kept(catalog, own) == dict.fromkeys([("dog", 0.3), ("dog", 0.6), (None, 0.6)], num_clips)
    with Snapshot(catalog).of(own) as now:
        (gate,) = status_of(now, own).gates
        cuts = dict(now.query("SELECT cut, count(*) FROM gated GROUP BY 1"))
    assert (gate.entering, gate.dropped, gate.by_category) == (6 * num_clips, 3 * num_clips, {"dog": 0.2, "mug": 0.7})
    assert cuts == {0.7: 2 * num_clips, 0.5: num_clips}, "both mugs, and the lesser unnamed one"
    assert own.gates()[0].words == "appearance.worth >= 0.5 (dog 0.2, mug 0.7)"


def test_values_of_a_category_enter_no_key_and_a_chain_decides_as_sql_does(catalog: Catalog, run) -> None:
    first = run(plan(dog=0.2, mug=0.7))
    assert first["look_again"] * 2 == first["score_things"], "of six views three pass"
    again = run(plan())
    assert again == {"look_again": first["look_again"] // 3}, "the better mug alone is new"
    assert run(plan(dog=0.2, mug=0.7)) == {}


def test_scores_of_another_scale_keep_to_the_gates_value(catalog: Catalog, run) -> None:
    run(plan())
    gate = Gate(record="appearance", score="worth", comparison=">=", value=0.5, source="test")
    fitted = Plan(steps=(*plan().steps[:3], Step(ScoreThings(), (gate,))))
    other = fitted.with_thresholds({"appearance.worth.min": (["another/1"], {"dog": 0.2})})
    assert kept(catalog, other) == kept(catalog, plan())
    assert gate.cut("dog", "another/1") == 0.5


def test_what_has_no_subject_cannot_go_by_category() -> None:
    gate = Gate(record="clip", score="worth", comparison=">=", value=0.5, source="test")
    with pytest.raises(ValueError, match="cannot differ by category"):
        Plan(steps=(Step(SplitEvenly(), (gate,)),)).with_thresholds({"clip.worth.min": (["a"], {"dog": 0.2})})
    with pytest.raises(KeyError):
        plan().with_thresholds({"pair.worth.min": (["a"], {})})


def test_a_gate_that_two_stages_measure_is_told_once(catalog: Catalog, run) -> None:
    gate = plan().gates()[0]
    twice = Plan(steps=(*plan().steps[:4], Step(LookAgain(), (gate,))))
    run(twice)
    num_clips = kept(catalog, twice)["dog", 0.6]
    with Snapshot(catalog).of(twice) as now:
        (row,) = status_of(now, twice).gates
    assert (row.entering, row.dropped) == (9 * num_clips, 3 * num_clips), "six views, then the three that are left"


@pytest.mark.parametrize(
    ("producer", "scale"),
    [("pair_subjects/3:dinov2@ab", "dinov2@ab"), ("pair_across/2:dinov2@ab", "dinov2@ab"), ("planted", "planted")],
)
def test_stages_that_measure_with_one_model_share_a_scale(producer: str, scale: str) -> None:
    assert scale_of(producer) == scale
