"""`python -m tests.faults.refusing FOLDER`: what a failed disk does to plain writes and reads, as JSON."""

import json
import os
import sys
from pathlib import Path

from tests.faults.disks import FailingDisk


def main(folder: Path) -> None:
    disk = FailingDisk(folder / "image", folder / "disk")
    file = os.open(folder / "disk" / "file", os.O_CREAT | os.O_RDWR)
    os.write(file, b"x")
    os.fsync(file)
    said: dict[str, object] = {"before": "written"}
    disk.fail()
    for name, write in {
        "open file": lambda: (os.pwrite(file, b"y", 0), os.fsync(file)),
        "new file": lambda: (folder / "disk" / "other").touch(),
    }.items():
        try:
            write()
            said[name] = "written"
        except OSError as error:
            said[name] = error.errno
    said["read"] = (folder / "disk" / "file").read_text()
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
