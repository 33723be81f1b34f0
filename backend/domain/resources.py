"""Where the data files of `resources/` lie: beside the packages in a checkout, inside `backend` in a wheel."""

from pathlib import Path


def resource(name: str) -> Path:
    """Path of a resource such as `forms/identity.json`. Raises FileNotFoundError when it is not shipped."""
    package = Path(__file__).resolve().parents[1]
    for root in (package / "_resources", package.parent / "resources"):
        if (root / name).exists():
            return root / name
    raise FileNotFoundError(f"resource {name} is not shipped with this installation; reinstall subject-studio")
