"""A judge behind an endpoint that speaks OpenAI's protocol, asked with deadlines, bounded retries and no trust."""

import asyncio
import base64
import json
import os
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from backend.domain import Inquiry, ModelUnavailable, Verdict
from backend.models.judge_answers import AnswerFolder, read_answer, shortened
from backend.models.places import LOOPBACK, ModelPlace

if TYPE_CHECKING:
    import httpx
    import openai

KEY = "OPENAI_API_KEY"
ANSWERS = Path("~/.cache/subject-studio/answers")
SECRET = re.compile(r"sk-[A-Za-z0-9_-]{8,}")
MOST_BYTES = 1 << 20  # of one answer; a digit takes 1 kB with its envelope
AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
"""Statuses after which asking again may help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long and how often a judge is asked."""

    tries: int = 4
    attempt_s: float = 90.0
    """From connecting to the last byte. A dripping answer passes any limit on single reads."""
    first_wait_s: float = 2.0
    """Doubled after each try, with chance added: OpenS2V waits 2 to 10 s."""
    longest_wait_s: float = 20.0
    """A judge that asks to wait longer is not asked again."""
    at_once: int = 8


class OpenAiJudge:
    """GPT-4o, as NaturalScore and Phantom-Data ask it, or any other model behind the same protocol.

    The key is read from OPENAI_API_KEY and appears in no text. Raw answers are kept below `answers`.
    """

    model_id: str = "openai"
    suggested: ClassVar[str] = ""
    licence: ClassVar[str] = "the endpoint's terms"

    def __init__(
        self, place: ModelPlace, *, device: str, dtype: str, limits: Limits | None = None, answers: Path = ANSWERS
    ) -> None:
        """Raises ModelUnavailable when the place is no endpoint, or the package or the key is missing."""
        self._model, self._url = place.endpoint()
        try:
            import httpx
            import openai
        except ImportError as error:
            raise ModelUnavailable("judges need the extra: pip install 'subject-studio[models]'") from error
        self._is_near = httpx.URL(self._url).host.strip("[]") in LOOPBACK
        self._key = os.environ.get(KEY, "").strip() or ("none" if self._is_near else "")
        if not self._key:
            raise ModelUnavailable(f"models.{place.role} is an endpoint, which needs a key; set {KEY} in the environment")
        self._openai, self._httpx = openai, httpx
        self._limits = limits or Limits()
        self._answers = AnswerFolder(answers.expanduser())
        self.model_id = place.model_id(type(self).model_id)

    def ask(self, inquiries: Sequence[Inquiry]) -> list[Verdict]:
        """A verdict for each; kept answers are not asked for again."""
        found = {place: self._answers.get(self.model_id, inquiry) for place, inquiry in enumerate(inquiries)}
        left = [place for place, verdict in found.items() if verdict is None]
        if left:
            found |= dict(zip(left, asyncio.run(self._ask([inquiries[place] for place in left])), strict=True))
        return [verdict for verdict in found.values() if verdict is not None]

    async def _ask(self, inquiries: Sequence[Inquiry]) -> list[Verdict]:
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

            async def one(inquiry: Inquiry) -> Verdict:
                async with gate:
                    return await self._until_answered(client, inquiry)

            return list(await asyncio.gather(*(one(inquiry) for inquiry in inquiries)))

    async def _until_answered(self, client: "openai.AsyncOpenAI", inquiry: Inquiry) -> Verdict:
        """Asks up to `tries` times; what the judge did answer is kept at once."""
        num_calls = num_in = num_out = 0
        while True:
            verdict, asked_wait_s = await self._once(client, inquiry)
            num_calls += verdict.num_calls
            num_in, num_out = num_in + verdict.num_tokens_in, num_out + verdict.num_tokens_out
            if verdict.score is not None or asked_wait_s is None or num_calls >= self._limits.tries:
                break
            if asked_wait_s > self._limits.longest_wait_s:
                break
            own_wait_s = self._limits.first_wait_s * 2 ** (num_calls - 1) * random.uniform(0.75, 1.25)
            await asyncio.sleep(min(max(asked_wait_s, own_wait_s), self._limits.longest_wait_s))
        tries = f" (asked {num_calls} times)" if verdict.reason and num_calls > 1 else ""
        whole = replace(
            verdict,
            reason=self._clean(verdict.reason) + tries if verdict.reason else "",
            raw=self._clean(verdict.raw),
            num_calls=num_calls,
            num_tokens_in=num_in,
            num_tokens_out=num_out,
        )
        if whole.is_final:
            self._answers.put(self.model_id, inquiry, whole)
        return whole

    async def _once(self, client: "openai.AsyncOpenAI", inquiry: Inquiry) -> tuple[Verdict, float | None]:
        """One call: its verdict, and how long the judge wants to be left alone (None: asking again is of no use)."""
        openai = self._openai
        try:
            async with asyncio.timeout(self._limits.attempt_s):
                text = await self._answer(client, inquiry)
        except TimeoutError:
            return _fault(f"judge gave no whole answer within {self._limits.attempt_s:g} s"), 0.0
        except openai.APIStatusError as error:
            return _refusal(error.response)
        except (openai.APIError, self._httpx.HTTPError) as error:
            cause = error.__cause__ or error
            return _fault(f"judge cannot be reached: {shortened(str(cause) or type(cause).__name__)}"), 0.0
        return _content(text, inquiry)

    async def _answer(self, client: "openai.AsyncOpenAI", inquiry: Inquiry) -> str:
        async with client.chat.completions.with_streaming_response.create(
            model=self._model, messages=[_message(inquiry)]
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


def _message(inquiry: Inquiry) -> Any:
    pictures = [
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + base64.b64encode(image).decode("ascii")}}
        for image in inquiry.images
    ]
    return {"role": "user", "content": [*pictures, {"type": "text", "text": inquiry.prompt}]}


def _fault(reason: str, raw: str = "") -> Verdict:
    return Verdict(None, raw, reason, is_final=False)


def _refusal(response: "httpx.Response") -> tuple[Verdict, float | None]:
    try:
        body = response.text
    except RuntimeError:  # httpx: the body of a refused stream was not read
        body = ""
    verdict = _fault(f"judge refused with HTTP {response.status_code}: {shortened(body) or 'no text'}", body)
    if response.status_code not in AGAIN:
        return verdict, None
    try:
        return verdict, max(0.0, float(response.headers.get("retry-after", "0")))
    except ValueError:  # a date
        return verdict, 0.0


def _content(text: str, inquiry: Inquiry) -> tuple[Verdict, float | None]:
    """What an answer with status 200 says; an envelope that is none is a fault of the way."""
    try:
        answer = json.loads(text)
        choice = answer["choices"][0]["message"]
        content = choice.get("content")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return _fault(f"judge sent what is no chat completion: {shortened(text) or 'nothing'}", text), 0.0
    usage = answer.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    raw = content if isinstance(content, str) else str(choice.get("refusal") or "")
    verdict = replace(
        read_answer(raw, inquiry),
        num_tokens_in=_count(usage.get("prompt_tokens")),
        num_tokens_out=_count(usage.get("completion_tokens")),
    )
    return verdict, 0.0


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
