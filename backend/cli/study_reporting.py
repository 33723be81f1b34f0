"""Writing a study's report and its figures."""

from collections.abc import Sequence
from pathlib import Path

from backend.domain import SettingsError
from backend.domain.calibration import MetricCalibration
from backend.domain.studies import StudyDesign, StudyResults
from backend.engine.context import load
from backend.jobs import CALLS
from backend.workspace.ranking import CALIBRATIONS


def write_report(
    found: StudyResults,
    design: StudyDesign,
    *,
    html: Path | None,
    figures: Path | None,
    calibrations: Sequence[Path] | None,
    project: Path,
) -> tuple[Path, ...]:
    """Writes the page, the figures' folder or both, and gives what was written.

    Metrics stand beside the votes as calibrations tell: the files named, else those that the project keeps of this study.
    Raises SettingsError for a file that is none, or that was made of another study's votes.
    """
    # Plots take a second to load, which other commands about studies need not wait for
    from backend.report.page import render
    from backend.report.study import study_report
    from backend.report.study_figures import write_figures

    page, drawn = study_report(found, design, _calibrations(design, calibrations, project))
    if html:
        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(render(page), encoding="utf-8")
    if figures:
        write_figures(drawn, figures)
    return tuple(path for path in (html, figures) if path)


def _calibrations(design: StudyDesign, named: Sequence[Path] | None, project: Path) -> list[MetricCalibration]:
    """By aspect, the latest of each."""
    read = load(CALLS["read_calibration"])
    found: list[MetricCalibration] = [read(path) for path in named or sorted((project / CALIBRATIONS).glob("*.json"))]
    others = [one for one in found if one.study != design.name]
    if named and others:
        raise SettingsError(f"calibration {others[0].id} rests on study {others[0].study}; name one of {design.name}")
    own = {one.aspect: one for one in sorted(found, key=lambda one: one.made_at) if one.study == design.name}
    return [own[aspect] for aspect in design.aspects if aspect in own]
