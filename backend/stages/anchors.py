"""S35: global anchors, frames that stand for a subject inside and outside its clip (Gloria, section 3)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from backend.domain import Anchor, Appearance, Clip, Context, Filtered, Item, Ok, Pair, Resources, Result, Subject, Video
from backend.measures.retrieval import identity_components


@dataclass(frozen=True, slots=True)
class SelectAnchors:
    """Global anchors for each subject of each clip: random frames of it inside, and outside where pairs link it.

    Linked subjects are the components of the pairs that the gates accept now. The choice is drawn from
    `context.rng`, so that equal seeds give equal anchors.
    """

    name: ClassVar[str] = "select_anchors"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = (Clip, Subject, Appearance, Pair)
    makes: ClassVar[tuple[type, ...]] = (Anchor,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(ram_gib=0.2)

    inside: int = 1
    """Anchors from the clip itself, for each subject."""
    outside: int = 1
    """Anchors from other clips of the same long video, for each subject."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._anchored(item, context) for item in items]

    def _anchored(self, item: Item, context: Context) -> Result:
        subjects = item.all(Subject)
        if not subjects:
            return Filtered(item.id, "the video shows no subject")
        frames: dict[str, list[Appearance]] = defaultdict(list)
        for appearance in item.all(Appearance):
            if appearance.subject_id is not None:
                frames[appearance.subject_id].append(appearance)
        linked = _linked(subjects, item.all(Pair))
        rows: list[Anchor] = []
        for subject in subjects:
            rng = context.rng(subject.id)
            own = frames[subject.id]
            others = [a for other in linked[subject.id] for a in frames[other]]
            for pool, num, inside in ((own, self.inside, True), (others, self.outside, False)):
                rows.extend(
                    Anchor(
                        appearance_id=pool[k].id, clip_id=subject.clip_id, kind="global", label=subject.id, inside=inside
                    )
                    for k in rng.permutation(len(pool))[:num].tolist()
                )
        return Ok(item.id, rows)


def _linked(subjects: Sequence[Subject], pairs: Sequence[Pair]) -> dict[str, list[str]]:
    """For each subject, the subjects of other clips that pairs join to it, directly or through others."""
    place = {subject.id: k for k, subject in enumerate(subjects)}
    edges = {
        (place[pair.target_subject_id], place[pair.reference_subject_id])
        for pair in pairs
        if pair.kind != "in_pair" and pair.reference_subject_id in place and pair.target_subject_id in place
    }
    alike = {(min(a, b), max(a, b)): 1.0 for a, b in edges}
    linked: dict[str, list[str]] = {subject.id: [] for subject in subjects}
    for group in identity_components(len(subjects), edges, alike, floor=0.0):
        for k in group:
            mine = subjects[k]
            linked[mine.id] = [subjects[o].id for o in group if subjects[o].clip_id != mine.clip_id]
    return linked
