"""CheckSafety: the least of captions, on-screen words and pictures, with the reason and where it was found."""

import json
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pytest

from backend.domain import Caption, Clip, Context, Failed, Footage, Item, MediaError, ModelUnavailable, Ok, Score
from backend.domain.roles_words import ReadText, SafetyFinding
from backend.models.safety_words import WordSafety
from backend.stages.safety import CheckSafety
from tests.backend.stages.footage_in_memory import ArrayReader
from tests.backend.stages.test_captions import video

CLIP = Clip(video_id=video().id, start_frame=0, stop_frame=100, start_s=0.0, stop_s=4.0, opens_with="start")
FRAMES = np.stack([np.full((48, 64, 3), n, np.uint8) for n in range(100)])


class Eyes(WordSafety):
    """A filter that finds frame n as safe as it is told."""

    has_eyes = True

    def __init__(self, safety: Mapping[int, float | None]) -> None:
        self._safety = safety

    def pictures(self, frames: Sequence[np.ndarray]) -> list[SafetyFinding]:
        return [self._of(int(frame[0, 0, 0])) for frame in frames]

    def _of(self, frame: int) -> SafetyFinding:
        safety = self._safety.get(frame, 1.0)
        return SafetyFinding(safety, "" if safety == 1.0 else f"nsfw on frame {frame}")


class Signs:
    """A reader to which every frame shows the same lines."""

    model_id = "signs-1"

    def __init__(self, *lines: tuple[str, float]) -> None:
        self._lines = lines

    def read(self, frame: np.ndarray) -> list[ReadText]:
        return [ReadText(text, (0.0, 0.0, 9.0, 9.0), score) for text, score in self._lines]


class Desk:
    """A context with some roles bound, frames in memory, and artifacts in a dict."""

    def __init__(self, roles: Mapping[str, object], *, broken: bool = False) -> None:
        self._roles, self._broken = roles, broken
        self.kept: dict[str, bytes] = {}
        self.artifacts = self

    def put(self, data: bytes, suffix: str) -> str:
        self.kept[f"{len(self.kept)}.{suffix}"] = data
        return f"{len(self.kept) - 1}.{suffix}"

    def model_id(self, name: str) -> str:
        return name if name in self._roles else ""

    def role(self, name: str) -> object:
        if name not in self._roles:
            raise ModelUnavailable(name)
        return self._roles[name]

    def footage(self, item: Item) -> Footage:
        if self._broken:
            raise MediaError("walk.mp4 is cut off", kind="truncated")
        return Footage(video(), CLIP, ArrayReader(FRAMES), (0.0, 0.0, 64.0, 48.0))


def check(desk: Desk, *texts: str) -> object:
    captions = tuple(Caption(clip_id=CLIP.id, author="says-1", text=text) for text in texts)
    return CheckSafety()([Item(CLIP.id, {Clip: (CLIP,), Caption: captions})], cast(Context, desk))[0]


def score(result: object) -> Score:
    assert isinstance(result, Ok)
    (row,) = result.rows
    assert isinstance(row, Score) and (row.target, row.name) == (CLIP.id, "safety")
    return row


def test_a_harmless_caption_is_safe() -> None:
    row = score(check(Desk({"SafetyFilter": WordSafety()}), "A man walks his dog."))
    assert (row.value, row.reason, row.num_units, row.coverage) == (1.0, None, 1, 1.0)


def test_the_worst_caption_decides_and_is_named() -> None:
    desk = Desk({"SafetyFilter": WordSafety()})
    row = score(check(desk, "A man walks.", "一个裸体的女人。", "A sexy dress."))
    assert row.value == pytest.approx(0.2)
    assert row.reason == "caption by says-1: nudity ('裸体')"
    assert row.evidence is not None
    assert [one["safety"] for one in json.loads(desk.kept[row.evidence])] == [1.0, 0.2, 0.6]


def test_words_on_the_screen_count_and_weak_readings_do_not() -> None:
    said = Desk({"SafetyFilter": WordSafety(), "TextReader": Signs(("free", 0.9), ("PORN", 0.8))})
    weak = Desk({"SafetyFilter": WordSafety(), "TextReader": Signs(("free", 0.9), ("PORN", 0.3))})
    row = score(check(said, "A shop."))
    assert (row.value, row.reason) == (0.0, "on-screen words: sexual ('porn')")
    assert row.num_units == 2, "three pictures with one text are one finding"
    assert score(check(weak, "A shop.")).value == 1.0


def test_a_phrase_over_two_lines_is_read_as_one() -> None:
    desk = Desk({"SafetyFilter": WordSafety(), "TextReader": Signs(("strip", 0.9), ("club", 0.9))})
    assert score(check(desk, "A street.")).reason == "on-screen words: nudity ('strip club')"


def test_pictures_are_looked_at_by_a_filter_with_eyes() -> None:
    row = score(check(Desk({"SafetyFilter": Eyes({49: 0.1})}), "A man walks."))
    assert (row.value, row.reason) == (0.1, "picture 2 of 3: nsfw on frame 49")
    assert row.num_units == 4


def test_a_picture_that_could_not_be_told_leaves_the_rest_and_a_warning() -> None:
    result = check(Desk({"SafetyFilter": Eyes({4: None}), "TextReader": Signs()}), "A man walks.")
    row = score(result)
    assert (row.value, row.coverage) == (1.0, 0.75)
    assert isinstance(result, Ok) and result.warnings == ("picture 1 of 3: nsfw on frame 4",)


def test_without_a_reader_each_clip_says_that_its_words_were_not_read() -> None:
    result = check(Desk({"SafetyFilter": WordSafety()}), "A man walks.")
    assert isinstance(result, Ok) and len(result.warnings) == 1
    assert result.warnings[0].startswith("on-screen words are not read: unavailable: no TextReader")
    assert score(result).coverage == 1.0, "of what there is to judge"
    read = check(Desk({"SafetyFilter": WordSafety(), "TextReader": Signs()}), "A man walks.")
    assert isinstance(read, Ok) and read.warnings == ()


def test_with_nothing_to_judge_there_is_no_value_but_a_row_for_the_gate() -> None:
    row = score(check(Desk({"SafetyFilter": WordSafety()})))
    assert row.value is None and row.reason is not None and row.reason.startswith("the clip has no caption")


def test_a_broken_video_fails_only_where_it_is_looked_at() -> None:
    assert score(check(Desk({"SafetyFilter": WordSafety()}, broken=True), "A man walks.")).value == 1.0
    found = check(Desk({"SafetyFilter": Eyes({})}, broken=True), "A man walks.")
    assert found == Failed(CLIP.id, "truncated", "walk.mp4 is cut off")
