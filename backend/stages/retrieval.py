"""S25, S26 and S28: candidate pairs inside one long video, evidence that they show one subject, and their contexts.

Nothing is decided here: every candidate over the store floor keeps its scores, and the recipe's gates choose.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from backend.domain import (
    Appearance,
    Clip,
    Context,
    Embedding,
    Filtered,
    Item,
    Mask,
    Ok,
    Pair,
    Record,
    Resources,
    Result,
    Score,
    Subject,
    Video,
)
from backend.geometry import boxes, rle
from backend.measures import diversity
from backend.measures.retrieval import in_group
from backend.stages import crop_keypoints
from backend.stages.embedding import FRAME_HASH_SPACE
from backend.stages.face_identity import APPEARANCE_DECIDES, NOBODY, FaceLikeness, Faces, may_be_person
from backend.stages.retrieval_evidence import (
    Evidence,
    SubjectLikeness,
    cosine,
    evidence_scores,
    identity_evidence,
    pair_scores,
    rigid_support,
)
from backend.stages.retrieval_redundancy import SubjectOverlap, redundancies, worth_of

APART = 0.3
"""Two boxes of a frame that share more of the smaller one may be of one subject, found twice."""


@dataclass(frozen=True, slots=True)
class PairSubjects:
    """Pairs of appearances of one video whose cosine reaches `store_floor`, with the evidence for one identity.

    `cross_frame` pairs join subjects of different clips, so that living subjects keep to one long video
    (Phantom-Data, section 4.2.3); `in_pair` pairs join two frames of one subject. The target is the earlier one.
    Scores: `appearance_cosine` of the two frames; and of the two subjects over all their frames: `similarity` (chance of
    one identity, in [0, 1]), `subject_cosine`, the blocks of the vector, `face_cosine`, `keypoint_inliers` and
    `keypoint_ratio` of their best match, `prior`; `rival_margin`: how much liker the two are than either is to whoever
    stands beside the other (a clip shows nobody twice, so that of two look-alikes side by side only the liker can be the
    one); and `redundancy`: how far a worthier link shows the same two (see `redundancies`).

    Where faces that tell people are there on both sides, they decide, of rivals too (see `identity_evidence`): two of
    one face are candidates whatever they wear.
    """

    name: ClassVar[str] = "pair_subjects"
    version: ClassVar[int] = 3
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = (Clip, Subject, Appearance, Mask, Embedding)
    makes: ClassVar[tuple[type, ...]] = (Pair, Score)
    roles: ClassVar[tuple[str, ...]] = ("AppearanceEmbedder",)
    resources: ClassVar[Resources] = Resources(ram_gib=1.0)

    store_floor: float = 0.2
    """Cosine under which a candidate is not stored."""
    face_floor: float = 0.2
    """Cosine of two faces from which they are candidates in any clothes: under it InsightFace's own demonstration
    (web-demos/src_recognition) calls them two people."""
    pairs_per_link: int = 2
    """Pairs of frames kept for two subjects: the likest first, then those in the most different surroundings."""
    links_per_subject: int = 8
    """Other subjects kept for one subject, the likest first (Phantom-Data sends few candidates to its judge): so many of
    those whose faces are compared, and of the others."""
    rigid_inliers: float = 12.0
    """Inliers at which the prior of a non-living subject is met (curation table, S26)."""
    rigid_ratio: float = 0.3
    """Inlier ratio at which the prior of a non-living subject is met (curation table, S26)."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._paired(item, context) for item in items]

    def _paired(self, item: Item, context: Context) -> Result:
        bank = _Bank(item, context)
        if len(bank.views) < 2:
            return Filtered(item.id, f"{len(bank.views)} embedded appearances, a pair needs 2")
        chosen = self._cross(bank) + _in_pairs(bank)
        if not chosen:
            return Ok(item.id)
        rows: list[Record] = []
        evidence = bank.evidence(chosen)
        columns = evidence.values | {"rival_margin": bank.rival_margins(chosen, evidence.by_faces)}
        columns["redundancy"] = bank.redundancies(chosen, evidence.by_appearance)
        for k, (i, j) in enumerate(chosen):
            pair = bank.pair(i, j)
            rows.append(pair)
            values = {name: float(column[k]) for name, column in columns.items()}
            values["prior"] = self._prior(bank.views[i], bank.views[j], values)
            rows.extend(
                pair_scores(
                    pair.id,
                    values,
                    stage=f"{self.name}/{self.version}",
                    model=bank.model,
                    face_model=bank.faces.model,
                    why_absent=_WHY_ABSENT | evidence.why_absent[k],
                )
            )
        return Ok(item.id, rows)

    def _cross(self, bank: "_Bank") -> list[tuple[int, int]]:
        """Rows `(i, j)` of the chosen frames of each link between subjects of different clips."""
        links: dict[tuple[int, int], list[tuple[int, int, float]]] = defaultdict(list)
        for i, j, like in bank.candidates(self.store_floor, self.face_floor):
            links[bank.subjects[i], bank.subjects[j]].append((i, j, like))
        best = {link: bank.face_likeness(*link) for link in links}
        faced = {link for link, like in best.items() if not np.isnan(like)}
        for link, rows in links.items():
            if link in faced:
                links[link] = [(i, j, bank.face_likeness.of_rows(i, j)) for i, j, _ in rows]
            else:
                best[link] = max(like for _, _, like in rows)
        kept: list[tuple[int, int]] = []
        used: dict[tuple[int, bool], int] = defaultdict(int)
        for a, b in sorted(links, key=lambda link: (-best[link], link)):
            by_face = (a, b) in faced
            if used[a, by_face] >= self.links_per_subject and used[b, by_face] >= self.links_per_subject:
                continue
            used[a, by_face] += 1
            used[b, by_face] += 1
            kept.extend(_frames_of_link(bank, links[a, b], self.pairs_per_link))
        return sorted(kept)

    def _prior(self, a: "_View", b: "_View", values: Mapping[str, float]) -> float:
        """1 where the prior of the kind is met, less in proportion where a rigid thing has too few inliers.

        Living and unknown subjects meet theirs by standing in other clips of one video.
        """
        if a.subject.is_living is not False or b.subject.is_living is not False:
            return 1.0
        return rigid_support(values, inliers=self.rigid_inliers, ratio=self.rigid_ratio)


@dataclass(frozen=True, slots=True)
class DiverseContexts:
    """How far the surroundings of each pair differ, and whether its clips are copies of each other.

    Scores: `background_cosine`, `context_diversity` (1 - that), `phash_distance` of the two frames (0 to 64),
    `scale_ratio` (>= 1), `time_gap_s`, `near_duplicate` (likest sampled frames of the two clips, in [0, 1]). In-pairs have
    no `context_diversity` and no `near_duplicate`.
    """

    name: ClassVar[str] = "diverse_contexts"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = (Clip, Subject, Appearance, Embedding, Pair)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("BackgroundEmbedder",)
    resources: ClassVar[Resources] = Resources(ram_gib=0.5)

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._scored(item) for item in items]

    def _scored(self, item: Item) -> Result:
        video = item.one(Video)
        spaces = _vectors_by_space(item)
        scenes = _Scenes(item, spaces)
        rows: list[Record] = []
        for pair in item.all(Pair):
            a, b = scenes.appearances[pair.target_appearance_id], scenes.appearances.get(pair.reference_appearance_id)
            if b is None:
                continue  # an external picture has no clip; its context is judged where it was added
            area = float(video.width * video.height)
            background = scenes.background_cosine(a, b)
            values: dict[str, float] = {
                "background_cosine": background,
                "context_diversity": 1.0 - background,
                "phash_distance": scenes.hash_distance(a, b),
                "scale_ratio": diversity.scale_ratio(a.box, b.box, frame_area_a=area, frame_area_b=area),
                "time_gap_s": abs(scenes.seconds(a) - scenes.seconds(b)),
                "near_duplicate": scenes.copy_likeness(a, b),
            }
            if pair.kind == "in_pair":  # one clip is one context by definition, so that no gate should ask for two
                values |= {"context_diversity": np.nan, "near_duplicate": np.nan}
            rows.extend(evidence_scores(pair.id, values, f"{self.name}/{self.version}", why_absent=_WHY_ABSENT))
        return Ok(item.id, rows)


@dataclass(frozen=True, slots=True)
class _View:
    appearance: Appearance
    subject: Subject
    clip: Clip
    mask: Mask | None


class _Bank:
    """The embedded appearances of one video, in order of time, and what evidence needs of them."""

    def __init__(self, item: Item, context: Context) -> None:
        spaces = _vectors_by_space(item)
        subjects = {subject.id: subject for subject in item.all(Subject)}
        clips = {clip.id: clip for clip in item.all(Clip)}
        masks = {mask.appearance_id: mask for mask in item.all(Mask)}
        self.views = sorted(
            (
                _View(a, subjects[a.subject_id], clips[subjects[a.subject_id].clip_id], masks.get(a.id))
                for a in item.all(Appearance)
                if a.subject_id in subjects and a.id in spaces["appearance"]
            ),
            key=lambda view: (view.clip.start_frame, view.subject.id, view.appearance.frame or 0, view.appearance.id),
        )
        ids = [view.appearance.id for view in self.views]
        embedded = [spaces["appearance"][name] for name in ids]
        self.model = embedded[0].model if embedded else ""
        self.vectors = np.stack([row.vector for row in embedded]) if embedded else np.zeros((0, 1), np.float32)
        self.backgrounds = [spaces["background"][name].vector if name in spaces["background"] else None for name in ids]
        self.subjects = np.unique([view.subject.id for view in self.views], return_inverse=True)[1].tolist()
        self.clips = np.unique([view.clip.id for view in self.views], return_inverse=True)[1]
        faces = [spaces["face"].get(name) for name in ids]
        self.faces = Faces(
            [None if face is None else face.vector for face in faces],
            next((face.model for face in faces if face is not None), ""),
            [may_be_person(view.subject.category, view.subject.is_living) for view in self.views],
        )
        self.face_likeness = FaceLikeness(self.faces if self.faces.tell_people else NOBODY, self.subjects)
        """Of people's faces; NaN where the model tells none apart."""
        self._artifacts = context.artifacts

    def candidates(self, floor: float, face_floor: float) -> list[tuple[int, int, float]]:
        """Rows of different clips whose bodies or faces are as like as the floors ask, with the bodies' cosine."""
        found = in_group(self.vectors, np.zeros(len(self.views), np.int64), lo=floor)
        rows = dict(zip(zip(found.first.tolist(), found.second.tolist()), found.cosine.tolist()))
        faces = {row: self.faces.of(row) for row in range(len(self.views))} if self.faces.tell_people else {}
        seen = np.array([row for row, face in faces.items() if face is not None], np.int64)
        if len(seen):
            stacked = np.stack([face for face in faces.values() if face is not None])
            alike = in_group(stacked, np.zeros(len(seen), np.int64), lo=face_floor)
            for i, j in zip(seen[alike.first].tolist(), seen[alike.second].tolist()):
                rows.setdefault((i, j), float(self.vectors[i] @ self.vectors[j]))
        return [(i, j, like) for (i, j), like in sorted(rows.items()) if self.clips[i] != self.clips[j]]

    def pair(self, i: int, j: int) -> Pair:
        target, reference = self.views[i], self.views[j]
        return Pair(
            target_subject_id=target.subject.id,
            target_appearance_id=target.appearance.id,
            reference_subject_id=reference.subject.id,
            reference_appearance_id=reference.appearance.id,
            kind="in_pair" if target.clip.id == reference.clip.id else "cross_frame",
        )

    def evidence(self, chosen: Sequence[tuple[int, int]]) -> Evidence:
        """What speaks for one identity of each chosen pair."""
        needed = {self.subjects[row] for pair in chosen for row in pair}
        points = {
            row: crop_keypoints.of_crop(self._artifacts, view.mask.crop if view.mask else None)
            for row, (subject, view) in enumerate(zip(self.subjects, self.views, strict=True))
            if subject in needed
        }
        return identity_evidence(
            chosen, model=self.model, vectors=self.vectors, subjects=self.subjects, faces=self.faces, points=points
        )

    def rival_margins(self, chosen: Sequence[tuple[int, int]], by_faces: np.ndarray) -> np.ndarray:
        """For each cross-clip pair its subject cosine less the best of its rivals, NaN without a rival.

        Where faces decide, it is of faces, and who shows none is no rival.
        """
        bodies = SubjectLikeness(self.vectors, self.subjects)
        beside = self._beside()
        margins = []
        for (i, j), by_face in zip(chosen, by_faces.tolist(), strict=True):
            a, b = self.subjects[i], self.subjects[j]
            likeness = self.face_likeness if by_face else bodies
            rivals = [likeness(a, other) for other in beside[b]] + [likeness(b, other) for other in beside[a]]
            rivals = [like for like in rivals if not np.isnan(like)]
            margins.append(likeness(a, b) - max(rivals) if rivals and self.clips[i] != self.clips[j] else np.nan)
        return np.array(margins)

    def redundancies(self, chosen: Sequence[tuple[int, int]], similarity: np.ndarray) -> np.ndarray:
        """For each pair how far a worthier link shows the same two subjects; by one `similarity` for all."""
        views: dict[int, list[_View]] = defaultdict(list)
        for subject, view in zip(self.subjects, self.views):
            views[subject].append(view)
        masks = {s: {v.appearance.frame or 0: v.mask for v in own if v.mask is not None} for s, own in views.items()}
        confidence = {s: float(np.mean([v.appearance.confidence for v in own])) for s, own in views.items()}
        area = {s: max((rle.area(mask.counts) for mask in own.values()), default=0) for s, own in masks.items()}
        worth = {}
        for (i, j), like in zip(chosen, similarity.tolist()):
            ends = (self.subjects[i], self.subjects[j])
            worth[ends] = worth_of(
                like, [len(views[s]) for s in ends], [confidence[s] for s in ends], [area[s] for s in ends]
            )
        clip_of = dict(zip(self.subjects, self.clips.tolist()))
        found = redundancies(worth, clip_of=clip_of, overlap=SubjectOverlap(masks))
        return np.array([found[self.subjects[i], self.subjects[j]] for i, j in chosen])

    def _beside(self) -> dict[int, set[int]]:
        """For each subject the others that stand apart from it on a frame of its clip."""
        frames: dict[tuple[int, int], list[int]] = defaultdict(list)
        for row, view in enumerate(self.views):
            frames[int(self.clips[row]), view.appearance.frame or 0].append(row)
        beside: dict[int, set[int]] = defaultdict(set)
        for rows in frames.values():
            for i in rows:
                for j in rows:
                    a, b = self.views[i].appearance.box, self.views[j].appearance.box
                    if self.subjects[i] != self.subjects[j] and max(boxes.contain(a, b), boxes.contain(b, a)) < APART:
                        beside[self.subjects[i]].add(self.subjects[j])
        return beside


class _Scenes:
    """Backgrounds, frame hashes and times of a video's appearances."""

    def __init__(self, item: Item, spaces: Mapping[str, Mapping[str, Embedding]]) -> None:
        self.appearances = {a.id: a for a in item.all(Appearance)}
        self._backgrounds = spaces["background"]
        self._hashes = spaces[FRAME_HASH_SPACE]
        self._fps = item.one(Video).fps
        clips = {clip.id: clip for clip in item.all(Clip)}
        self._clip = {subject.id: clips[subject.clip_id] for subject in item.all(Subject)}
        self._of_subject: dict[str, list[Appearance]] = defaultdict(list)
        for appearance in item.all(Appearance):
            if appearance.subject_id is not None:
                self._of_subject[appearance.subject_id].append(appearance)

    def background_cosine(self, a: Appearance, b: Appearance) -> float:
        first, second = self._backgrounds.get(a.id), self._backgrounds.get(b.id)
        return cosine(first.vector if first else None, second.vector if second else None)

    def hash_distance(self, a: Appearance, b: Appearance) -> float:
        if a.id not in self._hashes or b.id not in self._hashes:
            return float("nan")
        return diversity.hash_distance(self._hashes[a.id].vector, self._hashes[b.id].vector)

    def seconds(self, a: Appearance) -> float:
        clip = self._clip[a.subject_id or ""]
        return clip.start_s + ((a.frame or 0) - clip.start_frame) / self._fps

    def copy_likeness(self, a: Appearance, b: Appearance) -> float:
        """Of the likest two frames on which the subjects stand: a copied clip may be out of step by some frames."""
        firsts, seconds = self._of_subject[a.subject_id or ""], self._of_subject[b.subject_id or ""]
        likeness = []
        for x in firsts:
            for y in seconds:
                distance, background = self.hash_distance(x, y), self.background_cosine(x, y)
                if not np.isnan(distance):
                    likeness.append(diversity.copy_likeness(distance, None if np.isnan(background) else background))
        return max(likeness, default=float("nan"))


def _frames_of_link(bank: _Bank, rows: list[tuple[int, int, float]], num: int) -> list[tuple[int, int]]:
    """The likest two frames first, then those in the most different surroundings: the link is judged as a whole.

    NaN is unlike everything.
    """

    def surroundings(row: tuple[int, int, float]) -> float:
        background = cosine(bank.backgrounds[row[0]], bank.backgrounds[row[1]])
        return 1.0 if np.isnan(background) else background

    first = min(rows, key=lambda row: (2.0 if np.isnan(row[2]) else -row[2], row[0], row[1]))
    rest = sorted((row for row in rows if row is not first), key=lambda row: (surroundings(row), row[0], row[1]))
    return [(i, j) for i, j, _ in [first, *rest[: num - 1]]]


def _in_pairs(bank: _Bank) -> list[tuple[int, int]]:
    """For each subject seen on two frames or more, the two that differ most."""
    members: dict[int, list[int]] = defaultdict(list)
    for row, subject in enumerate(bank.subjects):
        members[subject].append(row)
    chosen = []
    for rows in members.values():
        options = [
            (i, j) for i in rows for j in rows if i < j and bank.views[i].appearance.frame != bank.views[j].appearance.frame
        ]
        if options:
            chosen.append(min(options, key=lambda ij: (float(bank.vectors[ij[0]] @ bank.vectors[ij[1]]), ij)))
    return chosen


def _vectors_by_space(item: Item) -> dict[str, dict[str, Embedding]]:
    spaces: dict[str, dict[str, Embedding]] = defaultdict(dict)
    for embedding in item.all(Embedding):
        spaces[embedding.space][embedding.appearance_id] = embedding
    return spaces


_WHY_ABSENT: dict[str, str] = {
    "face_cosine": f"not both sides show a face; {APPEARANCE_DECIDES}",
    "background_cosine": "a subject fills its frame",
    "context_diversity": "a subject fills its frame, or both frames are of one clip",
    "near_duplicate": "both frames are of one clip",
    "rival_margin": "nobody stands beside either subject that it could be compared with",
}
