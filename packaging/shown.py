"""`python packaging/shown.py PROJECT PICTURE`: opens Studio as the command `studio` does, looks whether its window came, takes its picture, ends."""

import sys

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from studio.app import main as studio

WAIT_MS, SETTLE_MS = 60_000, 5_000


def main() -> None:
    """Ends with 1 where no window came, or an empty one."""
    project, picture = sys.argv[1:]
    app = QApplication(["studio"])
    seen: list[int] = []

    def look() -> None:
        windows = [widget for widget in app.topLevelWidgets() if widget.isVisible() and widget.windowTitle()]
        if windows:
            looking.stop()
            QTimer.singleShot(SETTLE_MS, lambda: shoot(windows[0]))

    def shoot(window) -> None:
        grabbed = window.grab().toImage()
        grabbed.save(picture)
        step = max(1, grabbed.width() // 64)
        seen.append(
            len({grabbed.pixel(x, y) for x in range(0, grabbed.width(), step) for y in range(0, grabbed.height(), step)})
        )
        window.close()
        app.quit()

    looking = QTimer(interval=100)
    looking.timeout.connect(look)
    looking.start()
    QTimer.singleShot(WAIT_MS, app.quit)
    code = studio([project, "--page", "library", "--language", "en", "--theme", "light"])
    if code or not seen or seen[0] < 8:
        sys.exit(
            f"no window came within {WAIT_MS // 1000} s" if not seen else f"the window shows {seen[0]} colours; code {code}"
        )


if __name__ == "__main__":
    main()
