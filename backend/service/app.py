"""Routes, derived from the Api's signatures: `POST /api/NAME` for each operation, `GET /media/ID` with ranges, events, health."""

import asyncio
import dataclasses
import errno
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from backend.api import Api
from backend.client.wire import API_PATH, MEDIA_PATH, Operation, error_body, operations
from backend.domain import ModelUnavailable, ProjectError, ServiceError, StudioError
from backend.service.calls import BodyRefused
from backend.service.health import health_routes
from backend.service.openapi import document
from backend.service.strict_json import strict_json

PROGRESS_S = 0.25  # how often a followed job is looked at
HEARTBEAT_S = 15.0
EXHAUSTED = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""What is no caller's fault, and may be over when they try again."""
log = logging.getLogger(__name__)


def make_routes(api: Api, *, leaving: threading.Event) -> FastAPI:
    """The app over an Api, to be put behind a guard. Blocking operations run in threads; `leaving` ends what follows events."""
    app = FastAPI(title="Subject Studio", docs_url=None, redoc_url=None)
    app.openapi = document
    app.add_exception_handler(StudioError, _studio_error)
    app.add_exception_handler(BodyRefused, _body_refused)
    app.add_exception_handler(OSError, _file_error)
    for operation in operations().values():
        app.add_api_route(API_PATH + operation.name, _route(api, operation), methods=["POST"], name=operation.name)
    app.router.routes.extend(health_routes(api))

    @app.get(MEDIA_PATH + "{media_id}")
    async def media(media_id: str) -> FileResponse:
        found = await run_in_threadpool(lambda: api.media(media_id=media_id))
        return FileResponse(found.path, media_type=found.mime)

    @app.get("/events/models")
    async def model_events(request: Request) -> StreamingResponse:
        last = request.headers.get("last-event-id", "0")
        after = int(last) if last.isdecimal() and len(last) < 16 else 0
        return StreamingResponse(_follow_models(api, after, request, leaving), media_type="text/event-stream")

    @app.get("/events/{job_id}")
    async def events(job_id: str, request: Request) -> StreamingResponse:
        await run_in_threadpool(lambda: api.progress(job_id=job_id))
        return StreamingResponse(_follow(api, job_id, request, leaving), media_type="text/event-stream")

    return app


def _route(api: Api, operation: Operation) -> Callable[..., Any]:
    async def call(request: Request) -> Response:
        raw = await request.body()
        try:
            strict_json(raw or b"{}")
            arguments = operation.arguments.model_validate_json(raw or b"{}")
        except (ValidationError, ValueError, RecursionError) as error:
            return _bad_request(operation.name, error)
        values = {name: getattr(arguments, name) for name in operation.arguments.model_fields}
        result = await run_in_threadpool(lambda: getattr(api, operation.name)(**values))
        return Response(operation.result.dump_json(result), media_type="application/json")

    return call


async def _follow(api: Api, job_id: str, request: Request, leaving: threading.Event) -> AsyncIterator[bytes]:
    last, number, quiet = None, 0, 0.0
    while not (leaving.is_set() or await request.is_disconnected()):
        progress = await run_in_threadpool(lambda: api.progress(job_id=job_id))
        if progress != last:
            body = operations()["progress"].result.dump_json(progress).decode()
            yield f"id: {number}\nevent: progress\ndata: {body}\n\n".encode()
            last, number, quiet = progress, number + 1, 0.0
            if progress.state not in ("queued", "running"):
                return
        elif quiet > HEARTBEAT_S:
            yield b": still here\n\n"
            quiet = 0.0
        await asyncio.sleep(PROGRESS_S)
        quiet += PROGRESS_S


async def _follow_models(api: Api, after: int, request: Request, leaving: threading.Event) -> AsyncIterator[bytes]:
    """What befalls model workers, from the event after `after` on, for as long as the client listens."""
    quiet = 0.0
    while not (leaving.is_set() or await request.is_disconnected()):
        events = await run_in_threadpool(partial(api.model_events, after=after))
        for event in events:
            after, quiet = event.number, 0.0
            yield f"id: {event.number}\nevent: model\ndata: {json.dumps(dataclasses.asdict(event))}\n\n".encode()
        if not events and quiet > HEARTBEAT_S:
            yield b": still here\n\n"
            quiet = 0.0
        await asyncio.sleep(PROGRESS_S)
        quiet += PROGRESS_S


def _bad_request(name: str, error: Exception) -> JSONResponse:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = f"{name}: {place}: {first['msg']}" if place else f"{name}: {first['msg']}"
    else:
        message = f"{name}: the body is not JSON: {type(error).__name__}"
    body = {"error": {"type": "StudioError", "kind": "bad_request", "message": message}}
    return JSONResponse(json.loads(json.dumps(body).encode("ascii")), status_code=422)


async def _studio_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StudioError)
    statuses = {ProjectError: 409, ModelUnavailable: 424, ServiceError: 503}
    return JSONResponse({"error": error_body(error)}, status_code=statuses.get(type(error), 400))


async def _file_error(request: Request, error: Exception) -> JSONResponse:
    """A file that the caller named cannot be used, or the machine has no more of something."""
    assert isinstance(error, OSError)
    log.warning("%s: %s", request.url.path, error, exc_info=error)
    said = f"{error.strerror or type(error).__name__}: {str(error.filename or '')[:200]!r}; name another file, or mend that one"
    body = {"error": {"type": "StudioError", "kind": "file", "message": said}}
    return JSONResponse(body, status_code=503 if error.errno in EXHAUSTED else 400)


async def _body_refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BodyRefused)
    body = {"error": {"type": "StudioError", "kind": error.refusal.word, "message": str(error)}}
    return JSONResponse(body, status_code=error.refusal.status)
