"""What the page may send: JSON of exactly these fields."""

import json
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.requests import Request

from backend.service.strict_json import strict_json

_CONTROLS = {code: None for code in range(32) if chr(code) not in "\n\t"} | {127: None}


def _clean(value: object) -> object:
    """Without control characters, which no person types and no table shows."""
    return value.translate(_CONTROLS) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_clean)]
Word = Annotated[Text, Field(max_length=100)]
T = TypeVar("T", bound="Asked")


class BadRequest(Exception):
    """A body that is not what the page sends; the text names the field."""


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Join(Asked):
    login: Annotated[Text, Field(max_length=200)] = ""
    background: Annotated[Text, Field(max_length=200)] = ""


class Consent(Asked):
    agreed: bool


class Trials(Asked):
    start: Annotated[int, Field(ge=0, le=10_000)] | None = None


class Answer(Asked):
    vote: Word
    rev: Annotated[int, Field(ge=1, le=10_000)]
    trial: Word
    question: Word
    choice: Word | None
    reasons: Annotated[tuple[Word, ...], Field(max_length=50)] = ()
    comment: Text = ""
    visible_ms: Annotated[int, Field(ge=0, le=86_400_000)] = 0
    made_at: Annotated[Word, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")]


class Event(Asked):
    id: Annotated[Word, Field(pattern=r"^[0-9a-f-]{36}$")]
    name: Annotated[Word, Field(pattern=r"^(shown|played|hidden|visible|offline|online|media_missing|reload)$")]
    trial: Word = ""
    value: Annotated[float, Field(ge=0, le=1e9)] | None = None
    made_at: Word = ""


class Events(Asked):
    events: Annotated[tuple[Event, ...], Field(min_length=1, max_length=50)]


class Slid(Asked):
    nonce: Annotated[str, Field(max_length=500)]
    value: Annotated[int, Field(ge=0, le=100)]
    trace: Annotated[tuple[tuple[float, float], ...], Field(max_length=1_000)]
    by_keys: bool = False


async def asked(request: Request, kind: type[T]) -> T:
    """The body as `kind`. Raises BadRequest."""
    raw = await request.body() or b"{}"
    try:
        strict_json(raw, takes_nul=True)  # control letters are taken out of texts
        return kind.model_validate_json(raw)
    except RecursionError as error:
        raise BadRequest("the body is nested too deep") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        told = json.dumps(f"{place}: {first['msg']}")[1:-1]  # as ASCII: the field's name may be anybody's
        raise BadRequest(told) from error
    except ValueError as error:
        raise BadRequest(json.dumps(str(error))[1:-1]) from error
