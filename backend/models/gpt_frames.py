"""GPT-Image-1, or any model behind the same protocol: the subject of a picture drawn anew by itself (OpenS2V-5M)."""

import base64
import binascii
import json
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backend.domain import Absent, MediaError, ModelUnavailable
from backend.measures.matting import on_white
from backend.media.images import encode_png, read_rgba
from backend.models.endpoint_calls import EndpointCalls, Limits, Reply, unanswered
from backend.models.judge_answers import shortened
from backend.models.places import ModelPlace
from backend.models.prompts import prompt

if TYPE_CHECKING:
    import openai

MOST_BYTES = 64 << 20  # of one answer: a PNG of 1536 x 1024 in base64 has 3 MB
DRAWING = Limits(attempt_s=180.0, at_once=1)
"""A picture takes up to a minute."""
WHO = "picture model"
PROMPT = prompt("isolate")


class GptFrames:
    """One call of `images.edit` a picture, size `auto`."""

    model_id: str = f"gpt_frames-{PROMPT.digest}"
    suggested: ClassVar[str] = ""
    published_gb: ClassVar[float] = 0.0
    licence: ClassVar[str] = "the endpoint's terms"
    origin: ClassVar[str] = "generated"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str, limits: Limits = DRAWING) -> None:
        """As `EndpointCalls`."""
        self._calls = EndpointCalls(place, who=WHO, limits=limits, most_bytes=MOST_BYTES)
        self.model_id = place.model_id(type(self).model_id)

    def make(self, cut_out: np.ndarray, *, phrase: str, num: int, seed: int) -> list[np.ndarray | Absent]:
        """See `ReferenceSynthesizer.make`; the endpoint takes no seed, so that equal seeds give other pictures."""
        data = encode_png(on_white(cut_out))
        words = PROMPT.filled(phrase=phrase or "subject")

        def send(client: "openai.AsyncOpenAI", number: int) -> Any:
            image = ("subject.png", BytesIO(data), "image/png")
            edit = client.images.with_streaming_response.edit
            return edit(image=image, prompt=words, model=self._calls.model, size="auto", n=1)

        return [_picture(reply) for reply in self._calls.make(num, send=send, read=lambda number, text: _read(text))]


def _read(text: str) -> Reply:
    """The picture of an answer, which may be anything, in base64."""
    try:
        found = json.loads(text)["data"][0]["b64_json"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        found = None
    if not isinstance(found, str) or not found:
        return unanswered(f"{WHO}'s answer holds no picture: {shortened(text) or 'nothing'}")
    return Reply(found)


def _picture(reply: Reply) -> np.ndarray | Absent:
    if reply.status in (401, 403):
        raise ModelUnavailable(f"the endpoint refuses the key ({reply.reason})")
    if reply.reason:
        return Absent(f"failed: {reply.reason}")
    try:
        return read_rgba(base64.b64decode(reply.raw, validate=True))
    except (binascii.Error, MediaError) as error:
        return Absent(f"failed: {WHO}'s picture cannot be read: {error}")
