"""Splitting videos into shots: ours beside PySceneDetect's command line with its default detector (`python -m bench shots`).

Each side is a command of its own for each video, from its start to its list of shots: imports and looking the file over count
for both, since nothing is known of a file that comes in. Hard cuts are judged by the worlds' truth; what either finds inside a
gradual change counts neither way, since PySceneDetect's default has no name for those.
"""

import csv
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from backend.sampleworld import VideoTruth, read_truth
from bench.accuracy_clips import CUT_TOLERANCE, Hits
from bench.cost import cpu_and_peak

REPEATS = 3
PEER = "PySceneDetect"
Side = Callable[[Path, float, Path], list[int]]
"""First frames of the shots after a cut, of a video with so many frames a second; a folder to write to."""


def run(world_dirs: Sequence[Path], *, repeats: int = REPEATS) -> list[dict[str, Any]]:
    """Rows `{name, ours, peer, ratio, spread}` of processor time and memory, and of hard cuts found by each."""
    videos = [(folder / truth.file, truth) for folder in world_dirs for truth in read_truth(folder).videos]
    seconds = sum(truth.num_frames / truth.fps for _, truth in videos)
    spent: list[dict[str, list[dict[str, float]]]] = []
    found: dict[str, list[list[int]]] = {}
    with tempfile.TemporaryDirectory() as name:
        for _ in range(repeats):
            each: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
            found = {side: [] for side in SIDES}
            for path, truth in videos:  # interleaved, so that a busy machine disturbs both alike
                for side, cuts_of in SIDES.items():
                    cuts: list[int] = []
                    each[side].append(cpu_and_peak(lambda: cuts.extend(cuts_of(path, truth.fps, Path(name)))))  # noqa: B023
                    found[side].append(cuts)
            spent.append(each)
    hits = {side: _hits([truth for _, truth in videos], cuts) for side, cuts in found.items()}
    what = f"{len(videos)} videos, {seconds:.0f} s"
    cpu = [{side: sum(one["cpu_ms"] for one in each[side]) / seconds for side in SIDES} for each in spent]
    peak = [{side: max(one["peak_mib"] for one in each[side]) for side in SIDES} for each in spent]
    scored = [{side: hits[side].f1 or 0.0 for side in SIDES}]
    return [
        _row("shots of a second of video, the whole command", cpu, "CPU ms", what),
        _row("shots, peak memory of the command", peak, "MiB", what),
        _row("shots, hard cuts F1", scored, "", f"{hits['ours'].wanted} cuts; inside gradual changes nothing counts"),
    ]


def _ours(video: Path, fps: float, folder: Path) -> list[int]:
    return json.loads(_output([sys.executable, "-m", "bench.shots_ours", str(video), str(fps)]))


def _peer(video: Path, fps: float, folder: Path) -> list[int]:
    table = folder / "shots.csv"
    _output(
        [
            sys.executable,
            "-m",
            "scenedetect",
            "-i",
            str(video),
            "list-scenes",
            "-q",
            "-s",
            "-o",
            str(folder),
            "-f",
            table.name,
        ]
    )
    with table.open(newline="") as file:
        return [int(row["Start Frame"]) - 1 for row in csv.DictReader(file)][
            1:
        ]  # from 1; the first shot begins with no cut


SIDES: dict[str, Side] = {"ours": _ours, PEER: _peer}


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _hits(videos: Sequence[VideoTruth], found: Sequence[Sequence[int]]) -> Hits:
    hits = Hits()
    for truth, cuts in zip(videos, found, strict=True):
        slow = [(t.start_frame, t.new_shot_frame) for t in truth.transitions if t.kind != "cut"]
        hard = [t.start_frame for t in truth.transitions if t.kind == "cut"]
        hits.cuts(hard, [cut for cut in cuts if not any(a - CUT_TOLERANCE <= cut <= b + CUT_TOLERANCE for a, b in slow)])
    return hits


def _row(name: str, measured: Sequence[dict[str, float]], unit: str, note: str) -> dict[str, Any]:
    ours, peer = (statistics.median(each[side] for each in measured) for side in ("ours", PEER))
    ratios = [each["ours"] / max(each[PEER], 1e-9) for each in measured]
    row = {"name": name, "ours": ours, "unit": unit, "peer": peer, "peer_name": PEER, "ratio": ours / max(peer, 1e-9)}
    return {**row, "spread": f"{min(ratios):.2f}-{max(ratios):.2f}", "note": note}
