"""Schedules of expressions are read off what a clip's face was surely seen to express."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.api import Api
from backend.domain import (
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
    Score,
    Subject,
    Track,
    Video,
)
from backend.engine.context import load
from backend.engine.plan import Plan, Step
from backend.geometry.rle import encode
from backend.jobs import CALLS
from backend.media.images import encode_png
from backend.media.writer import write_video
from backend.stages.expressions import EXPRESSION_EVIDENCE
from backend.stages.ingest import ProbeSource
from backend.workspace import Workspace
from backend.workspace.case_media import RATE
from backend.workspace.case_schedules import LEAST_S, expression_spans
from tests.backend.workspace.conftest import curated

FPS, NUM_FRAMES = 4.0, 24
LABELS = ("angry", "smile", "sad")
SURE = {"smile": [0.1, 0.8, 0.1], "sad": [0.2, 0.1, 0.7], "": [0.4, 0.3, 0.3]}
SEEN = {0: "smile", 4: "smile", 8: "smile", 12: "", 16: "sad", 20: "sad"}
BOX = (8.0, 8.0, 40.0, 40.0)


def test_a_change_lies_halfway_and_the_spans_fill_the_clip() -> None:
    told = [(0.5, "happy"), (1.0, "happy"), (2.0, ""), (3.0, "sad"), (4.0, "sad")]
    assert expression_spans(told, 5.0) == ((0.0, 2.0, "expression:happy"), (2.0, 5.0, "expression:sad"))


def test_what_is_shown_for_a_moment_belongs_to_what_was_before() -> None:
    told = [(0.0, "happy"), (1.0, "happy"), (1.2, "sad"), (1.4, "happy"), (3.0, "happy")]
    assert expression_spans(told, 3.0) == ((0.0, 3.0, "expression:happy"),)


def test_nothing_sure_is_no_schedule() -> None:
    assert expression_spans([], 5.0) == expression_spans([(1.0, ""), (2.0, "")], 5.0) == ()


@given(
    st.lists(
        st.tuples(st.integers(0, 99), st.sampled_from(["happy", "sad", "fear", ""])), unique_by=lambda one: one[0]
    ).map(sorted)
)
def test_spans_are_without_gaps_and_neighbours_differ(sightings: list[tuple[int, str]]) -> None:
    spans = expression_spans([(float(time) / 10, label) for time, label in sightings], 10.0)
    assert [one[0] for one in spans[1:]] == [one[1] for one in spans[:-1]]
    assert all(a[2] != b[2] for a, b in pairwise(spans))
    assert all(stop - start >= LEAST_S - 1e-3 for start, stop, _ in spans[1:])
    if spans:
        assert (spans[0][0], spans[-1][1]) == (0.0, 10.0)
        assert {what for *_, what in spans} <= {f"expression:{label}" for _, label in sightings}
    else:
        assert not any(label for _, label in sightings)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantFace:
    """A clip of a woman with two expression anchors and what her face was read to express."""

    name: ClassVar[str] = "plant_face"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Clip, Caption, Subject, Appearance, Mask, Anchor, Track, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    is_read: bool = True

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [Ok(item.id, self._rows(item.id, context)) for item in items]

    def _rows(self, video_id: str, context: Context) -> tuple[Record, ...]:
        clip = Clip(
            video_id=video_id,
            start_frame=0,
            stop_frame=NUM_FRAMES,
            start_s=0.0,
            stop_s=NUM_FRAMES / FPS,
            opens_with="start",
        )
        subject = Subject(clip_id=clip.id, track_id="t", phrase=None, category="woman", is_living=True)
        rows: list[Record] = [clip, Caption(clip_id=clip.id, author="model/x", text="A woman talks."), subject]
        for frame, label in ((4, "happy"), (20, "sad")):
            shown = Appearance(subject_id=subject.id, frame=frame, box=BOX, confidence=1.0, origin="video")
            crop = context.artifacts.put(encode_png(np.full((32, 32, 4), 8 * frame, np.uint8)), "png")
            counts = encode(np.ones((48, 64), bool))
            rows += [
                shown,
                Mask(appearance_id=shown.id, author="planted", height=48, width=64, counts=counts, crop=crop),
                Anchor(appearance_id=shown.id, clip_id=clip.id, kind="expression", label=label, inside=True),
            ]
        track = Track(clip_id=clip.id, kind="face", frames=tuple(SEEN), boxes=(BOX,) * len(SEEN), scores=(1.0,) * len(SEEN))
        return (*rows, track, *self._read(track, context))

    def _read(self, track: Track, context: Context) -> list[Score]:
        if not self.is_read:
            return []
        told = {
            "format": EXPRESSION_EVIDENCE,
            "labels": list(LABELS),
            "frames": list(SEEN),
            "boxes": [list(BOX)] * len(SEEN),
            "probabilities": [SURE[label] for label in SEEN.values()],
        }
        evidence = context.artifacts.put(json.dumps(told).encode(), "json")
        return [Score(target=track.id, name="num_expressions", value=2.0, producer="planted", evidence=evidence)]


def made(workspace: Workspace, folder: Path, *, is_read: bool) -> tuple[dict, tuple[str, ...], str]:
    """The only case's fields, what is lacking, and the file."""
    frames = np.stack([np.full((48, 64, 3), 8 * n, np.uint8) for n in range(NUM_FRAMES)])
    tone = 0.5 * np.sin(2 * np.pi * 220 * np.arange(int(NUM_FRAMES / FPS * RATE)) / RATE).astype(np.float32)
    write_video(folder / "talk.mp4", frames, fps=FPS, audio=(tone, RATE))
    workspace.plan = Plan(steps=(Step(ProbeSource()), Step(PlantFace(is_read=is_read))))
    workspace.ingest(paths=(str(folder / "talk.mp4"),))
    curated(cast(Api, workspace))
    found = workspace.make_cases(out=str(folder / "set"), skeleton="gloria-expression")
    (fields,) = json.loads(Path(found.path).read_text()).values()
    return fields, found.lacking, found.path


def test_expression_case_says_what_its_clip_showed_when(workspace: Workspace, tmp_path: Path) -> None:
    """The last smile is at 2 s, the first sad face at 4 s; what is between is not sure."""
    fields, lacking, path = made(workspace, tmp_path, is_read=True)
    assert fields["kinds"] == ["expression:happy", "expression:sad"]
    assert [(one["start_s"], one["stop_s"], one["what"]) for one in fields["schedule"]] == [
        (0.0, 3.0, "expression:happy"),
        (3.0, 6.0, "expression:sad"),
    ]
    assert not any("schedule" in line for line in lacking)
    (case,) = load(CALLS["read_cases"])(Path(path)).cases
    assert case.schedule_s == ((0.0, 3.0), (3.0, 6.0))


def test_case_of_a_face_that_was_not_read_has_no_schedule_and_that_is_said(workspace: Workspace, tmp_path: Path) -> None:
    fields, lacking, _ = made(workspace, tmp_path, is_read=False)
    assert "schedule" not in fields
    assert "1 of 1 cases without a schedule of expressions: run read_expressions, or write `schedule`" in lacking
