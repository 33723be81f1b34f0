"""Which files a list of paths names: folders walked to their ends, each real file once, everything odd remarked."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from backend.media.container import FilePath
from backend.media.probe import MEDIA_SUFFIXES

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def scan(paths: Sequence[FilePath]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The regular files under `paths` in a stable order, and one line for each name that was passed over.

    Folders are walked whole, by name order of their bytes, files before folders. Links inside a folder are never
    followed out of it, nor into folders; a real file is taken once, by its first name that is no link. Hidden names
    (starting with a dot) are counted in one line. A path given by name is taken even when it is a link or hidden.
    """
    listing = _Listing()
    for path in paths:
        given = Path(os.path.abspath(path))  # noqa: PTH100 (resolve would follow links)
        if given.is_dir():
            listing.add_folder(given)
        else:
            listing.add_file(given)
    if listing.num_hidden:
        listing.remarks.append(f"{listing.num_hidden} hidden names (starting with a dot) passed over")
    return tuple(listing.files), tuple(listing.remarks)


class _Listing:
    def __init__(self) -> None:
        self.files: list[Path] = []
        self.remarks: list[str] = []
        self.num_hidden = 0
        self._taken: dict[tuple[int, int], Path] = {}
        self._walked: set[tuple[int, int]] = set()

    def add_folder(self, root: Path) -> None:
        links: list[Path] = []
        folders = [root]
        while folders:
            folder = folders.pop()
            inside = []
            for entry in self._entries(folder):
                path = folder / entry.name
                if entry.name.startswith("."):
                    self.num_hidden += 1
                elif entry.is_symlink():
                    links.append(path)
                elif entry.is_dir(follow_symlinks=False):
                    if path.suffix.lower() in MEDIA_SUFFIXES:
                        self._remark(path, "a folder with a name like a media file; the files in it are listed")
                    inside.append(path)
                else:
                    self.add_file(path)
            folders.extend(reversed(inside))
        # Links come after everything real, so that a file is known by its real name.
        real_root = root.resolve()
        for link in links:
            self._add_link(link, real_root)

    def add_file(self, path: Path) -> None:
        try:
            status = path.stat()
        except FileNotFoundError:
            dangling = path.is_symlink()
            self._remark(path, f"a link to {_show(path.readlink())}, which is not there" if dangling else "not there")
            return
        except OSError as error:
            self._remark(path, f"cannot be reached ({error.strerror})")
            return
        if not stat.S_ISREG(status.st_mode):
            self._remark(path, f"{KINDS.get(stat.S_IFMT(status.st_mode), 'not a regular file')}, passed over")
        elif not os.access(path, os.R_OK):
            self._remark(path, "no permission to read it")
        elif (status.st_dev, status.st_ino) in self._taken:
            self._remark(path, f"the same file as {_show(self._taken[status.st_dev, status.st_ino])}, taken once")
        else:
            self._taken[status.st_dev, status.st_ino] = path
            self.files.append(path)

    def _add_link(self, link: Path, real_root: Path) -> None:
        try:
            target = link.resolve(strict=True)
        except FileNotFoundError:
            self._remark(link, f"a link to {_show(link.readlink())}, which is not there")
            return
        except (OSError, RuntimeError):  # pathlib reports a loop of names as RuntimeError up to Python 3.12
            self._remark(link, "a link that leads back to itself")
            return
        if not target.is_relative_to(real_root):
            self._remark(link, f"a link that leaves the folder, to {_show(target)}; give that path itself to take it")
        elif target.is_dir():
            self._remark(link, f"a link to the folder {_show(target)}, which is listed already")
        else:
            self.add_file(link)

    def _entries(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        try:
            status = folder.stat()
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            self._remark(folder, f"a folder that cannot be opened ({error.strerror})")
            return
        if (status.st_dev, status.st_ino) not in self._walked:
            self._walked.add((status.st_dev, status.st_ino))
            yield from found

    def _remark(self, path: Path, what: str) -> None:
        self.remarks.append(f"{_show(path)}: {what}")


def _show(path: FilePath) -> str:
    return os.fspath(path).encode("utf-8", "backslashreplace").decode()
