"""Saves what Verify shows: `python -m tests.studio.verify_picture PROJECT OUT.png`, for scales that are set before Qt starts."""

import sys
import tempfile
from contextlib import closing
from pathlib import Path

from backend.client import connect
from bench.qt import application, pause, wait
from studio.app import open_window
from studio.pages.judge import JudgePage
from studio.sessions.verify import Phase


def main() -> None:
    """Ann's first pair of a project that is served, in a window of 1280 x 800, at its clip's first frame."""
    application()
    project = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        state = Path(name) / "state" / "p"
        window = open_window(connect(project), project=project, rater="ann", theme="light", state=state, page="verify")
        with closing(window):
            window.resize(1280, 800)
            window.show()
            page = window.page
            assert isinstance(page, JudgePage)
            wait(lambda: page.session.phase is Phase.JUDGING and len(page.deck.sides) == 2)
            page.deck.seek(0)
            wait(lambda: all(view.movie.shown_index == 0 for view in page.form_view.views.values()))
            pause(0.5)
            assert window.grab().save(sys.argv[2]), f"{sys.argv[2]} cannot be written"


if __name__ == "__main__":
    main()
