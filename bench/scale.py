"""Costs against size, and what they say of banks of 53 million and 3 billion vectors; writes docs/scale.md between its marks.

Every figure is processor time, of one core: a busy machine does not count. What a larger size would take is computed by a model
of the steps (`Model`), fitted to the smaller points and held against the largest one measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backend.domain import Vote
from backend.sampleworld import render_world
from backend.store.journal import Journal
from backend.store.journal_schema import vote_of
from bench.cost import cpu_s
from bench.scale_document import write_document
from bench.scale_model import Curve, Model, bank_curves, slope
from bench.scale_points import Point
from bench.table import show

BANKS = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
VIDEOS = (1, 2, 4, 8)
GENERATED = (6, 12, 24, 48)
VOTES = (1_000, 10_000, 100_000, 1_000_000)
GOAL_ERROR = 0.25
"""Of the model on the largest bank, which it was not fitted to."""
POINTS = Path(__file__).parent / "results" / "scale_points.json"


def run(
    banks: Sequence[int] = BANKS,
    videos: Sequence[int] = VIDEOS,
    generated: Sequence[int] = GENERATED,
    votes: Sequence[int] = VOTES,
    *,
    only_banks: bool = False,
) -> list[dict[str, Any]]:
    """A row a curve's slope, and how far the model lies off the largest bank; points are kept beside the results.

    `only_banks`: the other curves are those of the last run.
    """
    points = [_point(num) for num in banks]
    curves = kept()[1] if only_banks else _curves(videos, generated, votes)
    held = {"banks": [asdict(point) for point in points], "curves": curves}
    POINTS.write_text(json.dumps(held, indent=1) + "\n")
    write_document(points, curves)
    return rows(points, curves)


def _curves(videos: Sequence[int], generated: Sequence[int], votes: Sequence[int]) -> dict[str, Curve]:
    with tempfile.TemporaryDirectory() as folder:
        return {
            "curation": curation(Path(folder), videos),
            "evaluation": evaluation(Path(folder), generated),
            "votes": vote_path(Path(folder), votes),
        }


def rows(points: Sequence[Point], curves: Mapping[str, Curve]) -> list[dict[str, Any]]:
    """What was measured, as rows of the table."""
    *smaller, largest = points
    model = Model.fitted(smaller)
    found = [
        _row(f"{name}: slope of seconds against size, both as logarithms", slope(curve), None, _span(curve))
        for name, curve in {**curves, **bank_curves(points)}.items()
    ]
    for what, computed, measured in (
        ("build", model.build_s(largest.num), largest.train_s + largest.add_s),
        ("query", model.query_s(largest.num), largest.query_s),
    ):
        note = f"computed {computed:.3g} s, measured {measured:.3g} s; fitted to {smaller[0].num:,} to {smaller[-1].num:,}"
        found.append(
            _row(f"bank of {largest.num:,}: {what}, error of the model", computed / measured - 1, GOAL_ERROR, note)
        )
    worst = min(points, key=lambda point: point.recall)
    found.append(
        _row("least recall of the exact band at any size", worst.recall, None, f"at {worst.num:,}, {worst.probes} lists")
    )
    return found


def curation(folder: Path, sizes: Sequence[int]) -> Curve:
    """`curate` with the embedded profile, over so many videos of the sample world, 6 s of 640 x 360 each."""
    world = folder / "world"
    render_world(world, seed=1000, videos=max(sizes), duration_s=6.0, size=(640, 360))
    names = sorted(path.stem for path in (world / "videos").glob("*.mp4"))
    found: Curve = {}
    for size in sizes:
        some, project = folder / f"videos-{size}", folder / f"project-{size}"
        some.mkdir()
        for path in (world / "videos").iterdir():
            if path.name.split(".")[0] in names[:size]:
                (some / path.name).hardlink_to(path)
        _command("init", "--project", str(project))
        _command("ingest", str(some), "--project", str(project))
        found[size] = _command("curate", "--project", str(project), "--workers", "1")
    return found


def evaluation(folder: Path, sizes: Sequence[int]) -> Curve:
    """`evaluate` with the embedded profile, over so many videos of the sample world's benchmark."""
    world = folder / "benchmark"
    render_world(world, seed=1001, videos=2, duration_s=2.0, size=(320, 180), cases=max(sizes))
    (cases,) = world.rglob("cases.json")
    videos = sorted((cases.parent / "systems" / "faithful").glob("*.mp4"))
    found: Curve = {}
    for size in sizes:
        some, project = folder / f"generated-{size}", folder / f"judged-{size}"
        some.mkdir()
        for path in videos[:size]:
            (some / path.name).hardlink_to(path)
        _command("init", "--project", str(project))
        arguments = ("--cases", str(cases), "--videos", str(some), "--system", "faithful", "--project", str(project))
        found[size] = _command("evaluate", *arguments, "--workers", "1", codes=(0, 1))
    return found


def vote_path(folder: Path, sizes: Sequence[int]) -> Curve:
    """Votes written to a journal, 500 at once, and all read again as for a rebuild."""
    found: Curve = {}
    for size in sizes:
        before = cpu_s()
        with Journal(folder / f"journal-{size}.sqlite") as journal:
            for start in range(0, size, 500):
                journal.append_votes([_vote(number) for number in range(start, min(size, start + 500))])
            assert sum(vote_of(event).rev for event in journal.stream()) == size, "every vote is read again"
        found[size] = cpu_s() - before
    return found


def _point(num: int) -> Point:
    command = [sys.executable, "-m", "bench.scale_points", str(num)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    return Point(**json.loads(done.stdout))


def _command(*arguments: str, codes: Sequence[int] = (0,)) -> float:
    """Processor time of a command and what it started. Raises RuntimeError with its words for another exit code."""
    before = cpu_s()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "backend.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode not in codes:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}{done.stdout[-500:]}")
    return cpu_s() - before


def _vote(number: int) -> Vote:
    return Vote(
        id=f"vote{number}",
        rev=1,
        study_id="verify",
        trial_id=f"trial_{number:020x}",
        item_id=f"pair_{number % 5000:020x}",
        rater=f"rater{number % 40}",
        rater_kind="person",
        question="identity",
        choice="same",
        shown_order=("target", "reference"),
        visible_ms=2300,
        made_at="2026-03-01T12:00:00Z",
    )


def _span(curve: Curve) -> str:
    return "; ".join(f"{size:,}: {seconds:.3g} s" for size, seconds in curve.items())


def _row(name: str, value: float, target: float | None, note: str) -> dict[str, Any]:
    wanted = None if target is None else f"within {target:g}"
    return {"name": name, "value": value, "target": wanted, "note": note}


def kept() -> tuple[list[Point], dict[str, Curve]]:
    """The points of the last run."""
    held = json.loads(POINTS.read_text())
    curves = {name: {int(size): seconds for size, seconds in curve.items()} for name, curve in held["curves"].items()}
    return [Point(**fields) for fields in held["banks"]], curves


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.scale")
    parser.add_argument("--largest", type=int, default=BANKS[-1], help="vectors of the largest bank; smaller ones stay")
    parser.add_argument("--quick", action="store_true", help="half of the other sizes: some minutes less")
    parser.add_argument("--only-banks", action="store_true", help="the other curves stay as the last run left them")
    arguments = parser.parse_args()
    half = slice(0, 3 if arguments.quick else None)
    show(
        run(
            [size for size in BANKS if size <= arguments.largest],
            VIDEOS[half],
            GENERATED[half],
            VOTES[half],
            only_banks=arguments.only_banks,
        )
    )
