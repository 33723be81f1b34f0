"""The panel beside the list: one item with its clip, what was found in it, its scores, and what made it."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from backend.api import Api
from backend.domain import MediaError, ServiceError, StudioError
from backend.domain.library import ItemColumn, ItemDetail, ItemScore, ItemView, Origin
from studio.flow import FlowLayout
from studio.item_model import bound_words, column_title, gate_words, shown, stage_words
from studio.link import Link
from studio.player.deck import Deck
from studio.player.decoder import Reel
from studio.player.marked_pane import MarkedPane
from studio.player.transport import Transport
from studio.prepare import read_still
from studio.sentences import translated
from studio.texts import text
from studio.theme import Theme
from studio.widgets import Chip, clear, label

WIDTH_PX, MIN_PX = 420, 340
STATE_TONES = {"kept": "good", "held back": "warn", "excluded": "bad"}
SIDES = ("target", "reference")
LAYERS = ("boxes", "masks", "points")
HIDDEN = ("state", "gate", "caption")
"""Told above the facts."""


class DetailPanel(QWidget):
    """Shows what `show_item` asks for; loads on worker threads, and drops what came too late."""

    def __init__(self, link: Link, run: Callable[[str], object]) -> None:
        super().__init__()
        self.setObjectName("side")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(MIN_PX)
        self.link = link
        self.detail: ItemDetail | None = None
        self._wanted: tuple[str, str] | None = None
        self._columns: dict[str, ItemColumn] = {}
        self.deck = Deck(align="index", max_edge_px=960)
        self.pane = MarkedPane(text("library.clip"))
        self.transport = Transport(self.deck, run)
        self.title = label("", "title")
        self.title.setWordWrap(True)
        self.state = Chip()
        self.held = label("", "caption")
        self.held.setWordWrap(True)
        self._sides = QWidget()
        QHBoxLayout(self._sides).setContentsMargins(0, 0, 0, 0)
        self._facts = QWidget()
        self._facts.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        QVBoxLayout(self._facts).setContentsMargins(0, 0, 10, 12)
        self._build()

    def show_item(self, kind: str, item_id: str | None, columns: Sequence[ItemColumn]) -> None:
        """Asks for an item and shows it when it comes; None shows that nothing is chosen."""
        self._columns = {column.name: column for column in columns}
        wanted = None if item_id is None else (kind, item_id)
        if wanted == self._wanted:
            return
        self._wanted = wanted
        if wanted is None:
            self.detail = None
            self._blank(text("library.nothing_chosen"))
            return
        self.link.ask(
            lambda: self.link.api.item(kind=kind, item_id=wanted[1]),
            lambda detail: self._show(wanted, detail),
            lambda error: self._fail(wanted, error),
        )

    def look_again(self) -> None:
        """Asks for the item anew."""
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self.show_item(*wanted, columns=tuple(self._columns.values()))

    def set_layer(self, name: str, on: bool) -> None:
        """Draws boxes, masks or points over the clip, or not."""
        self.layers[name].setChecked(on)
        self.pane.set_layer(name, on)

    def set_theme(self, theme: Theme) -> None:
        self.pane.set_colours(theme.colour("well"), theme.colour("muted"))
        self.transport.set_theme(theme)

    def sizeHint(self) -> QSize:
        return QSize(WIDTH_PX, 600)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.pane.setFixedHeight((self.width() - 28) * 9 // 16)

    def close_panel(self) -> None:
        self.deck.close()

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(self.title, 1)
        head.addWidget(self.state, 0, Qt.AlignmentFlag.AlignTop)
        self.layers: dict[str, QPushButton] = {}
        layers = FlowLayout(spacing=6)
        layers.addWidget(self._sides)
        for name in LAYERS:
            button = QPushButton(text(f"library.layer_{name}"))
            button.setObjectName("toggle")
            button.setCheckable(True)
            button.setChecked(True)
            button.clicked.connect(lambda on, name=name: self.pane.set_layer(name, on))
            layers.addWidget(button)
            self.layers[name] = button
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(self._facts)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setAccessibleName(text("library.facts"))
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 10, 0)
        column.setSpacing(10)
        column.addLayout(head)
        column.addWidget(self.held)
        column.addWidget(self.pane)
        column.addWidget(self.transport)
        column.addLayout(layers)
        column.addWidget(area, 1)
        self._blank(text("library.nothing_chosen"))

    def _blank(self, sentence: str) -> None:
        self.title.setText("")
        self.state.hide()
        self.held.hide()
        self.deck.load((), play=False)
        self.pane.set_view(None)
        self.pane.show_sentence(sentence)
        clear(self._sides)
        clear(self._facts)

    def _fail(self, wanted: tuple[str, str], error: StudioError) -> None:
        if wanted == self._wanted:
            self._wanted = None  # so that choosing it again asks again
            self._blank(str(error))

    def _show(self, wanted: tuple[str, str], detail: ItemDetail) -> None:
        if wanted != self._wanted:
            return
        self.detail = detail
        self.title.setText(detail.title or text("library.unnamed"))
        self.state.setText(text(f"library.state_{detail.state.replace(' ', '_')}"))
        self.state.set_tone(STATE_TONES.get(detail.state, "quiet"))
        self.state.show()
        self.held.setText(text("library.held_by", gate=gate_words(detail.held_by)) if detail.held_by else "")
        self.held.setVisible(bool(detail.held_by))
        self._show_sides(detail.views)
        self._show_facts(detail)

    def _show_sides(self, views: Sequence[ItemView]) -> None:
        clear(self._sides)
        layout = self._sides.layout()
        assert layout is not None
        if len(views) > 1:
            group = QButtonGroup(self._sides)
            for n, view in enumerate(views):
                button = QPushButton(text(f"library.side_{view.slot}"))
                button.setObjectName("toggle")
                button.setCheckable(True)
                button.setChecked(n == 0)
                button.clicked.connect(lambda _=False, view=view: self._show_view(view))
                group.addButton(button)
                layout.addWidget(button)
        if views:
            self._show_view(views[0])
        else:
            self.deck.load((), play=False)
            self.pane.set_view(None)
            self.pane.show_sentence(text("library.no_clip"))

    def _show_view(self, view: ItemView) -> None:
        self.deck.load((), play=False)
        self.pane.set_view(view)
        shown_now = self._wanted
        if view.clip_media is None and view.picture_media is None:
            self.pane.show_sentence(text("library.no_clip"))
            return
        self.pane.show_sentence(text("library.preparing"))

        def found(medium: Reel | QImage) -> None:
            if self._wanted != shown_now:
                return
            if isinstance(medium, QImage):
                self.pane.set_view(None)
                self.pane.show_image(medium)
                return
            self.deck.load([(self.pane, medium)], play=False)
            if view.focus_frame is not None:
                self.deck.seek(view.focus_frame - view.start_frame)

        def failed(error: StudioError) -> None:
            if self._wanted == shown_now:
                self.pane.show_sentence(str(error))

        self.link.ask(lambda: _medium(self.link.api, view), found, failed, slow=True)

    def _show_facts(self, detail: ItemDetail) -> None:
        clear(self._facts)
        layout = self._facts.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.setSpacing(16)
        caption = next((view.caption for view in detail.views if view.caption), "")
        if caption and caption != detail.title:
            words = label(caption, "muted")
            words.setWordWrap(True)
            layout.addWidget(words)
        rows = [
            (column_title(name), shown(value, self._columns[name]))
            for name, value in detail.values.items()
            if name in self._columns and name not in HIDDEN and value is not None and not self._is_score(detail, name)
        ]
        layout.addWidget(_section(text("library.facts"), rows))
        if detail.scores:
            layout.addWidget(_section(text("library.scores"), [_score_row(score) for score in detail.scores]))
        made = [_source_row(view) for view in detail.views if view.source] + [_origin_row(each) for each in detail.origins]
        if made:
            layout.addWidget(_section(text("library.origin"), made, wide=True))

    def _is_score(self, detail: ItemDetail, name: str) -> bool:
        return any(score.name == name for score in detail.scores)


def _medium(api: Api, view: ItemView) -> Reel | QImage:
    """The view's clip; its picture when it has none. Raises StudioError."""
    if view.clip_media is not None:
        try:
            file = api.media(media_id=view.clip_media)
            if file.num_frames > 0 and file.fps > 0:
                return Reel(path=file.path, num_frames=file.num_frames, fps=file.fps)
        except ServiceError:
            raise
        except StudioError:
            if view.picture_media is None:
                raise
    if view.picture_media is None:
        raise MediaError("the preview of this clip holds no frames; ingest the video again")
    return read_still(api.media(media_id=view.picture_media).path)


def _score_row(score: ItemScore) -> tuple[str, str]:
    value = translated(score.reason) or "–" if score.value is None else f"{score.value:.4g}"
    if score.passed is None:
        return column_title(score.name), value
    asked = ", ".join(bound_words(gate, score.name) for gate in score.gates)  # the score's name stands before it
    return column_title(score.name), f"{value}  {'✓' if score.passed else '✕'} {asked}"


def _source_row(view: ItemView) -> tuple[str, str]:
    """The file that one side is from, the frame of it that is shown, and under which licence."""
    side = text(f"library.side_{view.slot}") if view.slot in SIDES else text("library.record_source")
    at = "" if view.focus_s is None else text("library.at_frame", frame=view.focus_frame, time=f"{view.focus_s:,.2f} s")
    licence = text("library.licence", licence=view.licence) if view.licence else text("library.no_licence")
    return f"{side}: {view.source.rpartition('/')[2]}", "\n".join(part for part in (at, licence, view.source) if part)


def _origin_row(origin: Origin) -> tuple[str, str]:
    made = f"{stage_words(origin.stage)} v{origin.version}" if origin.stage else text("library.not_in_plan")
    models = ", ".join(dict.fromkeys(origin.models.values()))
    settings = ", ".join(f"{name} {value}" for name, value in origin.settings.items())
    return f"{text(f'library.record_{origin.record}')}: {made}", "\n".join(
        part for part in (models, settings, origin.record_id) if part
    )


def _section(title: str, rows: Sequence[tuple[str, str]], *, wide: bool = False) -> QWidget:
    """A headline and rows of name and value; `wide` puts the value below the name."""
    section = QWidget()
    grid = QGridLayout(section)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(14)
    grid.setVerticalSpacing(6)
    grid.setColumnStretch(1, 1)
    grid.addWidget(label(title, "slot"), 0, 0, 1, 2)
    for number, (name, value) in enumerate(rows, start=1):
        names, values = label(name, "fact" if wide else "fact_name"), label(value, "fact_name" if wide else "fact")
        values.setWordWrap(True)
        values.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        names.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        if wide:
            grid.addWidget(names, 2 * number, 0, 1, 2)
            grid.addWidget(values, 2 * number + 1, 0, 1, 2)
        else:
            grid.addWidget(names, number, 0)
            grid.addWidget(values, number, 1)
    return section
