"""`python packaging/notices.py`: what the bundle carries, with versions and licences, and under which terms the whole stands."""

import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions

OURS = "subject-studio"
NOT_CARRIED = {
    "pip",
    "setuptools",
    "hatchling",
    "editables",
    "pyinstaller",
    "pyinstaller-hooks-contrib",
    "altgraph",
    "trove-classifiers",
}
WHOLE = """Subject Studio is under the Apache License 2.0 (LICENSE). This folder also carries the libraries below, under their own terms.
PyAV's wheel holds FFmpeg with x264 and x265, which are under the GNU General Public License, version 2 or later: the folder as a whole may be
passed on under the terms of the GPL, version 3. Qt and PySide6 are under the LGPL, version 3: their libraries lie in this folder as files of
their own, so that they can be exchanged. Sources: each project's own pages, named below.
"""


def main() -> None:
    """To standard output."""
    sys.stdout.write(WHOLE + "\n" + "\n".join(sorted(_lines(), key=str.lower)) + "\n")


def _lines() -> Iterator[str]:
    for found in distributions():
        name = found.metadata["Name"]
        if name.lower() not in NOT_CARRIED and name != OURS:
            yield f"{name} {found.version}: {_licence(found)}{_home(found)}"


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
