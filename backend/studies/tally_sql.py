"""A study's votes counted where they lie: what a dashboard shows of millions of them, before any rule is applied.

Results apply the study's rules to each participant's response and bootstrap; this counts what came in. The query reads
the projected table `vote` and takes the study's id; its rows are few, however many votes there are.
"""

from collections.abc import Iterable

from backend.domain.dashboards import Dashboard, PairTally, RaterTally
from backend.studies.kinds import BOTH_BAD, LEFT, RIGHT, TIE

DASHBOARD = """
WITH changed AS MATERIALIZED (
    SELECT id, rev, seq FROM vote SEMI JOIN (SELECT id FROM vote WHERE study_id = $1 AND rev <> 1) USING (id)
    WHERE study_id = $1),
superseded AS MATERIALIZED (
    SELECT seq FROM changed QUALIFY row_number() OVER (PARTITION BY id ORDER BY rev DESC, seq DESC) > 1),
now AS NOT MATERIALIZED (SELECT * FROM vote ANTI JOIN superseded USING (seq) WHERE study_id = $1 AND choice NOTNULL),
raters AS MATERIALIZED (
    SELECT rater, count(*) AS num, count(*) FILTER (starts_with(choice, 'left')) AS num_left,
        count(*) FILTER (starts_with(choice, 'right')) AS num_right FROM now GROUP BY rater),
busiest AS MATERIALIZED (SELECT * FROM raters ORDER BY num DESC, rater LIMIT $2),
times AS (SELECT rater, median(visible_ms) / 1000 AS median_s FROM now SEMI JOIN busiest USING (rater) GROUP BY rater)
SELECT 'choice', question, shown_order[1], coalesce(shown_order[2], ''), choice, count(*), 0, 0, NULL FROM now GROUP BY ALL
UNION ALL SELECT 'rater', rater, '', '', '', num, num_left, num_right, median_s FROM busiest JOIN times USING (rater)
UNION ALL SELECT 'items', '', '', '', '', num, count(*), 0, NULL FROM (SELECT count(*) AS num FROM now GROUP BY item_id, question)
    GROUP BY num
UNION ALL SELECT 'raters', '', '', '', '', count(*), 0, 0, NULL FROM raters
"""
"""Takes the study's id and the most raters to tell of. Only votes that have another revision than the first are looked up
by their ids: to sort ten million votes by revision takes longer than all that is counted."""

Row = tuple[str, str, str, str, str, int, int, int, float | None]


def dashboard(rows: Iterable[Row]) -> Dashboard:
    """The rows of DASHBOARD, in whatever order they come. A choice on five points counts by its side."""
    pairs: dict[tuple[str, str, str], dict[str, int]] = {}
    busiest: list[RaterTally] = []
    coverage: dict[int, int] = {}
    num_raters = 0
    for kind, name, left, right, choice, num, first, second, median_s in rows:
        match kind:
            case "choice":
                _count(pairs, name, left, right, choice.removesuffix("_much"), num)
            case "rater":
                busiest.append(RaterTally(rater=name, votes=num, left=first, right=second, median_s=median_s or 0.0))
            case "items":
                coverage[num] = first
            case _:
                num_raters = num
    return Dashboard(
        pairs=tuple(PairTally(question=q, a=a, b=b, **counts) for (q, a, b), counts in sorted(pairs.items())),
        busiest=tuple(sorted(busiest, key=lambda one: (-one.votes, one.rater))),
        num_raters=num_raters,
        coverage=dict(sorted(coverage.items())),
    )


def _count(
    pairs: dict[tuple[str, str, str], dict[str, int]], question: str, left: str, right: str, side: str, num: int
) -> None:
    a, b = sorted((left, right))
    counts = pairs.setdefault(
        (question, a, b), dict.fromkeys(("wins", "ties", "losses", "both_bad", "skipped", "num_left"), 0)
    )
    if side in (LEFT, RIGHT):
        winner = left if side == LEFT else right
        counts["wins" if winner == a else "losses"] += num
        counts["num_left"] += num * (side == LEFT)
    else:
        counts[{TIE: "ties", BOTH_BAD: "both_bad"}.get(side, "skipped")] += num
