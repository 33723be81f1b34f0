"""sqlite-utils without pandas: it takes pandas along wherever that is installed (.4 s and 100 MiB a process) and is given none here."""

import sys

_absent = "pandas" not in sys.modules
if _absent:
    sys.modules["pandas"] = None  # pyright: ignore[reportArgumentType] - what import takes for "there is none"
try:
    from sqlite_utils import Database, Migrations
    from sqlite_utils.db import Table
finally:
    if _absent:
        del sys.modules["pandas"]

__all__ = ["Database", "Migrations", "Table"]
