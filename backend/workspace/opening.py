"""Opening a project, whoever owns it."""

import contextlib
from pathlib import Path

from backend.api import Api
from backend.client import connect
from backend.domain import ProjectError, ServiceError
from backend.settings import ProjectSettings
from backend.store.catalog import Catalog, CatalogDamaged, set_aside
from backend.workspace.layout import Layout, Ownership
from backend.workspace.workspace import Workspace


def open_api(root: Path, *, create: bool = False, settings: ProjectSettings | None = None) -> "Api | Workspace":
    """The project's Api: through the process that owns it when there is one, else by owning it."""
    try:
        return connect(Path(root), start=False)
    except ServiceError:
        return Workspace(root, create=create, settings=settings)


def set_damaged_catalog_aside(root: Path) -> Path | None:
    """Gives a catalog that cannot be opened another name, and gives that; None for a sound one and a project in use."""
    layout = Layout(Path(root).resolve())
    if not layout.catalog.exists():
        return None
    try:
        ownership = Ownership(layout)
    except ProjectError:
        return None  # its owner has opened it
    try:
        with contextlib.closing(Catalog(layout.catalog)) as catalog:
            catalog.tables()  # every block is read
    except CatalogDamaged:
        return set_aside(layout.catalog)
    finally:
        ownership.release()
    return None
