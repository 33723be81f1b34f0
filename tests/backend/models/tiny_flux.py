"""Tiny random checkpoints of the FLUX.1 pipelines in diffusers' layout, a few hundred kilobytes each."""

from pathlib import Path
from typing import Any

import torch


def save_flux(folder: Path, kind: str) -> Path:
    """`FluxPipeline`, `FluxFillPipeline` or `FluxKontextPipeline`."""
    import diffusers as _diffusers

    diffusers: Any = _diffusers

    torch.manual_seed(3)
    latents = 4  # channels of the VAE; packed two by two into 16
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1,
        in_channels=4 * latents + (4 * latents + 256 if kind == "FluxFillPipeline" else 0),
        out_channels=4 * latents,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=True,
    )
    vae = diffusers.AutoencoderKL(
        sample_size=32,
        latent_channels=latents,
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        use_quant_conv=False,
        use_post_quant_conv=False,
        shift_factor=0.06,
        scaling_factor=1.5,
    )
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    parts = {"scheduler": scheduler, "vae": vae, "transformer": transformer, **_text()}
    if kind == "FluxKontextPipeline":
        parts |= {"image_encoder": None, "feature_extractor": None}
    getattr(diffusers, kind)(**parts).save_pretrained(folder)
    return folder


def save_redux(folder: Path) -> Path:
    """`redux` and `base` in one folder."""
    import diffusers as _diffusers

    diffusers: Any = _diffusers
    import transformers as tf

    torch.manual_seed(4)
    vision = tf.SiglipVisionModel(
        tf.SiglipVisionConfig(
            hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=16
        )
    )
    from diffusers.pipelines.flux.modeling_flux import ReduxImageEncoder

    diffusers.FluxPriorReduxPipeline(
        image_encoder=vision,
        feature_extractor=tf.SiglipImageProcessor(size={"height": 32, "width": 32}),
        image_embedder=ReduxImageEncoder(redux_dim=16, txt_in_features=32),
    ).save_pretrained(folder / "redux")
    save_flux(folder / "base", "FluxPipeline")
    return folder


def save_lama(path: Path) -> Path:
    """TorchScript with LaMa's signature: what is under the mask becomes the mean colour of what is not."""

    class Mean(torch.nn.Module):
        def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            known = 1.0 - mask
            mean = (image * known).sum(dim=(2, 3), keepdim=True) / known.sum().clamp(min=1.0)
            return image * known + mean * mask

    torch.jit.script(Mean()).save(str(path))
    return path


def _text() -> dict[str, Any]:
    import transformers as tf
    from tokenizers import Tokenizer, models, pre_tokenizers

    letters = [chr(code) for code in range(33, 127)]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    clip = tf.CLIPTextModel(
        tf.CLIPTextConfig(
            vocab_size=len(words), hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=77, bos_token_id=0, eos_token_id=1,
        )
    )  # fmt: skip
    t5 = tf.T5EncoderModel(
        tf.T5Config(
            vocab_size=128, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2, relative_attention_num_buckets=8
        )
    )
    pieces = Tokenizer(
        models.Unigram([("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -1.0) for letter in letters)], unk_id=2)
    )
    pieces.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment]
    return {
        "text_encoder": clip,
        "tokenizer": tf.CLIPTokenizer(vocab={word: n for n, word in enumerate(words)}, merges=[], model_max_length=77),
        "text_encoder_2": t5,
        "tokenizer_2": tf.PreTrainedTokenizerFast(
            tokenizer_object=pieces, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=64
        ),
    }
