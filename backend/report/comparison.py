"""Systems side by side: the references and the prompt of a case, a row of frames a system, with boxes and scores.

A sheet is laid out once and drawn as PNG or SVG; the page shows sheets, and how each metric spreads over the systems.
"""

import base64
import io
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from markupsafe import Markup, escape
from PIL import Image, ImageDraw, ImageFont

from backend.report.board_plots import spread
from backend.report.page import Block, Figure, ImageGrid, Note, Plot, Report, Section, Table, Thumb
from backend.report.pictures import MASK_TINT, data_uri, moving_uri

FRAME_WIDTH = 224
REFERENCE_HEIGHT = 120
LABEL_WIDTH = 132
MARGIN = 16
GAP = 6
TEXT_PX = 13
LINE_PX = 18
CHARACTER_PX = 7.1  # mean width of DejaVu Sans at TEXT_PX
MAX_PROMPT_LINES = 5
MAX_SCORE_LINES = 8
BOX_PX = 2  # of a line
BOX_COLOURS = {"green": MASK_TINT, "orange": (242, 142, 43), "violet": (176, 72, 190), "yellow": (230, 200, 20)}
INK, MUTED, PAPER = (28, 27, 24), (110, 106, 98), (255, 255, 255)
PAGE_THUMB = 280


@dataclass(frozen=True, slots=True)
class ShownBox:
    """A box in a shown frame's pixels, the place of its metric in `boxes_of`, and whether the score counts it."""

    box: tuple[float, float, float, float]
    of: int = 0
    counted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownVideo:
    """One system's answer: frames uint8 `(H, W, 3)` with what each is called, a list of boxes for each, scores as text.

    `boxes_of` names the metrics whose boxes they are, at most BOX_COLOURS. `remark` says what is not shown, and why.
    """

    system: str
    frames: tuple[np.ndarray, ...] = ()
    places: tuple[str, ...] = ()
    boxes: tuple[tuple[ShownBox, ...], ...] = ()
    boxes_of: tuple[str, ...] = ()
    scores: tuple[tuple[str, str], ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCase:
    """A case with the answers of the compared systems. A reference without a picture is None."""

    name: str
    prompt: str
    references: tuple[tuple[str, np.ndarray | None], ...]
    videos: tuple[ShownVideo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A video at a place of a metric's distribution; `moving` is an animated WebP of it, None when it cannot be shown."""

    where: str
    system: str
    case: str
    value: float
    moving: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpread:
    """Values `(N,)` of a metric by system, the ends that a preset scales to 0 and 1, examples from low to high.

    `declared` is what the metric can be at all, None where nothing bounds it.
    """

    metric: str
    title: str
    values: dict[str, np.ndarray]
    scale: tuple[float, float] | None
    examples: tuple[Example, ...]
    declared: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True, slots=True)
class _Words:
    x: int
    y: int
    text: str
    muted: bool = False


@dataclass(frozen=True, slots=True)
class _Image:
    x: int
    y: int
    image: Image.Image


@dataclass(frozen=True, slots=True)
class _Sheet:
    width: int
    height: int
    parts: tuple[_Words | _Image, ...]


def sheet_png(case: ShownCase) -> bytes:
    """The case as a PNG picture."""
    sheet = _laid_out(case)
    page = Image.new("RGB", (sheet.width, sheet.height), PAPER)
    draw = ImageDraw.Draw(page)
    for part in sheet.parts:
        if isinstance(part, _Image):
            page.paste(part.image, (part.x, part.y))
        else:
            draw.text((part.x, part.y), part.text, font=_font(), fill=MUTED if part.muted else INK)
    data = io.BytesIO()
    page.save(data, "PNG", optimize=True)
    return data.getvalue()


def sheet_svg(case: ShownCase) -> str:
    """The case as an SVG drawing that needs nothing else; its text stays text."""
    sheet = _laid_out(case)
    parts = [f'<rect width="{sheet.width}" height="{sheet.height}" fill="#fff"/>']
    for part in sheet.parts:
        if isinstance(part, _Image):
            size = f'x="{part.x}" y="{part.y}" width="{part.image.width}" height="{part.image.height}"'
            parts.append(f'<image {size} href="{_jpeg_uri(part.image)}"/>')
        else:
            colour = "#{:02x}{:02x}{:02x}".format(*(MUTED if part.muted else INK))
            parts.append(
                f'<text x="{part.x}" y="{part.y + TEXT_PX}" fill="{colour}">{escape(_printable(part.text))}</text>'
            )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{sheet.width}" height="{sheet.height}" '
        f'viewBox="0 0 {sheet.width} {sheet.height}" font-family="DejaVu Sans, sans-serif" font-size="{TEXT_PX}">'
    )
    return "\n".join([head, *parts, "</svg>\n"])


def comparison_report(cases: Sequence[ShownCase], spreads: Sequence[MetricSpread], *, title: str) -> Report:
    """The page: a section a case, then a section a metric."""
    sections = [_case_section(number, case) for number, case in enumerate(cases)]
    sections += [Section(anchor=f"metric-{o.metric}", title=o.metric, blocks=spread_blocks(o)) for o in spreads]
    systems = list(dict.fromkeys(video.system for case in cases for video in case.videos))
    return Report(
        title=title,
        kicker="Subject Studio",
        facts=(("systems", ", ".join(systems)), ("cases", str(len(cases)))),
        sections=sections,
        footer="Pictures stay under the licences of their sources.",
    )


def _laid_out(case: ShownCase) -> _Sheet:
    num_frames = max((len(video.frames) for video in case.videos), default=0) or 1
    width = 2 * MARGIN + LABEL_WIDTH + num_frames * (FRAME_WIDTH + GAP)
    parts: list[_Words | _Image] = [_Words(MARGIN, MARGIN, case.name)]
    y = MARGIN + LINE_PX + GAP
    for line in _wrapped(case.prompt, width - 2 * MARGIN, MAX_PROMPT_LINES):
        parts.append(_Words(MARGIN, y, line, muted=True))
        y += LINE_PX
    y = _references(parts, case, MARGIN + LABEL_WIDTH, y + GAP) + 2 * GAP
    for video in case.videos:
        for number, line in enumerate(_wrapped(video.system, LABEL_WIDTH - GAP, 4)):
            parts.append(_Words(MARGIN, y + number * LINE_PX, line))
        height = 4 * LINE_PX if not video.frames else 0
        for place, picture in enumerate(_framed(video)):
            x = MARGIN + LABEL_WIDTH + place * (FRAME_WIDTH + GAP)
            parts.append(_Image(x, y, picture))
            if place < len(video.places):
                parts.append(_Words(x, y + picture.height + 2, video.places[place], muted=True))
            height = max(height, picture.height + (LINE_PX if video.places else 0))
        told = ",  ".join(f"{name} {value}" for name, value in video.scores) or "no scores"
        y += height + 2
        for line in _wrapped(_said(video, told), width - 2 * MARGIN - LABEL_WIDTH, MAX_SCORE_LINES):
            parts.append(_Words(MARGIN + LABEL_WIDTH, y, line, muted=True))
            y += LINE_PX
        y += 2 * GAP
    return _Sheet(width, y + MARGIN, tuple(parts))


def _references(parts: list[_Words | _Image], case: ShownCase, x: int, y: int) -> int:
    """Adds the references and gives the place below them."""
    parts.append(_Words(MARGIN, y, "references"))
    for label, picture in case.references:
        drawn = Image.fromarray(picture[..., :3] if picture is not None else _nothing())
        scaled = drawn.resize((max(1, round(drawn.width * REFERENCE_HEIGHT / drawn.height)), REFERENCE_HEIGHT))
        parts.append(_Image(x, y, scaled))
        told = label if picture is not None else f"{label} (missing)"
        parts.append(_Words(x, y + REFERENCE_HEIGHT + 2, _wrapped(told, max(scaled.width, 60), 1)[0], muted=True))
        x += max(scaled.width, 60) + GAP
    return y + REFERENCE_HEIGHT + LINE_PX


def _said(video: ShownVideo, scores: str) -> str:
    """What stands below a video's frames: what is not shown, its scores, whose boxes are drawn."""
    drawn = ", ".join(f"{name} {colour}" for name, colour in zip(video.boxes_of, BOX_COLOURS, strict=False))
    thin = " (thin: not counted)" if any(not one.counted for on_frame in video.boxes for one in on_frame) else ""
    boxes = f"boxes: {drawn}{thin}" if drawn else ""
    return "; ".join(part for part in (video.remark, scores, boxes) if part)


def _framed(video: ShownVideo) -> list[Image.Image]:
    """Frames at FRAME_WIDTH with their boxes drawn; of equal ones of several metrics, the later inside the earlier."""
    found = []
    for number, frame in enumerate(video.frames):
        factor = FRAME_WIDTH / frame.shape[1]
        picture = Image.fromarray(frame).resize((FRAME_WIDTH, max(1, round(frame.shape[0] * factor))))
        draw = ImageDraw.Draw(picture)
        taken: Counter[tuple[int, ...]] = Counter()
        for one in video.boxes[number] if number < len(video.boxes) else ():
            colour = list(BOX_COLOURS.values())[one.of]
            place = tuple(round(side * factor) for side in one.box)
            inset = min(BOX_PX * taken[place], max(0, min(place[2] - place[0], place[3] - place[1]) // 2))
            taken[place] += 1
            sides = [place[0] + inset, place[1] + inset, place[2] - inset, place[3] - inset]
            draw.rectangle(sides, outline=colour, width=BOX_PX if one.counted else 1)
        found.append(picture)
    return found


def _case_section(number: int, case: ShownCase) -> Section:
    references = ImageGrid(
        thumbs=tuple(
            Thumb(image=None if picture is None else data_uri(picture, long_side=PAGE_THUMB), title=label)
            for label, picture in case.references
        ),
        title="References",
        size="small",
    )
    blocks: list = [references]
    for video in case.videos:
        told = ", ".join(f"{name} {value}" for name, value in video.scores)
        thumbs = tuple(
            Thumb(image=data_uri(np.asarray(frame), long_side=PAGE_THUMB), title=place)
            for place, frame in zip(video.places, _framed(video), strict=True)
        )
        blocks.append(ImageGrid(thumbs=thumbs, title=video.system, remark=_said(video, told)))
    names = list(dict.fromkeys(name for video in case.videos for name, _ in video.scores))
    rows = tuple((video.system, *(dict(video.scores).get(name, "–") for name in names)) for video in case.videos)
    blocks.append(Table(head=("system", *names), rows=rows, numeric=frozenset(range(1, len(names) + 1))))
    return Section(anchor=f"case-{number}", title=case.name, lead=case.prompt, blocks=blocks)


def spread_blocks(one: MetricSpread) -> list[Block]:
    """How a metric spreads over the systems' videos, and videos at its low, middle and high values."""
    ends = [f"{end:g}" if end is not None else sign for end, sign in zip(one.declared, ("−∞", "∞"), strict=True)]
    known = f"can be {ends[0]} to {ends[1]}; " if one.declared != (None, None) else ""
    remark = known + ("dashed: what the preset scales to 0 and 1" if one.scale else "no preset scales it")
    plot = Plot(svg=spread(one.values, one.scale, label=one.metric), title=one.title, remark=remark)
    thumbs = tuple(
        Thumb(
            image=None if example.moving is None else moving_uri(example.moving),
            title=f"{example.where}: {example.value:.4f}",
            remark=f"{example.system}, {example.case}",
        )
        for example in one.examples
    )
    examples = ImageGrid(thumbs=thumbs, title="Examples", remark="videos in a few frames", size="small")
    return [Figure((plot,)), examples if thumbs else Note("No examples.")]


def _wrapped(text: str, width_px: int, most: int) -> list[str]:
    """At most `most` lines of about `width_px`, the last one cut by an ellipsis; never none."""
    lines = textwrap.wrap(_printable(text), max(6, int(width_px / CHARACTER_PX))) or [""]
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1][:-1] + "…"]


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text).encode("utf-8", "replace").decode("utf-8")


def _nothing() -> np.ndarray:
    return np.full((REFERENCE_HEIGHT, REFERENCE_HEIGHT, 3), 232, np.uint8)


def _jpeg_uri(image: Image.Image) -> Markup:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=85)
    return Markup(f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode('ascii')}")


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont:
    import matplotlib  # not above: a third of a second of every command's start

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", TEXT_PX)
