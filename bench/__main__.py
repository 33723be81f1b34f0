"""`make bench`: speed, memory and accuracy, printed as one table and kept in bench/results as JSON.

`python -m bench [PART…]` runs parts by name; `--seeds` chooses the sample worlds of those that are made of worlds; `--table`
writes the README's table from what is kept (after `make chaos`, whose figures stand there too).
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
from dataclasses import dataclass
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
    ray_data,
    residency,
    retrieval,
    sampleworld,
    scale,
    scaleout,
    screens,
    sequential,
    shots,
    studies,
    study_load,
    vote_path,
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
WORLDS_SEEDS = "1000-1009"
Rows = list[dict[str, Any]]


def main() -> None:
    """Runs the parts asked for, all by default."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("parts", nargs="*", help=f"of: {', '.join(PARTS)}")
    parser.add_argument(
        "--seeds", help="sample worlds of the parts made of them, as 1000-1009 or 0,3; each has its own without"
    )
    parser.add_argument("--videos", type=int, default=VIDEOS, help="videos in each world")
    parser.add_argument("--table", action="store_true", help="run nothing: write the README's table from bench/results")
    parser.add_argument("--no-save", action="store_true", help="do not write bench/results")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part is called {sorted(unknown)[0]!r}; there are {', '.join(PARTS)}")
    commit = commit_of(RESULTS)  # of what runs, whatever is committed meanwhile
    for name in () if arguments.table else arguments.parts or PARTS:
        part, started = PARTS[name], time.perf_counter()
        seeds = part.chosen(arguments.seeds)
        rows = [{"area": name, **row} for row in part.run(_Worlds(seeds, arguments.videos))]
        show(rows, title=f"{name} ({time.perf_counter() - started:.0f} s)")
        if not arguments.no_save:
            _save(name, rows, seeds, commit)
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
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


@dataclass(frozen=True, slots=True)
class Part:
    """What is measured, and over which seeds where nobody asks for others; a part without seeds takes none."""

    run: Callable[[_Worlds], Rows]
    seeds: str = ""

    def chosen(self, asked: str | None) -> str:
        """The seeds of a run, as they stand in its results."""
        return asked if asked and self.seeds else self.seeds


def commit_of(folder: Path) -> str:
    """The commit that a folder's code is of, with `+` where it was changed since; empty outside of a repository.

    What benchmarks write themselves is no change.
    """

    def git(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)

    found = git("rev-parse", "--short", "HEAD")
    if found.returncode:
        return ""
    changed = git("diff", "--quiet", "HEAD", "--", ":(top)", ":(top,exclude)bench/results", ":(top,exclude)README.md")
    return found.stdout.strip() + ("+" if changed.returncode else "")


def _save(name: str, rows: Rows, seeds: str, commit: str) -> None:
    """One file a part, replaced each time: history is git's."""
    facts = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "machine": platform.machine(),
    }
    facts |= {"commit": commit, "cores": len(os.sched_getaffinity(0)), "seeds": seeds}
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


PARTS: dict[str, Part] = {
    "clips": Part(lambda worlds: accuracy_clips.run(worlds.folders(), _real()), WORLDS_SEEDS),
    "shots": Part(lambda worlds: shots.run(worlds.folders()), "1000-1001"),
    "subjects": Part(lambda worlds: accuracy_subjects.run(worlds.folders()), WORLDS_SEEDS),
    "words": Part(lambda worlds: accuracy_words.run()),
    "pairs": Part(lambda worlds: accuracy_pairs.run(worlds.folders(), _real()), WORLDS_SEEDS),
    "logos": Part(lambda worlds: accuracy_logos.run(worlds.seeds), "5,1001"),  # the bound was chosen on 2 to 4
    "people": Part(
        lambda worlds: [*accuracy_people.run(worlds.folders()), *accuracy_people_real.run(_real())], WORLDS_SEEDS
    ),
    "sync": Part(lambda worlds: accuracy_sync.run(worlds.folders(), worlds.takes(), _real()), WORLDS_SEEDS),
    "media": Part(lambda worlds: media.run()),
    "metrics": Part(lambda worlds: metrics.run()),
    "plan": Part(lambda worlds: plan.run()),
    "engine": Part(lambda worlds: engine.run()),
    "ray_data": Part(lambda worlds: ray_data.run(worlds.folders()), "1000"),
    "scaleout": Part(lambda worlds: scaleout.run()),
    "journal": Part(lambda worlds: journal.run()),
    "retrieval": Part(lambda worlds: retrieval.run()),
    "sampleworld": Part(lambda worlds: sampleworld.run()),
    "scale": Part(lambda worlds: scale.run()),
    "models": Part(lambda worlds: residency.run()),
    "evaluation": Part(lambda worlds: evaluation.run(worlds.seeds), "0,1000"),
    "evaluation_speed": Part(lambda worlds: evaluation_speed.run()),
    "studies": Part(lambda worlds: studies.run()),
    "sequential": Part(lambda worlds: sequential.run()),
    "studio": Part(lambda worlds: screens.run("studio")),
    "library": Part(lambda worlds: screens.run("library")),
    "study_load": Part(lambda worlds: study_load.run()),
    "vote_path": Part(lambda worlds: vote_path.run()),
    "training": Part(lambda worlds: _training()),
    "watermark": Part(lambda worlds: watermark.run(worlds.folders()), WORLDS_SEEDS),
}

if __name__ == "__main__":
    main()
