"""S37: which pairs people should look at: an equal share of every band of similarity, drawn at random."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from backend.domain import Context, Filtered, Item, Ok, Pair, Resources, Result, Score


@dataclass(frozen=True, slots=True)
class AuditPairs:
    """The band of similarity in which a pair lies (`audit_stratum`, 0 the lowest) and its random place (`audit_draw`).

    Of pairs that faces decide, the cosine of the faces is the similarity.

    The audit takes the pairs of smallest `audit_draw` of each stratum (`audit_sample`): every pair of a band has the
    same chance, whatever order pairs arrive in, and a pair once drawn stays drawn until smaller draws push it out.
    """

    name: ClassVar[str] = "audit_pairs"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Pair
    gathers: ClassVar[tuple[type, ...]] = (Score,)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(ram_gib=0.1)

    num_strata: int = 10

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._placed(item, context) for item in items]

    def _placed(self, item: Item, context: Context) -> Result:
        pair = item.one(Pair)
        known = {score.name: score.value for score in item.all(Score) if score.target == pair.id}
        similarity = known.get("similarity")
        if similarity is None and (face := known.get("face_cosine")) is not None:  # the faces decide
            similarity = max(0.0, face)
        if pair.kind == "in_pair" or similarity is None:
            return Filtered(item.id, "an in-pair needs no audit" if pair.kind == "in_pair" else "no similarity")
        stratum = min(self.num_strata - 1, int(similarity * self.num_strata))
        draw = float(context.rng(pair.id).random())
        producer = f"{self.name}/{self.version}"
        return Ok(
            item.id,
            [
                Score(target=pair.id, name="audit_stratum", value=float(stratum), producer=producer),
                Score(target=pair.id, name="audit_draw", value=draw, producer=producer),
            ],
        )


PER_STRATUM = 200
"""Pairs judged in each stratum (curation table, S37): a Wilson interval of at most +-7 % at 95 %."""


def audit_sample(placed: Mapping[str, tuple[float, float]], *, per_stratum: int = PER_STRATUM) -> list[str]:
    """Pair ids drawn for people, by `(stratum, draw)` of each pair, in order of draw: strata come by turns."""
    strata: dict[float, list[tuple[float, str]]] = {}
    for name, (stratum, draw) in placed.items():
        strata.setdefault(stratum, []).append((draw, name))
    ranked = [
        (rank, stratum, name)
        for stratum, members in strata.items()
        for rank, (_, name) in enumerate(sorted(members)[:per_stratum])
    ]
    return [name for _, _, name in sorted(ranked)]
