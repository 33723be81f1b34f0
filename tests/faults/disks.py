"""A small disk of its own for a child process: one that can be filled, or that turns read-only while files are open.

Needs the right to mount, in a mount namespace that ends with the child: nothing is seen outside. Tests skip without it.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALONE = ("unshare", "--mount")
TRYING = "mount -t tmpfs -o size=1m tmpfs /mnt"


def needs_mounts() -> None:
    """Skips the test where a mount namespace with a tmpfs cannot be had."""
    if shutil.which("unshare") is None or subprocess.run([*ALONE, "sh", "-c", TRYING], capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here (needs root)")


def needs_loops() -> None:
    """Skips the test where an ext4 file system in a file cannot be mounted and stopped."""
    needs_mounts()
    if shutil.which("mkfs.ext4") is None or not Path("/dev/loop-control").exists():
        pytest.skip("ext4 cannot be mounted from a file here")


def run_alone(module: str, *arguments: object, timeout_s: float = 240) -> Any:
    """Runs `python -m module` in a mount namespace of its own and gives the JSON that it prints."""
    command = [*ALONE, sys.executable, "-m", module, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout)


def mount_memory(place: Path, megabytes: int) -> None:
    """In the child: a tmpfs at a folder."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)], check=True)


class Ballast:
    """Fills a disk up to a rest."""

    def __init__(self, disk: Path) -> None:
        self._disk = disk
        self._file = disk / "ballast"

    def leave(self, free_bytes: int) -> None:
        self.drop()
        facts = os.statvfs(self._disk)
        with self._file.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, facts.f_bavail * facts.f_frsize - free_bytes))

    def drop(self) -> None:
        self._file.unlink(missing_ok=True)


class FailingDisk:
    """An ext4 file system that turns read-only as a real one does at a fault, while files on it stay open."""

    def __init__(self, image: Path, place: Path) -> None:
        place.mkdir(parents=True)
        self._image, self._place = image, place
        with image.open("wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
        self._mount()

    def fail(self) -> None:
        """From now on every write is refused (EROFS, EIO)."""
        source = next(
            line.split()[0] for line in Path("/proc/mounts").read_text().splitlines() if f" {self._place} " in line
        )
        (Path("/sys/fs/ext4") / Path(source).name / "trigger_fs_error").write_text("1")

    def mend(self) -> None:
        """Mounts it anew; nothing on it may be open."""
        subprocess.run(["umount", str(self._place)], check=True)
        self._mount()

    def _mount(self) -> None:
        subprocess.run(["mount", "-o", "loop,errors=remount-ro", str(self._image), str(self._place)], check=True)
