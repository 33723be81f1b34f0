"""What is asked of keepers and looked after, without a cluster: Ray's part is played by the few calls that are made of it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain import ArtifactStore, HoldingLost, SettingsError
from backend.engine import ray_keeper
from backend.engine.context import WorkerSettings
from backend.engine.holdings import ANSWER, FAULT
from backend.engine.ray_keeper import Keepers, RayKeeper
from backend.engine.ray_questions import DEATHS, Questions
from backend.engine.work import Batch
from backend.stages.bank_pairs import PairAcross
from backend.store.artifacts import Artifacts


class RayError(Exception):
    pass


class RayTaskError(RayError):
    pass


class ActorDied(RayError):
    pass


class ObjectLost(RayError):
    pass


@dataclass(frozen=True)
class Held:
    name: str = "the held one"
    ram_gib: float = 2.0

    def open(self, artifacts: ArtifactStore) -> Callable[[Any], Any]:
        return lambda asked: f"{asked} answered"


class Actor:
    """Answers with what `said` has next: a value, or an exception that Ray raises. Its `check` is told to be asked over deaths."""

    def __init__(self, *said: Any) -> None:
        self.said, self.checks, self.questions = list(said), 0, 0
        self.answer = SimpleNamespace(remote=self._answer)
        self.check = SimpleNamespace(options=self._options)
        self.open = SimpleNamespace(remote=lambda: None)

    def _answer(self, asked: Any) -> Any:
        self.questions += 1
        return self.said.pop(0)

    def _options(self, *, max_task_retries: int) -> Any:
        assert max_task_retries == -1
        return SimpleNamespace(remote=self._check)

    def _check(self) -> Any:
        self.checks += 1
        return "node", ""


def get(reference: Any) -> Any:
    if isinstance(reference, Exception):
        raise reference
    return reference


@pytest.fixture(autouse=True)
def ray(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    made = SimpleNamespace(
        wait=lambda references, timeout: (references, []),
        get=get,
        exceptions=SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError),
    )
    monkeypatch.setitem(sys.modules, "ray", made)
    return made


def asking(*said: Any) -> tuple[Actor, Callable[[str], Any]]:
    actor, questions = Actor(*said), Questions()
    questions.learn({Held(): actor})
    return actor, lambda asked: questions(Held(), asked, lambda: None)


def test_a_question_whose_keeper_or_answer_was_lost_is_asked_again() -> None:
    actor, ask = asking(ActorDied("gone"), ObjectLost("its node went"), (ANSWER, "found"))
    assert ask("one") == "found"
    assert (actor.questions, actor.checks) == (3, 2)


def test_what_is_wrong_with_a_holding_is_raised_and_nothing_is_asked_again() -> None:
    actor, ask = asking((FAULT, SettingsError("no such shard")), RayTaskError("a fault of ours"), (ANSWER, "found"))
    with pytest.raises(SettingsError, match="no such shard"):
        ask("one")
    with pytest.raises(RuntimeError, match="the held one: a fault of ours"):
        ask("two")
    assert ask("three") == "found"
    assert actor.questions == 3


def test_a_question_that_keepers_die_of_fails_alone() -> None:
    actor, ask = asking((ANSWER, "found"), *[ActorDied("gone")] * DEATHS, (ANSWER, "found again"))
    assert ask("one") == "found"
    with pytest.raises(HoldingLost, match=f"the held one: .* died {DEATHS} times"):
        ask("the deadly one")
    assert ask("three") == "found again"
    assert actor.questions == 1 + DEATHS + 1


def test_a_holding_that_was_never_open_is_not_opened_for_every_question() -> None:
    actor, ask = asking(*[ActorDied("short of memory")] * DEATHS)
    for asked in ("one", "two", "three"):
        with pytest.raises(HoldingLost, match="short of memory"):
            ask(asked)
    assert actor.questions == DEATHS


@dataclass(frozen=True, slots=True)
class AskHeld(PairAcross):
    def holdings(self, items: Any, artifacts: ArtifactStore) -> list[Any]:
        return [Held()]


@pytest.fixture
def kept(ray: SimpleNamespace, tmp_path: Any) -> tuple[Keepers, list[Any]]:
    """Keepers that have made one, and those that are watched."""
    ray.nodes = lambda: [{"NodeID": "first", "Alive": True, "Resources": {"CPU": 2.0}}]
    ray.remote = lambda made: SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda *_: Actor()))
    ray.kill = lambda handle: None
    watched: list[Any] = []
    told = WorkerSettings(artifacts=tmp_path, roles={}), "", "", ""
    keepers = Keepers(ray, Artifacts(tmp_path), told, lambda keeper, reference: watched.append(keeper))
    keepers.of(Batch(stage=AskHeld(), items=(), work_keys=()))
    return keepers, watched


def test_a_keeper_whose_node_went_is_waited_for_no_longer_than_a_new_one(
    kept: tuple[Keepers, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    keepers, watched = kept
    (keeper,) = watched
    keeper.node, keeper.is_placed = "first", True
    monkeypatch.setattr(ray_keeper, "PLACE_S", -1.0)  # any time is too long
    keepers.look(is_asked=True, alive={"first", "second"})
    assert keepers.unplaced() is None
    keepers.look(is_asked=True, alive={"second"})
    assert keepers.unplaced() is keeper
    assert watched == [keeper, keeper], "who has it next is asked for"
    keepers.look(is_asked=True, alive={"second"})
    assert len(watched) == 2, "once"


def test_a_keeper_that_does_not_see_the_store_looks_again_when_it_is_asked(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    objections = ["does not see the store", "", "never asked for"]
    monkeypatch.setattr(ray_keeper, "objection", lambda *_: objections.pop(0))
    keeper = RayKeeper(Held(), WorkerSettings(artifacts=tmp_path, roles={}), str(tmp_path), "word", "code")
    kind, error = keeper.answer("one")
    assert (kind, str(error)) == (FAULT, "a node of the Ray cluster does not see the store")
    assert keeper.answer("two") == (ANSWER, "two answered")
    assert keeper.answer("three") == (ANSWER, "three answered")
    assert objections == ["never asked for"]
