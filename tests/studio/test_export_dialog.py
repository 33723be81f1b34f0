"""The export dialog promises what the export keeps: what would be refused cannot be asked for, and says why."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from backend.api import Api
from backend.domain.figures import ExportForecast
from backend.domain.library import Selection
from backend.workspace import Workspace
from studio.export_dialog import ExportDialog, forecast_words
from studio.link import Link
from studio.outbox import Outbox
from studio.texts import use_language
from tests.studio.served import toy_workspace

pytestmark = pytest.mark.slow


@contextmanager
def dialog_over(qtbot, workspace: Workspace, folder: Path) -> Iterator[ExportDialog]:
    """The dialog, once it knows what an export would come to."""
    link, parent = Link(cast(Api, workspace), Outbox(folder / "state" / "outbox.db")), QWidget()
    qtbot.addWidget(parent)
    try:
        dialog = ExportDialog(parent, link, None, out=folder / "out")
        dialog.show()
        qtbot.waitUntil(lambda: "pair" in dialog.forecast.text() and dialog._foreseen is not None)
        yield dialog
        dialog.reject()
    finally:
        link.close()


def in_chinese(found: ExportForecast) -> str:
    use_language("zh")
    try:
        return forecast_words(found)
    finally:
        use_language("en")


def test_videos_without_a_licence_are_told_and_cannot_be_exported(qtbot, tmp_path: Path) -> None:
    with toy_workspace(tmp_path, licence=None) as workspace, dialog_over(qtbot, workspace, tmp_path) as dialog:
        assert dialog.trouble.isVisible()
        assert dialog.trouble.text().startswith("nothing is exported: no licence is stated of mug.mp4;")
        assert not dialog.go.isEnabled()
        QTest.keyClick(dialog.out, Qt.Key.Key_Return)
        assert not (tmp_path / "out").exists()


def test_another_purpose_is_foreseen_anew(qtbot, tmp_path: Path) -> None:
    with toy_workspace(tmp_path) as workspace:
        chosen = Selection(kind="subject", ids=workspace.items(kind="subject").ids)
        workspace.state_consent(selection=chosen, rater="ann", purposes=("evaluation",), version="2026-03")
        with dialog_over(qtbot, workspace, tmp_path) as dialog:
            assert dialog.forecast.text().startswith("0 pairs")
            assert "no consent for training 2" in dialog.forecast.text()
            assert not dialog.go.isEnabled(), "nothing is left"
            assert dialog._foreseen is not None
            assert "略去：未同意用于训练 2" in in_chinese(dialog._foreseen)
            QTest.keyClick(dialog.purpose, Qt.Key.Key_Down)
            assert dialog._foreseen is None, "what is foreseen is of training"
            qtbot.waitUntil(dialog.go.isEnabled)
            assert dialog.forecast.text().startswith("2 pairs from 1 video")


def test_a_forecast_with_a_leak_is_shown_and_bars_the_export(qtbot, tmp_path: Path) -> None:
    with toy_workspace(tmp_path) as workspace, dialog_over(qtbot, workspace, tmp_path) as dialog:
        assert dialog.go.isEnabled()
        leaking = ExportForecast(pairs=2, videos=1, parts={"train": 1, "test": 1}, groups=2, largest=1, leaks=1)
        dialog.show_forecast(leaking)
        assert dialog.forecast.text() == forecast_words(leaking)
        assert "✗ 1 source, copy, subject or identity lies in two parts" in dialog.forecast.text()
        assert not dialog.go.isEnabled()


def test_what_a_choice_or_a_condition_leaves_out_is_told_in_either_language() -> None:
    found = ExportForecast(
        pairs=1, videos=1, left_out={"where": 3, "not chosen": 2, "judged unsure": 1}, groups=1, largest=1
    )
    assert "! left out: not meeting the condition 3, not chosen 2, judged unsure 1" in forecast_words(found)
    assert "! 略去：不符合条件 3, 未选中 2, 判定为不确定 1" in in_chinese(found)


def test_an_export_of_no_pair_says_why_it_cannot_be_asked_for(qtbot, tmp_path: Path) -> None:
    """The pair of .3 is held back by the gate at .5."""
    with toy_workspace(tmp_path) as workspace:
        chosen = Selection(kind="pair", ids=workspace.items(kind="pair", where="state = 'held back'").ids)
        found = workspace.forecast_export(selection=chosen)
    assert forecast_words(found).splitlines() == [
        "0 pairs from 0 videos",
        "✗ Nothing to export: of what was asked for, the gates and people's verdicts keep no pair.",
    ]
    assert in_chinese(found).splitlines()[1].startswith("✗ 没有可导出的内容")
