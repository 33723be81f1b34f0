"""Gloria's long and talking sets: one person, the first frame, the sound and, for a whole video, what happens when."""

import io
import json
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
import pytest

from backend.api import Api
from backend.domain import (
    CASES_STUDY,
    Anchor,
    Appearance,
    Caption,
    Clip,
    Context,
    Item,
    Mask,
    Ok,
    Record,
    Resources,
    Result,
    Subject,
    Video,
)
from backend.engine.context import load
from backend.engine.plan import Plan, Step
from backend.geometry.rle import encode
from backend.jobs import CALLS
from backend.media.images import encode_png, read_image
from backend.media.reader import VideoReader
from backend.media.writer import write_video
from backend.stages.ingest import ProbeSource
from backend.workspace import Workspace
from backend.workspace.case_media import RATE
from tests.backend.workspace.conftest import curated

FPS = 0.4  # 30 frames last 75 s: Gloria's long videos last minutes
NUM_FRAMES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantPerson:
    """Three clips of ten frames, in each a woman with a global anchor on its third frame."""

    name: ClassVar[str] = "plant_person"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Clip, Caption, Subject, Appearance, Mask, Anchor)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [Ok(item.id, tuple(row for n in range(3) for row in self._clip(item.id, n, context))) for item in items]

    def _clip(self, video_id: str, n: int, context: Context) -> tuple[Record, ...]:
        start = 10 * n
        clip = Clip(
            video_id=video_id,
            start_frame=start,
            stop_frame=start + 10,
            start_s=start / FPS,
            stop_s=(start + 10) / FPS,
            opens_with="cut",
        )
        subject = Subject(clip_id=clip.id, track_id=f"t{n}", phrase=None, category="woman", is_living=True)
        box = (8.0, 8.0, 40.0, 40.0)
        shown = Appearance(subject_id=subject.id, frame=start + 3, box=box, confidence=1.0, origin="video")
        crop = context.artifacts.put(encode_png(np.full((32, 32, 4), 80 * n, np.uint8)), "png")
        counts = encode(np.ones((48, 64), bool))
        mask = Mask(appearance_id=shown.id, author="planted", height=48, width=64, counts=counts, crop=crop)
        anchor = Anchor(appearance_id=shown.id, clip_id=clip.id, kind="global", label=subject.id, inside=True)
        return clip, Caption(clip_id=clip.id, author="model/x", text=f"Take {n}."), subject, shown, mask, anchor


@pytest.fixture
def talking(workspace: Workspace, tmp_path: Path) -> Workspace:
    """A project of one such video with a tone in its last 23 s."""
    frames = np.stack([np.full((48, 64, 3), 8 * n, np.uint8) for n in range(NUM_FRAMES)])
    tone = 0.5 * np.sin(2 * np.pi * 220 * np.arange(int(NUM_FRAMES / FPS * RATE)) / RATE).astype(np.float32)
    tone[: 52 * RATE] = 0
    write_video(tmp_path / "talk.mp4", frames, fps=FPS, audio=(tone, RATE))
    workspace.plan = Plan(steps=(Step(ProbeSource()), Step(PlantPerson())))
    workspace.ingest(paths=(str(tmp_path / "talk.mp4"),))
    curated(cast(Api, workspace))
    return workspace


def only_case(path: str) -> dict:
    (fields,) = json.loads(Path(path).read_text()).values()
    return fields


def seconds(path: Path) -> float:
    with wave.open(io.BytesIO(path.read_bytes())) as file:
        return file.getnframes() / file.getframerate()


def test_talking_clip_brings_its_frame_and_its_sound(talking: Workspace, tmp_path: Path) -> None:
    made = talking.make_cases(out=str(tmp_path / "set"), skeleton="gloria-talking")
    fields = only_case(made.path)
    assert fields["prompt"] == "Take 2.", "the clips before are silent"
    assert (fields["kinds"], fields["inside"], fields["class_label"]) == (["global"], [True], ["Woman"])
    assert fields["caption_kind"] == "model" and fields["duration_s"] == pytest.approx(25.0)
    assert seconds(tmp_path / "set" / fields["audio"]) == pytest.approx(25.0)
    with VideoReader(tmp_path / "talk.mp4") as reader:
        np.testing.assert_array_equal(read_image(tmp_path / "set" / fields["first_frame"]), reader.at([23])[0])
    assert any("silent" in remark for remark in made.remarks)
    assert "talking: 1 of 60; clips of one person alone with sound" in made.lacking


def test_long_video_brings_a_schedule_and_is_approved_as_written(talking: Workspace, tmp_path: Path) -> None:
    made = talking.make_cases(out=str(tmp_path / "set"), skeleton="gloria-long")
    fields = only_case(made.path)
    assert fields["duration_s"] == pytest.approx(75.0) and fields["prompt"] == "Take 0."
    assert [(one["start_s"], one["stop_s"], one["what"]) for one in fields["schedule"]] == [
        (0.0, 25.0, "Take 0."),
        (25.0, 50.0, "Take 1."),
        (50.0, 75.0, "Take 2."),
    ]
    (trial,) = talking.next_trials(study_id=CASES_STUDY, rater="ann")
    (case,) = load(CALLS["read_cases"])(Path(made.path)).cases
    assert trial.item_id == case.content and case.audio_hash and case.first_frame_hash
