"""Phrases named by a language model: DeepSeek or another behind an endpoint, or Qwen2.5 on this machine."""

from collections.abc import Sequence
from typing import Any, ClassVar

from backend.domain import ModelUnavailable, PhraseSpan, digest
from backend.domain.roles_words import PhraseReading
from backend.models.chat_endpoint import Chat, ChatEndpoint
from backend.models.endpoint_calls import Limits, Reply
from backend.models.phrase_answers import read_phrases
from backend.models.places import ModelPlace
from backend.models.prompts import instruction
from backend.models.text_writer import TextWriter

PROMPT = instruction("phrases")
MAX_TOKENS = 1024  # OpenS2V-Nexus, step4-1_get_tag_api.py
LOCAL_TOKENS = 512  # OpenS2V-Nexus, step4-1_get_tag_local.py, as are the three below
TEMPERATURE, TOP_P, TOP_K = 0.6, 0.95, 20
LOCAL_TRIES = 3


class OpenAiPhrases:
    """Any model behind OpenAI's protocol, asked for a JSON object (DeepSeek-V3 in OpenS2V-Nexus)."""

    model_id: str = f"phrases-openai-1-{PROMPT.digest}"
    suggested: ClassVar[str] = ""
    published_gb: ClassVar[float] = 0.0
    licence: ClassVar[str] = "the endpoint's terms"
    prompt_digest: ClassVar[str] = PROMPT.digest

    def __init__(self, place: ModelPlace, *, device: str, dtype: str, limits: Limits | None = None) -> None:
        """Raises ModelUnavailable when the place is no endpoint, or the package or the key is missing."""
        self._endpoint = ChatEndpoint(place, who="phrase model", limits=limits or Limits())
        self.model_id = place.model_id(type(self).model_id)

    def phrases(self, text: str) -> list[PhraseSpan]:
        """The phrases of one text. Raises ModelUnavailable when there is no reading."""
        return _spans(self.read([text])[0])

    def read(self, texts: Sequence[str]) -> list[PhraseReading]:
        settings = {"response_format": {"type": "json_object"}, "max_tokens": MAX_TOKENS}
        replies = self._endpoint.ask(
            [Chat(PROMPT.filled(caption=text), settings=settings) for text in texts],
            fault=lambda number, raw: read_phrases(raw, texts[number]).reason,
        )
        return [_reading(reply, text) for reply, text in zip(replies, texts, strict=True)]


class LocalPhrases:
    """Qwen2.5 or another causal language model of transformers, on this machine.

    The first answer is the likeliest; one that is not what was asked for is drawn anew, from the text's own seed.
    """

    model_id: str = f"phrases-local-1-{PROMPT.digest}"
    suggested: ClassVar[str] = "Qwen/Qwen2.5-7B-Instruct"
    published_gb: ClassVar[float] = 15.2  # 7.6 G parameters, bfloat16
    licence: ClassVar[str] = "that of the weights"
    prompt_digest: ClassVar[str] = PROMPT.digest

    def __init__(self, place: ModelPlace, *, device: str, dtype: str, max_tokens: int = LOCAL_TOKENS) -> None:
        """Raises ModelUnavailable when weights or library are missing, or are of another kind."""
        self._writer = TextWriter(place, device=device, dtype=dtype)
        self._max_tokens = max_tokens
        self.model_id = place.model_id(type(self).model_id)

    def phrases(self, text: str) -> list[PhraseSpan]:
        """The phrases of one text. Raises ModelUnavailable when there is no reading."""
        return _spans(self.read([text])[0])

    def read(self, texts: Sequence[str]) -> list[PhraseReading]:
        return [self._read(text) for text in texts]

    def _read(self, text: str) -> PhraseReading:
        reading = PhraseReading(reason="the model was not asked")
        for number in range(LOCAL_TRIES):
            drawn: dict[str, Any] = {"do_sample": False}
            if number:
                drawn = {"do_sample": True, "temperature": TEMPERATURE, "top_p": TOP_P, "top_k": TOP_K}
            seed = int(digest((text, number), num_bytes=4), 16)
            raw = self._writer.write(PROMPT.filled(caption=text), seed=seed, max_new_tokens=self._max_tokens, **drawn)
            reading = read_phrases(raw, text)
            if not reading.reason:
                break
        return reading


def _reading(reply: Reply, text: str) -> PhraseReading:
    if reply.reason:
        return PhraseReading(raw=reply.raw, reason=reply.reason, is_final=reply.is_final)
    return read_phrases(reply.raw, text)


def _spans(reading: PhraseReading) -> list[PhraseSpan]:
    if reading.reason:
        raise ModelUnavailable(f"phrases cannot be read: {reading.reason}")
    return list(reading.spans)
