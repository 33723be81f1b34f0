"""`report ablate`: what each kind of gate on pairs is worth, from stored scores and verdicts alone (Phantom-Data, Fig. 6 and 7)."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.statistics import AblationRow
from backend.engine.plan import TOP, Gate, Plan
from backend.measures.intervals import wilson
from backend.workspace.snapshot import Snapshot

LOWER = (
    "similarity", "appearance_cosine", "face_cosine", "bank_margin", "made_similarity", "made_face_cosine", "rival_margin",
    "phrase_cosine",
)  # fmt: skip
UPPER = ("near_duplicate", "context_diversity")
PRIOR = ("prior", "logo_match")
TIME_GAPS_S = (10.0, 60.0, 600.0)
"""Second-level, within a minute, minute-level and beyond (Phantom-Data, Fig. 6a)."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Every pair that the current plan's gates on earlier records let through, with what decides on it."""

    ids: list[str]
    kinds: np.ndarray
    """str `(N,)`."""
    held_at: np.ndarray
    """int `(N,)`: place of the step whose gate holds the pair back; the number of steps where none does."""
    verdicts: np.ndarray
    """float `(N,)`: 1 the same, 0 not, NaN unsure or not judged."""
    scores: Mapping[str, np.ndarray]
    """By name float `(N,)`, NaN where NULL or not there."""
    there: Mapping[str, np.ndarray]
    """By name bool `(N,)`: a row is stored."""
    cuts: Mapping[str, np.ndarray]
    """By gate name float `(N,)`: the value that holds for each pair, which may go by its subject's category."""
    banks: np.ndarray
    """str `(N,)`: the producer of `bank_cosine`, empty for pairs of one video."""


def ablation(now: Snapshot, plan: Plan) -> list[AblationRow]:
    """All gates; without each kind; what the gates keep by time gap, bank and construction. In-pairs are left out."""
    steps = _steps(plan)
    gates = [gate for gate in plan.gates() if gate.record == "pair" and gate.comparison != TOP]
    found = candidates(now, plan, gates)
    rows = [_row("gates", "all gates", found, *_kept(found, gates, steps, ()))]
    for name, removed in groups(gates).items():
        if removed:
            rows.append(_row("gates", f"without {name}", found, *_kept(found, gates, steps, removed), removed=removed))
    kept, _ = _kept(found, gates, steps, ())
    gaps = found.scores.get("time_gap_s", np.full(len(found.ids), np.nan))
    edges = [0.0, *TIME_GAPS_S, np.inf]
    for low, high in itertools.pairwise(edges):
        name = f"{low:g} to {high:g} s" if np.isfinite(high) else f"from {low:g} s on"
        rows.append(_row("time gap", name, found, kept & (gaps >= low) & (gaps < high)))
    rows += [
        _row("bank", name or "one long video", found, kept & (found.banks == name)) for name in sorted(set(found.banks))
    ]
    rows += [_row("construction", kind, found, kept & (found.kinds == kind)) for kind in sorted(set(found.kinds))]
    return [row for row in rows if row.group == "gates" or row.pairs]


def groups(gates: Sequence[Gate]) -> dict[str, tuple[str, ...]]:
    """Names of the gates of each kind that is removed: bounds below and above, priors, a judge's word, redundancy."""
    lower = [g.name for g in gates if g.score in LOWER and ">" in g.comparison]
    upper = [g.name for g in gates if g.score in UPPER or ("<" in g.comparison and g.score != "redundancy")]
    found = {
        "the lower bound": lower,
        "the upper bound": upper,
        "the prior": [g.name for g in gates if g.score in PRIOR],
        "verification": [g.name for g in gates if g.score.startswith("judged_")],
        "one link for each discovery": [g.name for g in gates if g.score == "redundancy"],
    }
    return {name: tuple(dict.fromkeys(names)) for name, names in found.items()}  # two stages may measure for one gate


def candidates(now: Snapshot, plan: Plan, gates: Sequence[Gate]) -> Candidates:
    """Pairs kept and held back by gates on pairs, other than in-pairs, in the order of their ids."""
    steps = _steps(plan)
    rows = now.query(
        """SELECT c.id, any_value(p.kind), any_value(c.gate), any_value(v.verdict), any_value(s.category) FROM (
            SELECT id, NULL AS gate FROM kept_pair UNION ALL SELECT id, gate FROM gated WHERE kind = 'pair') c
        JOIN pair p ON p.id = c.id LEFT JOIN subject s ON s.id = p.target_subject_id LEFT JOIN pair_status v ON v.pair_id = c.id WHERE p.kind <> 'in_pair' GROUP BY 1 ORDER BY 1"""
    )
    place = {row[0]: n for n, row in enumerate(rows)}
    names = sorted({gate.score for gate in gates} | {"time_gap_s", "context_diversity", "bank_cosine"})
    scores = {name: np.full(len(rows), np.nan) for name in names}
    there = {name: np.zeros(len(rows), bool) for name in names}
    cuts = {gate.name: np.full(len(rows), gate.value) for gate in gates}
    banks = np.full(len(rows), "", dtype=object)
    wanted = "target IN (SELECT id FROM kept_pair UNION SELECT id FROM gated WHERE kind = 'pair') AND name IN (SELECT unnest(?::VARCHAR[]))"
    for target, name, value, producer in now.query(
        f"SELECT target, name, value, producer FROM live_score WHERE {wanted}", [names]
    ):
        if target in place:
            there[name][place[target]] = True
            scores[name][place[target]] = np.nan if value is None else value
            for gate in gates:
                if gate.score == name and gate.by_category:
                    cuts[gate.name][place[target]] = gate.cut(rows[place[target]][4], producer)
            if name == "bank_cosine":
                banks[place[target]] = producer.rpartition(":")[2]
    return Candidates(
        ids=[row[0] for row in rows],
        kinds=np.array([row[1] for row in rows], dtype=object),
        held_at=np.array([len(plan.steps) if row[2] is None else steps.get(row[2], 0) for row in rows], dtype=int),
        verdicts=np.array([{"same": 1.0, "different": 0.0, "near_duplicate": 0.0}.get(row[3], np.nan) for row in rows]),
        scores=scores,
        there=there,
        cuts=cuts,
        banks=banks,
    )


def _steps(plan: Plan) -> dict[str, int]:
    """The first step that each gate stands at: one gate may bound what two stages measure."""
    places: dict[str, int] = {}
    for place, step in enumerate(plan.steps):
        for gate in step.gates:
            places.setdefault(gate.name, place)
    return places


def _kept(
    found: Candidates, gates: Sequence[Gate], steps: Mapping[str, int], removed: Sequence[str]
) -> tuple[np.ndarray, int]:
    """Which pairs the remaining gates let through, and how many more none denies but not all were measured on."""
    passes = np.ones(len(found.ids), bool)
    unknown = np.zeros(len(found.ids), bool)
    for gate in gates:
        if gate.name in removed:
            continue
        values, there, cut = found.scores[gate.score], found.there[gate.score], found.cuts[gate.name]
        null = there & np.isnan(values)
        with np.errstate(invalid="ignore"):
            held = {
                ">=": values < cut,
                ">": values <= cut,
                "<=": values > cut,
                "<": values >= cut,
            }
        passes &= ~(there & held[gate.comparison]) & ~(null & (gate.unmeasured == "drop"))
        # A pair that an earlier step holds back has no rows of this one; otherwise no row means not its business.
        unknown |= ~there & (found.held_at < steps[gate.name])
    return passes & ~unknown, int((passes & unknown).sum())


def _row(
    group: str, name: str, found: Candidates, kept: np.ndarray, unmeasured: int = 0, *, removed: Sequence[str] = ()
) -> AblationRow:
    verdicts = found.verdicts[kept]
    judged, same = int(np.isfinite(verdicts).sum()), int(np.nansum(verdicts))
    interval = wilson(same / judged, judged) if judged else None
    diversity = found.scores["context_diversity"][kept]
    diversity = diversity[np.isfinite(diversity)]
    return AblationRow(
        group=group,
        name=name,
        removed=tuple(removed),
        pairs=int(kept.sum()),
        unmeasured=unmeasured,
        judged=judged,
        same=same,
        precision=same / judged if judged else None,
        precision_low=interval[0] if interval else None,
        precision_high=interval[1] if interval else None,
        context_diversity=float(diversity.mean()) if len(diversity) else None,
    )
