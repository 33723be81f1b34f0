"""`python -m tests.faults.flipping KIND SOUND WORK FILES TRIES CARELESS`: flips bits and prints what came of it, as JSON."""

import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path

from tests.faults.flips import flip_many
from tests.faults.kept_files import KINDS


def main(kind: str, sound: str, work: str, files: str, tries: str, careless: str) -> None:
    logging.disable(logging.CRITICAL)
    read = KINDS[kind].careless if careless == "1" else KINDS[kind].read
    assert read is not None, f"nobody reads {kind} carelessly"
    seen = flip_many(Path(sound), read, Path(work), files=files, tries=int(tries))
    sys.stdout.write(json.dumps({**asdict(seen), "words": sorted(seen.words)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
