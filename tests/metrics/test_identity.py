"""FaceSim and ArcFace metrics: upstream's rules, matching by identity, what is missing is told."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from insightface.utils import face_align

from backend.domain import Absent, Generation, ModelUnavailable
from backend.media.images import encode_png, read_image
from backend.media.reader import VideoReader
from backend.models.curricular_face import CurricularFace
from backend.models.insight_faces import InsightFaces
from metrics.benchmark import read_cases
from metrics.framing import AllFrames, Linspace
from metrics.identity import (
    ArcFaceExpression,
    ArcFaceExpressionAssigned,
    ArcFaceLong,
    ArcFaceLongStrict,
    FaceSimArc,
    FaceSimArcCompat,
    FaceSimCur,
    FaceSimCurCompat,
    people_of,
)
from metrics.identity_faces import FrameFaces
from metrics.planner import Planner
from metrics.spec import Entry, Measured, Metric
from metrics.store import FeatureStore
from tests.metrics.checkpoints_faces import cell, place, scene, write_curricular, write_pack
from tests.metrics.conftest import MakeEntry

Measure = Callable[[Metric, Entry], Measured]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> InsightFaces:
    pack = write_pack(tmp_path_factory.mktemp("pack"))
    return InsightFaces(place("FaceRecognizer", pack), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def roles(faces: InsightFaces, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    path = write_curricular(tmp_path_factory.mktemp("curricular") / "ir.bin")
    curricular = CurricularFace(place("AlignedFaceEmbedder", path), device="cpu", dtype="float32")
    return {"FaceRecognizer": faces, "AlignedFaceEmbedder": curricular}


@pytest.fixture
def entry_of(entry_of: MakeEntry) -> MakeEntry:
    """Entries whose references are known by their content."""

    def make(frames: list[np.ndarray], *, references: tuple[str, ...] = (), **fields: object) -> Entry:
        paths = [Path(path) for path in references]
        hashes = tuple(hashlib.blake2b(p.read_bytes()).hexdigest() if p.exists() else "" for p in paths)
        return entry_of(frames, references=references, hashes=hashes, **fields)

    return make


@pytest.fixture
def measured(roles: dict[str, object], tmp_path: Path) -> Measure:
    def measure(metric: Metric, entry: Entry) -> Measured:
        planner = Planner(
            store=FeatureStore(tmp_path / "features"), roles=lambda name: roles[name], model_id=lambda name: ""
        )
        found = dict(zip(metric.features, planner.features(entry, list(metric.features.values())), strict=True))
        absent = next((each for each in found.values() if isinstance(each, Absent)), None)
        return Measured(value=absent) if absent else metric.combine(entry, found)  # pyright: ignore[reportArgumentType]

    return measure


@pytest.fixture
def reference(tmp_path: Path) -> Callable[..., str]:
    """A picture of one person, as `man/3.png`; without a person, one without a face."""

    def write(identity: int | None, folder: str = "man", name: str = "") -> str:
        path = tmp_path / "Images" / folder / f"{name or identity}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(scene({} if identity is None else {(4, 2): identity})))
        return str(path)

    return write


def similarity(faces: InsightFaces, one: int, other: int) -> float:
    a, b = (faces.recognize(scene({(4, 2): identity}))[0].embedding for identity in (one, other))
    return float(a @ b)


def test_same_person_is_alike_and_another_is_not(entry_of: MakeEntry, measured: Measure, reference) -> None:
    frames = [scene({(n, 1): 1}) for n in range(6)]
    same = entry_of(frames, name="singleface_1", references=(reference(1),))
    other = entry_of(frames, name="singleface_2", references=(reference(3),))
    for metric in (FaceSimArcCompat(), FaceSimArc(), FaceSimCurCompat(), FaceSimCur()):
        assert measured(metric, same).value == pytest.approx(1, abs=0.03)
    assert measured(FaceSimArc(), other).value < 0.5  # pyright: ignore[reportOperatorIssue]


def test_compat_equals_a_plain_loop_over_the_library(
    entry_of: MakeEntry, measured: Measure, reference, roles: dict[str, object], tmp_path: Path
) -> None:
    """Frame by frame with insightface and the bare network, as upstream's script goes, on a video with every trap:
    a small second face, a frame without a face, one whose face is found only with grey around it, a stranger."""
    hidden = np.zeros((160, 320, 3), np.uint8)
    hidden[104:152, 64:112] = cell(1, 48)
    shown = [scene({(n, 1): 1}, (320, 160), small=((2, 2),)) for n in range(3)]
    frames = [*shown, scene({}, (320, 160)), hidden, scene({(5, 2): 3}, (320, 160))]
    entry = entry_of(frames, name="singleface_1", references=(reference(1),))
    app = vars(roles["FaceRecognizer"])["_app"]
    network = vars(roles["AlignedFaceEmbedder"])["_network"]

    def looked_at(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        bgr = rgb[..., ::-1].copy()
        faces, shift = app.get(bgr), (0, 0)
        if not faces:
            top, left = int(bgr.shape[0] * 0.25), int(bgr.shape[1] * 0.25)
            grey = cv2.copyMakeBorder(bgr, top, top, left, left, cv2.BORDER_CONSTANT, value=(128, 128, 128))
            faces, shift = app.get(grey), (left, top)
        if not faces:
            return None
        face = sorted(faces, key=lambda f: (f.bbox[2] - f.bbox[0]) * (f.bbox[3] - f.bbox[1]))[-1]
        upright = face_align.norm_crop(bgr, face.kps - np.array(shift, np.float32), 224)[..., ::-1]
        x = torch.from_numpy(cv2.resize(np.ascontiguousarray(upright), (112, 112)).transpose(2, 0, 1).copy()).float()
        with torch.inference_mode():
            cur = network(x.div(255).sub(0.5).div(0.5)[None])[0].numpy()
        return cur / np.linalg.norm(cur), face.embedding / np.linalg.norm(face.embedding)

    with VideoReader(entry.generation.path) as reader:
        video = reader.at(list(range(reader.num_frames)))
    wanted = looked_at(read_image(entry.case.references[0]))
    assert wanted is not None
    found = [looked_at(video[i]) for i in np.linspace(0, len(video) - 1, 32, dtype=int)]
    similarities = [[max(0.0, float(a @ b)) for a, b in zip(wanted, each, strict=True)] for each in found if each]
    cur, arc = np.array(similarities).T
    assert len(cur) < 32, "a frame has no face"
    assert measured(FaceSimCurCompat(), entry).value == pytest.approx(cur[cur != 0].mean(), abs=1e-6)
    assert measured(FaceSimArcCompat(), entry).value == pytest.approx(arc.mean(), abs=1e-6)


@pytest.mark.parametrize("name", ["multiface_1", "multihuman_2", "singleobj_3", "multiobject_4"])
def test_compat_is_not_defined_for_upstreams_other_ids(
    entry_of: MakeEntry, measured: Measure, reference, name: str
) -> None:
    found = measured(FaceSimCurCompat(), entry_of([scene({(1, 1): 1})] * 2, name=name, references=(reference(1),)))
    assert isinstance(found.value, Absent) and found.value.reason.startswith("not applicable: FaceSim")


def test_compat_takes_the_first_reference_of_a_man_or_woman(entry_of: MakeEntry, measured: Measure, reference) -> None:
    references = (reference(3, "things"), reference(1, "crop_woman"), reference(2, "man"))
    found = measured(FaceSimArcCompat(), entry_of([scene({(1, 1): 1})] * 3, name="humanobj_1", references=references))
    assert found.evidence["reference"] == 1
    assert found.value == pytest.approx(1, abs=0.03)
    none = measured(FaceSimArcCompat(), entry_of([scene({})], name="faceobj_1", references=references[:1]))
    assert isinstance(none.value, Absent) and none.value.reason.startswith("not applicable")


@pytest.mark.real
def test_every_eligible_case_of_the_benchmark_has_its_person(real_media: Path) -> None:
    """Numbers of the open domain: 90 ids of one person, and the people that its other ids show."""
    prompts = real_media / "dev" / "prompts"
    cases = read_cases(prompts / "opens2v_Open-Domain_Eval.json").cases
    unseen = {"num": np.zeros(3, int), "reason": np.array([""] * 3), "embedding": np.zeros((3, 1, 2))}
    chosen = []
    video = Generation(case_id="", system="s", seed=0, path="", content_hash="", num_bytes=0)
    for case in cases:
        found = FaceSimArcCompat().combine(Entry(case, video), {"faces": given_faces([[]]), "references": unseen})
        assert isinstance(found.value, Absent)
        if not found.value.reason.startswith("not applicable"):
            chosen.append(case)
    assert len(chosen) == 90
    people = {case.name: len(people_of(case, unseen)) for case in cases}
    assert all(people[case.name] == 1 for case in chosen)
    assert sum(num >= 2 for num in people.values()) == 30, "15 multiface and 15 multihuman"
    assert sum(people.values()) == 90 + 33 + 31 + 1, "in multiface, in multihuman, and one Person of multiobject"


def test_folders_above_the_benchmark_say_nothing(entry_of: MakeEntry) -> None:
    given = {"faces": given_faces([[EAST]]), "references": given_references([EAST])}
    for path, counts in {
        "/home/man/Images/things/cup.png": False,
        "/home/man/x/y/cup.png": False,
        "/data/Images/humanobj/human/man/celebrity/3.png": True,
        "/data/woman/3.png": True,
    }.items():
        found = FaceSimArcCompat().combine(entry_of([scene({})], name="humanobj_1", references=(path,)), given)
        assert isinstance(found.value, float) == counts, path


def test_compat_looks_at_32_frames_of_which_short_videos_repeat_some(
    entry_of: MakeEntry, measured: Measure, reference
) -> None:
    entry = entry_of([scene({(1, 1): 1})] * 5, name="singleface_1", references=(reference(1),))
    found = measured(FaceSimArcCompat(), entry)
    assert found.per_frame["frame"].tolist() == np.linspace(0, 4, 32, dtype=int).tolist()
    assert found.num_units == 32


def given_faces(rows: list[list[list[float]]]) -> dict[str, np.ndarray]:
    """Arrays of `FrameFaces` from embeddings by frame and face."""
    most = max(1, max(map(len, rows)))
    embedding = np.zeros((len(rows), most, 2), np.float32)
    for t, row in enumerate(rows):
        for k, vector in enumerate(row):
            embedding[t, k] = vector
    num = np.array([len(row) for row in rows])
    box = np.zeros((len(rows), most, 4), np.float32)
    return {"num": num, "embedding": embedding, "box": box, "frame": np.arange(len(rows))}


def given_references(rows: list[list[float]]) -> dict[str, np.ndarray]:
    found = given_faces([[row] if row else [] for row in rows])
    return {**found, "reason": np.array(["" if row else "no detection: no face" for row in rows])}


EAST, WEST, NORTH, STEEP = [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.6, 0.8]


def test_compat_cur_drops_zeros_and_arc_keeps_them(entry_of: MakeEntry) -> None:
    """Similarities .6, 0 (from -1), 1 and a frame without a face: (.6 + 1) / 2 against (.6 + 0 + 1) / 3."""
    entry = entry_of([scene({})], name="singleface_1", references=("/x/man/1.png",))
    given = {"faces": given_faces([[STEEP], [WEST], [], [EAST]]), "references": given_references([EAST])}
    cur, arc = FaceSimCurCompat().combine(entry, given), FaceSimArcCompat().combine(entry, given)
    assert (cur.value, cur.num_units) == (pytest.approx(0.8), 2)
    assert (arc.value, arc.num_units) == (pytest.approx(1.6 / 3), 3)
    assert cur.coverage == arc.coverage == 0.75
    nobody = {**given, "faces": given_faces([[], []])}
    assert FaceSimCurCompat().combine(entry, nobody).value == FaceSimArcCompat().combine(entry, nobody).value == 0.0


def test_compat_looks_at_the_first_row_only(entry_of: MakeEntry) -> None:
    entry = entry_of([scene({})], name="singleface_1", references=("/x/man/1.png",))
    given = {"faces": given_faces([[STEEP, EAST]]), "references": given_references([EAST])}
    assert FaceSimArcCompat().combine(entry, given).value == pytest.approx(0.6)
    assert FaceSimArc().combine(entry, given).value == pytest.approx(1.0)


def test_people_are_matched_so_that_the_sum_is_highest(entry_of: MakeEntry) -> None:
    """Person 0 is most like face 1 (.8 > .6), person 1 as well (1 > 0): face 1 goes to person 1, face 0 to person 0."""
    entry = entry_of([scene({})], references=("/x/a.png", "/x/b.png"), labels=("Man", "Woman"))
    given = {"faces": given_faces([[EAST, NORTH]]), "references": given_references([STEEP, NORTH])}
    found = FaceSimArc().combine(entry, given)
    assert found.evidence["similarity_of_each"].tolist() == [pytest.approx([0.6, 1.0])]
    assert (found.value, found.coverage) == (pytest.approx(0.8), 1.0)


def test_person_without_a_face_lowers_the_coverage_only(entry_of: MakeEntry) -> None:
    entry = entry_of([scene({})], references=("/x/a.png", "/x/b.png"), labels=("Man", "Woman"))
    given = {"faces": given_faces([[NORTH], [], [EAST, NORTH]]), "references": given_references([EAST, NORTH])}
    found = FaceSimArc().combine(entry, given)
    assert found.value == pytest.approx(1.0)
    assert found.coverage == pytest.approx(3 / 6)
    lost = FaceSimArc().combine(entry, {**given, "references": given_references([EAST, []])})
    assert lost.coverage == pytest.approx(2 / 6)


def test_views_of_a_person_are_one_person(entry_of: MakeEntry) -> None:
    entry = entry_of(
        [scene({})],
        references=("/x/a.png", "/x/b.png", "/x/cup.png"),
        labels=("Man", "Man", "Cup"),
        kinds=("global", "view:left", "global"),
    )
    given = {"faces": given_faces([[EAST], [NORTH]]), "references": given_references([EAST, NORTH, EAST])}
    found = FaceSimArc().combine(entry, given)
    assert (found.value, found.coverage) == (pytest.approx(1.0), 1.0)


def test_two_references_of_one_label_are_two_people(entry_of: MakeEntry) -> None:
    entry = entry_of([scene({})], references=("/x/a.png", "/x/b.png"), labels=("Man", "Man"))
    given = {"faces": given_faces([[EAST]]), "references": given_references([EAST, NORTH])}
    assert FaceSimArc().combine(entry, given).coverage == 0.5


def test_case_of_things_has_nobody(entry_of: MakeEntry) -> None:
    entry = entry_of([scene({})], references=("/x/cup.png",), labels=("Cup",))
    given = {"faces": given_faces([[EAST]]), "references": given_references([EAST])}
    found = FaceSimArc().combine(entry, given).value
    assert isinstance(found, Absent) and found.reason.startswith("not applicable")


def test_long_term_identity_is_against_the_first_frame(entry_of: MakeEntry) -> None:
    entry = entry_of([scene({})])
    given = {"faces": given_faces([[EAST], [STEEP], [], [NORTH, EAST]])}
    skipping, strict = ArcFaceLong().combine(entry, given), ArcFaceLongStrict().combine(entry, given)
    assert (skipping.value, skipping.coverage) == (pytest.approx(0.3), pytest.approx(2 / 3))
    assert (strict.value, strict.coverage) == (pytest.approx(0.2), pytest.approx(2 / 3))
    assert ArcFaceLong(choice="nearest").combine(entry, given).value == pytest.approx(0.8)


def test_first_frame_without_a_face_gives_no_score(entry_of: MakeEntry) -> None:
    entry = entry_of([scene({})])
    given = {"faces": given_faces([[], [EAST], [STEEP]])}
    found = ArcFaceLong().combine(entry, given).value
    assert found == Absent("no detection: no face on the first frame")
    assert ArcFaceLong(anchor="first_face").combine(entry, given).value == pytest.approx(0.6)
    alone = ArcFaceLong().combine(entry, {"faces": given_faces([[EAST]])}).value
    assert isinstance(alone, Absent) and alone.reason.startswith("too short")
    gone = {"faces": given_faces([[EAST], [], []])}
    assert isinstance(ArcFaceLong().combine(entry, gone).value, Absent)
    assert ArcFaceLongStrict().combine(entry, gone).value == 0.0


def test_expression_anchors_agree_by_the_nearest_or_the_mean(entry_of: MakeEntry) -> None:
    kinds = ("global", "expression:happy", "expression:sad")
    entry = entry_of([scene({})], references=("/x/a.png", "/x/b.png", "/x/c.png"), kinds=kinds)
    given = {"faces": given_faces([[EAST], [NORTH], []]), "references": given_references([WEST, EAST, STEEP])}
    found = ArcFaceExpression().combine(entry, given)
    assert (found.value, found.coverage) == (pytest.approx((1 + 0.8) / 2), pytest.approx(2 / 3))
    assert ArcFaceExpression(agg="mean").combine(entry, given).value == pytest.approx((1.6 / 2 + 0.8 / 2) / 2)
    plain = entry_of([scene({})], references=("/x/a.png",), kinds=("global",))
    none = ArcFaceExpression().combine(plain, given).value
    assert isinstance(none, Absent) and "expression:" in none.reason


def test_anchors_count_for_the_person_they_are_of(entry_of: MakeEntry) -> None:
    """A man who looks east (smiling: steep) and a woman who looks north (smiling: north). The larger face is hers.

    Frame 1 shows her north (1, her anchor) and him east (.6 to his anchor, steep); frame 2 only him, steep: 1.
    Unassigned, the largest face is compared with everybody's anchors: 1 and 1.
    """
    entry = entry_of(
        [scene({})],
        references=("/x/a.png", "/x/b.png", "/x/c.png", "/x/d.png"),
        labels=("Man", "Man", "Woman", "Woman"),
        kinds=("global", "expression:happy", "global", "expression:happy"),
    )
    given = {
        "faces": given_faces([[NORTH, EAST], [STEEP]]),
        "references": given_references([EAST, STEEP, NORTH, NORTH]),
    }
    found = ArcFaceExpressionAssigned().combine(entry, given)
    assert found.value == pytest.approx(((0.6 + 1) / 2 + 1) / 2)
    assert (found.num_units, found.coverage) == (3, 0.75)
    assert found.evidence["anchor_of_each"].tolist() == [[1, 3], [1, -1]]
    assert found.evidence["anchor"].tolist() == [1, 3] and found.evidence["frames_of_anchor"].tolist() == [2, 1]
    assert found.evidence["similarity_of_anchor"] == pytest.approx([0.8, 1.0])
    assert ArcFaceExpression().combine(entry, given).value == pytest.approx(1.0)


def test_nearest_of_a_persons_anchors_is_told(entry_of: MakeEntry) -> None:
    kinds = ("global", "expression:happy", "expression:sad")
    labels = ("Man", "Man", "Man")
    entry = entry_of([scene({})], references=("/x/a.png", "/x/b.png", "/x/c.png"), kinds=kinds, labels=labels)
    given = {"faces": given_faces([[EAST], [NORTH], []]), "references": given_references([WEST, EAST, STEEP])}
    found = ArcFaceExpressionAssigned().combine(entry, given)
    assert (found.value, found.coverage) == (pytest.approx((1 + 0.8) / 2), pytest.approx(2 / 3))
    assert found.evidence["anchor_of_each"].tolist() == [[1], [2], [-1]]
    assert ArcFaceExpressionAssigned(agg="mean").combine(entry, given).value == pytest.approx((1.6 / 2 + 0.8 / 2) / 2)


def test_person_without_anchors_keeps_their_face_and_counts_for_nothing(entry_of: MakeEntry) -> None:
    entry = entry_of(
        [scene({})],
        references=("/x/a.png", "/x/b.png", "/x/c.png"),
        labels=("Man", "Woman", "Woman"),
        kinds=("global", "global", "expression:sad"),
    )
    given = {"faces": given_faces([[EAST, NORTH]]), "references": given_references([EAST, NORTH, STEEP])}
    found = ArcFaceExpressionAssigned().combine(entry, given)
    assert (found.value, found.coverage, found.num_units) == (pytest.approx(0.8), 1.0, 1)


@pytest.mark.parametrize(
    ("kinds", "embeddings", "frames", "state"),
    [
        (("global", "global"), ([1.0, 0.0], [1.0, 0.0]), [[[1.0, 0.0]]], "not applicable"),
        (("global", "expression:sad"), ([1.0, 0.0], []), [[[1.0, 0.0]]], "no detection"),
        (("global", "expression:sad"), ([1.0, 0.0], [1.0, 0.0]), [[], []], "no detection"),
    ],
)
def test_anchors_or_faces_that_lack_are_told(kinds, embeddings, frames, state: str, entry_of: MakeEntry) -> None:
    entry = entry_of([scene({})], references=("/x/a.png", "/x/b.png"), labels=("Man", "Man"), kinds=kinds)
    given = {"faces": given_faces(frames), "references": given_references(list(embeddings))}
    found = ArcFaceExpressionAssigned().combine(entry, given).value
    assert isinstance(found, Absent) and found.reason.startswith(state)


def test_identity_that_changes_lowers_the_long_term_score(
    entry_of: MakeEntry, measured: Measure, faces: InsightFaces
) -> None:
    found = measured(ArcFaceLong(), entry_of([scene({(4, 2): 1})] * 3 + [scene({(4, 2): 3})] * 2))
    assert found.value == pytest.approx((2 + 2 * similarity(faces, 1, 3)) / 4, abs=0.05)


def test_video_without_a_face_has_none(entry_of: MakeEntry, measured: Measure, reference) -> None:
    entry = entry_of([scene({})] * 3, name="singleface_1", references=(reference(1),), labels=("Man",))
    for metric in (FaceSimArc(), FaceSimCur(), ArcFaceLong()):
        found = measured(metric, entry).value
        assert isinstance(found, Absent) and found.reason.startswith("no detection"), metric


def test_reference_that_is_missing_damaged_or_faceless_is_told(
    entry_of: MakeEntry, measured: Measure, reference, tmp_path: Path
) -> None:
    damaged = tmp_path / "Images" / "man" / "damaged.png"
    reference(1)
    damaged.write_bytes(encode_png(cell(1))[:60])
    states = {str(tmp_path / "man" / "gone.png"): "failed: ", str(damaged): "failed: "}
    states[reference(None, name="empty")] = "no detection: "
    for path, state in states.items():
        entry = entry_of([scene({(1, 1): 1})] * 2, name="singleface_1", references=(path,), labels=("Man",))
        for metric in (FaceSimCurCompat(), FaceSimArc()):
            found = measured(metric, entry).value
            assert isinstance(found, Absent) and found.reason.startswith(state), (metric, path)


def test_embedding_that_is_no_number_is_a_failure(entry_of: MakeEntry, measured: Measure, reference, faces) -> None:
    class Broken:
        def align(self, frame: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
            return frame[:112, :112]

        def embed(self, crops: np.ndarray) -> np.ndarray:
            return np.full((len(crops), 4), np.nan, np.float32)

    planner = Planner(
        store=FeatureStore(Path(reference(1)).parent / "store"),
        roles=lambda name: faces if name == "FaceRecognizer" else Broken(),
        model_id=lambda name: "",
    )
    (found,) = planner.features(entry_of([scene({(1, 1): 1})]), [FrameFaces(embedder="cur")])
    assert isinstance(found, Absent) and found.reason.startswith("failed: ")


def test_missing_weights_are_unavailable(entry_of: MakeEntry, tmp_path: Path) -> None:
    def roles(name: str) -> object:
        raise ModelUnavailable(f"role {name} has no weights")

    planner = Planner(store=FeatureStore(tmp_path), roles=roles, model_id=lambda name: "")
    (found,) = planner.features(entry_of([scene({})]), [FrameFaces()])
    assert found == Absent("unavailable: role FaceRecognizer has no weights")


def test_each_frame_is_searched_once_for_all_metrics(entry_of: MakeEntry, roles, tmp_path: Path) -> None:
    class Counting:
        def __init__(self) -> None:
            self.frames = 0
            self._inner = InsightFaces.__new__(InsightFaces)
            self._inner.__dict__.update(vars(roles["FaceRecognizer"]))
            self._inner._last = None
            found = self._inner._found

            def counted(frame: np.ndarray):
                self.frames += 1
                return found(frame)

            self._inner._found = counted  # pyright: ignore[reportAttributeAccessIssue]

        def recognize(self, frame: np.ndarray):
            return self._inner.recognize(frame)

    counting = Counting()
    bound = {**roles, "FaceRecognizer": counting}
    planner = Planner(store=FeatureStore(tmp_path), roles=lambda name: bound[name], model_id=lambda name: "")
    wanted = [
        FrameFaces(embedder="cur", frames=Linspace(4)),
        FrameFaces(frames=AllFrames()),
        FrameFaces(frames=Linspace(4)),
    ]
    planner.features(entry_of([scene({(1, 1): 1})] * 5), wanted)
    assert (counting.frames, planner.decodes) == (5, 1)
