"""A study's report, as the human-study section of a paper: methods, results, what metrics are worth, raters, design."""

from collections.abc import Sequence
from itertools import count

from backend.domain.calibration import MetricCalibration
from backend.domain.studies import (
    AspectResults,
    Estimate,
    GroupResults,
    Rules,
    StrengthRow,
    StudyDesign,
    StudyResults,
    WinRow,
)
from backend.report.page import Block, Note, NumberedFigure, Prose, Report, Section, Table, Tile, Tiles
from backend.report.study_figure import StudyFigure, readable
from backend.report.study_figures import study_figures
from backend.report.study_rater_figures import AGREEMENT_NAMES
from backend.studies.design import held_out_trials
from backend.studies.forms import load_form

SHOWN = {
    "preference": "two videos of one case side by side, by two systems",
    "comparative": "two videos of one case side by side, by two systems, to be compared on five points",
    "best_of": "one video of each system for a case, of which the best was chosen",
    "rating": "one video at a time, to be judged on five points",
    "identity": "one video at a time beside its reference, to say whether it shows the very subject",
}
NO_CALIBRATION = (
    "No metric was compared with these votes. `studio-backend calibrate metrics --study NAME --aspect ASPECT` does so, and "
    "the next report shows it."
)
OPEN_ROWS = 12  # longer tables open on request
MAX_RATERS = 60  # rows of the table; all are in the CSV


def study_report(
    found: StudyResults, design: StudyDesign, calibrations: Sequence[MetricCalibration] = ()
) -> tuple[Report, tuple[StudyFigure, ...]]:
    """The page and its figures, numbered as they come. `calibrations` are those of this study's votes."""
    figures = study_figures(found, calibrations)
    numbers = count(1)
    placed = {
        section: [
            NumberedFigure(number=next(numbers), svg=one.svg, caption=one.caption)
            for one in figures
            if one.section == section
        ]
        for section in ("results", "metrics", "raters", "design")
    }
    people = found.groups[0].participants
    report = Report(
        title=f"Human study: {design.name}",
        kicker="Subject Studio",
        facts=(("kind", design.kind), ("systems", str(len(design.systems))), ("benchmark", design.benchmark)),
        sections=[
            Section(anchor="methods", title="Methods", blocks=_methods(found, design)),
            Section(
                anchor="results", title="Results", blocks=[*_results(found, people), *placed["results"], *_tables(found)]
            ),
            Section(anchor="metrics", title="Metrics and votes", blocks=_metrics(calibrations, placed["metrics"])),
            Section(
                anchor="raters", title="Participants", blocks=[*_quality(found), *placed["raters"], *_rater_rows(found)]
            ),
            Section(anchor="design", title="What the design can tell", blocks=[*placed["design"], _power(found)]),
        ],
        footer="Intervals hold 95 of 100 repetitions; items, raters and single votes are drawn with replacement, each apart, "
        "and the variances add up as items + raters - votes (Cameron, Gelbach, Miller 2011).",
    )
    return report, figures


def _methods(found: StudyResults, design: StudyDesign) -> list[Block]:
    study = found.study
    questions = {question.name: question.text for question in load_form(design.form).questions}
    return [
        Prose(_shown(found, design)),
        *([] if _all_imported(found) else [Prose(_order(design))]),
        *(Prose(told) for told in (_imported(found),) if told),
        Prose(_people(found)),
        Prose(_left_out(found, design)),
        *(Prose(told) for told in (_course(found),) if told),
        Table(
            head=("aspect", "what was asked"),
            rows=tuple((readable(aspect), questions.get(aspect, "")) for aspect in study.aspects),
            note="" if design.language == "en" else "Participants read the same in Chinese.",
        ),
    ]


def _shown(found: StudyResults, design: StudyDesign) -> str:
    study = found.study
    cases = len({item.case_id for item in design.items if item.role == "main"})
    drawn = f"Items were drawn evenly over categories and sets of systems with seed {design.seed}"
    preset = f", by the design of {design.preset}" if design.preset else ""
    aspects = f"{len(study.aspects)} questions" if len(study.aspects) > 1 else "one question"
    copies = " Videos were written anew in one size, rate and codec, and no name of a system was shown."
    return (
        f"We compared {len(study.systems)} systems ({', '.join(study.systems)}) on {cases} cases of {study.benchmark or 'a benchmark'}"
        f"{preset}. Each trial showed {SHOWN[study.kind]}, and asked {aspects}. {drawn}: {study.items} items, each meant for "
        f"{design.raters_per_item} people.{'' if _all_imported(found) else copies}"
    )


def _order(design: StudyDesign) -> str:
    main = min(design.trials, sum(item.role == "main" for item in design.items))
    even = held_out_trials(design, main)
    checks = [
        (design.gold, "with a known answer"),
        (design.identical, "of one and the same video"),
        (design.repeats, "shown again as it was"),
        (design.flips, "shown again with its sides exchanged"),
    ]
    roles = {item.role for item in design.items}
    there = [
        design.gold if "gold" in roles else 0,
        design.identical if "identical" in roles else 0,
        design.repeats,
        design.flips,
    ]
    told = [f"{num} {text}" for num, (_, text) in zip(there, checks, strict=True) if num]
    beside = f" and, mixed among them, {_listed(told)}" if told else ""
    practice = f"After {design.practice} trials for practice, each" if design.practice else "Each"
    told = (
        f"{practice} participant answered {main} main trials{beside}. Main trials alone are counted. Their order was drawn anew "
        "for each participant"
    )
    blocks = (
        "items and sides follow balanced blocks, so that every item is shown equally often, give or take one, and both "
        "orders of a pair to as many people"
    )
    if not design.sequential:
        return f"{told}; {blocks}."
    return (
        f"{told}. Of {main} trials, {even} came evenly: their {blocks}. The other {main - even} were chosen when they were "
        "shown: a pair of systems of those about which a vote would narrow strengths most by the votes so far (the fall of the "
        "sum of their variances, over questions), its least shown item, on the less shown side. "
        "Those that came evenly are a fair sample of the items, which the chosen ones are not."
    )


def _num_imported(found: StudyResults) -> int:
    return sum(rater.is_imported for rater in found.raters)


def _all_imported(found: StudyResults) -> bool:
    """Whether nobody answered here."""
    return bool(found.raters) and _num_imported(found) == len(found.raters)


def _imported(found: StudyResults) -> str:
    """What is not known of votes that were read from files; empty where there are none."""
    num = _num_imported(found)
    if not num:
        return ""
    rules = "the rules on time and the slider do not apply to them"
    if _all_imported(found):
        return (
            "All votes were given elsewhere and read from files: how videos were prepared and trials ordered, which checks "
            f"were among them and how long they took is not known here, and {rules}."
        )
    return (
        f"{_many(num, 'response was', 'responses were')} given elsewhere and read from files: what is said of videos, practice, "
        f"order and checks is not of them, and {rules}."
    )


def _course(found: StudyResults) -> str:
    """How it ended, or when it will; empty where nothing was said."""
    study, stop = found.study, found.stop
    rule = f"The study was to close when every main figure is known to +-{stop.wanted:g}." if stop.wanted else ""
    now = f" The widest interval is +-{stop.widest:.3f} ({stop.about})." if stop.widest is not None else ""
    closed = f" It was closed on {study.closed_at[:10]}: {study.closed_because}." if study.closed_at else ""
    if not stop.wanted:
        return closed.strip()
    return f"{rule}{now}{closed or ' It is open.'}"


def _people(found: StudyResults) -> str:
    study = found.study
    counted = found.groups[0].participants
    groups = [f"{group.participants} {group.group}" for group in found.groups if group.group]
    of_whom = f" ({_listed(groups)})" if groups else ""
    kept = [rater for rater in found.raters if not rater.removed_by and rater.votes and not rater.is_imported]
    seconds = sorted(rater.seconds for rater in kept)
    took = f" They took {_duration(seconds[len(seconds) // 2])} in the median." if seconds and seconds[-1] > 0 else ""
    when = f" Answers were given {_when(found.answered_between)}." if found.answered_between else ""
    elsewhere = _num_imported(found)
    joined, finished = study.joined - elsewhere, study.finished - elsewhere
    came = (
        f"{_many(study.invited, 'invitation was', 'invitations were')} given out; {_many(joined, 'person', 'people')} joined "
        f"and {finished} finished. Each had agreed to what is asked and kept before the first trial. "
    )
    return (
        f"{'' if _all_imported(found) else came}"
        f"{_many(counted, 'response counts', 'responses count')}{of_whom}, with {_votes(found.groups[0]):,} votes on main items.{took}{when}"
    )


def _when(days: Sequence[str]) -> str:
    first, last = days
    return f"on {first}" if first == last else f"between {first} and {last}"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.0f} s"


def _left_out(found: StudyResults, design: StudyDesign) -> str:
    lost = [(step.rule, step.removed) for step in found.funnel if step.removed]
    texts = _rules(design.rules)
    applied = [texts.get(step.rule, readable(step.rule)) for step in found.funnel if step.rule != "joined"]
    rules = f"Rules that were fixed beforehand leave out, in this order, {_listed(applied)}."
    if not lost:
        return f"{rules} No response was left out."
    counts = _listed([f"{num} for {texts.get(rule, readable(rule))}" for rule, num in lost])
    return f"{rules} They left out {counts}. Raw votes are all kept."


def _rules(rules: Rules) -> dict[str, str]:
    return {
        "withdrawn": "withdrawal",
        "unfinished": "an unfinished response",
        "min_seconds": f"less than {rules.min_seconds:g} seconds in all",
        "min_item_seconds": f"a median trial under {rules.min_item_seconds:g} s",
        "max_straight": f"more than {rules.max_straight} equal answers in a row",
        "extreme_share": f"more than {100 * rules.extreme_share:.0f} % of answers at the ends of five points",
        "min_gold_accuracy": f"fewer than {100 * rules.min_gold_accuracy:.0f} % of at least {rules.min_gold} checks right",
        "slider": "a failed slider at the end",
        "one_per_login": "a second response of one login",
        "one_per_ip": "a second response of one address",
    }


def _results(found: StudyResults, people: int) -> list[Block]:
    everybody = found.groups[0]
    tiles = (
        Tile(f"{people:,}", "responses counted", f"of {found.study.joined:,} who joined"),
        Tile(f"{_votes(everybody):,}", "votes on main items"),
        Tile(f"{found.study.items:,}", "items"),
    )
    said = [Prose(f"{readable(aspect.aspect).capitalize()}: {_sentence(aspect)}") for aspect in everybody.aspects]
    return [Tiles(tiles), *said, *(Note(remark) for remark in found.remarks)]


def _sentence(aspect: AspectResults) -> str:
    """What an aspect came to, in words."""
    if not aspect.votes:
        return "no votes yet."
    told: list[str] = []
    best = [row for row in aspect.strengths if row.rank == 1]
    if best:
        wins = [row for row in aspect.wins if row.system == best[0].system]
        told.append(f"{best[0].system} ranks first; it was preferred over {_listed([_won(row) for row in wins])}")
    shares = sorted(aspect.shares, key=lambda row: -(row.share.value or 0.0))
    told += [f"{row.system} {_text(row.share)}" for row in shares]
    told += [f"{row.system} {_text(row.mean)} points" for row in sorted(aspect.points, key=lambda r: -(r.mean.value or 0))]
    alpha = next((row.value for row in aspect.agreement if row.measure == "krippendorff_alpha"), Estimate())
    told += [f"Krippendorff's alpha is {_text(alpha)}"] if alpha.value is not None else []
    return "; ".join([*told, *aspect.remarks]) + f" ({aspect.votes:,} votes)."


def _won(row: WinRow) -> str:
    return f"{row.rival} at a rate of {_text(row.rate)}"


def _tables(found: StudyResults) -> list[Block]:
    """Ranks and rates, all people and then each group; then the pairs of systems with both intervals."""
    several = len(found.groups) > 1
    rows = tuple(
        (
            *([group.group or "all"] if several else []), readable(aspect.aspect), _rank(row), row.system,
            _text(row.davidson, 2), _text(row.bradley_terry, 2), "–" if row.elo is None else f"{row.elo:.0f}",
            _text(row.rate, 2), _text(row.majority, 2),
        )
        for group in found.groups
        for aspect in group.aspects
        for row in aspect.strengths
    )  # fmt: skip
    if not rows:
        return []
    head = ("aspect", "rank", "system", "Davidson", "Bradley-Terry", "Elo", "rate", "by majority")
    note = "In brackets the ranks that the intervals of differences allow. Rate: wins and half the ties of a system's votes; by "
    note += "majority: points by what most raters of an item said."
    head, numeric = (("people", *head), {2, 4, 5, 6, 7, 8}) if several else (head, {1, 3, 4, 5, 6, 7})
    folded = _fold(len(rows), "ranks in numbers")
    return [Table(head=head, rows=rows, numeric=frozenset(numeric), folded=folded, note=note), _pairs(found)]


def _pairs(found: StudyResults) -> Table:
    """Each pair of systems once, the answers of all people about it, and its rate with both intervals."""
    rows = tuple(
        (
            readable(aspect.aspect), row.system, row.rival, str(row.wins), str(row.ties), str(row.both_bad), str(row.losses),
            _text(row.rate, 2), _text(row.wilson, 2),
        )
        for aspect in found.groups[0].aspects
        for row in aspect.wins
        if found.study.systems.index(row.system) < found.study.systems.index(row.rival)
    )  # fmt: skip
    return Table(
        head=("aspect", "system", "rival", "wins", "ties", "both bad", "losses", "rate", "as if independent"),
        rows=rows,
        numeric=frozenset(range(3, 9)),
        folded=_fold(len(rows), "pairs in numbers"),
        note="Rate: wins and half the ties, both bad among them. Its interval is over items and raters; beside it Wilson's, as if every vote were an "
        "independent witness: too narrow, for comparison with papers that give it.",
    )


def _rank(row: StrengthRow) -> str:
    if row.rank is None or row.ranks is None:
        return "–"
    return str(row.rank) if row.ranks == (row.rank, row.rank) else f"{row.rank} [{row.ranks[0]}, {row.ranks[1]}]"


def _metrics(calibrations: Sequence[MetricCalibration], figures: Sequence[Block]) -> list[Block]:
    """What each calibration came to in words, the figure, and the weights of the fits to all domains."""
    if not calibrations:
        return [Note(NO_CALIBRATION)]
    rows = tuple(
        (readable(one.aspect), weight.title, _text(weight.weight), _text(alone.ratio) if alone else "–")
        for one in calibrations
        for weight in sorted(one.fits[0].weights, key=lambda weight: -(weight.weight.value or 0.0))
        for alone in [next((row for row in one.metrics if row.name == weight.metric), None)]
    )
    note = "Weights are not negative and sum to 1, with 95 % intervals over prompts; a metric's agreement is its own, without the others."
    head = ("aspect", "metric", "weight", "agreement alone")
    told: list[Block] = [Prose(_calibrated(one)) for one in calibrations]
    return [*told, *figures, *([Table(head=head, rows=rows, numeric=frozenset({2, 3}), note=note)] if rows else [])]


def _calibrated(found: MetricCalibration) -> str:
    fit = found.fits[0]
    about = f"{readable(found.aspect).capitalize()}: {fit.votes:,} votes on {fit.pairs} pairs of {fit.prompts} prompts"
    if not fit.weights:
        return f"{about} give no weights: {fit.reason}."
    held_out = {row.name: row.ratio for row in fit.held_out}
    rivals = _listed([f"{name} {_text(ratio)}" for name, ratio in held_out.items() if name != "fitted"])
    return (
        f"{about} gave weights to {_many(len(fit.weights), 'metric', 'metrics')}. On prompts that the fit had not seen, the weighted "
        f"sum sides with a share of {_text(held_out['fitted'])} of the votes for a side ({rivals}); one rater sides with the "
        f"majority of the others in {_text(found.ceiling)}."
    )


def _quality(found: StudyResults) -> list[Block]:
    rows = []
    for aspect in found.groups[0].aspects:
        measures = {row.measure: row.value for row in aspect.agreement}
        rows += [(readable(aspect.aspect), AGREEMENT_NAMES[name], _text(one)) for name, one in measures.items()]
        rows.append((readable(aspect.aspect), "intraclass correlation of votes on one item", _text(aspect.icc)))
        effect = "–" if aspect.design_effect is None else f"{aspect.design_effect:.2f}"
        rows.append((readable(aspect.aspect), "design effect", effect))
    return [Table(head=("aspect", "measure", "value"), rows=tuple(rows), folded="Agreement in numbers")]


def _rater_rows(found: StudyResults) -> list[Block]:
    rows = tuple(
        (
            rater.participant, rater.group, str(rater.votes), "–" if rater.is_imported else f"{rater.seconds / 60:.1f}",
            "–" if rater.median_item_s is None else f"{rater.median_item_s:.1f}", _text(rater.gold), _text(rater.consistency),
            "–" if rater.left_share is None else f"{rater.left_share:.2f}", str(rater.longest_run), readable(rater.removed_by),
        )
        for rater in found.raters[:MAX_RATERS]
    )  # fmt: skip
    head = (
        "participant",
        "group",
        "votes",
        "minutes",
        "s a trial",
        "checks",
        "alike",
        "left",
        "longest run",
        "left out by",
    )
    more = f"The first {MAX_RATERS} of {len(found.raters)}." if len(found.raters) > MAX_RATERS else ""
    return [
        Table(
            head=head,
            rows=rows,
            numeric=frozenset({2, 3, 4, 5, 6, 7, 8}),
            folded=f"{len(found.raters)} participants",
            note=more,
            empty="Nobody joined yet.",
        )
    ]


def _power(found: StudyResults) -> Table:
    return Table(
        head=("items", "raters", "votes", "half width", "finds", ""),
        rows=tuple(
            (
                str(row.pairs), str(row.raters), f"{row.votes:,}", f"{row.half_width:.3f}", f"{row.detectable:.2f}",
                "this study" if row.chosen else "",
            )
            for row in found.study.power
        ),
        numeric=frozenset(range(5)),
        note="Half width: of the 95 % interval of a share of wins near .5. Finds: the least share that is told from .5 eight "
        "times of ten.",
    )  # fmt: skip


def _fold(num: int, what: str) -> str:
    """What opens a long table; empty for a short one."""
    return f"{num} {what}" if num > OPEN_ROWS else ""


def _votes(group: GroupResults) -> int:
    return sum(aspect.votes for aspect in group.aspects)


def _text(one: Estimate, digits: int = 3) -> str:
    if one.value is None:
        return f"– ({one.reason})" if one.reason else "–"
    if one.low is None or one.high is None:
        return f"{one.value:.{digits}f}"
    return f"{one.value:.{digits}f} [{one.low:.{digits}f}, {one.high:.{digits}f}]"


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)


def _many(num: int, one: str, several: str) -> str:
    return f"{num:,} {one if num == 1 else several}"
