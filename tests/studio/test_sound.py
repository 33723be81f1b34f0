"""The sound of a deck, as a loudspeaker hears it: the right side's, the right moment's, or none."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.api import Api
from studio.link import Link
from studio.outbox import Outbox
from studio.player import sound as sound_module
from studio.player.clock import TransportClock
from studio.player.deck import Deck
from studio.player.pane import Pane
from studio.player.sound import DeckSound, samples_of
from studio.player.sound_feed import SOUND_RATE, TOLERANCE_S, SoundFeed
from studio.player.sound_output import NoSound, as_written, open_output
from tests.studio.loudspeaker import FPS, FRAMES, SILENT, STEP_HZ, Loudspeaker, sounding_clip, tone_of
from tests.studio.test_player import Time, playing_clock
from tests.studio.world import World

FRAME = SOUND_RATE // 20
"""Samples of a frame of `playing_clock`, which has ten of them, 20 a second."""


def ramp(frames: int = 10) -> np.ndarray:
    return np.arange(frames * FRAME, dtype=np.int16)  # 24,000 at most: each sample is its own number


def test_samples_follow_on_and_go_round_where_the_pictures_do() -> None:
    time = Time()
    feed = SoundFeed(clock=playing_clock(time), samples=ramp())
    first = feed.take(9 * FRAME, queued=0)
    time.at_s = 0.1
    rest = feed.take(3 * FRAME, queued=7 * FRAME)
    assert np.array_equal(np.concatenate((first, rest)), np.resize(ramp(), 12 * FRAME))


def test_without_loop_silence_follows_the_last_sample() -> None:
    feed = SoundFeed(clock=playing_clock(Time(), loops=False), samples=ramp())
    assert np.array_equal(feed.take(11 * FRAME, queued=0), np.concatenate((ramp(), np.zeros(FRAME, np.int16))))


def test_a_stretch_is_heard_over_and_over() -> None:
    clock = playing_clock(Time(), loops=False)
    clock.repeat(3, 6)
    found = SoundFeed(clock=clock, samples=ramp()).take(7 * FRAME, queued=0)
    assert np.array_equal(found, np.resize(ramp()[3 * FRAME : 6 * FRAME], 7 * FRAME))


@pytest.mark.parametrize(("shift", "first"), [(2 * FRAME, 2 * FRAME), (-FRAME, 0)])
def test_a_side_that_is_shifted_is_heard_so_much_earlier_or_later(shift: int, first: int) -> None:
    feed = SoundFeed(clock=playing_clock(Time(), loops=False), samples=ramp(), shift=shift)
    found = feed.take(10 * FRAME, queued=0)
    silent = max(0, -shift)
    assert not found[:silent].any()
    heard = ramp()[first : first + 10 * FRAME - silent]
    assert np.array_equal(found[silent : silent + len(heard)], heard)
    assert not found[silent + len(heard) :].any()


def test_a_clock_that_went_elsewhere_is_followed_and_one_that_is_near_is_not() -> None:
    time = Time()
    feed = SoundFeed(clock=playing_clock(time), samples=ramp())
    feed.take(FRAME, queued=0)
    time.at_s = 0.05 + TOLERANCE_S - 0.001
    assert feed.take(1, queued=0)[0] == FRAME, "no gap for what nobody notices"
    time.at_s = 0.05 + TOLERANCE_S + 0.002
    assert feed.take(1, queued=0)[0] == round(time.at_s * SOUND_RATE)


@given(
    steps=st.lists(st.tuples(st.integers(0, 4000), st.floats(0, 0.03)), min_size=1, max_size=20),
    stretch=st.none() | st.tuples(st.integers(0, 4), st.integers(5, 10)),
    loops=st.booleans(),
)
def test_what_is_given_is_never_further_from_the_clock_than_people_notice(steps, stretch, loops: bool) -> None:
    time = Time()
    clock = playing_clock(time, loops=loops)
    start, stop = (0, 10) if stretch is None else stretch
    if stretch is not None:
        clock.repeat(*stretch)
    feed = SoundFeed(clock=clock, samples=ramp())
    for count, wait_s in steps:
        time.at_s += wait_s
        clock.arrive(clock.due())
        if not clock.playing:
            return
        found = feed.take(count, queued=0)
        if not count:
            continue
        due = start * FRAME + (round(clock.place_s * SOUND_RATE) - start * FRAME)
        length = (stop - start) * FRAME
        goes_round = loops or stretch is not None
        apart = abs(int(found[0]) - due)
        apart = min(apart % length, length - apart % length) if goes_round else apart
        assert apart <= TOLERANCE_S * SOUND_RATE + 1 or not (found[0] or goes_round), "or it is behind the end"
        assert start * FRAME <= found.min(), "nothing before what is repeated"
        assert found.max() < stop * FRAME


class Playing:
    """A deck with two sounding sides over a time that only `pass_s` moves, and what was heard of it."""

    def __init__(self, qtbot, folder: Path, link: Link) -> None:
        self.qtbot, self.time, self.deck = qtbot, Time(), Deck()
        self.deck.clock.now = self.time
        self.speaker = Loudspeaker(self.time)
        self.sound = DeckSound(self.deck, link)
        self.panes = (Pane("A"), Pane("B"))
        for pane in self.panes:
            qtbot.addWidget(pane)
        self.reels = [sounding_clip(folder / f"{side}.mp4", side) for side in (0, 1)]
        self.load()

    def load(self) -> None:
        self.deck.load(list(zip(self.panes, self.reels, strict=True)), play=False)
        self.sound.load()
        self.qtbot.waitUntil(lambda: self.deck._asked is None and self.sound.has_sound)
        self.qtbot.waitUntil(lambda: len(self.sound._sounds) == len({reel.path for reel in self.reels}))

    def pass_s(self, seconds: float) -> list[tuple[float, int]]:
        """Lets time go on; each frame that came to stand, and when."""
        came: list[tuple[float, int]] = []
        keep = self.deck.moved.connect(lambda index: came.append((self.time.at_s, index)))
        for _ in range(round(seconds / 0.02)):
            self.time.at_s += 0.02
            self.qtbot.wait(12)
        self.deck.moved.disconnect(keep)
        return came

    def play_s(self, seconds: float) -> list[tuple[float, int]]:
        self.deck.toggle()
        came = self.pass_s(seconds)
        self.deck.pause()
        return came

    def hears(self, side: int, came: list[tuple[float, int]]) -> list[str]:
        """Where the tone of a side was not heard from .02 s to .08 s of a frame's tenth; the last may not have ended."""
        wrong = []
        for at_s, index in came[:-1]:
            tone = self.speaker.tone(at_s + 0.02)
            if abs(tone - tone_of(side, index)) > STEP_HZ / 5:
                wrong.append(f"frame {index} at {at_s:.2f} s: {tone:.0f} Hz, not {tone_of(side, index):.0f}")
        return wrong


@pytest.fixture
def playing(qtbot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Playing]:
    with Outbox(tmp_path / "outbox.sqlite") as outbox:
        link = Link(cast(Api, World(folder=tmp_path).api), outbox)
        made = Playing(qtbot, tmp_path, link)
        monkeypatch.setattr(sound_module, "open_output", lambda: made.speaker)
        yield made
        made.sound.close()
        made.deck.close()
        link.close()


def test_nothing_is_heard_until_somebody_listens_and_then_one_side_at_a_time(playing: Playing) -> None:
    playing.play_s(0.4)
    assert not playing.speaker.heard.any()
    playing.sound.listen(True)
    came = playing.play_s(0.9)
    assert len(came) >= 8
    assert playing.hears(0, came) == []
    playing.sound.hear_next()
    assert playing.sound.heard is playing.deck.sides[1]
    came = playing.play_s(0.7)
    assert playing.hears(1, came) == []
    playing.sound.listen(False)
    start = playing.time.at_s
    playing.play_s(0.4)
    assert not playing.speaker.heard[round(start * SOUND_RATE) :].any()


def test_the_sound_goes_round_with_the_pictures_and_starts_where_one_seeks(playing: Playing) -> None:
    playing.sound.listen(True)
    playing.deck.seek(16)
    playing.qtbot.waitUntil(lambda: playing.deck.index == 16)
    came = playing.play_s(0.9)
    assert [index for _, index in came][:7] == [17, 18, 19, 0, 1, 2, 3]
    assert playing.hears(0, came) == []
    stopped = playing.time.at_s
    playing.deck.seek(7)
    playing.pass_s(0.2)
    assert not playing.speaker.heard[round(stopped * SOUND_RATE) :].any(), "a still picture has no sound"
    came = playing.play_s(0.5)
    assert came[0][1] == 8
    assert playing.hears(0, came) == []


def test_a_side_that_is_shifted_is_heard_as_it_is_seen(playing: Playing) -> None:
    playing.sound.listen(True)
    playing.deck.shift(playing.deck.sides[0], 5)
    playing.qtbot.waitUntil(lambda: playing.deck._asked is None)
    came = playing.play_s(0.6)
    assert playing.hears(0, [(at_s, index + 5) for at_s, index in came]) == []


def test_at_another_rate_nothing_is_heard_and_it_is_said(playing: Playing) -> None:
    playing.sound.listen(True)
    playing.deck.change_rate(-1)
    playing.play_s(0.5)
    assert not playing.speaker.heard.any()
    assert playing.sound.words == "No sound at 0.5×: it is heard at the clip's own rate only."
    playing.deck.change_rate(1)
    came = playing.play_s(0.5)
    assert playing.sound.words == ""
    assert playing.hears(0, came) == []


def test_while_pictures_wait_for_the_decoder_the_sound_does(playing: Playing) -> None:
    playing.sound.listen(True)
    playing.deck.toggle()
    came = playing.pass_s(0.5)
    assert playing.hears(0, came) == []
    playing.deck.cache.clear()
    playing.deck._decoder.want(())  # nothing comes from now on
    playing.pass_s(0.3)
    held = playing.time.at_s
    playing.pass_s(0.4)
    assert playing.speaker.tone(held + 0.1) == SILENT
    playing.deck._wanted_at = None
    playing.deck._want()
    playing.qtbot.waitUntil(lambda: playing.deck.cache.has(playing.reels[0].path, playing.deck.index + 1))
    came = playing.pass_s(0.6)
    assert len(came) > 3
    assert playing.hears(0, came[1:]) == [], "in step again"


def test_without_a_device_it_is_said_and_the_pictures_play(playing: Playing, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Loudspeaker:
        raise NoSound("No sound device was found")

    monkeypatch.setattr(sound_module, "open_output", missing)
    playing.sound.listen(True)
    assert (playing.sound.words, playing.sound.heard) == ("No sound device was found", None)
    assert len(playing.play_s(0.5)) >= 4
    monkeypatch.setattr(sound_module, "open_output", lambda: playing.speaker)
    playing.sound.listen(True)
    assert playing.hears(0, playing.play_s(0.5)) == [], "one that was connected is found"


def test_a_missing_library_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PySide6.QtMultimedia", None)
    with pytest.raises(NoSound, match=r"cannot be played on this machine: .*apt install libpulse0"):
        open_output()


def test_a_device_that_goes_away_is_said_and_given_back(playing: Playing) -> None:
    playing.sound.listen(True)
    playing.play_s(0.2)
    playing.speaker.is_gone = True
    assert len(playing.play_s(0.5)) >= 4
    assert (playing.sound.words, playing.sound.heard) == ("the loudspeaker is gone", None)
    assert playing.speaker.is_closed


def test_a_clip_without_sound_says_so(playing: Playing, tmp_path: Path) -> None:
    world = World(folder=tmp_path, num_frames=FRAMES, size=(64, 48))
    playing.reels[0] = playing.reels[0].__class__(path=world.make("clip_0_target").path, num_frames=FRAMES, fps=24.0)
    playing.load()
    playing.sound.listen(True)
    assert playing.sound.words == "This clip has no sound."
    assert playing.sound.has_sound, "the other side has"


def test_samples_are_those_of_the_pictures_from_the_first_frame_to_the_end_of_the_last(tmp_path: Path) -> None:
    samples = samples_of(sounding_clip(tmp_path / "a.mp4", 0))
    assert isinstance(samples, np.ndarray)
    assert len(samples) == FRAMES * SOUND_RATE // FPS
    assert samples.dtype == np.int16
    assert np.abs(samples).max() == pytest.approx(16384, rel=0.1)


def test_devices_that_take_floats_or_two_channels_get_the_same_sound() -> None:
    samples = np.array([0, 16384, -32768], np.int16)
    assert np.frombuffer(as_written(samples, channels=1, floats=False), np.int16).tolist() == [0, 16384, -32768]
    stereo = np.frombuffer(as_written(samples, channels=2, floats=True), np.float32)
    assert stereo.tolist() == [0, 0, 0.5, 0.5, -1, -1]


def test_a_clock_tells_how_far_it_is_between_two_frames() -> None:
    time = Time()
    clock = TransportClock(now=time)
    clock.load(10, 20.0)
    time.at_s = 3.0
    assert clock.place_s == 0.0
    clock.play()
    time.at_s = 3.13
    clock.arrive(clock.due())
    assert (clock.index, clock.place_s) == (2, pytest.approx(0.13))
