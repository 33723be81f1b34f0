"""The report of a curation: what was found, kept and dropped, with pictures to judge it by."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from backend.api import Status
from backend.domain.score_words import failure_title, gate_title, score_title, stage_title
from backend.domain.status_rows import GateRow, StageRow
from backend.report.page import (
    Bar,
    Bars,
    Block,
    Figure,
    Gauge,
    ImageGrid,
    Note,
    PairGrid,
    PairView,
    Plot,
    Report,
    Section,
    Table,
    Thumb,
    Tile,
    Tiles,
)
from backend.report.pictures import Picture, data_uri, masked_uri
from backend.report.plots import Line, histogram

FUNNEL = ("videos", "clips", "subjects", "appearances", "anchors", "pairs", "verdicts")
"""The counts of `Status` that head the report, in the order of work; the others are named in passing."""

OPENINGS = {"gradual": "after a dissolve or fade", "split": "goes on from the one before"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotCard:
    """A clip by one frame. `dropped` says why the gates hold it back, empty when it is kept."""

    image: Picture
    video: str
    start_s: float
    stop_s: float
    opens_with: str
    dropped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectCard:
    """A subject in its frame (or a part of it); `mask` is bool of the image's height and width."""

    image: Picture
    mask: np.ndarray | None
    label: str
    where: str
    dropped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorCard:
    """A frame that stands for a subject. `group` is its kind, with its label where it has one ("viewpoint: back")."""

    image: Picture
    group: str
    where: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLine:
    """A score of a pair. `low` and `high` are the ends of its scale; `gates` are `(comparison, value)` that hold."""

    name: str
    value: float | None
    reason: str = ""
    low: float = 0.0
    high: float = 1.0
    gates: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCard:
    """A pair: the crops, where they come from, what machines and people say. `dropped` says which gate holds it back."""

    target: Picture
    reference: Picture
    target_where: str
    reference_where: str
    target_caption: str
    reference_caption: str
    phrase: str
    kind: str
    status: str
    verdict: str | None
    scores: tuple[ScoreLine, ...] = ()
    dropped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Every value of one score, float `(N,)`, with its gates: `(comparison, value)`."""

    name: str
    record: str
    values: np.ndarray
    gates: tuple[tuple[str, float], ...] = ()
    unmeasured: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRow:
    """Two clips that show the same footage: their videos, spans `(start, stop)`, and the share of frames that match."""

    first: str
    first_s: tuple[float, float]
    second: str
    second_s: tuple[float, float]
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CurationData:
    """What the report shows. `made_at` is shown as it is. Lists may be samples, best first: the totals say of how
    many shots, subjects, accepted pairs and pairs held back."""

    project: str
    version: str
    recipe: str
    profile: str
    made_at: str
    status: Status
    shots: Sequence[ShotCard] = ()
    subjects: Sequence[SubjectCard] = ()
    anchors: Sequence[AnchorCard] = ()
    pairs: Sequence[PairCard] = ()
    distributions: Sequence[Distribution] = ()
    copies: Sequence[CopyRow] = ()
    num_shots: int | None = None
    num_subjects: int | None = None
    num_anchors: Mapping[str, int] = field(default_factory=dict)
    num_pairs: int | None = None
    num_held_back: int | None = None
    shot_px: int = 256
    subject_px: int = 220
    pair_px: int = 320


def curation_report(data: CurationData) -> Report:
    """The report's sections; empty ones say what is missing instead of being left out."""
    status = data.status
    with ThreadPoolExecutor(1) as aside:  # plots are Python's work, pictures are encoded outside of its lock
        scores = aside.submit(_scores, data)
        pairs, subjects, anchors, shots = _pairs(data), _subjects(data), _anchors(data), _shots(data)
    return Report(
        kicker="Curation report",
        title=data.project,
        facts=(
            ("Recipe", data.recipe),
            ("Profile", data.profile),
            ("Made", data.made_at),
            ("Subject Studio", data.version),
        ),
        sections=[
            Section(anchor="overview", title="Overview", lead=_sentence(status), blocks=_overview(status)),
            Section(
                anchor="pairs",
                title="Pairs",
                lead="A target and a reference that should show the same one in different surroundings. "
                "A mark on a bar is the gate; a red bar does not pass it.",
                blocks=pairs,
            ),
            Section(
                anchor="subjects",
                title="Subjects",
                lead="Who and what was found. What the mask leaves out is dimmed.",
                blocks=[subjects],
            ),
            Section(
                anchor="anchors",
                title="Anchors",
                lead="Frames that stand for a subject: drawn at random, or as its sides and expressions, the surest first.",
                blocks=anchors,
            ),
            Section(
                anchor="shots",
                title="Shots",
                lead="One frame of each clip, in the order of the video. Faded ones are held back by a gate.",
                blocks=shots,
            ),
            Section(
                anchor="near-duplicates",
                title="Near-duplicate clips",
                lead="The same footage twice, also when scaled, cropped, brightened or framed. An export keeps their videos in one split.",
                blocks=[_copies(data.copies)],
            ),
            Section(
                anchor="scores",
                title="Scores and gates",
                lead="Gates are applied when rows are chosen: moving one runs no model again.",
                blocks=scores.result(),
            ),
            Section(anchor="stages", title="Stages", blocks=[_stages(status.stages)]),
            Section(
                anchor="failures",
                title="Failed and passed over",
                lead="Everything else was done and kept.",
                blocks=[_failures(status), _remarks(status)],
            ),
        ],
        footer="Pictures stay under the licences of their sources. Scores by heuristics are on scales of their own.",
    )


def _sentence(status: Status) -> str:
    counts = status.counts
    found = [f"{counts[name]:,} {_noun(name, counts[name])}" for name in ("videos", "clips", "subjects") if name in counts]
    pairs = counts.get("pairs", 0)
    text = f"{_listed(found)} gave {pairs:,} accepted {_noun('pairs', pairs)}." if found else "Nothing was curated yet."
    failed = sum(1 for row in status.failures if row.state == "failed")
    return (
        f"{text} {failed:,} {'input' if failed == 1 else 'inputs'} failed; they are listed at the end." if failed else text
    )


def _overview(status: Status) -> list[Block]:
    names = [name for name in FUNNEL if name in status.counts]
    tones = {"pairs": "good", "verdicts": "good"}
    tiles = [
        Tile(
            f"{status.counts[n]:,}", _noun(n, status.counts[n]), tone=tones.get(n, "plain") if status.counts[n] else "plain"
        )
        for n in names
    ]
    failed = status.states.get("failed", 0) + sum(n for name, n in status.states.items() if name.startswith("failed("))
    if failed:
        tiles.append(Tile(f"{failed:,}", "failed", tone="bad"))
    blocks: list[Block] = [Tiles(tuple(tiles))] if tiles else []
    others = [f"{n:,} {_noun(_spaced(name), n)}" for name, n in sorted(status.counts.items()) if name not in FUNNEL]
    if others:
        blocks.append(Note(f"Also made: {_listed(others)}."))
    if status.gates:
        blocks.append(_gates(status.gates))
    return blocks


def _gates(gates: Iterable[GateRow]) -> Bars:
    bars = []
    for gate in gates:
        kept = gate.entering - gate.dropped
        share = kept / gate.entering if gate.entering else 0.0
        notes = [gate.source, f"{gate.unmeasured:,} unmeasured" if gate.unmeasured else ""]
        notes += [f"{category}: {value:g}" for category, value in gate.by_category.items()]
        bars.append(
            Bar(
                label=f"{gate.record}: {gate_title(f'{gate.record}.{gate.score} {gate.comparison} {gate.value:g}')}",
                share=share,
                lost=1 - share if gate.entering else 0.0,
                value=f"{kept:,} of {gate.entering:,}" if gate.entering else "nothing measured",
                remark=", ".join(note for note in notes if note),
            )
        )
    return Bars(bars=tuple(bars), title="What the gates let through", legend="kept, dropped (faded)")


def _pairs(data: CurationData) -> list[Block]:
    accepted = [pair for pair in data.pairs if not pair.dropped]
    held = [pair for pair in data.pairs if pair.dropped]
    more = max(0, (data.num_pairs or 0) - len(accepted))
    blocks: list[Block] = [
        PairGrid(
            pairs=tuple(_pair(pair, data.pair_px) for pair in accepted),
            title="Accepted" if held else "",
            more=more,
            empty="No pair passes the gates. Two clips of the same one in different surroundings are needed; "
            "the scores below show which gate holds pairs back.",
        )
    ]
    if held:
        blocks.append(
            PairGrid(
                pairs=tuple(_pair(pair, data.pair_px) for pair in held),
                title="Held back",
                remark="nearest to the gates first",
                more=max(0, (data.num_held_back or 0) - len(held)),
            )
        )
    return blocks


def _pair(pair: PairCard, long_side: int) -> PairView:
    verdict = pair.verdict and _spaced(pair.verdict)
    tone = {"same": "good", None: "plain"}.get(pair.verdict, "bad")
    tags = [(pair.dropped, "bad")] if pair.dropped else []
    tags += [(_spaced(pair.kind), "plain"), (verdict or "not judged", tone)]
    if verdict:
        tags.append((pair.status, "plain"))
    return PairView(
        title=pair.phrase or "unnamed",
        target=Thumb(
            image=data_uri(pair.target, long_side=long_side),
            tag="target",
            title=pair.target_where,
            remark=pair.target_caption,
        ),
        reference=Thumb(
            image=data_uri(pair.reference, long_side=long_side),
            tag="reference",
            title=pair.reference_where,
            remark=pair.reference_caption,
        ),
        tags=tuple(tags),
        gauges=tuple(_gauge(score) for score in pair.scores),
    )


def _gauge(score: ScoreLine) -> Gauge:
    if score.value is None:
        return Gauge(label=score_title(score.name), value=score.reason or "none")
    span = (score.high - score.low) or 1.0
    passes = [bool(Line(comparison, gate).keeps(np.asarray(score.value))) for comparison, gate in score.gates]
    return Gauge(
        label=score_title(score.name),
        value=f"{score.value:.3g}" if abs(score.value) >= 1 else f"{score.value:.2f}",
        share=(score.value - score.low) / span,
        gates=tuple((gate - score.low) / span for _, gate in score.gates),
        passes=all(passes),
    )


def _subjects(data: CurationData) -> Block:
    if not data.subjects:
        return Table(head=(), rows=(), empty="No subject was found.")
    thumbs = [
        Thumb(
            image=data_uri(card.image, long_side=data.subject_px)
            if card.mask is None
            else masked_uri(card.image, card.mask, long_side=data.subject_px),
            title=card.label,
            remark=card.where,
            tag=card.dropped,
            tone="bad" if card.dropped else "plain",
        )
        for card in data.subjects
    ]
    return ImageGrid(thumbs=tuple(thumbs), size="small", more=max(0, (data.num_subjects or 0) - len(thumbs)))


def _anchors(data: CurationData) -> list[Block]:
    groups: dict[str, list[Thumb]] = {}
    for card in data.anchors:
        sure = "" if card.confidence is None else f"confidence {card.confidence:.2f}"
        thumb = Thumb(image=data_uri(card.image, long_side=data.subject_px), title=card.where, remark=sure)
        groups.setdefault(card.group, []).append(thumb)
    if not groups:
        return [Table(head=(), rows=(), empty="No anchor was chosen.")]
    blocks: list[Block] = []
    for group, thumbs in groups.items():
        number = data.num_anchors.get(group, len(thumbs))
        remark = f"{number:,} {_noun('pictures', number)}"
        blocks.append(
            ImageGrid(
                thumbs=tuple(thumbs), title=group.capitalize(), remark=remark, size="small", more=number - len(thumbs)
            )
        )
    return blocks


def _shots(data: CurationData) -> list[Block]:
    by_video: dict[str, list[ShotCard]] = {}
    for shot in data.shots:
        by_video.setdefault(shot.video, []).append(shot)
    if not by_video:
        return [Table(head=(), rows=(), empty="No shot was found.")]
    blocks: list[Block] = [
        ImageGrid(
            title=video,
            remark=f"{len(shots)} {_noun('shots', len(shots))}",
            thumbs=tuple(
                Thumb(
                    image=data_uri(shot.image, long_side=data.shot_px),
                    title=f"{_clock(shot.start_s)} – {_clock(shot.stop_s)}",
                    remark=OPENINGS.get(shot.opens_with, ""),
                    tag=shot.dropped,
                    tone="bad" if shot.dropped else "plain",
                )
                for shot in shots
            ),
        )
        for video, shots in by_video.items()
    ]
    more = (data.num_shots or 0) - len(data.shots)
    if more > 0:
        blocks.append(Note(f"and {more:,} more {_noun('shots', more)}, not shown."))
    return blocks


def _scores(data: CurationData) -> list[Block]:
    plots = []
    for one in data.distributions:
        remark = f"{len(one.values):,} measured" + (f", {one.unmeasured:,} not" if one.unmeasured else "")
        lines = [Line(comparison, value) for comparison, value in one.gates]
        plots.append(
            Plot(
                svg=histogram(one.values, lines, label=f"{one.record}: {score_title(one.name)}"),
                title=_headed(score_title(one.name)),
                remark=f"{remark}{f' · {one.source}' if one.source else ''}",
            )
        )
    return [Figure(tuple(plots))] if plots else [Table(head=(), rows=(), empty="No score was measured.")]


def _stages(stages: Sequence[StageRow]) -> Table:
    head = ("Stage", "Over", "Done", "With warnings", "Not applicable", "Failed", "Pending", "Work time")
    rows = [
        (
            stage_title(row.stage),
            row.over,
            *(f"{number:,}" if number else "–" for number in (row.ok, row.warned, row.filtered, row.failed, row.pending)),
            _duration(row.seconds),
        )
        for row in stages
    ]
    return Table(head=head, rows=tuple(rows), numeric=frozenset(range(2, 8)), empty="No stage has run.")


def _copies(copies: Sequence[CopyRow]) -> Table:
    def span(bounds: tuple[float, float]) -> str:
        return f"{bounds[0]:.1f} to {bounds[1]:.1f} s"

    rows = [(row.first, span(row.first_s), row.second, span(row.second_s), f"{row.share:.0%}") for row in copies]
    head = ("Clip of", "At", "Clip of", "At", "Frames that match")
    return Table(head=head, rows=tuple(rows), numeric=frozenset({4}), empty="No clip shows what another shows.")


def _failures(status: Status) -> Table:
    rows = [(row.name, stage_title(row.stage), row.state, failure_title(row.kind), row.message) for row in status.failures]
    return Table(head=("Input", "Stage", "State", "Kind", "Why"), rows=tuple(rows), empty="Nothing failed.")


def _remarks(status: Status) -> Table:
    said = {"filtered": "not applicable", "warned": "done, with a remark"}
    rows = [
        (_headed(stage_title(row.stage)), f"{row.num_items:,} {_noun(f'{_spaced(row.over)}s', row.num_items)}", said[row.state], row.reason)
        for row in status.remarks
    ]  # fmt: skip
    return Table(head=("Stage", "Items", "State", "Why"), rows=tuple(rows), empty="No stage passed anything over.")


def _noun(plural: str, number: int) -> str:
    return plural[:-1] if number == 1 and plural.endswith("s") else plural


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _headed(words: str) -> str:
    return words[:1].upper() + words[1:]


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0.0, seconds), 60)
    return f"{int(minutes)}:{rest:04.1f}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
