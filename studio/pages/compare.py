"""Compare: two takes of one prompt, frame by frame side by side; which is better?"""

from backend.api import PairRow
from studio.pages.judge import JudgePage
from studio.sessions.verify import Held

STUDY = "compare"
"""The study that the page opens."""


class ComparePage(JudgePage):
    """A blind A/B: the service chose the sides, nothing here tells which system made which."""

    study_id = STUDY
    align = "index"
    max_edge_px = 1280
    watch_first = True

    def show_extras(self, held: Held, pair: PairRow | None) -> None:
        self.category.hide()
        self.about.setText("Names are hidden; judge what you see.")

    def trouble_words(self) -> tuple[str, str]:
        return "There is no comparison to judge", f"{self.session.trouble}."
