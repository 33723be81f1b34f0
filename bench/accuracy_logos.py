"""How much surer pairs of products are by their logos: on sample worlds with their true boxes.

`python -m bench.accuracy_logos 0,1000 [--videos 16]`. Worlds of 16 videos show every product twice; the second time it may
be its logo look-alike. Pairs are those of two clips of one kind of product, each two subjects counted once.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from backend.domain import Appearance, Failed, Item, Mask, Pair, Score, Subject, Video
from backend.stages.logo_pairs import MatchLogos
from backend.stages.logos import FindLogos
from backend.stages.retrieval_evidence import Bounds
from bench.accuracy_pairs_worlds import GivenWorld, given_world

Row = dict[str, Any]
Kept = Mapping[tuple[str, str], dict[str, float | None]]


def run(seeds: Iterable[int], *, videos: int = 16) -> list[Row]:
    """Rows `{name, value, right, wrong, missed, note}` for each rule over all seeds."""
    found = [product_links(given_world(seed, videos=videos)) for seed in seeds]
    links = [link for of_world in found for link in of_world]
    bounds = Bounds()
    rules = {
        "every pair": lambda s: True,
        "prior": lambda s: (s["prior"] or 0) >= bounds.prior,
        "similarity": lambda s: (s["similarity"] or 0) >= bounds.similarity,
        "similarity and prior": lambda s: min((s["similarity"] or 0) / bounds.similarity, s["prior"] or 0) >= 1,
        "logo_match": lambda s: (s["logo_match"] or 0) >= 1,
        "similarity and logo_match": lambda s: min((s["similarity"] or 0) / bounds.similarity, s["logo_match"] or 0) >= 1,
        "half the prior and logo_match": lambda s: min(2 * (s["prior"] or 0), s["logo_match"] or 0) >= 1,
        "prior and logo_match": lambda s: min(s["prior"] or 0, s["logo_match"] or 0) >= 1,
    }
    return [_row(name, links, [rule(scores) for _, _, scores in links]) for name, rule in rules.items()]


def product_links(world: GivenWorld) -> list[tuple[str, str, dict[str, float | None]]]:
    """Identities of both sides and the scores of each two subjects that are one kind of product in two clips."""
    kept = world.pair()
    subjects = {s.id: s for s in kept.of(Subject)}
    goods = {a.id: a for a in kept.of(Appearance) if not subjects[a.subject_id].is_living}
    masks = {m.appearance_id: m for m in kept.of(Mask)}
    items = [
        Item(a.id, {Appearance: (a,), Mask: (masks[a.id],), Subject: (subjects[a.subject_id],)}) for a in goods.values()
    ]
    context = _WithIds(world.context)
    scores: list[Score] = []
    for result in FindLogos()(items, context):  # type: ignore[arg-type]
        assert not isinstance(result, Failed), result
        scores += getattr(result, "rows", ())
    pairs = [p for p in kept.of(Pair) if p.kind == "cross_frame" and p.target_appearance_id in goods]
    pairs = [p for p in pairs if p.reference_appearance_id in goods]
    records = {kind: tuple(kept.of(kind)) for kind in (Subject, Appearance, Mask)}
    item = Item(world.whole.id, {Video: (world.whole,), **records, Pair: tuple(pairs), Score: tuple(scores)})
    (matched,) = MatchLogos()([item], context)  # type: ignore[arg-type]
    kept.add(getattr(matched, "rows", ()))
    links = {}
    for pair in pairs:
        a, b = subjects[pair.target_subject_id], subjects[pair.reference_subject_id or ""]
        if a.category == b.category:
            links[frozenset((a.id, b.id))] = (a.track_id, b.track_id, kept.scores[pair.id])
    return list(links.values())


class _WithIds:
    """A world's context that names what is bound."""

    def __init__(self, memory: Any) -> None:
        self.artifacts, self.role = memory.artifacts, memory.role

    def model_id(self, name: str) -> str:
        return self.role(name).model_id


def _row(name: str, links: Sequence[tuple[str, str, Any]], kept: Sequence[bool]) -> Row:
    right = sum(k and a == b for (a, b, _), k in zip(links, kept, strict=True))
    wrong = [f"{a} with {b}" for (a, b, _), k in zip(links, kept, strict=True) if k and a != b]
    same = sum(a == b for a, b, _ in links)
    precision = right / (right + len(wrong)) if right + len(wrong) else None
    return {
        "name": f"product pairs, {name}", "value": precision, "right": right, "wrong": len(wrong), "missed": same - right,
        "note": ", ".join(sorted(wrong)),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds")
    parser.add_argument("--videos", type=int, default=16)
    given = parser.parse_args()
    for row in run([int(seed) for seed in given.seeds.split(",")], videos=given.videos):
        sys.stdout.write(json.dumps(row) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
