"""What is said of how videos were made: from settings files, from `generate`, and from the files themselves."""

import json
from pathlib import Path

import numpy as np
import pytest

from backend.domain import ImportRefused
from backend.domain.generation_settings import GenerationSettings
from backend.media.writer import write_video
from metrics.benchmark import find_generations
from metrics.fairness import system_settings, unlike
from metrics.generation_settings import read_folder, settings_of
from tests.training.made_cases import cases_in

TOML = """
system = "other"
model = "Other-S2V 14B"
width = 48
height = 32
frames = 6
fps = 8
steps = 50
guidance = 5
hardware = "1 x H100"
gpu_hours = 0.25

[videos.square_2]
seed = 7
"""


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Two videos of 48x32, 6 frames at 8 a second, for the cases square_1 and square_2."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in (1, 2):
        write_video(folder / f"square_{number}.mp4", np.full((6, 32, 48, 3), 40 * number, np.uint8), fps=8)
    return folder


def listed(tmp_path: Path, folder: Path, system: str = "other"):
    found = find_generations(folder, system, cases_in(tmp_path))
    return [GenerationSettings.of_text(row.settings) for row in found.generations], found.remarks


def test_a_settings_file_holds_for_all_and_a_table_for_one(tmp_path: Path, videos: Path) -> None:
    (videos / "settings.toml").write_text(TOML)
    (one, two), remarks = listed(tmp_path, videos)
    assert one == GenerationSettings(
        model="Other-S2V 14B",
        width=48,
        height=32,
        frames=6,
        fps=8.0,
        steps=50,
        guidance="5",
        hardware="1 x H100",
        gpu_hours=0.25,
        told_by="settings.toml",
    )
    assert two.seed == 7
    assert remarks == ()


def test_json_says_the_same_as_toml(tmp_path: Path, videos: Path) -> None:
    (videos / "settings.toml").write_text(TOML)
    before, _ = listed(tmp_path, videos)
    (videos / "settings.toml").unlink()
    said = {"system": "other", "model": "Other-S2V 14B", "width": 48, "height": 32, "frames": 6, "fps": 8, "steps": 50}
    said |= {"guidance": 5, "hardware": "1 x H100", "gpu_hours": 0.25, "videos": {"square_2": {"seed": 7}}}
    (videos / "settings.json").write_text(json.dumps(said))
    after, _ = listed(tmp_path, videos)
    assert [one.model for one in after] == [one.model for one in before]
    assert after[1].seed == 7
    (videos / "settings.toml").write_text(TOML)
    with pytest.raises(ImportRefused, match=r"settings.toml and settings.json; keep one"):
        listed(tmp_path, videos)


def test_the_file_wins_over_what_is_said_of_it(tmp_path: Path, videos: Path) -> None:
    (videos / "settings.toml").write_text(TOML.replace("width = 48", "width = 832"))
    (one, _), remarks = listed(tmp_path, videos)
    assert one.width == 48
    assert remarks[0] == "square_1.mp4: settings.toml says width 832, the file has 48, which counts"


def test_without_any_word_the_file_tells_its_shape(tmp_path: Path, videos: Path) -> None:
    (one, _), remarks = listed(tmp_path, videos)
    assert one == GenerationSettings(width=48, height=32, frames=6, fps=8.0)
    assert remarks == ()


def test_a_wrong_folder_and_lost_videos_are_told(tmp_path: Path, videos: Path) -> None:
    (videos / "settings.toml").write_text(TOML + "\n[videos.square_9]\nseed = 1\n")
    _, remarks = listed(tmp_path, videos, system="mine")
    assert remarks == (
        "settings.toml speaks of 1 videos that are not there, as square_9",
        "settings beside the videos name other, not mine; is this the right folder?",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("widht = 48", "widht is unknown; did you mean width"),
        ("frames = 6.5", "frames is 6.5; give a whole number"),
        ("frames = true", "frames is True; give a whole number"),
        ("gpu_hours = -1", "gpu_hours is -1; give a number of at least 0"),
        ("model = 3", "model is 3; give text"),
        ("videos = 3", "is no set of tables"),
        ("told_by = 'me'", "told_by is unknown"),
        ("fps = nan", "fps is nan"),
        ("= 3", "is no TOML"),
    ],
)
def test_a_wrong_settings_file_is_refused_with_its_place(videos: Path, text: str, said: str) -> None:
    (videos / "settings.toml").write_text(text)
    with pytest.raises(ImportRefused, match=said):
        read_folder(videos)


def test_others_json_beside_a_video_is_left_alone(videos: Path) -> None:
    (videos / "square_1.json").write_text(json.dumps({"prompt": "A square", "steps": "many"}))
    told, system, remarks = settings_of(videos / "square_1.mp4", read_folder(videos))
    assert (told.told_by, system, remarks) == ("", "", ())


def test_text_and_settings_are_one() -> None:
    told = GenerationSettings(model="ä", fps=16.0, gpu_hours=0.0, seed=0)
    assert GenerationSettings.of_text(told.text()) == told
    assert GenerationSettings().text() == ""


def said(system: str, **fields) -> tuple[str, GenerationSettings]:
    return system, GenerationSettings(**{"width": 48, "height": 32, "frames": 6, "fps": 8.0, **fields})


def test_what_differs_between_systems_is_remarked() -> None:
    found = system_settings([said("a", gpu_hours=0.25), said("a", gpu_hours=0.5), said("b", width=64, fps=16.0)])
    assert [(one.system, one.videos, one.gpu_hours) for one in found] == [("a", 2, 0.75), ("b", 1, None)]
    assert unlike(found) == (
        "sizes differ between systems (a 48x32; b 64x32): sharpness, faces and motion in pixels do not compare like with like",
        "frame rates differ between systems (a 8; b 16): motion between frames does not compare like with like",
    )
    assert unlike(system_settings([said("a"), said("b")])) == ()


def test_what_differs_within_a_system_is_remarked() -> None:
    found = unlike(system_settings([said("a"), said("a", frames=12), said("b"), said("b", frames=12)]))
    assert found == (
        "numbers of frames differ among the videos of each system (6, 12): longer videos have more time to drift, and to move",
    )
