"""`make experiments`: trains and tests what has no result yet, and writes tables and plots into docs/experiments.md.

`python -m bench.experiments [A B ...]` does single experiments; `--seeds 0` a single seed. What is done is not done again, as long as
neither configs nor worlds have changed; a killed command goes on. What `evaluate` says is added to rows whose weights are there;
`--again` trains those that have none. `--truths` tries `evaluate` itself on videos whose truth is known.
"""

import argparse
import os
import tempfile
from pathlib import Path

from bench.experiments.document import read_outcomes, read_readings, write_document, write_reading_table
from bench.experiments.lanes import read_truths, work_off
from bench.experiments.table import EXPERIMENTS, SCALES

WORK = Path(tempfile.gettempdir()) / "subject-studio-experiments"


def main() -> None:
    """Everything that is asked for and not there."""
    parser = argparse.ArgumentParser(prog="python -m bench.experiments")
    parser.add_argument("experiments", nargs="*", help=f"of: {', '.join(EXPERIMENTS)}; all without")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--device", choices=tuple(SCALES), default="cpu", help="cuda: larger models on a GPU")
    parser.add_argument("--workers", type=int, default=0, help="runs at a time; 0: one a core on the CPU, one on a GPU")
    parser.add_argument("--work", type=Path, default=WORK, help="where worlds and runs lie")
    parser.add_argument("--again", action="store_true", help="also rows that have their results")
    parser.add_argument("--truths", action="store_true", help="only: what `evaluate` can tell at this size")
    parser.add_argument("--document-only", action="store_true", help="write the tables of what is there")
    arguments = parser.parse_args()
    unknown = set(arguments.experiments) - set(EXPERIMENTS)
    if unknown:
        parser.error(f"no experiment is called {sorted(unknown)[0]!r}; there are {', '.join(EXPERIMENTS)}")
    scale = SCALES[arguments.device]
    names = arguments.experiments or list(EXPERIMENTS)
    workers = arguments.workers or (len(os.sched_getaffinity(0)) if scale.name == "cpu" else 1)
    if arguments.truths:
        read_truths(names, workers, arguments.work)
    elif not arguments.document_only:
        seeds = [int(seed) for seed in arguments.seeds.split(",")]
        work_off(scale, names, seeds, workers, arguments.work, again=arguments.again)
    write_document(read_outcomes())
    write_reading_table(read_readings())


if __name__ == "__main__":
    main()
