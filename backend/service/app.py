"""Routes, derived from the Api's signatures: `POST /api/NAME` for each operation, `GET /media/ID` with ranges."""

import asyncio
import dataclasses
import json
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
from backend.service.guard import BodyTooLarge, Guard

PROGRESS_S = 0.25  # how often a followed job is looked at
HEARTBEAT_S = 15.0


def make_app(api: Api, *, token: str, hosts: frozenset[str] = frozenset({"subject-studio"})) -> Guard:
    """The guarded ASGI app over an Api. Blocking operations run in threads."""
    app = FastAPI(title="Subject Studio", docs_url=None, redoc_url=None)
    app.add_exception_handler(StudioError, _studio_error)
    app.add_exception_handler(BodyTooLarge, _too_large)
    for operation in operations().values():
        app.add_api_route(
            API_PATH + operation.name,
            _route(api, operation),
            methods=["POST"],
            summary=operation.summary,
            name=operation.name,
            openapi_extra={
                "requestBody": {"content": {"application/json": {"schema": operation.arguments.model_json_schema()}}}
            },
        )

    @app.get(MEDIA_PATH + "{media_id}")
    async def media(media_id: str) -> FileResponse:
        found = await run_in_threadpool(lambda: api.media(media_id=media_id))
        return FileResponse(found.path, media_type=found.mime, headers={"x-content-type-options": "nosniff"})

    @app.get("/events/models")
    async def model_events(request: Request) -> StreamingResponse:
        last = request.headers.get("last-event-id", "0")
        after = int(last) if last.isdecimal() and len(last) < 16 else 0
        return StreamingResponse(_follow_models(api, after, request), media_type="text/event-stream")

    @app.get("/events/{job_id}")
    async def events(job_id: str, request: Request) -> StreamingResponse:
        await run_in_threadpool(lambda: api.progress(job_id=job_id))
        return StreamingResponse(_follow(api, job_id, request), media_type="text/event-stream")

    @app.get("/livez")
    async def livez() -> dict[str, bool]:
        return {"live": True}

    return Guard(app, token=token, hosts=hosts)


def _route(api: Api, operation: Operation) -> Callable[..., Any]:
    async def call(request: Request) -> Response:
        raw = await request.body()
        try:
            json.loads(raw or b"{}", parse_constant=_refuse_constant)
            arguments = operation.arguments.model_validate_json(raw or b"{}")
        except (ValidationError, ValueError, RecursionError) as error:
            return _bad_request(operation.name, error)
        values = {name: getattr(arguments, name) for name in operation.arguments.model_fields}
        result = await run_in_threadpool(lambda: getattr(api, operation.name)(**values))
        return Response(operation.result.dump_json(result), media_type="application/json")

    return call


async def _follow(api: Api, job_id: str, request: Request) -> AsyncIterator[bytes]:
    last, number, quiet = None, 0, 0.0
    while not await request.is_disconnected():
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


async def _follow_models(api: Api, after: int, request: Request) -> AsyncIterator[bytes]:
    """What befalls model workers, from the event after `after` on, for as long as the client listens."""
    quiet = 0.0
    while not await request.is_disconnected():
        events = await run_in_threadpool(partial(api.model_events, after=after))
        for event in events:
            after, quiet = event.number, 0.0
            yield f"id: {event.number}\nevent: model\ndata: {json.dumps(dataclasses.asdict(event))}\n\n".encode()
        if not events and quiet > HEARTBEAT_S:
            yield b": still here\n\n"
            quiet = 0.0
        await asyncio.sleep(PROGRESS_S)
        quiet += PROGRESS_S


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that JSON knows")


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


async def _too_large(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": {"type": "StudioError", "kind": "refused", "message": str(error)}}, status_code=413)
