"""On a real GPU: bytes of the device, memory that truly runs out, a context that is lost."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.domain.errors import ModelFailed
from backend.jobs.model_service import ModelService
from backend.jobs.model_worker import ModelWorkerSettings
from backend.models.devices import num_gpus
from backend.models.remote_role import ModelLine, remote_role
from tests.backend.jobs import tiny_models
from tests.backend.jobs.tiny_models import bound, write_weights

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,
    pytest.mark.server,
    pytest.mark.skipif(num_gpus() == 0, reason="no GPU on this machine"),
]


@pytest.fixture
def service() -> Iterator[ModelService]:
    opened = ModelService(ModelWorkerSettings(device="cuda"))
    yield opened
    opened.close()


def greedy(service: ModelService, folder: Path) -> tiny_models.Greedy:
    weights = write_weights(folder / "w.safetensors", 2**14)
    return remote_role(ModelLine(service.address()), bound("Greedy", weights), tiny_models.Greedy)  # type: ignore[return-value]


def test_model_is_held_on_the_gpu_and_its_bytes_are_the_devices(service: ModelService, tmp_path: Path) -> None:
    there = greedy(service, tmp_path)
    assert there.device_name().startswith("cuda")
    row = service.rows()[0]
    assert row.device == "cuda:0"
    assert 2**20 <= row.resident[0].num_bytes <= 2**22  # 1 MiB of weights, in blocks of the device's allocator
    assert row.budget_bytes > 2**30


def test_true_lack_of_memory_goes_down_the_ladder(service: ModelService, tmp_path: Path) -> None:
    there = greedy(service, tmp_path)
    # 16 shares of a third of the device: not at once, and one alone fits
    assert there.take(16, 3).tolist() == [1.0] * 16
    rungs = [event.text for event in service.events() if event.kind == "out_of_memory"]
    assert rungs[0] == "Greedy: cache emptied"
    assert any("at a time instead of" in rung for rung in rungs)
    with pytest.raises(ModelFailed, match="ran out of memory") as raised:
        there.take(1, 0.5)  # type: ignore[arg-type] # twice the device
    assert raised.value.kind == "out_of_memory"
    assert there.take(1, 100).tolist() == [1.0]


def test_lost_context_ends_the_worker_and_the_next_one_answers(service: ModelService, tmp_path: Path) -> None:
    there = greedy(service, tmp_path)
    with pytest.raises(RuntimeError, match="CUDA error"):
        there.break_context()
    assert there.take(1, 100).tolist() == [1.0]
    assert service.rows()[0].restarts == 1


def test_results_are_the_same_here_and_there(service: ModelService, tmp_path: Path) -> None:
    from backend.models.places import ModelPlace

    weights = write_weights(tmp_path / "l.safetensors", 256)
    there = remote_role(ModelLine(service.address()), bound("Greedy", weights), tiny_models.Greedy)
    here = tiny_models.Greedy(ModelPlace("Greedy", weights), device="cuda:0", dtype="float32")
    row = np.linspace(-1, 1, 16, dtype=np.float32)
    assert there.on_device(row).tobytes() == here.on_device(row).tobytes()  # type: ignore[attr-defined]
