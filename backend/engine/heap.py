"""Memory that large arrays leave is kept for the next ones, where the C library would give it back to the system each time."""

import ctypes
import sys

MMAP_THRESHOLD = 32 * 2**20
"""glibc's largest: bigger arrays are given back when they are freed, as before."""
TRIM_THRESHOLD = 128 * 2**20
"""What is kept at most at the heap's end."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_heap() -> None:
    """For processes that work on pictures: without it each call that needs some 20 MB has its pages made and cleared anew.

    Does nothing where there is no glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD)
        libc.mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD)
