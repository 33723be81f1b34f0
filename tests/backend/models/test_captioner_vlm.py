"""Captioners that see: the frames that they are shown, the real loading path, and an endpoint's pictures."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from backend.domain import Absent, Clip, Footage, ModelUnavailable
from backend.models.captioner_vlm import PROMPT, OpenAiCaptioner, VlmCaptioner, shown_frames
from backend.models.endpoint_calls import Limits
from backend.models.places import ModelPlace
from tests.backend.models.tiny_words import causal, qwen25_vl
from tests.backend.stages.footage_in_memory import ArrayReader
from tests.backend.stages.test_captions import video
from tests.metrics.checkpoints_language import completion, endpoint, sent

SENTENCE = "A woman walks a dog along the beach."
QUICK = Limits(tries=2, attempt_s=2.0, first_wait_s=0.01, longest_wait_s=0.05)


def footage(num_frames: int = 40, *, height: int = 90, width: int = 160, content: tuple | None = None) -> Footage:
    """Frame n is a plain picture of grey level 6 n."""
    frames = np.stack([np.full((height, width, 3), 6 * n % 256, np.uint8) for n in range(num_frames)])
    whole = video(num_frames)
    clip = Clip(
        video_id=whole.id, start_frame=0, stop_frame=num_frames, start_s=0, stop_s=num_frames / 25, opens_with="start"
    )
    return Footage(whole, clip, ArrayReader(frames), content or (0.0, 0.0, float(width), float(height)))


def captioner(folder: Path) -> VlmCaptioner:
    return VlmCaptioner(ModelPlace("Captioner", str(folder)), device="cpu", dtype="float32")


def test_sixteen_frames_are_spread_from_the_first_to_the_last() -> None:
    levels = [int(np.asarray(frame)[0, 0, 0]) // 6 for frame in shown_frames(footage(31))]
    assert levels == list(range(0, 31, 2))


def test_a_short_clip_shows_each_frame_once() -> None:
    assert len(shown_frames(footage(3))) == 3


def test_frames_are_cut_to_the_picture_and_brought_to_whole_patches() -> None:
    (frame,) = shown_frames(footage(1, height=600, width=800, content=(0.0, 75.0, 800.0, 525.0)))
    assert frame.size == (812, 448)  # 800 x 450 in patches of 28: 28.6 and 16.1
    (large,) = shown_frames(footage(1, height=1080, width=1920))
    assert large.size == (1008, 560)  # factor .5388 to 768 patches: 1034 x 582, whole patches below
    assert 16 * 28**2 <= large.width * large.height <= 768 * 28**2
    (tiny,) = shown_frames(footage(1, height=64, width=64))
    assert tiny.width * tiny.height >= 16 * 28**2


def test_the_caption_is_what_the_model_writes(tmp_path: Path) -> None:
    model = captioner(qwen25_vl(tmp_path, says=SENTENCE))
    assert model.caption(footage()) == SENTENCE
    assert model.model_id.startswith(f"vlm-captions-1-{PROMPT.digest}@")


def test_equal_clips_have_equal_captions_and_the_global_generator_stays(tmp_path: Path) -> None:
    model = captioner(qwen25_vl(tmp_path, says=SENTENCE))
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    first = model.caption(footage(8))
    assert torch.rand(1) == before
    assert model.caption(footage(8)) == first


def test_the_model_is_given_what_the_library_would_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = qwen25_vl(tmp_path, seed=3)
    monkeypatch.setattr("backend.models.captioner_vlm.MAX_TOKENS", 6)
    clip = footage(20, height=56, width=84)
    found = captioner(folder).caption(clip)
    model = transformers.Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    prompt = (
        f"<|im_start|>user\n<|vision_start|><|video_pad|><|vision_end|>{PROMPT.text}<|im_end|>\n<|im_start|>assistant\n"
    )
    indices = [round(19 * n / 15) for n in range(16)]
    frames = [Image.fromarray(clip.reader.at([index])[0]).resize((140, 112), Image.Resampling.BICUBIC) for index in indices]
    assert all(frame.size == shown.size for frame, shown in zip(frames, shown_frames(clip), strict=True))
    facts = {"fps": 25.0, "total_num_frames": 20, "frames_indices": indices, "duration": 0.8}
    inputs = processor(
        text=[prompt], videos=[frames], video_metadata=[facts], do_sample_frames=False, do_resize=False, return_tensors="pt"
    )
    with torch.inference_mode():
        wanted = model.generate(**inputs, max_new_tokens=6, do_sample=False, repetition_penalty=1.05)
    assert found == processor.tokenizer.decode(wanted[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip()


@pytest.mark.parametrize("damage", ["truncated", "no eyes", "half"])
def test_weights_of_another_kind_are_told(damage: str, tmp_path: Path) -> None:
    if damage == "no eyes":
        causal(tmp_path)
    else:
        qwen25_vl(tmp_path)
        weights = tmp_path / "model.safetensors"
        if damage == "truncated":
            weights.write_bytes(weights.read_bytes()[:5000])
        else:
            from safetensors.torch import load_file, save_file

            kept = {name: tensor for name, tensor in load_file(weights).items() if "layers" not in name}
            save_file(kept, weights, metadata={"format": "pt"})
    with pytest.raises(ModelUnavailable, match=r"cannot be loaded as a model of videos|takes no videos|lacks \d+ weights"):
        captioner(tmp_path)


def test_an_endpoint_is_shown_sixteen_pictures() -> None:
    with endpoint() as stub:
        stub.says(SENTENCE)
        place = ModelPlace("Captioner", f"openai:qwen2.5-vl@{stub.url}")
        assert OpenAiCaptioner(place, device="cpu", dtype="float32", limits=QUICK).caption(footage()) == SENTENCE
        (request,) = stub.requests
    content = request["messages"][0]["content"]
    pictures = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    assert len(pictures) == 16 and content[-1]["text"] == PROMPT.text
    assert (request["temperature"], request["top_p"], request["max_tokens"]) == (0.1, 0.001, 512)
    last = Image.open(io.BytesIO(base64.b64decode(pictures[-1].removeprefix("data:image/jpeg;base64,"))))
    assert abs(int(np.asarray(last)[40, 40, 0]) - 6 * 39) <= 2


def test_an_endpoint_that_cannot_be_asked_is_unavailable() -> None:
    with endpoint() as stub:
        stub.answers = [sent(500, "boom")]
        place = ModelPlace("Captioner", f"openai:m@{stub.url}")
        model = OpenAiCaptioner(place, device="cpu", dtype="float32", limits=QUICK)
        found = model.caption(footage())
        assert isinstance(found, Absent) and found.reason.startswith("unavailable: captioner refused with HTTP 500")
        stub.answers = [completion(SENTENCE)]
        assert model.caption(footage()) == SENTENCE
