"""That the page of studies is served, told to whoever looks at the project.

The notice is a locked file: whoever serves holds the lock, which ends with the process, however that ends.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from backend.domain.study_plans import PageNotice
from backend.workspace.layout import Layout


@contextmanager
def telling(layout: Layout, url: str) -> Iterator[None]:
    """Tells while the block runs that the page is served at `url`; of several pages the one that came first is told."""
    with layout.page_notice.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield
            return
        file.seek(0)
        file.truncate()
        json.dump({"url": url, "since": datetime.now(UTC).isoformat(timespec="seconds")}, file)
        file.flush()
        yield


def read_notice(layout: Layout, *, ends_here: bool = False) -> PageNotice:
    """Where the page is served now; `ends_here`: whether it is this process that serves it."""
    try:
        with layout.page_notice.open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                said = json.load(file)
                return PageNotice(url=said["url"], since=said["since"], ends_here=ends_here)
    except (OSError, ValueError, KeyError):  # none was ever served, or it is being written now
        return PageNotice()
    return PageNotice()
