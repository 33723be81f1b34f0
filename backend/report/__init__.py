"""Reports: one HTML file that opens offline, prints well and runs no script.

A report is sections of blocks (`backend.report.page`); a new kind of block is a dataclass and a template of its KIND.
"""

from backend.report.case_set import ShownReferences, case_set_report
from backend.report.comparison import comparison_report
from backend.report.curation import (
    AnchorCard,
    CopyRow,
    CurationData,
    Distribution,
    PairCard,
    ScoreLine,
    ShotCard,
    SubjectCard,
    curation_report,
)
from backend.report.leaderboard import leaderboard_report
from backend.report.page import Bar, Bars, Figure, ImageGrid, Note, PairGrid, Report, Section, Table, Tile, Tiles, render
from backend.report.pictures import Picture
