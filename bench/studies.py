"""How fast and how right the statistics of studies are: bootstraps, coverage of intervals, counts of ten million votes."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import duckdb
import numpy as np

from backend.domain import Absent
from backend.domain.studies import Estimate
from backend.measures.comparisons import contests, one_hot
from backend.measures.paired_models import fit_davidson, pair_design
from backend.measures.rankings import Ranking, rank_bradley_terry, rank_davidson
from backend.measures.raters import rater_quality
from backend.measures.win_rates import win_rates
from backend.store.schema import create_statements
from backend.studies.tally_sql import DASHBOARD, dashboard
from bench.planted_votes import PlantedMetrics, PlantedRaters, PlantedStudy
from metrics.calibration import Calibrate, MetricFacts

NUM_STUDIES = 200
NUM_DRAWS = 1000
NUM_VOTES = 10_000_000
TARGET = "0.92 to 0.975"
FAST = PlantedStudy(strengths=(1.0, 0.6, 0.2, -0.2, -0.6, -1.0), items_per_pair=400, num_raters=300)
"""15 pairs of 2,000 votes."""
RANKED = PlantedStudy()
WEIGHED = PlantedMetrics(weights=(0.5, 0.3, 0.2, 0.0), tie_share=0.0, num_prompts=80, raters_per_pair=4)
"""Three weights inside, one on the boundary."""


def run() -> list[dict]:
    """One row a figure."""
    return [*_speed(), *_coverage_rows(), *_dashboard()]


def coverage(
    num_studies: int, num_draws: int, *, study: PlantedStudy = RANKED, metrics: PlantedMetrics = WEIGHED
) -> dict[str, float]:
    """How often 95 % intervals hold what was planted, by quantity, over studies with seeds 0, 1, 2 ..."""
    held: dict[str, list[bool]] = {}
    for seed in range(num_studies):
        for name, estimate, true in _quantities(seed, num_draws, study, metrics):
            held.setdefault(name, []).append(_holds(estimate, true))
    return {name: float(np.mean(one)) for name, one in held.items()}


def interior(found: dict[str, float]) -> float:
    """Coverage pooled over kinds of interior quantities, each kind counted alike."""
    return float(np.mean([value for name, value in found.items() if "boundary" not in name]))


def _quantities(
    seed: int, num_draws: int, study: PlantedStudy, metrics: PlantedMetrics
) -> list[tuple[str, Estimate, float]]:
    rng = np.random.default_rng([seed, 1])
    votes = study.votes(rng)
    num = len(study.strengths)
    ranking = rank_davidson(votes, [f"s{k}" for k in range(num)], rng=rng, num_draws=num_draws)
    assert isinstance(ranking, Ranking), ranking
    found = [("strengths", one, true) for one, true in zip(ranking.strengths, study.strengths, strict=True)]
    found.append(("tie rate", ranking.ties, float(np.exp(study.log_nu))))
    rates = win_rates(votes, num, rng=rng, num_draws=num_draws)
    found += [("win rates", one, float(true)) for one, true in zip(rates, study.rates(), strict=True)]
    raters = PlantedRaters()
    sittings = raters.sittings(np.random.default_rng([seed, 2]))
    found += [
        ("gold accuracy", rater_quality(one).gold, true) for one, true in zip(sittings, raters.accuracies, strict=True)
    ]
    judged = metrics.judged(np.random.default_rng([seed, 3]))
    facts = {name: MetricFacts(title=name, range=(0.0, 1.0)) for name in judged.metrics}
    by = Calibrate(scaling="linear", facts=facts, num_draws=num_draws, seed=seed)
    for weight, true in zip(by.weights(judged), metrics.weights, strict=True):
        found.append(("weights" if true else "boundary weights", weight, true))
    return found


def _holds(estimate: Estimate, true: float) -> bool:
    return estimate.low is not None and estimate.high is not None and estimate.low <= true <= estimate.high


def _speed() -> list[dict]:
    votes = FAST.votes(np.random.default_rng(0))
    systems = [f"s{k}" for k in range(6)]
    rows = []
    for kept, what in ((votes.only(np.arange(len(votes)) % 6 == 0), "5,000"), (votes, "30,000")):
        for name, rank in (("Davidson", rank_davidson), ("Bradley-Terry", rank_bradley_terry)):
            seconds = []
            for seed in range(3):
                started = time.perf_counter()
                found = rank(kept, systems, rng=np.random.default_rng(seed), num_draws=NUM_DRAWS)
                seconds.append(time.perf_counter() - started)
                assert not isinstance(found, Absent), found
            rows.append(_row(f"{name}, 6 models, {what} votes, 1,000 draws", median(seconds), "s", "< 5"))
    return rows


def _coverage_rows() -> list[dict]:
    found = coverage(NUM_STUDIES, NUM_DRAWS)
    rows = [
        _row(f"coverage of {name}", value, "", TARGET if "boundary" not in name else None) for name, value in found.items()
    ]
    note = f"{NUM_STUDIES} studies, {NUM_DRAWS} draws; kinds counted alike, boundary weights apart"
    rows.append({**_row("coverage, pooled", interior(found), "", TARGET), "note": note})
    product = np.mean([one for seed in range(NUM_STUDIES) for one in _held_by_products(seed)])
    note = "intervals of weights of items times weights of raters (Owen 2007), for comparison"
    return [*rows, {**_row("coverage of strengths by product weights", float(product), "", None), "note": note}]


def _held_by_products(seed: int, study: PlantedStudy = RANKED, num_draws: int = 200) -> Sequence[bool]:
    """Whether percentiles of the product bootstrap hold the strengths."""
    rng = np.random.default_rng([seed, 1])
    votes = study.votes(rng).canonical()
    table = contests(votes)
    parts = one_hot(3 * table.pair + table.outcome, 3 * len(table.pairs))
    design = pair_design(table.pairs, len(study.strengths))
    sums = []
    for _ in range(num_draws):
        items, raters = (
            np.bincount(rng.integers(0, n, n), minlength=n) for n in (votes.item.max() + 1, votes.rater.max() + 1)
        )
        sums.append((items[votes.item] * raters[votes.rater]) @ parts)
    counts = np.array(sums).reshape(num_draws, -1, 3)
    drawn = fit_davidson(counts[:, :, 0], counts[:, :, 1], counts[:, :, 2], design)[:, :-1]
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    return [bool(a <= true <= b) for a, b, true in zip(low, high, study.strengths, strict=True)]


def _dashboard() -> list[dict]:
    """A dashboard of ten million votes of 12 systems, 6 questions, 20,000 raters; 1 % of the votes were changed."""
    with (
        tempfile.TemporaryDirectory() as folder,
        duckdb.connect(str(Path(folder) / "c.duckdb"), config={"threads": 2}) as opened,
    ):
        fill(opened, NUM_VOTES)
        seconds, work = [], []
        for _ in range(3):
            started, before = time.perf_counter(), time.process_time()
            found = dashboard(opened.execute(DASHBOARD, ["s", 100]).fetchall())
            seconds.append(time.perf_counter() - started)
            work.append(time.process_time() - before)
            counted = sum(one.wins + one.ties + one.losses + one.both_bad for one in found.pairs)
            assert counted == NUM_VOTES, f"{counted} votes were counted"
    note = f"{min(seconds):.1f} to {max(seconds):.1f} s; {median(work):.1f} s of two threads' work"
    return [{**_row("dashboard of 10 M votes", median(seconds), "s", "< 5"), "note": note}]


def fill(opened: duckdb.DuckDBPyConnection, num_votes: int) -> None:
    """A catalog's tables with so many current votes, one of a hundred in its second revision."""
    for statement in create_statements():
        opened.execute(statement)
    opened.execute(
        """INSERT INTO vote BY NAME SELECT n AS seq, md5(n::VARCHAR) AS id, 1 AS rev, 's' AS study_id, 't' || n AS trial_id,
            'item' || (n // 30) AS item_id, 'rater' || (hash(n) % 20000) AS rater, 'person' AS rater_kind,
            'question' || (n % 6) AS question, ['left', 'right', 'tie', 'both_bad'][(1 + hash(n * 7) % 4)::BIGINT] AS choice,
            ['system' || (hash(n // 30) % 12), 'system' || ((hash(n // 30) % 12 + 1 + hash(n // 31) % 11) % 12)] AS shown_order,
            1000 + hash(n * 3) % 60000 AS visible_ms FROM range(?) r(n)""",
        [num_votes],
    )
    opened.execute(
        "INSERT INTO vote SELECT * REPLACE (seq + ? AS seq, 2 AS rev, 'tie' AS choice) FROM vote WHERE seq % 100 = 0",
        [num_votes],
    )


def _row(name: str, value: float, unit: str, target: str | None) -> dict:
    return {"name": name, "value": value, "unit": unit, "target": target}
