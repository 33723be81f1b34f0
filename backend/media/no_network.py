"""A process without a network, where the kernel gives anybody one (Linux, with user namespaces or as root)."""

import contextlib
import ctypes
import os
from pathlib import Path

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET of linux/sched.h


def leave_network() -> bool:
    """Moves this process into a network of its own that holds nothing, and says whether that was possible.

    For a process that has one thread yet. It stays the same user and reads and writes the same files; Unix sockets with a path,
    pipes and shared memory are as before. Where it is refused (other systems, containers, AppArmor) nothing is changed.
    """
    uid, gid = os.geteuid(), os.getegid()
    try:
        unshare = ctypes.CDLL(None, use_errno=True).unshare
    except (OSError, AttributeError):  # no libc by that name, or one without it
        return False
    if unshare(_NEW_NET) == 0:  # root keeps its rights on others' files then, which a namespace of users would take
        return True
    if unshare(_NEW_USER | _NEW_NET) != 0:
        return False
    for name, text in (("uid_map", f"{uid} {uid} 1"), ("setgroups", "deny"), ("gid_map", f"{gid} {gid} 1")):
        with contextlib.suppress(OSError):  # files are told by the kernel's own number all the same
            Path("/proc/self", name).write_text(text)
    return True
