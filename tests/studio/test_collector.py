"""Garbage is collected in the GUI thread, from the event loop, and nowhere else."""

import gc
import threading
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from studio.collector import GarbageCollector


class Cycle:
    """Garbage that only a collection ends."""

    def __init__(self) -> None:
        self.own = self


@contextmanager
def collected_often() -> Iterator[None]:
    before, enabled = gc.get_threshold(), gc.isenabled()
    gc.set_threshold(50, 10, 10)
    gc.enable()
    yield
    gc.set_threshold(*before)
    (gc.enable if enabled else gc.disable)()


def ended_in(died: list[str]) -> None:
    """Makes cycles in another thread, which notes where each ends."""

    def make() -> None:
        for _ in range(500):
            weakref.finalize(Cycle(), lambda: died.append(threading.current_thread().name))
            [[] for _ in range(5)]

    worker = threading.Thread(target=make, name="loader")
    worker.start()
    worker.join()


def test_python_alone_collects_wherever_it_is() -> None:
    """The control: without the collector, cycles end in the thread that happens to allocate."""
    with collected_often():
        died: list[str] = []
        ended_in(died)
        assert "loader" in died


def test_cycles_of_other_threads_end_in_this_one_from_its_events(qtbot, qapp) -> None:
    with collected_often(), closing(GarbageCollector(qapp)):
        died: list[str] = []
        ended_in(died)
        assert died == []
        qtbot.waitUntil(lambda: len(died) == 500)
        assert set(died) == {threading.current_thread().name}


def test_thresholds_of_zero_collect_nothing(qapp, monkeypatch: pytest.MonkeyPatch) -> None:
    collected: list[int] = []
    with closing(GarbageCollector(qapp)) as collector:
        monkeypatch.setattr("studio.collector.gc.collect", collected.append)
        monkeypatch.setattr("studio.collector.gc.get_count", lambda: (10_000, 11, 0))
        monkeypatch.setattr("studio.collector.gc.get_threshold", lambda: (0, 0, 0))
        collector.check()
        assert collected == []
        monkeypatch.setattr("studio.collector.gc.get_threshold", lambda: (700, 10, 10))
        collector.check()
        assert collected == [1]
