"""What is asked once more before a study or somebody in it is changed, and where votes are exported to."""

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget

from backend.domain.studies import Erased, Participant, StudySummary, VoteFiles
from studio.ask_dialog import AskDialog
from studio.fields import ChoiceField
from studio.pages.page import Page
from studio.pages.studies_keeping import studies_folder
from studio.sentences import translated
from studio.texts import counted, text

Done = Callable[[str], object]
"""Called with a sentence when it was done."""
Work = Callable[[], object]
FORMAT_WORDS = {"csv": "studies.format_csv", "jsonl": "studies.format_jsonl", "vbench2": "studies.format_human_anno"}
"""What formats are called that have a longer name."""
ENDINGS = {"vbench2": "json"}
"""Of files of votes, where it is not the format's name."""


def close_study(page: Page, study: StudySummary, done: Done) -> AskDialog:
    """With a reason, which the journal and the report keep."""
    because = QLineEdit()
    because.setMaxLength(500)
    dialog = AskDialog(
        page,
        title=text("studies.close_title", name=study.name),
        words=text("studies.close_words"),
        go=text("studies.do_close_study"),
        fields=((text("studies.because"), because),),
    )
    api = page.link.api
    _when_wanted(
        page,
        dialog,
        lambda: partial(api.close_study, name=study.name, because=because.text()),
        lambda _: done(text("studies.closed", name=study.name)),
    )
    return dialog


def reopen_study(page: Page, study: StudySummary, done: Done) -> AskDialog:
    """So that it goes on."""
    dialog = AskDialog(
        page,
        title=text("studies.reopen_title", name=study.name),
        words=text("studies.reopen_words"),
        go=text("studies.do_reopen_study"),
    )
    api = page.link.api
    _when_wanted(
        page,
        dialog,
        lambda: partial(api.reopen_study, name=study.name),
        lambda _: done(text("studies.reopened", name=study.name)),
    )
    return dialog


def withdraw(page: Page, person: Participant, done: Done) -> AskDialog:
    """What somebody said stays in the journal and counts no longer."""
    dialog = AskDialog(
        page,
        title=text("studies.withdraw_title", person=person.id),
        words=text("studies.withdraw_words"),
        go=text("studies.do_withdraw_person"),
        is_grave=True,
    )
    api = page.link.api
    _when_wanted(
        page,
        dialog,
        lambda: partial(api.withdraw, participant=person.id),
        lambda _: done(text("studies.withdrawn", person=person.id)),
    )
    return dialog


def erase(page: Page, person: Participant, done: Done) -> AskDialog:
    """Every byte that somebody left in the project, for good."""
    backups = QCheckBox(text("studies.delete_backups"))
    dialog = AskDialog(
        page,
        title=text("studies.erase_title", person=person.id),
        words=text("studies.erase_words"),
        go=text("studies.do_erase_person"),
        fields=(("", backups),),
        is_grave=True,
    )

    def told(erased: Erased) -> object:
        said = text("studies.erased", events=counted("event", erased.events), votes=counted("vote", erased.votes))
        if erased.backups:
            said = " ".join((said, text("studies.left_in_backups", places=", ".join(erased.backups))))
        return done(said)

    api = page.link.api
    _when_wanted(
        page,
        dialog,
        lambda: partial(api.erase_participant, participant=person.id, delete_backups=backups.isChecked()),
        told,
    )
    return dialog


def export_votes(page: Page, study: str, formats: Sequence[str], done: Done) -> AskDialog:
    """A format and a file to write."""
    folder, api = studies_folder(page.context.project, study), page.link.api
    return _ask_votes(
        page,
        "export",
        formats,
        lambda path, format_: api.export_votes(study=study, out=path, format=format_),
        lambda files: done(text("studies.exported", count=files.votes, out=files.path)),
        pick=QFileDialog.getSaveFileName,
        named=lambda format_: str(folder / f"votes.{ENDINGS.get(format_, format_)}"),
    )


def import_votes(page: Page, study: str, formats: Sequence[str], done: Done) -> AskDialog:
    """A format and a file of votes that were given elsewhere."""
    api = page.link.api

    def told(files: VoteFiles) -> object:
        said = text("studies.imported", count=files.votes, path=files.path)
        return done(" ".join((said, *map(translated, files.remarks))))

    return _ask_votes(
        page,
        "import",
        formats,
        lambda path, format_: api.import_votes(study=study, path=path, format=format_),
        told,
        pick=QFileDialog.getOpenFileName,
        named=lambda _: "",
    )


def _ask_votes(
    page: Page,
    what: str,
    formats: Sequence[str],
    work: Callable[[str, str], VoteFiles],
    told: Callable[[VoteFiles], object],
    *,
    pick: Callable[..., tuple[str, str]],
    named: Callable[[str], str],
) -> AskDialog:
    """Which file of votes, in which format; `what` is export or import, `named` the place that a format has by itself."""
    path, format_ = QLineEdit(), _formats(formats)

    def follow() -> None:
        if name := named(format_.value):
            path.setText(name)

    follow()
    format_.currentIndexChanged.connect(lambda _: follow())
    fields = (
        (text("studies.format"), format_),
        (text("studies.file"), _beside_browse(page, path, pick)),
    )
    dialog = AskDialog(
        page,
        title=text(f"studies.{what}_title"),
        words=text(f"studies.{what}_words"),
        go=text(f"studies.do_{what}_votes"),
        fields=fields,
    )
    _when_wanted(page, dialog, lambda: partial(work, path.text().strip(), format_.value), told)
    return dialog


def _formats(names: Sequence[str]) -> ChoiceField:
    field = ChoiceField()
    offered = [(name, text(FORMAT_WORDS[name]) if name in FORMAT_WORDS else name) for name in names]
    field.offer(offered, names[0] if names else "")
    return field


def _beside_browse(page: Page, field: QLineEdit, pick: Callable[..., tuple[str, str]]) -> QWidget:
    """A file's path with a button that looks for it."""

    def browse() -> None:
        found, _ = pick(page, text("studies.file"), field.text())
        if found:
            field.setText(found)

    holder, button = QWidget(), QPushButton(text("studies.browse"))
    button.setObjectName("worded")
    button.setAutoDefault(False)
    button.clicked.connect(lambda _=False: browse())
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(field, 1)
    row.addWidget(button)
    holder.setFocusProxy(field)
    field.setAccessibleName(text("studies.file"))
    return holder


def _when_wanted(page: Page, dialog: AskDialog, prepare: Callable[[], Work], told: Callable[..., object]) -> None:
    """Does it on a worker thread, with what the fields say when it is wanted; a refusal is told in the dialog, which stays open."""

    def finished(found: object) -> None:
        dialog.done_with()
        told(found)

    dialog.wanted.connect(lambda: page.link.ask(prepare(), finished, lambda error: dialog.refuse(str(error)), slow=True))
    dialog.open()
