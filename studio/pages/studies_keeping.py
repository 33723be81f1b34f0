"""What the page of studies keeps as files, below the project's exports."""

import os
from itertools import count
from pathlib import Path

from studio.charts.chart import Chart, save_picture
from studio.sessions.results import Sheet, as_csv
from studio.sessions.studies import folder_name


def studies_folder(project: Path, study: str) -> Path:
    """Where files about a study lie."""
    return project / "exports" / "studies" / folder_name(study)


def keep_picture(chart: Chart, folder: Path, title: str) -> Path:
    """The chart as SVG and PNG; gives the latter. Raises OSError and SettingsError where nothing can be written."""
    folder.mkdir(parents=True, exist_ok=True)
    for ending in ("svg", "png"):
        save_picture(chart, folder / f"{title}.{ending}")
    return folder / f"{title}.png"


def keep_table(sheet: Sheet, folder: Path, title: str, *, is_secret: bool) -> Path:
    """The sheet as CSV without formulas; gives its place. Raises OSError where nothing can be written.

    A secret one is readable by this person alone, and takes the place of none that was kept before: links are told once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not is_secret:
        path = folder / f"{title}.csv"
        path.write_text(as_csv(sheet), encoding="utf-8")
        return path
    for number in count(1):
        path = folder / f"{title}-{number}.csv"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(as_csv(sheet))
        return path
    raise AssertionError("numbers do not end")
