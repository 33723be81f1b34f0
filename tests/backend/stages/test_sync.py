"""Sound and lips of clips by a scorer that says what it is told to: offsets, silence, wrong sound, short faces."""

from pathlib import Path

import numpy as np
import pytest

from backend.domain import Absent, Clip, Filtered, Item, Ok, Score, Track, Video
from backend.media.writer import write_video
from backend.stages.sync import MeasureSync
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext, clip_item

FRAMES = np.zeros((60, 90, 160, 3), np.uint8)
BOX = (40.0, 10.0, 100.0, 70.0)


class Told:
    model_id = "told-1"
    least_confidence = 3.0

    def __init__(self, late: int = 0, *, lead: float = 5.0, answer: object = None) -> None:
        self._late, self._lead, self._answer = late, lead, answer
        self.heard: list[tuple[tuple[int, ...], np.ndarray]] = []

    def distances(self, crops: np.ndarray, samples: np.ndarray):
        self.heard.append((crops.shape, samples))
        if self._answer is not None:
            return self._answer
        found = np.full((len(crops) - 5, 31), 10.0, np.float32)
        found[:, 15 + self._late] = 10.0 - self._lead
        return found


class WithFile(StageContext):
    file = ""

    def path(self, video: Video, item: Item) -> str:
        return self.file


def write_sound(path: Path, samples: np.ndarray, *, picture_from_s: float = 0.0) -> Path:
    times = [picture_from_s + n / 25 for n in range(len(FRAMES))]
    write_video(path, FRAMES, fps=25, audio=((samples / 32768).astype(np.float32), 16_000), times_s=times)
    return path


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    return write_sound(tmp_path / "tone.mkv", 8000 * np.sin(np.arange(16_000 * 3) / 8))


def measure(file: Path | str, scorer: Told, *, last: int = 59, has_audio: bool = True, box=BOX):
    import dataclasses

    item = clip_item(FRAMES)
    clip, video = item.one(Clip), dataclasses.replace(item.one(Video), has_audio=has_audio)
    face = Track(clip_id=clip.id, kind="face", frames=(0, last), boxes=(box, box), scores=(1.0, 1.0))
    context = WithFile(ArrayReader(FRAMES), roles={"SyncScorer": scorer})
    context.file = str(file)
    (result,) = MeasureSync()([Item(item.id, {Clip: (clip,), Video: (video,), Track: (face,)})], context)
    return result


def scores(result) -> dict[str, tuple[float | None, str | None]]:
    assert isinstance(result, Ok)
    return {row.name: (row.value, row.reason) for row in result.rows if isinstance(row, Score)}


@pytest.mark.parametrize("late", [0, 4, -8])
def test_the_offset_is_how_late_the_sound_comes(tone: Path, late: int) -> None:
    scorer = Told(late)
    found = scores(measure(tone, scorer))
    assert found == {"sync_offset": (late, None), "sync_shift": (abs(late), None), "sync_confidence": (5, None)}
    ((shape, samples),) = scorer.heard
    assert shape == (60, 224, 224, 3) and len(samples) == 60 * 640 and samples.dtype == np.int16


def test_sound_that_fits_nowhere_is_named(tone: Path) -> None:
    found = scores(measure(tone, Told(2, lead=1.5)))
    assert found["sync_confidence"] == (1.5, None)
    assert found["sync_shift"] == (None, "the lips follow the sound at no shift: confidence 1.50, needs 3")


def test_silence_is_named(tmp_path: Path) -> None:
    result = measure(write_sound(tmp_path / "still.mkv", np.zeros(48_000)), Told())
    assert isinstance(result, Filtered) and result.reason == "the clip's sound is silent"


def test_no_sound_no_face_and_short_faces_are_named(tone: Path) -> None:
    reasons = {
        "the video has no sound": measure(tone, Told(), has_audio=False),
        "no face of 48 px is followed": measure(tone, Told(), box=(0, 0, 30, 30)),
        "no face is followed for 1.2 s": measure(tone, Told(), last=20),
    }
    for reason, result in reasons.items():
        assert isinstance(result, Filtered) and result.reason == reason


def test_nonsense_of_the_model_is_named(tone: Path) -> None:
    result = measure(tone, Told(answer=np.full((55, 31), np.nan)))
    assert isinstance(result, Filtered) and result.reason == "the model gave no distances"
    result = measure(tone, Told(answer=Absent("not applicable: so it is")))
    assert isinstance(result, Filtered) and result.reason == "not applicable: so it is"


def test_the_first_sample_is_heard_with_the_first_frame(tmp_path: Path) -> None:
    """A click 1 s into the file, whose first frame is shown at .4 s: heard .6 s after it."""
    samples = np.zeros(16_000 * 3)
    samples[16_000:16_400] = 16_000 * np.sin(np.arange(400) / 4)
    scorer = Told()
    scores(measure(write_sound(tmp_path / "late.mkv", samples, picture_from_s=0.4), scorer))
    ((_, heard),) = scorer.heard
    assert np.flatnonzero(np.abs(heard.astype(int)) > 6000)[0] / 16_000 == pytest.approx(0.6, abs=0.01)
