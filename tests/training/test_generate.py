"""Videos of cases, from a run that was trained a step."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.domain import ModelUnavailable, ProjectError, SettingsError
from backend.jobs.board import JobTicket
from backend.media.images import encode_png
from backend.media.index import build_index
from backend.media.reader import VideoReader
from tests.training.made_cases import PROMPT, cases_in
from tests.training.made_export import cut_out, made_export
from tests.training.made_run import trained
from training.generate import GenerateSummary, run_generate
from training.generate_settings import GenerateSettings, SamplerChoice
from training.probe import OWN, Looked
from training.systems import open_system

STEPS = ("sampler.steps=2", "compute.device=cpu")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generate")
    export = made_export(folder, anchors=True)
    trained(export, folder / "run", "run.steps=1", 'data.modes=["cross_pair", "anchors"]')
    return folder / "run"


def generated(run: Path, cases, out: Path, *, settings: tuple[str, ...] = STEPS, **arguments) -> GenerateSummary:
    ticket = JobTicket(lambda stage, done, total: None, threading.Event())
    return run_generate(ticket, system=f"run:{run}", cases=cases, out=out, assignments=settings, **arguments)


def frames_of(path: Path) -> np.ndarray:
    reader = VideoReader(str(path), build_index(path))
    try:
        return np.stack(list(reader.at(list(range(len(reader.times_s))))))
    finally:
        reader.close()


def test_each_case_becomes_a_video_beside_its_settings(run: Path, tmp_path: Path) -> None:
    done = generated(run, cases_in(tmp_path), tmp_path / "out", name="squares")
    assert [video.state for video in done.videos] == ["made", "made"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "square_1.json",
        "square_1.mp4",
        "square_2.json",
        "square_2.mp4",
    ]
    assert frames_of(tmp_path / "out" / "square_1.mp4").shape == (9, 32, 32, 3)
    told = json.loads((tmp_path / "out" / "square_1.json").read_text())
    assert (told["system"], told["case"], told["prompt"], told["seed"]) == ("squares", "square_1", PROMPT, 42)
    assert told["sampler"] == {"method": "unipc", "steps": 2, "shift": 5.0}
    assert told["video"] == {
        "frames": 9,
        "height": 32,
        "width": 32,
        "fps": 12.0,
        "chunk_frames": 9,
        "prefix_mode": "frozen",
    }
    assert told["guidance"]["links"] == [[["reference"], 5.0], [["text"], 7.5]]
    assert told["models"]["LatentCodec"] == "pixel-1"
    assert told["cost"]["gpu_hours"] == 0.0
    assert told["hardware"].startswith("CPU")
    assert told["references"][0]["file"] == "1.png"


def test_a_run_with_sound_and_far_anchors_makes_videos(tmp_path: Path) -> None:
    """Through a codec that keeps every frame: as many windows of sound as there were in training, anchors beyond nine latents."""
    wanted = ("data.latents.encoders.audio=embedded", "model.audio_channels=64", "model.positions=weak_condition")
    export = made_export(tmp_path, sound=True)
    with pytest.raises(
        SettingsError, match=r"a clip has 9 latent frames, and anchors stand beyond 3; set model.longest_latents=9"
    ):
        trained(export, tmp_path / "short", "run.steps=1", *wanted, "model.longest_latents=3")
    trained(export, tmp_path / "run", "run.steps=1", *wanted, "model.longest_latents=9", "model.anchor_stride=2.5")
    (case,) = cases_in(tmp_path, count=1)
    sound = str(next((tmp_path).glob("*.mp4")))  # of the first video
    done = generated(tmp_path / "run", (case, replace(case, name="loud", audio=sound)), tmp_path / "out")
    assert [video.state for video in done.videos] == ["made", "made"]
    silent, loud = (frames_of(tmp_path / "out" / f"{name}.mp4") for name in (case.name, "loud"))
    assert silent.shape == loud.shape == (9, 32, 32, 3)


def test_seeds_name_videos_and_change_them(run: Path, tmp_path: Path) -> None:
    cases = cases_in(tmp_path, count=1)
    generated(run, cases, tmp_path / "one", seeds=(0, 1))
    generated(run, cases, tmp_path / "again", seeds=(0,))
    first, second = (frames_of(tmp_path / "one" / f"square_1_seed{seed}.mp4") for seed in (0, 1))
    assert np.array_equal(first, frames_of(tmp_path / "again" / "square_1_seed0.mp4"))
    assert not np.array_equal(first, second)


def test_references_and_prompt_change_the_video(run: Path, tmp_path: Path) -> None:
    (one, other) = cases_in(tmp_path)
    told = replace(one, prompt="A blue circle sinks")
    for name, case in (("one", one), ("other", replace(other, name=one.name)), ("told", told)):
        generated(run, (case,), tmp_path / name)
    found = [frames_of(tmp_path / name / "square_1.mp4") for name in ("one", "other", "told")]
    assert not np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_anchors_stand_by_what_they_are_and_not_by_their_order_in_the_case(run: Path, tmp_path: Path) -> None:
    (case,) = cases_in(tmp_path, count=1)
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(encode_png(cut_out(number)))
    system = open_system(f"run:{run}", GenerateSettings(sampler=SamplerChoice(steps=1)), working=tmp_path / "working")

    def attention(told: dict[str, int]) -> dict[str, np.ndarray]:
        """How far the first block looks at each anchor; it depends on where they stand."""
        files = tuple(str(tmp_path / f"{number}.png") for number in told.values())
        looked: list[Looked] = []
        system.make(replace(case, references=files, hashes=files, kinds=tuple(told)), 1, looked)
        return {name: looked[0].mass[:, index] for index, name in enumerate(looked[0].segments)}

    told = {"global": 0, "view:left": 1, "expression:happy": 2}
    listed, turned = attention(told), attention(dict(reversed(told.items())))
    assert set(listed) == {OWN, "global", "view left", "expression happy"}
    for name, mass in listed.items():
        assert np.allclose(mass, turned[name], atol=1e-6), name
    other = attention({"global": 0, "view:left": 2, "expression:happy": 1})
    assert not np.allclose(listed["view left"], other["expression happy"], atol=1e-6), "one picture, another place"


def test_any_run_goes_on_from_a_soft_prefix(run: Path, tmp_path: Path) -> None:
    (case,) = cases_in(tmp_path, count=1, duration_s=1.4)  # 17 frames, two chunks of nine and a rest
    refused = generated(run, (case,), tmp_path / "frozen", settings=STEPS)
    assert "video.prefix_mode=soft" in refused.failures[0]
    soft = (*STEPS, "video.prefix_mode=soft")
    assert generated(run, (case,), tmp_path / "soft", settings=soft).failures == ()
    whole = (*STEPS, "video.chunk_frames=17")
    assert generated(run, (case,), tmp_path / "whole", settings=whole).failures == ()
    found, other = (frames_of(tmp_path / name / "square_1.mp4") for name in ("soft", "whole"))
    assert found.shape == other.shape == (17, 32, 32, 3)
    assert not np.array_equal(found, other)
    assert json.loads((tmp_path / "soft" / "square_1.json").read_text())["video"]["prefix_mode"] == "soft"


def test_what_is_finished_is_not_made_again_and_what_was_cut_off_is(run: Path, tmp_path: Path) -> None:
    out, cases = tmp_path / "out", cases_in(tmp_path)
    generated(run, cases, out)
    before = (out / "square_1.mp4").stat().st_mtime_ns
    (out / "square_2.mp4").unlink()  # as if killed between the settings and the video
    (out / ".making").mkdir()
    (out / ".making" / "square_2.mp4").write_bytes(b"half")
    done = generated(run, cases, out)
    assert [video.state for video in done.videos] == ["kept", "made"]
    assert (out / "square_1.mp4").stat().st_mtime_ns == before
    assert not (out / ".making").exists()


def test_other_settings_do_not_mix_with_what_is_there(run: Path, tmp_path: Path) -> None:
    out, cases = tmp_path / "out", cases_in(tmp_path, count=1)
    generated(run, cases, out)
    done = generated(run, cases, out, settings=("sampler.steps=3", "compute.device=cpu"))
    assert done.count("failed") == 1
    assert "was made with other settings" in done.failures[0]


def test_what_cannot_be_done_is_told_and_the_rest_is_done(run: Path, tmp_path: Path) -> None:
    cases = cases_in(tmp_path, count=4)
    lost = replace(cases[0], hashes=("",))
    long = replace(cases[1], prompt=" ".join(["word"] * 70))
    many = replace(cases[2], references=cases[2].references * 9, hashes=cases[2].hashes * 9, labels=("square",) * 9)
    done = generated(run, (lost, long, many, cases[3]), tmp_path / "out")
    assert [video.state for video in done.videos] == ["failed", "failed", "failed", "made"]
    assert "lacks its reference" in done.failures[0]
    assert "64 tokens or more" in done.failures[1]
    assert "has 9 references" in done.failures[2]


def test_wrong_calls_say_what_to_do(run: Path, tmp_path: Path) -> None:
    cases = cases_in(tmp_path, count=1)
    with pytest.raises(SettingsError, match=r"sampler\.step is not a setting.*did you mean steps"):
        generated(run, cases, tmp_path / "a", settings=("sampler.step=2",))
    with pytest.raises(SettingsError, match=r"frames are 1 \+ 4 n"):
        generated(run, cases, tmp_path / "b", settings=("video.frames=10",))
    with pytest.raises(ModelUnavailable, match="has exported no model yet"):
        generated(tmp_path / "no-run", cases, tmp_path / "c")
    with pytest.raises(SettingsError, match="run:DIR"):
        run_generate(JobTicket(lambda *_: None, threading.Event()), system="somewhere", cases=cases, out=tmp_path / "d")
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="cannot be written"):
        generated(run, cases, tmp_path / "file")


def test_a_cancelled_command_keeps_what_it_made(run: Path, tmp_path: Path) -> None:
    cancelled = threading.Event()

    def report(stage: str, done: int, total: int) -> None:
        if done == 1:
            cancelled.set()

    ticket = JobTicket(report, cancelled)
    cases = cases_in(tmp_path, count=3)
    done = run_generate(ticket, system=f"run:{run}", cases=cases, out=tmp_path / "out", assignments=STEPS)
    assert done.stopped
    assert sorted(path.name for path in (tmp_path / "out").glob("*.mp4")) == ["square_1.mp4", "square_2.mp4"]
