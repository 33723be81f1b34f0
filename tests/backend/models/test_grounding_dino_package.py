"""The authors' package serves the same role, with what transformers 5 took from it given back."""

import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.domain import ModelUnavailable
from backend.models.grounding_dino_package import GroundingDinoPackage, restore_bert
from backend.models.places import ModelPlace
from tests.backend.models.test_grounding_dino import footage_of
from tests.backend.models.tiny_grounding import WORDS


def save_bert(folder: Path) -> Path:
    import transformers as tf

    torch.manual_seed(4)
    letters = [*string.ascii_lowercase, *(f"##{c}" for c in string.ascii_lowercase)]
    vocab = {
        word: n for n, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", *WORDS, *letters[1:]])
    }
    tokenizer = tf.BertTokenizer(vocab=vocab)
    sizes: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    tf.BertModel(tf.BertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_absent_package_names_itself_and_the_other_way(tmp_path: Path) -> None:
    try:
        import groundingdino  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError:
        with pytest.raises(ModelUnavailable, match=r'pip install groundingdino-py.*roles\.Detector = "paper"'):
            GroundingDinoPackage(ModelPlace("Detector", str(tmp_path)), device="cpu", dtype="float32")
    else:
        with pytest.raises(ModelUnavailable, match=r"holds 0 files \*\.py"):
            GroundingDinoPackage(ModelPlace("Detector", str(tmp_path)), device="cpu", dtype="float32")


@pytest.mark.parametrize("depth", [2, 3])
def test_restored_mask_is_the_librarys_own(tmp_path: Path, depth: int) -> None:
    """The package's way through BERT (embeddings, then encoder with an additive mask) equals BERT itself."""
    import transformers as tf

    restore_bert(tf.BertModel, tf.BertConfig)
    bert: Any = tf.BertModel.from_pretrained(save_bert(tmp_path / "bert"), dtype=torch.float32).eval()
    ids = torch.tensor([[2, 7, 8, 5, 9, 3], [2, 10, 5, 3, 0, 0]])
    mask = (ids != 0).long()
    if depth == 3:
        mask = mask[:, None, :] * torch.ones(6, 6, dtype=torch.long).tril()[None]
    with torch.inference_mode():
        additive = bert.get_extended_attention_mask(mask, ids.shape, ids.device)
        assert bert.get_head_mask(None, 1) == [None] and bert.config.use_return_dict
        ours = bert.encoder(bert.embeddings(input_ids=ids), attention_mask=additive)[0]
        plain = bert(ids, attention_mask=mask if depth == 2 else mask[:, None].bool()).last_hidden_state
    np.testing.assert_allclose(ours[0].numpy(), plain[0].numpy(), atol=1e-6)


def direct(model: Any, frame: np.ndarray, prompt: str) -> tuple[np.ndarray, np.ndarray]:
    """Token scores and boxes of a frame as the package's own `load_image` and `predict` get them."""
    from groundingdino.datasets import transforms as t  # pyright: ignore[reportMissingImports]
    from PIL import Image

    steps = [t.RandomResize([800], max_size=1333), t.ToTensor(), t.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    tensor, _ = t.Compose(steps)(Image.fromarray(frame), None)
    with torch.no_grad():
        outputs = model(tensor[None], captions=[prompt])
    return outputs["pred_logits"][0].sigmoid().numpy(), outputs["pred_boxes"][0].numpy()


@pytest.mark.slow
def test_the_packages_model_is_loaded_and_asked(tmp_path: Path) -> None:
    pytest.importorskip("groundingdino", reason="the optional package groundingdino-py is not installed")
    from groundingdino.models import build_model  # pyright: ignore[reportMissingImports]
    from groundingdino.util.slconfig import SLConfig  # pyright: ignore[reportMissingImports]

    config = Path(__import__("groundingdino").__file__).parent / "config" / "GroundingDINO_SwinT_OGC.py"
    text = config.read_text(encoding="utf-8").replace("num_queries = 900", "num_queries = 20")
    for layers in ("enc_layers", "dec_layers"):
        text = text.replace(f"{layers} = 6", f"{layers} = 1")
    (tmp_path / "config.py").write_text(text.replace("use_checkpoint = True", "use_checkpoint = False"), encoding="utf-8")
    save_bert(tmp_path / "bert-base-uncased")
    import transformers as tf

    restore_bert(tf.BertModel, tf.BertConfig)
    settings: Any = SLConfig.fromfile(str(tmp_path / "config.py"))
    settings.device, settings.text_encoder_type = "cpu", str(tmp_path / "bert-base-uncased")
    torch.manual_seed(5)
    torch.save({"model": build_model(settings).state_dict()}, tmp_path / "model.pth")
    dino = GroundingDinoPackage(ModelPlace("Detector", str(tmp_path)), device="cpu", dtype="float32")
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    scores, places, offsets = dino._answer(frames, "man. red cup.")
    assert offsets.tolist() == [[0, 0], [0, 3], [3, 4], [5, 8], [9, 12], [12, 13], [0, 0]]
    assert scores.shape[:2] == places.shape[:2] == (2, 20)
    alone, _, _ = dino._answer(frames[1:], "man. red cup.")
    np.testing.assert_allclose(alone[0], scores[1], atol=1e-4)
    theirs, their_places = direct(dino._model, frames[1], "man. red cup.")
    np.testing.assert_allclose(scores[1], theirs, atol=1e-4)
    np.testing.assert_allclose(places[1], their_places, atol=1e-4)
    assert {d.label for d in dino.detect(footage_of(frames), [0, 1], ["man", "red cup"])} <= {"man", "red cup"}
