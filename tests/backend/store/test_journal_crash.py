"""Nothing that was acknowledged is lost: killed processes and full disks."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backend.domain import ProjectError
from backend.store.journal import Journal
from backend.store.journal_schema import Event
from tests.promises import Tally


def run(script: str, *arguments: object, before: tuple[str, ...] = ()) -> dict:
    command = [*before, sys.executable, "-c", script, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


KILLING = """
import json, os, queue, random, select, signal, sys, threading, time
from pathlib import Path
from backend.domain import Vote
from backend.store.journal import Journal
from backend.store.leases import Leases

path, kills, hasty = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "hasty"
chance = random.Random(3)
THREADS = 4

def vote(life, thread, number):
    return Vote(id=f"{life}-{thread}-{number}", rev=1, study_id="s", trial_id="t", item_id="i", rater="ann",
                rater_kind="person", question="identity", choice="same")

class Hasty(Journal):
    "Answers before the commit."

    def _ask(self, request):
        early, work = queue.SimpleQueue(), request.work
        def told(connection):
            early.put(work(connection))
            time.sleep(0.005)  # so that a kill does fall between the answer and the commit
        request.work = told
        self._requests.put(request)
        return early.get()

def live(life, pipe):
    journal = (Hasty if hasty else Journal)(path)
    def say(thread):
        for number in range(10**9):
            (receipt,) = journal.append_votes([vote(life, thread, number)])
            os.write(pipe, f"{receipt.id} {receipt.seq} {receipt.hash}\\n".encode())
    for thread in range(THREADS):
        threading.Thread(target=say, args=(thread,), daemon=True).start()
    leases = Leases(journal)
    while True:
        leases.acquire("s", ["p1", "p2"], rater="ann", limit=1)

acknowledged, unacknowledged, reopening = {}, [], []
for life in range(kills):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        live(life, writing)
    os.close(writing)
    if life % 3:
        select.select([reading], [], [], 60)  # a life that has begun to acknowledge
    time.sleep(chance.random() * 0.1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading) as lines:
        said = [line.split() for line in lines if line.endswith("\\n")]
    acknowledged.update((id, (int(seq), hash)) for id, seq, hash in said)
    started = time.monotonic()
    with Journal(path) as journal:
        reopening.append(time.monotonic() - started)
        unacknowledged.append(journal.head().seq - len(acknowledged) - sum(unacknowledged))
with Journal(path) as journal:
    events = list(journal.stream())
    stored = {event.id: (event.seq, event.hash) for event in events}
    sound = journal.verify_chain().ok
print(json.dumps({
    "acknowledged": len(acknowledged), "stored": len(events), "doubled": len(events) - len(stored),
    "lost": sum(stored.get(id) != place for id, place in acknowledged.items()), "sound": sound,
    "unacknowledged": max(unacknowledged), "threads": THREADS, "reopening": max(reopening),
}))
"""


@pytest.mark.slow
@pytest.mark.promise(
    "A vote with a receipt survives kill -9 of the journal's writer, and stands there once",
    area="Durability",
    goal="0 lost, 0 doubled in 400 kills",
    control="tests/backend/store/test_journal_crash.py::test_a_journal_that_answers_before_its_commit_loses_votes",
    kills=(20, 400),
)
def test_kills_of_the_writer_lose_and_double_nothing(tmp_path: Path, long: bool, tally: Tally):
    kills = 400 if long else 20
    seen = run(KILLING, tmp_path / "journal.sqlite", kills, "")
    told = f"{seen['acknowledged']} receipts, longest opening {seen['reopening']:.2f} s"
    tally.record(kills, lost=min(kills, seen["lost"] + seen["doubled"]), note=told)
    assert (seen["lost"], seen["doubled"], seen["sound"]) == (0, 0, True)
    assert seen["acknowledged"] > 100
    assert 0 <= seen["unacknowledged"] <= seen["threads"]
    assert seen["reopening"] < 5


@pytest.mark.slow
def test_a_journal_that_answers_before_its_commit_loses_votes(tmp_path: Path):
    assert run(KILLING, tmp_path / "journal.sqlite", 20, "hasty")["lost"] > 0


FILLING = """
import json, sys
from pathlib import Path
from backend.domain import ProjectError
from backend.store.journal import Journal
from backend.store.journal_schema import Event

folder, limit = Path(sys.argv[1]), int(sys.argv[2])
if limit:
    import resource
    def allow(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    def free():
        allow(resource.RLIM_INFINITY)
    allow(limit)
else:
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(1 << 19))
    free = ballast.unlink

def note(number):
    return Event(kind="note", id=f"n{number}", actor="ann", body={"text": "x" * 2000})

said, refusals = 0, []
with Journal(folder / "journal.sqlite") as journal:
    while len(refusals) < 3:
        try:
            journal.append([note(said)])
            said += 1
        except ProjectError as error:
            refusals.append(str(error))
    readable = len(journal.events(0, 10**6))
    free()
    after = [journal.append([note(said + number)])[0].seq for number in range(5)]
with Journal(folder / "journal.sqlite") as journal:
    check = journal.verify_chain()
print(json.dumps({"said": said, "readable": readable, "after": after, "refusals": refusals, "ok": check.ok,
                  "events": check.events}))
"""


def check_full_disk(seen: dict) -> None:
    assert seen["said"] > 5
    assert seen["readable"] == seen["said"]
    assert seen["after"] == [seen["said"] + number for number in range(1, 6)]
    assert (seen["ok"], seen["events"]) == (True, seen["said"] + 5)
    assert all("free some space" in refusal and "\n" not in refusal for refusal in seen["refusals"])


def test_a_file_size_limit_refuses_events_and_loses_none(tmp_path: Path):
    check_full_disk(run(FILLING, tmp_path, 300_000))


def test_a_full_disk_refuses_events_and_loses_none(tmp_path: Path):
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    small = f"mount -t tmpfs -o size=2m none '{tmp_path}'"
    inside = ("unshare", "--map-root-user", "--mount", "sh", "-c", f'{small} || exit 77; exec "$@"', "sh")
    if subprocess.run([*inside, "true"], capture_output=True).returncode != 0:
        pytest.skip("small file systems cannot be mounted here")
    check_full_disk(run(FILLING, tmp_path, 0, before=inside))


def test_a_failing_head_file_refuses_receipts_and_the_retry_gives_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The event is stored by then: sending it again gives its receipt and no second event."""
    note = Event(kind="note", id="n1", actor="ann", body={})
    with Journal(tmp_path / "journal.sqlite") as journal:
        with monkeypatch.context() as broken:
            broken.setattr(os, "pwrite", _refuse)
            with pytest.raises(ProjectError, match=r"journal.head cannot be written"):
                journal.append([note])
        assert journal.append([note])[0].seq == 1
        assert journal.verify_chain().ok


def _refuse(*_: object) -> int:
    raise OSError(5, "Input/output error")
