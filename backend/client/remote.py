"""`Api` over HTTP on a Unix socket: every method is derived from the protocol's signature."""

from collections.abc import Callable
from typing import Any

from pydantic_core import PydanticSerializationError

from backend.client.own_httpx import httpx
from backend.client.place import ServicePlace
from backend.client.wire import API_PATH, Operation, error_of, operations
from backend.domain import ServiceError, SettingsError

CONNECT_S = 2.0
READ_S = 300.0  # an export or a check may take minutes; votes are stored in milliseconds


class RemoteApi:
    """Calls a running service. Methods are those of `Api`; ServiceError when it cannot be reached."""

    def __init__(self, place: ServicePlace) -> None:
        token = place.read_token()
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(place.socket)),
            base_url="http://subject-studio",
            headers={"authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
        )

    def close(self) -> None:
        self._http.close()

    def _call(self, operation: Operation, arguments: dict[str, Any]) -> Any:
        try:
            body = operation.arguments(**arguments).model_dump_json()
        except PydanticSerializationError as error:  # half of a pair of UTF-16, which no JSON of ours carries
            raise SettingsError(f"{operation.name} was given what is no valid Unicode: {error}") from error
        try:
            answer = self._http.post(API_PATH + operation.name, content=body, headers={"content-type": "application/json"})
        except httpx.HTTPError as error:
            raise ServiceError(
                f"the service cannot be reached ({type(error).__name__}); start it with `studio-backend serve`"
            ) from error
        if answer.is_success:
            return operation.result.validate_json(answer.content)
        try:
            detail = answer.json()["error"]
        except (ValueError, KeyError, TypeError):
            detail = None
        raise error_of(detail, status=answer.status_code)


def _method(operation: Operation) -> Callable[..., Any]:
    def call(self: RemoteApi, **arguments: Any) -> Any:
        return self._call(operation, arguments)

    call.__name__ = operation.name
    call.__doc__ = operation.summary
    return call


for _operation in operations().values():
    setattr(RemoteApi, _operation.name, _method(_operation))
