"""Made-up studies whose truth is known: votes of which each follows Davidson's model, alike on an item and of a rater."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from backend.measures.comparisons import Comparisons
from backend.measures.paired_models import davidson_shares
from backend.measures.raters import Sitting
from metrics.judged import Judged, JudgedPair, PairVote, join


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedStudy:
    """Every pair of systems on `items_per_pair` items, each judged by `raters_per_item` of `num_raters` raters.

    `alike_items` and `alike_raters` are how much of a vote's luck is the item's and the rater's own (a correlation on
    the normal scale): the chances of a single vote stay exactly those of the model, so that the truth is `strengths`.
    """

    strengths: tuple[float, ...] = (0.8, 0.2, -0.3, -0.7)
    log_nu: float = -0.3
    items_per_pair: int = 20
    raters_per_item: int = 5
    num_raters: int = 30
    alike_items: float = 0.3
    alike_raters: float = 0.1
    left_log_odds: float = 0.0

    def votes(self, rng: np.random.Generator) -> Comparisons:
        pairs = np.transpose(np.triu_indices(len(self.strengths), 1))
        num_items = len(pairs) * self.items_per_pair
        item = np.repeat(np.arange(num_items), self.raters_per_item)
        rater = rng.random((num_items, self.num_raters)).argsort(axis=1)[:, : self.raters_per_item].ravel()
        a, b = pairs[item // self.items_per_pair].T
        taste = rng.standard_normal((self.num_raters, len(self.strengths)))
        luck = np.sqrt(self.alike_items) * rng.standard_normal(num_items)[item]
        luck += np.sqrt(self.alike_raters / 2) * (taste[rater, a] - taste[rater, b])
        luck += np.sqrt(1 - self.alike_items - self.alike_raters) * rng.standard_normal(len(item))
        left = rng.random(len(item)) < 0.5
        strengths = np.asarray(self.strengths)
        difference = strengths[a] - strengths[b] + self.left_log_odds * np.where(left, 1.0, -1.0)
        win, tie, _ = davidson_shares(difference, np.full(len(item), self.log_nu))
        place = norm.sf(luck)
        return Comparisons(np.where(place < win, 1.0, np.where(place < win + tie, 0.5, 0.0)), a, b, item, rater, left)

    def rates(self) -> np.ndarray:
        """True win rates of the systems, ties by half, over all rivals alike."""
        difference = np.subtract.outer(self.strengths, self.strengths)
        win, tie, _ = davidson_shares(difference, np.full(difference.shape, self.log_nu))
        others = ~np.eye(len(self.strengths), dtype=bool)
        return np.array([(win + tie / 2)[i][others[i]].mean() for i in range(len(self.strengths))])


def swapped(votes: Comparisons, rows: np.ndarray) -> Comparisons:
    """The same votes with A and B exchanged in some rows."""
    return replace(
        votes,
        outcome=np.where(rows, 1 - votes.outcome, votes.outcome),
        a=np.where(rows, votes.b, votes.a),
        b=np.where(rows, votes.a, votes.b),
        left_is_a=votes.left_is_a ^ rows,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedRaters:
    """Raters of whom each is right on gold trials with a chance of their own."""

    accuracies: tuple[float, ...] = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
    num_gold: int = 40

    def sittings(self, rng: np.random.Generator) -> list[Sitting]:
        """One of each."""
        right = rng.random((len(self.accuracies), self.num_gold)) < np.asarray(self.accuracies)[:, None]
        return [Sitting(is_right=row.tolist()) for row in right]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedMetrics:
    """Pairs of videos with metric values in 0..1, whose votes follow a weighted sum of their differences.

    `weights` sum to 1; a difference of 1 in the sum has log odds `temperature`. Prompts shift each metric's weight, so that
    pairs of one prompt are no independent witnesses. The first metrics may have no value of some videos.
    """

    weights: tuple[float, ...] = (0.5, 0.3, 0.2)
    temperature: float = 6.0
    num_prompts: int = 100
    pairs_per_prompt: int = 3
    raters_per_pair: int = 5
    num_raters: int = 25
    tie_share: float = 0.1
    missing: tuple[float, ...] = ()

    def judged(self, rng: np.random.Generator) -> Judged:
        names = [f"m{k}" for k in range(len(self.weights))]
        pairs, votes = [], []
        values: dict[str, dict[str, float | None]] = {}
        num_pairs = self.num_prompts * self.pairs_per_prompt
        who = rng.random((num_pairs, self.num_raters)).argsort(axis=1)[:, : self.raters_per_pair]
        luck, tied = rng.random(who.shape), rng.random(who.shape) < self.tie_share
        for number in range(num_pairs):
            sides = rng.beta(4, 4, (2, len(names)))
            name = f"item{number:05d}"
            systems = ("a", "b", "c")
            chosen = rng.permutation(3)[:2]
            made = (f"{name}/first", f"{name}/second")
            pairs.append(
                JudgedPair(
                    item=name,
                    prompt=f"prompt{number // self.pairs_per_prompt:04d}",
                    systems=(systems[chosen[0]], systems[chosen[1]]),
                    generations=made,
                    domain="open" if number % 2 else "human",
                )
            )
            lost = [rng.random() < (self.missing[k] if k < len(self.missing) else 0.0) for k in range(len(names))]
            for generation, row in zip(made, sides, strict=True):
                values[generation] = {one: None if lost[k] else float(row[k]) for k, one in enumerate(names)}
            z = self.temperature * float((sides[0] - sides[1]) @ np.asarray(self.weights))
            won = luck[number] < 1 / (1 + np.exp(-z))
            for rater, value in zip(who[number], np.where(tied[number], 0.5, won), strict=True):
                votes.append(PairVote(item=name, rater=f"rater{rater}", value=float(value)))
        return join(pairs, votes, values)
