"""`python -m tests.faults.filling FOLDER RESTS`: fills a disk before every few writes, and prints what came of it, as JSON.

RESTS is JSON: by the name of a writer, how many bytes are left free at each filling. At each: writes until one is refused, reads back while the disk is full, makes
room, writes again. In a mount namespace of its own (`disks.run_alone`).
"""

import json
import logging
import sys
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path

from backend.domain import StudioError
from tests.faults.disks import Ballast, mount_memory
from tests.faults.writers import Writer, writer_of

DISK_MB = 48
WRITES = 12
"""Tries at each rest, until one is refused."""


@dataclass
class Filled:
    """What came of a writer on full disks. `fillings`: how many; `tried`: writes; `lost`: acknowledged and gone; `phantom`: refused and there, or half there."""

    fillings: int = 0
    tried: int = 0
    refused: int = 0
    lost: int = 0
    phantom: int = 0
    words: list[str] = field(default_factory=list)
    died: list[str] = field(default_factory=list)


def fill(writer: Writer, ballast: Ballast, rests: list[int]) -> Filled:
    """Fills the disk up to each rest in turn."""
    found, kept, number = Filled(), set[int](), 0

    def attempt() -> bool:
        nonlocal number
        number += 1
        found.tried += 1
        try:
            writer.write(number)
            if writer.latest:
                kept.clear()
            kept.add(number)
        except StudioError as error:
            found.refused += 1
            found.words.append(str(error))
            return False
        except Exception:  # noqa: BLE001 - it would end a call of the service without a sentence
            found.died.append(traceback.format_exc(limit=-4))
            return False
        return True

    def compare() -> None:
        held = writer.held()
        found.lost += len(kept - held)
        found.phantom += len(held - kept)

    writer.ready()
    attempt()
    for rest in rests:
        writer.ready()
        ballast.leave(rest)
        found.fillings += 1
        for _ in range(1 if writer.once else WRITES):
            if not attempt():
                break
        try:
            writer.tend()
        except StudioError as error:
            found.words.append(str(error))
        compare()
        ballast.drop()
        if not attempt():
            found.died.append(f"refused with space again: {found.words[-1:]}")
        compare()
    return found


def main(folder: str, rests: str) -> None:
    logging.disable(logging.CRITICAL)
    found = {}
    for name, left in json.loads(rests).items():
        disk = Path(folder) / name
        mount_memory(disk, DISK_MB)
        writer = writer_of(name, disk)
        found[name] = asdict(fill(writer, Ballast(disk), left))
        writer.close()
        found[name]["words"] = sorted(set(found[name]["words"]))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
