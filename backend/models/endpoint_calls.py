"""Calls of an endpoint that speaks OpenAI's protocol: to checked addresses, with deadlines, bounded retries and no trust."""

import asyncio
import os
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import httpx

from backend.domain import ModelUnavailable
from backend.models.hidden_key import HiddenKey, keep_out_of_logs
from backend.models.judge_answers import shortened
from backend.models.outgoing import CheckedTransport, OutgoingRefused
from backend.models.places import ModelPlace

if TYPE_CHECKING:
    import openai

KEY = "OPENAI_API_KEY"
AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
"""Statuses after which asking again may help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long and how often an endpoint is asked."""

    tries: int = 4
    attempt_s: float = 90.0
    """From looking up the name to the last byte. A dripping answer passes any limit on single reads."""
    first_wait_s: float = 2.0
    """Doubled after each try, with chance added: OpenS2V waits 2 to 10 s."""
    longest_wait_s: float = 20.0
    """An endpoint that asks to wait longer is not asked again."""
    at_once: int = 8


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
    status: int = 200
    """The HTTP status; 0 when no answer came."""


Send = Callable[["openai.AsyncOpenAI", int], AbstractAsyncContextManager[Any]]
"""Begins the call of a number as a streaming response."""


class EndpointCalls:
    """A model behind an endpoint. The key is read from OPENAI_API_KEY and appears in no text."""

    def __init__(self, place: ModelPlace, *, who: str, limits: Limits, most_bytes: int) -> None:
        """`who` names the model in reasons; `most_bytes` are read of one answer. Raises ModelUnavailable when the place is no
        endpoint, the user of this machine or the project did not allow it, or the package or the key is missing."""
        self.model, self._url = place.endpoint()
        self._origin = place.require_sending()
        try:
            import openai
        except ImportError as error:
            raise ModelUnavailable(f"a {who} needs the extra: pip install 'subject-studio[models]'") from error
        self._key = os.environ.get(KEY, "").strip() or ("none" if self._origin.is_loopback else "")
        if not self._key:
            raise ModelUnavailable(f"models.{place.role} is an endpoint, which needs a key; set {KEY} in the environment")
        self.hidden = HiddenKey(self._key)
        keep_out_of_logs(self._key)
        self._openai = openai
        self._who, self._limits, self._most_bytes = who, limits, most_bytes

    def make(
        self,
        num: int,
        *,
        send: Send,
        read: Callable[[int, str], Reply],
        keep: Callable[[int, Reply], None] = lambda number, reply: None,
    ) -> list[Reply]:
        """A reply to each of `num` calls. `read(number, text)` understands the body of an answer; one with a reason is asked for
        again. `keep(number, reply)` is called for each final reply as soon as it is there."""
        return asyncio.run(self._make(num, send, read, keep))

    async def _make(
        self, num: int, send: Send, read: Callable[[int, str], Reply], keep: Callable[[int, Reply], None]
    ) -> list[Reply]:
        gate = asyncio.Semaphore(self._limits.at_once)
        transport = CheckedTransport(self._origin, most_bytes=self._most_bytes, at_once=self._limits.at_once)
        # Redirects could carry the key elsewhere, and a proxy of the environment would look up names by itself.
        http: Any = httpx.AsyncClient(follow_redirects=False, trust_env=False, transport=transport)
        async with (
            http,
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
                    reply = await self._until_answered(client, number, send, read)
                if reply.is_final:
                    keep(number, reply)
                return reply

            return list(await asyncio.gather(*map(one, range(num))))

    async def _until_answered(
        self, client: "openai.AsyncOpenAI", number: int, send: Send, read: Callable[[int, str], Reply]
    ) -> Reply:
        """Asks up to `tries` times."""
        num_calls = num_in = num_out = 0
        while True:
            reply, asked_wait_s = await self._once(client, number, send, read)
            num_calls += reply.num_calls
            num_in, num_out = num_in + reply.num_tokens_in, num_out + reply.num_tokens_out
            if not reply.reason or asked_wait_s is None or num_calls >= self._limits.tries:
                break
            if asked_wait_s > self._limits.longest_wait_s:
                break
            own_wait_s = self._limits.first_wait_s * 2 ** (num_calls - 1) * random.uniform(0.75, 1.25)
            await asyncio.sleep(min(max(asked_wait_s, own_wait_s), self._limits.longest_wait_s))
        tries = f" (asked {num_calls} times)" if reply.reason and num_calls > 1 else ""
        reason = reply.reason + tries if reply.reason else ""
        return replace(reply, reason=reason, num_calls=num_calls, num_tokens_in=num_in, num_tokens_out=num_out)

    async def _once(
        self, client: "openai.AsyncOpenAI", number: int, send: Send, read: Callable[[int, str], Reply]
    ) -> tuple[Reply, float | None]:
        """One call: its reply, and how long the endpoint wants to be left alone (None: asking again is of no use)."""
        try:
            async with asyncio.timeout(self._limits.attempt_s):
                text = await self._body(client, number, send)
        except TimeoutError:
            return unanswered(f"{self._who} gave no whole answer within {self._limits.attempt_s:g} s"), 0.0
        except self._openai.APIStatusError as error:
            return self._refusal(error.response)
        except (self._openai.APIError, httpx.HTTPError) as error:
            cause = error.__cause__ or error
            said = shortened(self.hidden(str(cause)) or type(cause).__name__)
            return unanswered(f"{self._who} cannot be reached: {said}"), None if isinstance(cause, OutgoingRefused) else 0.0
        return read(number, self.hidden(text)), 0.0

    async def _body(self, client: "openai.AsyncOpenAI", number: int, send: Send) -> str:
        async with send(client, number) as response:
            body = bytearray()
            async for chunk in response.iter_bytes():
                body += chunk
        return body.decode("utf-8", "replace")

    def _refusal(self, response: Any) -> tuple[Reply, float | None]:
        try:
            body = self.hidden(response.text)
        except RuntimeError:  # httpx: the body of a refused stream was not read
            body = ""
        said = f"{self._who} refused with HTTP {response.status_code}: {shortened(body) or 'no text'}"
        reply = unanswered(said, body, status=response.status_code)
        if response.status_code not in AGAIN:
            return reply, None
        try:
            return reply, max(0.0, float(response.headers.get("retry-after", "0")))
        except ValueError:  # a date
            return reply, 0.0


def unanswered(reason: str, raw: str = "", *, status: int = 0) -> Reply:
    """A fault of the way: the model did not answer."""
    return Reply(raw, reason, is_final=False, status=status)
