"""Pictures of every page on the sample project and of the first start, light and dark, for docs/images: `make screenshots`, then look at them.

The project is made by the commands that people use: sample world, curation, evaluation of its three systems, a study with
the world's votes, calibration. It is kept in the temporary folder; a page that needs a screen gets one from Xvfb.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from PySide6.QtWidgets import QApplication, QWidget

from backend.client import connect
from bench.qt import application, pause, wait
from studio.app import open_window
from studio.pages import PAGES
from studio.pages.compare import ComparePage
from studio.pages.embeddings import EmbeddingsPage
from studio.pages.page import Page
from studio.theme import Theme, apply_theme, load_theme
from studio.welcome import Welcome

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WORK = Path(tempfile.gettempdir()) / "subject-studio-screenshots"
SYSTEMS = ("faithful", "copy_paste", "wrong_identity")
STUDY = "which-is-better"
SIZE = (1440, 900)
SETTLE_S = 4.0  # pages ask in the background; nothing tells when the last picture is there


def main() -> None:
    """Makes the project if it is not there, then writes PAGE-THEME.webp for each page and both themes."""
    project = WORK / "project"
    if not (WORK / "made").exists():
        make_project(WORK, project)
    IMAGES.mkdir(exist_ok=True)
    app = application()
    for theme in ("light", "dark"):
        keep(first_start(app, load_theme(theme)), f"welcome-{theme}")
        api = connect(project, start=True)
        window = open_window(
            api, project=project, rater="ann", theme=theme, state=WORK / f"state-{theme}" / "p", page="library"
        )
        with closing(window):
            window.resize(*SIZE)
            window.show()
            for page in PAGES:
                window.open_page(page)
                PREPARE.get(page, lambda shown: None)(window.page)
                pause(SETTLE_S)
                keep(window, f"{page}-{theme}")


def first_start(app: QApplication, theme: Theme) -> Welcome:
    """The page without a project, as somebody sees it who opened one before."""
    apply_theme(app, theme)
    page = Welcome(theme, recent=(Path("projects", "demo-project"),))
    page.show()
    pause(0.5)
    return page


def keep(widget: QWidget, name: str) -> None:
    """Writes what it shows into docs/images."""
    path = IMAGES / f"{name}.webp"
    assert widget.grab().save(str(path), "WEBP", 88), f"{path} cannot be written"
    sys.stdout.write(f"{path.relative_to(IMAGES.parents[1])}  {path.stat().st_size // 1024} KiB\n")


def in_a_trial(page: Page) -> None:
    """Agrees to the study and begins."""
    assert isinstance(page, ComparePage)
    page.take_up(STUDY)
    for button in ("agree", "start"):
        wait(lambda button=button: button in page.gate.buttons or bool(page.deck.sides))
        if button in page.gate.buttons:
            page.gate.buttons[button].click()
    wait(lambda: len(page.deck.sides) == 2)


def with_a_choice(page: Page) -> None:
    """Chooses what a larger circle holds."""
    assert isinstance(page, EmbeddingsPage)
    wait(lambda: page.session.found is not None)
    for _ in range(3):
        page.run("circle_larger")
    page.run("choose_circle")


PREPARE: dict[str, Callable[[Page], object]] = {
    "compare": in_a_trial,
    "results": lambda page: page.run("view_wins"),
    "embeddings": with_a_choice,
    "jobs": lambda page: page.run("jobs_flow"),
    "studies": lambda page: page.run("study_outcome"),
}
"""What is done on a page before its picture is taken."""


def make_project(work: Path, project: Path) -> None:
    """Everything that pages show, by commands."""
    world = work / "world"
    work.mkdir(parents=True, exist_ok=True)
    command("sample-world", world, "--videos", "6", "--duration", "8", "--cases", "12")
    command("demo", "--no-open", "--project", project, world / "videos")
    for system in SYSTEMS:
        videos = world / "systems" / system
        command("evaluate", "--project", project, "--cases", world / "cases.json", "--videos", videos, "--system", system)
    named = [part for system in SYSTEMS for part in ("--system", system)]
    command("study", "create", STUDY, "--project", project, "--form", "ab", *named)
    command("study", "import", STUDY, world / "votes.jsonl", "--project", project)
    command("calibrate", "metrics", "--study", STUDY, "--project", project)
    (work / "made").touch()


def command(*parts: str | Path) -> None:
    """Runs `studio-backend`; of the sample world's videos one may fail (1)."""
    told = subprocess.run(
        [sys.executable, "-m", "backend.cli", *map(str, parts)], capture_output=True, text=True, check=False
    )
    fine = (0, 1) if parts[0] == "demo" else (0,)
    assert told.returncode in fine, f"{' '.join(map(str, parts))}: {told.stderr}"


if __name__ == "__main__":
    main()
