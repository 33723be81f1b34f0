"""Whose face the video shows: OpenS2V's FaceSim with and without its quirks, Gloria's long-term and expression identity."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import ClassVar, Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from backend.domain import Absent, Case
from metrics.framing import AllFrames, FramePlan, Linspace
from metrics.identity_faces import Embedder, FrameFaces, ReferenceFaces
from metrics.spec import Arrays, Entry, Feature, Measured, Metric

ELIGIBLE = ("singlehuman", "singleface", "faceobj", "humanobj")  # OpenS2V-Nexus, eval/get_facesim.py
PERSON_FOLDERS = frozenset({"man", "woman", "crop_man", "crop_woman"})  # the same file: folders of its references
IMAGES = "Images"  # the folder that holds OpenS2V-Eval's references
PEOPLE = frozenset(  # OpenS2V-Eval's labels of people (Man, Woman, Person), and their like in other benchmarks
    ("man", "woman", "person", "human", "people", "boy", "girl", "child", "kid", "baby", "face", "lady", "male", "female")
)
EXPRESSION = "expression:"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSimCurCompat(Metric):
    """Mean similarity of the largest face of 32 frames to the first man or woman among the references.

    As upstream: defined for ids of one person only; a similarity below 0 counts as 0 and such frames are left out, as
    are frames without a face; 0 when nothing is left. A profile that is not detected therefore raises the score.
    """

    id: ClassVar[str] = "facesim_cur_compat"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "FaceSim-Cur (OpenS2V)"
    source: ClassVar[str] = "OpenS2V-Nexus, eval/get_facesim.py"
    needs: ClassVar[tuple[str, ...]] = ("references",)
    embedder: ClassVar[Embedder] = "cur"
    keeps_zeros: ClassVar[bool] = False

    @property
    def features(self) -> dict[str, Feature]:
        return {
            "faces": FrameFaces(embedder=self.embedder, frames=Linspace(32)),
            "references": ReferenceFaces(embedder=self.embedder, alpha="dropped"),
        }

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        faces, references = given["faces"], given["references"]
        case = entry.case
        if not any(word in case.name for word in ELIGIBLE):
            return _nothing(f"not applicable: FaceSim is defined for ids with {', '.join(ELIGIBLE)}; this is {case.name}")
        row = next((i for i, path in enumerate(case.references) if _lies_with_people(path)), None)
        if row is None:
            return _nothing(f"not applicable: no reference of case {case.name} lies in a folder of men or women")
        if references["num"][row] == 0:
            return _nothing(str(references["reason"][row]))
        found = faces["num"] > 0
        wanted = references["embedding"][row, 0]
        similarity = np.where(found, np.maximum(0.0, _cosines(faces["embedding"], wanted)[:, 0]), np.nan)
        kept = found if self.keeps_zeros else found & (similarity > 0)
        return Measured(
            value=float(similarity[kept].mean()) if kept.any() else 0.0,
            num_units=int(kept.sum()),
            coverage=float(found.mean()),
            per_frame={"frame": faces["frame"], "similarity": similarity},
            evidence={"box": faces["box"][:, 0], "reference": np.array(row)},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSimArcCompat(FaceSimCurCompat):
    """The same with ArcFace. Upstream means to leave zeros out but compares a list with 0: here they stay in."""

    id: ClassVar[str] = "facesim_arc_compat"
    title: ClassVar[str] = "FaceSim-Arc (OpenS2V)"
    embedder: ClassVar[Embedder] = "arc"
    keeps_zeros: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSimCur(Metric):
    """Similarity of every person of the references to the face that is theirs, on 32 frames.

    On each frame people and faces are matched one to one so that the similarities add up highest; the value is the mean
    over people of their mean over frames. People without a face on a frame are not counted there but lower the
    coverage, the share of (person, frame) that was matched. References whose kind is a view or an expression show the
    person that the reference before them of equal label shows; the nearest of them counts.
    """

    id: ClassVar[str] = "facesim_cur"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "FaceSim-Cur"
    source: ClassVar[str] = "ours: OpenS2V-Nexus's FaceSim for any number of people"
    needs: ClassVar[tuple[str, ...]] = ("references",)
    embedder: ClassVar[Embedder] = "cur"

    frames: FramePlan = field(default_factory=Linspace)  # 32, OpenS2V's
    floor: float = 0.0  # OpenS2V's: below it faces are simply not alike

    @property
    def features(self) -> dict[str, Feature]:
        return {
            "faces": FrameFaces(embedder=self.embedder, frames=self.frames),
            "references": ReferenceFaces(embedder=self.embedder),
        }

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        faces, references = given["faces"], given["references"]
        people = people_of(entry.case, references)
        if not people:
            return _nothing(f"not applicable: no reference of case {entry.case.name} shows a person")
        vectors = [_vectors(references, rows) for rows in people]
        if not any(len(each) for each in vectors):
            return _nothing(str(references["reason"][people[0][0]]))
        similarity = np.full((len(faces["num"]), len(people)), np.nan)
        chosen = np.full(similarity.shape, -1)
        for t, num in enumerate(faces["num"]):
            for person, face, value in _matched(vectors, faces["embedding"][t, :num]):
                similarity[t, person], chosen[t, person] = max(self.floor, value), face
        matched = chosen >= 0
        if not matched.any():
            return _nothing("no detection: no face on any frame", coverage=0.0)
        seen = matched.any(axis=0)
        boxes = np.take_along_axis(faces["box"], np.maximum(chosen, 0)[..., None], axis=1)
        return Measured(
            value=float(np.nanmean(similarity[:, seen], axis=0).mean()),
            num_units=int(matched.sum()),
            coverage=float(matched.mean()),
            per_frame={"frame": faces["frame"], "similarity": _row_means(similarity)},
            evidence={
                "similarity_of_each": similarity,
                "box_of_each": np.where(matched[..., None], boxes, np.nan),
                "reference_of_each": np.array([rows[0] for rows in people]),
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSimArc(FaceSimCur):
    """The same with ArcFace."""

    id: ClassVar[str] = "facesim_arc"
    title: ClassVar[str] = "FaceSim-Arc"
    embedder: ClassVar[Embedder] = "arc"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArcFaceLong(Metric):
    """Mean similarity of the faces of later frames to the face of the first frame.

    Frames without a face are not counted but lower the coverage.
    """

    id: ClassVar[str] = "arcface_long"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "ArcFace, first frame against the rest"
    source: ClassVar[str] = "Gloria, section 5.1 (Arcf.)"
    range: ClassVar[tuple[float | None, float | None]] = (-1.0, 1.0)
    missing: ClassVar[float | None] = None
    """What a frame without a face counts as."""

    frames: FramePlan = field(default_factory=AllFrames)  # the paper says sequence
    choice: Literal["largest", "nearest"] = "largest"  # the paper does not say; nearest follows the person in a crowd
    anchor: Literal["first_frame", "first_face"] = "first_frame"  # the paper's; first_face forgives a late entrance

    @property
    def features(self) -> dict[str, Feature]:
        return {"faces": FrameFaces(embedder="arc", frames=self.frames)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        faces = given["faces"]
        found = faces["num"] > 0
        if len(found) < 2:
            return _nothing("too short: a video of one frame has no later frames")
        first = int(np.argmax(found)) if self.anchor == "first_face" else 0
        if not found[first]:
            return _nothing("no detection: no face on the first frame")
        similarity = _chosen(faces, faces["embedding"][first, 0][None], self.choice, "max")[first + 1 :]
        seen = ~np.isnan(similarity)
        counted = similarity if self.missing is None else np.where(seen, similarity, self.missing)
        if np.isnan(counted).all():
            return _nothing("no detection: no face after the first frame")
        return Measured(
            value=float(np.nanmean(counted)),
            num_units=int(seen.sum()),
            coverage=float(seen.mean()),
            per_frame={"frame": faces["frame"][first + 1 :], "similarity": similarity},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArcFaceLongStrict(ArcFaceLong):
    """The same; a frame without a face counts as 0, so that looking away is no way to keep the score."""

    id: ClassVar[str] = "arcface_long_strict"
    title: ClassVar[str] = "ArcFace, first frame against the rest, misses as 0"
    source: ClassVar[str] = "ours: Gloria's Arcf. with frames without a face counted as 0"
    missing: ClassVar[float | None] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ArcFaceExpression(Metric):
    """Mean over frames of the similarity of the face to the expression anchors: references of kind `expression:*`."""

    id: ClassVar[str] = "arcface_exp"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "ArcFace, expression anchors against the video"
    source: ClassVar[str] = "Gloria, section 5.1 (Exp.)"
    needs: ClassVar[tuple[str, ...]] = ("references",)
    range: ClassVar[tuple[float | None, float | None]] = (-1.0, 1.0)

    frames: FramePlan = field(default_factory=AllFrames)  # the paper says sequence
    choice: Literal["largest", "nearest"] = "largest"  # the paper does not say
    agg: Literal["max", "mean"] = "max"  # the paper does not say; a frame shows one expression, so the nearest anchor

    @property
    def features(self) -> dict[str, Feature]:
        return {"faces": FrameFaces(embedder="arc", frames=self.frames), "references": ReferenceFaces(embedder="arc")}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        faces, references = given["faces"], given["references"]
        rows = [i for i, kind in enumerate(entry.case.kinds) if kind.startswith(EXPRESSION)]
        if not rows:
            return _nothing(f"not applicable: case {entry.case.name} has no reference of kind {EXPRESSION}*")
        anchors = _vectors(references, rows)
        if not len(anchors):
            return _nothing(str(references["reason"][rows[0]]))
        similarity = _chosen(faces, anchors, self.choice, self.agg)
        seen = ~np.isnan(similarity)
        if not seen.any():
            return _nothing("no detection: no face on any frame")
        return Measured(
            value=float(similarity[seen].mean()),
            num_units=int(seen.sum()),
            coverage=float(seen.mean()),
            per_frame={"frame": faces["frame"], "similarity": similarity},
            evidence={"anchors_with_face": np.array([i for i in rows if references["num"][i] > 0])},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArcFaceExpressionAssigned(Metric):
    """Mean similarity of each person's face to their own expression anchors, for any number of people.

    On each frame people and faces are matched one to one by all references of a person, those of equal label; a person's
    face then counts by the nearest of their own anchors. The value is the mean over people of their mean over frames; the
    coverage is the share of (person, frame) that was matched. The evidence says which anchor was the nearest, and by
    anchor on how many frames it was and how alike.
    """

    id: ClassVar[str] = "arcface_exp_assigned"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "ArcFace, expression anchors of each person"
    source: ClassVar[str] = "ours: Gloria's Exp. with anchors assigned to people by their label"
    needs: ClassVar[tuple[str, ...]] = ("references",)
    range: ClassVar[tuple[float | None, float | None]] = (-1.0, 1.0)

    frames: FramePlan = field(default_factory=AllFrames)  # as arcface_exp
    agg: Literal["max", "mean"] = "max"  # as arcface_exp

    @property
    def features(self) -> dict[str, Feature]:
        return {"faces": FrameFaces(embedder="arc", frames=self.frames), "references": ReferenceFaces(embedder="arc")}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        faces, references = given["faces"], given["references"]
        kinds = entry.case.kinds
        people = people_of(entry.case, references)
        own = [[row for row in rows if row < len(kinds) and kinds[row].startswith(EXPRESSION)] for rows in people]
        if not any(own):
            return _nothing(f"not applicable: case {entry.case.name} has no reference of kind {EXPRESSION}* of a person")
        anchors = [[row for row in rows if references["num"][row] > 0] for rows in own]
        if not any(anchors):
            return _nothing(str(references["reason"][next(rows[0] for rows in own if rows)]))
        vectors = [_vectors(references, rows) for rows in people]
        asked = np.array([bool(rows) for rows in anchors])
        similarity = np.full((len(faces["num"]), len(people)), np.nan)
        nearest, chosen = np.full(similarity.shape, -1), np.full(similarity.shape, -1)
        for t, num in enumerate(faces["num"]):
            for person, face, _ in _matched(vectors, faces["embedding"][t, :num]):
                if anchors[person]:
                    found = _cosines(references["embedding"][anchors[person], :1], faces["embedding"][t, face])[:, 0]
                    similarity[t, person] = found.max() if self.agg == "max" else found.mean()
                    nearest[t, person], chosen[t, person] = anchors[person][int(found.argmax())], face
        matched = chosen >= 0
        if not matched.any():
            return _nothing("no detection: no face on any frame", coverage=0.0)
        seen = matched.any(axis=0)
        rows = np.array(sorted(row for each in anchors for row in each))
        boxes = np.take_along_axis(faces["box"], np.maximum(chosen, 0)[..., None], axis=1)
        return Measured(
            value=float(np.nanmean(similarity[:, seen], axis=0).mean()),
            num_units=int(matched.sum()),
            coverage=float(matched[:, asked].mean()),
            per_frame={"frame": faces["frame"], "similarity": _row_means(similarity)},
            evidence={
                "similarity_of_each": similarity,
                "anchor_of_each": nearest,
                "box_of_each": np.where(matched[..., None], boxes, np.nan),
                "anchor": rows,
                "frames_of_anchor": np.array([int((nearest == row).sum()) for row in rows]),
                "similarity_of_anchor": np.array(
                    [similarity[nearest == row].mean() if (nearest == row).any() else np.nan for row in rows]
                ),
            },
        )


def people_of(case: Case, references: Arrays) -> list[list[int]]:
    """Rows of the references that show a person, those of one person together.

    A reference is of a person if its label says so, or its folder; one without a label, if it shows a face.
    """
    people: list[list[int]] = []
    labels: list[str] = []
    for row, path in enumerate(case.references):
        label = case.labels[row].lower() if row < len(case.labels) else ""
        kind = case.kinds[row] if row < len(case.kinds) else ""
        named = any(word in PEOPLE for word in label.split()) or _lies_with_people(path)
        if not (named or (not label and references["num"][row] > 0)):
            continue
        if kind not in ("", "global") and label in labels:
            people[len(labels) - 1 - labels[::-1].index(label)].append(row)
        else:
            people.append([row])
            labels.append(label)
    return people


def _lies_with_people(path: str) -> bool:
    """Upstream looks for `/man/` anywhere in `Images/humanobj/human/man/celebrity/3.png`; ours is an absolute path, of
    which what stands above `Images` is the user's own."""
    folders = PurePath(path).parts[:-1]
    start = len(folders) - folders[::-1].index(IMAGES) if IMAGES in folders else -2
    return not PERSON_FOLDERS.isdisjoint(folders[start:])


def _nothing(reason: str, *, coverage: float = 0.0) -> Measured:
    return Measured(value=Absent(reason), num_units=0, coverage=coverage)


def _vectors(references: Arrays, rows: list[int]) -> np.ndarray:
    """The largest faces of references `(R, D)`, of those that have one."""
    return references["embedding"][[row for row in rows if references["num"][row] > 0], 0]


def _cosines(embeddings: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Similarities `(T, K)` of unit vectors `(T, K, D)` to one `(D,)`; all 0 where no face was found anywhere."""
    if embeddings.shape[-1] != len(wanted):
        return np.zeros(embeddings.shape[:2])
    return embeddings.astype(np.float64) @ wanted.astype(np.float64)


def _matched(people: list[np.ndarray], faces: np.ndarray) -> list[tuple[int, int, float]]:
    """Person, face and similarity of the best one-to-one matching of people `(R, D)` each and faces `(K, D)`."""
    known = [i for i, vectors in enumerate(people) if len(vectors)]
    if not len(faces):
        return []
    table = np.array([(people[i].astype(np.float64) @ faces.T.astype(np.float64)).max(axis=0) for i in known])
    rows, columns = linear_sum_assignment(table, maximize=True)
    return [(known[row], int(column), float(table[row, column])) for row, column in zip(rows, columns, strict=True)]


def _chosen(faces: Arrays, anchors: np.ndarray, choice: str, agg: str) -> np.ndarray:
    """Similarity `(T,)` of one face a frame to anchors `(A, D)`; NaN where there is no face."""
    similarity = np.full(len(faces["num"]), np.nan)
    for t, num in enumerate(faces["num"]):
        if num:
            table = faces["embedding"][t, :num].astype(np.float64) @ anchors.T.astype(np.float64)
            of_each = table.max(axis=1) if agg == "max" else table.mean(axis=1)
            similarity[t] = of_each[0] if choice == "largest" else of_each.max()
    return similarity


def _row_means(values: np.ndarray) -> np.ndarray:
    num = (~np.isnan(values)).sum(axis=1)
    return np.where(num > 0, np.nansum(values, axis=1) / np.maximum(num, 1), np.nan)
