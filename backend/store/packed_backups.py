"""Backups that somebody packed to carry them: unpacked beside the new project for as long as they are read."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from backend.domain import ProjectError
from backend.media.archives import is_archive, unpack
from backend.store.backups import MANIFEST
from backend.store.whole_folder import building


@contextmanager
def backup_folder(backup: Path, *, beside: Path) -> Iterator[Path]:
    """The folder of a backup: itself, or what a zip or tar of it holds, below one folder of its own or not.

    What a killed reader leaves beside the project goes as everything that `whole_folder` builds. Raises ImportRefused for an
    archive that is not safe to unpack, ProjectError for another file, and where nothing can be written.
    """
    if not backup.is_file():
        yield backup
        return
    if not is_archive(backup):
        raise ProjectError(f"{backup} is no backup: name its folder, or a .zip, .tar or .tar.gz of it")
    with ExitStack() as held:
        try:
            working = held.enter_context(building(beside.absolute()))
            working.chmod(0o700)
        except OSError as error:
            raise ProjectError(
                f"{backup} cannot be unpacked beside {beside}: {error.strerror}; name another place"
            ) from error
        folder = working / "backup"
        unpack(backup, folder)
        inside = list(folder.iterdir())
        yield inside[0] if len(inside) == 1 and inside[0].is_dir() and not (folder / MANIFEST).exists() else folder
