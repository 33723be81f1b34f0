"""Small pictures of items, loaded on worker threads and kept within a bound."""

from collections import OrderedDict

from PySide6.QtCore import QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QImageReader

from backend.api import Api
from backend.domain import StudioError
from studio.link import Link
from studio.preferences import MIB, preferences
from studio.sentences import translated
from studio.texts import text

EDGE_PX = 224
BATCH = 24
"""Pictures of one call: a screen of a grid in two or three, so that the first appear early."""
GATHER_MS = 30
Key = tuple[str, str]


class ThumbnailStore(QObject):
    """Pictures by kind and id. `get` asks for what is missing; `arrived` says that some came."""

    arrived = Signal()

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link
        self._images: OrderedDict[Key, QImage] = OrderedDict()
        self._reasons: dict[Key, str] = {}
        self._used_bytes = 0
        self._max_bytes = preferences().thumbnails_mib * MIB
        self._wishes: OrderedDict[Key, None] = OrderedDict()
        self._flying: set[Key] = set()
        self._calls = 0
        self._soon = QTimer(self, singleShot=True, interval=GATHER_MS)
        self._soon.timeout.connect(self._ask)

    def get(self, kind: str, item_id: str) -> QImage | None:
        """The picture; None while it is being fetched, and when there is none."""
        key = (kind, item_id)
        image = self._images.get(key)
        if image is not None:
            self._images.move_to_end(key)
        elif key not in self._reasons and key not in self._flying:
            self._wishes[key] = None
            self._wishes.move_to_end(key)
            if not self._soon.isActive():
                self._soon.start()
        return image

    def reason(self, kind: str, item_id: str) -> str:
        """Why there is no picture; empty while it may still come."""
        return self._reasons.get((kind, item_id), "")

    def forget(self) -> None:
        """Everything may have changed."""
        self._images.clear()
        self._reasons.clear()
        self._wishes.clear()
        self._used_bytes = 0

    def close(self) -> None:
        self._soon.stop()

    def _ask(self) -> None:
        if not self._wishes or self._calls:
            return
        while len(self._wishes) > 4 * BATCH:  # scrolled past
            self._wishes.popitem(last=False)
        kind = next(reversed(self._wishes))[0]
        keys = [key for key in reversed(self._wishes) if key[0] == kind][:BATCH]
        for key in keys:
            del self._wishes[key]
        self._flying |= set(keys)
        self._calls += 1
        ids = tuple(item_id for _, item_id in keys)

        def done(found: dict[str, QImage | str]) -> None:
            self._landed(keys)
            for item_id, picture in found.items():
                self._keep((kind, item_id), picture)
            self.arrived.emit()

        def failed(error: StudioError) -> None:
            self._landed(keys)

        self.link.ask(lambda: _load(self.link.api, kind, ids), done, failed, slow=True)

    def _landed(self, keys: list[Key]) -> None:
        self._flying -= set(keys)
        self._calls -= 1
        self._soon.start()

    def _keep(self, key: Key, picture: QImage | str) -> None:
        if isinstance(picture, str):
            self._reasons[key] = picture
            return
        self._images[key] = picture
        self._used_bytes += picture.sizeInBytes()
        while self._used_bytes > self._max_bytes and len(self._images) > 1:
            _, gone = self._images.popitem(last=False)
            self._used_bytes -= gone.sizeInBytes()


def _load(api: Api, kind: str, ids: tuple[str, ...]) -> dict[str, QImage | str]:
    found: dict[str, QImage | str] = {}
    for each in api.thumbnails(kind=kind, ids=ids):
        image = QImage() if each.path is None else _read(each.path)
        found[each.item_id] = translated(each.reason) or text("library.picture_unreadable") if image.isNull() else image
    return found


def _read(path: str) -> QImage:
    reader = QImageReader(path)
    size = reader.size()
    if max(size.width(), size.height()) > EDGE_PX:
        reader.setScaledSize(size.scaled(QSize(EDGE_PX, EDGE_PX), Qt.AspectRatioMode.KeepAspectRatio))
    image = reader.read()
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied) if not image.isNull() else image
