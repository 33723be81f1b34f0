"""The artifact store: names from content, whole files only, damage noticed."""

import hashlib
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.domain import ProjectError, StoreError
from backend.store.artifacts import Artifacts

ABC = "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"  # RFC 7693's BLAKE2b of "abc", 256 bits (b2sum)


@pytest.fixture
def store(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path / "artifacts")


def test_the_name_is_the_contents_hash(store: Artifacts):
    assert store.put(b"abc", "png") == f"{ABC}.png"
    assert (store.root / "bd" / f"{ABC}.png").read_bytes() == b"abc"
    assert store.get(f"{ABC}.png") == b"abc"


def test_equal_content_is_not_written_again(store: Artifacts):
    name = store.put(b"abc", "png")
    before = store.path(name).stat()
    assert store.put(b"abc", ".png") == name
    after = store.path(name).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_putting_again_mends_damage(store: Artifacts):
    name = store.put(b"abc", "png")
    store.path(name).write_bytes(b"abd")
    store.put(b"abc", "png")
    assert store.get(name) == b"abc"


def test_a_file_is_copied_under_its_hash(store: Artifacts, tmp_path: Path):
    content = os.urandom(3 << 20)
    (tmp_path / "clip.MP4").write_bytes(content)
    name = store.put_file(tmp_path / "clip.MP4")
    assert name == hashlib.blake2b(content, digest_size=32).hexdigest() + ".mp4"
    assert store.get(name) == content
    with pytest.raises(StoreError, match="cannot be stored"):
        store.put_file(tmp_path / "absent.mp4")


@pytest.mark.parametrize("durable", [True, False])
def test_many_files_get_the_names_that_single_ones_get(tmp_path: Path, durable: bool):
    store = Artifacts(tmp_path / "artifacts", durable=durable)
    names = store.put_many([(b"abc", "png"), (b"", "bin"), (b"abc", "png")])
    assert names == [store.put(b"abc", "png"), store.put(b"", "bin"), store.put(b"abc", "png")]
    assert sorted(store.names()) == sorted(set(names))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../../etc/passwd",
        f"{ABC}.png/../x",
        f"../{ABC}.png",
        f"{ABC}",
        f"{ABC.upper()}.png",
        f"{ABC}.png\n",
        f"{ABC}.p/g",
    ]
    + [f"{ABC}.{'a' * 9}", f"{ABC[:-1]}é.png", f"{ABC}.png\x00"],
)
def test_nothing_but_a_name_reaches_the_file_system(store: Artifacts, name: str):
    with pytest.raises(StoreError, match="not the name of an artifact"):
        store.path(name)


@pytest.mark.parametrize("suffix", ["", "PNG", "a/b", "..", "tar.gz", "a" * 9])
def test_an_odd_suffix_is_refused(store: Artifacts, suffix: str):
    with pytest.raises(StoreError, match="suffix"):
        store.put(b"abc", suffix)


def test_missing_and_damaged_files_are_named(store: Artifacts):
    good, gone, bad = (store.put(data, "png") for data in (b"good", b"gone", b"bad"))
    store.path(gone).unlink()
    content = bytearray(store.path(bad).read_bytes())
    content[0] ^= 1
    store.path(bad).write_bytes(bytes(content))
    (store.root / "stray.txt").write_text("?")
    (store.root / "zz").mkdir()
    (store.root / "zz" / good).write_bytes(b"good")
    with pytest.raises(StoreError, match="missing"):
        store.get(gone)
    with pytest.raises(StoreError, match="missing"):
        store.settle([gone])
    with pytest.raises(StoreError, match="damaged"):
        store.get(bad)
    problems = store.verify_all()
    assert len(problems) == 3
    assert sum(bad in problem for problem in problems) == 1
    assert sum("does not belong" in problem for problem in problems) == 2


def test_unfinished_files_are_cleaned_away(store: Artifacts):
    (store.root / ".incoming" / "123-abc").write_bytes(b"half")
    assert store.verify_all() == []
    assert store.clean() == 1
    assert store.clean() == 0


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path):
    script = (
        "import resource, sys\nfrom pathlib import Path\nfrom backend.domain import ProjectError\n"
        "from backend.store.artifacts import Artifacts\nstore = Artifacts(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))\n"
        "try:\n    store.put(bytes(60_000), 'bin')\nexcept ProjectError as error:\n    sys.stdout.write(str(error))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "store.put(bytes(60_000), 'bin')\n"
    )
    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path / "a")], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "cannot be written" in ran.stdout
    assert "free some space" in ran.stdout
    store = Artifacts(tmp_path / "a")
    assert store.clean() == 0
    assert [len(store.get(name)) for name in store.names()] == [60_000]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="cannot be made"):
        Artifacts(tmp_path / "file" / "artifacts")


def test_workers_may_put_the_same_content_at_once(tmp_path: Path):
    store = Artifacts(tmp_path / "artifacts", durable=False)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_put_all, args=(pickle.dumps(store), 200)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(list(store.names())) == 200
    assert store.verify_all() == []
    assert store.clean() == 0


def test_a_killed_worker_leaves_no_named_file_that_is_not_whole(tmp_path: Path):
    named = 0
    for round_number in range(5):
        root = tmp_path / str(round_number)
        worker = subprocess.Popen([sys.executable, "-c", _ENDLESS, str(root)], stdout=subprocess.PIPE, text=True, bufsize=1)
        assert worker.stdout is not None
        first = worker.stdout.readline().strip()
        time.sleep(0.01 + 0.03 * round_number)
        worker.send_signal(signal.SIGKILL)
        acknowledged = [
            first,
            *(line.strip() for line in worker.stdout.read().splitlines(keepends=True) if line.endswith("\n")),
        ]
        worker.wait()
        store = Artifacts(root)
        store.clean()
        assert store.verify_all() == []
        assert set(acknowledged) <= set(store.names())
        named += len(acknowledged)
    assert named > 20


_ENDLESS = """
import os, sys
from pathlib import Path
from backend.store.artifacts import Artifacts
store = Artifacts(Path(sys.argv[1]), durable=False)
while True:
    os.write(1, (store.put(os.urandom(200_000), "bin") + "\\n").encode())
"""


def _put_all(pickled: bytes, count: int) -> None:
    store = pickle.loads(pickled)  # noqa: S301, our own bytes
    for number in range(count):
        store.put(number.to_bytes(4, "big") * 500, "bin")
