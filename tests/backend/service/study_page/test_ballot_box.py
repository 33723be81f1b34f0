"""Answers of many people that go to the disk together: each with its own outcome, in order, however others fare."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from backend.service.study_page.ballot_box import MAX_TOGETHER, BallotBox


class Disk:
    """Takes what it is given once `ready`, and remembers what came together. Odd numbers are refused."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.together: list[list[int]] = []

    def store(self, papers: Sequence[int]) -> list[str | Exception]:
        assert self.ready.wait(10)
        self.together.append(list(papers))
        return [ValueError(str(paper)) if paper % 2 else f"kept {paper}" for paper in papers]


async def _put_all(box: BallotBox[int, str], disk: Disk, papers: Sequence[int]) -> list[str | BaseException]:
    calls = [asyncio.create_task(box.put(paper)) for paper in papers]
    await asyncio.sleep(0.05)  # the first is on its way to the disk, the others wait
    disk.ready.set()
    return await asyncio.gather(*calls, return_exceptions=True)


def test_what_comes_while_the_disk_is_busy_goes_there_together() -> None:
    async def run() -> Disk:
        disk = Disk()
        box = BallotBox(disk.store)
        first = asyncio.create_task(box.put(0))
        await asyncio.sleep(0.05)
        later = await _put_all(box, disk, range(2, 22, 2))
        assert await first == "kept 0"
        assert later == [f"kept {paper}" for paper in range(2, 22, 2)]
        return disk

    assert asyncio.run(run()).together == [[0], list(range(2, 22, 2))]


def test_each_caller_hears_of_their_own_paper() -> None:
    async def run() -> list[str | BaseException]:
        disk = Disk()
        return await _put_all(BallotBox(disk.store), disk, range(6))

    found = asyncio.run(run())
    assert found[0::2] == ["kept 0", "kept 2", "kept 4"]
    assert [(type(one), str(one)) for one in found[1::2]] == [(ValueError, "1"), (ValueError, "3"), (ValueError, "5")]


def test_no_call_holds_more_than_the_most() -> None:
    num = 3 * MAX_TOGETHER + 7

    async def run() -> Disk:
        disk = Disk()
        found = await _put_all(BallotBox(disk.store), disk, range(0, 2 * num, 2))
        assert found == [f"kept {paper}" for paper in range(0, 2 * num, 2)]
        return disk

    sizes = [len(one) for one in asyncio.run(run()).together]
    assert sum(sizes) == num
    assert max(sizes) == MAX_TOGETHER


def test_who_goes_away_takes_nothing_back_and_keeps_nobody_waiting() -> None:
    async def run() -> Disk:
        disk = Disk()
        box = BallotBox(disk.store)
        gone, stays = asyncio.create_task(box.put(2)), asyncio.create_task(box.put(4))
        await asyncio.sleep(0.05)
        gone.cancel()
        await asyncio.sleep(0)
        disk.ready.set()
        assert await stays == "kept 4"
        with pytest.raises(asyncio.CancelledError):
            await gone
        return disk

    assert asyncio.run(run()).together == [[2, 4]]


def test_a_fault_of_the_store_reaches_all_who_waited_and_the_next_go_on() -> None:
    class Broken(Exception):
        pass

    calls: list[int] = []

    def store(papers: Sequence[int]) -> list[str | Exception]:
        calls.append(len(papers))
        if len(calls) == 1:
            raise Broken
        return ["kept"] * len(papers)

    async def run() -> list[str | BaseException]:
        box = BallotBox(store)
        found = await asyncio.gather(box.put(1), box.put(2), return_exceptions=True)
        return [*found, await box.put(3)]

    first, second, third = asyncio.run(run())
    assert (type(first), type(second), third) == (Broken, Broken, "kept")
