"""Questions to an endpoint that speaks OpenAI's protocol: with deadlines, bounded retries and no trust."""

import asyncio
import base64
import json
import os
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from backend.domain import ModelUnavailable
from backend.models.judge_answers import shortened
from backend.models.places import LOOPBACK, ModelPlace

if TYPE_CHECKING:
    import httpx
    import openai

KEY = "OPENAI_API_KEY"
SECRET = re.compile(r"sk-[A-Za-z0-9_-]{8,}")
MOST_BYTES = 1 << 20  # of one answer; a caption takes 5 kB with its envelope
AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
"""Statuses after which asking again may help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long and how often an endpoint is asked."""

    tries: int = 4
    attempt_s: float = 90.0
    """From connecting to the last byte. A dripping answer passes any limit on single reads."""
    first_wait_s: float = 2.0
    """Doubled after each try, with chance added: OpenS2V waits 2 to 10 s."""
    longest_wait_s: float = 20.0
    """An endpoint that asks to wait longer is not asked again."""
    at_once: int = 8


@dataclass(frozen=True, slots=True)
class Chat:
    """One message of a text and pictures (JPEG, in the order shown), and how the answer is to be written."""

    text: str
    images: tuple[bytes, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the protocol, as `temperature`."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the answer as it came, and why it is not what was asked for (empty when it is).

    `is_final` says that the model did answer, so that asking once more would only pay twice.
    """

    raw: str
    reason: str = ""
    is_final: bool = True
    num_calls: int = 1
    num_tokens_in: int = 0
    num_tokens_out: int = 0


class ChatEndpoint:
    """A model behind an endpoint. The key is read from OPENAI_API_KEY and appears in no text."""

    def __init__(self, place: ModelPlace, *, who: str, limits: Limits) -> None:
        """`who` names the model in reasons. Raises ModelUnavailable when the place is no endpoint, or the package or the
        key is missing."""
        self._model, self._url = place.endpoint()
        try:
            import httpx
            import openai
        except ImportError as error:
            raise ModelUnavailable(f"a {who} needs the extra: pip install 'subject-studio[models]'") from error
        self._is_near = httpx.URL(self._url).host.strip("[]") in LOOPBACK
        self._key = os.environ.get(KEY, "").strip() or ("none" if self._is_near else "")
        if not self._key:
            raise ModelUnavailable(f"models.{place.role} is an endpoint, which needs a key; set {KEY} in the environment")
        self._openai, self._httpx = openai, httpx
        self._who, self._limits = who, limits

    def ask(
        self,
        chats: Sequence[Chat],
        *,
        fault: Callable[[int, str], str],
        keep: Callable[[int, Reply], None] = lambda number, reply: None,
    ) -> list[Reply]:
        """A reply to each. `fault(number, raw)` says what is wrong with an answer, which is then asked for again;
        `keep(number, reply)` is called for each final reply as soon as it is there."""
        return asyncio.run(self._ask(chats, fault, keep))

    async def _ask(
        self, chats: Sequence[Chat], fault: Callable[[int, str], str], keep: Callable[[int, Reply], None]
    ) -> list[Reply]:
        limits = self._httpx.Limits(max_connections=self._limits.at_once)
        gate = asyncio.Semaphore(self._limits.at_once)
        # A proxy of the environment is for what lies beyond this machine. Redirects could carry the key elsewhere.
        async with (
            self._httpx.AsyncClient(follow_redirects=False, trust_env=not self._is_near, limits=limits) as http,
            self._openai.AsyncOpenAI(
                # Beyond the limit of the whole attempt, so that the reason names that one.
                api_key=self._key,
                base_url=self._url,
                max_retries=0,
                timeout=2 * self._limits.attempt_s,
                http_client=http,
            ) as client,
        ):

            async def one(number: int) -> Reply:
                async with gate:
                    reply = await self._until_answered(client, chats[number], lambda raw: fault(number, raw))
                if reply.is_final:
                    keep(number, reply)
                return reply

            return list(await asyncio.gather(*map(one, range(len(chats)))))

    async def _until_answered(self, client: "openai.AsyncOpenAI", chat: Chat, fault: Callable[[str], str]) -> Reply:
        """Asks up to `tries` times."""
        num_calls = num_in = num_out = 0
        while True:
            reply, asked_wait_s = await self._once(client, chat, fault)
            num_calls += reply.num_calls
            num_in, num_out = num_in + reply.num_tokens_in, num_out + reply.num_tokens_out
            if not reply.reason or asked_wait_s is None or num_calls >= self._limits.tries:
                break
            if asked_wait_s > self._limits.longest_wait_s:
                break
            own_wait_s = self._limits.first_wait_s * 2 ** (num_calls - 1) * random.uniform(0.75, 1.25)
            await asyncio.sleep(min(max(asked_wait_s, own_wait_s), self._limits.longest_wait_s))
        tries = f" (asked {num_calls} times)" if reply.reason and num_calls > 1 else ""
        return replace(
            reply,
            reason=self._clean(reply.reason) + tries if reply.reason else "",
            raw=self._clean(reply.raw),
            num_calls=num_calls,
            num_tokens_in=num_in,
            num_tokens_out=num_out,
        )

    async def _once(
        self, client: "openai.AsyncOpenAI", chat: Chat, fault: Callable[[str], str]
    ) -> tuple[Reply, float | None]:
        """One call: its reply, and how long the endpoint wants to be left alone (None: asking again is of no use)."""
        openai = self._openai
        try:
            async with asyncio.timeout(self._limits.attempt_s):
                text = await self._answer(client, chat)
        except TimeoutError:
            return _fault(f"{self._who} gave no whole answer within {self._limits.attempt_s:g} s"), 0.0
        except openai.APIStatusError as error:
            return _refusal(error.response, self._who)
        except (openai.APIError, self._httpx.HTTPError) as error:
            cause = error.__cause__ or error
            return _fault(f"{self._who} cannot be reached: {shortened(str(cause) or type(cause).__name__)}"), 0.0
        return _content(text, self._who, fault)

    async def _answer(self, client: "openai.AsyncOpenAI", chat: Chat) -> str:
        async with client.chat.completions.with_streaming_response.create(
            model=self._model, messages=[_message(chat)], **chat.settings
        ) as response:
            body = bytearray()
            async for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    break
        return body[:MOST_BYTES].decode("utf-8", "replace")

    def _clean(self, text: str) -> str:
        """Without the key: endpoints repeat it when they refuse it."""
        hidden = text.replace(self._key, "[key]") if len(self._key) > 4 else text
        return SECRET.sub("[key]", hidden)


def _message(chat: Chat) -> Any:
    pictures = [
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + base64.b64encode(image).decode("ascii")}}
        for image in chat.images
    ]
    return {"role": "user", "content": [*pictures, {"type": "text", "text": chat.text}]}


def _fault(reason: str, raw: str = "") -> Reply:
    return Reply(raw, reason, is_final=False)


def _refusal(response: "httpx.Response", who: str) -> tuple[Reply, float | None]:
    try:
        body = response.text
    except RuntimeError:  # httpx: the body of a refused stream was not read
        body = ""
    reply = _fault(f"{who} refused with HTTP {response.status_code}: {shortened(body) or 'no text'}", body)
    if response.status_code not in AGAIN:
        return reply, None
    try:
        return reply, max(0.0, float(response.headers.get("retry-after", "0")))
    except ValueError:  # a date
        return reply, 0.0


def _content(text: str, who: str, fault: Callable[[str], str]) -> tuple[Reply, float | None]:
    """What an answer with status 200 says; an envelope that is none is a fault of the way."""
    try:
        answer = json.loads(text)
        choice = answer["choices"][0]["message"]
        content = choice.get("content")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return _fault(f"{who} sent what is no chat completion: {shortened(text) or 'nothing'}", text), 0.0
    usage = answer.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    raw = content if isinstance(content, str) else str(choice.get("refusal") or "")
    return Reply(
        raw,
        fault(raw),
        num_tokens_in=_count(usage.get("prompt_tokens")),
        num_tokens_out=_count(usage.get("completion_tokens")),
    ), 0.0


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
