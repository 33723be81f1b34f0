"""How many votes a study saves that chooses its pairs: as narrow intervals as an even design has, after how many of them.

Planted strengths go from clearly bad to clearly good; votes are alike on an item and of a rater, as in `planted_votes`.
People come one after another, and both designs ask about the same items.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import norm

from backend.domain import Vote
from backend.domain.studies import MAIN, Estimate, StudyDesign, StudyItem, StudyMedia
from backend.measures.comparisons import Comparisons
from backend.measures.paired_models import davidson_shares
from backend.measures.rankings import Ranking, rank_davidson
from backend.studies.design import Assigned, trials_of
from backend.studies.sequence import Standing, chosen_trial
from backend.studies.stopping import half_of

NUM_STUDIES = 12
MARKS = (10, 15, 20, 25, 30, 35, 40)  # people after whom intervals are looked at
NUM_DRAWS = 400
CHOICE = {1.0: "left", 0.5: "tie", 0.0: "right"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Systems of which every pair has `items_per_pair` items, and people who do `trials` of them each."""

    strengths: tuple[float, ...] = (3.0, 2.1, 1.3, 0.4, -0.4, -1.3, -2.1, -3.0)
    log_nu: float = -0.3
    items_per_pair: int = 40
    trials: int = 30
    alike_items: float = 0.3
    alike_raters: float = 0.1

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
class Known:
    """What is known after so many people: means of half a 95 % interval, and how many intervals hold the truth."""

    strengths: float
    neighbours: float
    """Of differences between systems that follow each other in truth."""
    held: float


def known_after(marks: Sequence[int], panel: Panel, *, sequential: bool, seed: int) -> list[Known]:
    """One simulated study, looked at after each of `marks` people."""
    design = panel.design(sequential=sequential, seed=seed)
    rng = np.random.default_rng([seed, 5])
    items = {item.id: k for k, item in enumerate(design.items)}
    number = {system: k for k, system in enumerate(design.systems)}
    luck = rng.standard_normal(len(items))
    standing, uses = Standing(design), Counter[tuple[str, tuple[int, ...]]]()
    rows: list[tuple[float, int, int, int, int, bool]] = []
    found = []
    for person in range(max(marks)):
        taste = rng.standard_normal(len(design.systems))
        trials = trials_of(design, person)
        for position in range(len(trials)):
            if trials[position].is_open:
                trials[position] = chosen_trial(design, standing, uses, trials, position, rng)
            one = trials[position]
            uses[one.item_id, one.order] += 1
            place = items[one.item_id]
            item = design.items[place]
            a, b = (number[system] for system in item.systems)
            value = _value(panel, a, b, luck[place], taste, rng)
            standing.take(_vote(design, item, one, person, position, value))
            rows.append((value, a, b, place, person, one.order[0] == 0))
        if person + 1 in marks:
            found.append(_known(rows, design.systems, panel, seed))
    return found


def votes_for(width: float, marks: Sequence[int], widths: Sequence[float], trials: int) -> float:
    """After how many votes a mean width is reached; between looks by 1 / width^2, which grows as votes do."""
    precision = 1 / np.square(widths)
    return trials * float(np.interp(1 / width**2, precision, marks))


def run(num_studies: int = NUM_STUDIES, marks: Sequence[int] = MARKS, panel: Panel | None = None) -> list[dict]:
    """One row a figure."""
    panel = panel or Panel()
    told = {
        sequential: [known_after(marks, panel, sequential=sequential, seed=seed) for seed in range(num_studies)]
        for sequential in (False, True)
    }
    even_votes = panel.trials * marks[-2]
    note = f"{len(panel.strengths)} systems, {num_studies} studies; as narrow as {even_votes:,} votes of an even design"
    rows = []
    for name, what in (("strengths", "strengths"), ("neighbours", "differences of neighbours")):
        even, chosen = (
            np.mean([[getattr(one, name) for one in study] for study in told[sequential]], axis=0)
            for sequential in (False, True)
        )
        needed = votes_for(float(even[-2]), marks, chosen.tolist(), panel.trials)
        rows.append(_row(f"votes, by intervals of {what}", needed, f"< {even_votes:,}", f"{note} (+-{even[-2]:.3f})"))
    held = float(np.mean([[one.held for one in study] for study in told[True]]))
    return [*rows, _row("intervals of strengths that hold the truth, pairs chosen", held, "", "95 % intervals")]


def _known(
    rows: Sequence[tuple[float, int, int, int, int, bool]], systems: tuple[str, ...], panel: Panel, seed: int
) -> Known:
    value, a, b, item, rater, left = (np.array(column) for column in zip(*rows, strict=True))
    votes = Comparisons(value, a, b, item, rater, left)
    found = rank_davidson(votes, systems, rng=np.random.default_rng([seed, 6]), num_draws=NUM_DRAWS)
    assert isinstance(found, Ranking), found
    halves = [half_of(one) for one in found.strengths]
    next_ones = np.arange(len(systems) - 1)
    ends = found.differences[next_ones, next_ones + 1]
    holds = [_holds(one, true) for one, true in zip(found.strengths, panel.strengths, strict=True)]
    return Known(
        strengths=float(np.mean([np.inf if one is None else one for one in halves])),
        neighbours=float(np.mean(ends[:, 2] - ends[:, 1]) / 2),
        held=float(np.mean(holds)),
    )


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


def _holds(one: Estimate, true: float) -> bool:
    return one.low is not None and one.high is not None and one.low <= true <= one.high


def _row(name: str, value: float, target: str | None, note: str) -> dict:
    return {"name": name, "value": value, "unit": "", "target": target, "note": note}
