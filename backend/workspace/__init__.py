"""Everything a user can do with a project: `Workspace` implements `backend.api.Api` in process.

The three names are loaded when first asked for: children that read media import modules of this package, and none of
what a whole workspace needs.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.workspace.layout import Layout
    from backend.workspace.opening import open_api
    from backend.workspace.workspace import Workspace

__all__ = ["Layout", "Workspace", "open_api"]

_MODULES = {"Layout": "layout", "Workspace": "workspace", "open_api": "opening"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
