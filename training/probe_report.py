"""What an attention probe saw, as files: every number, means, and plots."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from backend.domain.cells import write_cells
from training.probe import ALL_GIVEN, OWN, Looked

TABLE, MEANS = "attention.parquet", "attention.csv"
COLOURS = ("#0f7a6e", "#b3402f", "#3d5a9b", "#c08a1e", "#7a4f9b", "#4f8f3a", "#9b4f6e", "#5f6b73")
SUFFIXES = (".svg", ".png")


def write_probe(folder: Path, seen: Sequence[Looked]) -> tuple[str, ...]:
    """Writes the files, and gives their names.

    `attention.parquet` has a row for each chunk, step, branch, layer, generated latent frame and segment; `attention.csv` means over steps
    and frames; plots show the branch that has all conditions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(_table(seen), folder / TABLE, compression="zstd")
    _write_means(folder / MEANS, seen)
    given = [one for one in seen if one.branch == ALL_GIVEN]
    names = [TABLE, MEANS]
    for name, figure in _figures(given).items():
        for suffix in SUFFIXES:
            figure.savefig(folder / f"{name}{suffix}", dpi=120, metadata={"Date": None} if suffix == ".svg" else None)
            names.append(f"{name}{suffix}")
    return tuple(names)


def mean_mass(seen: Iterable[Looked], by: Callable[[Looked, int], Hashable]) -> dict[tuple[Hashable, str], float]:
    """Mean mass of each segment over all latent frames for which `by`, given a layer and a row of its mass, is the same."""
    sums: dict[tuple[Hashable, str], float] = defaultdict(float)
    counts: dict[tuple[Hashable, str], int] = defaultdict(int)
    for one in seen:
        for row, masses in enumerate(one.mass):
            for name, mass in zip(one.segments, masses, strict=True):
                sums[by(one, row), name] += float(mass)
                counts[by(one, row), name] += 1
    return {key: total / counts[key] for key, total in sums.items()}


def _table(seen: Sequence[Looked]) -> pa.Table:
    columns: dict[str, list] = defaultdict(list)
    for one in seen:
        frames, segments = one.mass.shape
        num = frames * segments
        for name in ("chunk", "step", "timestep", "branch", "layer"):
            columns[name] += [getattr(one, name)] * num
        columns["frame"] += np.repeat(np.arange(frames) + one.first_frame, segments).tolist()
        columns["segment"] += list(one.segments) * frames
        columns["tokens"] += list(one.tokens) * frames
        columns["mass"] += one.mass.reshape(-1).tolist()
    kinds = {
        "chunk": pa.int32(),
        "step": pa.int32(),
        "timestep": pa.float32(),
        "branch": pa.string(),
        "layer": pa.int32(),
        "frame": pa.int32(),
        "segment": pa.string(),
        "tokens": pa.int32(),
        "mass": pa.float32(),
    }
    return pa.table({name: pa.array(columns[name], kind) for name, kind in kinds.items()})


def _write_means(path: Path, seen: Sequence[Looked]) -> None:
    tokens = {(one.branch, one.chunk, name): count for one in seen for name, count in zip(one.segments, one.tokens)}
    means = mean_mass(seen, lambda one, row: (one.branch, one.chunk, one.layer))
    totals = {(one.branch, one.chunk): sum(one.tokens) for one in seen}
    with path.open("w", encoding="utf-8", newline="") as file:
        rows: list[tuple] = [("branch", "chunk", "layer", "segment", "tokens", "share_of_tokens", "mass")]
        for ((branch, chunk, layer), name), mass in sorted(means.items()):  # pyright: ignore[reportGeneralTypeIssues]
            count = tokens[branch, chunk, name]
            rows.append((branch, chunk, layer, name, count, f"{count / totals[branch, chunk]:.6g}", f"{mass:.6g}"))
        write_cells(file, rows)


def _figures(seen: Sequence[Looked]) -> dict[str, Figure]:
    """By file name. The mass of the generated tokens themselves is what is left to 1, and left out of the lines."""
    figures = {
        "by_step": _lines(mean_mass(seen, lambda one, row: one.step), "step"),
        "by_frame": _lines(mean_mass(seen, lambda one, row: one.first_frame + row), "latent frame of the video"),
        "by_layer": _heat(mean_mass(seen, lambda one, row: one.layer)),
    }
    if len({one.chunk for one in seen}) > 1:
        figures["by_chunk"] = _lines(mean_mass(seen, lambda one, row: one.chunk), "chunk", marker="o")
    return figures


def _lines(means: Mapping[tuple, float], label: str, *, marker: str = ".") -> Figure:
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.add_subplot()
    names = [name for name in dict.fromkeys(name for _, name in means) if name != OWN]
    for number, name in enumerate(names):
        points = sorted((place, mass) for (place, other), mass in means.items() if other == name)
        axes.plot(*zip(*points), marker=marker, color=COLOURS[number % len(COLOURS)], label=name, linewidth=1.2)
    if names:
        axes.legend(fontsize=8, frameon=False)
        axes.set_ylim(bottom=0)
    else:
        axes.annotate("no segment but the video's own tokens", (0.5, 0.5), xycoords="axes fraction", ha="center")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(label)
    axes.set_ylabel("share of attention")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _heat(means: Mapping[tuple, float]) -> Figure:
    names = list(dict.fromkeys(name for _, name in means))
    layers = sorted({layer for layer, _ in means})
    values = np.array([[means.get((layer, name), 0.0) for layer in layers] for name in names])
    figure = Figure(figsize=(max(4.0, 1.8 + 0.22 * len(layers)), 1.4 + 0.35 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    shown = axes.imshow(values, aspect="auto", cmap="viridis", vmin=0, vmax=1)
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(
        range(0, len(layers), max(1, len(layers) // 10)), [str(n) for n in layers[:: max(1, len(layers) // 10)]]
    )
    axes.set_xlabel("layer")
    figure.colorbar(shown, ax=axes, label="share of attention")
    return figure
