"""Training samples: a clip with references of its subjects, taken from the pairs that the gates accept now."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from backend.domain import (
    Appearance,
    Caption,
    Clip,
    Context,
    Filtered,
    Item,
    Ok,
    Pair,
    Plate,
    Resources,
    Result,
    Sample,
    Score,
    Subject,
    Video,
)

PREFERRED_AUTHOR = "sidecar"


class Reference(NamedTuple):
    """A picture of a subject of the clip, and what it was taken from: a subject of another clip, or a picture."""

    subject_id: str
    appearance_id: str
    instance: str
    pair_id: str
    worth: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AssembleSamples:
    """For each clip one cross-paired Sample of all its subjects that have a reference elsewhere, and one in-pair Sample.

    A pair of two clips serves both: each side is a reference for the clip of the other. A cross-paired sample takes no
    reference from its own clip and no two from one instance (one subject of one clip, or one picture); references in the
    most different surroundings come first. A subject without an accepted reference is not in the sample. Nothing
    generated is taken for a pair of two clips: such references serve the clip that they were made for.
    """

    name: ClassVar[str] = "assemble_samples"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = (Clip, Caption, Subject, Appearance, Pair, Plate, Score)
    makes: ClassVar[tuple[type, ...]] = (Sample,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(ram_gib=0.3)

    max_references: int = 3
    """Of one subject; OpenS2V's cases show at most three pictures."""
    max_subjects: int = 3
    """Of one sample (Kaleido's training configuration, max_subjects)."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._assembled(item) for item in items]

    def _assembled(self, item: Item) -> Result:
        clip_of = {subject.id: subject.clip_id for subject in item.all(Subject)}
        frames = {appearance.id: appearance.subject_id for appearance in item.all(Appearance)}
        diversity = {row.target: row.value for row in item.all(Score) if row.name == "context_diversity"}
        crossed: dict[str, list[Reference]] = defaultdict(list)
        inside: dict[str, list[Reference]] = defaultdict(list)
        for pair in item.all(Pair):
            worth = diversity.get(pair.id) or 0.0
            for mine, other, appearance in _directions(pair):
                if mine not in clip_of:
                    continue
                instance = other if other is not None and other != mine else frames.get(appearance) or appearance
                found = Reference(mine, appearance, instance, pair.id, worth)
                (inside if pair.kind == "in_pair" else crossed)[clip_of[mine]].append(found)
        captions = _captions(item.all(Caption))
        plates = {plate.clip_id: plate.id for plate in item.all(Plate)}
        rows = []
        for kind, by_clip in (("cross_pair", crossed), ("in_pair", inside)):
            for clip_id, references in sorted(by_clip.items()):
                chosen = self._chosen(references)
                rows.append(
                    Sample(
                        clip_id=clip_id,
                        kind=kind,
                        caption_id=captions.get(clip_id),
                        subject_ids=tuple(reference.subject_id for reference in chosen),
                        reference_ids=tuple(reference.appearance_id for reference in chosen),
                        pair_ids=tuple(reference.pair_id for reference in chosen),
                        plate_id=plates.get(clip_id),
                    )
                )
        return Ok(item.id, rows) if rows else Filtered(item.id, "no accepted pair gives a reference")

    def _chosen(self, references: Iterable[Reference]) -> list[Reference]:
        """The worthiest of each instance, at most `max_references` a subject, for the `max_subjects` worthiest subjects."""
        best: dict[tuple[str, str], Reference] = {}
        for reference in sorted(references, key=lambda r: (-r.worth, r.appearance_id, r.pair_id)):
            best.setdefault((reference.subject_id, reference.instance), reference)
        of_subject: dict[str, list[Reference]] = defaultdict(list)
        taken: set[str] = set()
        for reference in best.values():
            if len(of_subject[reference.subject_id]) < self.max_references and reference.instance not in taken:
                of_subject[reference.subject_id].append(reference)
                taken.add(reference.instance)
        subjects = sorted((name for name, found in of_subject.items() if found), key=lambda s: (-of_subject[s][0].worth, s))
        return [reference for name in sorted(subjects[: self.max_subjects]) for reference in of_subject[name]]


def _directions(pair: Pair) -> list[tuple[str, str | None, str]]:
    """Whose reference a pair gives: the clip's subject, the subject that the reference is taken from, the reference."""
    forth = (pair.target_subject_id, pair.reference_subject_id, pair.reference_appearance_id)
    if pair.kind not in ("cross_frame", "cross_video") or pair.reference_subject_id is None:
        return [forth]
    return [forth, (pair.reference_subject_id, pair.target_subject_id, pair.target_appearance_id)]


def _captions(captions: Iterable[Caption]) -> dict[str, str]:
    """For each clip its caption's id: a sidecar's before any other."""
    ordered = sorted(captions, key=lambda c: (c.author != PREFERRED_AUTHOR, c.author, c.id))
    chosen: dict[str, str] = {}
    for caption in ordered:
        chosen.setdefault(caption.clip_id, caption.id)
    return chosen
