"""Frames that are decoded in a child are those that are decoded here."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.domain import MediaError
from backend.media import guarded_reader
from backend.media.guard import run_guarded
from backend.media.guarded_reader import FrameSource, GuardedReader
from backend.media.index import build_index
from backend.media.reader import VideoReader
from tests.backend.media import counted_clips
from tests.backend.media.test_guard import process_id

KINDS: list[Callable[[Path], Path]] = [counted_clips.constant_rate, counted_clips.no_b_frames, counted_clips.one_key_frame]


@pytest.fixture
def source() -> Iterator[FrameSource]:
    made = FrameSource()
    yield made
    made.close()


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_those_of_a_reader_here(kind: Callable[[Path], Path], tmp_path: Path, source: FrameSource) -> None:
    path = kind(tmp_path)
    index = build_index(path)
    with VideoReader(path, index) as here, GuardedReader(path, index, source) as there:
        assert (there.num_frames, there.width, there.height, there.name) == (
            here.num_frames,
            here.width,
            here.height,
            here.name,
        )
        asked = [5, 3, 60, 5, 0]
        np.testing.assert_array_equal(there.at(asked), here.at(asked))
        np.testing.assert_array_equal(there.at([7, 9], size=(64, 36)), here.at([7, 9], size=(64, 36)))
        for (start, ours), (other, theirs) in zip(here.stream(3, 40, step=2), there.stream(3, 40, step=2), strict=True):
            assert start == other
            np.testing.assert_array_equal(ours, theirs)
        wanted = {4: [None, (32, 18)], 9: [(32, 18)]}
        pictures = list(there.at_sizes(wanted))
        assert [(number, size) for number, size, _ in pictures] == [(4, None), (4, (32, 18)), (9, (32, 18))]
        for (_, _, ours), (_, _, theirs) in zip(here.at_sizes(wanted), pictures, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_more_than_the_memory_holds_comes_in_parts(
    tmp_path: Path, source: FrameSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = counted_clips.constant_rate(tmp_path)
    monkeypatch.setattr(guarded_reader, "SHARED_BYTES", 400_000)  # two of 168,960 bytes
    with GuardedReader(path, build_index(path), source) as reader:
        numbers = [counted_clips.number_of(frame) for frame in reader.at(range(70))]
        assert numbers == list(range(70))
        kept = [picture for _, _, picture in reader.at_sizes({n: [None] for n in range(9)})]
        assert [counted_clips.number_of(frame) for frame in kept] == list(range(9))
        mixed = list(reader.at_sizes({n: [(32, 18), None] for n in range(9)}))
        assert [(n, picture.shape[1]) for n, _, picture in mixed] == [(n, w) for n in range(9) for w in (32, reader.width)]
        assert [counted_clips.number_of(picture) for _, size, picture in mixed if size is None] == list(range(9))
        assert reader.at([1], size=(1280, 704)).shape == (1, 704, 1280, 3)


def test_a_child_that_dies_fails_one_call_and_is_replaced(tmp_path: Path, source: FrameSource) -> None:
    path = counted_clips.constant_rate(tmp_path)
    with GuardedReader(path, build_index(path), source) as reader:
        assert counted_clips.number_of(reader.at([8])[0]) == 8
        pid = source._child.run(process_id, (), subject="", wall_s=9.0, cpu_s=9.0)
        assert pid not in (os.getpid(), run_guarded(process_id))
        os.kill(pid, signal.SIGSEGV)
        try:
            found = reader.at([9])
        except MediaError as error:  # it died between being looked at and being asked
            assert error.kind == "crash"
            found = reader.at([9])
        assert counted_clips.number_of(found[0]) == 9


def test_readers_of_several_videos_share_a_child(tmp_path: Path, source: FrameSource) -> None:
    made = []
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        path = counted_clips.no_b_frames(tmp_path / str(number))
        made.append(GuardedReader(path, build_index(path), source))
    for order in ((0, 1, 2, 3), (3, 0, 0, 2), (1, 3, 2, 1)):
        for number in order:
            assert counted_clips.number_of(made[number].at([number + 10])[0]) == number + 10


def test_refusals_come_as_here(tmp_path: Path, source: FrameSource) -> None:
    path = counted_clips.constant_rate(tmp_path)
    index = build_index(path)
    with GuardedReader(path, index, source) as reader:
        with pytest.raises(IndexError, match="frame 70 outside"):
            reader.at([70])
        with pytest.raises(IndexError, match="frame 70 outside"):
            list(reader.at_sizes({70: [None]}))
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(MediaError):
            reader.at([69])
        path.unlink()
    with GuardedReader(path, index, source) as reader, pytest.raises(MediaError, match="no such file") as raised:
        reader.at([0])
    assert raised.value.kind == "missing"


def test_frames_that_were_not_taken_do_not_come_later(tmp_path: Path, source: FrameSource) -> None:
    path = counted_clips.constant_rate(tmp_path)
    with GuardedReader(path, build_index(path), source) as reader:
        first = reader.stream(0, 60, chunk=2)
        assert next(first)[0] == 0
        assert counted_clips.number_of(reader.at([33])[0]) == 33
        assert [start for start, _ in reader.stream(10, 14, chunk=2)] == [10, 12]
