"""Shards that another process holds, asked over a socket: what they answer, and what they cannot, is that of shards opened here."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backend.domain import Holding, HoldingLost, StoreError
from backend.engine.context import WorkContext, WorkerSettings
from backend.engine.holdings import HoldingLine, HoldingRelay
from backend.models.borders import Interrupted
from backend.stages.bank_pairs import PairAcross
from tests.backend.stages.bank_sources import World, unit

SEVERAL = PairAcross(shard_views=9)
Pairs = list[tuple[str, str, dict[str, float | None]]]


class Kept:
    """A world whose shards are opened at the other end of a socket."""

    def __init__(self, world: World, *, are_held: bool = True) -> None:
        self.asked: list[Holding] = []
        self._world, self._opened = world, dict[Holding, Callable[[Any], Any]]()
        self.relay = HoldingRelay(lambda holding: are_held, self._ask)
        settings = WorkerSettings(artifacts=world.artifacts.root, roles={}, holdings=self.relay.path)
        self.context = WorkContext(settings)

    def _ask(self, holding: Holding, asked: Any, alive: Callable[[], None]) -> Any:
        if holding not in self._opened:
            self._opened[holding] = holding.open(self._world.artifacts)
        self.asked.append(holding)
        return self._opened[holding](asked)


@contextmanager
def kept(world: World, *, are_held: bool = True) -> Iterator[Kept]:
    made = Kept(world, are_held=are_held)
    world.held = made.context.held  # type: ignore[method-assign]
    try:
        yield made
    finally:
        del world.held  # type: ignore[attr-defined]
        made.context.close()
        made.relay.close()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Ten videos of two of three mugs each; every other one shows a person, every fourth with a face."""
    made = World(tmp_path)
    for number in range(10):
        mugs = [{"body": unit(100 + 10 * number + k, near=unit(k), cosine=0.8)} for k in (number % 3, (number + 1) % 3)]
        person = {"body": unit(900 + number, near=unit(50), cosine=0.7), "is_living": True}
        if number % 4 == 0:
            person["face"] = unit(950 + number, near=unit(60, length=16), cosine=0.8, length=16)
        made.add(f"{number}.mp4", *mugs, *([person] if number % 2 == 0 else []))
    return made


def pairs(world: World) -> Pairs:
    return [pair for source, _ in world.sources for pair in world.pairs(source.uri, SEVERAL)]


def test_shards_held_elsewhere_answer_as_those_opened_here(world: World) -> None:
    with kept(world) as elsewhere:
        found = pairs(world)
    assert len({holding.name for holding in elsewhere.asked}) == 4  # of 25 views, at most 9 a shard
    assert found == pairs(world), "the very same numbers"
    assert len(found) > 20


def test_the_stage_names_what_it_asks(world: World) -> None:
    """What is opened for a stage beforehand is what it asks for, and banks of one shard are opened by whoever asks."""
    item = world.item("9.mp4")
    with kept(world) as elsewhere:
        world.pairs("9.mp4", SEVERAL)
    assert set(SEVERAL.holdings([item], world.artifacts)) == set(elsewhere.asked)
    assert PairAcross().holdings([item], world.artifacts) == []


def test_what_nobody_holds_is_opened_here(world: World) -> None:
    with kept(world, are_held=False) as elsewhere:
        found = pairs(world)
    assert elsewhere.asked == []
    assert found == pairs(world)


def test_a_shard_that_cannot_be_opened_elsewhere_fails_with_the_same_sentence(world: World) -> None:
    part = world.sources[3][1].artifact
    world.artifacts.path(part).write_bytes(b"altered")
    said = []
    with kept(world), pytest.raises(StoreError) as error:
        pairs(world)
    said.append(str(error.value))
    with pytest.raises(StoreError) as error:
        pairs(world)
    said.append(str(error.value))
    assert said[0] == said[1]
    assert said[0].startswith(f"artifact {part} is damaged")


class Slow:
    """Answers when it is told to; until then it gives signs of life."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.relay = HoldingRelay(lambda holding: True, self._ask)

    def _ask(self, holding: Holding, asked: Any, alive: Callable[[], None]) -> str:
        if asked == "wrong":
            raise RuntimeError("a fault of ours")
        while not self.go.wait(0.02):
            alive()
        return f"{asked} answered"


def test_a_long_question_shows_signs_of_life(world: World) -> None:
    slow, signs = Slow(), 0

    def alive() -> None:
        nonlocal signs
        signs += 1
        if signs == 3:
            slow.go.set()

    line = HoldingLine(slow.relay.path, a_shard(world), alive=alive)
    assert line("first") == "first answered"
    assert signs >= 3
    with pytest.raises(RuntimeError, match="a fault of ours"):
        line("wrong")
    assert line("second") == "second answered", "after a fault too"
    slow.relay.close()


def test_who_is_cancelled_waits_no_longer(world: World) -> None:
    slow, cancelled = Slow(), threading.Event()
    line = HoldingLine(slow.relay.path, a_shard(world), alive=cancelled.set, cancelled=cancelled)
    with pytest.raises(Interrupted):
        line("first")
    slow.go.set()
    slow.relay.close()


def a_shard(world: World) -> Holding:
    return SEVERAL.holdings([world.item("0.mp4")], world.artifacts)[0]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_line_whose_other_end_went_is_said_and_made_anew(world: World) -> None:
    """An error that nobody foresaw ends the other end's thread, and with it the line."""
    troubles = [ValueError("unforeseen")]

    def ask(holding: Holding, asked: Any, alive: Callable[[], None]) -> str:
        if troubles:
            raise troubles.pop()
        return "answered"

    relay = HoldingRelay(lambda holding: True, ask)
    context = WorkContext(WorkerSettings(artifacts=world.artifacts.root, roles={}, holdings=relay.path))
    first = context.held(a_shard(world))
    assert first is not None
    with pytest.raises(HoldingLost, match="shard 1 of 4 of the banks: who has it is out of reach"):
        first("asked")
    second = context.held(a_shard(world))
    assert second is not None
    assert second("asked") == "answered"
    assert context.held(a_shard(world)) is second
    context.close()
    relay.close()


def test_banks_keep_no_context_in_memory(world: World) -> None:
    """What a context has read and loaded goes with it, though banks stay open."""
    settings = WorkerSettings(artifacts=world.artifacts.root, roles={})
    context = WorkContext(settings)
    world.held = context.held  # type: ignore[method-assign]
    assert pairs(world)
    del world.held  # type: ignore[attr-defined]
    left = weakref.ref(context)
    context.close()
    del context
    gc.collect()
    assert left() is None
