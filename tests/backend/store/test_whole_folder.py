"""Folders appear whole, and what killed makers left beside them goes."""

import os
from pathlib import Path

import pytest

from backend.store.whole_folder import building, remove_whole, settle, sweep


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def put(place: Path, text: str) -> None:
    with building(place) as folder:
        (folder / "file").write_text(text)
        settle(folder, place)


def test_a_folder_takes_the_place_of_another_or_of_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    for text in ("first", "second"):
        put(tmp_path / "place", text)
        assert (tmp_path / "place" / "file").read_text() == text
    assert names(tmp_path) == ["place"]


def test_what_is_not_settled_is_removed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), building(tmp_path / "new" / "place") as folder:
        (folder / "missing").read_bytes()
    assert names(tmp_path / "new") == []


def test_what_killed_makers_left_is_swept_and_what_others_make_or_wrote_stays(tmp_path: Path) -> None:
    for name in (".a.0123abcd.unfinished", ".a.0123abcd.replaced", ".a.0123abcd.kept", "a.0123abcd.unfinished", "a"):
        (tmp_path / name).mkdir()
    (tmp_path / ".b.0123abcd.unfinished").write_text("a file")
    with building(tmp_path / "c") as living:
        assert names(tmp_path) == sorted(
            [living.name, ".a.0123abcd.kept", ".b.0123abcd.unfinished", "a", "a.0123abcd.unfinished"]
        )
        assert sweep(tmp_path) == []


def test_a_folder_that_was_only_moved_out_of_the_way_goes_back(tmp_path: Path) -> None:
    put(tmp_path / "place", "first")
    (tmp_path / "place").rename(tmp_path / ".place.0123abcd.replaced")
    sweep(tmp_path)
    assert (tmp_path / "place" / "file").read_text() == "first"


def test_the_longest_names_can_be_built_and_replaced(tmp_path: Path) -> None:
    place = tmp_path / ("ä" * 127)
    for text in ("first", "second"):
        put(place, text)
    assert names(tmp_path) == [place.name]


def test_a_folder_is_removed_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "place", "first")

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr("backend.store.whole_folder.shutil.rmtree", dies)
        remove_whole(tmp_path / "place")
    assert not (tmp_path / "place").exists()
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    for text in ("first", "second"):
        put(tmp_path / "place", text)
    assert len(os.listdir("/dev/fd")) == before
