"""The lines of a run: whole when an interrupted sitting is taken up again, or as they were."""

import json
import resource
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend.domain import ProjectError
from training.observe import Metrics, read_batches, read_metrics


def write_lines(path: Path, steps: int, *, padding: int = 0) -> bytes:
    """A line a step, and one that a kill has cut."""
    lines = [json.dumps({"step": step, "words": "x" * padding}) for step in range(1, steps + 1)]
    path.write_text("\n".join(lines) + '\n{"step": 9', encoding="utf-8")
    return path.read_bytes()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Writing more than so many bytes into a file fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_was_said_of_later_steps_is_dropped_and_the_rest_goes_on(tmp_path: Path) -> None:
    for name in ("metrics.jsonl", "batches.jsonl"):
        write_lines(tmp_path / name, 6)
    metrics = Metrics(tmp_path, from_step=4, tensorboard=False)
    metrics.write(5, {"loss": 0.5})
    metrics.close()
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3, 4, 5]
    assert [line["step"] for line in read_batches(tmp_path)] == [1, 2, 3, 4]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["batches.jsonl", "metrics.jsonl"]


def test_a_disk_that_is_full_while_a_run_is_taken_up_loses_no_line(tmp_path: Path) -> None:
    before = write_lines(tmp_path / "metrics.jsonl", 500)
    with files_of_at_most(2000), pytest.raises(ProjectError, match=r"metrics\.jsonl cannot be written"):
        Metrics(tmp_path, from_step=400, tensorboard=False)
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_long_run_is_taken_up_without_its_lines_in_memory(tmp_path: Path) -> None:
    size = len(write_lines(tmp_path / "batches.jsonl", 400, padding=10_000))
    tracemalloc.start()
    try:
        Metrics(tmp_path, from_step=300, tensorboard=False).close()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size / 4
    assert len(read_batches(tmp_path)) == 300
