"""A set of cases as a page: the statistics of OpenS2V-Nexus's Fig. 3, with plots, and a few cases to look at."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from backend.domain.case_sets import CaseStats
from backend.report.page import Bar, Bars, Figure, ImageGrid, Plot, Report, Section, Table, Thumb, Tile, Tiles
from backend.report.pictures import Picture, data_uri
from backend.report.plots import histogram

CLOUD_WIDTH = 640
CLOUD_PX = (11.0, 44.0)
LETTERS = {"narrow": 0.32, "wide": 0.9, "other": 0.6}  # widths by size, DejaVu Sans rounded up
GAP = 0.45  # between words, by size
SHOWN_LABELS = 30
THUMB_PX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownReferences:
    """A case to look at; a picture that is missing is None."""

    name: str
    prompt: str
    approved: bool
    references: tuple[tuple[str, Picture | None], ...]


def case_set_report(stats: CaseStats, cases: Sequence[ShownReferences] = (), notes: Sequence[str] = ()) -> Report:
    """The page of a cases file."""
    synthetic = stats.sources.get("synthetic", 0)
    tiles = (
        Tile(str(stats.cases), "cases", f"{len(stats.categories)} categories"),
        Tile(str(sum(stats.labels.values())), "references", f"{len(stats.labels)} labels"),
        Tile(f"{stats.prompt_words['median']:g}", "words in the middle prompt", _range(stats.prompt_words)),
        Tile(str(synthetic), "synthetic", f"{stats.sources.get('real', 0)} real, {stats.sources.get('unsaid', 0)} unsaid"),
        Tile(str(stats.approved), "approved by a person", tone="good" if stats.approved == stats.cases else "plain"),
    )
    sections = [
        Section(anchor="overview", title="Overview", blocks=[Tiles(tiles), *_notes(notes)]),
        Section(anchor="balance", title="Balance", blocks=[*_bars(stats)]),
        Section(anchor="prompts", title="Prompts", blocks=_prompts(stats)),
    ]
    if cases:
        sections.append(Section(anchor="cases", title="Cases", blocks=[_grid(case) for case in cases]))
    return Report(
        title=f"Cases: {stats.benchmark}",
        kicker="Subject Studio",
        facts=(("cases", str(stats.cases)), ("approved", f"{stats.approved} of {stats.cases}")),
        sections=sections,
        footer="Counted as in OpenS2V-Nexus, Fig. 3. Pictures stay under the licences of their sources.",
    )


def word_cloud(counts: Mapping[str, int], *, label: str) -> Markup:
    """Words as large as they are frequent (area by count), in rows, the most frequent first. Deterministic SVG."""
    most = max(counts.values(), default=1)
    low, high = CLOUD_PX
    rows: list[list[tuple[str, float]]] = [[]]
    used = 0.0
    for word, count in counts.items():
        size = low + (high - low) * math.sqrt(count / most)
        width = _width(word, size)
        if used + width > CLOUD_WIDTH and rows[-1]:
            rows.append([])
            used = 0.0
        rows[-1].append((word, size))
        used += width
    parts, y = [], 0.0
    for row in rows:
        y += max((size for _, size in row), default=0.0) * 1.15
        x = (CLOUD_WIDTH - sum(_width(word, size) for word, size in row)) / 2
        for word, size in row:
            colour = "var(--accent)" if counts[word] * 4 >= most else "var(--ink)"
            title = escape(f"{word}: {counts[word]}")
            middle = x + _width(word, size) / 2
            place = f'x="{middle:.1f}" y="{y:.1f}" font-size="{size:.1f}" text-anchor="middle" fill="{colour}"'
            parts.append(f"<text {place}><title>{title}</title>{escape(word)}</text>")
            x += _width(word, size)
    head = f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {CLOUD_WIDTH} {y + 12:.0f}" width="{CLOUD_WIDTH}"'
    return Markup(f'{head} xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>')


def _width(word: str, size: float) -> float:
    """About how wide a word is drawn, with the gap behind it."""
    kinds = (
        "narrow" if letter in "fijlrt'’-" else "wide" if letter in "mw" or ord(letter) > 0x2E7F else "other"
        for letter in word
    )
    return size * (sum(LETTERS[kind] for kind in kinds) + GAP)


def _bars(stats: CaseStats) -> list[Bars]:
    shown = dict(list(stats.labels.items())[:SHOWN_LABELS])
    more = f"the first {SHOWN_LABELS} of {len(stats.labels)}" if len(stats.labels) > len(shown) else ""
    groups = (
        ("Categories", "cases", stats.categories),
        ("References of a case", "cases", stats.references),
        ("Domains", "references", stats.domains),
        ("What references show of their subject", "references", stats.kinds),
        ("Real or synthetic", "cases", stats.sources),
        ("Who wrote the prompt", "cases", stats.captions),
        ("Languages", "cases", stats.languages),
        ("Labels", more or "references", shown),
    )
    return [_counted(title, legend, counts) for title, legend, counts in groups if counts]


def _counted(title: str, legend: str, counts: Mapping[str, int]) -> Bars:
    most = max(counts.values())
    bars = (Bar(label=name, share=count / most, value=str(count)) for name, count in counts.items())
    return Bars(bars=tuple(bars), title=title, legend=legend)


def _prompts(stats: CaseStats) -> list[Figure]:
    words = histogram(np.array(stats.words, float), label="words of a prompt")
    plots = [
        Plot(svg=words, title="Words of prompts", remark=_range(stats.prompt_words)),
        Plot(svg=word_cloud(stats.cloud, label="Word cloud"), title="Words", remark="larger: said more often"),
    ]
    return [Figure((plot,)) for plot in plots]


def _notes(notes: Sequence[str]) -> list[Table]:
    rows = tuple((note,) for note in notes)
    return [Table(head=("what a person should look at",), rows=rows)] if rows else []


def _grid(case: ShownReferences) -> ImageGrid:
    thumbs = tuple(
        Thumb(image=None if picture is None else data_uri(picture, long_side=THUMB_PX), title=label)
        for label, picture in case.references
    )
    state = "approved: " if case.approved else "not approved: "
    return ImageGrid(thumbs=thumbs, title=case.name, remark=state + case.prompt, size="small")


def _range(values: Mapping[str, float]) -> str:
    return f"{values['least']:g} to {values['most']:g}, mean {values['mean']:.1f}"
