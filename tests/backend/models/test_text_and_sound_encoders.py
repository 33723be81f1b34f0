"""Embedded encoders by their own definition; UMT5 and wav2vec 2.0 against transformers called directly."""

import numpy as np
import pytest
import torch

from backend.domain import ModelUnavailable
from backend.models.log_mel import LogMel
from backend.models.places import ModelPlace
from backend.models.umt5 import Umt5
from backend.models.wav2vec2 import Wav2Vec2
from backend.models.word_text import HashedWords

WORDS = ("<pad>", "</s>", "<unk>", "a", "dog", "runs", "&")


@pytest.fixture(scope="module")
def umt5_folder(tmp_path_factory):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

    torch.set_num_threads(1)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("umt5")
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])  # pyright: ignore
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>").save_pretrained(
        folder / "tokenizer"
    )
    config = UMT5Config(
        vocab_size=64, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, relative_attention_num_buckets=8,
        relative_attention_max_distance=32, feed_forward_proj="gated-gelu",
    )  # fmt: skip
    UMT5EncoderModel(config).save_pretrained(folder / "text_encoder")
    return folder


@pytest.fixture(scope="module")
def wav2vec2_folder(tmp_path_factory):
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.set_num_threads(1)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("wav2vec2")
    config = Wav2Vec2Config(
        vocab_size=8, hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        conv_dim=(8,) * 7, num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_a_word_is_one_token_of_unit_variance():
    found = HashedWords().encode("A dog, running fast")
    assert found.shape == (4, 32)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.sqrt(32), rtol=1e-5)
    np.testing.assert_array_equal(found, HashedWords().encode("a DOG running  fast"))


def test_words_of_one_category_are_near():
    puppy, dog, car = (HashedWords().encode(f"the {word}")[1] for word in ("puppy", "dog", "car"))
    assert cosine(puppy, dog) > cosine(puppy, car) + 0.2


def test_a_text_without_words_has_a_token_and_a_long_one_is_cut():
    assert HashedWords().encode(" ... ").shape == (1, 32)
    assert HashedWords().encode("word " * 100).shape == (64, 32)


def test_a_tone_lies_in_its_band():
    seconds = np.arange(16_000) / 16_000
    found = LogMel().encode((0.5 * np.sin(2 * np.pi * 1000 * seconds)).astype(np.float32))
    assert found.shape == (50, 64)
    mel = 2595 * np.log10(1 + 1000 / 700)
    band = mel / (2595 * np.log10(1 + 8000 / 700)) * 65 - 1
    assert abs(found[5:-5].mean(axis=0).argmax() - band) <= 1


def test_silence_is_the_floor():
    np.testing.assert_allclose(LogMel().encode(np.zeros(3200, np.float32)), (-10 + 5) / 4)
    assert LogMel().encode(np.zeros(10, np.float32)).shape == (1, 64)


def test_umt5_equals_a_padded_batch_with_its_mask(umt5_folder):
    from transformers import AutoTokenizer, UMT5EncoderModel

    encoder = Umt5(ModelPlace("TextEncoder", str(umt5_folder)), device="cpu", dtype="float32")
    tokens = AutoTokenizer.from_pretrained(umt5_folder / "tokenizer")(
        ["a dog runs"], max_length=512, padding="max_length", return_tensors="pt"
    )
    direct = UMT5EncoderModel.from_pretrained(umt5_folder / "text_encoder").eval()
    with torch.no_grad():
        states = direct(tokens.input_ids, tokens.attention_mask).last_hidden_state[0, :4].numpy()
    found = encoder.encode("a  dog\nruns")
    assert found.shape == (4, 32)
    np.testing.assert_allclose(found, states, atol=1e-5)
    np.testing.assert_array_equal(encoder.encode("a dog &amp; runs"), encoder.encode("a dog & runs"))


def test_umt5_takes_at_most_512_tokens(umt5_folder):
    encoder = Umt5(ModelPlace("TextEncoder", str(umt5_folder)), device="cpu", dtype="float32")
    assert encoder.encode("dog " * 600).shape == (512, 32)


def test_umt5_refuses_an_empty_folder(tmp_path):
    with pytest.raises(ModelUnavailable, match="no tokenizer of UMT5"):
        Umt5(ModelPlace("TextEncoder", str(tmp_path)), device="cpu", dtype="float32")


def test_wav2vec2_equals_transformers(wav2vec2_folder):
    from transformers import Wav2Vec2Model

    encoder = Wav2Vec2(ModelPlace("AudioEncoder", str(wav2vec2_folder)), device="cpu", dtype="float32")
    samples = np.random.default_rng(1).standard_normal(8000).astype(np.float32)
    direct = Wav2Vec2Model.from_pretrained(wav2vec2_folder).eval()
    values = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    with torch.no_grad():
        states = direct(torch.from_numpy(values)[None]).last_hidden_state[0].numpy()
    found = encoder.encode(samples)
    assert found.shape == (24, 24)
    np.testing.assert_allclose(found, states, atol=1e-4)
    assert encoder.encode(samples[:50]).shape == (1, 24)
