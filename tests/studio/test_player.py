"""The player: one clock, a bounded cache, and both sides on one frame, read back from what is painted."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication

from studio.player.cache import FrameCache
from studio.player.clock import TransportClock
from studio.player.deck import Deck
from studio.player.decoder import CHUNK, Decoder, Reel, Want, next_chunk
from studio.player.pane import BEHIND_CUT_OUT, Look, Pane
from studio.prepare import read_still
from tests.studio.world import World, read_barcode


class Time:
    def __init__(self) -> None:
        self.at_s = 0.0

    def __call__(self) -> float:
        return self.at_s


def playing_clock(time: Time, *, num_frames: int = 10, fps: float = 20.0, loops: bool = True) -> TransportClock:
    clock = TransportClock(now=time, loops=loops)
    clock.load(num_frames, fps)
    clock.play()
    return clock


def test_the_clock_gives_the_frame_of_the_moment() -> None:
    time = Time()
    clock = playing_clock(time)
    time.at_s = 0.16
    assert clock.due() == 3
    clock.arrive(3)
    time.at_s = 0.19
    assert clock.due() == 3
    time.at_s = 0.20
    assert clock.due() == 4


def test_a_clock_at_half_rate_takes_twice_as_long() -> None:
    time = Time()
    clock = playing_clock(time)
    assert clock.change_rate(-1) == 0.5
    time.at_s = 0.31
    assert clock.due() == 3


def test_a_loop_goes_round_and_no_loop_stops_at_the_end() -> None:
    time = Time()
    clock = playing_clock(time)
    for step in range(1, 12):
        time.at_s = step / 20
        clock.arrive(clock.due())
    assert (clock.index, clock.playing) == (1, True)
    time = Time()
    clock = playing_clock(time, loops=False)
    time.at_s = 5.0
    clock.arrive(clock.due())
    assert (clock.index, clock.playing) == (9, False)


def test_a_late_decoder_delays_the_clock_and_skips_nothing() -> None:
    time = Time()
    clock = playing_clock(time)
    time.at_s = 0.05
    assert clock.due() == 1
    time.at_s = 3.0
    clock.hold()
    assert clock.due() == 0
    time.at_s = 3.05
    assert clock.due() == 1


def test_stepping_goes_around_the_ends_only_when_looping() -> None:
    clock = TransportClock(now=Time())
    clock.load(5, 24.0)
    assert clock.step(-1) == 4
    assert clock.step(1) == 0
    clock.loops = False
    assert clock.step(-1) == 0


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=30), limit=st.integers(30, 300))
def test_the_cache_never_exceeds_its_bytes_and_keeps_the_newest(sizes: list[int], limit: int) -> None:
    cache = FrameCache(max_bytes=limit)
    for index, size in enumerate(sizes):
        cache.put("a", index, np.zeros((size, 1, 3), dtype=np.uint8))
        assert cache.used_bytes <= max(limit, size * 3)
        assert cache.has("a", index)
    held = [index for index in range(len(sizes)) if cache.has("a", index)]
    assert held == list(range(held[0], len(sizes)))
    assert cache.used_bytes == sum(sizes[index] * 3 for index in held)


def test_both_sides_are_decoded_in_turns_before_anything_that_comes_next() -> None:
    left, right, later = (Reel(path=p, num_frames=30, fps=24.0) for p in ("left", "right", "later"))
    wants = [Want(reel=later, rank=1), Want(reel=left, playhead=13), Want(reel=right, playhead=13)]
    cache, busy, order = FrameCache(), set(), []
    while (task := next_chunk(wants, cache, busy, set())) is not None:
        busy.add((task[0].path, task[1]))
        order.append((task[0].path, task[1]))
    now = [("left", 1), ("right", 1), ("left", 2), ("right", 2), ("left", 0), ("right", 0)]
    assert order == [*now, ("later", 0), ("later", 1), ("later", 2)]


def test_a_clip_that_cannot_be_read_does_not_hold_up_the_others() -> None:
    wants = [Want(reel=Reel(path=p, num_frames=5, fps=24.0)) for p in ("broken", "good")]
    task = next_chunk(wants, FrameCache(), set(), {"broken"})
    assert task is not None
    assert task[0].path == "good"


def test_a_frame_is_told_as_it_comes_and_the_rest_of_its_chunk_ends_with_the_wish(tmp_path: Path) -> None:
    made = World(folder=tmp_path, num_frames=2 * CHUNK).make("clip_900_target")
    cache, told, over = FrameCache(), list[int](), threading.Event()

    def ready(path: str) -> None:
        told.append(sum(cache.has(path, index) for index in range(made.num_frames)))
        if len(told) == 3:
            decoder.want([])
            over.set()

    decoder = Decoder(cache=cache, ready=ready, failed=lambda path, why: over.set(), threads=1)
    decoder.want([Want(reel=Reel(path=made.path, num_frames=made.num_frames, fps=made.fps))])
    assert over.wait(30)
    decoder.close()  # waits for the chunk at hand
    assert told == [1, 2, 3]


@pytest.fixture
def two_sides(qtbot, tmp_path: Path) -> Iterator[tuple[Deck, Pane, Pane]]:
    """A deck with two clips of 60 frames whose pictures carry their index."""
    world = World(folder=tmp_path, num_frames=60, size=(320, 180), barcode=True)
    files = [world.make("clip_0_target"), world.make("clip_1_reference")]
    deck, panes = Deck(), (Pane("A"), Pane("B"))
    for pane in panes:
        qtbot.addWidget(pane)
        pane.resize(320, 180)
        pane.show()
    reels = [Reel(path=file.path, num_frames=file.num_frames, fps=file.fps) for file in files]
    deck.load(list(zip(panes, reels, strict=True)), play=False)
    qtbot.waitUntil(lambda: panes[0].shown_index == 0)
    before = threading.active_count()
    yield deck, *panes
    deck.close()
    assert threading.active_count() == before - 2


def seen(pane: Pane) -> int:
    """The index that stands in the painted pixels."""
    image = pane.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return read_barcode(rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3))


def test_both_sides_show_the_same_frame_at_every_step_and_seek(qtbot, two_sides) -> None:
    deck, left, right = two_sides
    for target in (1, 2, 59, 30, 31, 12, 11, 0, 47):
        deck.seek(target)
        qtbot.waitUntil(lambda target=target: deck.index == target and left.shown_index == target)
        assert (seen(left), seen(right)) == (target, target)
    deck.step(-1)
    qtbot.waitUntil(lambda: left.shown_index == 46)
    assert (seen(left), seen(right)) == (46, 46)


@pytest.mark.slow
def test_both_sides_show_the_same_frame_while_playing(qtbot, two_sides) -> None:
    deck, left, right = two_sides
    pairs: list[tuple[int, int]] = []
    deck.moved.connect(lambda _: pairs.append((read_barcode(left.frame), read_barcode(right.frame))))
    deck.toggle()
    qtbot.waitUntil(lambda: deck.watched)
    deck.pause()
    assert len(pairs) > 20
    assert [a for a, _ in pairs] == [b for _, b in pairs]


def test_a_closed_deck_shows_nothing_more(qtbot, tmp_path: Path) -> None:
    file = World(folder=tmp_path, num_frames=30, size=(160, 90)).make("clip_0_target")
    deck, pane = Deck(), Pane("A")
    qtbot.addWidget(pane)
    deck.load([(pane, Reel(path=file.path, num_frames=30, fps=24.0))], play=True)
    deck.close()
    shown = pane.shown_index
    deck._ready.emit(file.path)
    QApplication.processEvents()
    assert pane.shown_index == shown
    assert not deck._timer.isActive()


def test_clips_of_different_rates_show_the_same_second(qtbot, tmp_path: Path) -> None:
    slow = World(folder=tmp_path, num_frames=20, size=(160, 90), fps=10.0, barcode=True).make("clip_0_target")
    fast = World(folder=tmp_path, num_frames=40, size=(160, 90), fps=20.0, barcode=True).make("clip_0_reference")
    deck, panes = Deck(align="time"), (Pane("A"), Pane("B"))
    for pane in panes:
        qtbot.addWidget(pane)
    reels = [Reel(path=file.path, num_frames=file.num_frames, fps=file.fps) for file in (fast, slow)]
    deck.load(list(zip(panes, reels, strict=True)), play=False)
    deck.seek(30)
    qtbot.waitUntil(lambda: panes[0].shown_index == 30)
    assert panes[1].shown_index == 15
    deck.close()


def test_a_shorter_clip_rests_on_its_last_frame(qtbot, tmp_path: Path) -> None:
    short = World(folder=tmp_path, num_frames=CHUNK + 1, size=(160, 90)).make("clip_0_target")
    long = World(folder=tmp_path, num_frames=30, size=(160, 90)).make("clip_0_reference")
    deck, panes = Deck(), (Pane("A"), Pane("B"))
    for pane in panes:
        qtbot.addWidget(pane)
    reels = [Reel(path=file.path, num_frames=file.num_frames, fps=file.fps) for file in (short, long)]
    deck.load(list(zip(panes, reels, strict=True)), play=False)
    deck.seek(29)
    qtbot.waitUntil(lambda: panes[1].shown_index == 29)
    assert panes[0].shown_index == CHUNK
    deck.close()


def test_a_preview_with_fewer_frames_than_promised_says_so(qtbot, tmp_path: Path) -> None:
    file = World(folder=tmp_path, num_frames=20, size=(160, 90)).make("clip_0_target")
    deck, pane = Deck(), Pane("A")
    qtbot.addWidget(pane)
    deck.load([(pane, Reel(path=file.path, num_frames=30, fps=24.0))], play=False)
    qtbot.waitUntil(lambda: bool(deck.failures))
    (reason,) = deck.failures.values()
    assert "holds 20 frames, 30 were promised" in reason
    assert pane.sentence == reason
    deck.close()


def test_a_preview_that_failed_is_tried_again_once_its_trial_is_shown_again(qtbot, tmp_path: Path) -> None:
    file = World(folder=tmp_path, num_frames=20, size=(160, 90)).make("clip_0_target")
    made, away = Path(file.path), tmp_path / "cleared away"
    deck, pane = Deck(), Pane("A")
    qtbot.addWidget(pane)
    side = (pane, Reel(path=file.path, num_frames=20, fps=24.0))
    made.rename(away)
    deck.load([side], play=False)
    qtbot.waitUntil(lambda: "no such file" in pane.sentence)
    deck.load([side], play=False)
    qtbot.waitUntil(lambda: "no such file" in pane.sentence and file.path in deck.failures)
    away.rename(made)
    deck.load([side], play=False)
    qtbot.waitUntil(lambda: pane.shown_index == 0)
    assert deck.failures == {} and pane.sentence == ""
    deck.close()


def test_zoom_keeps_the_middle_and_ends_at_the_whole_picture(qtbot) -> None:
    pane = Pane("A")
    qtbot.addWidget(pane)
    pane.show_image(QImage(40, 30, QImage.Format.Format_RGB32))
    pane.set_look(Look(zoom=2.0, x=0.25, y=0.75))
    pane.zoom_by(2.0)
    assert pane.look == Look(zoom=4.0, x=0.25, y=0.75)
    pane.zoom_by(0.01)
    assert pane.look == Look()


def test_what_lies_under_a_cut_out_is_not_seen(qtbot, tmp_path: Path) -> None:
    junk = np.full((20, 20, 4), (250, 10, 10, 0), np.uint8)
    junk[:, :10] = (10, 200, 10, 255)
    Image.fromarray(junk).save(tmp_path / "crop.png")
    pane = Pane("A")
    qtbot.addWidget(pane)
    pane.resize(100, 100)
    pane.show_image(read_still(str(tmp_path / "crop.png")))
    picture = pane.grab().toImage()
    assert picture.pixelColor(25, 50) == QColor(10, 200, 10)
    assert picture.pixelColor(75, 50) == BEHIND_CUT_OUT
