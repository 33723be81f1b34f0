"""What is drawn over a clip: keypoints at their places, on their frame, and only while their layer is shown."""

import numpy as np
from PySide6.QtGui import QColor

from backend.domain.library import ItemView, Trail
from studio.player.marked_pane import INKS, MarkedPane


def test_keypoints_are_drawn_on_their_frame_while_their_layer_is_shown(qtbot) -> None:
    """A face of frames 7 and 8, whose points are known on 8 alone, in a clip of 160 x 90 that begins at frame 5 and is shown twice as large."""
    face = Trail(
        kind="face",
        label="face",
        frames=(7, 8),
        boxes=((0, 0, 160, 90), (0, 0, 160, 90)),
        points=((), ((40.0, 30.0), (80.0, 45.0))),
    )
    view = ItemView(
        slot="", clip_id="c", clip_media=None, picture_media=None, start_frame=5, width=160, height=90, trails=(face,)
    )
    pane = MarkedPane("clip")
    qtbot.addWidget(pane)
    pane.resize(320, 180)
    pane.set_view(view)
    pane.set_layer("boxes", False)
    black = np.zeros((90, 160, 3), np.uint8)

    def at(x: int, y: int) -> QColor:
        return pane.grab().toImage().pixelColor(x, y)

    pane.show_frame(black, 3)
    assert (at(80, 60), at(160, 90)) == (INKS[0], INKS[0])
    assert at(120, 60) == QColor(0, 0, 0)
    pane.set_layer("points", False)
    assert at(80, 60) == QColor(0, 0, 0)
    pane.set_layer("points", True)
    pane.show_frame(black, 2)
    assert at(80, 60) == QColor(0, 0, 0), "no points are known of frame 7"
