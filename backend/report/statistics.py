"""Dataset figures and ablations as parts of a report."""

from collections.abc import Mapping, Sequence

import numpy as np

from backend.domain.statistics import AblationRow, DatasetStatistics, JudgeAgreement
from backend.report.case_set import word_cloud
from backend.report.page import Bar, Bars, Block, Figure, Plot, Report, Section, Table
from backend.report.plots import histogram

SHOWN_BARS = 20
OPENS2V_5M = ("OpenS2V-5M", "Subject-to-Video", "720P", "5.4M", "6.6", "10K")  # OpenS2V-Nexus, table 2, as printed


def statistics_sections(found: DatasetStatistics) -> list[Section]:
    """The figures that the papers give of their data."""
    row = found.row
    length = "–" if row.average_length_s is None else f"{row.average_length_s:.1f}"
    table = Table(
        note="Beside OpenS2V-Nexus, table 2, whose own row stands below.",
        head=("Dataset", "Type", "Resolution", "Clips", "Average length (s)", "Duration (h)"),
        rows=((row.name, row.kind, row.resolution or "–", f"{row.clips:,}", length, f"{row.duration_h:,.3g}"), OPENS2V_5M),
        numeric=frozenset({3, 4, 5}),
    )
    plots = [
        Plot(
            svg=histogram(np.array(spread.values), label=f"{name} ({spread.unit})"),
            title=name.capitalize(),
            remark=f"{spread.number:,} measured, mean {_number(spread.mean)}, {_number(spread.least)} to {_number(spread.most)}",
        )
        for name, spread in found.spreads.items()
    ]
    blocks: list[Block] = [table]
    if plots:
        blocks.append(Figure(tuple(plots)))
    blocks += [_bars(name, counts) for name, counts in found.counts.items()]
    blocks += _anchor_tables(found)
    if found.judge_agreement:
        blocks.append(_judge_table(found.judge_agreement))
    if found.words:
        cloud = word_cloud(found.words, label="Words of captions")
        blocks.append(Figure((Plot(svg=cloud, title="Words of captions", remark="larger: said more often"),)))
    return [
        Section(
            anchor="dataset",
            title="The dataset in figures",
            lead="What the papers show of theirs, counted over the rows that the gates keep now.",
            blocks=blocks,
        )
    ]


def ablation_report(rows: Sequence[AblationRow], *, title: str, facts: Sequence[tuple[str, str]]) -> Report:
    """What each kind of gate is worth, and what is kept by time gap, bank and construction."""
    leads = {
        "gates": "From stored scores alone: no model ran. Pairs that an earlier gate held back before a later score was "
        "measured are counted apart.",
        "time gap": "Of the pairs that all gates keep.",
        "bank": "Of the pairs that all gates keep.",
        "construction": "Of the pairs that all gates keep.",
    }
    names = list(dict.fromkeys(row.group for row in rows))
    return Report(
        kicker="Ablation report",
        title=title,
        facts=tuple(facts),
        sections=[
            Section(
                anchor=name.replace(" ", "-"),
                title=name.capitalize(),
                lead=leads.get(name, ""),
                blocks=[_table([row for row in rows if row.group == name])],
            )
            for name in names
        ],
        footer="Precision is the share of pairs that people called the same among those they judged, with Wilson's interval at 95 %.",
    )


def _table(rows: Sequence[AblationRow]) -> Table:
    head = ("", "Pairs", "Not fully measured", "Judged", "Precision", "Interval", "Context diversity")
    return Table(
        head=head,
        rows=tuple(
            (
                row.name,
                f"{row.pairs:,}",
                f"{row.unmeasured:,}" if row.unmeasured else "–",
                f"{row.judged:,}" if row.judged else "–",
                _share(row.precision),
                "–" if row.precision_low is None else f"{row.precision_low:.2f} to {row.precision_high:.2f}",
                _share(row.context_diversity),
            )
            for row in rows
        ),
        numeric=frozenset(range(1, 7)),
        empty="There are no pairs yet.",
    )


def _anchor_tables(found: DatasetStatistics) -> list[Block]:
    """What a judge and people made of the labels of anchors, how right these were, and how often to draw each."""
    checks = tuple(
        (row.kind, row.by, *(f"{count:,}" for count in (row.kept, row.corrected, row.dropped, row.unsure)))
        for row in found.anchor_checks
    )
    accuracy = tuple(
        (row.kind, _share(row.before), f"{row.told_before:,}", _share(row.after), f"{row.told_after:,}")
        for row in found.anchor_accuracy
    )
    blocks: list[Block] = []
    if checks:
        head = ("Anchors", "Looked at by", "Kept", "Corrected", "Dropped", "Unsure")
        blocks.append(Table(note="Labels of anchors.", head=head, rows=checks, numeric=frozenset(range(2, 6))))
    if accuracy:
        head = ("Anchors", "Right before", "of", "Right after", "of")
        note = "Labels that agree with people's, before the judge looked and after."
        blocks.append(Table(note=note, head=head, rows=accuracy, numeric=frozenset(range(1, 5))))
    balance = tuple(
        (
            row.kind,
            row.label,
            f"{row.number:,}",
            *(f"{share:.1%}" for share in (row.share, row.published, row.drawn)),
            f"{row.weight:.2f}",
        )
        for row in found.anchor_balance
    )
    if balance:
        head = ("Anchors", "Label", "Found", "Share", "Gloria's", "Drawn", "Weight")
        note = "How often anchors are to be drawn so that labels come in Gloria's shares (tables 5 and 6), at most twice as often."
        blocks.append(Table(note=note, head=head, rows=balance, numeric=frozenset(range(2, 7))))
    return blocks


def _judge_table(rows: Sequence[JudgeAgreement]) -> Table:
    head = (
        "Criterion",
        "Both yes",
        "Both no",
        "Only people",
        "Only the judge",
        "Judge unsure",
        "Agreement",
        "Interval",
        "Kappa",
    )
    return Table(
        note="The judge beside people, on pairs that both told of. People who find two different deny the criteria that they "
        "tick; clothing, scene and pose can only be denied by them.",
        head=head,
        rows=tuple(
            (
                row.criterion.capitalize(),
                *(f"{count:,}" for count in (row.both_yes, row.both_no, row.only_people, row.only_judge, row.unsure)),
                _share(row.agreement),
                "–" if row.agreement_low is None else f"{row.agreement_low:.2f} to {row.agreement_high:.2f}",
                _share(row.kappa),
            )
            for row in rows
        ),
        numeric=frozenset(range(1, len(head))),
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _bars(name: str, counts: Mapping[str, int]) -> Bars:
    most = max(counts.values())
    shown = list(counts.items())[:SHOWN_BARS]
    more = f"the first {SHOWN_BARS} of {len(counts)}" if len(counts) > SHOWN_BARS else ""
    bars = tuple(Bar(label=label.replace("_", " "), share=count / most, value=f"{count:,}") for label, count in shown)
    return Bars(bars=bars, title=name.capitalize(), legend=more)
