"""Comparing systems by eye: sheets of chosen cases, and how metrics spread, with videos from low to high."""

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from backend.api import ComparisonFiles, EvaluationRow
from backend.domain import Case, Generation, SettingsError, StudioError
from backend.domain.ranking import Column, Leaderboard
from backend.media.guard import run_guarded
from backend.media.images import decode_image, encode_webp, read_image
from backend.media.reader import VideoReader
from backend.report import comparison_report, render
from backend.report.comparison import (
    BOX_COLOURS,
    Example,
    MetricSpread,
    ShownBox,
    ShownCase,
    ShownVideo,
    sheet_png,
    sheet_svg,
)
from backend.settings import nearest
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.store.whole_file import write_whole
from backend.workspace.evaluating import LATEST_GENERATIONS
from backend.workspace.score_evidence import FoundBoxes, arrays_of, boxes_of, rests_on

PAGE = "compare.html"
NUM_EXAMPLES = 3
PLACES = ("low", "middle", "high")
READ_WIDTH = 448  # of a frame: twice what a sheet shows
REFERENCE_PX = 512
WALL_S = 60.0
MOVING_FRAMES = 12  # of an example on a page
MOVING_WIDTH = 200
MOVING_S = 3.0
MAX_CASES = 24
MAX_BOXES = 8  # of a metric on one frame
PLACE = re.compile(r"(?P<frame>\d{1,7})|(?P<second>\d{1,5}(\.\d{1,3})?) ?s")
UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def compare(
    catalog: Catalog,
    artifacts: Artifacts,
    board: Leaderboard,
    cases: Sequence[Case],
    rows: Sequence[EvaluationRow],
    *,
    systems: tuple[str, ...],
    names: tuple[str, ...],
    metrics: tuple[str, ...],
    out: Path,
    frames: int,
    at: tuple[str, ...] = (),
) -> ComparisonFiles:
    """Writes a PNG and an SVG a case and one page: `frames` of each video, or those named by `at` (`12`, `1.5s`).

    Raises SettingsError for unknown systems, cases or metrics, and for what names no frame.
    """
    for text in at:
        frame_at(text, fps=1.0)
    systems = _known("system", systems, [one.system for one in board.answered])
    columns = {column.metric: column for column in board.columns}
    metrics = _known("metric", metrics, list(columns))
    rows = [row for row in rows if row.system in systems and row.metric in metrics]
    by_name = {case.name: case for case in cases}
    answered = {row.case_id for row in rows}
    names = _known("case", names, [name for name in by_name if name in answered])[:MAX_CASES]
    places = _places(catalog)
    classical = frozenset(name for name, column in columns.items() if column.embedded)
    shown = [_shown(artifacts, by_name[name], rows, systems, places, classical, frames, at) for name in names]
    files = []
    for case in shown:
        stem = UNSAFE.sub("_", case.name)
        write_whole(out / f"{stem}.png", sheet_png(case))
        write_whole(out / f"{stem}.svg", sheet_svg(case))
        files += [f"{stem}.png", f"{stem}.svg"]
    found = spreads(catalog, [columns[name] for name in metrics], rows, systems)
    page = render(comparison_report(shown, found, title=f"Comparison: {board.benchmark}"))
    write_whole(out / PAGE, page)
    return ComparisonFiles(out=str(out), cases=names, systems=systems, files=(PAGE, *files))


def spreads(
    catalog: Catalog, columns: Sequence[Column], rows: Sequence[EvaluationRow], systems: Sequence[str]
) -> list[MetricSpread]:
    """How each metric spreads over the systems' videos, with moving examples; a video is read once for all metrics."""
    places, seen, found = _places(catalog), {}, []
    for column in columns:
        own = [row for row in rows if row.metric == column.metric and row.value is not None and row.system in systems]
        if not own:
            continue
        found.append(
            MetricSpread(
                metric=column.metric,
                title=column.label,
                values={name: np.array([r.value for r in own if r.system == name], float) for name in systems},
                scale=(column.low, column.high) if column.low is not None and column.high is not None else None,
                examples=_examples(own, places, seen),
                declared=(column.range_low, column.range_high),
            )
        )
    return found


def read_moving(path: str, count: int, width: int) -> bytes:
    """`count` frames from the first to the last as an animated WebP `width` wide, as long as the video, MOVING_S at most."""
    with VideoReader(path) as reader:
        indices = np.linspace(0, reader.num_frames - 1, min(count, reader.num_frames)).astype(int).tolist()
        size = (width, max(2, round(reader.height * width / reader.width)))
        first, *more = [Image.fromarray(frame) for frame in reader.at(indices, size=size)]
        seconds = min(MOVING_S, reader.num_frames / reader.index.fps)
    data = io.BytesIO()
    first.save(
        data,
        "WEBP",
        save_all=True,
        append_images=more,
        duration=max(40, round(1000 * seconds / (1 + len(more)))),
        loop=0,
        quality=55,
    )
    return data.getvalue()


def read_frames(path: str, count: int, width: int, at: Sequence[str] = (), measured: Sequence[int] = ()) -> dict:
    """Frames as WebP `width` wide, their indices and times, the video's width, and what `at` names that it has not.

    Without any named, `count` of them from the first to the last, each moved to the nearest of those `measured` that is
    nearer to it than to the next: there the boxes are.
    """
    with VideoReader(path) as reader:
        last, fps = reader.num_frames - 1, reader.index.fps
        asked = {text: frame_at(text, fps=fps) for text in at}
        lost = [text for text, index in asked.items() if index > last]
        if at:
            indices = list(dict.fromkeys(index for index in asked.values() if index <= last))
        else:
            even = [(last + 1) // 2] if count == 1 else np.linspace(0, last, min(count, last + 1)).astype(int).tolist()
            indices = _nearest(even, measured, last / max(1, 2 * (count - 1)))
        size = (width, max(2, round(reader.height * width / reader.width)))
        frames = [encode_webp(frame) for frame in reader.at(indices, size=size)] if indices else []
        times = [index / fps for index in indices]
        return {"frames": frames, "indices": indices, "times": times, "width": reader.width, "num": last + 1, "lost": lost}


def frame_at(text: str, *, fps: float) -> int:
    """The frame that `12` or `1.5s` names. Raises SettingsError for what names none."""
    found = PLACE.fullmatch(text.strip())
    if found is None:
        raise SettingsError(f"--at {text[:40]!r} names no frame; give numbers from 0 as 0,12,40, or times as 1.5s")
    return int(found["frame"]) if found["frame"] else round(float(found["second"]) * fps)


def _nearest(even: Sequence[int], measured: Sequence[int], reach: float) -> list[int]:
    """Each index, or the nearest measured one within `reach`."""
    known = np.array(sorted(measured), int)
    found = []
    for index in even:
        best = int(known[np.abs(known - index).argmin()]) if len(known) else index
        found.append(best if abs(best - index) < reach else index)
    return list(dict.fromkeys(found))


def _known(what: str, asked: tuple[str, ...], there: Sequence[str]) -> tuple[str, ...]:
    """The asked names, all of them without any."""
    for name in asked:
        if name not in there:
            raise SettingsError(f"{what} {name!r} was not measured here{nearest(name, there)}")
    return tuple(dict.fromkeys(asked)) or tuple(there)


def _places(catalog: Catalog) -> dict[str, str]:
    """Paths of generations by id; empty for those whose scores were imported."""
    found: list[Generation] = catalog.records(Generation, LATEST_GENERATIONS)
    return {one.id: one.path for one in found}


def _shown(
    artifacts: Artifacts,
    case: Case,
    rows: Sequence[EvaluationRow],
    systems: Sequence[str],
    places: dict[str, str],
    classical: frozenset[str],
    frames: int,
    at: tuple[str, ...],
) -> ShownCase:
    videos = []
    for system in systems:
        own = [row for row in rows if row.case_id == case.name and row.system == system]
        seed = min((row.seed for row in own), default=0)
        videos.append(_video(artifacts, system, [row for row in own if row.seed == seed], places, classical, frames, at))
    labels = case.labels or ("",) * len(case.references)
    references = tuple((label, _picture(path)) for label, path in zip(labels, case.references, strict=True))
    return ShownCase(name=case.name, prompt=case.prompt, references=references, videos=tuple(videos))


def _video(
    artifacts: Artifacts,
    system: str,
    rows: Sequence[EvaluationRow],
    places: dict[str, str],
    classical: frozenset[str],
    frames: int,
    at: tuple[str, ...],
) -> ShownVideo:
    evidence = {row.metric: arrays_of(artifacts, row) for row in rows}
    scores = tuple((row.metric, _score(row, evidence[row.metric], row.metric in classical)) for row in rows)
    path = places.get(rows[0].generation_id, "") if rows else ""
    if not path:
        return ShownVideo(system=system, scores=scores, remark="imported scores, no video" if rows else "no video")
    boxes = {name: found for name, arrays in evidence.items() if (found := boxes_of(arrays)) is not None}
    boxes = dict(list(boxes.items())[: len(BOX_COLOURS)])
    measured = tuple(sorted({int(frame) for found in boxes.values() for frame in found.looked_at}))
    try:
        about = (path, frames, READ_WIDTH, at, measured)
        found = run_guarded(read_frames, about, subject=Path(path).name, wall_s=WALL_S)
    except StudioError as error:
        return ShownVideo(system=system, scores=scores, remark=str(error))
    lost = f"{', '.join(found['lost'])} lies past its end ({found['num']} frames)" if found["lost"] else ""
    factor = READ_WIDTH / found["width"]
    return ShownVideo(
        system=system,
        frames=tuple(decode_image(data) for data in found["frames"]),
        places=tuple(f"frame {n}, {at:.2f} s" for n, at in zip(found["indices"], found["times"], strict=True)),
        boxes=tuple(_drawn(boxes, index, factor) for index in found["indices"]),
        boxes_of=tuple(boxes),
        scores=scores,
        remark=lost,
    )


def _score(row: EvaluationRow, arrays: Mapping[str, np.ndarray], classical: bool) -> str:
    """A value with what it rests on, and whether that is classical, or the state that stands in its place."""
    if row.value is None:
        return f"– ({row.state.replace('_', ' ')})"
    on = rests_on(row, arrays)
    notes = [note for note in (on, "embedded" if classical else "") if note]
    return f"{row.value:.4f}" + (f" ({', '.join(notes)})" if notes else "")


def _drawn(boxes: Mapping[str, FoundBoxes], index: int, factor: float) -> tuple[ShownBox, ...]:
    """Boxes of the metrics on one frame, in the pixels that it is shown with."""
    found = []
    for place, one in enumerate(boxes.values()):
        for box, counted in one.on(index)[:MAX_BOXES]:
            x0, y0, x1, y1 = (float(side) * factor for side in box)
            found.append(ShownBox((x0, y0, x1, y1), place, counted))
    return tuple(found)


def _examples(rows: Sequence[EvaluationRow], places: dict[str, str], seen: dict[str, bytes | None]) -> tuple[Example, ...]:
    """Videos at the lowest, the middle and the highest value."""
    ordered = sorted(rows, key=lambda row: (row.value, row.system, row.case_id))
    chosen = [ordered[round(place)] for place in np.linspace(0, len(ordered) - 1, NUM_EXAMPLES)]
    for row in chosen:
        if row.generation_id not in seen:
            seen[row.generation_id] = _moving(places.get(row.generation_id, ""))
    return tuple(
        Example(
            where=where,
            system=row.system,
            case=row.case_id,
            value=float(row.value or 0.0),
            moving=seen[row.generation_id],
        )
        for where, row in zip(PLACES, chosen, strict=True)
    )


def _moving(path: str) -> bytes | None:
    try:
        return run_guarded(read_moving, (path, MOVING_FRAMES, MOVING_WIDTH), wall_s=WALL_S) if path else None
    except StudioError:
        return None


def _picture(path: str) -> np.ndarray | None:
    try:
        return run_guarded(read_reference, (path,), wall_s=WALL_S)
    except StudioError:
        return None


def read_reference(path: str) -> np.ndarray:
    """A reference, uint8 `(H, W, 3)`, less than twice REFERENCE_PX high: what is clear in it becomes white."""
    pixels = read_image(path)
    step = max(1, pixels.shape[0] // REFERENCE_PX)
    return np.ascontiguousarray(pixels[::step, ::step])
