"""CaptionClips: sidecars of every shape, good and broken, and the template caption where there is none."""

import json
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.domain import Absent, Caption, Clip, Context, Failed, Filtered, Footage, Item, Ok, Video
from backend.models.classical_captions import RulePhrases, TemplateCaptioner
from backend.stages.caption_faults import language_of
from backend.stages.captions import CaptionClips
from backend.stages.sidecars import SidecarReader
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext, clip_item

FPS = 25.0
NOTHING = Absent("nothing seen")


class Says:
    """A captioner with one answer."""

    model_id = "says-1"

    def __init__(self, answer: str | Absent) -> None:
        self.answer = answer

    def caption(self, footage: Footage) -> str | Absent:
        return self.answer


class Desk:
    """A context for one file: the captioner, the path, no frames."""

    def __init__(self, path: Path, captioner: object) -> None:
        self._path, self._captioner = path, captioner

    def role(self, name: str) -> object:
        return {"Captioner": self._captioner}[name]

    def path(self, video: Video, item: Item) -> str:
        return str(self._path)

    def footage(self, item: Item) -> Footage | None:
        return None


def video(num_frames: int = 100) -> Video:
    return Video(
        content_hash="0" * 64,
        source_id="source_1",
        num_frames=num_frames,
        fps=FPS,
        duration_s=num_frames / FPS,
        width=320,
        height=180,
        rotation=0,
        codec="h264",
        has_audio=False,
        index="",
    )


def caption(folder: Path, *, span: tuple[int, int] = (0, 100), answer: str | Absent = NOTHING) -> object:
    clip = Clip(
        video_id=video().id,
        start_frame=span[0],
        stop_frame=span[1],
        start_s=span[0] / FPS,
        stop_s=span[1] / FPS,
        opens_with="start",
    )
    item = Item(clip.id, {Clip: (clip,), Video: (video(),)})
    return CaptionClips()([item], cast(Context, Desk(folder / "walk.mp4", Says(answer))))[0]


class Asked(Says):
    """A captioner with a prompt; counts its calls."""

    prompt_digest = "abc"
    calls = 0

    def caption(self, footage: Footage) -> str | Absent:
        self.calls += 1
        return self.answer


def texts(result: object) -> list[str]:
    assert isinstance(result, Ok)
    return [cast(Caption, row).text for row in result.rows]


def warnings(result: object) -> tuple[str, ...]:
    assert isinstance(result, Ok)
    return result.warnings


def test_a_text_file_beside_the_video_is_its_caption(tmp_path: Path) -> None:
    (tmp_path / "walk.txt").write_text("\ufeffA man  walks\nhis dog.\n", "utf-8")
    result = caption(tmp_path)
    assert texts(result) == ["A man walks his dog."]
    assert cast(Caption, cast(Ok, result).rows[0]).author == "sidecar"


def test_text_comes_before_json_and_equal_captions_count_once(tmp_path: Path) -> None:
    (tmp_path / "walk.txt").write_text("A man walks.", "utf-8")
    (tmp_path / "walk.mp4.txt").write_text("A man walks.", "utf-8")
    (tmp_path / "walk.json").write_text(json.dumps({"caption": "A dog runs."}), "utf-8")
    assert texts(caption(tmp_path)) == ["A man walks.", "A dog runs."]


def test_a_utf16_text_is_read(tmp_path: Path) -> None:
    (tmp_path / "walk.txt").write_text("Ein Hund läuft.", "utf-16")
    assert texts(caption(tmp_path)) == ["Ein Hund läuft."]


SPANS = {
    "captions": [
        {"start_s": 0.0, "stop_s": 2.0, "text": "first half"},
        {"start_frame": 50, "stop_frame": 100, "caption": "second half"},
        "always",
    ]
}


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((0, 50), ["first half", "always"]),
        ((50, 100), ["second half", "always"]),
        ((26, 74), ["first half", "second half", "always"]),
        ((45, 95), ["second half", "always"]),
    ],
)
def test_a_span_describes_the_clips_it_covers_by_half(tmp_path: Path, span: tuple[int, int], expected: list[str]) -> None:
    (tmp_path / "walk.json").write_text(json.dumps(SPANS), "utf-8")
    assert texts(caption(tmp_path, span=span)) == expected


METADATA = {
    "path": "part/walk.mp4",
    "cut": [0, 40],
    "cap": ["A man is seen."],
    "face_cut": [40, 100],
    "face_cap_qwen": "A face is seen.",
}


@pytest.mark.parametrize("name", ["walk.json", "walk_step1-0-95_step2-0-95_step4.json", "metadata.json"])
@pytest.mark.parametrize("keyed", [True, False])
def test_opens2v_metadata_gives_each_span_its_caption(tmp_path: Path, name: str, keyed: bool) -> None:
    document = {"metadata": METADATA}
    (tmp_path / name).write_text(json.dumps({"walk_step1-0-95": document} if keyed else document), "utf-8")
    assert texts(caption(tmp_path, span=(0, 40))) == ["A man is seen."]
    assert texts(caption(tmp_path, span=(40, 100))) == ["A face is seen."]


def test_shared_metadata_speaks_only_of_the_video_that_it_names(tmp_path: Path) -> None:
    entries = [{"video": "other.mp4", "caption": "no"}, {"video": "walk.mp4", "caption": "yes"}, {"caption": "whose?"}]
    (tmp_path / "metadata.json").write_text(json.dumps(entries), "utf-8")
    assert texts(caption(tmp_path)) == ["yes"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("walk.txt", b"caf\xe9", "walk.txt is passed over: it is not UTF-8 (byte 0xe9 at 3)"),
        ("walk.json", b'{"caption": "x",}', "walk.json is passed over: broken JSON at line 1, column 17"),
        ("walk.json", b"[" * 100_000, "walk.json is passed over: its JSON is nested too deep"),
        ("walk.json", b'{"title": 3}', "walk.json holds no caption for walk.mp4"),
    ],
)
def test_a_broken_sidecar_is_a_warning_and_the_captioner_answers(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    result = caption(tmp_path, answer="A person in red moves.")
    assert texts(result) == ["A person in red moves."]
    assert len(warnings(result)) == 1
    assert says in warnings(result)[0]


def test_a_huge_caption_is_cut_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "walk.txt").write_text("word " * 10_000, "utf-8")
    result = caption(tmp_path)
    assert texts(result)[0] == ("word " * 1000).strip()
    assert "49999 characters" in warnings(result)[0]


def test_a_huge_file_is_passed_over(tmp_path: Path) -> None:
    with (tmp_path / "walk.txt").open("wb") as file:
        file.truncate(65 * 2**20)
    assert "at most 67108864 are read" in warnings(caption(tmp_path, answer="x"))[0]


def test_a_folder_named_like_a_sidecar_is_no_sidecar(tmp_path: Path) -> None:
    (tmp_path / "walk.txt").mkdir()
    assert caption(tmp_path) == Filtered(caption(tmp_path).item_id, "nothing seen")  # pyright: ignore


def test_languages_are_told_by_script() -> None:
    assert [language_of(t) for t in ("a dog", "一只狗", "犬がいる", "개가 있다")] == ["en", "zh", "ja", "ko"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["caption", "captions", "metadata", "cap", "cut", "path", "start_s", "stop_s", "walk"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON_VALUES.map(json.dumps).map(str.encode) | st.binary(max_size=40))
def test_no_sidecar_stops_the_reader(tmp_path: Path, content: bytes) -> None:
    for name in ("walk.json", "walk.txt", "metadata.json"):
        (tmp_path / name).write_bytes(content)
    told, _ = SidecarReader().read(tmp_path / "walk.mp4")
    assert all(one.text for one in told)


@pytest.mark.real
def test_the_outputs_of_the_opens2v_pipeline_are_read(real_media: Path, tmp_path: Path) -> None:
    """Step 0 as shared metadata, step 3 as a per-sample file: two captions, of which one stands in both."""
    demo = real_media / "dev" / "opens2v_demo"
    stem = "gm1252760410-365677148_part2"
    (tmp_path / "metadata.json").write_bytes((demo / "step0__merge_final_json__dataset1.json").read_bytes())
    step3 = f"step3__final_output__dataset1__{stem}_step1-0-95_step2-0-95_step4.json"
    (tmp_path / f"{stem}_step1-0-95_step2-0-95_step4.json").write_bytes((demo / step3).read_bytes())
    told, remarks = SidecarReader().read(tmp_path / f"{stem}.mp4")
    assert remarks == []
    assert [(one.text[:26], one.span) for one in told] == [
        ("Three women are seen outdo", (0.0, 95.0)),
        ("The video features three i", (0.0, 95.0)),
    ]
    assert not SidecarReader().read(tmp_path / "another.mp4")[0]


# The template


def scene(*, object_px: int = 0, camera_px: int = 0, num_frames: int = 40) -> np.ndarray:
    """Blue-gray texture under a camera that moves by `camera_px` a frame, with a red square moving by `object_px`."""
    rng = np.random.default_rng(3)
    texture = rng.integers(90, 160, (45, 240, 1)).repeat(3, axis=2).repeat(4, axis=0).repeat(4, axis=1)
    texture = np.clip(texture + np.array([-40, -10, 60]), 0, 255).astype(np.uint8)
    frames = []
    for index in range(num_frames):
        left = 200 + camera_px * index
        frame = texture[:, left : left + 320].copy()
        if object_px:
            x = 120 + object_px * (index - num_frames // 2)
            frame[60:120, x : x + 60] = (210, 30, 30)
            frame[70:110:8, x + 5 : x + 55] = (150, 20, 20)
        frames.append(frame)
    return np.stack(frames)


def described(frames: np.ndarray) -> str | Absent:
    clip = Clip(video_id="video_1", start_frame=0, stop_frame=len(frames), start_s=0.0, stop_s=1.6, opens_with="start")
    height, width = frames.shape[1:3]
    return TemplateCaptioner().caption(
        Footage(video(len(frames)), clip, ArrayReader(frames), (0.0, 0.0, float(width), float(height)))
    )


def test_the_template_names_colour_and_direction() -> None:
    assert described(scene(object_px=2)) == "Something in red moves to the right, with blue behind."
    assert described(scene(object_px=-2)) == "Something in red moves to the left, with blue behind."


def test_the_template_tells_the_camera_from_the_subject() -> None:
    assert described(scene(camera_px=3)) == "A still view in blue. The camera pans to the right."
    assert described(scene(camera_px=-3)) == "A still view in blue. The camera pans to the left."


def test_the_template_has_nothing_to_say_of_black() -> None:
    assert described(np.zeros((10, 180, 320, 3), np.uint8)) == Absent("the picture is black")


def test_the_template_works_on_one_frame() -> None:
    assert described(scene()[:1]) == "A still view in blue."


def test_a_template_person_is_a_subject_phrase() -> None:
    spans = RulePhrases().phrases("A person in red moves to the right, with blue behind.")
    assert [(span.category, span.role) for span in spans] == [("person", "subject")]


def test_a_captioner_is_asked_once_about_a_picture_of_a_clip() -> None:
    captioner = Asked("A dog sits on a chair.")
    frames = np.full((8, 90, 160, 3), 40, np.uint8)
    context = StageContext(ArrayReader(frames), roles={"Captioner": captioner})
    item = clip_item(frames)

    def written(stage: CaptionClips) -> object:
        return stage([item], cast(Context, context))[0]

    assert texts(written(CaptionClips(use_sidecars=False))) == ["A dog sits on a chair."]
    assert texts(written(CaptionClips(use_sidecars=False, max_words=50))) == ["A dog sits on a chair."]
    assert captioner.calls == 1, "another limit is no other question"
    (answer,) = context.answers.kept.values()
    assert (answer["raw"], answer["model"], answer["prompt"]) == ("A dog sits on a chair.", "says-1", "abc")
    cropped = StageContext(ArrayReader(frames), roles={"Captioner": captioner}, content=(0.0, 10.0, 160.0, 80.0))
    cropped.answers = context.answers
    CaptionClips(use_sidecars=False)([item], cast(Context, cropped))
    assert captioner.calls == 2, "another picture is"
    captioner.model_id = "says-2"
    written(CaptionClips(use_sidecars=False))
    assert captioner.calls == 3


def test_nothing_is_kept_of_a_captioner_that_cannot_be_asked() -> None:
    captioner = Asked(Absent("unavailable: HTTP 500"))
    frames = np.full((8, 90, 160, 3), 40, np.uint8)
    context = StageContext(ArrayReader(frames), roles={"Captioner": captioner})
    for _ in range(2):
        (result,) = CaptionClips(use_sidecars=False)([clip_item(frames)], cast(Context, context))
        assert isinstance(result, Failed) and result.kind == "unavailable"
    assert captioner.calls == 2 and context.answers.kept == {}
