"""Archives of others: what is inside comes out below the folder, or nothing does."""

import gzip
import io
import os
import shutil
import stat
import struct
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.domain import ImportRefused
from backend.media import archives
from backend.media.archives import ArchiveLimits, is_archive, unpack
from tests.promises import Tally

SMALL = ArchiveLimits(members=50, total_bytes=12 << 20, ratio=20.0)
NAMES = (
    "../evil", "a/../../evil", "a/../evil", "/etc/evil", "//evil", "C:/evil", "C:\\evil", "\\\\host\\evil", "..\\evil", "a\\..\\evil",
    "~/evil", "~root/evil", "./../evil", "a/./b", "a//b", "..", ".", "", "a/..", "evil\n", "evil\x1b[2J", "evil\x7f", "a:stream",
    "evil.", "evil ", " evil", "a./b", "evil\u2028x", "evil\u202etxt", "x" * 256, "é" * 128, "/".join("a" * 50), "CON:", "a/ /b",
    "\u2024\u2024/evil:", "...\\evil",
)  # fmt: skip
PAIRS = (
    ("a", "A"), ("dir/x", "DIR/y/../z"), ("é", "e\u0301"), ("straße", "STRASSE"), ("a", "a"), ("a", "a/b"), ("a/b", "a"),
    ("Ab/c", "aB"), ("ﬁ", "FI"), ("dir/É", "DIR/e\u0301"),
)  # fmt: skip
LINKS = (
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.FIFOTYPE,
    tarfile.CONTTYPE,
    tarfile.GNUTYPE_SPARSE,
)
MODES = (stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK)
Build = Callable[[Path], None]


def zipped(*members: tuple[str, bytes], mode: int = stat.S_IFREG) -> Build:
    def build(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members:
                info = zipfile.ZipInfo("x")
                info.filename = info.orig_filename = name
                info.external_attr = (mode | 0o644) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, data)

    return build


def tarred(
    *members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, link: str = "/etc/passwd", packed: str = ""
) -> Build:
    def build(path: Path) -> None:
        mode: Any = f"w:{packed}"
        with tarfile.open(path, mode, format=tarfile.GNU_FORMAT) as archive:
            for name, data in members:
                info = tarfile.TarInfo(name)
                info.type, info.linkname, info.size = kind, link, len(data) if kind == tarfile.REGTYPE else 0
                archive.addfile(info, io.BytesIO(data))

    return build


def through_a_link(path: Path) -> None:
    """A link to the folder above, and a file below the link."""
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("here")
        link.type, link.linkname = tarfile.SYMTYPE, ".."
        archive.addfile(link)
        archive.addfile(info := tarfile.TarInfo("here/evil"), io.BytesIO(b"x" * info.size))


def overlapping(path: Path) -> None:
    """Many entries of one zip that share their data (after D. Fifield's bomb): larger than each by itself."""
    zipped(("a0", b"\0" * (1 << 20)))(path)
    data = path.read_bytes()
    at = data.rindex(b"PK\x01\x02")
    entry, end = data[at : data.rindex(b"PK\x05\x06")], data[data.rindex(b"PK\x05\x06") :]
    entries = [entry.replace(b"a0", b"a%d" % number) for number in range(10)] + [
        entry.replace(b"a0", bytes([98 + number // 10, 48 + number % 10])) for number in range(30)
    ]
    listing = b"".join(entries)
    tail = struct.pack("<4s4H2LH", end[:4], 0, 0, len(entries), len(entries), len(listing), at, 0)
    path.write_bytes(data[:at] + listing + tail)


def lying(path: Path) -> None:
    """A zip whose member says that it has 10 bytes and has 14 MB."""
    zipped(("a", b"\0" * 14_000_000))(path)
    data = bytearray(path.read_bytes())
    for magic, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<L", data, data.index(magic) + place, 10)
    path.write_bytes(bytes(data))


def encrypted(path: Path) -> None:
    zipped(("a", b"secret"))(path)
    data = bytearray(path.read_bytes())
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + place] |= 1
    path.write_bytes(bytes(data))


def long_header(path: Path) -> None:
    """A tar, packed, whose first name says that it has 500 MB."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 500_000_000
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(20):
            file.write(b"a" * (1 << 20))


def damaged(build: Build, at: float) -> Build:
    def cut(path: Path) -> None:
        build(path)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * at)])

    return cut


def flipped(path: Path) -> None:
    """A letter of the packed data is another."""
    zipped(("a", os.urandom(4000)))(path)
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(bytes(data))


def nothing(path: Path) -> None:
    path.touch()


HOSTILE: dict[str, Build] = {
    **{f"zip name {name[:30]!r}": zipped(("ok", b"1"), (name, b"evil")) for name in NAMES},
    **{f"tar name {name[:30]!r}": tarred(("ok", b"1"), (name, b"evil")) for name in NAMES if name not in ("", ".")},
    **{f"zip twice {pair}": zipped(*((name, b"1") for name in pair)) for pair in PAIRS},
    **{f"tar twice {pair}": tarred(*((name, b"1") for name in pair)) for pair in PAIRS},
    **{f"tar type {kind!r}": tarred(("evil", b""), kind=kind) for kind in LINKS if kind != tarfile.CONTTYPE},
    **{f"tar {kind!r} to a neighbour": tarred(("evil", b""), kind=kind, link="../canary") for kind in LINKS[:2]},
    **{f"zip mode {mode:o}": zipped(("evil", b"/etc/passwd"), mode=mode) for mode in MODES},
    "tar through a link": through_a_link,
    "zip NUL in a name": zipped(("ok\0/../../evil", b"x")),
    "zip of zeros": zipped(("a", b"\0" * 14_000_000)),
    "tar.gz of zeros": tarred(("a", b"\0" * 14_000_000), packed="gz"),
    "tar.bz2 of zeros": tarred(("a", b"\0" * 14_000_000), packed="bz2"),
    "tar.xz of zeros": tarred(("a", b"\0" * 14_000_000), packed="xz"),
    "tar beyond the total": tarred(("a", b"\1" * 8_000_000), ("b", b"\1" * 8_000_000)),
    "zip of many": zipped(*((f"f{number}", b"") for number in range(51))),
    "tar of many": tarred(*((f"f{number}", b"") for number in range(51))),
    "zip that overlaps": overlapping,
    "zip that lies": lying,
    "zip encrypted": encrypted,
    "tar with a long header": long_header,
    "zip cut": damaged(zipped(("a", os.urandom(5000))), 0.5),
    "tar cut": damaged(tarred(("a", os.urandom(50000))), 0.3),
    "tar.gz cut": damaged(tarred(("a", os.urandom(50000)), packed="gz"), 0.7),
    "zip flipped": flipped,
    "empty": nothing,
}


def harm(build: Build, folder: Path, unpacked: Callable[[Path, Path], None], most: int) -> list[str]:
    """What an archive did: files outside of its own folder, links, what is left of a refused one, bytes above the cap."""
    place = folder / "place"
    place.mkdir(parents=True)
    (place / "canary").write_text("canary")
    archive = folder / "archive"
    build(archive)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    written: list[int] = []
    removing = shutil.rmtree

    def measured(path: Path, **settings: Any) -> None:
        written.append(_size(Path(path)))
        removing(path, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives.shutil, "rmtree", measured)
        try:
            unpacked(archive, place / "out")
            found = ["it was taken"]
        except ImportRefused:
            found = ["something is left"] if (place / "out").exists() else []
        except (OSError, ValueError, tarfile.TarError, zipfile.BadZipFile, EOFError, RuntimeError) as error:
            found = [f"it broke: {error}"]
    written.append(_size(place / "out"))
    after = {path for path in folder.rglob("*") if not path.is_relative_to(place / "out")}
    found += [f"{path} is there" for path in sorted(after) if path not in before and path != place]
    found += [f"{path} changed" for path in before if not path.is_file() or path.read_bytes() != before[path]]
    found += [f"{path} is a link" for path in place.rglob("*") if path.is_symlink()]
    return found + [f"{max(written)} bytes were written"] * (max(written) > most)


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


@pytest.mark.promise(
    "an archive writes nothing outside of its folder, no link, no device, nothing above the cap, and nothing when it is refused",
    area="Untrusted files",
    goal="0 escapes of 50 archives, 0 bytes above the cap",
    control="tests/backend/media/test_archives.py::test_a_careless_reader_is_caught",
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_are_refused_whole(name: str, tmp_path: Path, tally: Tally) -> None:
    found = harm(HOSTILE[name], tmp_path, lambda archive, out: unpack(archive, out, limits=SMALL), SMALL.total_bytes)
    tally.record(1, lost=bool(found))
    assert found == []


def careless_zip(archive: Path, out: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            path = Path(os.path.join(out, info.orig_filename))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(opened.read(info))


def careless_tar(archive: Path, out: Path) -> None:
    with tarfile.open(archive) as opened:
        opened.extractall(out, filter="fully_trusted")


@pytest.mark.parametrize(
    ("name", "reader", "says"),
    [
        ("zip name '../evil'", careless_zip, "evil is there"), ("tar name '../evil'", careless_tar, "evil is there"),
        ("tar through a link", careless_tar, "evil is there"), ("tar type b'2'", careless_tar, "is a link"),
        ("zip of zeros", careless_zip, "bytes were written"), ("tar.gz of zeros", careless_tar, "bytes were written"),
        ("zip twice ('a', 'A')", careless_zip, "it was taken"),
    ],
)  # fmt: skip
def test_a_careless_reader_is_caught(name: str, reader: Callable[[Path, Path], None], says: str, tmp_path: Path) -> None:
    assert [one for one in harm(HOSTILE[name], tmp_path, reader, SMALL.total_bytes) if says in one]


def test_there_are_enough_of_them() -> None:
    assert len(HOSTILE) >= 50


GOOD = (("one.txt", b"1"), ("deep/er/two", b"2" * 5000), ("e\u0301té", b"3"), ("empty", b""))


@pytest.mark.parametrize("build", [zipped(*GOOD), *(tarred(*GOOD, packed=packed) for packed in ("", "gz", "bz2", "xz"))])
def test_a_plain_archive_comes_out_as_it_went_in(build: Build, tmp_path: Path) -> None:
    build(tmp_path / "archive")
    assert is_archive(tmp_path / "archive")
    unpack(tmp_path / "archive", tmp_path / "out", limits=SMALL)
    found = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert found == {unicodedata.normalize("NFC", name): data for name, data in GOOD}
    with pytest.raises(ImportRefused, match="exists"):
        unpack(tmp_path / "archive", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "out"]


def test_folders_of_tar_and_of_shutil_are_taken(tmp_path: Path) -> None:
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "in" / "a" / "b").write_bytes(b"x")
    for kind in ("zip", "tar", "gztar"):
        made = shutil.make_archive(str(tmp_path / kind), kind, tmp_path / "in")
        unpack(Path(made), tmp_path / f"out-{kind}")
        assert (tmp_path / f"out-{kind}" / "a" / "b").read_bytes() == b"x"
    assert not is_archive(tmp_path / "in" / "a" / "b")
