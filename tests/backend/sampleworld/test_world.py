"""A rendered world: deterministic and cached; its truth agrees with its pixels and its sound."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.domain import StoreError
from backend.geometry import rle
from backend.media.audio import Sound, read_audio
from backend.media.index import build_index, decode_all
from backend.sampleworld import Truth, WorldSummary, read_truth, render_world
from backend.sampleworld.cast import Wardrobe
from backend.sampleworld.film import content_box, film
from backend.sampleworld.script import Retake, plan_world
from backend.sampleworld.sound import Syllable, envelope, speak
from backend.sampleworld.world import render_video

pytestmark = pytest.mark.slow  # together they take too long for the fast run

TINY = {"videos": 3, "duration_s": 4.0, "size": (320, 180), "workers": 1}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> WorldSummary:
    return render_world(tmp_path_factory.mktemp("world"), seed=4, **TINY)


@pytest.fixture(scope="module")
def truth(world: WorldSummary) -> Truth:
    return read_truth(world.folder)


def frames_of(path: Path) -> np.ndarray:
    return np.stack([frame.to_ndarray(format="gray") for frame in decode_all(path)])


def test_equal_seeds_give_equal_bytes_and_other_seeds_others(world: WorldSummary, tmp_path: Path):
    plan = plan_world(4, 3, 4.0, 24).videos[0]
    (tmp_path / "videos").mkdir()
    render_video(tmp_path, plan, (320, 180))
    for name in (f"videos/{plan.name}.mp4", f"truth/{plan.name}.json.gz"):
        assert (tmp_path / name).read_bytes() == (world.folder / name).read_bytes()
    assert plan_world(5, 3, 4.0, 24).videos[0].shots != plan.shots


def test_finished_world_is_not_rendered_again_unless_settings_differ(world: WorldSummary):
    before = world.videos[0].stat().st_mtime_ns
    again = render_world(world.folder, seed=4, **TINY)
    assert not again.rendered
    assert again.videos[0].stat().st_mtime_ns == before
    stamp = json.loads((world.folder / "stamp.json").read_text())
    assert stamp["settings"]["seed"] == 4


def test_unfinished_world_is_rendered_again(tmp_path: Path):
    settings = {"videos": 1, "duration_s": 1.0, "size": (160, 90), "workers": 1}
    assert render_world(tmp_path, **settings).rendered
    (tmp_path / "stamp.json").unlink()
    (tmp_path / "videos" / "world_000.mp4").write_bytes(b"half")
    again = render_world(tmp_path, **settings)
    assert again.rendered
    assert again.videos[0].stat().st_size > 1000


def test_videos_have_the_frames_that_truth_says(world: WorldSummary, truth: Truth):
    for video, path in zip(truth.videos, world.videos):
        index = build_index(path)
        assert index.num_frames == video.num_frames == 96
        assert path == world.folder / video.file


def test_shots_and_transitions_tile_the_video(truth: Truth):
    for video in truth.videos:
        edges = [0]
        for shot, transition in zip(video.shots, video.transitions):
            assert (shot.start_frame, shot.stop_frame) == (edges[-1], transition.start_frame)
            assert (transition.start_frame == transition.new_shot_frame) == (transition.kind == "cut")
            edges.append(transition.new_shot_frame)
        assert video.shots[-1].start_frame == edges[-1]
        assert video.shots[-1].stop_frame == video.num_frames
        for shot in video.shots:
            for subject in shot.subjects:
                assert [row.frame for row in subject.frames] == list(range(shot.start_frame, shot.stop_frame))


def test_picture_jumps_at_cuts_and_nowhere_else(world: WorldSummary, truth: Truth):
    for video in truth.videos:
        pixels = frames_of(world.folder / video.file).astype(np.int16)
        change = np.abs(np.diff(pixels, axis=0)).mean(axis=(1, 2))
        cuts = [t.new_shot_frame for t in video.transitions if t.kind == "cut"]
        for shot in video.shots:
            inside = change[shot.start_frame : shot.stop_frame - 1]
            assert inside.max() < 20
            assert all(change[c - 1] > 1.5 * inside.max() for c in cuts if c in (shot.start_frame, shot.stop_frame))


def test_masks_fill_their_boxes(truth: Truth):
    checked = 0
    for video in truth.videos:
        for shot in video.shots:
            for subject in shot.subjects:
                for row in subject.frames:
                    if row.mask is None or row.box is None:
                        continue
                    mask = subject.mask_at(row.frame, height=video.height, width=video.width)
                    assert mask is not None
                    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
                    assert row.box == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
                    assert video.content[0] <= row.box[0] and row.box[2] <= video.content[2]
                    checked += 1
    assert checked > 20


def test_masks_lie_on_the_subject_and_only_there():
    """The same film without its subjects differs inside the masks and hardly outside (but for shadows)."""
    plan = plan_world(4, 3, 4.0, 24).videos[0]
    number = next(k for k, shot in enumerate(plan.shots) if shot.subjects)
    shot = replace(
        plan.shots[number], first_frame=0, start_frame=0, stop_frame=9, last_frame=9, front=None, light_swing=0.0
    )
    one = replace(plan, num_frames=9, shots=(shot,), transitions=(), border=("none", 1.0))
    bare = replace(one, shots=(replace(shot, subjects=()),))
    size = (320, 180)
    for (picture, frame, _, shown), (empty, *_) in zip(film(one, size, Wardrobe()), film(bare, size, Wardrobe())):
        if frame % 4:
            continue
        inside = np.zeros((180, 320), bool)
        for seen in shown:
            inside |= rle.decode(seen.row.mask or b"", 180, 320) if seen.row.mask else False
        moved = np.abs(picture.astype(int) - empty).max(axis=2) > 24
        assert moved[inside].mean() > 0.75
        above = int(np.flatnonzero(inside.any(axis=1))[0])
        assert moved[: max(above - 2, 1)].mean() < 0.01


def test_hidden_subject_counts_only_its_visible_pixels():
    plan = plan_world(4, 3, 4.0, 24).videos[0]
    shot = next(s for s in plan.shots if s.subjects and s.subjects[0].framing == "full")
    back = replace(shot.subjects[0], x=(0.5, 0.5), expressions=("neutral", "neutral"))
    near = replace(back, foot=back.foot + 0.001)
    span = replace(shot.camera, x=(0.5 - shot.camera.span[0] / 2,) * 2, span=(shot.camera.span[0],) * 2)
    pair = replace(
        shot, subjects=(back, near), camera=span, front=None, first_frame=0, start_frame=0, stop_frame=1, last_frame=1
    )
    one = replace(plan, num_frames=1, shots=(pair,), transitions=(), border=("none", 1.0))
    _, _, _, shown = next(film(one, (320, 180), Wardrobe()))
    assert shown[0].row.visible < 0.1
    assert shown[1].row.visible > 0.9


def test_planted_duplicates_show_the_same_footage(world: WorldSummary, truth: Truth):
    assert len(truth.duplicates) == 2
    for d in truth.duplicates:
        first, second = (
            _content(frames_of(world.folder / truth.video(name).file)[span[0] + 2], truth.video(name).content)
            for name, span in ((d.video_a, d.span_a), (d.video_b, d.span_b))
        )
        assert _found_inside(second, first) > 0.8, d


def _content(grey: np.ndarray, content: tuple[float, float, float, float]) -> np.ndarray:
    x0, y0, x1, y1 = (int(v) for v in content)
    return grey[y0:y1, x0:x1]


def _found_inside(part: np.ndarray, whole: np.ndarray) -> float:
    """Best correlation of a picture's middle with a place in another that is scaled to fill it, or up to a fifth more."""
    height, width = part.shape
    middle = part[height // 5 : -height // 5, width // 5 : -width // 5]
    fill = max(height / whole.shape[0], width / whole.shape[1])
    scaled = [cv2.resize(whole, None, fx=fill * zoom, fy=fill * zoom) for zoom in np.linspace(1, 1.2, 9)]
    return max(float(cv2.matchTemplate(picture, middle, cv2.TM_CCOEFF_NORMED).max()) for picture in scaled)


@pytest.mark.parametrize("border", [("letterbox", 0.8), ("pillarbox", 0.75)])
def test_footage_in_another_picture_shape_is_the_same_but_for_its_edges(border: tuple[str, float]):
    plan = plan_world(4, 3, 4.0, 24).videos[0]
    shot = next(s for s in plan.shots if s.subjects)
    shot = replace(shot, first_frame=0, start_frame=0, stop_frame=1, last_frame=1)
    whole = replace(plan, num_frames=1, shots=(shot,), transitions=(), border=("none", 1.0))
    again = replace(whole, border=border, shots=(replace(shot, retake=Retake(border=("none", 1.0))),))
    x0, y0, x1, y1 = content_box(border, (320, 180))
    (original, _, _, before), (replayed, _, _, after) = (next(film(p, (320, 180), Wardrobe())) for p in (whole, again))
    assert np.array_equal(replayed, original[y0:y1, x0:x1])
    for old, new in zip(before, after, strict=True):
        seen = rle.decode(old.row.mask or b"", 180, 320)[y0:y1, x0:x1]
        assert np.array_equal(rle.decode(new.row.mask or b"", 180, 320)[y0:y1, x0:x1], seen)
        assert new.row.visible == pytest.approx(old.row.visible * seen.sum() / rle.area(old.row.mask or b""), rel=1e-6)


def test_footage_of_a_letterboxed_video_fills_a_whole_frame_by_scaling():
    plan = plan_world(4, 3, 4.0, 24).videos[0]
    shot = next(s for s in plan.shots if s.subjects)
    shot = replace(shot, first_frame=0, start_frame=0, stop_frame=1, last_frame=1)
    boxed = replace(plan, num_frames=1, shots=(shot,), transitions=(), border=("letterbox", 0.8))
    again = replace(boxed, border=("none", 1.0), shots=(replace(shot, retake=Retake(border=boxed.border)),))
    original, replayed = (next(film(p, (320, 180), Wardrobe()))[0] for p in (boxed, again))
    assert original.shape == (144, 320, 3) and replayed.shape == (180, 320, 3)
    middle = cv2.resize(original[:, 32:288], (320, 180), interpolation=cv2.INTER_LINEAR)
    assert np.abs(middle[4:-4, 4:-4].astype(int) - replayed[4:-4, 4:-4]).mean() < 4


def test_overlays_are_where_truth_says(world: WorldSummary, truth: Truth):
    found = 0
    for video in truth.videos:
        for overlay in video.overlays:
            x0, y0, x1, y1 = (int(v) for v in overlay.box)
            frame = frames_of(world.folder / video.file)[(overlay.start_frame + overlay.stop_frame) // 2].astype(float)
            area = frame[y0:y1, x0:x1]
            assert 0 <= x0 < x1 <= video.width and 0 <= y0 < y1 <= video.height
            assert np.ptp(area) > 40
            found += 1
    assert found >= 2


def test_sound_comes_late_by_the_planted_offset():
    syllables = [Syllable(0.4, 0.22, 120.0, 0.9, 0), Syllable(1.0, 0.25, 130.0, 0.7, 1), Syllable(1.7, 0.2, 110.0, 1.0, 2)]
    for offset in (-0.25, 0.0, 0.2):
        sound = speak(syllables, 3.0, offset_s=offset)
        times = np.arange(0, 3.0, 0.01)
        loud = np.sqrt([np.mean(sound[int(t * 16000) : int(t * 16000) + 160] ** 2) for t in times])
        mouth = envelope(syllables, times)
        lags = np.arange(-40, 41)
        match = [np.corrcoef(np.roll(mouth, lag), loud)[0, 1] for lag in lags]
        assert lags[int(np.argmax(match))] * 0.01 == pytest.approx(offset, abs=0.021)


def test_rendered_sound_is_of_the_kind_that_truth_says(world: WorldSummary, truth: Truth):
    kinds = {video.sound.kind for video in truth.videos}
    assert len(kinds) == 2 or len(kinds) == 3
    for video in truth.videos:
        sound = read_audio(world.folder / video.file)
        assert isinstance(sound, Sound) == (video.sound.kind != "none")
        if isinstance(sound, Sound) and video.sound.kind == "silent":
            assert np.abs(sound.samples).max() < 1e-3


def test_captions_name_every_subject_by_its_phrase(world: WorldSummary, truth: Truth):
    for video in truth.videos:
        for shot in video.shots:
            assert all(subject.phrase in shot.caption for subject in shot.subjects)
        if video.sidecar and video.sidecar.endswith(".json"):
            side = json.loads((world.folder / video.sidecar).read_text())
            assert [s["caption"] for s in side["segments"]] == [shot.caption for shot in video.shots]


def test_living_subjects_recur_in_other_places_of_their_video():
    for seed in range(6):
        for video in plan_world(seed, 6, 15.0, 24).videos:
            fresh = [shot for shot in video.shots if shot.retake is None]
            assert len({shot.context for shot in fresh}) >= 3
            places: dict[str, set[str]] = {}
            for shot in fresh:
                for subject in shot.subjects:
                    if subject.identity.is_living:
                        places.setdefault(subject.identity.id, set()).add(shot.context)
            assert max(len(contexts) for contexts in places.values()) >= 2


def test_missing_truth_names_the_file(tmp_path: Path):
    with pytest.raises(StoreError, match=r"truth\.json"):
        read_truth(tmp_path)


def test_odd_sizes_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="321x180"):
        render_world(tmp_path, size=(321, 180))
