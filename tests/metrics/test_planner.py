"""One decode serves every feature, a kept feature is never computed again, one failure touches no other."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from backend.domain import Absent, ModelUnavailable
from metrics.framing import AllFrames, FramePlan, Linspace
from metrics.planner import Planner
from metrics.spec import CaseFeature, Entry, VideoFeature
from metrics.store import FeatureStore
from tests.metrics.conftest import MakeEntry

NUM_FRAMES = 12
SEEN: list[tuple[str, int]] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Level(VideoFeature):
    """The grey level of frames that write their index as `10 index + 5`."""

    name: ClassVar[str] = "level"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"
    per_frame: ClassVar[bool] = True
    frames: FramePlan = field(default_factory=AllFrames)
    fails: str = ""

    @property
    def roles(self) -> tuple[str, ...]:
        return ("Toy",)

    def begin(self, facts, entry, roles, given):
        if self.fails == "model":
            raise ModelUnavailable("role Toy has no weights")
        return _Levels(self.fails)


class _Levels:
    def __init__(self, fails: str) -> None:
        self._fails, self._levels = fails, []

    def add(self, index: int, frame: np.ndarray) -> None:
        SEEN.append(("frame", index))
        if self._fails == "bug" and index == 3:
            raise ZeroDivisionError("planted")
        self._levels.append(round((float(frame.mean()) - 5) / 10))

    def finish(self):
        return {"level": np.array(self._levels)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words(CaseFeature):
    name: ClassVar[str] = "words"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "prompt"

    def compute(self, case, roles, given):
        SEEN.append(("words", len(case.prompt)))
        return {"num": np.array(len(case.prompt.split()))}


@pytest.fixture
def entry(entry_of: MakeEntry) -> Entry:
    SEEN.clear()
    return entry_of([np.full((48, 64, 3), 10 * n + 5, np.uint8) for n in range(NUM_FRAMES)])


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "features")


def planner(store: FeatureStore, model: str = "toy-1") -> Planner:
    return Planner(store=store, roles=lambda name: None, model_id=lambda name: model)


def test_features_that_differ_in_frames_share_one_pass(entry: Entry, store: FeatureStore) -> None:
    watching = planner(store)
    five, three = Level(frames=Linspace(5)), Level(frames=Linspace(3))
    (a,) = watching.features(entry, [five], beside=[three])
    (b,) = watching.features(entry, [three])
    assert watching.decodes == 1
    assert isinstance(a, dict) and isinstance(b, dict)
    assert a["level"].tolist() == a["frame"].tolist() == [0, 2, 5, 8, 11]
    assert b["level"].tolist() == b["frame"].tolist() == [0, 5, 11]
    assert len(SEEN) == len(set(SEEN)) == 5, "frames 0, 5 and 11 were looked at once"


def test_short_video_repeats_rows(entry: Entry, store: FeatureStore) -> None:
    (found,) = planner(store).features(entry, [Level(frames=Linspace(24))])
    assert isinstance(found, dict)
    assert found["level"].tolist() == np.linspace(0, 11, 24, dtype=int).tolist()


def test_kept_features_are_not_computed_again_by_another_run(entry: Entry, store: FeatureStore) -> None:
    first = planner(store).features(entry, [Level(), Words()])
    count = len(SEEN)
    again = planner(store)
    second = again.features(entry, [Level(), Words()])
    assert (again.decodes, len(SEEN)) == (0, count)
    assert [dict_of(a) for a in first] == [dict_of(b) for b in second]


def test_other_weights_are_another_feature(entry: Entry, store: FeatureStore) -> None:
    planner(store).features(entry, [Level()])
    other = planner(store, model="toy-2")
    other.features(entry, [Level()])
    assert other.decodes == 1


def test_missing_model_is_told_and_not_kept(entry: Entry, store: FeatureStore) -> None:
    lacking = Level(fails="model")
    absent, fine = planner(store).features(entry, [lacking, Level()])
    assert absent == Absent("unavailable: role Toy has no weights")
    assert isinstance(fine, dict)
    assert store.get(planner(store).key(lacking, entry)) is None


def test_fault_is_raised_to_whom_it_concerns_only(entry: Entry, store: FeatureStore) -> None:
    watching = planner(store)
    faulty = Level(fails="bug")
    (fine,) = watching.features(entry, [Level()], beside=[faulty])
    assert isinstance(fine, dict) and len(fine["level"]) == NUM_FRAMES
    with pytest.raises(ZeroDivisionError):
        watching.features(entry, [faulty])


def test_unreadable_video_gives_a_reason(entry_of: MakeEntry, store: FeatureStore, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0" * 500)
    (found,) = planner(store).features(entry_of(broken), [Level()])
    assert isinstance(found, Absent) and found.reason.startswith("failed: ")


def test_damaged_kept_feature_is_made_again(entry: Entry, store: FeatureStore, tmp_path: Path) -> None:
    (first,) = planner(store).features(entry, [Words()])
    for path in (tmp_path / "features").rglob("*.npz"):
        path.write_bytes(path.read_bytes()[:20])
    (again,) = planner(store).features(entry, [Words()])
    assert dict_of(first) == dict_of(again)


def dict_of(found) -> dict:
    return {name: values.tolist() for name, values in found.items()}


def test_what_is_of_the_case_is_computed_once_for_all_systems(entry_of: MakeEntry, store: FeatureStore) -> None:
    SEEN.clear()
    first = entry_of([np.full((48, 64, 3), 50, np.uint8)] * 3, name="singleobj_1")
    second = entry_of([np.full((48, 64, 3), 90, np.uint8)] * 3, name="singleobj_2", prompt=first.case.prompt)
    other_system = Entry(first.case, second.generation)
    for entry in (first, other_system):
        planner(store).features(entry, [Words()])
    assert [what for what, _ in SEEN] == ["words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubled(Level):
    """Needs the level first, and gives twice as much; without it, passes on why."""

    name: ClassVar[str] = "doubled"
    per_frame: ClassVar[bool] = False
    frames: FramePlan = field(default_factory=lambda: Linspace(2))

    @property
    def inputs(self):
        return {"level": Level(fails=self.fails)}

    def begin(self, facts, entry, roles, given):
        return _Passed(given["level"])


class _Passed:
    def __init__(self, given) -> None:
        self._given = given

    def add(self, index: int, frame: np.ndarray) -> None: ...

    def finish(self):
        return self._given if isinstance(self._given, Absent) else {"level": 2 * self._given["level"]}


def test_fault_of_what_a_feature_needs_is_no_fault_of_its_neighbours(entry: Entry, store: FeatureStore) -> None:
    watching = planner(store)
    (fine,) = watching.features(entry, [Level(frames=Linspace(2))], beside=[Doubled(fails="bug")])
    assert isinstance(fine, dict)
    with pytest.raises(ZeroDivisionError):
        watching.features(entry, [Doubled(fails="bug")])


def test_what_lacked_a_model_is_not_kept(entry: Entry, store: FeatureStore) -> None:
    (absent,) = planner(store).features(entry, [Doubled(fails="model")])
    assert isinstance(absent, Absent) and absent.reason.startswith("unavailable")
    assert store.get(planner(store).key(Doubled(fails="model"), entry)) is None
    (found,) = planner(store).features(entry, [Doubled()])
    assert isinstance(found, dict) and found["level"].tolist() == [2 * n for n in range(NUM_FRAMES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(Level):
    """Needs the words of the prompt first."""

    name: ClassVar[str] = "counted"
    per_frame: ClassVar[bool] = False

    @property
    def inputs(self):
        return {"words": Words()}

    def begin(self, facts, entry, roles, given):
        return _Passed({"level": given["words"]["num"]})


def test_what_waits_for_the_case_shares_the_decode(entry: Entry, store: FeatureStore) -> None:
    watching = planner(store)
    level, counted = watching.features(entry, [Level(), Counted()])
    assert watching.decodes == 1
    assert isinstance(level, dict) and isinstance(counted, dict)
    assert counted["level"] == 2 * len(entry.case.prompt.split())
