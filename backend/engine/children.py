"""Spawned processes that never outlive their owner, work on one thread, and say what they died of."""

import os
import signal

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


class Threads:
    """Environment for children: BLAS, OpenMP and OpenCV on so many threads. One, so that equal inputs give equal bits."""

    def __init__(self, num: int = 1) -> None:
        self._num = num

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in THREADS}
        os.environ.update(dict.fromkeys(THREADS, str(self._num)))

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def death_of(exitcode: int | None) -> str:
    """`died of SIGSEGV`, or `ended with exit code 7`; of SIGKILL with what that may mean."""
    if exitcode == -signal.SIGKILL:
        return "died of SIGKILL, as when the system runs out of memory"
    if exitcode is not None and exitcode < 0:
        return f"died of {signal.Signals(-exitcode).name}"
    return f"ended with exit code {exitcode}"


def become_child(owner: int, stderr: str) -> None:
    """To be called first in a child: Ctrl-C is the owner's, stderr goes to a file, and the owner's end is its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(owner, signal.SIGKILL)
    os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)


def end_with(owner: int, number: signal.Signals) -> None:
    """Has this process sent a signal when its owner ends, however that ends; it keeps that over `exec`.

    By PR_SET_PDEATHSIG on Linux, which also fires when the thread ends that made the child.
    """
    import ctypes

    libc = ctypes.CDLL(None)
    if hasattr(libc, "prctl"):
        libc.prctl(1, number)  # PR_SET_PDEATHSIG
    if os.getppid() != owner:
        os._exit(1)
