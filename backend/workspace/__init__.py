"""Everything a user can do with a project: `Workspace` implements `backend.api.Api` in process."""

from backend.workspace.layout import Layout
from backend.workspace.opening import open_api
from backend.workspace.workspace import Workspace

__all__ = ["Layout", "Workspace", "open_api"]
