"""How operations travel: one list derived from `Api`'s signatures, used by the service's routes and by the client."""

import dataclasses
import inspect
from functools import cache, cached_property
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model

import backend.api
import backend.domain.doctor
import backend.domain.erasing
import backend.domain.health
import backend.domain.jobs
import backend.domain.library
import backend.domain.people
import backend.domain.privacy
import backend.domain.project_care
import backend.domain.studies
import backend.domain.study_plans
from backend.api import Api
from backend.domain import errors

MEDIA_PATH = "/media/"
API_PATH = "/api/"
STRICT = (
    backend.api,
    backend.domain.doctor,
    backend.domain.erasing,
    backend.domain.health,
    backend.domain.jobs,
    backend.domain.library,
    backend.domain.people,
    backend.domain.privacy,
    backend.domain.project_care,
    backend.domain.studies,
    backend.domain.study_plans,
)
"""Modules whose records refuse fields that they do not have."""
NOT_OURS = (401, 421)  # another service answered than the one whose token was read: look for it again


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation of `Api`. What checks its values is made when it is first used: a client uses few of them."""

    name: str
    function: Any

    @cached_property
    def arguments(self) -> type[BaseModel]:
        """Validates its JSON body."""
        hints = get_type_hints(self.function)
        fields: dict[str, Any] = {}
        for parameter in list(inspect.signature(self.function).parameters.values())[1:]:
            assert parameter.kind is parameter.KEYWORD_ONLY, f"Api.{self.name}: {parameter.name} must be keyword-only"
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[parameter.name] = (hints[parameter.name], default)
        return create_model(f"{self.name}_arguments", __config__=ConfigDict(extra="forbid"), **fields)

    @cached_property
    def result(self) -> TypeAdapter[Any]:
        """Writes and reads its answer."""
        return TypeAdapter(get_type_hints(self.function)["return"])

    @property
    def summary(self) -> str:
        """The first line of what its declaration says."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]


@cache
def operations() -> dict[str, Operation]:
    """Every operation of `Api` by name."""
    for module in STRICT:
        for found in vars(module).values():
            if dataclasses.is_dataclass(found):
                found.__pydantic_config__ = ConfigDict(extra="forbid")  # pyright: ignore[reportAttributeAccessIssue]
    return {
        name: Operation(name, function)
        for name, function in inspect.getmembers(Api, inspect.isfunction)  # those that it inherits among them
        if name[0] != "_"
    }


def error_body(error: errors.StudioError) -> dict[str, str]:
    """What a failure says over HTTP."""
    return {"type": type(error).__name__, "kind": error.kind, "message": str(error)}


def error_of(body: Any, *, status: int) -> errors.StudioError:
    """The failure that a service reported, with its kind; ServiceError when it gave none (worth trying again)."""
    if not isinstance(body, dict) or "message" not in body:
        return errors.ServiceError(f"the service answered {status} without a reason; see its log")
    if status in NOT_OURS:
        return errors.ServiceError(str(body["message"]))
    known = getattr(errors, str(body.get("type")), errors.StudioError)
    if not (isinstance(known, type) and issubclass(known, errors.StudioError)):
        known = errors.StudioError
    error = known(str(body["message"]))
    error.kind = str(body.get("kind", known.kind))
    return error
