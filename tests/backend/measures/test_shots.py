import csv

import numpy as np
import pytest
from scenedetect.common import FrameTimecode
from scenedetect.detectors import ContentDetector
from scenedetect.stats_manager import StatsManager

from backend.measures.shots import Transition, find_transitions, spans_between
from backend.measures.shots_signals import signals_of
from tests.backend.measures.moving_pictures import dissolve, fade, shot

FPS = 25.0


def changes(frames: np.ndarray, fps: float = FPS) -> list[tuple[int, int, str]]:
    return [(c.start, c.stop, c.kind) for c in find_transitions([frames], fps)]


@pytest.mark.parametrize("height", [18, 90, 200])
def test_content_values_are_those_of_pyscenedetect(height: int) -> None:
    """To the bit, and across a border of chunks."""
    chance = np.random.default_rng(height)
    frames = np.concatenate([shot(1, 6, speed=5), shot(2, 5)])
    frames = np.stack([np.resize(frame, (height, 160, 3)) for frame in frames])
    frames[3] = chance.integers(0, 256, frames[3].shape)
    peer, stats = ContentDetector(kernel_size=3), StatsManager()
    peer.stats_manager = stats
    for number, frame in enumerate(frames):
        peer.process_frame(FrameTimecode(number, FPS), np.ascontiguousarray(frame[:, :, ::-1]))
    theirs = [stats.get_metrics(FrameTimecode(number, FPS), ["content_val"])[0] for number in range(1, len(frames))]
    ours = np.concatenate([signals.content for signals in signals_of([frames[:4], frames[4:]])])
    assert ours.tolist() == [0.0, *theirs]
    assert max(theirs) > 20


def test_one_moving_shot_has_no_change():
    assert changes(shot(1, 80, speed=3)) == []


def test_hard_cuts_are_found_to_the_frame():
    frames = np.concatenate([shot(1, 30), shot(2, 17, speed=-2), shot(3, 40)])
    assert changes(frames) == [(30, 30, "cut"), (47, 47, "cut")]


def test_a_cut_between_fast_pans_is_found():
    frames = np.concatenate([shot(4, 30, speed=8), shot(5, 30, speed=-8)])
    assert changes(frames) == [(30, 30, "cut")]


def test_a_flash_is_no_cut():
    frames = shot(6, 60)
    frames[30:32] = np.clip(frames[30:32].astype(int) + 130, 0, 255).astype(np.uint8)
    assert changes(frames) == []


def test_a_dropped_black_frame_is_no_cut():
    frames = shot(7, 60)
    frames[25] = 0
    assert changes(frames) == []


@pytest.mark.parametrize("num", [10, 16, 24, 40])
def test_a_dissolve_is_one_interval_near_its_true_place(num: int):
    frames = dissolve(shot(8, 40 + num), shot(9, 40 + num, speed=-1), num)
    ((start, stop, kind),) = changes(frames)
    assert kind == "gradual"
    assert abs(start - 40) <= 5 and abs(stop - (40 + num)) <= 5


def test_a_fade_out_to_black_and_a_fade_in_from_white_are_gradual():
    out = fade(shot(10, 60), np.r_[np.ones(40), np.linspace(1, 0, 20)])
    into = fade(shot(11, 60), np.r_[np.zeros(5), np.linspace(0, 1, 15), np.ones(40)], colour=255)
    found = changes(np.concatenate([out, into]))
    assert [kind for _, _, kind in found] == ["gradual", "cut", "gradual"]
    assert found[1][0] == 60
    assert abs(found[0][0] - 40) <= 3 and abs(found[0][1] - 60) <= 3
    assert abs(found[2][0] - 65) <= 3 and abs(found[2][1] - 80) <= 3


def test_a_brightening_picture_is_no_change():
    frames = shot(12, 60).astype(np.float32) * np.linspace(0.5, 1.2, 60)[:, None, None, None]
    assert changes(np.clip(frames, 0, 255).astype(np.uint8)) == []


def test_a_title_that_appears_on_a_scene_is_no_change():
    frames = shot(13, 70, speed=0.3)
    title = np.linspace(0, 1, 15)
    for i in range(70):
        part = title[min(14, max(0, i - 30))]
        frames[i, 120:150, 60:260] = (1 - part) * frames[i, 120:150, 60:260] + part * 255
    assert changes(frames) == []


def test_letterbox_bars_do_not_hide_a_fade_to_white():
    frames = fade(shot(14, 60), np.r_[np.ones(30), np.linspace(1, 0, 20), np.zeros(10)], colour=230)
    frames[:, :30] = 0
    frames[:, -30:] = 0
    ((start, stop, kind),) = changes(frames)
    assert kind == "gradual" and abs(start - 30) <= 3 and abs(stop - 50) <= 3


def test_chunks_do_not_change_what_is_found():
    frames = np.concatenate([dissolve(shot(15, 40), shot(16, 40), 12), shot(17, 20)])
    pieces = [frames[i : i + 7] for i in range(0, len(frames), 7)]
    assert find_transitions(pieces, FPS) == find_transitions([frames], FPS)


def test_blocks_of_a_long_video_find_what_one_block_finds(monkeypatch: pytest.MonkeyPatch):
    shots = [shot(seed, 45, height=36, width=64) for seed in range(20, 30)]
    frames = dissolve(np.concatenate(shots[:5]), np.concatenate(shots[5:]), 14)
    whole = find_transitions([frames], FPS)
    monkeypatch.setattr("backend.measures.shots.BLOCK_FRAMES", 60)
    pieces = [frames[i : i + 16] for i in range(0, len(frames), 16)]
    assert [(c.start, c.stop, c.kind) for c in find_transitions(pieces, FPS)] == [(c.start, c.stop, c.kind) for c in whole]
    assert len(whole) == 9


def test_very_short_videos_are_one_shot():
    for num in (1, 2, 3):
        assert changes(shot(31, num)) == []


def test_no_frames_give_no_changes():
    assert find_transitions([], FPS) == []


def test_a_rate_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="got 0"):
        find_transitions([], 0.0)


def test_spans_leave_out_the_frames_of_gradual_changes():
    found = [Transition(0, 8, "gradual", 0.9), Transition(20, 20, "cut", 0.7), Transition(30, 40, "gradual", 0.6)]
    assert spans_between(found, 50) == [(8, 20, "gradual", 0.7), (20, 30, "cut", 0.6), (40, 50, "gradual", 0.6)]


def test_a_gradual_change_to_the_end_leaves_no_empty_span():
    assert spans_between([Transition(5, 9, "gradual", 0.8)], 9) == [(0, 5, "start", 0.8)]


@pytest.mark.real
@pytest.mark.slow
def test_cuts_and_fades_of_a_real_film_trailer_are_found(real_media):
    from backend.media.reader import VideoReader

    name = "cuts_sintel_trailer.mp4"
    with (real_media / "dev/labels/scene_cuts.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["file"].endswith(name)]
    with VideoReader(real_media / "dev/video" / name) as reader:
        found = find_transitions((frames for _, frames in reader.stream(size=(320, 180))), 24.0)
    cuts = [c.start for c in found if c.kind == "cut"]
    wanted = [int(row["start_frame"]) for row in rows if row["type"] == "cut"]
    assert all(any(abs(w - c) <= 1 for c in cuts) for w in wanted) and len(cuts) == len(wanted)
    fades = [(int(r["start_frame"]), int(r["new_shot_frame"])) for r in rows if r["type"] != "cut"]
    overlapped = [any(c.start < stop and start < c.stop for c in found if c.kind == "gradual") for start, stop in fades]
    assert sum(overlapped) >= 0.7 * len(overlapped)
