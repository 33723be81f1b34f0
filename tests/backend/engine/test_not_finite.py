"""A model's number that is none fails its own item by name and keeps nothing of it; what lies beside it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from backend.domain import Context, Embedding, Failed, Item, Ok, Resources, Result, Score, Source
from backend.engine.context import WorkContext, WorkerSettings
from backend.engine.work import Batch, work_on

NUMBERS: dict[str, float] = {"good": 0.5, "nan": float("nan"), "infinite": float("-inf")}


@dataclass(frozen=True, slots=True)
class SayNumbers:
    name: ClassVar[str] = "say_numbers"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score, Embedding)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    as_vector: bool = False

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [Ok(item.id, [self._row(item.id, NUMBERS[item.id])]) for item in items]

    def _row(self, name: str, value: float) -> Score | Embedding:
        if self.as_vector:
            return Embedding(appearance_id=name, space="face", model="m-1", vector=np.array([1.0, value], np.float32))
        return Score(target=name, name="worth", value=value, producer="m-1")


@pytest.mark.parametrize("as_vector", [False, True])
def test_only_the_item_of_the_number_fails(worker_settings: WorkerSettings, as_vector: bool) -> None:
    items = tuple(Item(name, {}) for name in NUMBERS)
    context = WorkContext(worker_settings)
    outcome = work_on(Batch(stage=SayNumbers(as_vector=as_vector), items=items, work_keys=tuple(NUMBERS)), context)
    context.close()
    assert outcome.notes[0] == Ok("good", ())
    (table,) = outcome.tables.values()
    assert table.num_rows == 1
    for note, name in zip(outcome.notes[1:], ("nan", "infinite"), strict=True):
        assert isinstance(note, Failed)
        assert (note.item_id, note.kind) == (name, "not_finite")
        assert note.message.startswith("say_numbers: ") and "by m-1" in note.message
        assert note.message.endswith("try another dtype or another model")
