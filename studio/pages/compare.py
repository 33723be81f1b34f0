"""Compare: two takes of one prompt, frame by frame side by side; which is better?"""

from studio.pages.judge import JudgePage
from studio.prepare import Batch
from studio.sessions.verify import Held

STUDY = "compare"
"""The study that the page opens."""


class ComparePage(JudgePage):
    """A blind A/B: the service chose the sides, nothing here tells which system made which."""

    study_id = STUDY
    align = "index"
    max_edge_px = 1280
    watch_first = True

    def show_extras(self, held: Held, batch: Batch) -> None:
        self.category.hide()
        self.about.setText(held.form.title)
