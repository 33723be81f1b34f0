"""What a study came to: the rules, then the statistics of what they kept, by group of participants."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from backend.domain import Absent
from backend.domain.studies import (
    MAIN,
    AgreementRow,
    AspectResults,
    BiasRow,
    CodedVote,
    Estimate,
    GroupResults,
    HeldOutRow,
    Participant,
    PointsRow,
    RaterRow,
    ShareRow,
    StopState,
    StrengthRow,
    StudyDesign,
    StudyResults,
    StudySummary,
    WinRow,
)
from backend.domain.study_plans import WidthPoint
from backend.measures.agreement import (
    NOMINAL,
    ORDINAL,
    Answers,
    alpha_without_each,
    cohen_kappa,
    fleiss_kappa,
    intraclass,
    krippendorff_alpha,
    raw_agreement,
)
from backend.measures.cluster_bootstrap import clustered
from backend.measures.comparisons import BAD, LOSS, TIE, WIN, Comparisons
from backend.measures.intervals import wilson
from backend.measures.noise_ceiling import majority_ceiling, noise_ceiling
from backend.measures.position_bias import PositionBias, position_bias
from backend.measures.power import design_effect
from backend.measures.rankings import Ranking, elo, rank_bradley_terry, rank_davidson
from backend.measures.raters import rater_quality
from backend.measures.win_rates import best_of_shares, head_to_heads, majority_points, win_rates
from backend.studies.kinds import kind_of
from backend.studies.rules import Sifted, sift
from backend.studies.stopping import MIN_PEOPLE, NUM_DRAWS, main_figures, stop_state, width_state
from backend.studies.tally import IMPORTED, Response

PAIRS, BEST, YES, POINTS = ("preference", "comparative"), ("best_of",), ("identity",), ("rating",)


def results_of(design: StudyDesign, responses: Sequence[Response], study: StudySummary, *, num_draws: int) -> StudyResults:
    """Equal votes give equal results, in whatever order they come."""
    sifted = sift(responses, design.rules, five_points=kind_of(design.kind).five_points)
    groups = sorted({one.participant.group for one in sifted.kept})
    named = ["", *groups] if len(groups) > 1 else [""]
    found = []
    for group in named:
        kept = [one for one in sifted.kept if group in ("", one.participant.group)]
        votes = [vote for one in kept for vote in one.votes if vote.role == MAIN]
        aspects = tuple(_aspect(design, aspect, votes, num_draws) for aspect in design.aspects)
        found.append(GroupResults(group=group, participants=len(kept), aspects=aspects))
    return StudyResults(
        study=study,
        groups=tuple(found),
        raters=tuple(_rater(one, sifted) for one in responses),
        funnel=sifted.funnel,
        stop=stop_state(design, {one.aspect: main_figures(one) for one in found[0].aspects}, people=found[0].participants),
        remarks=_remarks(design, sifted, is_open=not study.closed_at),
        answered_between=_days([one.participant for one in sifted.kept if one.participant.invited_by != IMPORTED]),
    )


def _days(people: Sequence[Participant]) -> tuple[str, ...]:
    began = [person.joined_at[:10] for person in people if person.joined_at]
    ended = [person.finished_at[:10] for person in people if person.finished_at]
    return (min(began), max([*ended, *began])) if began else ()


def stop_now(design: StudyDesign, responses: Sequence[Response]) -> StopState:
    """How well these responses tell the main figures alone: what the rule that closes a study looks at, if it has one."""
    kept = sift(responses, design.rules, five_points=kind_of(design.kind).five_points).kept
    votes = [vote for one in kept for vote in one.votes if vote.role == MAIN]
    figures: dict[str, list[tuple[str, Estimate]]] = {}
    for aspect in design.aspects:
        own, rng = _own(votes, aspect), np.random.default_rng([design.seed, 91])
        if design.kind in PAIRS:
            ranking = rank_davidson(comparisons_of(design, own), design.systems, rng=rng, num_draws=NUM_DRAWS)
            figures[aspect] = [(system, _strength(ranking, k)) for k, system in enumerate(design.systems)]
        else:
            rows = AspectResults(aspect=aspect, votes=len(own))
            figures[aspect] = main_figures(_with_figures(rows, design, own, rng, NUM_DRAWS))
    return width_state(design, figures, people=len(kept))


def widths_over(design: StudyDesign, responses: Sequence[Response], *, points: int) -> tuple[WidthPoint, ...]:
    """`stop_now` after so many handed-in responses, at up to `points` numbers of them, the last of which is all."""
    done = sorted((one for one in responses if one.participant.finished_at), key=lambda one: one.participant.finished_at)
    if len(done) < MIN_PEOPLE:
        return ()
    found = []
    for num in sorted({round(float(n)) for n in np.linspace(MIN_PEOPLE, len(done), points)} | {len(done)}):
        state = stop_now(design, done[:num])
        at = done[num - 1].participant.finished_at
        found.append(WidthPoint(responses=num, at=at, widest=state.widest, about=state.about))
    return tuple(found)


def comparisons_of(design: StudyDesign, votes: Sequence[CodedVote]) -> Comparisons:
    """Votes on pairs as columns; systems are numbered as in the design, items and raters by their ids in order."""
    items = {name: k for k, name in enumerate(sorted({vote.item_id for vote in votes}))}
    raters = {name: k for k, name in enumerate(sorted({vote.rater for vote in votes}))}
    numbers = {system: k for k, system in enumerate(design.systems)}
    return Comparisons(
        outcome=np.array([np.nan if vote.value is None else vote.value for vote in votes], float),
        a=np.array([numbers[vote.systems[0]] for vote in votes], np.int64),
        b=np.array([numbers[vote.systems[1]] for vote in votes], np.int64),
        item=np.array([items[vote.item_id] for vote in votes], np.int64),
        rater=np.array([raters[vote.rater] for vote in votes], np.int64),
        left_is_a=np.array([vote.first_on_left for vote in votes], bool),
        both_bad=np.array([vote.both_bad for vote in votes], bool),
    )


def _aspect(design: StudyDesign, aspect: str, votes: Sequence[CodedVote], num_draws: int) -> AspectResults:
    own = _own(votes, aspect)
    rng = np.random.default_rng([design.seed, 91])
    if design.kind in PAIRS:
        return _pairs(design, aspect, own, rng, num_draws)
    base = AspectResults(aspect=aspect, votes=len(own), reasons=_reasons(design, own))
    base = _with_agreement(base, own, ORDINAL if design.kind in POINTS else NOMINAL, rng, num_draws)
    return _with_figures(base, design, own, rng, num_draws)


def _own(votes: Sequence[CodedVote], aspect: str) -> list[CodedVote]:
    """Votes on one question, in an order that does not depend on when they came."""
    return sorted((vote for vote in votes if vote.question == aspect), key=lambda vote: (vote.item_id, vote.rater))


def _with_figures(
    base: AspectResults, design: StudyDesign, own: Sequence[CodedVote], rng: np.random.Generator, num_draws: int
) -> AspectResults:
    """With the main figures of a kind without pairs."""
    if design.kind in BEST:
        return replace(base, shares=_chosen(design, own, rng, num_draws))
    if design.kind in YES:
        return replace(base, shares=_shown(design, own, rng, num_draws))
    return replace(base, points=_points(design, own, rng, num_draws))


def _pairs(
    design: StudyDesign, aspect: str, own: Sequence[CodedVote], rng: np.random.Generator, num_draws: int
) -> AspectResults:
    votes = comparisons_of(design, own)
    davidson = rank_davidson(votes, design.systems, rng=rng, num_draws=num_draws)
    bradley_terry = rank_bradley_terry(votes, design.systems, rng=rng, num_draws=num_draws)
    majority = majority_points(votes, len(design.systems), rng=rng, num_draws=num_draws)
    bias = position_bias(votes, rng=rng, num_draws=num_draws)
    remarks = [f"no ranking: {found.reason}" for found in (davidson,) if isinstance(found, Absent)]
    if not isinstance(bias, Absent) and bias.p < 0.01:
        remarks.append(f"the left side was chosen in {bias.left.value:.2f} of the votes that chose one (p = {bias.p:.2g})")
    ceilings = (
        AgreementRow(measure="noise_ceiling", value=noise_ceiling(votes, rng=rng, num_draws=num_draws)),
        AgreementRow(measure="majority", value=majority_ceiling(votes, rng=rng, num_draws=num_draws)),
    )
    found = AspectResults(
        aspect=aspect,
        votes=len(own),
        wins=_wins(design, votes, rng, num_draws),
        tie_rate=Estimate(reason=davidson.reason) if isinstance(davidson, Absent) else davidson.ties,
        bias=None if isinstance(bias, Absent) else _bias(votes, bias),
        reasons=_reasons(design, own),
        remarks=tuple(remarks),
    )
    found = _with_agreement(found, own, NOMINAL, rng, num_draws)
    rates = win_rates(votes, len(design.systems), rng=rng, num_draws=num_draws)
    found = replace(
        found,
        strengths=_strengths(design, davidson, bradley_terry, majority, rates),
        agreement=(*found.agreement, *ceilings),
    )
    return _with_hold_out(found, design, own, rng, num_draws) if design.sequential else found


def _with_hold_out(
    found: AspectResults, design: StudyDesign, own: Sequence[CodedVote], rng: np.random.Generator, num_draws: int
) -> AspectResults:
    """The fair sample's own figures beside those of all votes, of which most were chosen."""
    kept = [vote for vote in own if vote.held_out]
    votes = comparisons_of(design, kept)
    davidson = rank_davidson(votes, design.systems, rng=rng, num_draws=num_draws)
    rates = win_rates(votes, len(design.systems), rng=rng, num_draws=num_draws)
    rows = tuple(
        HeldOutRow(system=system, davidson=_strength(davidson, k), rate=rates[k]) for k, system in enumerate(design.systems)
    )
    told = (
        f"pairs were chosen where votes tell most: rates, ties and agreement are of the chosen ones; "
        f"the {len(kept)} votes of the hold-out are a fair sample"
    )
    return replace(found, held_out=rows, held_out_votes=len(kept), remarks=(*found.remarks, told))


def _wins(design: StudyDesign, votes: Comparisons, rng: np.random.Generator, num_draws: int) -> tuple[WinRow, ...]:
    """Each pair from both sides."""
    rows = []
    for one in head_to_heads(votes, rng=rng, num_draws=num_draws):
        counts, first, second = one.counts, design.systems[one.a], design.systems[one.b]
        for system, rival, wins, losses in (
            (first, second, counts[WIN], counts[LOSS]),
            (second, first, counts[LOSS], counts[WIN]),
        ):
            rows.append(
                WinRow(
                    system=system,
                    rival=rival,
                    wins=wins,
                    ties=counts[TIE],
                    losses=losses,
                    both_bad=counts[BAD],
                    rate=one.rate if system == first else _mirrored(one.rate),
                    wilson=one.wilson if system == first else _mirrored(one.wilson),
                )
            )
    return tuple(sorted(rows, key=lambda row: (design.systems.index(row.system), design.systems.index(row.rival))))


def _strengths(
    design: StudyDesign,
    davidson: Ranking | Absent,
    bradley_terry: Ranking | Absent,
    majority: Sequence[Estimate],
    rates: Sequence[Estimate],
) -> tuple[StrengthRow, ...]:
    rows = []
    for k, system in enumerate(design.systems):
        main = _strength(davidson, k)
        beside = _strength(bradley_terry, k)
        values = [_strength(davidson, other).value for other in range(len(design.systems))]
        above = None if main.value is None else sum(value is not None and value > main.value for value in values)
        rows.append(
            StrengthRow(
                system=system,
                rank=None if above is None else above + 1,
                davidson=main,
                bradley_terry=beside,
                elo=None if beside.value is None else elo(beside.value),
                majority=majority[k],
                ranks=None if isinstance(davidson, Absent) else davidson.ranks[k],
                rate=rates[k],
            )
        )
    return tuple(sorted(rows, key=lambda row: (row.rank is None, row.rank or 0, design.systems.index(row.system))))


def _strength(ranking: Ranking | Absent, place: int) -> Estimate:
    return Estimate(reason=ranking.reason) if isinstance(ranking, Absent) else ranking.strengths[place]


def _chosen(
    design: StudyDesign, own: Sequence[CodedVote], rng: np.random.Generator, num_draws: int
) -> tuple[ShareRow, ...]:
    """Best of N: values are places in the item's systems, which are the design's."""
    chosen = np.array([design.systems.index(vote.systems[int(vote.value or 0)]) for vote in own], np.int64)
    items, raters = _numbers(own)
    shares = best_of_shares(chosen, items, raters, len(design.systems), rng=rng, num_draws=num_draws)
    counts = np.bincount(chosen, minlength=len(design.systems)) if len(own) else np.zeros(len(design.systems), int)
    return tuple(
        ShareRow(system=system, chosen=int(counts[k]), share=shares[k], wilson=_wilson(int(counts[k]), len(own)))
        for k, system in enumerate(design.systems)
    )


def _shown(design: StudyDesign, own: Sequence[CodedVote], rng: np.random.Generator, num_draws: int) -> tuple[ShareRow, ...]:
    """Identity: how often each system was said to show the very subject."""
    rows = []
    for system in design.systems:
        votes = [vote for vote in own if vote.systems == (system,)]
        said = np.array([int(vote.value or 0) for vote in votes], np.int64)
        items, raters = _numbers(votes)
        share = best_of_shares(said, items, raters, 2, rng=rng, num_draws=num_draws)[1]
        rows.append(
            ShareRow(system=system, chosen=int(said.sum()), share=share, wilson=_wilson(int(said.sum()), len(votes)))
        )
    return tuple(rows)


def _points(
    design: StudyDesign, own: Sequence[CodedVote], rng: np.random.Generator, num_draws: int
) -> tuple[PointsRow, ...]:
    rows = []
    for system in design.systems:
        votes = [vote for vote in own if vote.systems == (system,)]
        values = np.array([vote.value for vote in votes], float)
        mean = Estimate(reason="no votes")
        if votes:
            items, raters = _numbers(votes)
            parts = np.stack([values, np.ones(len(values))], axis=1)
            mean = clustered(parts, _mean, items=items, raters=raters, rng=rng, num_draws=num_draws).estimate(0)
        counts = tuple(int((values == point).sum()) for point in range(1, 6))
        rows.append(PointsRow(system=system, mean=mean, counts=counts))
    return tuple(rows)


def _mean(sums: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums[:, [0]] / sums[:, [1]]


def _with_agreement(
    aspect: AspectResults, own: Sequence[CodedVote], level: str, rng: np.random.Generator, num_draws: int
) -> AspectResults:
    """How far raters agree, what each of them does to that, and what votes on one item are worth beside independent ones."""
    items, raters = _numbers(own)
    values = np.array([round(2 * (vote.value or 0)) for vote in own], np.int64)  # a tie stands between
    answers = Answers(items, raters, values)
    found = {
        "krippendorff_alpha": krippendorff_alpha(answers, level, rng=rng, num_draws=num_draws),
        "fleiss_kappa": fleiss_kappa(answers),
        "raw": raw_agreement(answers, rng=rng, num_draws=num_draws),
    }
    if len(set(raters.tolist())) == 2:
        found["cohen_kappa"] = cohen_kappa(answers, 0, 1)
    names = sorted({vote.rater for vote in own})
    alike = intraclass(values / 2, items)
    return replace(
        aspect,
        agreement=tuple(AgreementRow(measure=name, value=value) for name, value in found.items()),
        alpha_without=tuple((names[k], alpha) for k, alpha in alpha_without_each(answers, level).items()),
        icc=alike,
        design_effect=None if alike.value is None else design_effect(len(own) / len(set(items.tolist())), alike.value),
    )


def _bias(votes: Comparisons, found: PositionBias) -> BiasRow:
    kept = votes.canonical()
    decided = kept.only(kept.outcome != 0.5)
    left = int(((decided.outcome == 1.0) == decided.left_is_a).sum())
    return BiasRow(
        left=left,
        right=len(decided) - left,
        share=found.left,
        p_value=found.p,
        between_orders=found.between_orders,
        log_odds=found.log_odds,
    )


def _reasons(design: StudyDesign, own: Sequence[CodedVote]) -> tuple[tuple[str, str, int], ...]:
    counts: Counter[tuple[str, str]] = Counter()
    for vote in own:
        preferred = ""
        if design.kind in PAIRS and vote.value in (0.0, 1.0):
            preferred = vote.systems[0 if vote.value == 1.0 else 1]
        elif design.kind in BEST and vote.value is not None:
            preferred = vote.systems[int(vote.value)]
        counts.update((reason, preferred) for reason in vote.reasons)
    return tuple(
        (reason, system, count) for (reason, system), count in sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    )


def _rater(response: Response, sifted: Sifted) -> RaterRow:
    quality = rater_quality(response.sitting)
    is_imported = response.participant.invited_by == IMPORTED
    return RaterRow(
        participant=response.participant.id,
        group=response.participant.group,
        votes=len(response.votes),
        seconds=0.0 if is_imported else round(response.seconds, 3),
        median_item_s=None if is_imported else quality.median_s,
        gold=quality.gold,
        consistency=quality.consistency,
        left_share=quality.left.value,
        longest_run=quality.longest_run,
        left_p=quality.left_p,
        entropy_bits=quality.entropy_bits,
        removed_by=sifted.removed_by.get(response.participant.id, ""),
        background=response.participant.background,
        is_imported=is_imported,
    )


def _remarks(design: StudyDesign, sifted: Sifted, *, is_open: bool) -> tuple[str, ...]:
    told = []
    if not sifted.kept:
        told.append("no response counts yet; the funnel says why")
    answered = Counter(vote.item_id for one in sifted.kept for vote in one.votes if vote.role == MAIN)
    wanted = design.raters_per_item * len(design.aspects)
    short = sum(item.role == MAIN and answered[item.id] < wanted for item in design.items)
    if sifted.kept and short and is_open and not design.sequential:  # which asks some items less, as it should
        told.append(f"{short} items were answered by fewer than {design.raters_per_item} people; invite more")
    return tuple(told)


def _numbers(votes: Sequence[CodedVote]) -> tuple[np.ndarray, np.ndarray]:
    """Items and raters as int `(N,)`, numbered by their ids in order."""
    columns = []
    for name in ("item_id", "rater"):
        places = {one: k for k, one in enumerate(sorted({getattr(vote, name) for vote in votes}))}
        columns.append(np.array([places[getattr(vote, name)] for vote in votes], np.int64))
    return columns[0], columns[1]


def _mirrored(one: Estimate) -> Estimate:
    """Of the other side."""
    turned = [None if end is None else 1 - end for end in (one.value, one.high, one.low)]
    return Estimate(value=turned[0], low=turned[1], high=turned[2], n=one.n, reason=one.reason)


def _wilson(num: int, of: int) -> Estimate:
    if not of:
        return Estimate(reason="no votes")
    low, high = wilson(num / of, of)
    return Estimate(value=num / of, low=low, high=high, n=of)
