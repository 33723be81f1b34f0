"""Comparing systems by eye: sheets of chosen cases, and how metrics spread, with videos from low to high."""

import io
import re
from collections.abc import Sequence
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
from backend.report.comparison import Example, MetricSpread, ShownCase, ShownVideo, sheet_png, sheet_svg
from backend.settings import nearest
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.store.whole_file import write_whole
from backend.workspace.evaluating import LATEST_GENERATIONS

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
MAX_BOXES = 8  # on one frame
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
) -> ComparisonFiles:
    """Writes a PNG and an SVG a case and one page. Raises SettingsError for unknown systems, cases or metrics."""
    systems = _known("system", systems, [one.system for one in board.answered])
    columns = {column.metric: column for column in board.columns}
    metrics = _known("metric", metrics, list(columns))
    rows = [row for row in rows if row.system in systems and row.metric in metrics]
    by_name = {case.name: case for case in cases}
    answered = {row.case_id for row in rows}
    names = _known("case", names, [name for name in by_name if name in answered])[:MAX_CASES]
    places = _places(catalog)
    shown = [_shown(artifacts, by_name[name], rows, systems, places, frames) for name in names]
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
                title=column.title,
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


def read_frames(path: str, count: int, width: int) -> dict:
    """`count` frames from the first to the last as WebP `width` wide, their indices, and the video's width."""
    with VideoReader(path) as reader:
        indices = [int(i) for i in np.linspace(0, reader.num_frames - 1, min(count, reader.num_frames))]
        if count == 1:
            indices = [reader.num_frames // 2]
        size = (width, max(2, round(reader.height * width / reader.width)))
        frames = [encode_webp(frame) for frame in reader.at(indices, size=size)]
        return {"frames": frames, "indices": indices, "width": reader.width}


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
    frames: int,
) -> ShownCase:
    videos = []
    for system in systems:
        own = [row for row in rows if row.case_id == case.name and row.system == system]
        seed = min((row.seed for row in own), default=0)
        videos.append(_video(artifacts, system, [row for row in own if row.seed == seed], places, frames))
    labels = case.labels or ("",) * len(case.references)
    references = tuple((label, _picture(path)) for label, path in zip(labels, case.references, strict=True))
    return ShownCase(name=case.name, prompt=case.prompt, references=references, videos=tuple(videos))


def _video(
    artifacts: Artifacts, system: str, rows: Sequence[EvaluationRow], places: dict[str, str], frames: int
) -> ShownVideo:
    scores = tuple((row.metric, "–" if row.value is None else f"{row.value:.4f}") for row in rows)
    path = places.get(rows[0].generation_id, "") if rows else ""
    if not path:
        return ShownVideo(system=system, scores=scores, remark="imported scores, no video" if rows else "no video")
    try:
        found = run_guarded(read_frames, (path, frames, READ_WIDTH), subject=Path(path).name, wall_s=WALL_S)
    except StudioError as error:
        return ShownVideo(system=system, scores=scores, remark=str(error))
    pictures = tuple(decode_image(data) for data in found["frames"])
    boxes = _boxes(artifacts, rows, found["indices"], READ_WIDTH / found["width"])
    return ShownVideo(system=system, frames=pictures, boxes=boxes, scores=scores)


def _boxes(
    artifacts: Artifacts, rows: Sequence[EvaluationRow], indices: Sequence[int], factor: float
) -> tuple[tuple[tuple[float, float, float, float], ...], ...]:
    """Boxes that metrics found on the shown frames, in their pixels: of the first metric that has any."""
    for row in rows:
        if not row.evidence:
            continue
        with np.load(io.BytesIO(artifacts.get(row.evidence)), allow_pickle=False) as arrays:
            frames = next((arrays[name] for name in ("subject_frame", "frame") if name in arrays.files), None)
            found = arrays["box"] if "box" in arrays.files else None
        if frames is None or found is None or found.ndim != 2 or found.shape != (len(frames), 4):
            continue
        scaled = np.where(np.isfinite(found), found, 0.0) * factor
        return tuple(
            tuple((float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in scaled[frames == index][:MAX_BOXES])
            for index in indices
        )
    return ()


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
