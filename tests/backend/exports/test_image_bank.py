"""`import images`: pictures of an archive, or a sentence."""

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from backend.domain import ImportRefused
from backend.exports.image_bank import unpack_images
from backend.media.archives import unpack


def tar_of(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_shard_of_pictures_is_unpacked_with_its_captions(tmp_path: Path) -> None:
    shard = tar_of(tmp_path / "00000.tar", {"0001.png": picture(), "0001.txt": b"a mug", "0002.PNG": picture()})
    assert unpack_images(shard, tmp_path / "bank") == 2
    assert (tmp_path / "bank" / "0001.txt").read_text() == "a mug"


def test_what_is_no_archive_of_pictures_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="holds no picture"):
        unpack_images(tar_of(tmp_path / "a.tar", {"a.mp4": b"x"}), tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"], "what was unpacked is gone, and its name is free"
    (tmp_path / "b.tar").write_bytes(b"no tar")
    with pytest.raises(ImportRefused, match="is no tar or zip"):
        unpack_images(tmp_path / "b.tar", tmp_path / "b")
    with pytest.raises(ImportRefused, match="is there already"):
        unpack_images(tar_of(tmp_path / "c.tar", {"a.png": picture()}), tmp_path)
    with pytest.raises(ImportRefused):
        unpack_images(tar_of(tmp_path / "d.tar", {"../a.png": picture()}), tmp_path / "d")
    assert not (tmp_path / "a.png").exists()


def test_what_a_killed_import_left_goes_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = tar_of(tmp_path / "0.tar", {"1.png": picture()})
    child = os.fork()
    if child == 0:
        monkeypatch.setattr("backend.media.archives._Unpacking.run", lambda self: os._exit(9))
        unpack_images(shard, tmp_path / "bank")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert len(list(tmp_path.iterdir())) == 2, "something is left"
    assert unpack_images(shard, tmp_path / "bank") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.tar", "bank"]


def test_an_archive_that_is_unpacked_already_is_taken_as_it_lies(tmp_path: Path) -> None:
    shard = tar_of(tmp_path / "0.tar", {"a/1.png": picture(), "a/1.txt": b"a mug"})
    assert unpack_images(shard, tmp_path / "bank") == 1
    kept = (tmp_path / "bank" / "a" / "1.png").stat()
    assert unpack_images(shard, tmp_path / "bank") == 1
    assert (tmp_path / "bank" / "a" / "1.png").stat() == kept
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.tar", "bank"]


@pytest.mark.parametrize(
    "change",
    [
        lambda bank: (bank / "1.txt").write_bytes(b"a cup"),
        lambda bank: (bank / "1.txt").unlink(),
        lambda bank: (bank / "2.txt").write_bytes(b"a mug"),
        lambda bank: (bank / "1.txt").rename(bank / "2.txt"),
        lambda bank: [(bank / "1.txt").unlink(), (bank / "1.txt").mkdir()],
        lambda bank: [bank.rename(bank.with_name("moved")), bank.symlink_to(bank.with_name("moved"))],
    ],
    ids=["another caption", "one file fewer", "one more", "another name", "a folder", "a link"],
)
def test_a_folder_with_anything_else_is_refused_and_kept(change: Callable[[Path], object], tmp_path: Path) -> None:
    shard = tar_of(tmp_path / "0.tar", {"1.png": picture(), "1.txt": b"a mug"})
    unpack_images(shard, tmp_path / "bank")
    change(tmp_path / "bank")
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    with pytest.raises(ImportRefused, match="bank is there already"):
        unpack_images(shard, tmp_path / "bank")
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before


def test_a_folder_that_somebody_made_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unpack_slowly(archive: Path, folder: Path) -> None:
        unpack(archive, folder)
        (tmp_path / "bank").mkdir()
        (tmp_path / "bank" / "theirs.png").write_bytes(b"theirs")

    monkeypatch.setattr("backend.exports.image_bank.unpack", unpack_slowly)
    with pytest.raises(ImportRefused, match="bank"):
        unpack_images(tar_of(tmp_path / "0.tar", {"1.png": picture()}), tmp_path / "bank")
    assert [path.name for path in (tmp_path / "bank").iterdir()] == ["theirs.png"]
    (tmp_path / "file").touch()
    with pytest.raises(ImportRefused, match="cannot be unpacked to"):
        unpack_images(tmp_path / "0.tar", tmp_path / "file" / "bank")
