"""`python packaging/pins.py FILE...`: ends with 1 and a sentence for each package of this environment that no FILE pins to its version."""

import re
import sys
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path

FREE = {"pip", "subject-studio"}
"""Python's own, and ours."""


def main() -> None:
    """Of the environment that runs it."""
    installed = {distribution.metadata["Name"]: distribution.version for distribution in distributions()}
    wrong = loose(installed, (line for path in sys.argv[1:] for line in Path(path).read_text("utf-8").splitlines()))
    for sentence in wrong:
        sys.stderr.write(f"{sentence}\n")
    raise SystemExit(bool(wrong))


def loose(installed: dict[str, str], pins: Iterable[str]) -> list[str]:
    """A sentence for each package that no line `NAME==VERSION` holds."""
    wanted = {_plain(name): version for name, _, version in (line.partition("==") for line in pins) if version}
    found = {name: wanted.get(_plain(name)) for name in sorted(installed) if _plain(name) not in FREE}
    return [
        f"{name} {installed[name]} is installed and {f'{version} pinned' if version else 'not pinned'}; write it into a list of pins"
        for name, version in found.items()
        if version != installed[name]
    ]


def _plain(name: str) -> str:
    """As indexes compare names (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
