"""Writing a study's report and its figures."""

from collections.abc import Sequence
from pathlib import Path

from backend.domain import ProjectError, SettingsError
from backend.domain.calibration import MetricCalibration
from backend.domain.studies import StudyDesign, StudyResults
from backend.engine.context import load
from backend.jobs import CALLS
from backend.store.whole_file import write_whole
from backend.workspace.layout import Layout
from backend.workspace.ranking import CALIBRATIONS


def write_report(
    found: StudyResults, design: StudyDesign, layout: Layout, *, html: str, figures: str, calibrations: Sequence[str]
) -> tuple[str, ...]:
    """Writes the page, the figures' folder or both, and gives what was written.

    Metrics stand beside the votes as calibrations tell: the files named, else those that the project keeps of this study.
    Raises SettingsError for a file that is none, or that was made of another study's votes, and for nothing to write.
    """
    if not (html or figures):
        raise SettingsError("nothing is to be written; name a page, a folder for figures, or both")
    # Plots take a second to load, which other operations on studies need not wait for
    from backend.report.page import render
    from backend.report.study import study_report
    from backend.report.study_figures import write_figures

    page, drawn = study_report(found, design, _calibrations(design, calibrations, layout))
    try:
        if html:
            write_whole(Path(html), render(page))
        if figures:
            write_figures(drawn, Path(figures))
    except OSError as error:
        raise ProjectError(f"{error.filename} cannot be written: {error.strerror}; choose another place") from error
    return tuple(path for path in (html, figures) if path)


def _calibrations(design: StudyDesign, named: Sequence[str], layout: Layout) -> list[MetricCalibration]:
    """By aspect, the latest of each."""
    read = load(CALLS["read_calibration"])
    paths = [Path(path) for path in named] or sorted((layout.root / CALIBRATIONS).glob("*.json"))
    found: list[MetricCalibration] = [read(path) for path in paths]
    others = [one for one in found if one.study != design.name]
    if named and others:
        raise SettingsError(f"calibration {others[0].id} rests on study {others[0].study}; name one of {design.name}")
    own = {one.aspect: one for one in sorted(found, key=lambda one: one.made_at) if one.study == design.name}
    return [own[aspect] for aspect in design.aspects if aspect in own]
