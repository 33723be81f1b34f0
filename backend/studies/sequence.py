"""What a participant of a sequential study is shown next, by what the votes so far leave open.

The hold-out comes evenly, like every trial of another study, and is decided at consent. The other main trials are open
until they are given out: the pair of systems is one of those about which a vote would tell most, summed over questions;
of its items the one that was given out least, on the side on which its systems stood less.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from backend.domain import Vote
from backend.domain.studies import MAIN, REPEAT, StudyDesign, StudyItem
from backend.measures.comparisons import LOSS, TIE, WIN
from backend.measures.pair_selection import pair_information, ranked_pairs
from backend.studies.design import GAP, Assigned
from backend.studies.kinds import kind_of, order_of

Uses = Mapping[tuple[str, tuple[int, ...]], int]
"""How often each item was given to somebody, by the order of its systems on the screen."""


class Standing:
    """Votes on main trials as they stand: `counts` float `(questions, pairs, 3)` of wins, ties and losses.

    Pairs are in the order of `triu_indices` over the design's systems.
    """

    def __init__(self, design: StudyDesign) -> None:
        self._kind = kind_of(design.kind)
        self._num_systems = len(design.systems)
        first, second = np.triu_indices(self._num_systems, 1)
        numbers = {(design.systems[i], design.systems[j]): k for k, (i, j) in enumerate(zip(first, second, strict=True))}
        self.items: tuple[dict[str, StudyItem], ...] = tuple({} for _ in numbers)
        """Main items of each pair."""
        self._pair_of: dict[str, int] = {}
        for item in design.items:
            if item.role == MAIN:
                self._pair_of[item.id] = numbers[item.systems[0], item.systems[1]]
                self.items[self._pair_of[item.id]][item.id] = item
        self._questions = {aspect: k for k, aspect in enumerate(design.aspects)}
        self.counts = np.zeros((len(design.aspects), len(numbers), 3))
        self._cells: dict[str, dict[tuple[str, str], tuple[int, int, int]]] = {}

    def take(self, vote: Vote) -> None:
        """Counts a vote on a main trial in place of the same participant's earlier one on that question."""
        own = self._cells.setdefault(vote.rater, {})
        before = own.pop((vote.trial_id, vote.question), None)
        if before is not None:
            self.counts[before] -= 1
        pair = self._pair_of[vote.item_id]
        item = self.items[pair][vote.item_id]
        coded = None if vote.choice is None else self._kind.code(vote.choice, order_of(vote, item.systems))
        if coded is not None:
            outcome = {1.0: WIN, 0.5: TIE, 0.0: LOSS}[coded.value or 0.0]
            cell = (self._questions[vote.question], pair, outcome)
            self.counts[cell] += 1
            own[vote.trial_id, vote.question] = cell

    def drop(self, rater: str) -> None:
        """Takes everything away that somebody said who withdrew."""
        for cell in self._cells.pop(rater, {}).values():
            self.counts[cell] -= 1

    def information(self) -> np.ndarray:
        """What an answered trial on each pair would tell, float `(pairs,)`; minus infinity where a pair has no items."""
        told = np.sum([pair_information(counts, self._num_systems) for counts in self.counts], axis=0)
        return np.where([bool(items) for items in self.items], told, -np.inf)


def chosen_trial(
    design: StudyDesign, standing: Standing, uses: Uses, trials: Sequence[Assigned], position: int, rng: np.random.Generator
) -> Assigned:
    """What the open trial at `position` of a participant's trials shows."""
    if trials[position].role == REPEAT:
        return _again(design, trials, position, rng)
    seen = {one.item_id for one in trials if one.role == MAIN}
    for pair in ranked_pairs(standing.information(), rng):
        free = [item_id for item_id in standing.items[pair] if item_id not in seen]
        if free:
            return _least_used(free, uses, rng)
    raise AssertionError(f"study {design.name} has fewer main items than a participant has main trials")


def _least_used(free: Sequence[str], uses: Uses, rng: np.random.Generator) -> Assigned:
    orders = ((0, 1), (1, 0))
    counts = np.array([[uses.get((item_id, order), 0) for order in orders] for item_id in free])
    least = np.flatnonzero(counts.sum(axis=1) == counts.sum(axis=1).min())
    place = int(rng.choice(least))
    first, second = counts[place]
    side = int(rng.integers(2)) if first == second else int(second < first)
    return Assigned(free[place], MAIN, orders[side], held_out=False)


def _again(design: StudyDesign, trials: Sequence[Assigned], position: int, rng: np.random.Generator) -> Assigned:
    """An earlier main trial once more: first those that come as they were, then those with their sides exchanged."""
    repeated = [one.item_id for one in trials[:position] if one.role == REPEAT]
    before = [one for one in trials[:position] if one.role == MAIN and one.item_id not in repeated]
    far = [one for one in trials[: max(0, position - GAP)] if one in before] or before[:1]
    source = far[int(rng.integers(len(far)))]
    order = source.order[::-1] if len(repeated) >= design.repeats else source.order
    return Assigned(source.item_id, REPEAT, order, held_out=False)
