"""`make bench`: speed, memory and accuracy, printed as one table and kept in bench/results as JSON.

`python -m bench [PART…]` runs parts by name; `--seeds` chooses the sample worlds of the accuracy parts; `--table` writes the
README's table from what is kept (after `make chaos`, whose figures stand there too).
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.sampleworld import render_world
from bench import (
    accuracy_clips,
    accuracy_logos,
    accuracy_pairs,
    accuracy_people,
    accuracy_people_real,
    accuracy_subjects,
    accuracy_sync,
    accuracy_words,
    engine,
    evaluation,
    evaluation_speed,
    journal,
    media,
    metrics,
    plan,
    residency,
    retrieval,
    sampleworld,
    scale,
    screens,
    sequential,
    studies,
    study_load,
    watermark,
)
from bench.reliability import readme_rows
from bench.table import markdown_row, show

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "dev"
RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parents[1] / "README.md"
MARKS = ("<!-- bench -->", "<!-- /bench -->")
WORLDS = Path(tempfile.gettempdir()) / "subject-studio-bench-worlds"
VIDEOS = 6
Rows = list[dict[str, Any]]


def main() -> None:
    """Runs the parts asked for, all by default."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("parts", nargs="*", help=f"of: {', '.join(PARTS)}")
    parser.add_argument("--seeds", default="1000-1009", help="sample worlds of the accuracy parts, as 1000-1009 or 0,3")
    parser.add_argument("--videos", type=int, default=VIDEOS, help="videos in each world")
    parser.add_argument("--table", action="store_true", help="run nothing: write the README's table from bench/results")
    parser.add_argument("--no-save", action="store_true", help="do not write bench/results")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part is called {sorted(unknown)[0]!r}; there are {', '.join(PARTS)}")
    worlds = _Worlds(arguments.seeds, arguments.videos)
    for name in () if arguments.table else arguments.parts or PARTS:
        started = time.perf_counter()
        rows = [{"area": name, **row} for row in PARTS[name](worlds)]
        show(rows, title=f"{name} ({time.perf_counter() - started:.0f} s)")
        if not arguments.no_save:
            _save(name, rows, arguments.seeds)
    if not arguments.no_save:
        _write_readme()


class _Worlds:
    """Sample worlds by seed, rendered when first asked for and kept in the temporary folder."""

    def __init__(self, seeds: str, videos: int) -> None:
        self.seeds, self._videos = list(_numbers(seeds)), videos

    def folders(self) -> list[Path]:
        folders = [WORLDS / f"{seed}-{self._videos}" for seed in self.seeds]
        for seed, folder in zip(self.seeds, folders, strict=True):
            render_world(folder, seed=seed, videos=self._videos)
        return folders

    def takes(self) -> list[Path]:
        """Talking takes of the same seeds: five each, four of them with their own sound."""
        folders = [WORLDS / f"{seed}-takes" for seed in self.seeds]
        for seed, folder in zip(self.seeds, folders, strict=True):
            render_world(folder, seed=seed, videos=5, duration_s=8.0, size=(640, 360), takes=True)
        return folders


def _numbers(text: str) -> Iterable[int]:
    for part in text.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _save(name: str, rows: Rows, seeds: str) -> None:
    """One file a part, replaced each time: history is git's."""
    RESULTS.mkdir(exist_ok=True)
    facts = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "machine": platform.machine(),
    }
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=RESULTS, capture_output=True, text=True, check=False
    )
    facts |= {"commit": commit.stdout.strip(), "cores": len(os.sched_getaffinity(0)), "seeds": seeds}
    (RESULTS / f"{name}.json").write_text(json.dumps({**facts, "rows": rows}, indent=1, default=str) + "\n")


def _write_readme() -> None:
    """Puts the kept results of every part into the README, between its two marks."""
    lines = ["| area | what | value | target | spread or note |", "|---|---|--:|---|---|"]
    for name in PARTS:
        path = RESULTS / f"{name}.json"
        if path.exists():
            lines += [markdown_row(row) for row in json.loads(path.read_text())["rows"]]
    lines += [markdown_row(row) for row in readme_rows()]
    text = README.read_text()
    before, _, rest = text.partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    README.write_text("\n".join([before + MARKS[0], *lines, MARKS[1] + after]))


def _real() -> Path | None:
    return REAL if REAL.is_dir() else None


def _training() -> Rows:
    """Imported here: with torch in this process, the memory that other parts measure would be more."""
    from bench import training

    return training.run()


PARTS: dict[str, Callable[[_Worlds], Rows]] = {
    "clips": lambda worlds: accuracy_clips.run(worlds.folders(), _real()),
    "subjects": lambda worlds: accuracy_subjects.run(worlds.folders()),
    "words": lambda worlds: accuracy_words.run(),
    "pairs": lambda worlds: accuracy_pairs.run(worlds.folders(), _real()),
    "logos": lambda worlds: accuracy_logos.run((5, 1001)),  # the bound was chosen on 2 to 4
    "people": lambda worlds: [*accuracy_people.run(worlds.folders()), *accuracy_people_real.run(_real())],
    "sync": lambda worlds: accuracy_sync.run(worlds.folders(), worlds.takes(), _real()),
    "media": lambda worlds: media.run(),
    "metrics": lambda worlds: metrics.run(),
    "plan": lambda worlds: plan.run(),
    "engine": lambda worlds: engine.run(),
    "journal": lambda worlds: journal.run(),
    "retrieval": lambda worlds: retrieval.run(),
    "sampleworld": lambda worlds: sampleworld.run(),
    "scale": lambda worlds: scale.run(),
    "models": lambda worlds: residency.run(),
    "evaluation": lambda worlds: evaluation.run(),
    "evaluation_speed": lambda worlds: evaluation_speed.run(),
    "studies": lambda worlds: studies.run(),
    "sequential": lambda worlds: sequential.run(),
    "studio": lambda worlds: screens.run("studio"),
    "library": lambda worlds: screens.run("library"),
    "study_load": lambda worlds: study_load.run(),
    "training": lambda worlds: _training(),
    "watermark": lambda worlds: watermark.run(worlds.folders()),
}

if __name__ == "__main__":
    main()
