"""A job's log: bounded, numbered, its beginning and its end kept."""

import os
from pathlib import Path

from backend.jobs.job_log import LINE_LETTERS, JobLogFile, make_room, read_log


def said(lines: tuple[str, ...]) -> list[str]:
    """Lines without their times."""
    return [line[20:] for line in lines]


def test_lines_are_read_as_they_come(tmp_path: Path) -> None:
    log = JobLogFile(tmp_path / "a")
    assert read_log(tmp_path / "a", after=0, limit=10).lines == ()
    log.say("one\ntwo")
    first = read_log(tmp_path / "a", after=0, limit=10)
    assert (said(first.lines), first.next_after) == (["one", "two"], 2)
    log.say("three")
    second = read_log(tmp_path / "a", after=first.next_after, limit=10)
    assert (said(second.lines), second.next_after) == (["three"], 3)
    assert read_log(tmp_path / "a", after=3, limit=10) == read_log(tmp_path / "none", after=3, limit=10)


def test_long_log_keeps_its_beginning_and_its_end_in_bounds(tmp_path: Path) -> None:
    log = JobLogFile(tmp_path, segment_bytes=1000)
    for number in range(1000):
        log.say(f"line {number:04d} of a job that says very much")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 5000
    found = read_log(tmp_path, after=0, limit=10_000)
    texts = said(found.lines)
    assert texts[0].startswith("line 0000") and texts[-1].startswith("line 0999")
    assert found.next_after == 1000
    (gap,) = [n for n, line in enumerate(found.lines) if line.startswith("... ")]
    missing = int(found.lines[gap].split()[1])
    assert len(found.lines) - 1 + missing == 1000
    before, after = int(texts[gap - 1].split()[1]), int(texts[gap + 1].split()[1])
    assert after - before - 1 == missing


def test_any_place_of_a_long_log_gives_the_lines_behind_it(tmp_path: Path) -> None:
    log = JobLogFile(tmp_path, segment_bytes=500)
    for number in range(300):
        log.say(f"{number}")
    for start in range(0, 300, 7):
        lines = read_log(tmp_path, after=start, limit=3).lines
        numbers = [int(line[20:]) for line in lines if not line.startswith("... ")]
        assert numbers[0] >= start and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        if not lines[0].startswith("... "):
            assert numbers[0] == start


def test_what_moves_a_terminals_cursor_is_left_out_and_long_lines_are_cut(tmp_path: Path) -> None:
    JobLogFile(tmp_path).say("\x1b[31mred\x1b[0m\x07" + "x" * 5000)
    (line,) = read_log(tmp_path, after=0, limit=1).lines
    assert line[20:] == ("red" + "x" * 5000)[:LINE_LETTERS]


def test_disk_that_refuses_ends_the_log_and_not_the_job(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    JobLogFile(tmp_path / "taken").say("nobody hears this")
    assert (tmp_path / "taken").read_text() == "a file"


def test_oldest_logs_go_but_for_those_of_running_jobs(tmp_path: Path) -> None:
    for number in range(5):
        JobLogFile(tmp_path / str(number)).say("here")
        os.utime(tmp_path / str(number), (number, number))
    make_room(tmp_path, spared={"0"}, kept=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "3", "4"]
