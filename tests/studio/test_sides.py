"""One side against the others: shifted by frames, a stretch repeated, and what counts as watched."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QPixmap

from studio.player.clock import TransportClock
from studio.player.deck import Deck
from studio.player.decoder import Reel
from studio.player.pane import Pane
from studio.player.played_side import PlayedSide
from studio.player.transport import StretchSlider
from tests.studio.test_player import Time, playing_clock, seen
from tests.studio.world import World

FRAMES = 20
NOWHERE = cast(Pane, None)


@pytest.fixture
def deck(qtbot, tmp_path: Path) -> Iterator[Deck]:
    """Two clips of 20 frames whose pictures carry their index, paused at the first."""
    world = World(folder=tmp_path, num_frames=FRAMES, size=(160, 90), barcode=True)
    files = [world.make("clip_0_target"), world.make("clip_1_reference")]
    deck, panes = Deck(), (Pane("A"), Pane("B"))
    for pane in panes:
        qtbot.addWidget(pane)
        pane.resize(320, 180)
        pane.show()
    reels = [Reel(path=file.path, num_frames=FRAMES, fps=file.fps) for file in files]
    deck.load(list(zip(panes, reels, strict=True)), play=False)
    qtbot.waitUntil(lambda: shown(deck) == (0, 0))
    yield deck
    deck.close()


def shown(deck: Deck) -> tuple[int | None, ...]:
    return tuple(side.pane.shown_index for side in deck.sides)


def go_to(qtbot, deck: Deck, index: int) -> None:
    deck.seek(index)
    qtbot.waitUntil(lambda: deck.index == index and deck._asked is None)


def test_a_side_that_is_shifted_stands_so_many_frames_ahead_or_later(qtbot, deck: Deck) -> None:
    go_to(qtbot, deck, 7)
    deck.shift(deck.sides[1], 3)
    qtbot.waitUntil(lambda: shown(deck) == (7, 10))
    assert tuple(seen(side.pane) for side in deck.sides) == (7, 10)
    go_to(qtbot, deck, 19)
    assert shown(deck) == (19, 19), "a side that is ahead rests on its last frame"
    deck.shift(deck.sides[1], -5)
    go_to(qtbot, deck, 1)
    assert shown(deck) == (1, 0), "a side that is later waits on its first frame"
    assert deck.clock.num_frames == FRAMES + 2, "its end can still be reached"
    go_to(qtbot, deck, 21)
    assert shown(deck) == (19, 19)


def test_a_shift_ends_at_the_clip_and_is_gone_with_the_next_reels(qtbot, deck: Deck) -> None:
    deck.shift(deck.sides[0], 1000)
    assert deck.sides[0].shift == FRAMES - 1
    deck.load([(side.pane, side.reel) for side in deck.sides], play=False)
    assert [side.shift for side in deck.sides] == [0, 0]


def test_the_frame_of_a_picture_is_found_on_a_shifted_side(deck: Deck) -> None:
    deck.shift(deck.sides[1], 4)
    assert deck.place_of(deck.sides[1].pane, 9) == 5
    assert deck.place_of(deck.sides[1].pane, 2) == 0, "shifted out of sight: as near as it can be"
    assert deck.place_of(deck.sides[0].pane, 9) == 9


def test_a_stretch_is_repeated_also_without_loop() -> None:
    time = Time()
    clock = playing_clock(time, loops=False)
    clock.repeat(3, 6)
    indices = []
    for step in range(1, 8):
        time.at_s = step / 20
        clock.arrive(clock.due())
        indices.append(clock.index)
    assert indices == [4, 5, 3, 4, 5, 3, 4]
    assert clock.playing


@given(start=st.integers(0, 8), length=st.integers(1, 10), late=st.integers(1, 60))
def test_no_lateness_leads_out_of_a_stretch(start: int, length: int, late: int) -> None:
    time, stop = Time(), min(start + length, 10)
    clock = playing_clock(time)
    clock.repeat(start, stop)
    time.at_s = late / 20
    passed = [index for part in clock.passed(clock.due()) for index in part]
    assert start <= clock.due() < stop
    assert clock.due() == start + late % (stop - start)
    assert all(start <= index < stop for index in passed)


def test_a_stretch_that_is_none_is_refused_and_another_clip_has_none() -> None:
    clock = TransportClock(now=Time())
    clock.load(5, 24.0)
    with pytest.raises(ValueError, match=r"\[3, 9\) is not a stretch of 5 frames"):
        clock.repeat(3, 9)
    clock.repeat(1, 3)
    clock.load(5, 24.0)
    assert clock.stretch is None


def test_the_same_key_begins_ends_and_drops_a_stretch(qtbot, deck: Deck) -> None:
    go_to(qtbot, deck, 12)
    deck.mark_stretch()
    assert (deck.stretch_from, deck.clock.stretch) == (12, None)
    go_to(qtbot, deck, 5)
    deck.mark_stretch()
    assert (deck.stretch_from, deck.clock.stretch) == (None, (5, 13))
    deck.mark_stretch()
    assert (deck.stretch_from, deck.clock.stretch) == (None, None)


def test_a_mark_behind_the_end_that_a_shift_takes_away_is_gone(qtbot, deck: Deck) -> None:
    deck.shift(deck.sides[1], -5)
    go_to(qtbot, deck, FRAMES + 4)
    deck.mark_stretch()
    deck.cache.clear()  # so that the clock stands behind the end until the frames are decoded again
    deck.shift(deck.sides[1], 5)
    assert deck.stretch_from is None
    deck.mark_stretch()
    assert deck.stretch_from == FRAMES - 1
    go_to(qtbot, deck, FRAMES - 3)
    deck.mark_stretch()
    assert deck.clock.stretch == (FRAMES - 3, FRAMES)


def test_only_what_was_on_the_screen_counts_as_watched(qtbot, deck: Deck) -> None:
    for index in (FRAMES - 1, 0, 1, 2):  # the end, and around to the first ones
        go_to(qtbot, deck, index)
    assert not deck.watched
    for index in range(3, FRAMES - 1):
        go_to(qtbot, deck, index)
    assert deck.watched


def test_what_a_shift_hides_is_not_watched() -> None:
    side = PlayedSide(pane=NOWHERE, reel=Reel(path="a", num_frames=6, fps=24.0), shift=2)
    side.see(range(6))
    assert list(side.seen) == [0, 0, 1, 1, 1, 1]


@given(frames=st.integers(1, 80), fps=st.floats(5, 60), clock_fps=st.floats(5, 60), shift=st.integers(-10, 0))
def test_who_saw_every_frame_of_the_clock_saw_every_frame_of_each_side(
    frames: int, fps: float, clock_fps: float, shift: int
) -> None:
    reel = Reel(path="a", num_frames=frames, fps=fps)
    side = PlayedSide(pane=NOWHERE, reel=reel, frames_per_frame=fps / clock_fps, shift=shift)
    side.see(range(side.length))
    assert side.is_watched


@given(frames=st.integers(1, 80), shift=st.integers(-10, 0))
def test_who_left_one_frame_out_did_not_watch_it(frames: int, shift: int) -> None:
    side = PlayedSide(pane=NOWHERE, reel=Reel(path="a", num_frames=frames, fps=24.0), shift=shift)
    side.see(range(side.length - 1))
    assert not side.is_watched


def test_the_slider_marks_what_is_repeated(qtbot) -> None:
    slider = StretchSlider()
    qtbot.addWidget(slider)
    slider.resize(214, 24)
    slider.setMaximum(20)
    plain = slider.grab()
    slider.set_stretch((5, 10))
    marked = slider.grab()
    columns = [x for x in range(214) if below(plain, x) != below(marked, x)]
    assert (columns[0], columns[-1]) == (7 + 50, 7 + 100 - 1)


def below(picture: QPixmap, x: int) -> int:
    return picture.toImage().pixel(x, picture.height() - 1)
