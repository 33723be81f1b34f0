"""What stays loaded, in bytes of real networks: a row of weights takes 64 bytes."""

from pathlib import Path

import pytest

from backend.domain import ModelUnavailable
from backend.domain.errors import ModelFailed
from backend.engine.context import load
from backend.models import MODELS
from backend.models.borders import Interrupted, border, make_borders, watched
from backend.models.devices import is_device_lost, is_out_of_memory, model_bytes, num_gpus
from backend.models.residency import ModelKey, Residency

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.usefixtures("frozen_heap"), pytest.mark.slow]


class Holder:
    """As implementations are: a network behind a private name, its processor beside it."""

    def __init__(self, rows: int) -> None:
        self._model = torch.nn.Linear(16, rows, bias=False)
        self._processor = {"same": self._model}


def key(name: str) -> ModelKey:
    return ModelKey(f"tests:{name}", "", "cpu", "float32")


class Store:
    """Models of so many rows by name, and what was said of them."""

    def __init__(self, rows: dict[str, int], budget_bytes: int) -> None:
        self.said: list[tuple[str, str]] = []
        self.made: list[str] = []
        self.rows = rows
        self.residency = Residency(
            budget_bytes,
            make=self.make,
            expected=lambda key: 64 * rows[key.implementation[6:]],
            say=lambda kind, text: self.said.append((kind, text)),
        )

    def make(self, key: ModelKey, role: str) -> object:
        self.made.append(key.implementation[6:])
        return Holder(self.rows[key.implementation[6:]])

    def use(self, name: str) -> None:
        with self.residency.pinned(key(name), name):
            pass

    def names(self) -> list[str]:
        return [resident.key.implementation[6:] for resident in self.residency.residents()]


def test_bytes_are_those_of_parameters_and_buffers_counted_once() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(16, 10), torch.nn.BatchNorm1d(10))
    assert model_bytes(Holder(10)) == 640
    # 160 + 10 of the first; weight, bias, mean and variance of 10 each; one int64 that counts batches
    assert model_bytes(network) == 4 * (160 + 10 + 40) + 8
    tied = torch.nn.Linear(16, 10, bias=False)
    tied.weight = network[0].weight
    assert model_bytes([network, tied]) == model_bytes(network)


def test_model_without_networks_takes_no_parameters() -> None:
    assert model_bytes(object()) == 0


def test_least_recently_used_goes_first() -> None:
    store = Store({"a": 10, "b": 10, "c": 10, "d": 10}, budget_bytes=3 * 640)
    for name in ("a", "b", "c", "a", "d"):
        store.use(name)
    assert store.names() == ["c", "a", "d"]
    assert store.residency.num_bytes == 1920
    assert ("evicted", "b, 640 bytes") in store.said


def test_room_that_is_lent_is_made_by_those_nobody_uses_and_comes_back() -> None:
    store = Store({"a": 10, "b": 10, "c": 10, "d": 10}, budget_bytes=3 * 640)
    for name in ("a", "b", "c"):
        store.use(name)
    with store.residency.pinned(key("a"), "a"):
        assert store.residency.lend(640) == 640
        assert store.names() == ["c", "a"], "b was used longest ago"
        assert store.residency.lend(3 * 640) == 640
        assert store.names() == ["a"], "it is in use"
    store.use("d")
    assert store.names() == ["d"], "one at a time: it is loaded though nothing is left"
    assert store.residency.lend(0) == 0
    for name in ("a", "b"):
        store.use(name)
    assert store.names() == ["d", "a", "b"]


def test_loaded_model_is_not_loaded_again() -> None:
    store = Store({"a": 10}, budget_bytes=640)
    store.use("a")
    store.use("a")
    assert store.made == ["a"]
    assert store.residency.residents()[0].uses == 2


def test_room_is_made_for_a_large_one_at_the_cost_of_several() -> None:
    store = Store({"a": 10, "b": 10, "large": 25}, budget_bytes=30 * 64)
    for name in ("a", "b", "large"):
        store.use(name)
    assert store.names() == ["large"]


def test_pinned_model_stays_whatever_comes() -> None:
    store = Store({"a": 10, "b": 10}, budget_bytes=15 * 64)
    with store.residency.pinned(key("a"), "a") as held:
        store.use("b")
        assert set(store.names()) == {"a", "b"}
        assert store.residency.evict_others() == 640
        assert store.names() == ["a"]
        assert held.model is not None
    assert store.residency.evict_others() == 640


def test_model_larger_than_the_budget_is_refused_with_both_sizes() -> None:
    store = Store({"a": 10, "huge": 2**24}, budget_bytes=2**29)
    store.use("a")
    with pytest.raises(ModelUnavailable, match=r"huge .* takes 1 GiB, more than the 0.5 GiB .* model_memory_gib"):
        store.use("huge")
    assert "huge" not in store.names()


def test_wrong_guess_is_mended_by_what_was_measured() -> None:
    store = Store({"a": 10, "b": 10}, budget_bytes=15 * 64)
    store.residency._expected = lambda key: 0
    store.use("a")
    store.use("b")
    assert store.names() == ["b"]


def test_loading_that_finds_no_memory_is_tried_again_alone() -> None:
    store = Store({"a": 10, "b": 10}, budget_bytes=10_000)

    def make(key: ModelKey, role: str) -> object:
        if role == "b" and store.names():
            raise torch.OutOfMemoryError("CUDA out of memory")
        return Store.make(store, key, role)

    store.residency._make = make
    store.use("a")
    store.use("b")
    assert store.names() == ["b"]


def test_loading_that_never_finds_memory_fails_by_name() -> None:
    def make(key: ModelKey, role: str) -> object:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    store = Residency(1000, make=make)
    with pytest.raises(ModelFailed, match=r"big .* does not fit") as raised, store.pinned(key("big"), "big"):
        pass
    assert raised.value.kind == "out_of_memory"


@pytest.mark.parametrize(
    ("error", "memory", "lost"),
    [
        (MemoryError(), True, False),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True, False),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"), True, False),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False, True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False, False),
        (ValueError("out of memory"), False, False),
    ],
)
def test_faults_are_told_apart(error: BaseException, memory: bool, lost: bool) -> None:
    assert (is_out_of_memory(error), is_device_lost(error)) == (memory, lost)


def test_forward_passes_are_borders_for_whoever_watches() -> None:
    holder, passed = Holder(3), []
    make_borders(holder)
    row = torch.zeros(1, 16)
    holder._model(row)
    with watched(lambda: passed.append("outer")), watched(lambda: passed.append("inner")):
        holder._model(row)
        border()
    holder._model(row)
    assert passed == ["outer", "inner"] * 2


def test_border_stops_what_nobody_wants() -> None:
    def stop() -> None:
        raise Interrupted

    holder = Holder(3)
    make_borders(holder)
    with pytest.raises(Interrupted), watched(stop):
        holder._model(torch.zeros(1, 16))


def test_hidden_gpus_are_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert num_gpus() == 0


def test_torchscript_is_held_though_it_takes_no_hooks() -> None:
    holder = Holder(3)
    holder._model = torch.jit.script(holder._model)  # type: ignore[assignment]
    make_borders(holder)
    assert model_bytes(holder) == 192


HALVED = (
    "CurricularFace",
    "DinoV1",
    "DinoV2",
    "DinoV3",
    "ClipB32",
    "ClipL14",
    "OpenClipB32",
    "OpenClipL14",
    "GroundingDino",
)
HALVED += ("DinoV2Appearance", "DinoV3Appearance", "DinoV2Background", "OpenClipAppearance", "ProjectedAppearance")
HALVED += ("Gme", "I3d", "InceptionFeatures", "Owlv2", "OwlVit", "SyncNet", "VlmLevelReader")


def test_models_that_work_in_batches_let_them_be_halved() -> None:
    classes = [load(path) for found in MODELS.values() for path in found.values()]
    batched = {one.__name__: one.batch for one in classes if hasattr(one, "batch")}
    assert set(HALVED) <= set(batched)
    assert all(size > 1 for size in batched.values())
