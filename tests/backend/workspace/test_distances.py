"""FID and FVD of a project's systems: the real set is encoded once, and whatever lacks is said instead of a number."""

import json
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from backend.api import Api, EvaluationJob
from backend.domain import ImportRefused
from backend.domain.ranking import SetDistance
from backend.media.writer import write_video
from backend.models.inception import FILES
from backend.models.video_features import I3D_FILE
from backend.settings import ProjectSettings
from backend.workspace import Workspace

pytestmark = pytest.mark.slow  # together they take too long for the fast run

CLIP = 16  # frames of one unit of FVD
COLOURS = ((60,) * 3, (90,) * 3, (110,) * 3, (150,) * 3)  # greys, which a file keeps to a level
MOVE = (60, 60, 60)


def films(folder: Path, move: tuple[int, int, int] = (0, 0, 0), names: tuple[str, ...] = ("c_1", "c_2")) -> Path:
    """Two videos of two clips each, one colour a clip, all of them moved."""
    folder.mkdir()
    for number, name in enumerate(names):
        colours = np.add(COLOURS[2 * number : 2 * number + 2], move).astype(np.uint8)
        frames = (np.full((48, 64, 3), colours[t // CLIP], np.uint8) for t in range(2 * CLIP))
        write_video(folder / f"{name}.mp4", frames, fps=16.0, crf=1)
    return folder


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    case = {"img_paths": ["a.png"], "prompt": "A colour.", "class_label": ["Cup"]}
    path = tmp_path / "colours.json"
    path.write_text(json.dumps({"c_1": case, "c_2": {**case, "prompt": "Another colour."}}))
    return path


@pytest.fixture(scope="module")
def mean_colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TorchScript called as I3D's file is, whose features are a clip's mean colour on [-1, 1]."""
    import torch

    torch.set_num_threads(1)

    class Script(torch.nn.Module):
        def forward(
            self, x: torch.Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
        ) -> torch.Tensor:
            return (2 * x / 255 - 1).mean(dim=[2, 3, 4])

    folder = tmp_path_factory.mktemp("i3d")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.script(Script()).save(str(folder / I3D_FILE))
    return folder


def bound(workspace: Workspace, role: str, place: Path) -> None:
    workspace.use(ProjectSettings(roles={role: "paper"}, models={role: str(place)}, device="cpu"))


def evaluated(api: Api, cases: Path, videos: Path, system: str = "a", **options: object) -> EvaluationJob:
    about = {"metrics": ("temporal_flickering",), "engine": "inline", **options}
    asked = api.evaluate(cases=str(cases), videos=str(videos), system=system, **about)  # pyright: ignore[reportArgumentType]
    job, deadline = asked.job, time.monotonic() + 120
    while job.state in ("queued", "running"):
        assert time.monotonic() < deadline, "evaluation hangs"
        time.sleep(0.01)
        job = api.progress(job_id=job.job_id)
    assert job.state == "done", job.message
    return asked


def distance(api: Api, metric: str, system: str = "a") -> SetDistance:
    (found,) = [one for one in api.set_distances(systems=(system,)) if one.metric == metric]
    return found


def test_fvd_of_moved_colours_is_the_square_of_the_move(
    api: Api, workspace: Workspace, cases: Path, mean_colours: Path, tmp_path: Path
) -> None:
    bound(workspace, "ClipFeatureExtractor", mean_colours)
    real = films(tmp_path / "real", names=("x", "y"))
    asked = evaluated(api, cases, films(tmp_path / "a", MOVE), real=str(real))
    assert asked.metrics == ("temporal_flickering", "fvd_features"), "fid_features has no role here"
    fvd = distance(api, "fvd")
    assert fvd.value == pytest.approx(sum((2 * step / 255) ** 2 for step in MOVE), rel=0.03)
    assert (fvd.num_real_videos, fvd.num_real_units, fvd.num_videos, fvd.num_units) == (2, 4, 2, 4)
    assert (fvd.clip_frames, fvd.benchmark.partition("@")[0], fvd.real) == (CLIP, "colours", str(real))
    assert fvd.extractor.startswith("i3d-kinetics400-1@")
    assert distance(api, "fid").reason == (
        "unavailable: role FeatureExtractor is not bound; set roles.FeatureExtractor in project.toml"
    )


def test_real_set_is_encoded_once_for_all_systems(
    api: Api, workspace: Workspace, cases: Path, mean_colours: Path, tmp_path: Path
) -> None:
    bound(workspace, "ClipFeatureExtractor", mean_colours)
    real = films(tmp_path / "real", names=("x", "y"))
    evaluated(api, cases, films(tmp_path / "a", MOVE), real=str(real))
    count = "SELECT count(*) FROM work WHERE stage = 'measure_fvd_features'"
    assert workspace.catalog.query(count) == [(4,)], "two real videos, two of a"
    evaluated(api, cases, films(tmp_path / "b", (30, 30, 30)), system="b", real=str(real))
    assert workspace.catalog.query(count) == [(6,)], "and two of b"
    board = api.leaderboard()
    found = [(s.system, s.rank) for s in board.standings if s.metric == "fvd" and not s.kind]
    assert found == [("b", 1), ("a", 2)], "nearer is better"
    values = {one.system: one.value for one in board.distances if one.metric == "fvd"}
    assert values["a"] == pytest.approx(4 * (values["b"] or 0), rel=0.05), "twice as far, four times the square"
    assert {row.system for row in api.evaluation()} == {"a", "b"}, "real videos are no system"
    assert board.benchmark.startswith("colours@") and board.cases == 2, "and their cases no benchmark"


def test_set_that_was_given_last_is_the_real_one(
    api: Api, workspace: Workspace, cases: Path, mean_colours: Path, tmp_path: Path
) -> None:
    bound(workspace, "ClipFeatureExtractor", mean_colours)
    near, far = films(tmp_path / "near", names=("x", "y")), films(tmp_path / "far", MOVE, names=("x", "y"))
    for real, expected in ((near, 0.0), (far, 0.664), (near, 0.0)):
        videos = tmp_path / "a" if (tmp_path / "a").exists() else films(tmp_path / "a")
        evaluated(api, cases, videos, real=str(real))
        assert distance(api, "fvd").value == pytest.approx(expected, abs=0.02)
        assert distance(api, "fvd").real == str(real)


def test_real_files_that_cannot_be_read_are_told(
    api: Api, workspace: Workspace, cases: Path, mean_colours: Path, tmp_path: Path
) -> None:
    bound(workspace, "ClipFeatureExtractor", mean_colours)
    real = films(tmp_path / "real", names=("x", "y"))
    (real / "torn.mp4").write_bytes(b"\0" * 400)
    evaluated(api, cases, films(tmp_path / "a"), real=str(real))
    fvd = distance(api, "fvd")
    assert fvd.value == pytest.approx(0, abs=1e-3) and fvd.num_real_videos == 2
    assert any(line.startswith("real: torn.mp4: failed: ") for line in fvd.remarks)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "torn.mp4").write_bytes(b"\1" * 400)
    evaluated(api, cases, tmp_path / "a", real=str(tmp_path / "bad"))
    assert distance(api, "fvd").state == "failed"
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ImportRefused, match="holds no real video"):
        evaluated(api, cases, tmp_path / "a", real=str(empty))


def test_missing_weights_and_no_real_set_are_states(api: Api, workspace: Workspace, cases: Path, tmp_path: Path) -> None:
    evaluated(api, cases, films(tmp_path / "a"))
    assert api.set_distances() == (), "nobody asked"
    bound(workspace, "ClipFeatureExtractor", tmp_path / "nowhere")
    evaluated(api, cases, tmp_path / "a", metrics=("fvd_features",))
    assert distance(api, "fvd").reason == (
        "not applicable: there is no set of real videos; give one by `evaluate --real DIR`"
    )
    evaluated(api, cases, tmp_path / "a", real=str(films(tmp_path / "real")))
    fvd = distance(api, "fvd")
    assert fvd.state == "unavailable" and "nowhere" in (fvd.reason or "")
    (standing,) = [s for s in api.leaderboard().standings if s.metric == "fvd"]
    assert (standing.value, standing.rank) == (None, None) and standing.reason == fvd.reason


@pytest.mark.slow
def test_fid_of_a_set_from_itself_is_nothing(workspace: Workspace, cases: Path, tmp_path: Path) -> None:
    import torch
    import torchvision

    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = torchvision.models.inception_v3(weights=None, init_weights=False, aux_logits=False)
    (tmp_path / "inception").mkdir()
    torch.save(network.state_dict(), tmp_path / "inception" / FILES[1])
    bound(workspace, "FeatureExtractor", tmp_path / "inception")
    for folder, names in (("real", ("x", "y")), ("a", ("c_1", "c_2"))):
        (tmp_path / folder).mkdir()
        for number, name in enumerate(names):
            ramp = (np.full((48, 64, 3), 40 + 30 * t + 9 * number, np.uint8) for t in range(3))
            write_video(tmp_path / folder / f"{name}.mp4", ramp, fps=3.0, crf=1)
    evaluated(workspace, cases, tmp_path / "a", real=str(tmp_path / "real"))  # pyright: ignore[reportArgumentType]
    fid = distance(workspace, "fid")  # pyright: ignore[reportArgumentType]
    assert fid.value == pytest.approx(0, abs=1e-4) and (fid.num_real_units, fid.num_units) == (6, 6)
    assert fid.remarks[0] == "the generated set has 6 units for 2048 features: the distance comes out too large"
