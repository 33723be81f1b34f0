"""sqlite-utils without pandas: it takes pandas along wherever that is installed (.4 s and 100 MiB a process) and is given none here."""

from backend.loading import without

with without("pandas"):
    from sqlite_utils import Database, Migrations
    from sqlite_utils.db import Table

__all__ = ["Database", "Migrations", "Table"]
