"""Captions by models that see and write: Qwen2.5-VL on this machine, or one behind an endpoint."""

import io
import math
from typing import ClassVar

from PIL import Image

from backend.domain import Absent, Footage, ModelUnavailable
from backend.models.chat_endpoint import Chat, ChatEndpoint
from backend.models.devices import transformers_for
from backend.models.endpoint_calls import Limits
from backend.models.loading import loaded
from backend.models.places import ModelPlace
from backend.models.prompts import instruction
from backend.models.text_writer import written
from backend.models.vision_language import PATCH_PX, resized, smart_size

PROMPT = instruction("caption")
NUM_FRAMES = 16  # this and the four below: OpenS2V-Nexus, step3-1_get_caption.py
TEMPERATURE, TOP_P, REPETITION = 0.1, 0.001, 1.05
MAX_TOKENS = 512
LEAST_PX = 16 * PATCH_PX**2
MOST_PX = 768 * PATCH_PX**2  # qwen_vl_utils, VIDEO_MAX_PIXELS
JPEG_QUALITY = 90


def shown_frames(footage: Footage, *, num_frames: int = NUM_FRAMES) -> list[Image.Image]:
    """Frames spread evenly over a clip, first and last included, inside its borders, in whole patches of the model.

    Raises MediaError.
    """
    x0, y0, x1, y1 = footage.content
    width, height = x1 - x0, y1 - y0
    scale = min(1.0, math.sqrt(MOST_PX / (width * height)))
    across, down = (max(1, round(side * scale)) for side in (footage.reader.width, footage.reader.height))
    frames = footage.reader.at(footage.linspace(num_frames), size=(across, down))
    left, top, right, bottom = (round(side * scale) for side in (x0, y0, x1, y1))
    size = smart_size(round(width), round(height), least_px=LEAST_PX, most_px=MOST_PX)
    return [resized(frame[top : max(bottom, top + 1), left : max(right, left + 1)], size) for frame in frames]


class VlmCaptioner:
    """Qwen2.5-VL, or another transformers model that takes a video and writes.

    At a temperature of .1 and a nucleus of .001 the likeliest word is all that chance can draw, so that equal clips have
    equal captions. One clip a call: its thousands of tokens fill a GPU by themselves, and beside a longer clip they would
    be padded, which moves last bits and now and then a word.
    """

    model_id: str = f"vlm-captions-1-{PROMPT.digest}"
    suggested: ClassVar[str] = "Qwen/Qwen2.5-VL-7B-Instruct"
    published_gb: ClassVar[float] = 16.6  # 8.3 G parameters, bfloat16
    licence: ClassVar[str] = "that of the weights"
    prompt_digest: ClassVar[str] = PROMPT.digest

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, or are of another kind."""
        folder = place.path()
        library = transformers_for(place.role)
        try:
            self._processor = library.AutoProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"{folder} cannot be loaded as a model of videos and text: {error}") from error
        if getattr(self._processor, "video_processor", None) is None:
            raise ModelUnavailable(f"{folder} takes no videos; put Qwen2.5-VL or another model that does there")
        self._model = loaded(
            library.AutoModelForImageTextToText,
            folder,
            what="a model of videos and text",
            device=device,
            dtype=dtype,
        )
        self.model_id = place.model_id(type(self).model_id)

    def caption(self, footage: Footage) -> str | Absent:
        """What the model writes about the clip, as it came. Raises MediaError."""
        frames = shown_frames(footage)
        message = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": PROMPT.text}]}]
        text = self._processor.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        facts = {
            "fps": footage.video.fps,
            "total_num_frames": footage.num_frames,
            "frames_indices": [index - footage.clip.start_frame for index in footage.linspace(NUM_FRAMES)],
            "duration": footage.num_frames / footage.video.fps,
        }
        inputs = self._processor(
            text=[text],
            videos=[frames],
            video_metadata=[facts],
            do_sample_frames=False,
            do_resize=False,
            return_tensors="pt",
        ).to(self._model.device, self._model.dtype)
        return written(
            self._model,
            self._processor.tokenizer,
            inputs,
            seed=0,
            max_new_tokens=MAX_TOKENS,
            do_sample=True,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            repetition_penalty=REPETITION,
        )


class OpenAiCaptioner:
    """Any model behind OpenAI's protocol that takes pictures, asked anew each time.

    The protocol has no penalty of repetition, so that one is not asked for.
    """

    model_id: str = f"openai-captions-1-{PROMPT.digest}"
    suggested: ClassVar[str] = ""
    published_gb: ClassVar[float] = 0.0
    licence: ClassVar[str] = "the endpoint's terms"
    prompt_digest: ClassVar[str] = PROMPT.digest

    def __init__(self, place: ModelPlace, *, device: str, dtype: str, limits: Limits | None = None) -> None:
        """Raises ModelUnavailable when the place is no endpoint, or the package or the key is missing."""
        self._endpoint = ChatEndpoint(place, who="captioner", limits=limits or Limits())
        self.model_id = place.model_id(type(self).model_id)

    def caption(self, footage: Footage) -> str | Absent:
        """What the model writes about the clip, as it came; Absent("unavailable: ...") when it cannot be asked.

        Raises MediaError.
        """
        images = tuple(_jpeg(frame) for frame in shown_frames(footage))
        chat = Chat(PROMPT.text, images, {"temperature": TEMPERATURE, "top_p": TOP_P, "max_tokens": MAX_TOKENS})
        (reply,) = self._endpoint.ask([chat], fault=lambda number, raw: "")
        return Absent(f"unavailable: {reply.reason}") if reply.reason else reply.raw


def _jpeg(picture: Image.Image) -> bytes:
    target = io.BytesIO()
    picture.save(target, format="JPEG", quality=JPEG_QUALITY)
    return target.getvalue()
