"""Tiny random models of images and text in the real file formats, and a judge's endpoint on loopback."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from backend.models.outgoing import AllowedEndpoints

HIDDEN = 32
SPECIALS = (
    "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def qwen2_vl(folder: Path, *, seed: int = 0, words: tuple[str, ...] = (), depth: int = 2) -> Path:
    """A Qwen2-VL of 100 thousand weights with its processor; a byte a token, besides `words`.

    `depth` is the number of layers of its eye, and of their heads.
    """
    import torch
    import transformers

    torch.set_num_threads(1)
    tokenizer = _tokenizer(transformers, words)
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIALS}
    config = transformers.Qwen2VLConfig(
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": HIDDEN, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e6},
        },
        vision_config={
            "depth": depth, "embed_dim": 32, "hidden_size": HIDDEN, "num_heads": depth, "mlp_ratio": 2, "patch_size": 14,
            "spatial_merge_size": 2, "temporal_patch_size": 2,
        },
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = transformers.Qwen2VLForConditionalGeneration(config).eval()
    _louden(model)
    image = transformers.Qwen2VLImageProcessor(min_pixels=56 * 56, max_pixels=112 * 112)
    video = transformers.Qwen2VLVideoProcessor()
    transformers.Qwen2VLProcessor(image, tokenizer, video, chat_template=CHAT).save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def internvl(folder: Path) -> Path:
    """An InternVL as small: another eye, other placeholders, pictures as tiles."""
    import torch
    import transformers

    torch.set_num_threads(1)
    names = {"start_image_token": "<img>", "end_image_token": "</img>", "video_token": "<video>"}
    names["context_image_token"] = "<IMG_CONTEXT>"
    tokenizer = transformers.Qwen2Tokenizer(vocab=_bytes(), merges=[], extra_special_tokens=names)
    size = {"height": 56, "width": 56}
    config = transformers.InternVLConfig(
        vision_config={
            "hidden_size": HIDDEN, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": [56, 56], "patch_size": [14, 14],
        },
        text_config={
            "model_type": "qwen2", "vocab_size": len(tokenizer), "hidden_size": HIDDEN, "intermediate_size": 64,
            "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 4096,
        },
        image_token_id=tokenizer("<IMG_CONTEXT>")["input_ids"][0], image_seq_length=4, downsample_ratio=0.5,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.InternVLForConditionalGeneration(config).eval()
    _louden(model)
    chat = CHAT.replace("<|vision_start|><|image_pad|><|vision_end|>", "<IMG_CONTEXT>")
    transformers.InternVLProcessor(
        transformers.GotOcr2ImageProcessor(size=size), tokenizer, transformers.InternVLVideoProcessor(size=size),
        image_seq_length=4, chat_template=chat,
    ).save_pretrained(folder)  # fmt: skip
    model.save_pretrained(folder)
    return folder


def _louden(model: Any) -> None:
    """Weights large enough for inputs to matter."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(6.0)


def _bytes() -> dict[str, int]:
    from tokenizers.pre_tokenizers import ByteLevel

    vocab = {character: place for place, character in enumerate(sorted(ByteLevel.alphabet()))}
    return vocab | {"<|endoftext|>": len(vocab)}


def _tokenizer(transformers: Any, words: tuple[str, ...]) -> Any:
    tokenizer = transformers.Qwen2Tokenizer(vocab=_bytes(), merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIALS)})
    tokenizer.add_tokens(list(words))
    return tokenizer


def video_reward(folder: Path, *, seed: int = 1, layout: str = "full", normalised: bool = True) -> Path:
    """VideoReward's folder around a tiny Qwen2-VL: `full` (PEFT's names in model.pth), `adapter`, or `plain` (merged)."""
    import safetensors.torch
    import torch
    import transformers

    qwen2_vl(folder / "base", seed=seed)
    base = transformers.Qwen2VLForConditionalGeneration.from_pretrained(folder / "base", dtype=torch.float32)
    vocab = len(base.get_input_embeddings().weight)  # pyright: ignore[reportArgumentType]
    base.resize_token_embeddings(vocab + 3)
    torch.manual_seed(seed + 1)
    embedding = torch.randn(vocab + 3, HIDDEN)
    old = {_as_saved(name): tensor for name, tensor in base.state_dict().items()}
    old |= {"model.embed_tokens.weight": embedding, "lm_head.weight": embedding}
    down, up = torch.randn(4, HIDDEN), torch.randn(HIDDEN, 4)
    head, scale = torch.randn(3, HIDDEN), 8 / 4
    target = "model.layers.0.self_attn.q_proj"
    checkpoint = folder / "checkpoint-20"
    checkpoint.mkdir()
    (folder / "checkpoint-3").mkdir()
    wrapped = "base_model.model."
    lora = {f"{wrapped}{target}.lora_A": down, f"{wrapped}{target}.lora_B": up}
    if layout == "full":
        state = {wrapped + name: tensor for name, tensor in old.items() if name != f"{target}.weight"}
        state[f"{wrapped}{target}.base_layer.weight"] = old[f"{target}.weight"]
        state |= {f"{name}.default.weight": tensor for name, tensor in lora.items()}
        state[f"{wrapped}rm_head.original_module.weight"] = torch.zeros(3, HIDDEN)
        state[f"{wrapped}rm_head.modules_to_save.default.weight"] = head
        torch.save(state, checkpoint / "model.pth")
    elif layout == "adapter":
        safetensors.torch.save_file(
            {f"{name}.weight": tensor.contiguous() for name, tensor in lora.items()},
            checkpoint / "adapter_model.safetensors",
        )
        beside = {f"{wrapped}model.embed_tokens.weight": embedding, f"{wrapped}rm_head.weight": head}
        torch.save(beside, checkpoint / "non_lora_state_dict.pth")
    else:
        state = old | {f"{target}.weight": old[f"{target}.weight"] + scale * (up @ down), "rm_head.weight": head}
        torch.save(state, checkpoint / "model.pth")
    after = {"VQ_mean": 1.0, "VQ_std": 2.0, "MQ_mean": 0.5, "MQ_std": 4.0, "TA_mean": -1.0, "TA_std": 0.5}
    settings = {
        "data_config": {"max_frame_pixels": 56 * 84, "fps": 2, "meta_data": "x", "data_dir": "y"},
        "model_config": {"model_name_or_path": "Qwen/Qwen2-VL-2B-Instruct", "output_dim": 3, "use_special_tokens": True},
        "peft_lora_config": {"lora_r": 4, "lora_alpha": 8},
    }
    (folder / "model_config.json").write_text(json.dumps(settings | ({"inference_config": after} if normalised else {})))
    return folder


def _as_saved(name: str) -> str:
    """transformers 5's name of a weight as transformers 4, and so the checkpoint, had it."""
    return name.replace("model.language_model.", "model.").replace("model.visual.", "visual.")


def picture(seed: int, height: int = 60, width: int = 90) -> np.ndarray:
    """Smooth noise uint8 `(H, W, 3)`: differs by seed, survives JPEG."""
    import cv2

    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


class Endpoint:
    """What a stub server on loopback was asked, and how it answers: bytes of a body, or a function that writes all itself."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[Callable[[BaseHTTPRequestHandler], None]] = []
        """Taken in turn, the last for ever."""
        self.url = ""

    def says(self, *contents: str | None) -> None:
        """Answers by these contents."""
        self.answers = [completion(content) for content in contents]


def completion(content: str | None, *, missing: int = 0) -> Callable[[BaseHTTPRequestHandler], None]:
    usage = {"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101}
    message = {"role": "assistant", "content": content}
    body = {"id": "1", "object": "chat.completion", "choices": [{"index": 0, "message": message}], "usage": usage}
    return sent(200, json.dumps(body), missing=missing)


def sent(status: int, body: str, *, missing: int = 0, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer whose head says `missing` bytes more than come."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        data = body.encode()
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(data) + missing))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """A byte every 50 ms, which no limit on single reads ends."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    for _ in range(200):
        try:
            handler.wfile.write(b" ")
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(0.05)


def silent(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(2.0)


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    stub = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_json = self.headers.get("Content-Type", "").startswith("application/json")
            stub.requests.append(json.loads(body) if is_json else {"body": body})
            stub.headers.append(dict(self.headers))
            (stub.answers.pop(0) if len(stub.answers) > 1 else stub.answers[0])(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub.url = f"http://127.0.0.1:{server.server_port}/v1"
    AllowedEndpoints().allow(stub.url)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
