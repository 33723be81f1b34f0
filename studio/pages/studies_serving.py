"""The page that participants open, served from here: begun and ended, with its address, and its videos copied beforehand."""

from collections.abc import Callable

from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from backend.domain import StudioError
from backend.domain.study_plans import PageNotice
from studio.ask_dialog import AskDialog
from studio.fields import CountField, card, tick
from studio.pages.page import Page
from studio.texts import text
from studio.widgets import Chip, label

PORT, FIRST_PORT, LAST_PORT = 8470, 1024, 65_535  # as `study serve` has it; lower ones need an administrator


class ServedCard(QWidget):
    """Whether the page is served and where, how one does it, and a button for it."""

    def __init__(self, press: Callable[[str], object]) -> None:
        super().__init__()
        self.notice = PageNotice()
        self.chip, self.words, self.command = Chip(), label("", "muted"), QLineEdit()
        self.words.setWordWrap(True)
        self.command.setReadOnly(True)
        self.command.setAccessibleName(text("studies.command"))
        self.port = CountField(LAST_PORT, least=FIRST_PORT)
        self.port.setGroupSeparatorShown(False)
        self.port.setValue(PORT)
        self.port.setAccessibleName(text("studies.port"))
        self.login: QCheckBox = tick(text("studies.ask_login"), on=False)
        self.go, self.copy = QPushButton(), QPushButton(text("studies.copy"))
        self.trouble = label("", "field_problem")
        self.trouble.setWordWrap(True)
        self.trouble.hide()
        for button, name in ((self.go, "serve_page"), (self.copy, "copy_command")):
            button.setObjectName("worded")
            button.setAutoDefault(True)
            button.clicked.connect(lambda _=False, name=name: press(name))
        self._build()

    def show_page(self, notice: PageNotice, command: str) -> None:
        """How the page stands now; `command` serves it from a terminal."""
        self.notice = notice
        self.chip.setText(text("studies.served" if notice.url else "studies.not_served"))
        self.chip.set_tone("good" if notice.url else "quiet")
        served = text("studies.served_at", since=notice.since[:16].replace("T", " "))
        elsewhere = text("studies.served_elsewhere") if notice.url and not notice.ends_here else ""
        self.words.setText(
            " ".join(part for part in (served, elsewhere) if part) if notice.url else text("studies.serve_it")
        )
        self.command.setText(f"{notice.url}/s/" if notice.url else command)
        self.go.setText(text("studies.stop_page" if notice.url else "studies.start_page"))
        self.go.setEnabled(not notice.url or notice.ends_here)
        for field in (self.port, self.port_name, self.login):
            field.setVisible(not notice.url)

    def say_trouble(self, sentence: str) -> None:
        """Why it could not be begun; empty where it could."""
        self.trouble.setText(f"✕ {sentence}" if sentence else "")
        self.trouble.setVisible(bool(sentence))

    def _build(self) -> None:
        self.port_name = label(text("studies.port"), "fact_name")
        self.port_name.setBuddy(self.port)
        told, line, begin = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        told.addWidget(self.chip)
        told.addWidget(self.words, 1)
        begin.setSpacing(10)
        for widget in (self.go, self.port_name, self.port, self.login):
            begin.addWidget(widget)
        begin.addStretch(1)
        line.addWidget(self.command, 1)
        line.addWidget(self.copy)
        inner = QVBoxLayout()
        for row in (told, begin):
            inner.addLayout(row)
        inner.addWidget(self.trouble)
        inner.addLayout(line)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(card("studies.page", inner))


class Serving:
    """Begins and ends the page. `say` tells what was done, `look` looks at the page anew."""

    def __init__(self, page: Page, shown: ServedCard, *, say: Callable[[str], object], look: Callable[[], object]) -> None:
        self._page, self._shown, self._say, self._look = page, shown, say, look
        self._closed = False

    def close(self) -> None:
        """Answers that are still on their way are shown nowhere."""
        self._closed = True

    def press(self, studies: tuple[str, ...]) -> None:
        """Begins where the page is not served, and then copies the videos of `studies`; else asks whether to end it."""
        notice = self._shown.notice
        if not notice.url:
            self._begin(studies)
        elif notice.ends_here:
            self._ask_end()
        else:
            self._say(text("studies.served_elsewhere"))

    def _begin(self, studies: tuple[str, ...]) -> None:
        port, login, api = self._shown.port.value(), self._shown.login.isChecked(), self._page.link.api
        self._shown.go.setEnabled(False)
        self._shown.say_trouble("")

        def begun(_: PageNotice) -> None:
            if not self._closed:
                self._say(text("studies.page_begun"))
                self._look()
                self._copy(studies)

        def refused(error: StudioError) -> None:
            if self._closed:
                return
            is_taken = error.kind == "port_taken"
            self._shown.go.setEnabled(True)
            self._shown.say_trouble(text("studies.port_taken", port=port, other=port + 1) if is_taken else str(error))
            (self._shown.port if is_taken else self._shown.go).setFocus()
            self._look()

        self._page.link.ask(lambda: api.serve_study_page(port=port, ask_login=login), begun, refused, slow=True)

    def _copy(self, studies: tuple[str, ...]) -> None:
        """Copies videos before anybody waits for one, a few at a time; a video that is gone is told by whoever sees its trial."""
        if not studies or self._closed:
            return
        name, api = studies[0], self._page.link.api

        def copied(left: int) -> None:
            if self._closed:
                return
            self._say(
                text("studies.copying", study=name, count=left) if left else text("studies.copied_videos", study=name)
            )
            self._copy(studies if left else studies[1:])

        def failed(error: StudioError) -> None:
            if not self._closed:
                self._say(str(error))
                self._copy(studies[1:])

        self._page.link.ask(lambda: api.prepare_study(name=name), copied, failed, slow=True)

    def _ask_end(self) -> None:
        """Whoever answers now would wait until it is served again."""
        dialog = AskDialog(
            self._page, title=text("studies.stop_title"), words=text("studies.stop_words"), go=text("studies.stop_page")
        )

        def ended(_: PageNotice) -> None:
            dialog.done_with()
            if not self._closed:
                self._say(text("studies.page_ended"))
                self._look()

        api = self._page.link.api
        dialog.wanted.connect(
            lambda: self._page.link.ask(api.stop_study_page, ended, lambda error: dialog.refuse(str(error)), slow=True)
        )
        dialog.open()
