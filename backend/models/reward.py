"""VideoReward (VideoAlign): what people would think of a video's looks, motion and obedience to its text."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from backend.domain import ModelUnavailable, Reward
from backend.models.devices import torch_device, transformers_for
from backend.models.loading import loaded
from backend.models.places import HUB, ModelPlace
from backend.models.prompts import prompt
from backend.models.reward_weights import HEAD, TOKENS, merged, read_config, read_state
from backend.models.vision_language import plain, resized, smart_size

LEAST_FRAME_PX = 128 * 28 * 28  # qwen_vl_utils' least size of a video's frame
VIDEO = "<|vision_start|><|video_pad|><|vision_end|>"
MAX_PROMPT_TOKENS = 8192  # of the 32,768 that Qwen2-VL was trained on; a book as a prompt would leave no room for frames


class VideoReward:
    """Qwen2-VL-2B with a linear head at three tokens: visual quality, motion quality, text alignment.

    The place is VideoReward's folder (model_config.json, checkpoint-N). The model it was trained from lies in its `base`
    folder or in the hub's cache. A `prompt.txt` there, with `{text_prompt}`, is asked in place of ours: scores mean what
    they did in training only with the text of the training.
    """

    model_id: str = "video_reward"
    suggested: ClassVar[str] = "KwaiVGI/VideoReward"
    published_gb: ClassVar[float] = 4.4  # 2.2 G parameters, bfloat16
    licence: ClassVar[str] = "MIT"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, or the checkpoint is another."""
        import torch

        folder = place.path()
        self._config = read_config(folder)
        base = folder / "base" if (folder / "base").is_dir() else _base_of(place, self._config.base)
        library = transformers_for("VideoReward")
        try:
            self._processor = library.AutoProcessor.from_pretrained(base, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"{base} cannot be loaded as Qwen2-VL, which VideoReward needs: {error}") from error
        kind = library.Qwen2VLForConditionalGeneration
        model = loaded(kind, base, what="Qwen2-VL, which VideoReward needs", device="cpu", dtype=dtype)
        tokenizer = self._processor.tokenizer
        tokenizer.padding_side = "right"
        tokenizer.add_tokens(list(TOKENS), special_tokens=True)
        self._tokens: list[int] = tokenizer.convert_tokens_to_ids(list(TOKENS))
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        inner: Any = model.model
        own = {f"model.{name}": tensor for name, tensor in inner.state_dict().items()}
        state = merged(read_state(folder), own, scale=self._config.lora_scale)
        head = state.pop(HEAD)
        try:
            inner.load_state_dict({name.removeprefix("model."): tensor for name, tensor in state.items()})
        except RuntimeError as error:
            raise ModelUnavailable(f"{folder} does not fit {base}: {error}") from error
        if head.shape != (3, model.config.get_text_config().hidden_size):
            raise ModelUnavailable(f"{HEAD} of {folder} is {tuple(head.shape)}; a head of three is needed")
        self._model = inner.to(torch_device(device)).eval()
        self._head: torch.Tensor = head.to(self._model.device, torch.float32)
        self._prompt = _prompt_of(folder)
        self.model_id = place.model_id(type(self).model_id)

    def reward(self, frames: Sequence[np.ndarray], prompt: str) -> Reward:
        """Of frames uint8 `(H, W, 3)`, an even number, two a second as in training, and the text they follow."""
        import torch

        assert len(frames) % 2 == 0, "Qwen2-VL sees frames in pairs"
        height, width = frames[0].shape[:2]
        size = smart_size(width, height, least_px=LEAST_FRAME_PX, most_px=self._config.max_frame_pixels)
        video = torch.from_numpy(np.stack([np.asarray(resized(frame, size)) for frame in frames])).permute(0, 3, 1, 2)
        text = self._prompt.replace(
            "{text_prompt}", plain(self._processor.tokenizer, prompt, most_tokens=MAX_PROMPT_TOKENS)
        )
        message = f"<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n{VIDEO}{text}<|im_end|>\n"
        with torch.inference_mode():
            inputs = self._processor(
                text=[message + "<|im_start|>assistant\n"],
                videos=[video],
                return_tensors="pt",
                videos_kwargs={"do_resize": False, "do_sample_frames": False, "cap_pixels_per_frame": False},
            ).to(self._model.device, self._model.dtype)
            states = self._model(**inputs, use_cache=False).last_hidden_state[0].float()
            ids = inputs["input_ids"][0].tolist()
            at = [ids.index(token) for token in self._tokens]
            raw = (states[at] * self._head).sum(dim=-1).cpu().numpy().astype(np.float32)
        mean, std = self._config.mean, self._config.std
        if mean is None or std is None:
            return Reward(raw, None)
        return Reward(raw, ((raw - np.array(mean)) / np.array(std)).astype(np.float32))


def _base_of(place: ModelPlace, name: str) -> Path:
    return ModelPlace(place.role, name if Path(name).is_dir() else HUB + name).path()


def _prompt_of(folder: Path) -> str:
    """The text with the tokens in their order. Raises ModelUnavailable when one is missing."""
    own = folder / "prompt.txt"
    text = own.read_text(encoding="utf-8") if own.is_file() else prompt("reward").text.replace("{prompt}", "{text_prompt}")
    places = [text.find(token) for token in TOKENS]
    if -1 in places or places != sorted(places) or "{text_prompt}" not in text:
        raise ModelUnavailable(f"{own} must hold {', '.join(TOKENS)} once each, in this order, and {{text_prompt}}")
    return text
