"""Opening a project, whoever owns it."""

from pathlib import Path

from backend.api import Api
from backend.client import connect
from backend.domain import ServiceError
from backend.settings import ProjectSettings
from backend.workspace.workspace import Workspace


def open_api(root: Path, *, create: bool = False, settings: ProjectSettings | None = None) -> "Api | Workspace":
    """The project's Api: through the process that owns it when there is one, else by owning it."""
    try:
        return connect(Path(root), start=False)
    except ServiceError:
        return Workspace(root, create=create, settings=settings)
