"""Asks before footage is erased: says what would go and what cannot be reached, counted by the service; nothing brings it back."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from backend.domain import StudioError
from backend.domain.erasing import ErasedItems, ErasureForecast
from backend.domain.library import Selection
from studio.ask_dialog import WIDTH_PX, AskDialog
from studio.link import Link
from studio.texts import counted, text
from studio.widgets import clear, label

KINDS = ("video", "clip", "subject", "pair", "bench_case")
"""Rows that are counted by name; the others are summed up."""
MOST_NAMED = 4
HEIGHT_PX = 170


class EraseDialog(AskDialog):
    """Opens with the forecast, and erases when that is confirmed; `erased` is called with what went."""

    def __init__(
        self, parent: QWidget, link: Link, chosen: Selection, *, rater: str, erased: Callable[[ErasedItems], object]
    ) -> None:
        self.forecast = QWidget()
        self.forecast.setMinimumHeight(HEIGHT_PX)
        self.forecast.setAccessibleName(text("erase.forecast"))
        self._lines = QVBoxLayout(self.forecast)
        self._lines.setContentsMargins(0, 0, 0, 0)
        self._lines.setSpacing(6)
        self._lines.addWidget(label(text("erase.looking"), "fact"), 0, Qt.AlignmentFlag.AlignTop)
        self.backups = QCheckBox(text("erase.backups"))
        super().__init__(
            parent,
            title=text("erase.title"),
            words=text("erase.words"),
            go=text("erase.go"),
            fields=(("", self.forecast), ("", self.backups)),
            is_grave=True,
        )
        self._link, self._chosen, self._rater, self._erased = link, chosen, rater, erased
        self.found: ErasureForecast | None = None
        self.go.setEnabled(False)
        self.backups.hide()
        self.wanted.connect(self._erase)
        link.ask(lambda: link.api.foresee_erasure(selection=chosen), self._show, self._cannot, slow=True)

    def _show(self, found: ErasureForecast) -> None:
        if not self._open:
            return
        self.found = found
        self._say(text("erase.goes"), going_words(found), text("erase.stays"), staying_words(found))
        self.backups.setVisible(any(one.kind == "backup" for one in found.leftovers))
        self.go.setEnabled(True)

    def _cannot(self, error: StudioError) -> None:
        if self._open:
            self._say()
            self.trouble.setText(str(error))
            self.trouble.show()

    def _say(self, *parts: str | list[str]) -> None:
        """Headlines, and lines below them."""
        clear(self.forecast)
        for part in parts:
            for line in [part] if isinstance(part, str) else part:
                words = label(line, "slot" if isinstance(part, str) else "fact")
                words.setWordWrap(True)
                words.setMinimumHeight(words.heightForWidth(WIDTH_PX - 56))
                self._lines.addWidget(words)
        self._lines.addStretch(1)
        self.adjustSize()

    def _erase(self) -> None:
        api, chosen, rater, backups = self._link.api, self._chosen, self._rater, self.backups.isChecked()

        def done(went: ErasedItems) -> None:
            self.done_with()
            self._erased(went)

        self._link.ask(
            lambda: api.erase_items(selection=chosen, rater=rater, delete_backups=backups),
            done,
            lambda error: self.refuse(str(error)),
            slow=True,
        )


def going_words(found: ErasureForecast) -> list[str]:
    """What would go, line by line."""
    rows = dict(found.rows)
    named = [counted(kind, rows.pop(kind)) for kind in KINDS if kind in rows]
    lines = [", ".join([*named, text("erase.rows", count=sum(rows.values()))])]
    if found.said:
        lines.append(text("erase.said", count=sum(found.said.values())))
    again = found.cached + found.answers
    return [
        *lines,
        text("erase.files", artifacts=counted("stored_picture", found.artifacts), cached=counted("file", again)),
    ]


def staying_words(found: ErasureForecast) -> list[str]:
    """What would stay, line by line."""
    paths = [path.rpartition("/")[2] for path in found.files]
    more = len(paths) - MOST_NAMED
    lines = [
        text("erase.your_files", names=", ".join(paths[:MOST_NAMED]) + (text("erase.more", count=more) if more > 0 else ""))
    ]
    if found.same_elsewhere:
        lines.append(text("erase.same_elsewhere", count=found.same_elsewhere))
    if found.studies:
        lines.append(text("erase.studies", names=", ".join(found.studies)))
    if found.leftovers:
        copies = [(text(f"erase.copy_{one.kind}"), one.made_at[:10]) for one in found.leftovers[:MOST_NAMED]]
        dates = ", ".join(f"{kind} {date}" for kind, date in copies)
        lines.append(text("erase.leftovers", count=len(found.leftovers), dates=dates))
    return lines
