"""VBench's formulas by hand, its one-video loops over tiny networks, and videos that are too short."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.domain import Absent
from backend.media.reader import VideoReader
from backend.models.clip import ClipB32
from backend.models.dino import DinoV1
from backend.models.places import ModelPlace
from metrics.planner import Planner
from metrics.similarity import AestheticOpenS2vCompat
from metrics.spec import Entry, Measured, Metric
from metrics.store import FeatureStore
from metrics.vbench import (
    AestheticQuality,
    BackgroundConsistency,
    I2vSubject,
    ImagingQuality,
    MotionSmoothness,
    OverallConsistency,
    SubjectConsistency,
)
from tests.backend.models import tiny_vision
from tests.metrics.conftest import MakeEntry


def measured(metric: Metric, entry: Entry, folder: Path, role: object = None) -> Measured:
    planner = Planner(store=FeatureStore(folder), roles=lambda name: role, model_id=lambda name: name)
    found = planner.features(entry, list(metric.features.values()))
    for given in found:
        if isinstance(given, Absent):
            return Measured(value=given)
    return metric.combine(entry, dict(zip(metric.features, found, strict=True)))  # pyright: ignore[reportArgumentType]


def noise(num: int, size: tuple[int, int] = (72, 128), seed: int = 0) -> np.ndarray:
    """Frames that change slowly: blocks of colour, mixed from two pictures."""
    rng = np.random.default_rng(seed)
    first, last = (rng.integers(0, 256, (size[0] // 8, size[1] // 8, 3)).repeat(8, 0).repeat(8, 1) for _ in range(2))
    return np.stack([(first * (1 - t) + last * t).astype(np.uint8) for t in np.linspace(0, 1, num)])


ANGLES = np.radians([0, 60, 180, 90])
FRAMES = {"embedding": np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1).astype(np.float32), "frame": np.arange(4)}


@pytest.mark.parametrize("metric", [SubjectConsistency(), BackgroundConsistency()])
def test_consistency_by_hand(metric: Metric, entry_of: MakeEntry) -> None:
    found = metric.combine(entry_of(noise(1)), {"frames": FRAMES})
    # to the frame before: cos 60, cos 120 below 0, cos 90; to the first: cos 60, cos 180 below 0, cos 90
    assert found.value == pytest.approx((0.5 + 0 + 0) / 3, abs=1e-6)
    assert found.per_frame["to_before"] == pytest.approx([0.5, 0, 0], abs=1e-6)
    assert found.per_frame["to_first"] == pytest.approx([0.5, 0, 0], abs=1e-6)
    assert found.per_frame["frame"].tolist() == [1, 2, 3]


def test_equal_embeddings_are_wholly_consistent(entry_of: MakeEntry) -> None:
    still = {"embedding": np.full((5, 4), 0.5, np.float32), "frame": np.arange(5)}
    assert SubjectConsistency().combine(entry_of(noise(1)), {"frames": still}).value == 1


def test_i2v_subject_by_hand(entry_of: MakeEntry) -> None:
    reference = {"embedding": np.array([[0.6, 0.8], [1, 0]], np.float32), "readable": np.array([True, True])}
    entry = entry_of(noise(1), references=("a", "b"))
    found = I2vSubject().combine(entry, {"frames": FRAMES, "references": reference})
    best = 0.6 * np.cos(np.pi / 3) + 0.8 * np.sin(np.pi / 3)
    assert found.value == pytest.approx(0.4 * best + 0.3 * 0.5 / 3 + 0.3 * 0, abs=1e-6)
    assert found.coverage == 0.5, "of two references one is asked for"


def test_i2v_subject_needs_its_first_reference(entry_of: MakeEntry) -> None:
    lost = {"embedding": np.array([[np.nan, np.nan], [1, 0]], np.float32), "readable": np.array([False, True])}
    found = I2vSubject().combine(entry_of(noise(1)), {"frames": FRAMES, "references": lost})
    assert isinstance(found.value, Absent) and found.value.reason.startswith("failed")


def test_aesthetic_and_imaging_quality_are_scaled_means(entry_of: MakeEntry) -> None:
    entry, frame = entry_of(noise(1)), np.arange(3)
    scores = {"scores": {"score": np.array([4.0, 5.0, 7.5]), "frame": frame}}
    assert AestheticQuality().combine(entry, scores).value == pytest.approx(0.55)
    upstream = AestheticOpenS2vCompat().combine(entry, scores)
    assert upstream.value == pytest.approx(5.5), "on the predictor's own scale"
    assert (upstream.num_units, upstream.per_frame["aesthetic"].tolist()) == (3, [4.0, 5.0, 7.5])
    quality = {"quality": {"quality": np.array([60.0, 70.0, 80.0]), "frame": frame}}
    assert ImagingQuality().combine(entry, quality).value == pytest.approx(0.70)


def test_overall_consistency_is_a_cosine_that_may_be_below_zero(entry_of: MakeEntry) -> None:
    video = {"embedding": np.array([0.6, 0.8], np.float32), "frame": np.arange(8)}
    prompt = {"embedding": np.array([-1, 0], np.float32), "truncated": np.array([True])}
    found = OverallConsistency().combine(entry_of(noise(1)), {"video": video, "prompt": prompt})
    assert found.value == pytest.approx(-0.6)
    assert found.evidence["truncated"].tolist() == [True]


class Halfway:
    """Interpolates as the mean of both frames."""

    model_id = "halfway"

    def between(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        return ((before.astype(np.uint16) + after) // 2).astype(np.uint8)


@pytest.mark.parametrize(("num", "frames"), [(7, [1, 3, 5]), (8, [1, 3, 5]), (3, [1])])
def test_linear_ramp_is_smooth(entry_of: MakeEntry, tmp_path: Path, num: int, frames: list[int]) -> None:
    ramp = [np.full((64, 96, 3), 40 + 8 * n, np.uint8) for n in range(num)]
    found = measured(MotionSmoothness(), entry_of(ramp), tmp_path, Halfway())
    assert found.value == pytest.approx(1, abs=1 / 255)
    assert found.per_frame["frame"].tolist() == frames, "the last of an even number has no right neighbour"


def test_flicker_is_not_smooth(entry_of: MakeEntry, tmp_path: Path) -> None:
    flicker = [np.full((64, 96, 3), 60 + 51 * (n % 2), np.uint8) for n in range(9)]
    assert measured(MotionSmoothness(), entry_of(flicker), tmp_path, Halfway()).value == pytest.approx(0.8, abs=4e-3)


@pytest.mark.parametrize("num", [1, 2])
def test_two_frames_have_none_between(entry_of: MakeEntry, tmp_path: Path, num: int) -> None:
    found = measured(MotionSmoothness(), entry_of(noise(num)), tmp_path, Halfway()).value
    assert isinstance(found, Absent) and found.reason.startswith("too short")


@pytest.fixture(scope="module")
def dino(tmp_path_factory: pytest.TempPathFactory) -> DinoV1:
    torch.set_num_threads(1)
    folder = tiny_vision.save_dino(tmp_path_factory.mktemp("vbench") / "vit", "vit")
    return DinoV1(ModelPlace("DinoV1", str(folder)), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipB32:
    torch.set_num_threads(1)
    folder = tiny_vision.save_clip(tmp_path_factory.mktemp("vbench") / "clip")
    return ClipB32(ModelPlace("ClipB32", str(folder)), device="cpu", dtype="float32")


SUBJECT, BACKGROUND = 0.9548397, 0.9773443
"""What the loop below gives of the tiny networks over the frames of `noise(20)` as they are before any codec."""
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


def shown_to_vbench(frame: np.ndarray, mode: str, colours: tuple, *, crop: bool) -> torch.Tensor:
    """A frame 72 x 128 as VBench's transforms show it: floats, short side 224, the middle, colours; torch alone."""
    x = torch.from_numpy(frame.astype(np.float32)).permute(2, 0, 1)[None]
    x = torch.nn.functional.interpolate(x, size=(224, 398), mode=mode, align_corners=False)
    x = x[..., 87:311] if crop else x
    mean, deviation = (torch.tensor(part)[None, :, None, None] for part in colours)
    return (x / 255 - mean) / deviation


def vbenchs_loop(frames: Iterable[np.ndarray], feature_of: Callable[[np.ndarray], torch.Tensor]) -> float:
    """subject_consistency.py and background_consistency.py: each frame beside the one before and the first."""
    total, num, former, first = 0.0, 0, torch.empty(0), torch.empty(0)
    with torch.inference_mode():
        for n, frame in enumerate(frames):
            feature = torch.nn.functional.normalize(feature_of(frame), dim=-1)
            if n:
                pairs = (torch.cosine_similarity(former, feature).item(), torch.cosine_similarity(first, feature).item())
                total, num = total + sum(max(0.0, value) for value in pairs) / 2, num + 1
            else:
                first = feature
            former = feature
    return total / num


def frames_of(entry: Entry) -> list[np.ndarray]:
    with VideoReader(entry.generation.path) as reader:
        return list(reader.at(range(reader.num_frames)))


def test_subject_consistency_equals_vbenchs_loop(entry_of: MakeEntry, tmp_path: Path, dino: DinoV1) -> None:
    entry = entry_of(noise(20))

    def feature(frame: np.ndarray) -> torch.Tensor:
        shown = shown_to_vbench(frame, "bilinear", IMAGENET, crop=False)
        return dino._model(shown, interpolate_pos_encoding=True)[0][:, 0]

    found = measured(SubjectConsistency(), entry, tmp_path, dino)
    assert found.value == pytest.approx(vbenchs_loop(frames_of(entry), feature), abs=1e-6)
    assert found.num_units == 19
    assert found.per_frame["to_first"].min() < 0.999, "the video changes"


def test_background_consistency_equals_vbenchs_loop(entry_of: MakeEntry, tmp_path: Path, clip: ClipB32) -> None:
    entry = entry_of(noise(20))

    def feature(frame: np.ndarray) -> torch.Tensor:
        shown = shown_to_vbench(frame, "bicubic", OPENAI, crop=True)
        return clip._model.get_image_features(pixel_values=shown).pooler_output

    found = measured(BackgroundConsistency(), entry, tmp_path, clip)
    assert found.value == pytest.approx(vbenchs_loop(frames_of(entry), feature), abs=1e-6)
    assert found.num_units == 19
    assert found.per_frame["to_first"].min() < 0.999, "the video changes"


def test_consistency_of_known_frames_is_what_vbenchs_loop_gave(entry_of: MakeEntry, dino: DinoV1, clip: ClipB32) -> None:
    """Values that both sides are held to, should they ever change together; without a codec, which blurs colours."""
    frames = list(noise(20))
    for metric, encoder, expected in (
        (SubjectConsistency(), dino, SUBJECT),
        (BackgroundConsistency(), clip, BACKGROUND),
    ):
        given = {"frames": {"embedding": encoder.images(frames, metric.prep), "frame": np.arange(20)}}
        assert metric.combine(entry_of(noise(1)), given).value == pytest.approx(expected, abs=1e-5)


def test_one_frame_has_no_consistency(entry_of: MakeEntry, tmp_path: Path, dino: DinoV1) -> None:
    found = measured(SubjectConsistency(), entry_of(noise(1)), tmp_path, dino).value
    assert isinstance(found, Absent) and found.reason.startswith("too short")
