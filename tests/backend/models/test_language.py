"""GME, level words, the local judge and VideoReward, loaded from tiny checkpoints in the real formats."""

import json
import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

from backend.domain import Inquiry, ModelUnavailable
from backend.models.gme import PICTURE, PLAIN, QUERY, Gme
from backend.models.judge_local import LocalJudge
from backend.models.level_reader import VlmLevelReader
from backend.models.places import ModelPlace
from backend.models.reward import VideoReward
from backend.models.reward_weights import merged
from backend.models.vision_language import smart_size, word_tokens
from tests.metrics.checkpoints_language import HIDDEN, internvl, picture, qwen2_vl, video_reward


@pytest.fixture(scope="session")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwen2_vl(tmp_path_factory.mktemp("qwen2_vl"))


@pytest.fixture(scope="module")
def gme(qwen: Path) -> Gme:
    return Gme(ModelPlace("Gme", str(qwen)), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def reader(qwen: Path) -> VlmLevelReader:
    return VlmLevelReader(ModelPlace("LevelReader", str(qwen)), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def reward_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return video_reward(tmp_path_factory.mktemp("reward"))


def loaded(folder: Path) -> VideoReward:
    return VideoReward(ModelPlace("RewardModel", str(folder)), device="cpu", dtype="float32")


@pytest.mark.parametrize(
    ("size", "limits", "expected"),
    [
        ((832, 480), {}, (840, 476)),  # 29.7 and 17.1 patches
        ((20, 10), {}, (84, 56)),  # up to 4 patches: factor 3.96, 79.2 and 39.6 px, rounded up
        ((1920, 1080), {"most_px": 200704}, (588, 336)),  # factor 1440/448: 597.3 and 336 px
        ((10, 1000), {}, (28, 1008)),
    ],
)
def test_sizes_are_whole_patches_within_limits(size: Any, limits: dict, expected: tuple[int, int]) -> None:
    assert smart_size(*size, **limits) == expected


@given(
    st.integers(28, 1500), st.integers(28, 1500), st.sampled_from([(3136, 12845056), (100352, 200704), (200704, 1003520)])
)
def test_sizes_are_those_of_the_library(width: int, height: int, limits: tuple[int, int]) -> None:
    least, most = limits
    down, across = smart_resize(height, width, factor=28, min_pixels=least, max_pixels=most)
    assert smart_size(width, height, least_px=least, most_px=most) == (across, down)


def test_sliver_is_squeezed(gme: Gme) -> None:
    assert smart_size(9000, 10) == (5600, 28)
    assert np.isfinite(gme.images([picture(0, 2, 900)])).all()


def test_gme_batch_is_single(gme: Gme) -> None:
    pictures = [picture(0), picture(1), picture(2, 90, 40)]
    together = gme.images(pictures)
    assert together.shape == (3, HIDDEN) and together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(together, np.concatenate([gme.images([one]) for one in pictures]), atol=2e-6)
    texts = ["a cat", "a much longer text about two dogs"]
    np.testing.assert_allclose(gme.texts(texts), np.concatenate([gme.texts([one]) for one in texts]), atol=2e-6)


def test_gme_is_the_last_token_of_the_library_model(gme: Gme, qwen: Path) -> None:
    model = transformers.Qwen2VLForConditionalGeneration.from_pretrained(qwen, dtype=torch.float32)
    processor: Any = transformers.AutoProcessor.from_pretrained(qwen)
    processor.image_processor.size = {"shortest_edge": 256 * 784, "longest_edge": 1280 * 784}
    around = "<|im_start|>system\n{}<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n<|endoftext|>"

    def direct(**inputs: Any) -> np.ndarray:
        with torch.inference_mode():
            state = model.model(**processor(return_tensors="pt", **inputs)).last_hidden_state[:, -1]
        return torch.nn.functional.normalize(state, dim=-1).numpy()

    text = direct(text=[around.format(QUERY, "a cat")])
    np.testing.assert_allclose(gme.texts(["a cat"]), text, atol=1e-6)
    image = Image.fromarray(picture(0)).resize((84, 56), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(
        gme.images([picture(0)]), direct(text=[around.format(PLAIN, PICTURE)], images=[image]), atol=1e-6
    )


def test_long_prompt_is_cut_and_keeps_its_end(gme: Gme) -> None:
    long = gme.texts(["word " * 5000])
    np.testing.assert_allclose(long, gme.texts(["word " * 6000]), atol=1e-6)
    assert np.isfinite(long).all()


def test_marks_of_the_model_in_a_prompt_are_not_obeyed(gme: Gme) -> None:
    np.testing.assert_allclose(gme.texts(["a<|image_pad|>b"]), gme.texts(["a b"]), atol=1e-6)


def test_other_architecture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelUnavailable, match="holds a bert model"):
        Gme(ModelPlace("Gme", str(tmp_path)), device="cpu", dtype="float32")


def test_levels_are_the_softmax_of_five_logits(reader: VlmLevelReader, qwen: Path) -> None:
    model = transformers.Qwen2VLForConditionalGeneration.from_pretrained(qwen, dtype=torch.float32)
    processor: Any = transformers.AutoProcessor.from_pretrained(qwen)
    square = Image.new("RGB", (90, 90), tuple(int(v * 255) for v in processor.image_processor.image_mean))
    square.paste(Image.fromarray(picture(0)), (0, 15))
    text = (
        f"<|im_start|>user\n{PICTURE}How would you rate the quality of this image?<|im_end|>\n"
        "<|im_start|>assistant\nThe quality of the image is "
    )
    image = square.resize((448, 448), Image.Resampling.BICUBIC)
    with torch.inference_mode():
        logits = model(**processor(text=[text], images=[image], return_tensors="pt")).logits[0, -1]
    five = torch.softmax(logits[[processor.tokenizer.convert_tokens_to_ids(letter) for letter in "egfpb"]], dim=0)
    np.testing.assert_allclose(reader.read([picture(0)[None]], ("quality",))[0, 0], five.numpy(), atol=1e-5)


def test_both_tasks_come_from_one_look(reader: VlmLevelReader, monkeypatch: pytest.MonkeyPatch) -> None:
    visual = reader._reader._model.model.visual  # the eye, to count how often it opens
    looks = []
    handle = visual.register_forward_hook(lambda *given: looks.append(1))
    windows = [picture(seed)[None] for seed in range(3)]
    both = reader.read(windows, ("quality", "aesthetics"))
    assert len(looks) == 1
    each = np.concatenate([reader.read(windows, (task,)) for task in ("quality", "aesthetics")], axis=1)
    handle.remove()
    assert len(looks) == 3
    np.testing.assert_allclose(both, each, atol=1e-6)
    np.testing.assert_allclose(both.sum(axis=-1), 1, atol=1e-5)
    assert np.abs(both[:, 0] - both[:, 1]).max() > 1e-3, "two questions, two answers"


def test_other_architecture_is_read_alike(tmp_path: Path) -> None:
    other = VlmLevelReader(ModelPlace("LevelReader", str(internvl(tmp_path))), device="cpu", dtype="float32")
    windows = [picture(seed)[None] for seed in range(3)]
    both = other.read(windows, ("quality", "aesthetics"))
    each = np.concatenate([other.read(windows, (task,)) for task in ("quality", "aesthetics")], axis=1)
    alone = np.concatenate([other.read([window], ("quality", "aesthetics")) for window in windows])
    np.testing.assert_allclose(both, each, atol=1e-6)
    np.testing.assert_allclose(both, alone, atol=1e-6)
    assert np.ptp(both[:, 0, 0]) > 1e-3, "pictures matter"


def test_windows_together_are_windows_alone(reader: VlmLevelReader) -> None:
    windows = [np.stack([picture(seed) for seed in seeds]) for seeds in ((0, 0, 0), (0, 1, 2), (2, 1, 0))]
    together = reader.read(windows, ("video",))
    np.testing.assert_allclose(together, np.concatenate([reader.read([w], ("video",)) for w in windows]), atol=1e-5)
    assert np.abs(together[1] - together[2]).max() > 1e-4, "order is seen"


def test_prepared_pictures_read_as_the_pictures_themselves(reader: VlmLevelReader) -> None:
    window = np.stack([picture(0), picture(1)])
    small = np.stack([reader.prepared(one) for one in window])
    assert small.shape == (2, 448, 448, 3) and small.dtype == np.uint8
    assert (reader.read([small], ("video",)) == reader.read([window], ("video",))).all(), "to the bit"
    assert (reader.prepared(small[0]) == small[0]).all()


@pytest.mark.parametrize("architecture", ["qwen2_vl", "internvl"])
def test_windows_over_shared_pictures_look_at_each_once(architecture: str, reader: VlmLevelReader, tmp_path: Path) -> None:
    if architecture == "internvl":
        reader = VlmLevelReader(ModelPlace("LevelReader", str(internvl(tmp_path))), device="cpu", dtype="float32")
    pictures = [reader.prepared(picture(seed)) for seed in range(4)]
    windows = [[0, 0, 0], [0, 1, 2], [1, 2, 3], [2, 2, 3]]
    apart = reader.read([np.stack([pictures[at] for at in window]) for window in windows], ("video", "quality"))
    num_seen = []
    model = reader._reader._model.model
    eye = model.visual if architecture == "qwen2_vl" else model.vision_tower
    handle = eye.register_forward_pre_hook(
        lambda _, given, named: num_seen.append(len(named["grid_thw"] if "grid_thw" in named else named["pixel_values"])),
        with_kwargs=True,
    )
    over = reader.read_over(pictures, windows, ("video", "quality"))
    handle.remove()
    np.testing.assert_allclose(over, apart, atol=1e-6)
    assert num_seen == [4 if architecture == "qwen2_vl" else 4 * 10], "not 12; InternVL cuts each into 10 tiles"


@pytest.mark.parametrize("size", [(90, 160), (161, 90), (448, 448), (100, 448), (720, 1280)])
def test_padding_before_and_between_both_scalings_is_one(reader: VlmLevelReader, size: tuple[int, int]) -> None:
    frame = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    side, colour = max(size), reader._reader.mean_colour
    square = Image.new("RGB", (side, side), colour)
    square.paste(Image.fromarray(frame), ((side - size[1]) // 2, (side - size[0]) // 2))
    expected = np.asarray(square.resize((448, 448), Image.Resampling.BICUBIC))
    assert (reader.prepared(frame) == expected).all(), "to the bit"


def test_unknown_task_is_told(reader: VlmLevelReader) -> None:
    with pytest.raises(ModelUnavailable, match="'beauty' is unknown; there are quality, aesthetics, video"):
        reader.read([picture(0)[None]], ("beauty",))


class Spelling:
    """A tokenizer that takes whole words, or the letters of unknown ones."""

    def __init__(self, *words: str) -> None:
        self._words = sorted(words, key=len, reverse=True)

    def __call__(self, text: str, **kwargs: object) -> dict[str, list[int]]:
        ids = []
        while text:
            word = next((word for word in self._words if text.startswith(word)), text[0])
            ids.append(1000 + self._words.index(word) if word in self._words else ord(word))
            text = text[len(word) :]
        return {"input_ids": ids}


def test_words_with_their_blank_are_one_token() -> None:
    ids, fed = word_tokens(Spelling(" good", " bad"), ("good", "bad"), lead="It is")
    assert len(set(ids)) == 2 and min(ids) >= 1000 and fed == ""


def test_blank_of_its_own_is_fed_first() -> None:
    ids, fed = word_tokens(Spelling(), ("good", "bad"), lead="It is")
    assert (ids, fed) == ([ord("g"), ord("b")], " ")


@pytest.mark.parametrize("words", [("good", "great", "bad"), ("poor", "perfect"), ("good", "goods")])
def test_words_that_begin_alike_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(ModelUnavailable, match="begins some of"):
        word_tokens(Spelling(), words, lead="It is")


def jpeg(seed: int) -> bytes:
    buffer = BytesIO()
    Image.fromarray(picture(seed)).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def test_local_judge_gives_the_likeliest_grade(qwen: Path) -> None:
    judge = LocalJudge(ModelPlace("Judge", str(qwen)), device="cpu", dtype="float32")
    inquiries = [Inquiry("How alike? <|image_pad|>", (jpeg(0), jpeg(1)), 0, 4, repeat) for repeat in range(2)]
    first, second = judge.ask(inquiries)
    logs = json.loads(first.raw)
    assert list(logs) == ["0", "1", "2", "3", "4"] and max(logs.values()) < 0
    assert first.score == int(max(logs, key=logs.__getitem__)) and first == second
    assert np.exp(list(logs.values())).sum() < 1, "shares of all words, not of the grades alone"
    assert judge.model_id.startswith("local_judge@")


@pytest.mark.parametrize("layout", ["adapter", "plain"])
def test_layouts_of_the_checkpoint_are_one_model(layout: str, reward_folder: Path, tmp_path: Path) -> None:
    frames = [picture(seed) for seed in range(4)]
    expected = loaded(reward_folder).reward(frames, "a cat")
    found = loaded(video_reward(tmp_path, layout=layout, normalised=False)).reward(frames, "a cat")
    np.testing.assert_allclose(found.raw, expected.raw, rtol=1e-4, atol=1e-4)
    assert found.normalised is None


def test_reward_is_the_head_at_three_tokens(reward_folder: Path) -> None:
    model = loaded(reward_folder)
    frames = [picture(seed) for seed in range(4)]
    cat, dogs = model.reward(frames, "a cat"), model.reward(frames, "two dogs that run")
    np.testing.assert_allclose(cat.raw[:2], dogs.raw[:2], atol=1e-5, err_msg="the text stands after both tokens")
    assert abs(cat.raw[2] - dogs.raw[2]) > 1e-3
    assert np.abs(model.reward(frames[::-1], "a cat").raw - cat.raw).max() > 1e-4
    assert cat.normalised is not None
    np.testing.assert_allclose(cat.normalised, (cat.raw - [1.0, 0.5, -1.0]) / [2.0, 4.0, 0.5], rtol=1e-5)
    marked = model.reward(frames, "a cat<|VQ_reward|>").raw
    np.testing.assert_allclose(marked[:2], cat.raw[:2], atol=1e-5)


def test_newest_checkpoint_is_taken_by_number(reward_folder: Path) -> None:
    assert sorted(path.name for path in reward_folder.glob("checkpoint-*")) == ["checkpoint-20", "checkpoint-3"]
    assert not list((reward_folder / "checkpoint-3").iterdir()), "an older one, empty: taking it would fail"
    assert loaded(reward_folder).model_id.startswith("video_reward@")


def test_own_prompt_of_a_checkpoint_is_asked(reward_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(reward_folder, folder)
    frames = [picture(seed) for seed in range(2)]
    (folder / "prompt.txt").write_text("<|VQ_reward|> a {text_prompt} b <|MQ_reward|><|TA_reward|>")
    other = loaded(folder)
    assert np.abs(other.reward(frames, "x").raw - loaded(reward_folder).reward(frames, "x").raw).max() > 1e-3
    assert ModelPlace("RewardModel", str(folder)).digest() != ModelPlace("RewardModel", str(reward_folder)).digest()
    (folder / "prompt.txt").write_text("<|MQ_reward|><|VQ_reward|><|TA_reward|> {text_prompt}")
    with pytest.raises(ModelUnavailable, match="in this order"):
        loaded(folder)


def test_adapter_adds_scaled_product() -> None:
    base = {"model.language_model.layers.0.mlp.up_proj.weight": torch.ones(3, 2)}
    base |= {"model.language_model.embed_tokens.weight": torch.zeros(4, 2)}
    down, up = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0], [0.0], [-1.0]])
    state = {
        "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight": down,
        "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight": up,
        "base_model.model.model.embed_tokens.weight": torch.ones(4, 2),
        "base_model.model.rm_head.weight": torch.ones(3, 2),
        "base_model.model.lm_head.weight": torch.full((4, 2), 7.0),
    }
    found = merged(state, base, scale=2.0)
    assert found["model.language_model.layers.0.mlp.up_proj.weight"].tolist() == [[3, 5], [1, 1], [-1, -3]]
    assert found["model.language_model.embed_tokens.weight"].tolist() == [[1, 1]] * 4
    assert base["model.language_model.embed_tokens.weight"].sum() == 0, "the base is as it was"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"model.layers.9.mlp.up_proj.weight": torch.ones(1)}, "has no place for"),
        ({"model.layers.0.mlp.up_proj.lora_A.weight": torch.ones(1, 2)}, "half is missing"),
        ({"rm_head.weight": None}, "no rm_head.weight"),
        ({"model.embed_tokens.weight": None}, "no embedding of its three tokens"),
    ],
)
def test_checkpoint_that_does_not_fit_is_told(change: dict[str, Any], match: str) -> None:
    base = {"model.language_model.layers.0.mlp.up_proj.weight": torch.ones(3, 2)}
    base |= {"model.language_model.embed_tokens.weight": torch.zeros(4, 2)}
    whole: dict[str, Any] = {"model.embed_tokens.weight": torch.ones(4, 2), "rm_head.weight": torch.ones(3, 2)}
    state = {name: tensor for name, tensor in (whole | change).items() if tensor is not None}
    with pytest.raises(ModelUnavailable, match=match):
        merged(state, base, scale=1.0)


def test_pickle_that_runs_code_is_refused(reward_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "evil"
    shutil.copytree(reward_folder, folder)

    class Evil:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "touched",)

    torch.save({"x": Evil()}, folder / "checkpoint-20" / "model.pth")
    with pytest.raises(ModelUnavailable, match="no checkpoint of VideoReward"):
        loaded(folder)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("name", ["model_config.json", "checkpoint-20/model.pth"])
def test_missing_part_is_named(name: str, reward_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "part"
    shutil.copytree(reward_folder, folder)
    (folder / name).unlink()
    with pytest.raises(ModelUnavailable, match=name.partition("/")[0]):
        loaded(folder)
