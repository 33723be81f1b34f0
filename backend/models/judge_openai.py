"""A judge behind an endpoint that speaks OpenAI's protocol."""

import json
from collections.abc import Callable, Sequence
from typing import ClassVar

from backend.domain import Inquiry, Verdict
from backend.models.chat_endpoint import Chat, ChatEndpoint
from backend.models.endpoint_calls import Limits, Reply
from backend.models.judge_answers import read_answer
from backend.models.places import ModelPlace


class OpenAiJudge:
    """GPT-4o, as NaturalScore and Phantom-Data ask it, or any other model behind the same protocol."""

    model_id: str = "openai"
    sampling: str = "{}"  # get_naturalscore.py names no temperature and no seed
    suggested: ClassVar[str] = ""
    published_gb: ClassVar[float] = 0.0
    licence: ClassVar[str] = "the endpoint's terms"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str, limits: Limits | None = None) -> None:
        """Raises ModelUnavailable when the place is no endpoint, or the package or the key is missing."""
        self._endpoint = ChatEndpoint(place, who="judge", limits=limits or Limits())
        self.model_id = place.model_id(type(self).model_id)

    def ask(
        self, inquiries: Sequence[Inquiry], answered: Callable[[Inquiry, Verdict], None] | None = None
    ) -> list[Verdict]:
        """A verdict for each, asked anew each time: whoever wants answers kept is told of them by `answered`."""
        settings = json.loads(self.sampling)

        def tell(number: int, reply: Reply) -> None:
            if answered is not None:
                answered(inquiries[number], _verdict(reply, inquiries[number]))

        replies = self._endpoint.ask(
            [Chat(inquiry.prompt, inquiry.images, settings) for inquiry in inquiries],
            fault=lambda number, raw: read_answer(raw, inquiries[number]).reason,
            keep=tell,
        )
        return [_verdict(reply, inquiry) for reply, inquiry in zip(replies, inquiries, strict=True)]


def _verdict(reply: Reply, inquiry: Inquiry) -> Verdict:
    return Verdict(
        None if reply.reason else read_answer(reply.raw, inquiry).score,
        reply.raw,
        reply.reason,
        is_final=reply.is_final,
        num_calls=reply.num_calls,
        num_tokens_in=reply.num_tokens_in,
        num_tokens_out=reply.num_tokens_out,
    )
