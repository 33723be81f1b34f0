"""Questions to a model that chats behind an endpoint: a text and pictures, answered by a text."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backend.models.endpoint_calls import EndpointCalls, Limits, Reply, unanswered
from backend.models.judge_answers import shortened
from backend.models.places import ModelPlace

if TYPE_CHECKING:
    import openai

MOST_BYTES = 1 << 20  # of one answer; a caption takes 5 kB with its envelope


@dataclass(frozen=True, slots=True)
class Chat:
    """One message of a text and pictures (JPEG, in the order shown), and how the answer is to be written."""

    text: str
    images: tuple[bytes, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the protocol, as `temperature`."""


class ChatEndpoint:
    """A model behind an endpoint, asked in chat completions."""

    def __init__(self, place: ModelPlace, *, who: str, limits: Limits) -> None:
        """As `EndpointCalls`."""
        self._calls, self._who = EndpointCalls(place, who=who, limits=limits, most_bytes=MOST_BYTES), who

    def ask(
        self,
        chats: Sequence[Chat],
        *,
        fault: Callable[[int, str], str],
        keep: Callable[[int, Reply], None] = lambda number, reply: None,
    ) -> list[Reply]:
        """A reply to each. `fault(number, raw)` says what is wrong with an answer, which is then asked for again;
        `keep(number, reply)` is called for each final reply as soon as it is there."""

        def send(client: "openai.AsyncOpenAI", number: int) -> Any:
            chat = chats[number]
            create = client.chat.completions.with_streaming_response.create
            return create(model=self._calls.model, messages=[_message(chat)], **chat.settings)

        def read(number: int, text: str) -> Reply:
            return _content(text, self._who, self._calls.hidden, lambda raw: fault(number, raw))

        return self._calls.make(len(chats), send=send, read=read, keep=keep)


def _message(chat: Chat) -> Any:
    pictures = [
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + base64.b64encode(image).decode("ascii")}}
        for image in chat.images
    ]
    return {"role": "user", "content": [*pictures, {"type": "text", "text": chat.text}]}


def _content(text: str, who: str, hidden: Callable[[str], str], fault: Callable[[str], str]) -> Reply:
    """What an answer with status 200 says; an envelope that is none is a fault of the way."""
    try:
        answer = json.loads(text)
        choice = answer["choices"][0]["message"]
        content = choice.get("content")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return unanswered(f"{who} sent what is no chat completion: {shortened(text) or 'nothing'}", text)
    usage = answer.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    raw = hidden(content if isinstance(content, str) else str(choice.get("refusal") or ""))
    tokens_in, tokens_out = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    return Reply(raw, fault(raw), num_tokens_in=tokens_in, num_tokens_out=tokens_out)


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
