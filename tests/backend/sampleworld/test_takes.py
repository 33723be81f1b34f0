"""Talking takes: one person, head and shoulders, an irregular voice, sound moved by a known time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.domain import Absent, Box, content_id
from backend.measures.lips import MAX_SHIFT, RATE
from backend.media.audio import read_audio
from backend.sampleworld import RENDERER_VERSION, read_truth, render_world
from backend.sampleworld.cast import PEOPLE, Wardrobe
from backend.sampleworld.film import ShotStage
from backend.sampleworld.script import VideoPlan
from backend.sampleworld.sound import SAMPLE_RATE, envelope
from backend.sampleworld.takes import plan_takes
from backend.sampleworld.world import WorldSettings

FILMS = {"seed": 4, "videos": 1, "duration_s": 4.0, "size": (160, 90), "fps": 24, "cases": 0}


def test_each_take_shows_one_person_who_talks_in_one_shot() -> None:
    for video in plan_takes(7, 5, 8.0, 24).videos:
        (shot,) = video.shots
        (talker,) = shot.subjects
        assert (shot.start_frame, shot.stop_frame) == (0, video.num_frames) == (0, 192)
        assert talker.speaks and talker.identity.category in PEOPLE
        assert max(abs(azimuth) for azimuth in talker.azimuth_deg) <= 40, "the mouth is seen"


def test_of_five_takes_one_is_in_sync_three_are_moved_and_one_is_foreign() -> None:
    for seed in (0, 1, 1000):
        sounds = [video.sound for video in plan_takes(seed, 5, 8.0, 24).videos]
        assert sorted(kind for kind, _ in sounds) == ["speech"] * 4 + ["wrong"]
        shifts = sorted(abs(shift) for _, shift in sounds if shift is not None)
        assert shifts[0] == 0 and all(0.08 <= shift <= (MAX_SHIFT - 2) / RATE for shift in shifts[1:])


def test_the_voice_has_no_other_shift_at_which_it_is_like_itself() -> None:
    """Loudness correlated with itself moved by 5 to 15 frames: far from 1, which a regular voice comes back to."""
    likeness = []
    for video in plan_takes(3, 5, 10.0, 24).videos:
        loud = envelope(list(video.syllables), np.arange(250) / 25)
        likeness += [np.corrcoef(loud[lag:], loud[:-lag])[0, 1] for lag in range(5, 16)]
        gaps = np.diff([each.start_s for each in video.syllables])
        assert gaps.max() > 0.5 and gaps.min() < 0.3, "breaths and running speech"
    assert max(likeness) < 0.6


def test_a_mouth_opens_with_the_voice_and_nothing_else_moves_by_it() -> None:
    """The frame on which the voice is loudest, and the same with no voice: they differ where the mouth is."""
    video = plan_takes(0, 1, 3.0, 24).videos[0]
    loudest = 2 * int(envelope(list(video.syllables), np.arange(0, 72, 2) / 24).argmax())

    def picture_of(plan: VideoPlan) -> tuple[np.ndarray, Box]:
        stage = ShotStage(plan.shots[0], plan, (320, 180), Wardrobe())
        picture, (shown,) = stage.render(loudest, origin=(0, 0), frame_size=(320, 180))
        assert shown.row.box is not None
        return picture.astype(int), shown.row.box

    talking, (x0, y0, x1, _) = picture_of(video)
    still, _ = picture_of(replace(video, syllables=()))
    rows, columns = np.nonzero(np.abs(talking - still).max(axis=-1) > 12)
    assert len(rows) > 20
    assert y0 + 30 < rows.min() and rows.max() < y0 + 100, "the head, half as high as the picture, begins at the box's top"
    assert x0 < columns.min() and columns.max() < x1 and np.ptp(columns) < 40


def test_worlds_of_films_keep_their_stamp() -> None:
    films = WorldSettings(**FILMS)
    assert "takes" not in films.decided
    assert films.stamp == content_id("world", 0, 4.0, 24, RENDERER_VERSION, 4, (160, 90), 1), "by name, as ever"
    assert films.stamp != WorldSettings(**FILMS, takes=True).stamp
    assert (
        films.plan().videos[0].name == "world_000"
        and WorldSettings(**FILMS, takes=True).plan().videos[0].name == "take_000"
    )


@pytest.mark.slow
def test_the_sound_of_a_rendered_take_comes_as_late_as_truth_says(tmp_path: Path) -> None:
    render_world(tmp_path, seed=1, videos=1, duration_s=3.0, size=(160, 90), takes=True, workers=1)
    (truth,) = read_truth(tmp_path).videos
    assert truth.sound.kind == "speech" and truth.sound.offset_s and len(truth.shots) == 1
    assert truth.shots[0].speaks == truth.shots[0].subjects[0].identity
    shown = [row.visible for row in truth.shots[0].subjects[0].frames]
    assert min(shown) > 0.1 and max(shown) < 0.5, "head and shoulders of the whole"
    heard = read_audio(tmp_path / truth.file)
    assert not isinstance(heard, Absent)
    rms = np.sqrt((heard.samples[: 3 * SAMPLE_RATE].reshape(-1, 160) ** 2).mean(axis=1))
    times = np.arange(len(rms)) / 100
    voice = list(plan_takes(1, 1, 3.0, 24).videos[0].syllables)
    shifts = np.arange(-60, 61) / 100
    likeness = [np.corrcoef(rms, envelope(voice, times - shift))[0, 1] for shift in shifts]
    assert shifts[int(np.argmax(likeness))] == pytest.approx(truth.sound.offset_s, abs=0.04)
