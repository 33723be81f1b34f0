"""Made-up studies whose truth is known: votes of which each follows Davidson's model, alike on an item and of a rater."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from backend.measures.comparisons import Comparisons
from backend.measures.paired_models import davidson_shares


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
