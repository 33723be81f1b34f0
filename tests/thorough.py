"""Parameters of which `make test` tries some, and `--long` all."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def quick(some: Collection[str], of: Iterable[str]) -> list[Any]:
    """All of `of` for `pytest.mark.parametrize`; those that are not among `some` are marked thorough."""
    return [name if name in some else pytest.param(name, marks=pytest.mark.thorough) for name in of]
