"""The sheet of votes while it stands there and the service is tried again and again: no focus is taken, no old trouble is told."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from backend.domain import ProjectError, Vote
from studio.link import Link
from studio.outbox import Refused
from studio.sync import SyncState
from studio.votes_sheet import VotesSheet


class Shelf(QObject):
    """A link whose outbox answers at once; `trouble` is what it fails with."""

    sync_changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.sync_state = SyncState()
        self.outbox = self
        self.kept: tuple[Refused, ...] = ()
        self.trouble = ""

    def refused(self) -> tuple[Refused, ...]:
        if self.trouble:
            raise ProjectError(self.trouble)
        return self.kept

    def ask(self, work: Callable[[], Any], done: Callable[[Any], object], failed: Callable[..., object]) -> None:
        try:
            found = work()
        except ProjectError as error:
            failed(error)
            return
        done(found)

    def send_again(self, refused: tuple[Refused, ...], failed: Callable[..., object]) -> None:
        self.ask(self.refused, lambda _: None, failed)

    def try_again(self) -> None:
        """As at every attempt to send."""
        self.sync_changed.emit(self.sync_state)


def refusal(name: str) -> Refused:
    vote = Vote(
        id=name,
        rev=1,
        study_id="taste",
        trial_id="t",
        item_id="i",
        rater="ann",
        rater_kind="person",
        question="better",
        choice="tie",
    )
    return Refused(said=vote, problem="this response is withdrawn; it takes no further answers")


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def sheet(qtbot, shelf: Shelf) -> Iterator[VotesSheet]:
    shelf.kept = (refusal("a"),)
    parent = QWidget()
    qtbot.addWidget(parent)
    sheet = VotesSheet(parent, cast(Link, shelf))
    sheet.show()
    yield sheet


def test_the_focus_stays_where_the_person_put_it(shelf: Shelf, sheet: VotesSheet) -> None:
    assert sheet.focusWidget() is sheet.rows
    sheet.away.setFocus()
    shelf.try_again()
    assert sheet.focusWidget() is sheet.away
    shelf.kept = (*shelf.kept, refusal("b"))
    shelf.try_again()
    assert (sheet.focusWidget(), sheet.rows.count()) == (sheet.away, 2)
    sheet.rows.setFocus()
    shelf.kept = ()
    shelf.try_again()
    assert sheet.focusWidget() is sheet.away, "the rows are gone"


def test_the_trouble_of_reading_goes_with_the_next_read_that_does(shelf: Shelf, sheet: VotesSheet) -> None:
    shelf.trouble = "the outbox cannot be read"
    shelf.try_again()
    assert (sheet.trouble.isHidden(), sheet.trouble.text()) == (False, "the outbox cannot be read")
    shelf.trouble = ""
    shelf.try_again()
    assert sheet.trouble.isHidden()


def test_the_trouble_of_sending_again_stays_until_it_is_tried_once_more(shelf: Shelf, sheet: VotesSheet) -> None:
    shelf.trouble = "the disk is full"
    sheet.again.click()
    shelf.trouble = ""
    shelf.try_again()
    assert (sheet.trouble.isHidden(), sheet.trouble.text()) == (False, "the disk is full")
    sheet.again.click()
    assert sheet.trouble.isHidden()
