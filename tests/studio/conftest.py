"""Windows are made offscreen, with a state folder of their own, and closed with every thread ended."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from studio.app import open_window
from studio.window import Window
from tests.studio.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    folder = tmp_path / "media"
    folder.mkdir()
    return World(folder=folder, num_pairs=6, num_frames=14, size=(320, 180))


@pytest.fixture
def opened(qtbot, tmp_path: Path) -> Iterator[Callable[[World], Window]]:
    """Opens windows over a world; at the end they are closed, and no thread may be left."""
    before = set(threading.enumerate())
    windows: list[Window] = []

    def open_over(world: World) -> Window:
        window = open_window(
            world.api, project=tmp_path, rater="ann", theme="light", state=tmp_path / "state" / "p", page="verify"
        )
        windows.append(window)
        window.resize(1200, 800)
        window.show()
        window.activateWindow()
        return window

    yield open_over
    for window in windows:
        window.close()
        window.deleteLater()
    left = set(threading.enumerate()) - before
    assert not left, f"threads left behind: {left}"
