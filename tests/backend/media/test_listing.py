import os
import random
from pathlib import Path

import pytest

from backend.media.listing import scan


def _touch(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_links_loops_and_odd_files_are_each_remarked_and_real_files_taken_once(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    real = _touch(folder / "real.mp4")
    inner = _touch(folder / "sub" / "inner.mp4")
    in_folder = _touch(folder / "clip.mp4" / "part.mp4")
    outside = _touch(tmp_path / "outside.mp4")
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "gone.mp4").symlink_to("/nonexistent/x.mp4")
    (folder / "out.mp4").symlink_to(outside)
    (folder / "same.mp4").symlink_to(real)
    os.mkfifo(folder / "pipe.mp4")
    _touch(folder / ".hidden.mp4")

    files, remarks = scan([folder])

    assert files == (real, in_folder, inner)
    expected = {
        "a:": "leads back to itself",
        "b:": "leads back to itself",
        "up:": f"a link to the folder {folder}",
        "gone.mp4:": "a link to /nonexistent/x.mp4, which is not there",
        "out.mp4:": f"leaves the folder, to {outside}",
        "same.mp4:": f"the same file as {real}",
        "pipe.mp4:": "a named pipe",
        "clip.mp4:": "a folder with a name like a media file",
        "hidden": "1 hidden names",
    }
    assert len(remarks) == len(expected)
    for name, words in expected.items():
        assert [r for r in remarks if name in r and words in r], (name, remarks)


def test_the_order_does_not_depend_on_the_order_of_the_disk(tmp_path: Path) -> None:
    names = [f"{i:03d}.mp4" for i in range(40)]
    for name in random.Random(1).sample(names, len(names)):
        _touch(tmp_path / name)
    assert [path.name for path in scan([tmp_path])[0]] == names


def test_a_file_named_twice_or_linked_hard_is_taken_once(tmp_path: Path) -> None:
    real = _touch(tmp_path / "a.mp4")
    os.link(real, tmp_path / "b.mp4")
    files, remarks = scan([real, tmp_path, real])
    assert files == (real,)
    assert len(remarks) == 3


def test_a_link_that_is_given_by_name_is_taken(tmp_path: Path) -> None:
    real = _touch(tmp_path / "elsewhere" / "a.mp4")
    link = tmp_path / "given.mp4"
    link.symlink_to(real)
    assert scan([link]) == ((link,), ())


def test_a_path_that_is_not_there_is_remarked(tmp_path: Path) -> None:
    files, remarks = scan([tmp_path / "nothing.mp4"])
    assert files == ()
    assert remarks == (f"{tmp_path}/nothing.mp4: not there",)


@pytest.mark.parametrize(
    "name",
    ["клип 视频 é #1 (copy) 100%.mp4", 'it\'s "quoted" & $HOME;.mp4', " blanks .mp4", "-dash.mp4", "n" * 230 + ".mp4"],
)
def test_odd_names_are_taken_as_they_are(tmp_path: Path, name: str) -> None:
    _touch(tmp_path / name)
    assert [path.name for path in scan([tmp_path])[0]] == [name]


def test_a_name_that_is_not_utf8_is_taken_and_shown_with_escapes(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\xfe.mp4")
    _touch(tmp_path / name)
    (tmp_path / os.fsdecode(b"\xfd.mp4")).symlink_to(tmp_path / name)
    files, remarks = scan([tmp_path])
    assert [path.name for path in files] == [name]
    assert "\\udcfd.mp4" in remarks[0]


def test_what_may_not_be_read_is_remarked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = _touch(tmp_path / "closed.mp4")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed)
    assert scan([tmp_path]) == ((), (f"{closed}: no permission to read it",))


def test_deeply_nested_folders_are_walked(tmp_path: Path) -> None:
    here = tmp_path
    os.chdir(tmp_path)
    try:
        for _ in range(300):
            os.mkdir("d")
            os.chdir("d")
            here /= "d"
        Path("deep.mp4").write_text("x")
    finally:
        os.chdir("/")
    assert len(scan([tmp_path])[0]) == 1
