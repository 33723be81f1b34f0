"""Causal language models of transformers that write an answer, the same at every repeat."""

from typing import Any

from backend.domain import ModelUnavailable
from backend.models.devices import transformers_for
from backend.models.loading import loaded
from backend.models.places import ModelPlace
from backend.models.vision_language import MAX_TOKENS, plain


class TextWriter:
    """A model with a chat template, asked one question at a time."""

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, or are of another kind."""
        folder = place.path()
        library = transformers_for(place.role)
        try:
            self._tokenizer = library.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"{folder} cannot be loaded as a language model: {error}") from error
        if not self._tokenizer.chat_template:
            raise ModelUnavailable(f"{folder} has no chat template; put the instruction-tuned weights there")
        self._model = loaded(library.AutoModelForCausalLM, folder, what="a language model", device=device, dtype=dtype)

    def write(self, question: str, *, seed: int, max_new_tokens: int, **settings: Any) -> str:
        """The answer. Chance, where the settings leave any, comes from `seed` alone."""
        asked = plain(self._tokenizer, question, most_tokens=MAX_TOKENS)
        ids = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": asked}], add_generation_prompt=True, return_tensors="pt", return_dict=True
        ).to(self._model.device)
        return written(self._model, self._tokenizer, ids, seed=seed, max_new_tokens=max_new_tokens, **settings)


def written(model: Any, tokenizer: Any, inputs: Any, *, seed: int, **settings: Any) -> str:
    """What a model adds to its inputs, without its own marks; the global generators stay as they were."""
    import torch

    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.inference_mode():
        torch.manual_seed(seed)
        found = model.generate(**inputs, pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id or 0, **settings)
    return tokenizer.decode(found[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip()
