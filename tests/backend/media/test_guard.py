import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from backend.domain import MediaError
from backend.media.guard import close_children, guarded_probe, run_guarded
from backend.media.probe import probe
from tests.backend.media.counted_clips import constant_rate


def echo(value: object) -> object:
    return value


def process_id() -> int:
    return os.getpid()


def die_of_a_fault() -> None:
    os.write(2, b"about to fall\n")
    os.kill(os.getpid(), signal.SIGSEGV)


def sleep_for_long() -> None:
    time.sleep(60)


def spin() -> None:
    while True:
        pass


def take_memory(gib: float) -> int:
    return len(bytearray(int(gib * 2**30)))


def refuse() -> None:
    raise MediaError("odd.mp4: no video stream", kind="no_video")


def break_down() -> None:
    raise ValueError("a mistake of ours")


def write_too_much(path: str) -> None:
    with open(path, "wb") as file:
        for _ in range(200):
            file.write(bytes(2**20))


def print_noise() -> str:
    os.write(1, b"a decoder prints to standard output\n" * 100)
    return "quiet"


def open_many_files(path: str) -> int:
    return len([open(path) for _ in range(1000)])


def test_plain_values_and_arrays_come_back() -> None:
    value = {"a": [1, 2.5, None, True, "\udcff é"], "b": b"\x00\xff", "n": {"deep": []}}
    assert run_guarded(echo, (value,)) == value
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(run_guarded(echo, (array,)), array)


def test_a_child_serves_many_calls() -> None:
    assert run_guarded(process_id) == run_guarded(process_id) != os.getpid()


def test_a_child_that_dies_is_replaced_and_its_last_words_are_told() -> None:
    before = run_guarded(process_id)
    with pytest.raises(MediaError, match=r"clip\.mp4: the reading process died \(SIGSEGV\) about to fall") as caught:
        run_guarded(die_of_a_fault, subject="clip.mp4")
    assert caught.value.kind == "crash"
    assert run_guarded(process_id) != before


def test_a_child_that_hangs_is_stopped() -> None:
    started = time.monotonic()
    with pytest.raises(MediaError, match=r"slow\.mp4: stopped after 0\.3 s") as caught:
        run_guarded(sleep_for_long, subject="slow.mp4", wall_s=0.3)
    assert caught.value.kind == "timeout"
    assert time.monotonic() - started < 5


def test_a_child_that_spins_is_stopped_by_its_processor_time() -> None:
    with pytest.raises(MediaError, match="of processor time") as caught:
        run_guarded(spin, wall_s=30.0, cpu_s=0.2)
    assert caught.value.kind == "timeout"


def test_a_child_that_takes_too_much_memory_is_refused_and_lives_on() -> None:
    before = run_guarded(process_id)
    with pytest.raises(MediaError, match="more than 2 GiB") as caught:
        run_guarded(take_memory, (3.0,), subject="bomb.mp4", address_space_gib=2.0)
    assert caught.value.kind == "memory"
    assert "bomb.mp4" in str(caught.value)
    assert run_guarded(process_id) == before


def test_a_refusal_keeps_its_kind_and_text() -> None:
    with pytest.raises(MediaError, match=r"^odd\.mp4: no video stream$") as caught:
        run_guarded(refuse)
    assert caught.value.kind == "no_video"


def test_a_mistake_in_the_called_function_is_a_crash_with_its_text() -> None:
    with pytest.raises(MediaError, match="a mistake of ours") as caught:
        run_guarded(break_down)
    assert caught.value.kind == "crash"


def test_a_child_cannot_fill_the_disk_nor_open_many_files(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("x")
    with pytest.raises(MediaError):
        run_guarded(write_too_much, (str(tmp_path / "large"),))
    assert (tmp_path / "large").stat().st_size <= 64 * 2**20
    with pytest.raises(MediaError, match="Too many open files"):
        run_guarded(open_many_files, (str(tmp_path / "one"),))


def test_what_a_decoder_prints_does_not_mix_with_the_answer() -> None:
    assert run_guarded(print_noise) == "quiet"


def test_objects_that_would_need_pickle_are_not_carried() -> None:
    with pytest.raises(TypeError, match="cannot carry PosixPath"):
        run_guarded(echo, (Path("x"),))
    assert run_guarded(echo, (1,)) == 1


def test_a_guarded_probe_equals_a_probe(tmp_path: Path) -> None:
    path = constant_rate(tmp_path)
    ours, guarded = probe(path), guarded_probe(path)
    assert guarded.index is not None and ours.index is not None
    assert guarded.index.to_bytes() == ours.index.to_bytes()
    assert (guarded.content_hash, guarded.fps, guarded.warnings) == (ours.content_hash, ours.fps, ours.warnings)
    close_children()
    assert guarded_probe(path).num_frames == ours.num_frames
