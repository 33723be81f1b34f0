"""Tiny pipelines of diffusers, saved as their real folders are."""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_cogvideox import AutoencoderKLCogVideoX
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from diffusers.models.transformers.consisid_transformer_3d import ConsisIDTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from diffusers.models.transformers.transformer_wan_vace import WanVACETransformer3DModel
from diffusers.pipelines.consisid.pipeline_consisid import ConsisIDPipeline
from diffusers.pipelines.wan.pipeline_wan import WanPipeline
from diffusers.pipelines.wan.pipeline_wan_i2v import WanImageToVideoPipeline
from diffusers.pipelines.wan.pipeline_wan_vace import WanVACEPipeline
from diffusers.schedulers.scheduling_dpm_cogvideox import CogVideoXDPMScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

VISION = {"image_encoder": "CLIPVisionModel", "image_processor": "CLIPImageProcessor"}

REFERENCES_WEIGH = 100.0

TINY: dict[str, Any] = {
    "num_attention_heads": 2,
    "attention_head_dim": 24,
    "text_dim": 32,
    "freq_dim": 32,
    "ffn_dim": 64,
    "num_layers": 2,
    "rope_max_seq_len": 64,
}


def made_pipeline(folder: Path, kind: str) -> Path:
    """`vace`, `t2v` or `i2v` with random weights in `folder`."""
    torch.manual_seed(0)
    parts: dict[str, Any] = {
        "tokenizer": _tokenizer(),
        "text_encoder": UMT5EncoderModel(
            UMT5Config(
                vocab_size=16,
                d_model=32,
                d_kv=8,
                d_ff=64,
                num_layers=2,
                num_heads=4,
                relative_attention_num_buckets=8,
                relative_attention_max_distance=32,
                feed_forward_proj="gated-gelu",
            )
        ),
        "vae": AutoencoderKLWan(
            base_dim=8, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
        ),
        "scheduler": UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000, flow_shift=5.0
        ),
    }
    match kind:
        case "vace":
            transformer = WanVACETransformer3DModel(**TINY, vace_layers=[0], vace_in_channels=96)
            with torch.no_grad():  # random weights let references change frames by less than a codec keeps
                for name, weights in transformer.named_parameters():
                    if name.startswith("vace_blocks") and name.endswith("proj_out.weight"):
                        weights *= REFERENCES_WEIGH
            parts["transformer"] = transformer
            pipeline = WanVACEPipeline(**parts)
        case "i2v":
            parts["transformer"] = WanTransformer3DModel(**TINY, in_channels=36)
            pipeline = WanImageToVideoPipeline(**parts)
        case _:
            pipeline = WanPipeline(**parts, transformer=WanTransformer3DModel(**TINY))
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def made_clip_vision(folder: Path, *, width: int) -> Path:
    """The same folder with an image encoder beside the rest, as Wan 2.1 I2V has one."""
    torch.manual_seed(1)
    config = CLIPVisionConfig(
        hidden_size=width, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8
    )
    CLIPVisionModel(config).save_pretrained(folder / "image_encoder")
    size = {"height": 16, "width": 16}
    CLIPImageProcessor(size=size, crop_size=size).save_pretrained(folder / "image_processor")
    index = json.loads((folder / "model_index.json").read_text())
    index |= {name: ["transformers", kind] for name, kind in VISION.items()}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def _tokenizer() -> PreTrainedTokenizerFast:
    words = ("<pad>", "</s>", "<unk>", "A", "square", "of", "colour", "1", "moves", "right")
    tokenizer = Tokenizer(WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])  # pyright: ignore[reportAttributeAccessIssue]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )


def made_consisid(folder: Path, *, faces: bool = False) -> Path:
    """ConsisID with random weights in its real folder; with `faces` it wants what face models see."""
    torch.manual_seed(0)
    transformer: dict[str, Any] = {
        "num_attention_heads": 2,
        "attention_head_dim": 16,
        "in_channels": 8,
        "out_channels": 4,
        "time_embed_dim": 8,
        "text_embed_dim": 32,
        "num_layers": 1,
        "sample_width": 4,
        "sample_height": 4,
        "sample_frames": 9,
        "max_text_seq_length": 226,
        "use_rotary_positional_embeddings": True,
        "is_train_face": faces,
        "cross_attn_interval": 1,
        "cross_attn_dim_head": 1,
        "cross_attn_num_heads": 1,
        "LFE_id_dim": 2,
        "LFE_vit_dim": 2,
        "LFE_depth": 5,
        "LFE_num_heads": 8,
        "LFE_num_id_token": 1,
        "LFE_num_querie": 1,
        "LFE_output_dim": 10,
        "LFE_ff_mult": 1,
        "LFE_num_scale": 1,
    }
    vae: dict[str, Any] = {
        "down_block_types": ("CogVideoXDownBlock3D",) * 4,
        "up_block_types": ("CogVideoXUpBlock3D",) * 4,
        "block_out_channels": (8, 8, 8, 8),
        "latent_channels": 4,
        "layers_per_block": 1,
        "norm_num_groups": 2,
    }
    text = T5Config(vocab_size=16, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4, feed_forward_proj="gated-gelu")
    parts: dict[str, Any] = {
        "tokenizer": _tokenizer(),
        "text_encoder": T5EncoderModel(text),
        "vae": AutoencoderKLCogVideoX(**vae),
        "transformer": ConsisIDTransformer3DModel(**transformer),
        "scheduler": CogVideoXDPMScheduler(),
    }
    ConsisIDPipeline(**parts).save_pretrained(folder, safe_serialization=True)
    return folder
