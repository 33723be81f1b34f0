"""`python packaging/installed.py RESOURCES`: that an installation holds what the checkout's folder of resources does, under names that are ours."""

import importlib
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

OURS = ("backend", "metrics", "studio", "training")
NAME = "subject-studio"


def main() -> None:
    """Ends with 1 and a sentence for each thing that is wrong."""
    wrong = [*wrong_names(), *wrong_resources(Path(sys.argv[1]))]
    for sentence in wrong:
        sys.stderr.write(f"{sentence}\n")
    raise SystemExit(bool(wrong))


def wrong_names() -> list[str]:
    """Names of ours that another distribution has too, or that lead elsewhere."""
    owners, place = packages_distributions(), Path(str(distribution(NAME).locate_file(""))).resolve()
    found = [f"{name} belongs to {owners.get(name)}, not to {NAME} alone" for name in OURS if owners.get(name) != [NAME]]
    for name in OURS:
        file = Path(importlib.import_module(name).__file__ or "").resolve()
        if not file.is_relative_to(place):
            found.append(f"{name} is imported from {file}, not from {place}")
    return found


def wrong_resources(folder: Path) -> list[str]:
    """Resources that are missing, or are other ones."""
    from backend.domain import resource

    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        try:
            same = resource(name).read_bytes() == path.read_bytes()
        except FileNotFoundError as error:
            found.append(str(error))
            continue
        if not same:
            found.append(f"{name} is another one in the installation")
    return found


if __name__ == "__main__":
    main()
