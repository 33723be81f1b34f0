"""The service described as OpenAPI 3.1, derived from the Api's signatures: what `GET /openapi.json` gives."""

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from backend.client.wire import API_PATH, MEDIA_PATH, operations

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "kind", "message"],
            "properties": {name: {"type": "string"} for name in ("type", "kind", "message")},
        }
    },
}
REFUSED = {
    "400": "something that the caller can mend, or a head that is no HTTP",
    "401": "the token is missing or wrong",
    "403": "it comes from a web page",
    "408": "the body came too slowly",
    "413": "the body is too large",
    "415": "the body is not plain JSON",
    "421": "it was sent to another host",
    "431": "too many or too long headers",
}
FAILED = {
    "409": "the project does not allow it",
    "422": "the body is not what the operation takes",
    "424": "a model is missing",
    "503": "the service cannot do it now",
}
MEDIA = {
    "200": "the whole file",
    "206": "the part that Range asks for",
    "404": "no file has that id",
    "410": "the file cannot be read any more",
    "416": "no such part",
}


@cache
def document() -> dict[str, Any]:
    """Every route with what it takes and all that it may answer."""
    adapters = [
        entry
        for name, one in operations().items()
        for entry in ((name, "validation", TypeAdapter(one.arguments)), (name, "serialization", one.result))
    ]
    found, definitions = TypeAdapter.json_schemas(adapters, ref_template="#/components/schemas/{model}")  # pyright: ignore[reportArgumentType]
    paths: dict[str, Any] = {
        API_PATH + name: {
            "post": {
                "operationId": name,
                "summary": one.summary,
                "requestBody": {"required": True, "content": _json(found[name, "validation"])},
                "responses": {
                    "200": {"description": "done", "content": _json(found[name, "serialization"])},
                    **_errors(REFUSED | FAILED),
                },
            }
        }
        for name, one in operations().items()
    }
    paths |= {
        MEDIA_PATH + "{media_id}": _get("media", MEDIA, "a file of the project, by an id that the Api gave", "media_id"),
        "/events/models": _get("model_events_followed", {"200": "server-sent events"}, "what befalls model workers"),
        "/events/{job_id}": _get("job_followed", {"200": "server-sent events"}, "how a job goes", "job_id"),
        "/livez": _get("livez", {"200": "the process answers"}, "whether it runs"),
        "/readyz": _get("readyz", {"200": "ready", "503": "not ready; why"}, "whether it can do its work"),
        "/metrics": _get("metrics", {"200": "Prometheus text format 0.0.4"}, "figures for monitoring"),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Subject Studio", "version": "1"},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Refusal": ERROR, **definitions.get("$defs", {})},
        },
    }


def _get(name: str, answers: dict[str, str], summary: str, *parameters: str) -> dict[str, Any]:
    told = {status: {"description": words} for status, words in answers.items()}
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "parameters": [
                {"name": one, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
                for one in parameters
            ],
            "responses": {**_errors(REFUSED | FAILED), **told},
        }
    }


def _errors(words: dict[str, str]) -> dict[str, Any]:
    schema = _json({"$ref": "#/components/schemas/Refusal"})
    return {status: {"description": said, "content": schema} for status, said in words.items()}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
