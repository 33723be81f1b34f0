"""Embeddings of frames are made once for all metrics that ask alike, a few frames at a time."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.domain import CLIP_PREP, DINO_PREP, PREPARED, Absent, ModelUnavailable, Prep
from backend.models.pictures import sized
from metrics.embeddings import FLUSH, AestheticScores, FrameEmbeddings, PromptEmbedding, ReferenceEmbeddings
from metrics.framing import AllFrames, Linspace
from metrics.planner import Planner
from metrics.similarity import AestheticOpenS2vCompat, ClipIB32, ClipIL14, ClipT
from metrics.spec import Arrays, Entry, Found
from metrics.stage import roles_of
from metrics.store import FeatureStore
from metrics.vbench import AestheticQuality, BackgroundConsistency
from tests.metrics.conftest import MakeEntry

NUM_FRAMES = 40


@dataclass
class Levels:
    """An encoder whose unit vector is the angle `level / 255` of a grey picture; notes what it was shown."""

    model_id: str = "levels"
    shown: list[tuple[Prep, int]] = field(default_factory=list)

    def images(self, frames, prep: Prep) -> np.ndarray:
        self.shown.append((prep, len(frames)))
        angles = np.array([frame.mean() / 255 for frame in frames])
        return np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)

    def texts(self, texts):
        return np.array([[1.0, 0.0]] * len(texts), np.float32), np.array([len(text) > 20 for text in texts])

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        return embeddings @ np.array([10.0, 0.0])


@pytest.fixture
def encoder() -> Levels:
    return Levels()


@pytest.fixture
def watching(tmp_path: Path, encoder: Levels) -> Planner:
    return Planner(store=FeatureStore(tmp_path / "features"), roles=lambda name: encoder, model_id=lambda name: name)


@pytest.fixture
def entry(entry_of: MakeEntry, tmp_path: Path) -> Entry:
    for n, level in enumerate((0, 200)):
        Image.fromarray(np.full((60, 80, 3), level, np.uint8)).save(tmp_path / f"{n}.png")
    references = (str(tmp_path / "0.png"), str(tmp_path / "gone.png"), str(tmp_path / "1.png"))
    return entry_of([np.full((48, 64, 3), 5 * n, np.uint8) for n in range(NUM_FRAMES)], references=references)


def arrays(found: Found) -> Arrays:
    assert isinstance(found, dict)
    return found


def test_metrics_of_one_encoder_and_prep_share_one_pass(watching: Planner, entry: Entry, encoder: Levels) -> None:
    metrics = [ClipIL14(), AestheticOpenS2vCompat(), AestheticQuality(), BackgroundConsistency(encoder="ClipL14")]
    wanted = [feature for metric in metrics for feature in metric.features.values()]
    watching.features(entry, wanted)
    assert watching.decodes == 1
    per_prep = {prep: sum(num for p, num in encoder.shown if p == prep) for prep, _ in encoder.shown}
    assert per_prep == {CLIP_PREP: 2, PREPARED: 32 + NUM_FRAMES}, "frames and two references once each"


def test_encoders_of_one_prep_share_its_preparation(
    watching: Planner, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Prep] = []

    def counted(frame: np.ndarray, prep: Prep) -> np.ndarray:
        made.append(prep)
        return sized(frame, prep)

    monkeypatch.setattr("metrics.embeddings.sized", counted)
    wanted = [FrameEmbeddings(encoder=name, prep=CLIP_PREP) for name in ("ClipB32", "ClipL14")]
    watching.features(entry, [*wanted, FrameEmbeddings(encoder="DinoV1", prep=DINO_PREP)])
    assert made.count(CLIP_PREP) == made.count(DINO_PREP) == NUM_FRAMES, "each frame once a preparation"


def test_few_frames_are_held_at_a_time(watching: Planner, entry: Entry, encoder: Levels) -> None:
    (found,) = watching.features(entry, [FrameEmbeddings(encoder="ClipB32")])
    assert [num for _, num in encoder.shown] == [FLUSH, FLUSH, NUM_FRAMES - 2 * FLUSH]
    angles = np.arctan2(arrays(found)["embedding"][:, 1], arrays(found)["embedding"][:, 0])
    assert np.allclose(angles, np.arange(NUM_FRAMES) * 5 / 255, atol=0.01), "rows are in the frames' order"
    assert arrays(found)["frame"].tolist() == list(range(NUM_FRAMES))


def test_another_prep_is_another_feature(watching: Planner, entry: Entry) -> None:
    keys = {watching.key(FrameEmbeddings(encoder="DinoV1", prep=prep), entry) for prep in (CLIP_PREP, DINO_PREP)}
    assert len(keys) == 2


def test_unreadable_reference_is_a_row_of_nan(watching: Planner, entry: Entry) -> None:
    (found,) = watching.features(entry, [ReferenceEmbeddings(encoder="ClipB32")])
    assert np.isnan(arrays(found)["embedding"]).all(axis=1).tolist() == [False, True, False]
    assert arrays(found)["readable"].tolist() == [True, False, True]


def test_no_readable_reference_is_a_reason(watching: Planner, entry_of: MakeEntry, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    lacking = entry_of([np.zeros((48, 64, 3), np.uint8)], references=(str(tmp_path / "broken.png"),))
    (found,) = watching.features(lacking, [ReferenceEmbeddings(encoder="ClipB32")])
    assert isinstance(found, Absent) and found.reason.startswith("failed: no reference") and "broken.png" in found.reason


def test_clip_i_leaves_out_what_it_cannot_read(watching: Planner, entry: Entry) -> None:
    metric = ClipIB32(frames=Linspace(3))
    given = {
        name: arrays(found)
        for name, found in zip(metric.features, watching.features(entry, list(metric.features.values())))
    }
    measured = metric.combine(entry, given)
    angles = np.array([0, 19, 39]) * 5 / 255
    each = np.stack([np.cos(angles), np.cos(angles - 200 / 255)], 1)
    assert measured.value == pytest.approx(each.mean(), abs=2e-3)
    assert measured.coverage == pytest.approx(2 / 3) and measured.num_units == 3
    assert ClipIB32(frames=Linspace(3), over_references="max").combine(entry, given).value == pytest.approx(
        each.max(axis=1).mean(), abs=2e-3
    )
    assert measured.evidence["by_reference"].shape == (3, 3)


def test_clip_t_says_that_the_prompt_was_cut(watching: Planner, entry_of: MakeEntry) -> None:
    for prompt, cut in (("short", False), ("a prompt of more than twenty letters", True)):
        entry = entry_of([np.full((48, 64, 3), 90, np.uint8)] * 4, prompt=prompt, name=f"case_{cut}")
        metric = ClipT()
        found = watching.features(entry, list(metric.features.values()))
        measured = metric.combine(entry, {name: arrays(f) for name, f in zip(metric.features, found)})
        assert measured.value == pytest.approx(np.cos(90 / 255), abs=2e-3)
        assert measured.evidence["truncated"].tolist() == [cut]
        assert measured.num_units == 32, "four frames are repeated, as upstream repeats them"


def test_missing_head_does_not_cost_the_embeddings(entry: Entry, tmp_path: Path, encoder: Levels) -> None:
    def roles(name: str) -> object:
        if name == "AestheticMlp":
            raise ModelUnavailable("role AestheticMlp has no weights")
        return encoder

    watching = Planner(store=FeatureStore(tmp_path / "features"), roles=roles, model_id=lambda name: name)
    embeddings = FrameEmbeddings(encoder="ClipL14", frames=AllFrames())
    scores, frames = watching.features(entry, [AestheticScores(head="AestheticMlp", embeddings=embeddings), embeddings])
    assert scores == Absent("unavailable: role AestheticMlp has no weights")
    assert isinstance(frames, dict)
    assert roles_of(AestheticOpenS2vCompat()) == {"AestheticMlp", "ClipL14"}


def test_failed_encoder_is_the_scores_reason_too(entry: Entry, tmp_path: Path) -> None:
    def roles(name: str) -> object:
        raise ModelUnavailable(f"role {name} has no weights")

    watching = Planner(store=FeatureStore(tmp_path / "features"), roles=roles, model_id=lambda name: name)
    (scores,) = watching.features(entry, list(AestheticQuality().features.values()))
    assert scores == Absent("unavailable: role ClipL14 has no weights")


def test_prompt_is_embedded_once_for_all_systems(watching: Planner, entry_of: MakeEntry) -> None:
    entries = [entry_of([np.full((48, 64, 3), level, np.uint8)] * 3, prompt="one", name="x") for level in (10, 90)]
    assert entries[0].generation.content_hash != entries[1].generation.content_hash
    keys = {watching.key(PromptEmbedding(encoder="ClipB32"), entry) for entry in entries}
    assert len(keys) == 1
