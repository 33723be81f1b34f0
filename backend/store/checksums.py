"""SHA-256 of files in a list beside them, as `sha256sum` writes and checks it: what changed since is noticed."""

import hashlib
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from backend.store.whole_file import write_whole

LIST = "checksums.sha256"
_LINE = re.compile(r"([0-9a-f]{64})  ([^/\\]+)")


def list_files(folder: Path, names: Iterable[str], *, to: str = LIST) -> None:
    """Puts files of a folder into its list, in place of what it said of them. Raises ProjectError, OSError."""
    listed = {found[2]: found[1] for line in _lines(folder / to) if (found := _LINE.fullmatch(line))}
    listed |= {name: _sha256(folder / name) for name in names}
    write_whole(folder / to, "".join(f"{digest}  {name}\n" for name, digest in sorted(listed.items())))


def changed_files(folder: Path, *, of: str = LIST, only: Collection[str] | None = None) -> list[str]:
    """What a folder's list says other of its files, or of `only` these, than they are; nothing where there is no list."""
    problems = []
    for line in _lines(folder / of):
        found = _LINE.fullmatch(line)
        if not found:
            problems.append(f"{of} in {folder} is damaged")
        elif only is None or found[2] in only:
            path = folder / found[2]
            if not path.is_file():
                problems.append(f"{found[2]} is missing from {folder}")
            elif _sha256(path) != found[1]:
                problems.append(f"{found[2]} in {folder} is not what {of} lists: it was changed or damaged")
    return problems


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
