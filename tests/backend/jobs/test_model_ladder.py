"""What is done when memory runs out, on models that raise as torch does above a size."""

import re
from pathlib import Path

import numpy as np
import pytest

from backend.domain.errors import ModelFailed
from backend.jobs.model_ladder import Ladder, Raised
from backend.jobs.model_queue import Waiting
from backend.models.call_wire import Ask
from backend.models.places import ModelPlace
from backend.models.residency import ModelKey, Residency
from tests.backend.jobs import tiny_models
from tests.backend.jobs.tiny_models import HERE, bound, not_climbed, write_weights

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.usefixtures("frozen_heap"), pytest.mark.slow]


class Ladders:
    """A ladder over a folder of tiny weights, with what it said."""

    def __init__(self, folder: Path, *, cpu_allowed: bool = False) -> None:
        self.said: list[str] = []
        self.location = write_weights(folder / "w.safetensors", 10)
        self.residency = Residency(10_000, make=self._make)
        self.ladder = Ladder(
            residency=self.residency, cpu_allowed=cpu_allowed, say=lambda kind, text: self.said.append(text)
        )
        self.devices: list[str] = []

    def _make(self, key: ModelKey, role: str) -> object:
        self.devices.append(key.device)
        name = key.implementation.partition(":")[2]
        return getattr(tiny_models, name)(ModelPlace(role, key.location), device=key.device, dtype=key.dtype)

    def __call__(self, name: str, method: str, *calls: tuple, device: str = "cpu") -> list[object]:
        asked = [
            Waiting(Ask(str(n), "bulk", bound(name, self.location), method, args), reply=lambda message: None)
            for n, args in enumerate(calls)
        ]
        return self.ladder(ModelKey(f"{HERE}:{name}", self.location, device, "float32"), asked)

    def model(self, name: str) -> tiny_models.Hungry:
        return next(r.model for r in self.residency.residents() if r.key.implementation.endswith(f":{name}"))  # type: ignore[return-value]


@pytest.fixture
def ladder(tmp_path: Path) -> Ladders:
    return Ladders(tmp_path)


ROWS = np.random.default_rng(0).standard_normal((12, 16)).astype(np.float32)
CALLS = [(row,) for row in ROWS]


def test_micro_batch_equals_single_calls_to_the_bit(ladder: Ladders) -> None:
    together = ladder("Linear", "project", *CALLS)
    single = [ladder("Linear", "project", call)[0] for call in CALLS]
    assert ladder.model("Linear").most_together == 12
    assert [row.tobytes() for row in together] == [row.tobytes() for row in single]  # type: ignore[attr-defined]
    reference = ladder.model("Linear")._network.weight.numpy() @ ROWS[0]
    assert np.allclose(together[0], reference, rtol=1e-5)  # type: ignore[arg-type]


def test_micro_batch_is_halved_until_it_fits(ladder: Ladders) -> None:
    together = ladder("Hungry", "project", *CALLS)
    assert ladder.model("Hungry").attempts == [12, 6, 3, 2, 3, 2, 6, 3, 2, 3, 2]
    expected = ladder("Linear", "project", *CALLS)
    assert all((a == b).all() for a, b in zip(together, expected, strict=True))  # type: ignore[attr-defined]
    assert ladder.said[:2] == ["Hungry: 6 of 12 calls at once", "Hungry: 3 of 6 calls at once"]


def test_others_go_before_the_models_own_batch_shrinks(ladder: Ladders) -> None:
    ladder("Linear", "project", CALLS[0])
    ladder("Hungry", "own_batches", (ROWS,))
    assert ladder.said == [
        "Hungry: cache emptied",
        "Hungry: other models put out, 640 bytes",
        "Hungry: 8 at a time instead of 16",
        "Hungry: 4 at a time instead of 8",
        "Hungry: 2 at a time instead of 4",
    ]
    assert [r.key.implementation for r in ladder.residency.residents()] == [f"{HERE}:Hungry"]
    assert ladder.model("Hungry").batch == 2  # it is remembered as long as the model is held


def test_call_without_any_room_fails_by_name(ladder: Ladders) -> None:
    (ended,) = ladder("Hungry", "endless", CALLS[0])
    assert isinstance(ended, Raised)
    assert isinstance(ended.error, ModelFailed)
    assert re.search(r"Hungry \(Hungry\) ran out of memory on cpu .* model_on_cpu", str(ended.error))
    assert ended.error.kind == "out_of_memory"


def test_a_ladder_that_shrinks_no_batch_is_found(ladder: Ladders, monkeypatch: pytest.MonkeyPatch) -> None:
    ladder("Hungry", "own_batches", (ROWS,))
    assert not_climbed(ladder.said) == []
    ladder.said.clear()
    ladder.model("Hungry").batch = 16
    monkeypatch.setattr(Ladder, "_rungs", lambda *_: iter(["cache emptied"]))
    (ended,) = ladder("Hungry", "own_batches", (ROWS,))
    assert isinstance(ended, Raised)
    assert len(not_climbed(ladder.said)) == 3


def test_call_without_any_room_takes_no_neighbour_along(ladder: Ladders) -> None:
    ended = ladder("Troubled", "act", ("fine",), ("endless",), ("fine too",), ("raise",))
    assert [ended[0], ended[2]] == ["fine", "fine too"]
    kinds = [type(one.error).__name__ for one in ended if isinstance(one, Raised)]
    assert kinds == ["ModelFailed", "ValueError"]


def test_cpu_is_the_last_rung_where_it_is_allowed(tmp_path: Path) -> None:
    ladder = Ladders(tmp_path, cpu_allowed=True)
    (ended,) = ladder("Hungry", "endless", CALLS[0], device="cuda:0")
    assert "on cuda:0" in str(ended.error)  # type: ignore[attr-defined]
    assert ladder.devices == ["cuda:0", "cpu"]
    assert ladder.said[-1] != "Hungry: goes on on the CPU"  # the CPU had a ladder of its own
    assert "Hungry: goes on on the CPU" in ladder.said


def test_fault_of_one_call_is_not_its_neighbours(ladder: Ladders) -> None:
    ended = ladder("Troubled", "act", ("fine",), ("raise",), ("fine too",))
    assert [ended[0], ended[2]] == ["fine", "fine too"]
    assert isinstance(ended[1], Raised)
    assert str(ended[1].error) == "3 boxes for 2 phrases"


def test_together_that_raises_is_told_apart_call_by_call(ladder: Ladders) -> None:
    ended = ladder("Linear", "project", CALLS[0], (np.zeros(3, np.float32),), CALLS[1])
    assert isinstance(ended[1], Raised)
    assert (ended[2] == ladder("Linear", "project", CALLS[1])[0]).all()  # type: ignore[attr-defined]
