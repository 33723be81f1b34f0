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

from bench.experiments.table import EXPERIMENTS, Experiment, Hypothesis

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results" / "experiments.json"
DOCUMENT = ROOT / "docs" / "experiments.md"
PLOTS = ROOT / "docs" / "plots"
MARKS = ("<!-- results -->", "<!-- /results -->")
SEEDS = 3
COLOURS = ("#0f7a6e", "#b3402f", "#3b5ba5", "#b98a1d", "#7a4b8f", "#6b675f")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A row with a seed after some steps. `config` names what decides it, `loss` is the curve until then."""

    experiment: str
    row: str
    seed: int
    scale: str
    step: int
    steps: int
    config: str
    commit: str
    values: dict[str, float]
    loss: list[tuple[int, float]]

    @property
    def key(self) -> tuple[str, str, int, str]:
        return self.experiment, self.row, self.seed, self.config


def read_outcomes() -> list[Outcome]:
    """All that are kept."""
    if not RESULTS.exists():
        return []
    return [
        Outcome(**{**each, "loss": [tuple(point) for point in each["loss"]]}) for each in json.loads(RESULTS.read_text())
    ]


def write_outcomes(fresh: Iterable[Outcome]) -> None:
    """Adds outcomes; those of the same row, seed, scale and step are replaced."""
    kept = {(o.experiment, o.row, o.seed, o.scale, o.step): o for o in [*read_outcomes(), *fresh]}
    lines = [json.dumps(asdict(kept[key])) for key in sorted(kept)]
    RESULTS.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def write_document(outcomes: Sequence[Outcome]) -> None:
    """Puts tables, verdicts and plots of all outcomes between the document's marks."""
    parts: list[str] = []
    for scale in sorted({outcome.scale for outcome in outcomes}):
        ours = [outcome for outcome in outcomes if outcome.scale == scale]
        parts += [f"### On {'a GPU' if scale == 'cuda' else 'the CPU'}", ""]
        for name, experiment in EXPERIMENTS.items():
            found = [outcome for outcome in ours if outcome.experiment == name]
            parts += _section(name, experiment, found, scale)
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    DOCUMENT.write_text("\n".join([before + MARKS[0], *parts, MARKS[1] + after]))


def verdict(hypothesis: Hypothesis, outcomes: Sequence[Outcome]) -> str:
    """Whether the mean difference over the seeds that both rows have is large enough, and how many seeds say the same."""
    last = _last(outcomes)
    of = {o.seed: o.values[hypothesis.measure] for o in last if o.row == hypothesis.of and hypothesis.measure in o.values}
    than = {
        o.seed: o.values[hypothesis.measure] for o in last if o.row == hypothesis.than and hypothesis.measure in o.values
    }
    gaps = [of[seed] - than[seed] for seed in sorted(set(of) & set(than))]
    if not gaps:
        return "not run"
    holds = fmean(gaps) >= hypothesis.least
    agreeing = sum((gap >= hypothesis.least) == holds for gap in gaps)
    word = "holds" if holds else "does not hold"
    few = "" if len(gaps) >= SEEDS else f"; {len(gaps)} of {SEEDS} seeds run"
    return f"**{word}**: {fmean(gaps):+.2f} ({agreeing} of {len(gaps)} seeds alike{few})"


def _section(name: str, experiment: Experiment, outcomes: Sequence[Outcome], scale: str) -> list[str]:
    lines = [f"#### {name}. {experiment.title}", ""]
    if not outcomes:
        return [*lines, "Not run.", ""]
    last = _last(outcomes)
    measures = [m for m in experiment.measures if any(m in outcome.values for outcome in last)]
    lines += ["| row | seeds | cases | " + " | ".join(m.replace("_", " ") for m in measures) + " |"]
    lines += ["|---|--:|--:|" + "--:|" * len(measures)]
    for row in experiment.rows:
        ours = [outcome for outcome in last if outcome.row == row]
        if not ours:
            lines.append(f"| {row} | not run | | " + " | ".join("" for _ in measures) + " |")
            continue
        seeds = ", ".join(str(outcome.seed) for outcome in sorted(ours, key=lambda o: o.seed))
        cells = [_cell([o.values[m] for o in ours if m in o.values]) for m in measures]
        lines.append(f"| {row} | {seeds} | {ours[0].values['cases']:.0f} | " + " | ".join(cells) + " |")
    lines += ["", "| expected | at least | found |", "|---|--:|---|"]
    for each in experiment.hypotheses:
        told = f"{each.says}: {each.measure.replace('_', ' ')}, {each.of} over {each.than}"
        lines.append(f"| {told} | {each.least:+g} | {verdict(each, outcomes)} |")
    plot = PLOTS / f"experiments-{scale}-{name}.svg"
    _plot(plot, experiment, outcomes, measures)
    return [*lines, "", f"![{experiment.title}: measures and loss by step](plots/{plot.name})", ""]


def _last(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.step == outcome.steps]


def _cell(values: Sequence[float]) -> str:
    """The mean, and the least and greatest of the seeds where there are several."""
    if not values:
        return ""
    spread = f" ({min(values):.2f}-{max(values):.2f})" if len(values) > 1 else ""
    return f"{fmean(values):.2f}{spread}"


def _plot(path: Path, experiment: Experiment, outcomes: Sequence[Outcome], measures: Sequence[str]) -> None:
    """Each measure against steps, and the loss: a line a row, the mean of its seeds, with each seed as a dot."""
    path.parent.mkdir(exist_ok=True)
    with rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none", "font.size": 8}):
        figure = Figure(figsize=(2.3 * (len(measures) + 1), 2.6), layout="constrained")
        axes: Any = figure.subplots(1, len(measures) + 1)
        for colour, row in zip(COLOURS, experiment.rows, strict=False):
            ours = [outcome for outcome in outcomes if outcome.row == row]
            for panel, measure in zip(axes, measures, strict=False):
                points = [(o.step, o.values[measure]) for o in ours if measure in o.values]
                steps = sorted({step for step, _ in points})
                panel.plot(steps, [fmean(v for s, v in points if s == step) for step in steps], color=colour, label=row)
                panel.scatter(*zip(*points, strict=True), color=colour, s=6) if points else None
                panel.set_title(measure.replace("_", " "), fontsize=8)
            curves = [o.loss for o in _last(ours)]
            for number, curve in enumerate(curves):
                axes[-1].plot(*zip(*curve, strict=True), color=colour, linewidth=1, label=row if number == 0 else None)
        axes[-1].set_title("training loss", fontsize=8)
        axes[-1].legend(fontsize=6.5, frameon=False)
        for panel in axes:
            panel.set_xlabel("step")
            panel.spines[["top", "right"]].set_visible(False)
        FigureCanvasSVG(figure).print_svg(str(path), metadata={"Date": None, "Creator": None})
