"""Previews are made once, several at once, and stay within what they may take."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backend.workspace.previews import Previews


def test_two_previews_are_made_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    both = threading.Barrier(2, timeout=20)
    previews = Previews(tmp_path, limit_bytes=1000)

    def make(path: Path) -> None:
        both.wait()  # broken, and so an error, unless the other is being made too
        path.write_bytes(b"clip")

    with ThreadPoolExecutor(2) as people:
        made = list(people.map(lambda name: previews.get(name, make), ("clip_a", "clip_b")))
    assert [path.name for path in made] == ["clip_a.mp4", "clip_b.mp4"]


def test_one_preview_that_many_ask_for_is_made_once(tmp_path: Path) -> None:
    previews, made = Previews(tmp_path, limit_bytes=1000), list[str]()

    def make(path: Path) -> None:
        made.append(path.name)
        path.write_bytes(b"clip")

    with ThreadPoolExecutor(8) as people:
        found = set(people.map(lambda _: previews.get("clip_a", make), range(40)))
    assert found == {tmp_path / "clip_a.mp4"}
    assert made == ["clip_a.mp4"]


def test_one_that_could_not_be_made_is_tried_again(tmp_path: Path) -> None:
    previews = Previews(tmp_path, limit_bytes=1000)
    with pytest.raises(OSError, match="no room"):
        previews.get("clip_a", lambda path: (_ for _ in ()).throw(OSError("no room")))
    assert previews.get("clip_a", lambda path: path.write_bytes(b"clip")).read_bytes() == b"clip"


def test_those_least_recently_asked_for_make_room(tmp_path: Path) -> None:
    previews = Previews(tmp_path, limit_bytes=250)
    for age, name in enumerate(("old", "older"), start=1):
        path = previews.get(name, lambda path: path.write_bytes(bytes(100)))
        os.utime(path, (1000 - age, 1000 - age))
    previews.get("older", lambda path: path.write_bytes(b"made again"))  # asked for once more: now the newest
    previews.get("new", lambda path: path.write_bytes(bytes(100)))
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["new", "older"]
    assert (tmp_path / "older.mp4").stat().st_size == 100


def test_what_another_maker_has_not_finished_is_left_alone(tmp_path: Path) -> None:
    previews = Previews(tmp_path, limit_bytes=1000)
    unfinished = tmp_path / ".writing-x7k2.mp4"
    unfinished.write_bytes(bytes(5000))
    previews.get("clip_a", lambda path: path.write_bytes(b"clip"))
    previews.limit(10)
    assert previews.clear().num_files == 1
    assert sorted(tmp_path.iterdir()) == [unfinished]


def test_what_a_killed_maker_left_goes_when_the_project_is_opened_next(tmp_path: Path) -> None:
    (tmp_path / ".writing-x7k2.mp4").write_bytes(b"half")
    (tmp_path / "clip_a.mp4").write_bytes(b"clip")
    Previews(tmp_path, limit_bytes=1000)
    assert [path.name for path in tmp_path.iterdir()] == ["clip_a.mp4"]
