"""Light and dark: colours from resources/themes, applied as Fusion palette and style sheet; icons tinted to match."""

import json
from dataclasses import dataclass
from functools import lru_cache
from string import Template

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from backend.domain import SettingsError, resource
from studio.preferences import preferences

NAMES = ("light", "dark")
CHOICES = ("light", "dark", "system")
"""What a person may choose; `system` follows the desktop."""
READABLE = (
    *((ink, paper) for ink in ("text", "muted") for paper in ("window", "surface", "raised", "quiet_wash")),
    *((tone, "surface") for tone in ("good", "bad", "warn", "quiet", "accent")),
    *((tone, f"{tone}_wash") for tone in ("good", "bad", "warn", "quiet", "accent")),
    ("muted", "well"),
    ("on_accent", "accent"),
)
"""Every pair of ink and paper that carries words; each has a contrast of at least 4.5 (WCAG 2.2, 1.4.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Named colours as `#rrggbb`."""

    name: str
    colours: dict[str, str]

    def colour(self, name: str) -> QColor:
        return QColor(self.colours[name])


def load_theme(name: str) -> Theme:
    """Reads resources/themes/NAME.json. Raises SettingsError for another name than light and dark."""
    if name not in NAMES:
        raise SettingsError(f"theme {name!r} does not exist; choose {' or '.join(NAMES)}")
    return Theme(name=name, colours=json.loads(resource(f"themes/{name}.json").read_text("utf-8")))


def system_theme(app: QApplication) -> str:
    """What the desktop prefers."""
    return "dark" if app.styleHints().colorScheme() is Qt.ColorScheme.Dark else "light"


def theme_for(choice: str, app: QApplication) -> str:
    """The theme that a choice means now. Raises SettingsError for another one than CHOICES."""
    if choice not in CHOICES:
        raise SettingsError(f"theme {choice!r} does not exist; choose {', '.join(CHOICES)}")
    return system_theme(app) if choice == "system" else choice


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Gives the application style, palette and style sheet. Type sizes follow the desktop's font, and what the person chose of it."""
    app.setStyle("Fusion")
    app.setPalette(_palette(theme))
    body_px = max(13, round(app.font().pointSizeF() * 96 / 72)) if app.font().pointSizeF() > 0 else 13
    body_px = round(body_px * preferences().text_percent / 100)
    sizes = {"small": body_px - 1, "body": body_px, "lead": body_px + 2, "title": body_px + 6, "headline": body_px + 13}
    sheet = Template(resource("themes/studio.qss").read_text("utf-8"))
    arrow = resource(f"themes/arrow-{theme.name}.svg").as_posix()
    app.setStyleSheet(sheet.substitute(theme.colours, arrow=arrow, **{name: str(px) for name, px in sizes.items()}))


def icon(name: str, colour: QColor, *, size_px: int = 20, on: QColor | None = None) -> QIcon:
    """resources/icons/NAME.svg with `currentColor` replaced, by `on` where a button is checked."""
    return _drawn(name, colour.name(), size_px, "" if on is None else on.name())


def contrast(ink: str, paper: str) -> float:
    """WCAG 2.2 contrast ratio of two `#rrggbb` colours, 1 to 21."""
    lighter, darker = sorted((_luminance(ink), _luminance(paper)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@lru_cache(maxsize=256)
def _drawn(name: str, colour: str, size_px: int, on: str) -> QIcon:
    picture = QIcon()
    inks = {QIcon.State.Off: colour, QIcon.State.On: on} if on else {QIcon.State.Off: colour}
    for state, ink in inks.items():
        drawing = resource(f"icons/{name}.svg").read_text("utf-8").replace("currentColor", ink)
        renderer = QSvgRenderer(QByteArray(drawing.encode()))
        for ratio in (1, 2):
            pixmap = QPixmap(QSize(size_px, size_px) * ratio)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            renderer.render(painter, QRectF(pixmap.rect()))
            painter.end()
            pixmap.setDevicePixelRatio(ratio)
            picture.addPixmap(pixmap, QIcon.Mode.Normal, state)
    return picture


def _palette(theme: Theme) -> QPalette:
    roles = {
        QPalette.ColorRole.Window: "window",
        QPalette.ColorRole.WindowText: "text",
        QPalette.ColorRole.Base: "surface",
        QPalette.ColorRole.AlternateBase: "raised",
        QPalette.ColorRole.Text: "text",
        QPalette.ColorRole.Button: "surface",
        QPalette.ColorRole.ButtonText: "text",
        QPalette.ColorRole.ToolTipBase: "raised",
        QPalette.ColorRole.ToolTipText: "text",
        QPalette.ColorRole.PlaceholderText: "muted",
        QPalette.ColorRole.Highlight: "accent",
        QPalette.ColorRole.HighlightedText: "on_accent",
        QPalette.ColorRole.Link: "accent",
    }
    palette = QPalette()
    for role, name in roles.items():
        palette.setColor(role, theme.colour(name))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, theme.colour("muted"))
    return palette


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
