"""Whether a person's face looks at the camera (S21, Kaleido's filter of references)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from backend.domain import Appearance, Clip, Context, Filtered, Item, Ok, Resources, Result, Score, Subject, Track
from backend.geometry import boxes
from backend.stages.people_count import box_at, people_of


@dataclass(frozen=True, slots=True)
class CheckFrontal:
    """`frontal_face` of each appearance: the share of frontal sightings of the face that lies in its box on its frame.

    0 for a person without a face there: seen from behind, or hidden. What is no person has NULL.
    """

    name: ClassVar[str] = "check_frontal"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Track, Subject, Appearance, Score)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(cpu=0.1, ram_gib=0.1)

    face_inside: float = 0.6
    """The share of a face that lies in a person's box when it is that person's."""

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._check(item) for item in items]

    def _check(self, item: Item) -> Result:
        if not item.all(Appearance):
            return Filtered(item.id, "the clip shows no subject")
        shares = {score.target: score.value for score in item.all(Score) if score.name == "frontal_fraction"}
        faces = [track for track in item.all(Track) if track.kind == "face"]
        followed = {track.id for track in people_of(item.all(Track), item.all(Subject))}
        people = {subject.id for subject in item.all(Subject) if subject.track_id in followed}
        return Ok(item.id, [self._score(each, each.subject_id in people, faces, shares) for each in item.all(Appearance)])

    def _score(
        self, appearance: Appearance, is_person: bool, faces: Sequence[Track], shares: dict[str, float | None]
    ) -> Score:
        value, reason = None, None if is_person else "not applicable: no person"
        if is_person:
            inside = [face for face in faces if self._has(appearance, face)]
            known = [share for share in (shares.get(face.id) for face in inside) if share is not None]
            value = max(known, default=None if inside else 0.0)
            reason = None if value is not None else "neither angles nor symmetry of the face are known"
        producer = f"{self.name}/{self.version}"
        return Score(target=appearance.id, name="frontal_face", value=value, producer=producer, reason=reason)

    def _has(self, appearance: Appearance, face: Track) -> bool:
        box = None if appearance.frame is None else box_at(face, appearance.frame)
        return box is not None and boxes.contain(box, appearance.box) >= self.face_inside
