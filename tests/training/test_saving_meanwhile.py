"""A checkpoint holds the weights of when it was asked for, however slow the disk."""

from threading import Event

import pytest
import torch
import torch.distributed as dist
from torch.distributed.checkpoint.filesystem import FileSystemWriter

from tests.faults.kept_weights import trained, world
from training import checkpoint
from training.checkpoint import Checkpoints, Progress


@pytest.fixture(autouse=True)
def _one_group():
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


def test_weights_that_change_while_they_are_written_are_saved_as_they_were(monkeypatch, tmp_path) -> None:
    may_write, asked = Event(), Event()

    class SlowDisk(FileSystemWriter):
        def write_data(self, *arguments, **named):
            asked.set()
            assert may_write.wait(30), "the disk was never let go"
            return super().write_data(*arguments, **named)

    monkeypatch.setattr(checkpoint, "FileSystemWriter", SlowDisk)
    saved, checkpoints = trained(1), Checkpoints(tmp_path, world(), keep=1)
    before = {name: value.clone() for name, value in saved.model.state_dict().items()}
    assert saved.ema is not None
    average = {name: value.clone() for name, value in saved.ema.average.items()}
    try:
        checkpoints.save(saved, Progress(step=4))
        assert asked.wait(30), "saving goes on beside"
        assert checkpoints.latest() is None, "it counts when it is whole"
        saved.optimizer.step()
        saved.ema.update(saved.model, 1)
    finally:
        may_write.set()
    checkpoints.finish()
    found = trained(2)
    assert checkpoints.load(found, 4).step == 4
    assert found.ema is not None
    name = "proj_out.weight"
    assert not torch.equal(saved.model.state_dict()[name], before[name])
    assert all(torch.equal(value, before[key]) for key, value in found.model.state_dict().items())
    assert all(torch.equal(value, average[key]) for key, value in found.ema.average.items())
    (state,) = {int(each["step"]) for each in found.optimizer.state.values()}
    assert state == 1, "the optimizer is that of then too"
