"""S25 to S28 across sources: pairs of a subject with subjects of other videos and with pictures, found in the banks.

No model is called: vectors were made once for each appearance, so that the calls grow with the appearances and not with
the pairs. Nothing is decided: every candidate in the band keeps its scores, and the recipe's gates choose.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from backend.domain import (
    ArtifactStore,
    BankPart,
    Context,
    Filtered,
    Holding,
    Item,
    Ok,
    Pair,
    Record,
    Resources,
    Result,
    Score,
    Source,
    Survey,
)
from backend.measures import diversity
from backend.stages import crop_keypoints
from backend.stages.bank_lookup import Banks, Found, Views, open_banks
from backend.stages.bank_shards import shards_of
from backend.stages.embedding import FRAME_HASH_SPACE
from backend.stages.face_identity import APPEARANCE_DECIDES, Faces, may_be_person
from backend.stages.retrieval_evidence import (
    Evidence,
    cosine,
    evidence_scores,
    identity_evidence,
    pair_scores,
    rigid_support,
)
from backend.store.artifacts import Artifacts


@dataclass(frozen=True, slots=True)
class PairAcross:
    """Pairs (`cross_video`) of a source's subjects with those of sources listed before it, and with pictures.

    Candidates lie in `[floor, upper)` of the richest bank that both sides are in. The target is a subject of a video: of
    two the one listed later, of a subject and a picture the subject. Scores: those of `PairSubjects` but for `rival_margin`
    and `redundancy`; `bank_cosine` (its producer names the bank) and `bank_margin`, how far that lies over what chance
    gives in a bank of this size; `prior`: 0 for the living, who are believed only within one source (Phantom-Data,
    section 4.2.3), and where neither side is known to be a thing, else how far a keypoint match of a logo or pattern supports it; and those of `DiverseContexts`.
    """

    name: ClassVar[str] = "pair_across"
    version: ClassVar[int] = 3
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = (BankPart,)
    surveys: ClassVar[tuple[type, ...]] = (BankPart,)
    makes: ClassVar[tuple[type, ...]] = (Pair, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(ram_gib=2.0)

    appearance_floor: float = 0.4
    """Cosine under which a candidate of the appearance bank is not stored."""
    face_floor: float = 0.3
    """Of the face bank."""
    person_floor: float = 0.4
    """Of the person bank."""
    upper: float = 0.95
    """Cosine from which a candidate is the same picture (research, section 3.3); on exact vectors."""
    face_weight: float = 0.6
    """Of the person vector: .6 to .75 give the best recall (research, section 3.4)."""
    links_per_subject: int = 8
    """Other subjects kept for one subject, the likest first (Phantom-Data sends few candidates to its judge)."""
    pairs_per_link: int = 2
    """Views kept for two subjects: the likest, then those in the most different surroundings."""
    false_per_query: float = 1.0
    """Hits by chance for one query that the bound of a bank's size lets through."""
    shard_views: int = 4_000_000
    """Views from which a bank is cut in two shards, and again. While a shard is built its largest bank is in memory twice: 4 million
    faces with bodies, of 512 numbers each, are 33 GB."""
    rigid_inliers: float = 12.0
    """Inliers at which the prior of a non-living subject is met (curation table, S26)."""
    rigid_ratio: float = 0.3
    """Inlier ratio at which the prior of a non-living subject is met (curation table, S26)."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._paired(item, context) for item in items]

    def holdings(self, items: Sequence[Item], artifacts: ArtifactStore) -> list[Holding]:
        """The shards of banks that are cut into several; one shard is opened by whoever asks it."""
        rolls = dict.fromkeys(survey.artifact for item in items for survey in item.all(Survey))
        shards = [
            shards_of(artifacts, roll, self.face_weight, floor=min(self._floors.values()), shard_views=self.shard_views)
            for roll in rolls
        ]
        return [shard for several in shards if len(several) > 1 for shard in several]

    @property
    def _floors(self) -> dict[str, float]:
        return {"appearance": self.appearance_floor, "face": self.face_floor, "person": self.person_floor}

    def _paired(self, item: Item, context: Context) -> Result:
        if not item.all(Survey):
            return Filtered(item.id, "nothing of it is in the banks")
        position = item.one(Survey).position
        artifacts = cast(Artifacts, context.artifacts)
        banks = open_banks(
            artifacts,
            item.one(Survey).artifact,
            self.face_weight,
            floor=min(self._floors.values()),
            shard_views=self.shard_views,
            held=context.held,
        )
        found = banks.found(position, self._floors, upper=self.upper, false_per_query=self.false_per_query)
        links = self._links(banks.views(position), found)
        rows = _LinkRows(self, banks, position, artifacts, links)
        return Ok(item.id, list(rows())) if links else Ok(item.id)

    def _links(self, own: Views, found: Sequence[Found]) -> list[list[Found]]:
        """The hits of each two subjects, for the likest others of each own subject."""
        links: dict[tuple[str, int], list[Found]] = defaultdict(list)
        for hit in found:
            if own.subject_ids[hit.own_row] is not None or not hit.is_picture:  # two pictures have no target
                links[own.subjects[hit.own_row], hit.subject].append(hit)
        best = {link: max(hit.margin for hit in hits) for link, hits in links.items()}
        used: dict[str, int] = defaultdict(int)
        kept = []
        for link in sorted(links, key=lambda link: (-best[link], link)):
            if used[link[0]] < self.links_per_subject:
                used[link[0]] += 1
                kept.append(links[link])
        return kept


class _LinkRows:
    """Pairs and scores of the chosen links of one source."""

    def __init__(
        self, stage: PairAcross, banks: Banks, position: int, artifacts: Artifacts, links: Sequence[Sequence[Found]]
    ) -> None:
        self._stage, self._banks, self._artifacts, self._links = stage, banks, artifacts, links
        self._position = position
        self._places: list[tuple[int, int]] = []
        """Part and row of each view that evidence is taken from."""
        self._number: dict[tuple[int, int], int] = {}
        self._subjects: list[int] = []
        self._named: dict[tuple[int, str], int] = {}

    def __call__(self) -> Iterator[Record]:
        hits = [hit for link in self._links for hit in self._chosen(link)]
        chosen = [(self._add(self._position, hit.own_row), self._add(hit.part, hit.row)) for hit in hits]
        faces = self._faces()
        evidence = self._evidence(chosen, faces)
        for k, hit in enumerate(hits):
            pair = self._pair(hit)
            values = {name: float(column[k]) for name, column in evidence.values.items()}
            why_absent = _WHY_ABSENT | evidence.why_absent[k]
            if hit.bank == "face":  # at least one side has a face alone
                values |= {name: np.nan for name in _OF_BODY if name in values}
                why_absent |= dict.fromkeys(_OF_BODY, "one side shows a face alone")
            values["prior"] = self._prior(hit, values)
            values |= self._context_scores(hit) | {"bank_margin": hit.margin}
            model = self._banks.views(self._position).models[hit.own_row] or "no-appearance"
            stage = f"{self._stage.name}/{self._stage.version}"
            yield pair
            yield from pair_scores(pair.id, values, stage=stage, model=model, face_model=faces.model, why_absent=why_absent)
            yield from evidence_scores(
                pair.id, {"bank_cosine": hit.cosine}, f"{stage}:{model}:{hit.bank}", why_absent=why_absent
            )

    def _chosen(self, link: Sequence[Found]) -> list[Found]:
        """The likest two views first, then those in the most different surroundings."""

        def surroundings(hit: Found) -> float:
            own, other = self._banks.views(self._position), self._banks.views(hit.part)
            background = cosine(own.vector(hit.own_row, "background"), other.vector(hit.row, "background"))
            return 1.0 if np.isnan(background) else background

        first = min(link, key=lambda hit: (-hit.margin, hit.own_row, hit.row))
        rest = sorted((hit for hit in link if hit is not first), key=lambda h: (surroundings(h), h.own_row, h.row))
        return [first, *rest[: self._stage.pairs_per_link - 1]]

    def _add(self, part: int, row: int) -> int:
        """The number of a view; with it come all views of its subject, so that one bad cut-out does not decide."""
        views = self._banks.views(part)
        name = (part, views.subjects[row])
        if name not in self._named:
            self._named[name] = len(self._named)
            for k in (k for k, subject in enumerate(views.subjects) if subject == name[1]):
                self._number[part, k] = len(self._places)
                self._places.append((part, k))
                self._subjects.append(self._named[name])
        return self._number[part, row]

    def _evidence(self, chosen: Sequence[tuple[int, int]], faces: Faces) -> Evidence:
        views = [(self._banks.views(part), row) for part, row in self._places]
        bodies = [v.vector(row, "appearance") for v, row in views]
        length = next((body.size for body in bodies if body is not None), 1)
        points = {k: crop_keypoints.of_crop(self._artifacts, v.crops[row]) for k, (v, row) in enumerate(views)}
        return identity_evidence(
            chosen,
            model=next((v.models[row] or "" for v, row in views if v.models[row]), ""),
            vectors=np.stack([np.zeros(length, np.float32) if body is None else body for body in bodies]),
            subjects=self._subjects,
            faces=faces,
            points=points,
        )

    def _faces(self) -> Faces:
        """Of all views added."""
        views = [(self._banks.views(part), row) for part, row in self._places]
        return Faces(
            [v.vector(row, "face") for v, row in views],
            next((name for v, row in views if (name := v.face_models[row])), ""),
            [may_be_person(v.categories[row], v.is_living[row]) for v, row in views],
        )

    def _pair(self, hit: Found) -> Pair:
        own, other = self._banks.views(self._position), self._banks.views(hit.part)
        ends = [(own, hit.own_row), (other, hit.row)]
        (target, i), (reference, j) = ends if own.subject_ids[hit.own_row] is not None else ends[::-1]
        target_subject = target.subject_ids[i]
        assert target_subject is not None, "two pictures were paired"
        return Pair(
            target_subject_id=target_subject,
            target_appearance_id=target.appearance_ids[i],
            reference_subject_id=reference.subject_ids[j],
            reference_appearance_id=reference.appearance_ids[j],
            kind="cross_video",
        )

    def _prior(self, hit: Found, values: Mapping[str, float]) -> float:
        living = {self._banks.views(self._position).is_living[hit.own_row], self._banks.views(hit.part).is_living[hit.row]}
        if True in living or False not in living:
            return 0.0
        return rigid_support(values, inliers=self._stage.rigid_inliers, ratio=self._stage.rigid_ratio)

    def _context_scores(self, hit: Found) -> dict[str, float]:
        a, b, i, j = self._banks.views(self._position), self._banks.views(hit.part), hit.own_row, hit.row
        background = cosine(a.vector(i, "background"), b.vector(j, "background"))
        first, second = a.vector(i, FRAME_HASH_SPACE), b.vector(j, FRAME_HASH_SPACE)
        distance = np.nan if first is None or second is None else diversity.hash_distance(first, second)
        copied = diversity.copy_likeness(distance, None if np.isnan(background) else background)
        areas = a.frame_areas[i], b.frame_areas[j]
        ratio = np.nan
        if areas[0] and areas[1]:
            ratio = diversity.scale_ratio(a.boxes[i], b.boxes[j], frame_area_a=areas[0], frame_area_b=areas[1])
        return {
            "background_cosine": background,
            "context_diversity": 1.0 - background,
            "phash_distance": distance,
            "near_duplicate": np.nan if np.isnan(distance) else copied,
            "scale_ratio": ratio,
        }


_WHY_ABSENT: dict[str, str] = {
    "face_cosine": f"not both sides show a face; {APPEARANCE_DECIDES}",
    "background_cosine": "a subject fills its frame",
    "context_diversity": "a subject fills its frame",
}
_OF_BODY = ("similarity", "appearance_cosine", "subject_cosine", "clothing_cosine")
"""What there is nothing to say of where one side shows a face alone."""
