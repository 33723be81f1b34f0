"""Results of GVHMR: files as it writes them, bodies of known azimuth, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from backend.domain import Absent, Clip, Facing, Footage, ModelUnavailable
from backend.models.gvhmr_results import GvhmrResults
from backend.models.places import ModelPlace
from tests.backend.stages.footage_in_memory import ArrayReader, video_of

NUM = 8
FRAMES = np.zeros((NUM, 72, 128, 3), np.uint8)
VIDEO = video_of(FRAMES)
AZIMUTHS = np.arange(NUM) * 45.0
CAMERA = np.array([[128.0, 0, 64], [0, 128, 36], [0, 0, 1]])
HERE, AWAY = (54.0, 10.0, 74.0, 70.0), (100.0, 10.0, 120.0, 70.0)


def footage(start: int = 0) -> Footage:
    clip = Clip(video_id=VIDEO.id, start_frame=start, stop_frame=NUM, start_s=0, stop_s=1, opens_with="cut")
    return Footage(VIDEO, clip, ArrayReader(FRAMES), (0, 0, 128, 72))


def parameters(num: int = NUM) -> dict[str, np.ndarray]:
    turns = [Rotation.from_euler("y", -a, degrees=True) * Rotation.from_euler("x", 180, degrees=True) for a in AZIMUTHS]
    orient = np.stack([turn.as_rotvec() for turn in turns])[:num]
    return {"global_orient": orient.astype(np.float32), "transl": np.tile([0, 0, 4], (num, 1)).astype(np.float32)}


def write_pt(path: Path, values: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: torch.from_numpy(value) for name, value in values.items()}
    tensors |= {"body_pose": torch.zeros(NUM, 63), "betas": torch.zeros(NUM, 10)}
    camera = torch.from_numpy(np.tile(CAMERA, (NUM, 1, 1)).astype(np.float32))
    torch.save({"smpl_params_incam": tensors, "smpl_params_global": tensors, "K_fullimg": camera}, path)


def results(folder: Path) -> GvhmrResults:
    return GvhmrResults(ModelPlace("PoseEstimator", str(folder)), device="cpu", dtype="float32")


@pytest.mark.parametrize("name", [f"{VIDEO.content_hash}.pt", f"{VIDEO.content_hash}/hmr4d_results.pt"])
def test_a_result_as_gvhmr_writes_it_gives_azimuths(tmp_path: Path, name: str) -> None:
    write_pt(tmp_path / name, parameters())
    found = results(tmp_path).facing(footage(), range(NUM), [HERE] * NUM)
    assert [round(f.azimuth_deg, 3) % 360 for f in found if isinstance(f, Facing)] == pytest.approx(AZIMUTHS, abs=1e-2)


def test_npz_of_a_clip_counts_from_the_clips_start(tmp_path: Path) -> None:
    given = footage(start=2)
    np.savez(tmp_path / f"{given.clip.id}.npz", **parameters(NUM - 2))  # pyright: ignore[reportArgumentType]
    (found,) = results(tmp_path).facing(given, [3], [HERE])
    assert found == Facing(pytest.approx(45.0, abs=1e-3), 1.0)  # type: ignore[arg-type]


def test_a_body_elsewhere_is_somebody_else(tmp_path: Path) -> None:
    write_pt(tmp_path / f"{VIDEO.content_hash}.pt", parameters())
    here, away = results(tmp_path).facing(footage(), [0, 0], [HERE, AWAY])
    assert isinstance(here, Facing)
    assert away == Absent("GVHMR followed somebody else")


def test_numbers_that_are_none_are_absent(tmp_path: Path) -> None:
    broken = parameters()
    broken["global_orient"][3] = np.nan
    np.savez(tmp_path / f"{VIDEO.content_hash}.npz", **broken)  # pyright: ignore[reportArgumentType]
    (found,) = results(tmp_path).facing(footage(), [3], [HERE])
    assert isinstance(found, Absent)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=f"no result of GVHMR for video {VIDEO.content_hash}"):
        results(tmp_path).facing(footage(), [0], [HERE])
    path = tmp_path / f"{VIDEO.content_hash}.pt"
    write_pt(path, parameters(NUM - 1))
    with pytest.raises(ModelUnavailable, match="7 frames, the video has 8"):
        results(tmp_path).facing(footage(), [0], [HERE])
    torch.save({"smpl_params_global": {}}, path)
    with pytest.raises(ModelUnavailable, match="no smpl_params_incam"):
        results(tmp_path).facing(footage(), [0], [HERE])
    write_pt(path, parameters())
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        results(tmp_path).facing(footage(), [0], [HERE])
    with pytest.raises(ModelUnavailable, match=r"models\.PoseEstimator"):
        GvhmrResults(ModelPlace("PoseEstimator", ""), device="cpu", dtype="float32")


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"smpl_params_incam": Path("/")}, tmp_path / f"{VIDEO.content_hash}.pt")
    with pytest.raises(ModelUnavailable, match="cannot be read as tensors"):
        results(tmp_path).facing(footage(), [0], [HERE])
