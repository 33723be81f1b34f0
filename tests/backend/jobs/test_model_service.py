"""Model workers as clients see them: real processes, real sockets, tiny networks."""

import faulthandler
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from backend.domain import MediaError, ModelUnavailable
from backend.domain.errors import ModelFailed
from backend.jobs.model_service import ModelService
from backend.jobs.model_worker import ModelWorkerSettings
from backend.models.borders import Interrupted
from backend.models.call_wire import Ask
from backend.models.places import ModelPlace
from backend.models.remote_role import INTERACTIVE, ModelLine, RemoteRole, remote_role
from tests.backend.jobs import tiny_models
from tests.backend.jobs.tiny_models import RUNGS, bound, not_climbed, write_weights
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext, clip_item
from tests.promises import Tally

pytest.importorskip("torch")
pytestmark = [pytest.mark.slow, pytest.mark.server]
Serve = Callable[..., ModelService]
ROW = np.linspace(-1, 1, 16, dtype=np.float32)

BUSY = 4
"""Promised times are measured by `python -m bench models`; a busy machine gets this much longer to keep them."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_weights(tmp_path_factory.mktemp("weights") / "w.safetensors", 100)


@pytest.fixture(scope="module")
def shared() -> Iterator[ModelService]:
    """One service for tests that leave it as it was."""
    service = ModelService(ModelWorkerSettings(), devices=["cpu"])
    yield service
    service.close()


def role(
    service: ModelService, name: str, weights: str, *, cancelled: Event | None = None, lane: str = "bulk"
) -> RemoteRole:
    line = ModelLine(service.address(lane), cancelled=cancelled)
    return remote_role(line, bound(name, weights), getattr(tiny_models, name))


def kinds(service: ModelService) -> list[str]:
    return [event.kind for event in service.events()]


def until(claim: Callable[[], bool]) -> None:
    """A worker answers its caller on one line and tells its service on another: either may be heard first."""
    deadline = time.monotonic() + 2 * BUSY
    while not claim():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def resident(service: ModelService) -> list[str]:
    return [name for one in service.rows()[0].resident for name in one.roles]


def test_role_over_the_wire_is_the_role_here(shared: ModelService, weights: str) -> None:
    here = tiny_models.Linear(ModelPlace("Linear", weights), device="cpu", dtype="float32")
    there = role(shared, "Linear", weights)
    assert there.project(ROW).tobytes() == here.project(ROW).tobytes()  # type: ignore[attr-defined]
    assert (there.model_id, there.num_rows, there.space) == (here.model_id, 100, "tiny")  # type: ignore[attr-defined]
    assert there.doubled([1.5, 2.0], plus=1.0) == [4.0, 5.0]  # type: ignore[attr-defined]
    assert not hasattr(there, "segment_moving")


def test_models_make_room_for_a_command_and_come_back(serve: Serve, tmp_path: Path) -> None:
    """Three models of 6,400 bytes fill the budget; a command takes as much as one of them, then everything."""
    service = serve(budget_bytes=3 * 6400 + 200)  # a file is a little longer than its weights
    said: list[str] = []
    with service.lent(say=said.append):
        assert said == ["the project holds no models on the device"]
    models = [role(service, "Linear", write_weights(tmp_path / f"{n}.safetensors", 100, seed=n)) for n in range(3)]
    rows = [model.project(ROW).tobytes() for model in models]  # type: ignore[attr-defined]
    with service.lent(6400, say=said.append):
        assert said[1:] == ["models on cpu make room: 6400 bytes put out, 12800 bytes stay"]
        assert kinds(service).count("evicted") == 1
        assert [model.project(ROW).tobytes() for model in models] == rows  # type: ignore[attr-defined]
        until(lambda: kinds(service).count("evicted") > 1)  # two have room
    with service.lent(say=said.append):
        assert said[2:] == ["models on cpu make room: 12800 bytes put out, 0 bytes stay"]
        assert [model.project(ROW).tobytes() for model in models] == rows  # type: ignore[attr-defined]
    assert [model.project(ROW).tobytes() for model in models] == rows  # type: ignore[attr-defined]
    before = kinds(service).count("evicted")
    assert [model.project(ROW).tobytes() for model in models] == rows  # type: ignore[attr-defined]
    assert kinds(service).count("evicted") == before, "all three have room again"


@pytest.mark.thorough
def test_a_worker_that_starts_later_knows_what_is_lent(serve: Serve, tmp_path: Path) -> None:
    service = serve(budget_bytes=3 * 6400 + 200)  # a file is a little longer than its weights
    service.address()
    with service.lent(2 * 6400, say=[].append):
        for n in range(2):
            role(service, "Linear", write_weights(tmp_path / f"{n}.safetensors", 100, seed=n)).project(ROW)  # type: ignore[attr-defined]
        until(lambda: "evicted" in kinds(service))


def test_frames_are_read_where_they_lie(shared: ModelService, weights: str) -> None:
    frames = np.random.default_rng(1).integers(0, 255, (9, 8, 6, 3), np.uint8)
    footage = StageContext(ArrayReader(frames)).footage(clip_item(frames))
    there = role(shared, "Linear", weights)
    assert np.allclose(there.brightness(footage, [1, 4, 8]), frames[[1, 4, 8]].mean(axis=(1, 2, 3)))  # type: ignore[attr-defined]
    assert there.brightness(footage, []).reason == "no frame was asked for"  # type: ignore[attr-defined]
    broken = StageContext(ArrayReader(frames, broken=frozenset({4}))).footage(clip_item(frames))
    with pytest.raises(MediaError, match="cannot be decoded") as raised:
        there.brightness(broken, [1, 4])  # type: ignore[attr-defined]
    assert raised.value.kind == "truncated"
    assert there.project(ROW).shape == (100,)  # type: ignore[attr-defined]


def test_faults_of_a_model_are_raised_at_the_caller(shared: ModelService, weights: str) -> None:
    there = role(shared, "Troubled", weights)
    with pytest.raises(ValueError, match="3 boxes for 2 phrases"):
        there.act("raise")  # type: ignore[attr-defined]
    with pytest.raises(ModelFailed, match=r"Troubled.act gave an answer of a kind that no role gives"):
        there.act("strange")  # type: ignore[attr-defined]
    assert there.act("fine") == "fine"  # type: ignore[attr-defined]


def test_missing_and_broken_weights_are_said_at_the_role(shared: ModelService, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="does not exist"):
        role(shared, "Linear", str(tmp_path / "none.safetensors"))
    (tmp_path / "cut.safetensors").write_bytes(b"\x40\0\0\0\0\0\0\0{")
    with pytest.raises(ModelUnavailable, match="no tensors that can be read"):
        role(shared, "Linear", str(tmp_path / "cut.safetensors"))


def test_two_clients_at_once_each_get_their_own_answers(shared: ModelService, weights: str) -> None:
    here = tiny_models.Linear(ModelPlace("Linear", weights), device="cpu", dtype="float32")
    rows = np.random.default_rng(2).standard_normal((6, 40, 16)).astype(np.float32)

    def client(mine: np.ndarray) -> list[bytes]:
        there = role(shared, "Linear", weights)
        return [there.project(row).tobytes() for row in mine]  # type: ignore[attr-defined]

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(client, rows))
    assert found == [[here.project(row).tobytes() for row in mine] for mine in rows]


def test_calls_that_wait_are_answered_together(shared: ModelService, weights: str) -> None:
    blocker, there = role(shared, "Troubled", weights), [role(shared, "Linear", weights) for _ in range(5)]
    with ThreadPoolExecutor(6) as pool:
        blocked = pool.submit(blocker.act, "sleep", 3.0)  # type: ignore[attr-defined]
        time.sleep(0.2)
        found = list(pool.map(lambda one: one.project(ROW).tobytes(), there))
        blocked.result()
    assert len(set(found)) == 1
    assert there[0].together() >= 5  # type: ignore[attr-defined]


def test_somebody_who_waits_goes_before_bulk(shared: ModelService, weights: str) -> None:
    bulk, person = role(shared, "Troubled", weights), role(shared, "Linear", weights, lane=INTERACTIVE)
    order: list[str] = []

    def asked(name: str, ask: Callable[[], object]) -> None:
        ask()
        order.append(name)

    def sleep(seconds: float) -> None:
        bulk.act("sleep", seconds)  # type: ignore[attr-defined]

    with ThreadPoolExecutor(4) as pool:
        blocked = pool.submit(sleep, 3.0)
        time.sleep(0.2)
        # Each bulk call takes a second, so that no thread is told of its end before the person's can be.
        waiting = [pool.submit(asked, "bulk", partial(sleep, 1.0)) for _ in range(2)]
        time.sleep(0.2)
        waiting.append(pool.submit(asked, "person", lambda: person.project(ROW)))  # type: ignore[attr-defined]
        for one in (blocked, *waiting):
            one.result()
    assert order == ["person", "bulk", "bulk"]


def test_only_who_knows_the_token_is_heard(shared: ModelService, weights: str) -> None:
    address = shared.address()
    assert Path(address.sockets[0]).parent.stat().st_mode & 0o077 == 0
    stranger = ModelLine(type(address)(address.sockets, "guess"))
    answered = Event()

    def ask() -> None:
        try:
            remote_role(stranger, bound("Linear", weights), tiny_models.Linear)
            answered.set()
        except Interrupted:
            return

    stranger.cancelled = Event()
    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.3)
    stranger.cancelled.set()
    thread.join(8)
    assert not answered.is_set()


def test_eviction_follows_use_under_a_small_budget(serve: Serve, tmp_path: Path) -> None:
    service = serve(budget_bytes=15_000)  # two of 6,400 bytes, not three
    places = [write_weights(tmp_path / f"{n}.safetensors", 100, seed=n) for n in range(3)]
    line = ModelLine(service.address())
    models = [remote_role(line, bound("Linear", place, role=f"R{n}"), tiny_models.Linear) for n, place in enumerate(places)]
    until(lambda: resident(service) == ["R1", "R2"])
    models[1].project(ROW)  # type: ignore[attr-defined]
    models[0].project(ROW)  # type: ignore[attr-defined] # loaded again, in the place of the one used longest ago
    until(lambda: resident(service) == ["R1", "R0"])
    (row,) = service.rows()
    assert [one.num_bytes for one in row.resident] == [6400, 6400]
    assert row.budget_bytes == 15_000
    assert kinds(service).count("evicted") == 2
    with pytest.raises(ModelUnavailable, match=r"more than the 1.4e-05 GiB that models may take"):
        remote_role(line, bound("Linear", write_weights(tmp_path / "huge.safetensors", 300)), tiny_models.Linear)


@pytest.mark.promise(
    "a model that runs out of memory goes down a ladder: fewer calls at once, caches, other models, a smaller batch",
    area="Workers",
    goal="every rung is said, and the call answered on the last; without any room an error by name",
    control="tests/backend/jobs/test_model_ladder.py::test_a_ladder_that_shrinks_no_batch_is_found",
)
def test_memory_that_runs_out_is_said_and_mended(serve: Serve, weights: str, tally: Tally) -> None:
    service = serve()
    there = role(service, "Hungry", weights)
    assert there.own_batches(np.stack([ROW] * 3)).shape == (3, 100)  # type: ignore[attr-defined]
    rungs = [event.text for event in service.events() if event.kind == "out_of_memory"]
    tally.record(len(RUNGS), lost=len(not_climbed(rungs)))
    assert (len(rungs), not_climbed(rungs)) == (len(RUNGS), [])
    with pytest.raises(ModelFailed, match="ran out of memory") as raised:
        there.endless(ROW)  # type: ignore[attr-defined]
    assert raised.value.kind == "out_of_memory"


@pytest.mark.parametrize("what", ["steps", "passes"])
def test_cancelled_call_stops_at_its_next_border(shared: ModelService, weights: str, what: str) -> None:
    cancelled = Event()
    there = role(shared, "Troubled", weights, cancelled=cancelled)
    pid = there.where()  # type: ignore[attr-defined]
    threading.Timer(0.3, cancelled.set).start()
    started = time.monotonic()
    with pytest.raises(Interrupted):
        there.act(what, 30.0)  # type: ignore[attr-defined]
    assert time.monotonic() - started - 0.3 < 1.0 * BUSY
    cancelled.clear()
    assert there.where() == pid  # type: ignore[attr-defined] # the same process goes on


def test_client_that_goes_takes_its_call_along(shared: ModelService, weights: str) -> None:
    other = role(shared, "Troubled", weights)
    gone = ModelLine(shared.address())
    ask = Ask("1", "bulk", bound("Troubled", weights), "act", ("steps", 30.0))
    gone._connected(ask).send(ask)
    time.sleep(0.3)
    gone.close()
    started = time.monotonic()
    assert other.act("fine") == "fine"  # type: ignore[attr-defined]
    assert time.monotonic() - started < 1.0 * BUSY


def test_call_that_reaches_no_border_ends_with_its_worker(serve: Serve, weights: str) -> None:
    service, cancelled = serve(), Event()
    there, neighbour = role(service, "Troubled", weights, cancelled=cancelled), role(service, "Troubled", weights)
    pid = there.where()  # type: ignore[attr-defined]
    threading.Timer(0.3, cancelled.set).start()
    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        time.sleep(0.1)
        waits = pool.submit(lambda: (time.sleep(0.1), neighbour.where())[1])  # type: ignore[attr-defined]
        with pytest.raises(Interrupted):
            there.act("sleep", 60.0)  # type: ignore[attr-defined]
        assert time.monotonic() - started - 0.4 < 6.0 * BUSY
        assert waits.result(60) != pid  # the neighbour was asked again in the next worker
    assert "cancelled" in kinds(service)


@pytest.mark.parametrize(("what", "words"), [("segfault", "SIGSEGV.*about to die"), ("exit", "exit code 7")])
def test_call_that_kills_its_worker_fails_by_name(serve: Serve, weights: str, what: str, words: str) -> None:
    service = serve()
    there = role(service, "Troubled", weights)
    with pytest.raises(
        ModelFailed, match=rf"(?s)Troubled.act \(Troubled\) killed its worker on cpu, 2 times: .*{words}"
    ) as raised:
        there.act(what)  # type: ignore[attr-defined]
    assert raised.value.kind == "crash"
    assert there.act("fine") == "fine"  # type: ignore[attr-defined]
    assert service.rows()[0].restarts == 2


def test_worker_killed_from_outside_loses_no_call(serve: Serve, weights: str) -> None:
    service = serve()
    there, neighbour = role(service, "Troubled", weights), role(service, "Troubled", weights)
    pid = there.where()  # type: ignore[attr-defined]
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(one.act, "sleep", 1.0) for one in (there, neighbour)]  # type: ignore[attr-defined]
        time.sleep(0.4)
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        while service.rows()[0].pid in (0, pid) or service.rows()[0].state == "starting":
            assert time.monotonic() - killed < 5.0 * BUSY, "the worker is not back"
            time.sleep(0.01)
        assert [one.result(60) for one in both] == ["sleep", "sleep"]
    assert there.where() != pid  # type: ignore[attr-defined]


def test_hung_call_fails_by_name_and_its_neighbour_is_answered(serve: Serve, weights: str) -> None:
    service = serve(call_s=1.0)
    there, neighbour = role(service, "Troubled", weights), role(service, "Linear", weights)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(lambda: (time.sleep(0.3), neighbour.project(ROW))[1])  # type: ignore[attr-defined]
        with pytest.raises(ModelFailed, match=r"Troubled.act \(Troubled\) stood still for more than 1 s on cpu") as raised:
            there.act("sleep", 60.0)  # type: ignore[attr-defined]
        assert raised.value.kind == "timeout"
        assert waits.result(60).shape == (100,)


def test_call_has_the_processor_for_as_long_as_it_may_whatever_the_wall_says(serve: Serve, weights: str) -> None:
    """A worker that is stopped by SIGSTOP gets no processor, as on a machine that is busy with other things."""
    service = serve(call_s=1.0)
    there = role(service, "Troubled", weights)
    pid = there.where()  # type: ignore[attr-defined]
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(there.act, "work", 0.6)  # type: ignore[attr-defined]
        time.sleep(0.3)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(1.2)
        os.kill(pid, signal.SIGCONT)
        assert answer.result(60) == "work"
    assert there.where() == pid  # type: ignore[attr-defined]
    with pytest.raises(ModelFailed, match=r"worked for more than 1 s of processor time on cpu") as raised:
        there.act("work", 60.0)  # type: ignore[attr-defined]
    assert raised.value.kind == "timeout"


ACTS = ["fine", "raise", "segfault", "fine", "sleep", "raise", "fine", "steps", "fine", "endless", "exit", "fine"]
MORE = ["fine", "raise", "endless", "steps", "segfault", "fine", "raise"] * 4
VERDICTS = {"raise": "raised", "segfault": "crash", "exit": "crash", "sleep": "timeout", "endless": "out_of_memory"}


def verdict(there: Any, what: str) -> str:
    """What a call comes to that does as it is told."""
    try:
        return there.act(what, {"sleep": 60.0, "steps": 3.0}.get(what, 0.0))
    except ModelFailed as error:
        return error.kind
    except ValueError:
        return "raised"


@pytest.mark.promise(
    "every call of a model worker that faults ends in its own verdict, and its neighbours in theirs",
    area="Workers",
    goal="40/40 right: fine, many steps, exceptions, segmentation faults, an exit, a hang, out of memory",
    control="tests/backend/jobs/test_model_service.py::test_without_a_worker_the_first_fault_ends_the_owner",
)
def test_mix_of_faults_leaves_every_call_its_own_verdict(serve: Serve, weights: str, long: bool, tally: Tally) -> None:
    service = serve(call_s=2.0)
    acts = ACTS + MORE * long
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda what: verdict(role(service, "Troubled", weights), what), acts))
    lost = [(what, one) for what, one in zip(acts, found, strict=True) if one != VERDICTS.get(what, what)]
    tally.record(len(acts), lost=len(lost))
    assert lost == []


def test_without_a_worker_the_first_fault_ends_the_owner(weights: str) -> None:
    """The same calls of the same model, held by the one who asks; in a process of its own."""
    child = os.fork()
    if not child:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        here = tiny_models.Troubled(ModelPlace("Troubled", weights), device="cpu", dtype="float32")
        os._exit(0 if all(verdict(here, what) == VERDICTS.get(what, what) for what in ACTS) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGSEGV


def test_worker_that_cannot_start_is_not_tried_for_ever(
    serve: Serve, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.jobs.model_service.serve_models", tiny_models.die_at_once)
    service = serve()
    with pytest.raises(ModelFailed, match="the model worker has ended"):
        role(service, "Linear", weights)
    assert service.rows()[0].state == "failed"
    assert kinds(service).count("started") == 3
    assert kinds(service)[-1] == "failed"


def test_service_that_is_closed_leaves_no_process_and_no_folder(serve: Serve, weights: str) -> None:
    service = serve()
    pid = role(service, "Troubled", weights).where()  # type: ignore[attr-defined]
    folder = Path(service.address().sockets[0]).parent
    service.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not folder.exists()


OWNER = """
import sys, time
from backend.jobs.model_service import ModelService
from backend.jobs.model_worker import ModelWorkerSettings
from backend.models.remote_role import ModelLine, remote_role
from tests.backend.jobs import tiny_models
if __name__ == "__main__":
    service = ModelService(ModelWorkerSettings(), devices=["cpu"])
    there = remote_role(ModelLine(service.address()), tiny_models.bound("Troubled", sys.argv[1]), tiny_models.Troubled)
    print(there.where(), flush=True)
    time.sleep(60)
"""


@pytest.mark.promise(
    "a model worker ends soon after its owner was killed",
    area="Workers",
    goal="0 processes left after kill -9 of the owner",
    control="tests/backend/jobs/test_model_service.py::test_a_process_that_nobody_tied_to_its_owner_lives_on",
)
def test_worker_does_not_outlive_a_killed_owner(weights: str, tmp_path: Path, tally: Tally) -> None:
    script = tmp_path / "owner.py"
    script.write_text(OWNER)
    root = str(Path(__file__).resolve().parents[3])
    owner = subprocess.Popen(
        [sys.executable, str(script), weights], env={**os.environ, "PYTHONPATH": root}, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    lives = lives_on(pid, 5.0 * BUSY)
    tally.record(1, lost=lives)
    assert not lives, "the worker lives on"


def test_a_process_that_nobody_tied_to_its_owner_lives_on() -> None:
    script = "import subprocess, time; print(subprocess.Popen(['sleep', '30']).pid, flush=True); time.sleep(60)"
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    assert lives_on(pid, 1.0)
    os.kill(pid, signal.SIGKILL)


def lives_on(pid: int, seconds: float) -> bool:
    """Whether a process is still there after so long; one that has ended and nobody has asked about is not."""
    deadline = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]:
        if time.monotonic() > deadline:
            return True
        time.sleep(0.05)
    return False


def test_a_long_path_of_the_temporary_folder_hinders_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = tmp_path / ("a" * 100)
    far.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(far))
    service = ModelService(ModelWorkerSettings(), devices=["cpu"])
    (path,) = service.address().sockets
    assert Path(path).is_socket()
    service.close()
    assert not Path(path).exists()
