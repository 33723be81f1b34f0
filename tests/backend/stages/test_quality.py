import cv2
import numpy as np
import pytest

from backend.domain import Absent, Failed, Ok, Score
from backend.measures import technical
from backend.models import MODELS
from backend.models.classical_quality import HeuristicAesthetic, HeuristicTechnical
from backend.recipes import RECIPES
from backend.stages.quality import ScoreQuality
from tests.backend.measures.moving_pictures import shot
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext, clip_item

ROLES: dict[str, object] = {"AestheticScorer": HeuristicAesthetic(), "TechnicalScorer": HeuristicTechnical()}


class FirstPixel:
    """A scorer that shows which frames it was given."""

    model_id = "first-pixel-1"

    def score(self, frames: np.ndarray) -> float | Absent:
        return float(frames[:, 0, 0, 0].sum())


class Nothing:
    model_id = "nothing-1"

    def score(self, frames: np.ndarray) -> float | Absent:
        return Absent("no opinion")


def coded(picture: np.ndarray, *, quality: int) -> np.ndarray:
    """The picture after JPEG compression."""
    found = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_UNCHANGED)
    assert found is not None
    return np.asarray(found)


def scored(frames: np.ndarray, context: StageContext | None = None) -> dict[str, Score]:
    (result,) = ScoreQuality()([clip_item(frames)], context or StageContext(ArrayReader(frames), roles=ROLES))
    assert isinstance(result, Ok)
    return {row.name: row for row in result.rows if isinstance(row, Score)}


def test_scores_carry_the_model_that_gave_them_and_the_faults_the_stage():
    found = scored(shot(1, 20))
    assert found["aesthetic"].producer == "heuristic-aesthetic-1"
    assert found["technical"].producer == "heuristic-technical-1"
    assert {found[name].producer for name in ("sharpness", "blockiness", "noise", "clipping")} == {"score_quality/2"}
    assert all(score.num_units == 7 for score in found.values())


def test_seven_key_frames_are_scored():
    frames = np.zeros((15, 32, 32, 3), np.uint8)
    frames += np.arange(15, dtype=np.uint8)[:, None, None, None]
    context = StageContext(ArrayReader(frames), roles=ROLES | {"TechnicalScorer": FirstPixel()})
    assert scored(frames, context)["technical"].value == 0 + 2 + 4 + 7 + 9 + 11 + 13


def test_a_model_without_an_answer_gives_null_and_its_reason():
    frames = shot(2, 4)
    found = scored(frames, StageContext(ArrayReader(frames), roles=ROLES | {"AestheticScorer": Nothing()}))
    assert found["aesthetic"].value is None and found["aesthetic"].reason == "no opinion"
    assert found["technical"].value is not None


FAULTS = ("blur", "noise", "blocks", "clipping")


def spoilt(frames: np.ndarray, fault: str) -> np.ndarray:
    rng = np.random.default_rng(4)

    def spoil(frame: np.ndarray) -> np.ndarray:
        match fault:
            case "blur":
                return cv2.GaussianBlur(frame, (0, 0), 3)
            case "noise":
                return np.clip(frame + rng.normal(scale=25, size=frame.shape), 0, 255).astype(np.uint8)
            case "blocks":
                return coded(frame, quality=4)
            case _:
                return np.clip((frame.astype(np.float32) - 110) * 6 + 128, 0, 255).astype(np.uint8)

    return np.stack([spoil(frame) for frame in frames])


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_lowers_the_technical_score_and_moves_its_own_part(fault: str):
    clean = shot(3, 8)
    before, after = scored(clean), scored(spoilt(clean, fault))
    part, grows = {
        "blur": ("sharpness", False),
        "noise": ("noise", True),
        "blocks": ("blockiness", True),
        "clipping": ("clipping", True),
    }[fault]
    changed = (after[part].value or 0.0) - (before[part].value or 0.0)
    assert (changed > 0) == grows
    assert (after["technical"].value or 0.0) < (before["technical"].value or 0.0)


@pytest.mark.parametrize("fault", ["blur", "noise", "blocks"])
def test_opens2v_keeps_clean_clips_and_holds_spoilt_ones_back(fault: str):
    steps = RECIPES["opens2v"]({"TechnicalScorer": "embedded"})
    (gate,) = (gate for step in steps for gate in step.gates if gate.score == "technical")
    for seed in (3, 8, 11):
        clean = shot(seed, 3)
        assert gate.passes(scored(clean)["technical"].value)
        assert not gate.passes(scored(spoilt(clean, fault))["technical"].value)


def test_scores_stay_within_zero_and_one():
    rng = np.random.default_rng(5)
    for frames in (
        rng.integers(0, 256, (4, 90, 160, 3), np.uint8),
        np.zeros((4, 90, 160, 3), np.uint8),
        np.full((4, 1, 1, 3), 255, np.uint8),
        shot(6, 4),
    ):
        found = scored(frames)
        assert 0 <= (found["aesthetic"].value or 0.0) <= 1
        assert 0 <= (found["technical"].value or 0.0) <= 1


def test_a_colourful_picture_beats_its_grey_and_flat_copies():
    colour = shot(7, 1)
    grey = np.stack([cv2.cvtColor(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) for f in colour])
    flat = (120 + 0.2 * (grey.astype(np.float32) - 120)).astype(np.uint8)
    scores = [HeuristicAesthetic().score(frames) for frames in (colour, grey, flat)]
    assert scores == sorted(scores, key=lambda s: -1.0 if isinstance(s, Absent) else s, reverse=True)


def test_no_frames_have_no_score():
    none = np.zeros((0, 90, 160, 3), np.uint8)
    assert isinstance(HeuristicAesthetic().score(none), Absent)
    assert isinstance(HeuristicTechnical().score(none), Absent)


def test_borders_are_cut_off_on_the_coding_grid():
    frames = shot(8, 8)
    blocks = np.stack(
        [cv2.resize(np.ascontiguousarray(f[::8, ::8]), (320, 184), interpolation=cv2.INTER_NEAREST) for f in frames]
    )
    blocks = blocks[:, :180]
    blocks[:, :45] = 0
    content = (0.0, 45.0, 320.0, 180.0)
    found = scored(blocks, StageContext(ArrayReader(blocks), roles=ROLES, content=content))
    inside = np.mean([technical.blockiness(technical.luma(frame[48:])) for frame in blocks[:7]])
    assert found["blockiness"].value == pytest.approx(inside) and inside > 1


def test_an_unreadable_frame_fails_the_clip_by_its_kind():
    frames = shot(9, 10)
    context = StageContext(ArrayReader(frames, broken=frozenset({0})), roles=ROLES)
    (result,) = ScoreQuality()([clip_item(frames)], context)
    assert isinstance(result, Failed) and result.kind == "truncated"


def test_both_roles_are_bound_without_weights():
    for role in ScoreQuality.roles:
        assert MODELS[role]["embedded"].startswith("backend.models.classical_quality:Heuristic")
