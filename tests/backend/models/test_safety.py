"""The safety filter: whole words in two languages, what excuses them, disguises, and image classifiers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from backend.domain import ModelUnavailable, SettingsError
from backend.models.places import ModelPlace
from backend.models.safety_vision import ClassifierSafety
from backend.models.safety_words import WordList, WordSafety, load_words
from tests.backend.models.answered import FILES, answered_sentences

HARMLESS = (
    "A man in Essex drinks a cocktail near Scunthorpe.",
    "The pilot sits in the cockpit of a Lancaster over Sussex and Middlesex.",
    "A rooster cocks its head at dawn.",
    "Blue tits and great tits sit on a branch of pussy willow.",
    "She analyses the grape in the therapist's classroom.",
    "Charles Dickens shakes hands with Dick Van Dyke.",
    "A chicken breast lies on the plate.",
    "The stars can be seen with the naked eye from the strip mall.",
    "Nude lipstick and a naked cake.",
    "He bought drugs at the drugstore's assistant counter.",
    "A circumference, a document and a cucumber accumulate.",
    "一只鸡在院子里走。",
    "这位女性性格开朗，汽车性能很好。",
    "男性和女性的人性与个性。",
    "她喝着鸡尾酒，吃火鸡。",
    "一次性杯子具有很强的实用性。",
    "她化着裸妆。",
)

UNSAFE = (
    ("A naked woman lies on a bed.", "nudity ('naked')"),
    ("Two people are having sex.", "sexual ('having sex')"),
    ("Pornographic content", "sexual ('pornographic')"),
    ("The man is masturbating.", "sexual ('masturbat*')"),
    ("A beheading in the desert", "gore ('beheading')"),
    ("他露出鸡巴。", "sexual ('鸡巴')"),
    ("一个裸体的女人", "nudity ('裸体')"),
    ("色情网站的广告", "sexual ('色情')"),
    ("一具尸体躺在地上", "gore ('尸体')"),
)


@pytest.mark.parametrize("text", HARMLESS)
def test_a_word_that_only_holds_or_resembles_one_is_harmless(text: str) -> None:
    assert load_words().hits(text) == []


@pytest.mark.parametrize(("text", "reason"), UNSAFE)
def test_an_unsafe_text_is_told_with_its_word_and_group(text: str, reason: str) -> None:
    (finding,) = WordSafety().words([text])
    assert finding.safety is not None and finding.safety <= 0.2
    assert reason in finding.reason


@pytest.mark.parametrize("text", ["p0rn", "P O R N", "p.o.r.n", "ｐｏｒｎ", "po\u200brn", "p\u00f3rn", "PORN!", "[porn]"])
def test_a_disguised_word_is_read(text: str) -> None:
    assert [hit.word for hit in load_words().hits(f"watch {text} now")] == ["porn"]


def test_a_hint_is_less_than_a_word_that_says_it() -> None:
    hint, said, both, none = (f.safety for f in WordSafety().words(["a sexy dress", "porn", "sexy porn", "a dress"]))
    assert (hint, said, both, none) == (0.6, 0.0, 0.0, 1.0)


def test_an_excuse_covers_only_its_own_place() -> None:
    assert [hit.word for hit in load_words().hits("blue tits, then bare tits")] == ["tits"]
    assert [hit.word for hit in load_words().hits("鸡尾酒和鸡巴")] == ["鸡巴"]


def test_none_of_the_captions_answered_by_hand_is_flagged() -> None:
    texts = [one.text for path in FILES.values() for one in answered_sentences(path)]
    flagged = [text for text, found in zip(texts, WordSafety().words(texts), strict=True) if found.safety != 1.0]
    assert flagged == []


@given(st.text(max_size=80))
def test_any_text_has_a_safety_between_0_and_1(text: str) -> None:
    (finding,) = WordSafety().words([text])
    assert finding.safety is not None and 0.0 <= finding.safety <= 1.0
    assert (finding.safety == 1.0) == (finding.reason == "")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"version": 1}, "cannot be read"),
        ({"version": 1, "groups": {"a": {"weight": 3, "en": [], "zh": []}}, "allow": {"en": [], "zh": []}}, "weight of a"),
        ({"version": 1, "groups": {"a": {"en": ["x"], "zh": []}}, "allow": {"en": [], "zh": []}}, "'weight'"),
    ],
)
def test_a_wrong_table_is_refused(table: dict, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        WordList(table, origin="t.yaml")


def test_the_filter_names_the_version_of_its_table() -> None:
    assert WordSafety.model_id.endswith(f"-table-{load_words().version}")


def classifier(folder: Path, labels: tuple[str, ...] = ("normal", "nsfw")) -> Path:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=16,
        id2label=dict(enumerate(labels)), label2id={label: n for n, label in enumerate(labels)},
    )  # fmt: skip
    model: Any = transformers.ViTForImageClassification(config)
    with torch.no_grad():
        model.classifier.weight.data.mul_(40)
    model.save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def loaded(folder: Path) -> ClassifierSafety:
    return ClassifierSafety(ModelPlace("SafetyFilter", str(folder)), device="cpu", dtype="float32")


def pictures(num: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (num, 40, 60, 3), dtype=np.uint8))


def test_a_picture_is_as_safe_as_the_library_says(tmp_path: Path) -> None:
    folder = classifier(tmp_path)
    model = transformers.ViTForImageClassification.from_pretrained(folder)
    processor = transformers.ViTImageProcessor.from_pretrained(folder)
    inputs = processor(images=[Image.fromarray(one) for one in pictures(3)], return_tensors="pt")
    with torch.inference_mode():
        expected = torch.softmax(model(**inputs).logits, dim=-1)[:, 0].numpy()
    found = [one.safety for one in loaded(folder).pictures(pictures(3))]
    np.testing.assert_allclose(np.array(found, float), expected, atol=1e-6)


def test_pictures_together_are_pictures_alone(tmp_path: Path) -> None:
    safety = loaded(classifier(tmp_path))
    together = [one.safety for one in safety.pictures(pictures(18))]
    alone = [safety.pictures([one])[0].safety for one in pictures(18)]
    np.testing.assert_allclose(np.array(together, float), np.array(alone, float), atol=1e-6)
    assert safety.pictures([]) == []


def test_a_classifier_reads_words_by_the_list(tmp_path: Path) -> None:
    assert loaded(classifier(tmp_path)).words(["porn"]) == WordSafety().words(["porn"])


@pytest.mark.parametrize("damage", ["other labels", "truncated", "other kind"])
def test_a_checkpoint_of_something_else_is_told(damage: str, tmp_path: Path) -> None:
    classifier(tmp_path, ("cat", "dog") if damage == "other labels" else ("normal", "nsfw"))
    weights = tmp_path / "model.safetensors"
    if damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:300])
    if damage == "other kind":
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2"}))
    with pytest.raises(ModelUnavailable, match=r"classifies cat, dog|cannot be loaded as an image classifier"):
        loaded(tmp_path)
