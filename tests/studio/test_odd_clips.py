"""Clips and words that nobody expects, on Verify and Compare over the real service: each is shown, watched and judged by keys."""

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from backend.api import Api
from backend.domain import (
    Appearance,
    Caption,
    Clip,
    Context,
    Item,
    Mask,
    Ok,
    Pair,
    Record,
    Resources,
    Result,
    Score,
    Subject,
    Video,
)
from backend.engine.plan import Plan, Step
from backend.geometry.rle import encode
from backend.media.images import encode_png
from backend.media.writer import write_video
from backend.stages.ingest import ProbeSource
from backend.workspace import Workspace
from studio.pages.compare import ComparePage
from studio.pages.verify import VerifyPage
from studio.sessions.verify import Phase
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.study_project import named
from tests.studio.served import served_window
from tests.studio.test_bad_inputs import frames_of, of_4k, of_120_a_second, of_one_frame, without_duration
from tests.studio.test_compare_page import agree

pytestmark = pytest.mark.slow
ODD: dict[str, tuple[Callable[[Path], int], str]] = {
    "one.mp4": (of_one_frame, "m" * 10_000),
    "large.mp4": (of_4k, "A red mug stands on a table by the window. " * 233),
    "quick.mp4": (of_120_a_second, "كوب أحمر على الطاولة بجانب النافذة. " * 280),
    "endless.mkv": (without_duration, "ספל אדום A red mug 红杯 " * 450),
}
"""What makes a file, and what is said of it."""
FRAMES = {"one.mp4": 1, "large.mp4": 6, "quick.mp4": 60, "endless.mkv": 12}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantWhole:
    """One clip that is the whole video, with two subjects on its first and last frame, and their pair."""

    name: ClassVar[str] = "plant_whole"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Clip, Caption, Subject, Appearance, Mask, Pair, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [Ok(item.id, self._rows(item, context)) for item in items]

    def _rows(self, item: Item, context: Context) -> tuple[Record, ...]:
        video = item.one(Video)
        said = next(text for name, (_, text) in ODD.items() if FRAMES[name] == video.num_frames)
        stop_s = video.num_frames / video.fps
        clip = Clip(
            video_id=video.id, start_frame=0, stop_frame=video.num_frames, start_s=0.0, stop_s=stop_s, opens_with="cut"
        )
        rows: list[Record] = [clip, Caption(clip_id=clip.id, author="sidecar", text=said)]
        sides: list[tuple[Subject, Appearance]] = []
        mask = np.zeros((video.height, video.width), bool)
        mask[8:40, 8:40] = True
        for n, frame in enumerate((0, video.num_frames - 1)):
            subject = Subject(clip_id=clip.id, track_id=f"track_{n}", phrase=said[:200], category="mug", is_living=False)
            box = (8.0, 8.0, 40.0, 40.0)
            seen = Appearance(subject_id=subject.id, frame=frame, box=box, confidence=0.8, origin="video")
            crop = context.artifacts.put(
                encode_png(np.full((32, 32, 4), (40 + n, video.num_frames, 90, 255), np.uint8)), "png"
            )
            cut = Mask(
                appearance_id=seen.id,
                author="planted",
                height=video.height,
                width=video.width,
                counts=encode(mask),
                crop=crop,
            )
            rows += [subject, seen, cut]
            sides.append((subject, seen))
        (first, shown), (second, other) = sides
        pair = Pair(
            target_subject_id=first.id,
            target_appearance_id=shown.id,
            reference_subject_id=second.id,
            reference_appearance_id=other.id,
            kind="cross_frame",
        )
        return (*rows, pair, Score(target=pair.id, name="similarity", value=0.9, producer="planted"))


def test_odd_clips_and_words_are_verified(qtbot, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    with closing(Workspace(tmp_path / "project", create=True)) as opened:
        opened.plan = Plan(steps=(Step(ProbeSource()), Step(PlantWhole())))
        for name, (make, _) in ODD.items():
            assert make(tmp_path / "videos" / name) == FRAMES[name]
        opened.ingest(paths=(str(tmp_path / "videos"),), licence="CC0-1.0")
        curated(cast(Api, opened))
        with served_window(opened, tmp_path, "verify") as window:
            page = window.page
            assert isinstance(page, VerifyPage)
            window.resize(1280, 800)
            seen: set[int] = set()
            for judged in range(len(ODD)):
                qtbot.waitUntil(lambda n=judged: page.session.phase is Phase.JUDGING and page.session.judged == n)
                qtbot.waitUntil(lambda: len(page.deck.sides) == 2)
                num_frames = page.deck.sides[0].reel.num_frames
                seen.add(num_frames)
                page.deck.seek(num_frames - 1)
                last = num_frames - 1
                qtbot.waitUntil(lambda last=last: all(side.pane.shown_index == last for side in page.deck.sides))
                assert (window.width(), window.height()) == (1280, 800), "no word makes the window larger"
                said = next(text for name, (_, text) in ODD.items() if FRAMES[name] == num_frames)
                assert any(said in view.words.text() for view in page.form_view.views.values())
                QTest.keyClicks(page, "2")
            qtbot.waitUntil(lambda: page.session.judged == len(ODD))
            assert seen == set(FRAMES.values())
            qtbot.waitUntil(lambda: page.link.outbox.counts().sent == len(ODD))


def test_odd_clips_and_words_are_compared(qtbot, tmp_path: Path) -> None:
    """Each beside a plain one; a participant sees every frame of both, and answers."""
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "mug.png").write_bytes(encode_png(np.full((40, 40, 3), 90, np.uint8)))
    cases = {}
    for place, (name, (make, said)) in enumerate(ODD.items()):
        case = f"singleobj_{place + 1}"
        cases[case] = {"img_paths": ["mug.png"], "prompt": said, "class_label": ["Mug"]}
        for system in ("good", "fair", "poor"):
            (folder / system).mkdir(parents=True, exist_ok=True)
        make(folder / "poor" / f"{case}{Path(name).suffix}")
        write_video(folder / "fair" / f"{case}.mp4", frames_of(6, (320, 180)), fps=24, preset="ultrafast")
        write_video(folder / "good" / f"{case}.mp4", frames_of(5, (320, 180)), fps=24, preset="ultrafast")
    (folder / "cases.json").write_text(json.dumps(cases))
    with closing(Workspace(tmp_path / "p", create=True)) as opened:
        cast(Api, opened).create_study(
            name="taste",
            form="kaleido",
            aspects=("video_quality",),
            systems=named(folder)[1:],
            cases=str(folder / "cases.json"),
            trials=len(ODD),
            rules=("min_seconds=0", "min_item_seconds=0", "min_gold_accuracy=0"),
        )
        with served_window(opened, tmp_path, "compare") as window:
            window.resize(1280, 800)
            page = agree(qtbot, window, practice="for practice")
            assert isinstance(page, ComparePage)
            total = opened.studies()[0].trials
            for judged in range(total):
                qtbot.waitUntil(lambda n=judged: page.session.phase is Phase.JUDGING and page.session.judged == n)
                qtbot.waitUntil(lambda: page.watched, timeout=120_000)
                assert len(page.deck.sides) == 2, "both play"
                assert (window.width(), window.height()) == (1280, 800), "no word makes the window larger"
                assert all(button.isVisible() for button in page.form_view.buttons.values())
                QTest.keyClick(page, Qt.Key.Key_Down)
            qtbot.waitUntil(lambda: page.session.judged == total)
            qtbot.waitUntil(lambda: opened.studies()[0].votes == total)
