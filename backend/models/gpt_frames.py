"""GPT-Image-1, or any model behind the same protocol: the subject of a picture drawn anew by itself (OpenS2V-5M)."""

import base64
import binascii
import os
import re
from io import BytesIO
from typing import Any, ClassVar

import numpy as np

from backend.domain import Absent, MediaError, ModelUnavailable
from backend.measures.matting import on_white
from backend.media.images import encode_png, read_rgba
from backend.models.places import LOOPBACK, ModelPlace
from backend.models.prompts import prompt

KEY = "OPENAI_API_KEY"
SECRET = re.compile(r"sk-[A-Za-z0-9_-]{8,}")
MOST_BYTES = 64 << 20  # of one answer: a PNG of 1536 x 1024 in base64 has 3 MB


class GptFrames:
    """One call of `images.edit` a picture, size `auto`. The key is read from OPENAI_API_KEY and appears in no text."""

    model_id: str = "gpt_frames"
    suggested: ClassVar[str] = ""
    published_gb: ClassVar[float] = 0.0
    licence: ClassVar[str] = "the endpoint's terms"
    origin: ClassVar[str] = "generated"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str, tries: int = 4, timeout_s: float = 180.0) -> None:
        """Raises ModelUnavailable when the place is no endpoint, or the package or the key is missing."""
        self._model, url = place.endpoint()
        try:
            import httpx
            import openai
        except ImportError as error:
            raise ModelUnavailable("picture endpoints need the extra: pip install 'subject-studio[models]'") from error
        is_near = httpx.URL(url).host.strip("[]") in LOOPBACK
        key = os.environ.get(KEY, "").strip() or ("none" if is_near else "")
        if not key:
            raise ModelUnavailable(f"models.{place.role} is an endpoint, which needs a key; set {KEY} in the environment")
        self._openai, self._httpx = openai, httpx
        http: Any = httpx.Client(follow_redirects=False, trust_env=not is_near)
        self._client = openai.OpenAI(api_key=key, base_url=url, max_retries=tries - 1, timeout=timeout_s, http_client=http)
        self._secrets = (key,) if key != "none" else ()
        self.model_id = place.model_id(type(self).model_id)

    def make(self, cut_out: np.ndarray, *, phrase: str, num: int, seed: int) -> list[np.ndarray | Absent]:
        """See `ReferenceSynthesizer.make`; the endpoint takes no seed, so that equal seeds give other pictures."""
        data = encode_png(on_white(cut_out))
        words = prompt("isolate").filled(phrase=phrase or "subject")
        return [self._one(data, words) for _ in range(num)]

    def _one(self, data: bytes, words: str) -> np.ndarray | Absent:
        openai = self._openai
        try:
            answer = self._client.images.edit(
                image=("subject.png", BytesIO(data), "image/png"), prompt=words, model=self._model, size="auto", n=1
            )
        except openai.APIStatusError as error:
            if error.status_code in (401, 403):
                raise ModelUnavailable(self._clean(f"the endpoint refuses the key ({error.status_code})")) from None
            return Absent(self._clean(f"failed: the endpoint answered {error.status_code}"))
        except (openai.APIError, self._httpx.HTTPError, ValueError) as error:
            return Absent(self._clean(f"failed: {type(error).__name__}: {error}"))
        return self._read(answer)

    def _read(self, answer: Any) -> np.ndarray | Absent:
        """The picture of an answer, which may be anything."""
        items = getattr(answer, "data", None)
        text = getattr(items[0], "b64_json", None) if isinstance(items, list) and items else None
        if not isinstance(text, str) or not text:
            return Absent("failed: the endpoint's answer holds no picture")
        if len(text) > MOST_BYTES:
            return Absent(f"failed: the endpoint's picture has {len(text)} characters, at most {MOST_BYTES} are taken")
        try:
            return read_rgba(base64.b64decode(text, validate=True))
        except (binascii.Error, MediaError) as error:
            return Absent(self._clean(f"failed: the endpoint's picture cannot be read: {error}"))

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "[key]")
        return SECRET.sub("[key]", text)
