"""Verify: is the subject of the reference the subject of the target? One key a pair."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QScrollArea, QVBoxLayout, QWidget

from backend.api import PairRow
from backend.domain import VERIFY_STUDY
from studio.pages.judge import JudgePage
from studio.sessions.verify import Held
from studio.widgets import label

KINDS = {
    "cross_video": "from another video",
    "cross_frame": "from another shot",
    "in_pair": "from the same clip",
    "generated": "generated",
}


class VerifyPage(JudgePage):
    """The standing queue of candidate pairs, with what machines measured beside it."""

    study_id = VERIFY_STUDY
    hint_words = (*JudgePage.hint_words, ("scores", "Scores"))

    def side(self) -> QWidget:
        self.scores = QFrame()
        self.scores.setObjectName("scores")
        self.scores.setFixedWidth(232)
        self._rows = QWidget()
        self._grid = QGridLayout(self._rows)
        self._grid.setContentsMargins(0, 0, 8, 0)
        self._grid.setVerticalSpacing(8)
        self._grid.setColumnStretch(0, 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(self._rows)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QVBoxLayout(self.scores)
        column.setContentsMargins(16, 10, 8, 14)
        column.setSpacing(10)
        column.addWidget(label("Scores", "slot"))
        column.addWidget(area, 1)
        return self.scores

    def toggle_side(self) -> None:
        self.scores.setVisible(self.scores.isHidden())

    def show_extras(self, held: Held, pair: PairRow | None) -> None:
        self.category.setText((pair.category if pair else None) or "")
        self.category.setVisible(bool(pair and pair.category))
        words = [pair.phrase or "", KINDS.get(pair.kind, pair.kind)] if pair else []
        self.about.setText(" · ".join(word for word in words if word))
        self._show_scores(held.trial.scores)

    def clear_extras(self) -> None:
        self._clear_scores()

    def empty_words(self, *, total: int) -> tuple[str, str]:
        if total == 0:
            return (
                "No pairs to verify yet",
                "Pairs appear here while curation runs: studio-backend curate --project DIR. "
                "This page looks again every ten seconds.",
            )
        left = max(0, total - self.session.judged)
        if left:
            return "Nothing for you just now", f"{left} of {total} pairs are with other people or were judged by them."
        return "All pairs are judged", f"You have judged all {total} pairs. New ones appear here by themselves."

    def _clear_scores(self) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()

    def _show_scores(self, scores: tuple[tuple[str, float | None], ...]) -> None:
        self._clear_scores()
        measured = [(name, value) for name, value in scores if value is not None]
        for row, (name, value) in enumerate(measured):
            words = label(name.replace("_", " "), "score_name")
            words.setWordWrap(True)
            number = label(f"{value:.3g}", "score_value")
            number.setAlignment(Qt.AlignmentFlag.AlignRight)
            self._grid.addWidget(words, row, 0)
            self._grid.addWidget(number, row, 1)
        if not measured:
            self._grid.addWidget(label("No scores for this pair", "score_name"), 0, 0)
        self._grid.setRowStretch(max(len(measured), 1), 1)
