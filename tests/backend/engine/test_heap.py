"""The heap that stays: whether large arrays are given pages of the system's again and again."""

import platform
import subprocess
import sys

import pytest

ROUNDS = """
import resource
import numpy as np
from backend.engine.heap import keep_heap
{first}
for number in range(12):
    if number == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    kept = [np.zeros(18 << 20, np.uint8) + 1 for _ in range(3)]
    del kept
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(first: str) -> int:
    """Of ten rounds of three arrays of 18 MiB, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", ROUNDS.format(first=first)], capture_output=True, text=True, check=True, timeout=60
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_freed_arrays_are_the_next_ones() -> None:
    assert page_faults("keep_heap()") * 10 < page_faults("")
