"""Leaderboards: systems over the cases of a benchmark, with intervals, groups, totals and comparisons."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from backend.domain import Case, SettingsError
from backend.domain.generation_settings import GenerationSettings
from backend.domain.ranking import TOTAL, Answered, Column, Comparison, Leaderboard, SetDistance, Standing, SystemFacts
from backend.settings import nearest
from metrics.classical import RowOfRoles, embedded_roles, is_classical, rests_on_models
from metrics.evaluation import metric
from metrics.fairness import system_settings, unlike
from metrics.guide import guide_of
from metrics.presets import Preset, Term, preset
from metrics.resampling import case_means, drawn_means, holm, interval, means, sign_flip_p
from metrics.table import METRICS

DEFAULT_PRESET = "opens2v-v1.1"
COUNTS = "_features"  # how ids end whose values count what a set distance will stand on: nothing to rank
HUMAN_LABELS = frozenset(
    ["man", "woman", "person", "human", "boy", "girl", "child", "baby", "people", "lady", "gentleman", "face"]
)
HUMAN_CATEGORIES = ("human", "face")  # prefixes of OpenS2V-Eval's ids name them


class Row(RowOfRoles, Protocol):
    """The same, of a system's video of a case."""

    @property
    def case_id(self) -> str: ...
    @property
    def system(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def imported(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Measurements:
    """A system's values by metric, `(N, S)` over the benchmark's cases in their order; NaN where there is none."""

    values: Mapping[str, np.ndarray]
    videos: np.ndarray
    """bool `(N, S)`: whether anything is known of this video."""
    imported: Mapping[str, np.ndarray]
    """bool `(N, S)` by metric: whether the value was measured elsewhere."""

    def of(self, name: str) -> np.ndarray:
        return self.values.get(name, np.full(self.videos.shape, math.nan))


def leaderboard(
    rows: Iterable[Row],
    cases: Sequence[Case],
    *,
    preset_id: str = "",
    facts: Sequence[SystemFacts] = (),
    against: tuple[str, str] | None = None,
    distances: Sequence[SetDistance] = (),
    settings: Sequence[tuple[str, GenerationSettings]] = (),
    seed: int = 0,
) -> Leaderboard:
    """Standings of every system in every metric that has rows, in the preset's total, and in the `distances` of sets.

    Without a preset, OpenS2V-Eval's of the cases' domain; a calibration is given as the path of its file. `against` names two systems to compare.
    `settings` are of single videos, with their system: what differs between systems is remarked upon. Raises
    SettingsError for an unknown preset or system. Deterministic: equal rows and an equal `seed` of what is drawn give
    equal intervals.
    """
    if not 0 <= seed < 2**32:
        raise SettingsError(f"--seed is {seed}; give a whole number from 0 to {2**32 - 1}")
    domain = next((case.domain for case in cases if case.domain), "open")
    chosen = preset(preset_id or f"{DEFAULT_PRESET}-{domain}", domain=domain)
    rows = [row for row in rows if not row.metric.endswith(COUNTS)]
    measured = _measurements(rows, cases)
    names = [term.metric for term in chosen.terms]
    names += sorted({row.metric for row in rows} - set(names))
    there = [name for name in names if any(name in found.values for found in measured.values())]
    roles = embedded_roles(rows)
    columns = tuple(_column(name, chosen, roles.get(name, ())) for name in there)
    known = {one.name: one for one in facts}
    standings: list[Standing] = []
    for kind, group, members in groups_of(cases):
        own = [
            standing
            for system, found in measured.items()
            for standing in _standings(system, found, columns, chosen, kind, group, members, seed)
        ]
        standings += _ranked(own, columns, [cases[n] for n in members], known)
    if against and (unknown := [name for name in against if name not in measured]):
        raise SettingsError(f"system {unknown[0]!r} has no scores{nearest(unknown[0], measured)}")
    board = Leaderboard(
        benchmark=cases[0].benchmark if cases else "",
        preset=chosen.id,
        cases=len(cases),
        columns=(*columns, *_set_columns(distances)),
        standings=(*standings, *_set_standings(distances, cases, known)),
        answered=tuple(_answered(system, found, cases) for system, found in measured.items()),
        comparisons=compared(measured, columns, chosen, *against, seed=seed) if against else (),
        systems=tuple(known[name] for name in measured if name in known),
        settings=system_settings(one for one in settings if one[0] in measured),
        distances=tuple(distances),
        seed=seed,
    )
    remarks = _remarks(board, known)
    return replace(board, guide=guide_of(board), remarks=(chosen.remark, *remarks) if chosen.remark else remarks)


def groups_of(cases: Sequence[Case]) -> list[tuple[str, str, list[int]]]:
    """All cases, then those of each category, number of references, human or other subject, label and language."""
    found: dict[tuple[str, str], list[int]] = {("", ""): list(range(len(cases)))}
    for number, case in enumerate(cases):
        keys = [("category", case.category), ("references", str(len(case.references)))]
        keys += [("subjects", "human" if is_human(case) else "other")]
        keys += [("label", label) for label in sorted({label.lower() for label in case.labels})]
        keys += [("language", case.language)]
        for key in keys:
            if key[1]:
                found.setdefault(key, []).append(number)
    kinds = ["", "category", "references", "subjects", "label", "language"]
    ordered = sorted(found.items(), key=lambda item: (kinds.index(item[0][0]), item[0][1]))
    return [(kind, group, members) for (kind, group), members in ordered]


def is_human(case: Case) -> bool:
    """Whether a case shows a person, by its labels or its category's name."""
    by_label = any(label.lower() in HUMAN_LABELS for label in case.labels)
    return by_label or any(word in case.category.lower() for word in HUMAN_CATEGORIES)


def compared(
    measured: Mapping[str, Measurements], columns: Sequence[Column], chosen: Preset, a: str, b: str, *, seed: int = 0
) -> tuple[Comparison, ...]:
    """`a` minus `b` in the preset's total and in each metric, over the cases that both have."""
    first, second = measured[a], measured[b]
    terms = [_limited(first, term) for term in chosen.terms], [_limited(second, term) for term in chosen.terms]
    weights = np.array([term.weight / (term.high - term.low) for term in chosen.terms])
    found = [_comparison(TOTAL, a, b, np.stack(terms[0]), np.stack(terms[1]), weights, seed)]
    for column in columns:
        pair = first.of(column.metric)[None], second.of(column.metric)[None]
        found.append(_comparison(column.metric, a, b, *pair, np.ones(1), seed))
    corrected = holm([one.p for one in found])
    num = sum(p is not None for p in corrected)
    return tuple(replace(one, p_corrected=p, num_tests=num) for one, p in zip(found, corrected, strict=True))


def _measurements(rows: Sequence[Row], cases: Sequence[Case]) -> dict[str, Measurements]:
    places = {case.name: number for number, case in enumerate(cases)}
    found: dict[str, Measurements] = {}
    for system in sorted({row.system for row in rows}):
        own = [row for row in rows if row.system == system and row.case_id in places]
        seeds = {seed: place for place, seed in enumerate(sorted({row.seed for row in own}))}
        shape = (len(cases), max(1, len(seeds)))
        values: dict[str, np.ndarray] = {}
        imported: dict[str, np.ndarray] = {}
        videos = np.zeros(shape, bool)
        for row in own:
            place = places[row.case_id], seeds[row.seed]
            videos[place] = True
            kept = values.setdefault(row.metric, np.full(shape, math.nan))
            kept[place] = math.nan if row.value is None else row.value
            imported.setdefault(row.metric, np.zeros(shape, bool))[place] = row.imported
        found[system] = Measurements(values, videos, imported)
    return found


def _column(name: str, chosen: Preset, roles: tuple[str, ...]) -> Column:
    term = next((term for term in chosen.terms if term.metric == name), None)
    told = metric(name) if name in METRICS else None
    return Column(
        metric=name,
        title=term.title if term else told.title if told else name,
        higher_is_better=told.higher_is_better if told else True,
        embedded=bool(roles) or is_classical(name),
        low=term.ends[0] if term else None,
        high=term.ends[1] if term else None,
        range_low=told.range[0] if told else None,
        range_high=told.range[1] if told else None,
        embedded_roles=roles,
    )


def _set_columns(distances: Sequence[SetDistance]) -> list[Column]:
    titles = {one.metric: one.title for one in distances}
    return [
        Column(metric=name, title=title, higher_is_better=False, embedded=False, range_low=0.0, of_set=True)
        for name, title in titles.items()
    ]


def _set_standings(
    distances: Sequence[SetDistance], cases: Sequence[Case], facts: Mapping[str, SystemFacts]
) -> list[Standing]:
    """Distances as standings without intervals, ranked where the system is supported."""
    found: list[Standing] = []
    for name in dict.fromkeys(one.metric for one in distances):
        own = [one for one in distances if one.metric == name]
        reasons = {one.system: unsupported(facts[one.system], cases) if one.system in facts else "" for one in own}
        ranked = [one.value for one in own if one.value is not None and not reasons[one.system]]
        placed = [
            Standing(
                system=one.system,
                metric=name,
                value=one.value,
                num_videos=one.num_videos,
                rank=None if one.value is None or reasons[one.system] else 1 + sum(value < one.value for value in ranked),
                reason=one.reason or reasons[one.system],
            )
            for one in own
        ]
        found += sorted(placed, key=lambda s: (s.rank is None, s.rank or 0, s.system))
    return found


def _standings(
    system: str,
    found: Measurements,
    columns: Sequence[Column],
    chosen: Preset,
    kind: str,
    group: str,
    members: Sequence[int],
    seed: int,
) -> list[Standing]:
    """A system's mean and interval in each metric and in the total, over some cases."""
    rng = np.random.default_rng(seed)
    raw = [found.of(column.metric)[members] for column in columns]
    limited = [_limited(found, term)[members] for term in chosen.terms]
    values = np.stack([*raw, *limited])
    point, drawn = means(values), drawn_means(values, rng)
    scale = np.array([term.weight / (term.high - term.low) for term in chosen.terms])
    shift = sum(term.weight * term.low / (term.high - term.low) for term in chosen.terms)
    place = len(columns)
    total, totals = float(point[place:] @ scale - shift), drawn[:, place:] @ scale - shift
    absent = [term.metric for term, value in zip(chosen.terms, point[place:], strict=True) if not np.isfinite(value)]
    videos = found.videos[members]
    ends = _ends(totals if not absent and int(videos.any(axis=1).sum()) > 1 else np.empty(0))
    flags = [found.imported[t.metric][members] for t in chosen.terms if t.metric in found.imported]
    elsewhere = np.any(flags, axis=0) if flags else np.zeros_like(videos)
    standings = [
        Standing(
            system=system,
            metric=TOTAL,
            value=None if absent else total,
            low=ends[0],
            high=ends[1],
            num_cases=int(videos.any(axis=1).sum()),
            num_videos=int(videos.sum()),
            imported=int(elsewhere.sum()),
            kind=kind,
            group=group,
            reason=f"no value of {', '.join(absent)}" if absent else "",
        )
    ]
    for number, column in enumerate(columns):
        there = np.isfinite(raw[number])
        measured = bool(there.any())
        several = int(there.any(axis=1).sum()) > 1  # of one case nothing is known of how cases vary
        ends = _ends(drawn[:, number] if several else np.empty(0))
        standings.append(
            Standing(
                system=system,
                metric=column.metric,
                value=float(point[number]) if measured else None,
                low=ends[0],
                high=ends[1],
                num_cases=int(there.any(axis=1).sum()),
                num_videos=int(there.sum()),
                imported=int((there & found.imported[column.metric][members]).sum()) if measured else 0,
                kind=kind,
                group=group,
                reason="" if measured else "no video has a value",
            )
        )
    return standings


def _ends(drawn: np.ndarray) -> tuple[float | None, float | None]:
    return interval(drawn) or (None, None) if len(drawn) else (None, None)


def _limited(found: Measurements, term: Term) -> np.ndarray:
    """A term's values within its range, as upstream's merge takes them: `(N, S)`."""
    return term.limited(found.of(term.metric))


def _ranked(
    standings: list[Standing], columns: Sequence[Column], cases: Sequence[Case], facts: Mapping[str, SystemFacts]
) -> list[Standing]:
    """The same with ranks where a system is supported and the score is a model's."""
    directions = {TOTAL: True, **{column.metric: column.higher_is_better for column in columns}}
    embedded = _unranked(columns)
    reasons = {name: unsupported(one, cases) for name, one in facts.items()}
    ranks: dict[tuple[str, str], int] = {}
    for name, rising in directions.items():
        if name in embedded:
            continue
        own = [(s.system, s.value) for s in standings if s.metric == name and not reasons.get(s.system)]
        values = {system: value if rising else -value for system, value in own if value is not None}
        ranks |= {(name, system): 1 + sum(v > value for v in values.values()) for system, value in values.items()}
    ordered = []
    for standing in standings:
        reason = "; ".join(one for one in (reasons.get(standing.system, ""), standing.reason) if one)
        if standing.metric in embedded and not reason:
            reason = embedded[standing.metric]
        ordered.append(replace(standing, rank=ranks.get((standing.metric, standing.system)), reason=reason))
    order = {name: place for place, name in enumerate(directions)}
    return sorted(ordered, key=lambda s: (order[s.metric], s.rank is None, s.rank or 0, s.system))


def _unranked(columns: Sequence[Column]) -> dict[str, str]:
    """By metric, why what is classical is not ranked; the total too, where it mixes such scores with models'."""
    found = {}
    for column in columns:
        if column.embedded:
            roles = ", ".join(column.embedded_roles)
            what = f"holds scores by the embedded {roles}" if roles else "classical score"
            found[column.metric] = f"{what}: not ranked beside models'"
    weighed = [column for column in columns if column.low is not None]
    classical = [column.metric for column in weighed if column.embedded]
    if classical and any(rests_on_models(column.metric) for column in weighed if not column.embedded):
        found[TOTAL] = f"mixes classical scores ({', '.join(classical)}) with models': not ranked"
    return found


def unsupported(facts: SystemFacts, cases: Sequence[Case]) -> str:
    """Why a system cannot be ranked over these cases; empty when it can."""
    domains = {case.domain for case in cases if case.domain}
    if facts.domains and not domains <= set(facts.domains):
        return f"made for {', '.join(facts.domains)} cases; these are {', '.join(sorted(domains))}"
    if facts.references is not None:
        more = sum(len(case.references) > facts.references for case in cases)
        if more:
            return f"takes {facts.references} references; {more} cases have more"
    return ""


def _answered(system: str, found: Measurements, cases: Sequence[Case]) -> Answered:
    there = np.asarray(found.videos.any(axis=1))
    missing = tuple(case.name for case, has in zip(cases, there, strict=True) if not has)
    return Answered(
        system=system, cases=len(cases), answered=int(there.sum()), videos=int(found.videos.sum()), missing=missing
    )


def _comparison(
    name: str, a: str, b: str, first: np.ndarray, second: np.ndarray, weights: np.ndarray, seed: int
) -> Comparison:
    """Of values `(T, N, S)` of two systems over the same cases."""
    differences = case_means(first) - case_means(second)
    differences = differences[:, np.isfinite(differences).any(axis=0)]
    common = differences.shape[1]
    if not common or not np.isfinite(differences).any(axis=1).all():
        return Comparison(metric=name, a=a, b=b, num_cases=common, difference=None)
    rng = np.random.default_rng(seed)
    both = np.isfinite(case_means(first) - case_means(second))[:, :, None]
    drawn = _paired_draws(np.where(both, first, math.nan), np.where(both, second, math.nan), rng) @ weights
    ends = interval(drawn)
    return Comparison(
        metric=name,
        a=a,
        b=b,
        num_cases=common,
        difference=float(np.nanmean(differences, axis=1) @ weights),
        low=ends[0] if ends else None,
        high=ends[1] if ends else None,
        p=sign_flip_p(differences, weights, rng),
    )


def _paired_draws(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Differences of means `(B, T)` when cases are drawn for both at once, and seeds for each apart."""
    seed = int(rng.integers(2**32))
    # The same generator draws the same cases: how often each is drawn comes first.
    return drawn_means(first, np.random.default_rng(seed)) - drawn_means(second, np.random.default_rng(seed))


def _remarks(board: Leaderboard, facts: Mapping[str, SystemFacts]) -> tuple[str, ...]:
    found = [
        f"{one.system} answers {one.answered} of {one.cases} cases; its means are over those"
        for one in board.answered
        if one.missing
    ]
    imported = sorted({s.system for s in board.standings if s.imported})
    if imported:
        found.append(f"scores of {', '.join(imported)} were measured elsewhere and imported")
    for name in dict.fromkeys(one.title for one in board.distances):
        sizes = sorted({one.num_units for one in board.distances if one.title == name and one.value is not None})
        if len(sizes) > 1:
            found.append(
                f"{name} is of {sizes[0]} to {sizes[-1]} units; it falls with their number, so sizes should be alike"
            )
    unknown = [one.system for one in board.answered if one.system not in facts]
    if facts and unknown:
        found.append(f"systems.toml says nothing of {', '.join(unknown)}; they are taken to support every case")
    return (*found, *unlike(board.settings))
