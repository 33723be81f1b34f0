"""The page for participants, served from the page of studies: begun, told, ended, by keys."""

import socket
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from backend.api import Api
from backend.workspace import Workspace
from backend.workspace.page_notice import telling
from studio.pages.studies import StudiesPage
from tests.backend.workspace.study_project import create
from tests.studio.studies.hands import SHIFT, dialog_of, press

pytestmark = pytest.mark.slow


def test_the_page_says_whether_participants_can_reach_it(
    qtbot, page: StudiesPage, workspace: Workspace, benchmark: Path
) -> None:
    create(cast(Api, workspace), benchmark)
    press(page, Qt.Key.Key_F5)
    invite = page.layout_of.invite
    qtbot.waitUntil(lambda: page.session.study is not None)
    assert invite.page.command.text() == f"studio-backend study serve --project {workspace.layout.root}"
    with telling(workspace.layout, "http://127.0.0.1:8470"):
        qtbot.waitUntil(lambda: invite.page.command.text() == "http://127.0.0.1:8470/s/")
        assert (invite.page.chip.text(), invite.url.text()) == ("served now", "http://127.0.0.1:8470")
    press(page, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: invite.page.chip.text() == "not served now")
    press(page, "p")
    assert QApplication.clipboard().text().startswith("studio-backend study serve")


def test_the_page_is_started_and_stopped_by_key_and_says_when_its_port_is_taken(
    qtbot, page: StudiesPage, workspace: Workspace, benchmark: Path
) -> None:
    create(cast(Api, workspace), benchmark)
    press(page, Qt.Key.Key_F5)
    invite = page.layout_of.invite
    qtbot.waitUntil(lambda: page.session.study is not None)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        invite.page.port.setValue(port)
        press(page, Qt.Key.Key_P, SHIFT)
        assert page.session.view == "invite"
        said = f"✕ Port {port} is taken by another program; choose another one, such as {port + 1}."
        qtbot.waitUntil(lambda: invite.page.trouble.text() == said)
        assert invite.page.port.hasFocus()
    page.setFocus()
    press(page, Qt.Key.Key_P, SHIFT)
    qtbot.waitUntil(lambda: invite.page.chip.text() == "served now")
    assert not invite.page.trouble.isVisible()
    assert invite.url.text() == f"http://127.0.0.1:{port}" == workspace.study_page().url
    qtbot.waitUntil(lambda: page.layout_of.status.text() == "taste: its videos are ready")
    assert cast(Api, workspace).prepare_study(name="taste") == 0
    press(page, "p")
    assert QApplication.clipboard().text() == f"http://127.0.0.1:{port}/s/"
    press(page, Qt.Key.Key_P, SHIFT)
    dialog_of(qtbot, page).go.click()
    qtbot.waitUntil(lambda: invite.page.chip.text() == "not served now")
    assert page.layout_of.status.text() == "The page is stopped"
    assert not workspace.serves_page()
