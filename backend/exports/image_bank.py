"""`import images`: a tar or zip of pictures, unpacked for curation, which finds their subjects for the banks (docs/retrieval.md)."""

import filecmp
from itertools import islice
from pathlib import Path

from backend.domain import ImportRefused
from backend.media.archives import is_archive, unpack
from backend.store.whole_folder import building, settle

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def unpack_images(archive: Path, out: Path) -> int:
    """Unpacks an archive to a folder, whole or not at all; the number of pictures.

    Shards of WebDataset are taken as they are: a caption lies beside its picture under the same name, `KEY.txt`. A folder that
    is there is taken for this archive's when it holds the same files and no more, as after an import that was killed before
    its pictures were listed. Raises ImportRefused for what is no archive, holds no picture or leads out of the folder, or when
    something else is at `out`. What a killed import leaves beside `out` goes with the next.
    """
    if not archive.is_file() or not is_archive(archive):
        raise ImportRefused(f"{archive} is no tar or zip; name an archive of pictures")
    place = out.absolute()
    _require_folder(place)
    try:
        with building(place) as working:
            folder = working / "pictures"
            unpack(archive, folder)
            found = sum(path.suffix.lower() in SUFFIXES for path in folder.rglob("*"))
            if not found:
                raise ImportRefused(f"{archive} holds no picture ({', '.join(SUFFIXES)}); nothing of it was kept")
            _require_folder(place)  # somebody else may have made it meanwhile, and `settle` would replace it
            if not place.exists():
                settle(folder, place)
            elif not _holds_the_same(folder, place):
                raise ImportRefused(f"{out} is there already with other files; name a new folder with --out")
    except OSError as error:
        raise ImportRefused(f"{archive} cannot be unpacked to {out}: {error.strerror}; name another place") from error
    return found


def _require_folder(place: Path) -> None:
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        raise ImportRefused(f"{place} is there already and no folder; name a new folder with --out")


def _holds_the_same(folder: Path, place: Path) -> bool:
    """Whether all of a folder lies at a place too, and nothing besides."""
    wanted = list(folder.rglob("*"))
    there = sum(1 for _ in islice(place.rglob("*"), len(wanted) + 1))
    return there == len(wanted) and all(_is_same(path, place / path.relative_to(folder)) for path in wanted)


def _is_same(path: Path, other: Path) -> bool:
    if path.is_dir() or not other.is_file():
        return path.is_dir() and other.is_dir()
    return filecmp.cmp(path, other, shallow=False)
