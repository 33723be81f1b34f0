"""`import images`: a tar or zip of pictures, unpacked for curation, which finds their subjects for the banks (docs/retrieval.md)."""

from pathlib import Path

from backend.domain import ImportRefused
from backend.media.archives import is_archive, unpack
from backend.store.whole_folder import building, settle

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def unpack_images(archive: Path, out: Path) -> int:
    """Unpacks an archive to a new folder, whole or not at all; the number of pictures.

    Shards of WebDataset are taken as they are: a caption lies beside its picture under the same name, `KEY.txt`. Raises
    ImportRefused for what is no archive, holds no picture or leads out of the folder, or when `out` is there already. What a
    killed import leaves beside `out` goes with the next.
    """
    _require_new(out)
    if not archive.is_file() or not is_archive(archive):
        raise ImportRefused(f"{archive} is no tar or zip; name an archive of pictures")
    place = out.absolute()
    try:
        with building(place) as working:
            folder = working / "pictures"
            unpack(archive, folder)
            found = sum(path.suffix.lower() in SUFFIXES for path in folder.rglob("*"))
            if not found:
                raise ImportRefused(f"{archive} holds no picture ({', '.join(SUFFIXES)}); nothing of it was kept")
            _require_new(out)  # somebody else may have made it meanwhile, and `settle` would replace it
            settle(folder, place)
    except OSError as error:
        raise ImportRefused(f"{archive} cannot be unpacked to {out}: {error.strerror}; name another place") from error
    return found


def _require_new(out: Path) -> None:
    if out.exists() or out.is_symlink():
        raise ImportRefused(f"{out} is there already; name a new folder with --out")
