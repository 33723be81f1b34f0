"""What monitoring asks of a server: `/livez`, `/readyz` and `/metrics` in Prometheus' text format 0.0.4."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from backend.api import Api
from backend.domain.health import Health

PROBE_S = 5.0  # within it one answer serves all: asking costs a write
WAIT_S = 5.0  # a disk that hangs is a journal that cannot be written
TEXT = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("queued", "running", "done", "failed", "cancelled", "interrupted")
BEGAN_S = time.time()


def health_routes(api: Api) -> list[Route]:
    """The three routes over an Api."""
    ask = _Asked(api.health)

    async def livez(request: Request) -> Response:
        return JSONResponse({"live": True})

    async def readyz(request: Request) -> Response:
        """Which parts are ready; why one is not is told to those who have the token, by the operation `health`."""
        found = await ask.now()
        ready = {"service": False} if found is None else {name: not why for name, why in found.problems.items()}
        is_ready = all(ready.values())
        return JSONResponse({"ready": is_ready, "checks": ready}, status_code=200 if is_ready else 503)

    async def metrics(request: Request) -> Response:
        found = await ask.now()
        return PlainTextResponse("".join(exposition(found)), media_type=TEXT)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


class _Asked:
    """The newest answer, asked for again when it is old. One asks at a time; who would wait too long gets None."""

    def __init__(self, ask: Callable[[], Health]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._found: Health | None = None
        self._at_s = -PROBE_S

    async def now(self) -> Health | None:
        try:
            async with asyncio.timeout(WAIT_S):
                return await run_in_threadpool(self._fresh)
        except TimeoutError:
            return None

    def _fresh(self) -> Health | None:
        with self._lock:
            if time.monotonic() - self._at_s >= PROBE_S:
                self._found = self._ask()
                self._at_s = time.monotonic()
            return self._found


def exposition(found: Health | None) -> Iterable[str]:
    """The lines of /metrics. Figures that are not known are left out; `up` says whether any were."""
    yield from _family("up", "gauge", "Whether the owner of the project answers.", 0 if found is None else 1)
    yield from _family("start_time_seconds", "gauge", "When this process began, in seconds since 1970.", BEGAN_S)
    if found is None:
        return
    ready = {name: int(not why) for name, why in found.problems.items()}
    yield from _families("ready", "gauge", "Whether a part can work.", "check", ready)
    jobs = {state: found.jobs.get(state, 0) for state in STATES}
    yield from _families("jobs", "gauge", "Jobs of this owner by state.", "state", jobs)
    yield from _family("queue_depth", "gauge", "Calls that wait for a model.", found.queued)
    yield from _family(
        "votes_acknowledged_total", "counter", "Votes on the disk before their callers were told.", found.num_votes
    )
    if found.lag is not None:
        yield from _family("projector_lag_events", "gauge", "Events that the catalog has not seen yet.", found.lag)
    if found.commit_p99_s is not None:
        words = "99th percentile of the journal's newest transactions, begin to disk."
        yield from _family("commit_p99_seconds", "gauge", words, found.commit_p99_s)
    yield from _family("worker_restarts_total", "counter", "Model workers that were started again.", found.num_restarts)
    yield from _family("resident_bytes", "gauge", "Memory of the owner's process.", found.resident_bytes)
    yield from _family("model_bytes", "gauge", "Models that workers hold.", found.model_bytes)
    yield from _family("disk_free_bytes", "gauge", "Free on the project's disk.", found.free_bytes)


def _family(name: str, kind: str, words: str, value: float) -> Iterable[str]:
    yield from _head(name, kind, words)
    yield f"subject_studio_{name} {value!r}\n"


def _families(name: str, kind: str, words: str, label: str, values: Mapping[str, float]) -> Iterable[str]:
    yield from _head(name, kind, words)
    for key, value in values.items():
        yield f'subject_studio_{name}{{{label}="{key}"}} {value!r}\n'


def _head(name: str, kind: str, words: str) -> Iterable[str]:
    yield f"# HELP subject_studio_{name} {words}\n"
    yield f"# TYPE subject_studio_{name} {kind}\n"
