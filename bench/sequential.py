"""How many votes a study saves that chooses its pairs: people come one after another until every strength is known well.

Planted strengths are evenly spaced; votes are alike on an item and of a rater, as in `planted_votes`. Both designs stop by
the rule that studies have, at the same half width, over the same items.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from statistics import mean

import numpy as np
from scipy.stats import norm

from backend.domain import Vote
from backend.domain.studies import MAIN, Estimate, StudyDesign, StudyItem, StudyMedia
from backend.measures.comparisons import Comparisons
from backend.measures.paired_models import davidson_shares
from backend.measures.rankings import Ranking, rank_davidson
from backend.studies.design import Assigned, trials_of
from backend.studies.sequence import Standing, chosen_trial
from backend.studies.stopping import MIN_PEOPLE, NUM_DRAWS, half_of

NUM_STUDIES = 12
HALF_WIDTH = 0.25
CHOICE = {1.0: "left", 0.5: "tie", 0.0: "right"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Systems of which every pair has `items_per_pair` items, and people who do `trials` of them each."""

    strengths: tuple[float, ...] = (1.75, 1.25, 0.75, 0.25, -0.25, -0.75, -1.25, -1.75)
    log_nu: float = -0.3
    items_per_pair: int = 20
    trials: int = 30
    alike_items: float = 0.3
    alike_raters: float = 0.1
    most_people: int = 200

    def design(self, *, sequential: bool, seed: int) -> StudyDesign:
        names = tuple(f"s{k}" for k in range(len(self.strengths)))
        items = tuple(
            StudyItem(
                role=MAIN,
                case_id=f"case{k}",
                category="",
                systems=pair,
                media=tuple(StudyMedia(system=system, path=f"{system}/{k}") for system in pair),
            )
            for pair in combinations(names, 2)
            for k in range(self.items_per_pair)
        )
        return StudyDesign(
            name="planted",
            kind="preference",
            form="ab",
            aspects=("better",),
            systems=names,
            benchmark="",
            cases_hash="",
            items=items,
            seed=seed,
            trials=self.trials,
            repeats=0,
            flips=0,
            gold=0,
            identical=0,
            practice=0,
            sequential=sequential,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A study at the vote at which it knew enough, or at its last one. `held` counts intervals that hold the truth."""

    votes: int
    held_out: int
    widest: float
    held: int


def answered_until(half_width: float, panel: Panel, *, sequential: bool, seed: int) -> Stopped:
    """One simulated study."""
    design = panel.design(sequential=sequential, seed=seed)
    rng = np.random.default_rng([seed, 5])
    items = {item.id: k for k, item in enumerate(design.items)}
    number = {system: k for k, system in enumerate(design.systems)}
    luck = rng.standard_normal(len(items))
    standing, uses = Standing(design), Counter[tuple[str, tuple[int, ...]]]()
    rows: list[tuple[float, int, int, int, int, bool, bool]] = []
    for person in range(panel.most_people):
        taste = rng.standard_normal(len(design.systems))
        trials = trials_of(design, person)
        for position in range(len(trials)):
            if trials[position].is_open:
                trials[position] = chosen_trial(design, standing, uses, trials, position, rng)
            one = trials[position]
            uses[one.item_id, one.order] += 1
            item = design.items[items[one.item_id]]
            a, b = (number[system] for system in item.systems)
            value = _value(panel, a, b, luck[items[one.item_id]], taste, rng)
            standing.take(_vote(design, item, one, person, position, value))
            rows.append((value, a, b, items[one.item_id], person, one.order[0] == 0, one.held_out))
        if person + 1 >= MIN_PEOPLE:
            found = _ranked(rows, design.systems, seed)
            if found is not None and max(map(_half, found)) <= half_width:
                break
    strengths = _ranked(rows, design.systems, seed)
    assert strengths is not None, "a study of so many votes ranks its systems"
    held = sum(_holds(one, true) for one, true in zip(strengths, panel.strengths, strict=True))
    return Stopped(votes=len(rows), held_out=sum(row[-1] for row in rows), widest=max(map(_half, strengths)), held=held)


def run() -> list[dict]:
    """One row a figure."""
    panel = Panel()
    found = {
        sequential: [answered_until(HALF_WIDTH, panel, sequential=sequential, seed=seed) for seed in range(NUM_STUDIES)]
        for sequential in (False, True)
    }
    even, chosen = (mean(one.votes for one in found[sequential]) for sequential in (False, True))
    about = f"8 systems, {NUM_STUDIES} studies, until every strength is known to +-{HALF_WIDTH:g}"
    share = mean(one.held / len(panel.strengths) for one in found[True])
    return [
        _row("votes, every pair equally often", even, None, about),
        _row("votes, pairs chosen by information", chosen, None, f"{about}; a tenth of the trials held out"),
        _row("share of votes saved", 1 - chosen / even, "> 0", about),
        _row("intervals of chosen pairs that hold the truth when it stops", share, None, about),
    ]


def _value(panel: Panel, a: int, b: int, luck: float, taste: np.ndarray, rng: np.random.Generator) -> float:
    """1, .5 or 0 for the first system, by Davidson's model."""
    difference = np.array([panel.strengths[a] - panel.strengths[b]])
    win, tie, _ = (float(one[0]) for one in davidson_shares(difference, np.array([panel.log_nu])))
    own = np.sqrt(panel.alike_raters / 2) * (taste[a] - taste[b])
    rest = np.sqrt(1 - panel.alike_items - panel.alike_raters) * rng.standard_normal()
    place = float(norm.sf(np.sqrt(panel.alike_items) * luck + own + rest))
    return 1.0 if place < win else 0.5 if place < win + tie else 0.0


def _vote(design: StudyDesign, item: StudyItem, one: Assigned, person: int, position: int, value: float) -> Vote:
    shown = tuple(item.systems[k] for k in one.order)
    said = value if one.order[0] == 0 else 1 - value
    return Vote(
        id=f"{person}-{position}",
        rev=1,
        study_id=design.id,
        trial_id=f"{person}-{position}",
        item_id=item.id,
        rater=str(person),
        rater_kind="person",
        question="better",
        choice=CHOICE[said],
        shown_order=shown,
    )


def _ranked(rows: list[tuple[float, int, int, int, int, bool, bool]], systems: tuple[str, ...], seed: int):
    value, a, b, item, rater, left, _ = (np.array(column) for column in zip(*rows, strict=True))
    votes = Comparisons(value, a, b, item, rater, left)
    found = rank_davidson(votes, systems, rng=np.random.default_rng([seed, 6]), num_draws=NUM_DRAWS)
    return found.strengths if isinstance(found, Ranking) else None


def _half(one: Estimate) -> float:
    found = half_of(one)
    return np.inf if found is None else found


def _holds(one: Estimate, true: float) -> bool:
    return one.low is not None and one.high is not None and one.low <= true <= one.high


def _row(name: str, value: float, target: str | None, note: str) -> dict:
    return {"name": name, "value": value, "unit": "", "target": target, "note": note}
