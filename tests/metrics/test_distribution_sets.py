"""Sets of features from rows: distances in closed form, sums that are kept, and a reason wherever there is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from backend.domain import ImportRefused
from backend.engine.context import WorkerSettings
from metrics.distribution_sets import REAL, real_videos, set_distances, set_metrics

X = np.random.default_rng(0).normal(size=(60, 4))


@dataclass(frozen=True)
class Row:
    case_id: str
    system: str
    metric: str = "fid_features"
    evidence: str | None = None
    reason: str | None = None
    benchmark: str = "b"


class Shelf:
    """Artifacts by name, and which were read."""

    def __init__(self, **arrays: np.ndarray) -> None:
        self.arrays = arrays
        self.taken: list[str] = []

    def read(self, name: str) -> Mapping[str, np.ndarray]:
        self.taken.append(name)
        return {"features": self.arrays[name]}


@pytest.fixture
def workers(tmp_path: Path) -> WorkerSettings:
    """Only FID's network is bound, and its weights are missing: nothing here loads it."""
    return WorkerSettings(artifacts=tmp_path, roles={"FeatureExtractor": "backend.models.inception:InceptionFeatures"})


def distances(shelf: Shelf, rows: list[Row], real: list[Row], workers: WorkerSettings, tmp_path: Path, **options):
    systems = options.pop("systems", [("a", "b")])
    found = set_distances(
        rows,
        real,
        systems=systems,
        folder="/films",
        has_real=options.pop("has_real", True),
        workers=workers,
        read=shelf.read,
        store=tmp_path / "features",
    )
    return {(one.system, one.metric): one for one in found}


def test_distance_of_a_moved_set_is_the_square_of_the_move(workers: WorkerSettings, tmp_path: Path) -> None:
    """Two videos of 30 units each, all moved by (3, 4, 0, 0): 25, whatever video a unit is of."""
    move = np.array([3.0, 4.0, 0.0, 0.0])
    shelf = Shelf(r1=X[:20], r2=X[20:], g1=X[:30] + move, g2=X[30:] + move)
    real = [Row("one.mp4", REAL, evidence="r1"), Row("two.mp4", REAL, evidence="r2")]
    rows = [Row("c_1", "a", evidence="g1"), Row("c_2", "a", evidence="g2")]
    fid = distances(shelf, rows, real, workers, tmp_path)["a", "fid"]
    assert fid.value == pytest.approx(25, rel=1e-9) and fid.state == "scored"
    assert (fid.num_real_videos, fid.num_real_units, fid.num_videos, fid.num_units) == (2, 60, 2, 60)
    assert (fid.real, fid.clip_frames, fid.ddof) == ("/films", 1, 1)
    assert fid.extractor == "inception-v3-1@missing" and fid.remarks == ()


def test_sums_and_distances_are_made_once(workers: WorkerSettings, tmp_path: Path) -> None:
    shelf = Shelf(r=X, g=X + 1, h=X + 2)
    real, rows = [Row("r.mp4", REAL, evidence="r")], [Row("c", "a", evidence="g")]
    first = distances(shelf, rows, real, workers, tmp_path)
    assert sorted(shelf.taken) == ["g", "r"]
    assert distances(shelf, rows, real, workers, tmp_path) == first and sorted(shelf.taken) == ["g", "r"]
    both = distances(shelf, [*rows, Row("c", "h", evidence="h")], real, workers, tmp_path, systems=[("a", "b"), ("h", "b")])
    assert sorted(shelf.taken) == ["g", "h", "r"], "the real set is summed once for all systems"
    assert both["h", "fid"].value == pytest.approx(16)


def test_sums_that_are_lost_are_made_again(workers: WorkerSettings, tmp_path: Path) -> None:
    shelf = Shelf(r=X, g=X + 1)
    about = ([Row("c", "a", evidence="g")], [Row("r.mp4", REAL, evidence="r")], workers, tmp_path)
    first = distances(shelf, *about)
    for path in (tmp_path / "features").rglob("*.npz"):
        path.write_bytes(b"torn")
    assert distances(shelf, *about) == first and len(shelf.taken) == 4


def test_videos_that_could_not_be_used_are_told(workers: WorkerSettings, tmp_path: Path) -> None:
    shelf = Shelf(r=X, g=X + 1)
    real = [Row("r.mp4", REAL, evidence="r"), Row("torn.mp4", REAL, reason="failed: torn.mp4 is no video")]
    rows = [Row("c_1", "a", evidence="g"), *(Row(f"c_{n}", "a", reason="failed: gone") for n in range(2, 10))]
    fid = distances(shelf, rows, real, workers, tmp_path)["a", "fid"]
    assert fid.value == pytest.approx(4) and (fid.num_real_videos, fid.num_videos) == (1, 1)
    assert fid.remarks[0] == "real: torn.mp4: failed: torn.mp4 is no video" and fid.remarks[-1] == "… and 4 more"


def test_few_units_are_said_to_raise_the_distance(workers: WorkerSettings, tmp_path: Path) -> None:
    shelf = Shelf(r=X[:3], g=X)
    fid = distances(shelf, [Row("c", "a", evidence="g")], [Row("r.mp4", REAL, evidence="r")], workers, tmp_path)["a", "fid"]
    assert fid.value is not None
    assert fid.remarks == ("the real set has 3 units for 4 features: the distance comes out too large",)


@pytest.mark.parametrize(
    ("rows", "real", "state", "words"),
    [
        ([Row("c", "a", evidence="g")], [], "not_applicable", "a set of no videos (of the real set)"),
        (
            [],
            [Row("r", REAL, evidence="r")],
            "not_applicable",
            "fid_features was not measured of a; evaluate it with --real",
        ),
        (
            [Row("c", "a", evidence="one")],
            [Row("r", REAL, evidence="r")],
            "not_applicable",
            "a set of 1 units has no spread",
        ),
        (
            [Row("c", "a", evidence="g")],
            [Row("r", REAL, reason="failed: torn")],
            "failed",
            "failed: torn (of the real set)",
        ),
        ([Row("c", "a", reason="unavailable: no weights")], [Row("r", REAL, evidence="r")], "unavailable", "no weights"),
        ([Row("c", "a", evidence="inf")], [Row("r", REAL, evidence="r")], "failed", "a feature is not finite"),
        ([Row("c", "a", evidence="wide")], [Row("r", REAL, evidence="r")], "failed", "differ in length"),
    ],
)
def test_distance_that_cannot_be_has_a_reason(
    rows: list[Row], real: list[Row], state: str, words: str, workers: WorkerSettings, tmp_path: Path
) -> None:
    shelf = Shelf(r=X, g=X, one=X[:1], inf=np.where(X[0, 0] == X, np.inf, X), wide=np.ones((5, 7)))
    found = distances(shelf, rows, real, workers, tmp_path)["a", "fid"]
    assert (found.value, found.state) == (None, state) and words in (found.reason or "")


def test_without_a_real_set_only_what_was_measured_is_told(workers: WorkerSettings, tmp_path: Path) -> None:
    shelf = Shelf(g=X)
    found = distances(shelf, [Row("c", "a", evidence="g")], [], workers, tmp_path, has_real=False)
    assert set(found) == {("a", "fid")}
    assert "give one by `evaluate --real DIR`" in (found["a", "fid"].reason or "")


def test_unbound_role_is_named(workers: WorkerSettings, tmp_path: Path) -> None:
    fvd = distances(Shelf(g=X, r=X), [], [Row("r", REAL, evidence="r")], workers, tmp_path)["a", "fvd"]
    assert (fvd.state, fvd.reason) == (
        "unavailable",
        "unavailable: role ClipFeatureExtractor is not bound; set roles.ClipFeatureExtractor in project.toml",
    )


def test_real_set_asks_for_what_can_be_measured(workers: WorkerSettings) -> None:
    assert set_metrics(("clip_t",), workers, real=True) == ("fid_features",)
    assert set_metrics(("clip_t",), workers, real=False) == ()
    assert set_metrics(("fvd_features", "clip_t"), workers, real=True) == ("fvd_features",), "what is named is meant"


def test_real_set_is_each_content_once_wherever_it_lies(tmp_path: Path) -> None:
    for name, content in {"b.mp4": b"2", "in/a.mp4": b"1", "c.mp4": b"2", "note.txt": b"3", ".d.mp4": b"4"}.items():
        path = tmp_path / "films" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    found = real_videos(tmp_path / "films")
    assert sorted(case.name for case in found.cases) == ["b.mp4", "in/a.mp4"]
    assert any("c.mp4 is a copy of b.mp4" in line for line in found.remarks)
    assert {one.system for one in found.generations} == {REAL}
    (tmp_path / "films").rename(tmp_path / "moved")
    moved = real_videos(tmp_path / "moved")
    assert [case.id for case in moved.cases] == [case.id for case in found.cases], "known by names and contents"
    (tmp_path / "moved" / "b.mp4").write_bytes(b"5")
    assert real_videos(tmp_path / "moved").cases[0].benchmark != found.cases[0].benchmark


def test_folder_without_real_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="is not a folder; --real names the folder"):
        real_videos(tmp_path / "none")
    with pytest.raises(ImportRefused, match="holds no real video"):
        real_videos(tmp_path)
