"""What Label Studio asks of an ML backend: /health, /setup and /predict, answered with what machines think of each pair."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from backend.api import Api, PairRow
from backend.domain import VERIFY_STUDY, StudioError
from backend.exports.label_studio import TOKEN, PushedTrial, field_of
from backend.service.calls import BodyRefused
from backend.service.guard import Guard
from backend.service.network_place import NetworkPlace, listening
from backend.service.server_thread import ServerThread
from backend.service.strict_json import strict_json

VERSION = "subject-studio"
MOST_TASKS = 1000
QUESTION = "same"
SURE_BY = ("similarity", "face_cosine")
"""What a suggestion is sure by: appearance, or faces where these decide."""


USER = "subject-studio"
"""Label Studio's page Connect Model sends a name and a password (Basic Authentication), and nothing else that could be a token."""


class SuggestionsGuard(Guard):
    """The token comes as a password, and bodies may be larger: tasks come back with the pictures that were put into them."""

    max_body_bytes = 64 << 20

    @staticmethod
    def authorization(token: str) -> bytes:
        """As RFC 7617 spells a name and a password."""
        return b"Basic " + base64.b64encode(f"{USER}:{token}".encode())


@contextmanager
def serving_suggestions(api: Api, known: Mapping[str, PushedTrial], *, port: int, token: str) -> Iterator[str]:
    """Serves on loopback while the block runs, and gives the address; port 0 takes a free one.

    Other users and processes of this machine are kept out by `token`, the password of `USER`; web pages by what they send.
    Raises ServiceError for a port that is taken.
    """
    what = "the ML backend"
    listens = listening(NetworkPlace(port=port), what=what)
    place = NetworkPlace(port=listens.getsockname()[1])
    guard = SuggestionsGuard(suggestions_app(api, known), token=token, hosts=place.hosts)
    server = ServerThread(guard, listens, name=f"{what} at {place.url}")
    try:
        yield place.url
    finally:
        server.stop()


def suggestions_app(api: Api, known: Mapping[str, PushedTrial]) -> FastAPI:
    """The app, to be put behind a guard.

    Tasks that were not pushed from here, and those of studies, which no machine answers, get an empty prediction.
    """
    app = FastAPI(title="Subject Studio for Label Studio", openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/")
    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "UP", "model_class": VERSION}

    @app.post("/setup")
    def setup() -> dict[str, str]:
        return {"model_version": VERSION}

    @app.post("/predict")
    async def predict(request: Request) -> JSONResponse:
        try:
            raw = await request.body()
        except BodyRefused as error:
            return JSONResponse({"detail": str(error)}, status_code=error.refusal.status)
        return await run_in_threadpool(lambda: _predictions(api, known, raw))

    return app


def _predictions(api: Api, known: Mapping[str, PushedTrial], raw: bytes) -> JSONResponse:
    try:
        strict_json(raw)
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return JSONResponse({"detail": "the body is no JSON"}, status_code=400)
    tasks = body.get("tasks") if isinstance(body, dict) else None
    if not isinstance(tasks, list) or len(tasks) > MOST_TASKS:
        return JSONResponse({"detail": f"tasks is no list of at most {MOST_TASKS}"}, status_code=400)
    return JSONResponse({"results": [_prediction(api, known, task) for task in tasks], "model_version": VERSION})


def _prediction(api: Api, known: Mapping[str, PushedTrial], task: Any) -> dict[str, Any]:
    data = task.get("data") if isinstance(task, dict) else None
    token = data.get(TOKEN) if isinstance(data, dict) else None
    trial = known.get(token) if isinstance(token, str) else None
    nothing = {"result": [], "score": 0.0, "model_version": VERSION}
    if trial is None or trial.study_id != VERIFY_STUDY:
        return nothing
    try:
        pair: PairRow = api.pair(pair_id=trial.item_id)
    except StudioError:  # hidden by gates since it was pushed
        return nothing
    choice = "same" if pair.accepted else "different"
    value = {"choices": [choice]}
    result = {"from_name": QUESTION, "to_name": field_of(trial.shown[0]), "type": "choices", "value": value}
    measured = [score for name in SURE_BY if (score := pair.scores.get(name)) is not None]
    return {"result": [result], "score": measured[0] if measured else 0.0, "model_version": VERSION}
