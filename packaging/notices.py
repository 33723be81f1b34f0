"""`python packaging/notices.py FOLDER`: under which terms the bundle in FOLDER stands.

Writes NOTICES.txt, every library it carries with version and licence, and licences/, their own texts.
"""

import shutil
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, PackagePath, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS, EXTRA = "subject-studio", "gui"
TEXTS = Path(__file__).with_name("licences")
"""Of those whose wheels bring none: Qt, PySide6, x264 and x265."""
WHOLE = """Subject Studio is under the Apache License 2.0 (LICENSE). This folder also carries the libraries below, under their own terms, which
stand in licences/. PyAV's wheel holds FFmpeg with x264 and x265, which are under the GNU General Public License, version 2 or later: the folder
as a whole may be passed on under the terms of the GPL, version 3 (licences/GPL-3.txt). Qt and PySide6 are under the LGPL, version 3
(licences/LGPL-3.txt): their libraries lie in this folder as files of their own, so that they can be exchanged. Sources: each project's own
pages, named below.
"""


def main() -> None:
    """Into a folder that PyInstaller made."""
    folder = Path(sys.argv[1])
    found = sorted(carried(), key=lambda one: one.metadata["Name"].lower())
    lines = [f"Python {sys.version.split()[0]}: PSF-2.0 (https://www.python.org)", *map(_line, found)]
    (folder / "NOTICES.txt").write_text(WHOLE + "\n" + "\n".join(lines) + "\n", encoding="utf-8")
    shutil.copytree(TEXTS, folder / "licences", dirs_exist_ok=True)
    _copy(Path(sysconfig.get_path("stdlib"), "LICENSE.txt"), folder / "licences" / "python" / "LICENSE.txt")
    for one in found:
        for path in texts(one):
            _copy(Path(str(one.locate_file(path))), folder / "licences" / one.metadata["Name"] / path.name)


def carried() -> Iterator[Distribution]:
    """What we require with the extra of the window, and what that requires in turn; ours is left out."""
    pending, seen = [(OURS, EXTRA)], set()
    while pending:
        name, extra = pending.pop()
        if (name, extra) in seen:
            continue
        found = distribution(name)
        if name != OURS and not any(name == other for other, _ in seen):
            yield found
        seen.add((name, extra))
        for line in found.requires or ():
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                pending += [(canonicalize_name(wanted.name), more) for more in ("", *wanted.extras)]


def texts(found: Distribution) -> list[PackagePath]:
    """Files of a distribution that say its terms, as its wheel lays them beside its metadata."""
    beside = (
        path for path in found.files or () if path.parts[0].endswith(".dist-info") and path.suffix not in (".py", ".pyc")
    )
    return [path for path in beside if path.name.upper().startswith(("LICEN", "COPYING", "NOTICE", "AUTHORS"))]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _line(found: Distribution) -> str:
    return f"{found.metadata['Name']} {found.version}: {_licence(found)}{_home(found)}"


def _licence(found: Distribution) -> str:
    told = found.metadata
    classifiers = [line.rpartition(" :: ")[2] for line in told.get_all("Classifier") or [] if line.startswith("License ::")]
    stated = told["License-Expression"] or "; ".join(classifiers) or (told["License"] or "").partition("\n")[0]
    return stated or "see its own files"


def _home(found: Distribution) -> str:
    urls = dict(line.split(", ", 1) for line in found.metadata.get_all("Project-URL") or [] if ", " in line)
    home = found.metadata["Home-page"] or next(
        (urls[name] for name in ("Source", "Repository", "Homepage", "source", "homepage") if name in urls), ""
    )
    return f" ({home})" if home else ""


if __name__ == "__main__":
    main()
