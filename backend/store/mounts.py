"""Which file system a path lies on, and why some cannot hold a journal."""

from pathlib import Path

PROC_MOUNTS = Path("/proc/mounts")
_REFUSED = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "glusterfs", "beegfs", "fuse"})
_LOCAL_FUSE = frozenset({"fuse.fuse-overlayfs"})  # the root of rootless containers: a local disk in spite of its name


def network_filesystem(path: Path, mounts: str | None = None) -> str | None:
    """The type of the network or user-space file system that holds a path, None for a local one.

    `mounts` is the text of /proc/mounts (read when not given; absent on other systems, where nothing is refused).
    SQLite's write-ahead log needs shared memory and exact file locks, which such file systems do not give:
    sqlite.org/wal.html, "all processes using a database must be on the same host computer".
    """
    if mounts is None:
        source = PROC_MOUNTS
        if not source.exists():
            return None
        mounts = source.read_text("utf-8", "surrogateescape")
    target = path.resolve()
    best: tuple[int, str] = (-1, "")
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(_unescape(fields[1]))
        if (target == point or point in target.parents) and len(point.parts) >= best[0]:
            best = (len(point.parts), fields[2])
    kind = best[1]
    refused = kind in _REFUSED or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE)
    return kind if refused else None


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
