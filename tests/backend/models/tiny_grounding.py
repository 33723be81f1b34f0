"""Tiny random checkpoints of OWLv2, OWL-ViT, GroundingDINO and SAM 2 in their real layouts."""

import string
from pathlib import Path
from typing import Any

import torch

WORDS = ("man", "woman", "human", "cat", "dog", "red", "cup", "park", "a", "and")


def save_owl(folder: Path, kind: str) -> Path:
    """OWLv2 or OWL-ViT of 64 x 64 pixels in patches of 16."""
    import transformers as tf

    torch.manual_seed(1)
    sizes: dict[str, Any] = {
        "text_config": {
            "vocab_size": 514, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
            "max_position_embeddings": 16, "pad_token_id": 0, "bos_token_id": 512, "eos_token_id": 513,
        },
        "vision_config": {
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64, "patch_size": 16
        },
        "projection_dim": 32,
    }  # fmt: skip
    size = {"height": 64, "width": 64}
    if kind == "owlv2":
        model = tf.Owlv2ForObjectDetection(tf.Owlv2Config(**sizes))
        processor = tf.Owlv2ImageProcessor(size=size)
    else:
        model = tf.OwlViTForObjectDetection(tf.OwlViTConfig(**sizes))
        processor = tf.OwlViTImageProcessor(size=size, crop_size=size)
    with torch.no_grad():  # random boxes and scores that differ from patch to patch
        for name, parameter in model.named_parameters():
            if "_head" in name:
                parameter.normal_(0, 0.1)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_grounding_dino(folder: Path) -> Path:
    """GroundingDINO with a vocabulary of ten words and letters."""
    import transformers as tf

    torch.manual_seed(2)
    letters = [*string.ascii_lowercase, *(f"##{c}" for c in string.ascii_lowercase)]
    vocab = {
        word: n for n, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", *WORDS, *letters[1:]])
    }
    tokenizer = tf.BertTokenizer(vocab=vocab)
    config = tf.GroundingDinoConfig(
        backbone_config={
            "model_type": "swin", "image_size": 64, "embed_dim": 8, "depths": [1] * 4, "num_heads": [1, 1, 2, 2], "window_size": 2,
            "out_features": ["stage2", "stage3", "stage4"],
        },
        text_config={
            "model_type": "bert", "vocab_size": len(tokenizer), "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 32, "max_position_embeddings": 256,
        },
        d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, num_queries=20, num_feature_levels=4, max_text_len=64,
        disable_custom_kernels=True,
    )  # fmt: skip
    model = tf.GroundingDinoForObjectDetection(config)
    images = tf.GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    model.save_pretrained(folder)
    tf.GroundingDinoProcessor(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def save_sam2(folder: Path) -> Path:
    """SAM 2 of 128 x 128 pixels."""
    import transformers as tf

    torch.manual_seed(3)
    wide = 32
    config = tf.Sam2Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam2_hiera_det_model", "hidden_size": 8, "image_size": [128, 128], "blocks_per_stage": [1, 1, 2, 1],
                "embed_dim_per_stage": [8, 16, 32, 64], "num_attention_heads_per_stage": [1, 1, 2, 2],
                "window_size_per_stage": [4] * 4, "global_attention_blocks": [3],
            },
            "backbone_channel_list": [64, 32, 16, 8], "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
            "fpn_hidden_size": wide,
        },
        prompt_encoder_config={"hidden_size": wide, "image_size": 128, "patch_size": 16},
        mask_decoder_config={
            "hidden_size": wide, "mlp_dim": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "iou_head_hidden_dim": 32
        },
    )  # fmt: skip
    model = tf.Sam2Model(config)
    images = tf.Sam2ImageProcessor(size={"height": 128, "width": 128}, mask_size={"height": 32, "width": 32})
    model.save_pretrained(folder)
    tf.Sam2Processor(image_processor=images, target_size=128).save_pretrained(folder)
    return folder
