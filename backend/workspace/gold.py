"""Items of a standing queue whose answer is known, since others agree on it: mixed in, they tell how often a rater does too."""

from collections import deque
from collections.abc import Collection, Sequence

from backend.workspace.snapshot import Snapshot

GOLD_EVERY = 10
"""One item in so many has a known answer, as long as there are some."""
GOLD_RATERS = 2
"""So many others, who all said one thing and were sure, make an answer known."""
_NEWEST = """
SELECT * FROM vote WHERE study_id = $study AND rater_kind = 'person' AND ($question = '' OR question = $question)
QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) = 1
"""
_GOLD = f"""
SELECT item_id, question, min(choice) AS choice FROM (
    SELECT item_id, question, rater, choice FROM ({_NEWEST}) WHERE choice NOTNULL AND rater <> $rater
    QUALIFY row_number() OVER (PARTITION BY item_id, question, rater ORDER BY seq DESC) = 1)
GROUP BY 1, 2 HAVING count(*) >= {GOLD_RATERS} AND count(DISTINCT choice) = 1 AND min(choice) <> 'unsure'
"""
_SCORE = f"""
SELECT count(*), count(*) FILTER (own.choice = gold.choice) FROM ({_GOLD}) gold JOIN (
    SELECT item_id, question, arg_max(choice, seq) AS choice FROM ({_NEWEST}) WHERE choice NOTNULL AND rater = $rater
    GROUP BY 1, 2) own USING (item_id, question)
"""


def known_items(now: Snapshot, *, study_id: str, rater: str, question: str = "") -> set[str]:
    """Those whose answer others made known. With `question` only answers to that one count."""
    return {name for name, *_ in now.query(_GOLD, {"study": study_id, "rater": rater, "question": question})}


def mixed(now: Snapshot, order: Sequence[str], known: Collection[str], *, study_id: str, rater: str) -> list[str]:
    """A rater's queue with one of the known items at every `GOLD_EVERY`-th place."""
    place = now.query("SELECT count(DISTINCT item_id) FROM vote WHERE study_id = ? AND rater = ?", [study_id, rater])[0][0]
    return with_gold(order, known, place=place)


def gold_score(now: Snapshot, *, study_id: str, rater: str, question: str = "") -> tuple[int, int]:
    """How many known answers this rater gave an answer to, and how many of these are the same."""
    return now.query(_SCORE, {"study": study_id, "rater": rater, "question": question})[0]


def with_gold(order: Sequence[str], gold: Collection[str], *, place: int) -> list[str]:
    """The order with one of `gold` at every `GOLD_EVERY`-th place, counted from the `place` items that came before.

    It looks like any other, and nothing says what is known of it.
    """
    if not gold:
        return list(order)
    known = deque(name for name in order if name in gold)
    rest = deque(name for name in order if name not in gold)
    found: list[str] = []
    while rest and known:
        is_gold = (place + len(found)) % GOLD_EVERY == GOLD_EVERY - 1
        found.append((known if is_gold else rest).popleft())
    return [*found, *rest, *known]
