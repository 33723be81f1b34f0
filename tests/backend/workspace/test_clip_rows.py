"""Clips as exports take them: everything that the plan keeps of them, and nothing else."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from backend.domain import Caption, Clip, Context, Item, Ok, Phrase, Plate, Record, Region, Resources, Result, Score
from backend.engine.plan import Gate, Plan, Step
from backend.exports.opens2v_rows import read_opens2v
from backend.exports.reader import read_manifest
from backend.media.images import encode_png, read_image
from backend.workspace import Workspace
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import plan, write_toy_video


@dataclass(frozen=True, slots=True, kw_only=True)
class Furnish:
    """Gives every clip two regions, a plate, a phrase, a face span of its first eight frames, and two scores."""

    name: ClassVar[str] = "furnish"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Caption,)
    makes: ClassVar[tuple[type, ...]] = (Region, Plate, Phrase, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [Ok(item.id, self._rows(item, context)) for item in items]

    def _rows(self, item: Item, context: Context) -> list[Record]:
        clip, caption = item.one(Clip), item.all(Caption)[0]
        start = clip.start_frame
        spans = json.dumps([[start, start + 8]]).encode()
        plate = np.full((48, 64, 3), (0, 0, 255), np.uint8)
        return [
            Region(clip_id=clip.id, kind="content", box=(0.0, 4.0, 64.0, 48.0), confidence=1.0),
            Region(clip_id=clip.id, kind="crop", box=(4.0, 8.0, 64.0, 48.0), confidence=1.0),
            Plate(
                clip_id=clip.id, frame=start + 5, author="painter", artifact=context.artifacts.put(encode_png(plate), "png")
            ),
            Phrase(
                caption_id=caption.id,
                clip_id=clip.id,
                start=2,
                stop=9,
                text=caption.text[2:9],
                role="subject",
                category="mug",
                is_living=False,
            ),
            Score(
                target=clip.id,
                name="face_span_frames",
                value=8.0,
                producer="furnish/1",
                evidence=context.artifacts.put(spans, "json"),
            ),
            Score(target=clip.id, name="aesthetic", value=5.0 + start, producer="aesthetic-predictor@ab"),
        ]


@pytest.fixture
def furnished(workspace: Workspace, tmp_path: Path) -> Workspace:
    gate = Gate(record="clip", score="aesthetic", comparison="<=", value=20.0, source="planted")
    workspace.plan = Plan(steps=(*plan().steps, Step(Furnish(), (gate,))))
    workspace.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),), licence="CC0-1.0")
    curated(workspace)
    return workspace


def test_a_clip_goes_out_with_all_that_is_kept_of_it(furnished: Workspace, tmp_path: Path) -> None:
    done = furnished.export(format="opens2v", out=str(tmp_path / "out"))
    found = read_opens2v(tmp_path / "out" / "step5" / "merge_final_json" / "dataset.json")
    assert found.faults == ()
    assert [sample.key for sample in found.samples] == [
        "mug_segment1_step1-0-10_step2-0-8_step3_step4_step5",
        "mug_segment2_step1-10-20_step2-10-18_step3_step4_step5",
    ]
    sample = found.samples[1]
    told = sample.metadata
    assert (told.cut, told.face_cut, told.crop) == ((10, 20), (10, 18), (4, 8, 64, 48))
    assert (told.path, told.face_caption, told.aesthetic) == ("mug.mp4", "A red mug, take 1.", 15.0)
    assert dict(sample.word_tags) == {"background": (), "subject": ("red mug",), "object": ()}
    assert [(box.class_name, box.box) for box in sample.boxes] == [("a red mug", (4.0, 0.0, 36.0, 32.0))]
    assert sample.masks[0].pixels()[:32, 4:36].all()
    plate = read_image(tmp_path / "out" / "step5" / "final_output" / "dataset" / "foreground" / f"{sample.key}.png")
    assert plate.shape == (40, 60, 3)
    (pair,) = read_opens2v(tmp_path / "out" / "step6" / "cross-frames-images" / "mug.json").pairs
    assert done.pairs == 1
    assert (pair.cur_id, pair.aft_id) == tuple(f"dataset/{sample.key}" for sample in found.samples)
    assert (pair.cur_frame, pair.aft_frame, pair.document["similarity"]) == (5, 15, 0.9)


def test_the_manifest_of_the_same_plan_is_as_before(furnished: Workspace, tmp_path: Path) -> None:
    done = furnished.export(format="manifest", out=str(tmp_path / "out"))
    (pair,) = read_manifest(tmp_path / "out").pairs()
    assert done.pairs == 1
    assert [phrase.text for phrase in pair.target.phrases] == ["red mug"]
