"""What came out: kept as JSON, and written as tables and plots into docs/experiments.md between its marks."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from bench.experiments.table import EVALUATED, EXPERIMENTS, Experiment, Hypothesis

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results" / "experiments.json"
READINGS = ROOT / "bench" / "results" / "experiments_evaluate.json"
DOCUMENT = ROOT / "docs" / "experiments.md"
MARKS = ("<!-- results -->", "<!-- /results -->")
READING_MARKS = ("<!-- readings -->", "<!-- /readings -->")
SCORED = "_scored"
"""After a metric's id in a row's values: how many of its cases have a value."""
SEEDS = 3
COLOURS = ("#0f7a6e", "#b3402f", "#3b5ba5", "#b98a1d", "#7a4b8f", "#6b675f")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A row with a seed. `config` names what decides it, `loss` is the training curve."""

    experiment: str
    row: str
    seed: int
    scale: str
    steps: int
    config: str
    commit: str
    values: dict[str, float]
    loss: list[tuple[int, float]]
    seconds: float | None = None
    """Of its test, with its share of its arm's training where that was done for it; None: not kept then. Bases are not in it."""
    evaluate_s: float | None = None
    """Of `evaluate`; None: it was not asked."""

    @property
    def key(self) -> tuple[str, str, int, str]:
        return self.experiment, self.row, self.seed, self.config


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How often a metric of `evaluate` is higher for one of two videos of a case whose truth is known."""

    test: str
    metric: str
    above: str
    below: str
    auc: float | None
    """Ties count one half; None where no case has both values. `low` and `high`: of 95 %, by resampling cases."""
    low: float | None
    high: float | None
    cases: int
    scored: int
    """Cases of which both videos have a value."""
    medians: tuple[float, float] | None


def read_outcomes() -> list[Outcome]:
    """All that are kept."""
    if not RESULTS.exists():
        return []
    return [
        Outcome(**{**each, "loss": [tuple(point) for point in each["loss"]]}) for each in json.loads(RESULTS.read_text())
    ]


def write_outcomes(fresh: Iterable[Outcome]) -> None:
    """Adds outcomes; those of the same row, seed and scale are replaced."""
    kept = {(o.experiment, o.row, o.seed, o.scale): o for o in [*read_outcomes(), *fresh]}
    lines = [json.dumps(asdict(kept[key])) for key in sorted(kept)]
    RESULTS.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def read_readings(*, file: Path = READINGS) -> list[Reading]:
    """All that are kept."""
    if not file.exists():
        return []
    kept = json.loads(file.read_text())
    return [Reading(**{**each, "medians": each["medians"] and tuple(each["medians"])}) for each in kept]


def write_readings(fresh: Iterable[Reading], *, file: Path = READINGS) -> None:
    """Adds readings; those before of the same tests are replaced."""
    fresh = list(fresh)
    tests = {each.test for each in fresh}
    kept = [*(each for each in read_readings(file=file) if each.test not in tests), *fresh]
    kept.sort(key=lambda each: list(EVALUATED).index(each.test))
    file.write_text("[\n" + ",\n".join(json.dumps(asdict(each)) for each in kept) + "\n]\n")


def write_reading_table(readings: Sequence[Reading], document: Path = DOCUMENT) -> None:
    """Puts a line a reading between the document's marks."""
    lines = ["| test | metric | above | below | AUC | of 95 % | cases | medians |", "|---|---|---|---|--:|--:|--:|--:|"]
    for each in readings:
        found = "none" if each.auc is None else f"{each.auc:.2f}"
        spread = "" if each.low is None or each.high is None else f"{each.low:.2f} to {each.high:.2f}"
        medians = "" if each.medians is None else " and ".join(f"{median:.2f}" for median in each.medians)
        told = f"| {each.test} | `{each.metric}` | {each.above} | {each.below} | {found} | {spread} |"
        lines.append(f"{told} {each.scored} of {each.cases} | {medians} |")
    _write_between(READING_MARKS, lines, document)


def write_document(outcomes: Sequence[Outcome], document: Path = DOCUMENT) -> None:
    """Puts tables and verdicts of all outcomes between the document's marks, and plots into `plots` beside it."""
    parts: list[str] = []
    for scale in sorted({outcome.scale for outcome in outcomes}):
        ours = [outcome for outcome in outcomes if outcome.scale == scale]
        parts += [f"### On {'a GPU' if scale == 'cuda' else 'the CPU'}", "", *_time(ours)]
        for name, experiment in EXPERIMENTS.items():
            found = [outcome for outcome in ours if outcome.experiment == name]
            parts += _section(name, experiment, found, document.parent / "plots" / f"experiments-{scale}-{name}.svg")
    _write_between(MARKS, parts, document)


def verdict(hypothesis: Hypothesis, outcomes: Sequence[Outcome]) -> str:
    """Whether the mean difference over the seeds that both rows have is large enough, and how many seeds say the same."""
    of = {
        o.seed: o.values[hypothesis.measure] for o in outcomes if o.row == hypothesis.of and hypothesis.measure in o.values
    }
    than = {
        o.seed: o.values[hypothesis.measure]
        for o in outcomes
        if o.row == hypothesis.than and hypothesis.measure in o.values
    }
    gaps = [of[seed] - than[seed] for seed in sorted(set(of) & set(than))]
    if not gaps:
        return "not run"
    holds = fmean(gaps) >= hypothesis.least
    agreeing = sum((gap >= hypothesis.least) == holds for gap in gaps)
    word = "holds" if holds else "does not hold"
    few = "" if len(gaps) >= SEEDS else f"; {len(gaps)} of {SEEDS} seeds run"
    return f"**{word}**: {fmean(gaps):+.2f} ({agreeing} of {len(gaps)} seeds alike{few})"


def _write_between(marks: tuple[str, str], lines: Sequence[str], document: Path) -> None:
    before, _, rest = document.read_text().partition(marks[0])
    after = rest.partition(marks[1])[2]
    document.write_text("\n".join([before + marks[0], *lines, marks[1] + after]))


def _time(outcomes: Sequence[Outcome]) -> list[str]:
    """What the rows took that kept it; nothing where none did."""
    kept = [outcome.seconds for outcome in outcomes if outcome.seconds is not None]
    if not kept:
        return []
    of = "" if len(kept) == len(outcomes) else f" of {len(outcomes)}, of which the others did not keep it"
    asked = [outcome.evaluate_s for outcome in outcomes if outcome.evaluate_s is not None]
    beside = f" `evaluate` took {sum(asked):.0f} s of {len(asked)} of them." if asked else ""
    return [f"{sum(kept):.0f} s of one worker in {len(kept)} rows and seeds{of}; without the bases.{beside}", ""]


def _section(name: str, experiment: Experiment, outcomes: Sequence[Outcome], plot: Path) -> list[str]:
    lines = [f"#### {name}. {experiment.title}", ""]
    if not outcomes:
        return [*lines, "Not run.", ""]
    measures = [m for m in experiment.measures if any(m in outcome.values for outcome in outcomes)]
    metrics = tuple(dict.fromkeys(metric for row in experiment.rows.values() for metric in EVALUATED[row.test]))
    named = [*(m.replace("_", " ") for m in measures), *(f"`{metric}`" for metric in metrics)]
    lines += ["| row | seeds | cases | " + " | ".join(named) + " |"]
    lines += ["|---|--:|--:|" + "--:|" * len(named)]
    for row in experiment.rows:
        ours = [outcome for outcome in outcomes if outcome.row == row]
        if not ours:
            lines.append(f"| {row} | not run | | " + " | ".join("" for _ in named) + " |")
            continue
        seeds = ", ".join(str(outcome.seed) for outcome in sorted(ours, key=lambda o: o.seed))
        cells = [_cell([o.values[m] for o in ours if m in o.values]) for m in measures]
        cells += [_evaluated_cell(metric, ours) for metric in metrics]
        lines.append(f"| {row} | {seeds} | {ours[0].values['cases']:.0f} | " + " | ".join(cells) + " |")
    lines += ["", "| expected | at least | found |", "|---|--:|---|"]
    for each in experiment.hypotheses:
        told = f"{each.says}: {each.measure.replace('_', ' ')}, {each.of} over {each.than}"
        lines.append(f"| {told} | {each.least:+g} | {verdict(each, outcomes)} |")
    _plot(plot, experiment, outcomes, measures)
    return [*lines, "", f"![{experiment.title}: measures and loss by step](plots/{plot.name})", ""]


def _cell(values: Sequence[float]) -> str:
    """The mean, and the least and greatest of the seeds where there are several."""
    if not values:
        return ""
    spread = f" ({min(values):.2f}-{max(values):.2f})" if len(values) > 1 else ""
    return f"{fmean(values):.2f}{spread}"


def _evaluated_cell(metric: str, outcomes: Sequence[Outcome]) -> str:
    """The same of those seeds that `evaluate` was asked of; which these are and how many cases have a value, where not all."""
    asked = sorted((o for o in outcomes if f"{metric}{SCORED}" in o.values), key=lambda o: o.seed)
    if not asked:
        return "not measured"
    scored, cases = (int(sum(o.values[name] for o in asked)) for name in (f"{metric}{SCORED}", "cases"))
    of = "" if scored == cases else f", {scored} of {cases} cases"
    seeds = "" if len(asked) == len(outcomes) else f", seed {', '.join(str(o.seed) for o in asked)}"
    return f"{_cell([o.values[metric] for o in asked if metric in o.values]) or 'none'}{of}{seeds}"


def _plot(path: Path, experiment: Experiment, outcomes: Sequence[Outcome], measures: Sequence[str]) -> None:
    """Each measure with a bar a row (the mean of its seeds, a dot a seed), and training losses by step."""
    path.parent.mkdir(exist_ok=True)
    with rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none", "font.size": 8}):
        figure = Figure(figsize=(1.9 * len(measures) + 3.2, 2.6), layout="constrained")
        axes: Any = figure.subplots(1, len(measures) + 1, width_ratios=[1.0] * len(measures) + [1.7])
        for place, (colour, row) in enumerate(zip(COLOURS, experiment.rows, strict=False)):
            ours = [outcome for outcome in outcomes if outcome.row == row]
            for panel, measure in zip(axes, measures, strict=False):
                values = [outcome.values[measure] for outcome in ours if measure in outcome.values]
                if values:
                    panel.bar(place, fmean(values), color=colour, width=0.8)
                    panel.scatter([place] * len(values), values, color="#1d1c1a", s=6, zorder=3)
            for number, outcome in enumerate(ours):
                steps, losses = zip(*outcome.loss, strict=True)
                axes[-1].plot(steps, losses, color=colour, linewidth=1, label=None if number else row)
        for panel, measure in zip(axes, measures, strict=False):
            panel.set_title(measure.replace("_", " "), fontsize=8)
            panel.set_xticks([])
        axes[-1].set_title("training loss by step", fontsize=8)
        axes[-1].legend(fontsize=6.5, frameon=False)
        for panel in axes:
            panel.spines[["top", "right"]].set_visible(False)
        FigureCanvasSVG(figure).print_svg(str(path), metadata={"Date": None, "Creator": None})
