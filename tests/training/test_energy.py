"""Energy by counters that wrap, by watts, by a power limit, and by nothing."""

import sys
from types import SimpleNamespace

import pytest
import torch

from training import energy
from training.energy import ESTIMATED, LIMIT, MEASURED, MEASURED_GPU, UNKNOWN, EnergyMeter, Gpu

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    """Half an hour passes between two looks at it; there may be no GPU to wait for."""
    told = iter(range(0, 10**6, 1800))
    monkeypatch.setattr(energy.time, "perf_counter", lambda: float(next(told)))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda *_: None)


@pytest.fixture
def counter(tmp_path):
    (tmp_path / "energy_uj").write_text("1000")
    (tmp_path / "max_energy_range_uj").write_text("9000000000")
    return tmp_path


class FakeGpu:
    """Of readings in millijoules, and a limit."""

    def __init__(self, readings=(), limit=None) -> None:
        self._readings, self._limit = list(readings), limit

    def __call__(self, device):
        return self

    def read_mj(self):
        return self._readings.pop(0) if self._readings else None

    def limit_w(self):
        return self._limit


def test_the_processors_counter_is_read_and_its_end_is_no_loss(counter):
    meter = EnergyMeter(300.0, counter=counter)
    with meter.measuring(CPU) as cost:
        (counter / "energy_uj").write_text("7200001000")
    assert (cost.energy_wh, cost.energy_by, cost.seconds, cost.gpu_hours) == (2.0, MEASURED, 1800.0, 0.0)
    with meter.measuring(CPU) as cost:  # 1.8e9 to the end, 1.8e9 after it
        (counter / "energy_uj").write_text("1800001000")
    assert cost.energy_wh == pytest.approx(1.0)
    assert (meter.total_wh, meter.source) == (pytest.approx(3.0), MEASURED)


def test_watts_alone_are_an_estimate_that_says_so(tmp_path):
    meter = EnergyMeter(300.0, counter=tmp_path / "none")
    with meter.measuring(CPU) as cost:
        pass
    assert (cost.energy_wh, cost.energy_by) == (150.0, f"{ESTIMATED} (300 W)")
    with EnergyMeter(300.0, gpu=FakeGpu(limit=700.0)).measuring(GPU) as cost:  # pyright: ignore[reportArgumentType]
        pass
    assert (cost.energy_wh, cost.energy_by, cost.gpu_hours) == (150.0, f"{ESTIMATED} (300 W)", 0.5)


@pytest.mark.parametrize(("device", "gpu"), [(CPU, FakeGpu([0, 9])), (GPU, FakeGpu())])
def test_without_counter_watts_and_limit_nothing_is_said(tmp_path, device, gpu):
    meter = EnergyMeter(0.0, counter=tmp_path / "none", gpu=gpu)
    with meter.measuring(device) as cost:
        pass
    assert (cost.energy_wh, cost.energy_by, meter.total_wh, meter.source) == (None, UNKNOWN, None, UNKNOWN)


def test_a_gpu_is_measured_by_its_own_counter_and_not_by_the_processors(counter):
    with EnergyMeter(300.0, counter=counter, gpu=FakeGpu([5, 5 + 7_200_000])).measuring(GPU) as cost:  # pyright: ignore[reportArgumentType]
        (counter / "energy_uj").write_text("5000000000")
    assert (cost.energy_wh, cost.energy_by) == (2.0, MEASURED_GPU)


def test_a_gpu_without_a_counter_is_estimated_by_its_limit():
    with EnergyMeter(0.0, gpu=FakeGpu(limit=700.0)).measuring(GPU) as cost:  # pyright: ignore[reportArgumentType]
        pass
    assert (cost.energy_wh, cost.energy_by) == (350.0, f"{LIMIT} (700 W)")


class NvmlError(Exception):
    pass


def nvml(**answers):
    """The module, of which questions without an answer fail as NVML's do."""

    def asked(name):
        def answer(handle):
            assert handle == "GPU-12ab"
            if name not in answers:
                raise NvmlError(name)
            return answers[name]

        return answer

    names = ("nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetEnforcedPowerLimit")
    handle = {"nvmlInit": lambda: None, "nvmlDeviceGetHandleByUUID": lambda uuid: uuid, "NVMLError": NvmlError}
    return SimpleNamespace(**handle, **{name: asked(name) for name in names})


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="12ab"))
    return Gpu(GPU)


def test_nvml_tells_millijoules_and_milliwatts(gpu, monkeypatch):
    told = nvml(nvmlDeviceGetTotalEnergyConsumption=77, nvmlDeviceGetEnforcedPowerLimit=700_000)
    monkeypatch.setitem(sys.modules, "pynvml", told)
    assert (gpu.read_mj(), gpu.limit_w()) == (77, 700.0)


def test_without_nvml_the_tool_tells_the_limit_alone(gpu, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pynvml", None)  # importing it fails
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\n[ "$1" = "--id=GPU-12ab" ] && echo 350.00\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert (gpu.read_mj(), gpu.limit_w()) == (None, 350.0)
    tool.write_text("#!/bin/sh\necho '[N/A]'\n")
    assert gpu.limit_w() is None
    tool.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu.limit_w() is None


def test_an_old_gpu_has_no_counter_and_its_driver_no_limit(gpu, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pynvml", nvml())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (gpu.read_mj(), gpu.limit_w()) == (None, None)
