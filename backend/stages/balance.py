"""S36: how often each anchor is to be drawn so that kinds come in the published shares."""

from collections import Counter
from collections.abc import Mapping, Sequence

GLORIA_SHARES: Mapping[str, Mapping[str, float]] = {
    "viewpoint": {"front": 29.6, "back": 17.3, "left": 27.9, "right": 25.2},  # Gloria, table 5
    "expression": {  # Gloria, table 6
        "surprise": 15.0,
        "angry": 8.2,
        "disgust": 13.7,
        "fear": 10.1,
        "contempt": 13.6,
        "neutral": 8.1,
        "happy": 14.6,
        "sad": 16.7,
    },
}
MOST_WEIGHT = 2.0  # research default: no anchor is drawn more than twice as often as it is found


def anchor_weights(labels: Sequence[str], shares: Mapping[str, float], *, most: float = MOST_WEIGHT) -> dict[str, float]:
    """The weight of each label that occurs: its wanted share over its share among `labels`, at most `most`.

    Shares are those among the labels that occur, so that a missing one does not thin out the others. Labels without a
    share have weight 0. Under the cap the weighted shares fall short of the wanted ones: see `weighted_shares`.
    """
    counts = Counter(label for label in labels if label in shares)
    total, wanted = sum(counts.values()), sum(shares[label] for label in counts)
    weights = {label: min(most, shares[label] / wanted * total / num) for label, num in counts.items()}
    return weights | dict.fromkeys(set(labels) - set(counts), 0.0)


def weighted_shares(labels: Sequence[str], weights: Mapping[str, float]) -> dict[str, float]:
    """What share of draws each label gets, in [0, 1]."""
    drawn = {label: num * weights[label] for label, num in Counter(labels).items()}
    total = sum(drawn.values())
    return {label: value / total for label, value in drawn.items()} if total else {}
