"""Texts of others, in tool tips and labels: shown letter by letter, whatever markup they hold."""

import ast
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QSize
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication, QLabel, QToolTip, QWidget

from backend.domain import Choice
from studio.theme import apply_theme, load_theme
from studio.widgets import ChoiceButton
from tests.attacks.payloads import PAYLOADS
from tests.promises import Tally

STUDIO = Path(__file__).resolve().parents[2] / "studio"
SIDE = 900  # of a picture that would be seen if it were drawn
RICH = {
    "setHtml",
    "insertHtml",
    "appendHtml",
    "setMarkdown",
    "insertMarkdown",
    "setTextFormat",
    "setOpenExternalLinks",
    "QTextBrowser",
    "QStaticText",
    "QTextDocument",
    "QMessageBox",
    "QErrorMessage",
}
"""What draws markup, or lets it be told to."""


@pytest.mark.promise(
    "a caption, file name or message that holds markup is shown letter by letter in Studio's tips and labels: no file is read",
    area="Service",
    goal="0 of 123 texts drawn as markup",
    control="tests/studio/test_plain_words.py::test_without_its_rule_a_picture_of_a_text_is_drawn",
)
def test_texts_of_others_are_shown_letter_by_letter(qtbot, qapp: QApplication, tmp_path: Path, tally: Tally) -> None:
    apply_theme(qapp, load_theme("light"))
    texts = [*PAYLOADS, *pictures(tmp_path)]
    drawn = [what for words in texts for what in shown_as_markup(qapp, words)]
    tally.record(3 * len(texts), lost=len(drawn))
    assert (3 * len(texts), drawn) == (123, [])


def test_without_its_rule_a_picture_of_a_text_is_drawn(qtbot, qapp: QApplication, tmp_path: Path) -> None:
    apply_theme(qapp, load_theme("light"))
    qapp.setStyleSheet(qapp.styleSheet().replace("qproperty-textFormat: PlainText;", ""))
    try:
        local, _ = pictures(tmp_path)
        assert [what for what, _ in shown_as_markup(qapp, local)] == ["tip", "label", "choice"]
    finally:
        apply_theme(qapp, load_theme("light"))


def test_nothing_of_studio_draws_markup_by_itself() -> None:
    found = {
        (path.relative_to(STUDIO).as_posix(), name)
        for path in STUDIO.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (name := getattr(node, "attr", "") or getattr(node, "id", "")) in RICH
    }
    assert found == {("long_text.py", "setTextFormat"), ("widgets.py", "setTextFormat")}


def pictures(folder: Path) -> tuple[str, str]:
    """Texts that name a large picture of this machine, by its path and as an address."""
    path = folder / "secret.png"
    picture = QImage(SIDE, SIDE, QImage.Format.Format_RGB32)
    picture.fill(QColor("red"))
    assert picture.save(str(path))
    return f"<img src='{path}'>", f"a <b>bold</b> <img src='file://{path}'>"


def shown_as_markup(app: QApplication, words: str) -> list[tuple[str, str]]:
    """Where a text is taken for markup: as a tip, as a label, as the words of a choice."""
    around = QWidget()
    around.resize(QSize(40, 40))
    label, choice = QLabel(words, around), ChoiceButton(Choice(value="x", label=words, key="1"), load_theme("light"))
    QToolTip.showText(QPoint(5, 5), words, around)
    tips = [one for one in app.topLevelWidgets() if one.metaObject().className() == "QTipLabel"]
    places = {"tip": tips[-1], "label": label, "choice": choice.findChild(QLabel, "choice")}
    found = []
    for what, place in places.items():
        assert isinstance(place, QLabel)
        place.ensurePolished()
        if (
            place.text() != words
            or place.textFormat() is not place.textFormat().PlainText
            or place.sizeHint().height() >= SIDE
        ):
            found.append((what, words))
    QToolTip.hideText()
    return found
