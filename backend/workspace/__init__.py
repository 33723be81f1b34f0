"""Everything a user can do with a project: `Workspace` implements `backend.api.Api` in process."""

from backend.workspace.layout import Layout
from backend.workspace.workspace import Workspace, open_api

__all__ = ["Layout", "Workspace", "open_api"]
