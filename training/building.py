"""The model of a config: built or loaded, fitted to what the cache holds, with adapters where they are wanted."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from backend.domain import ModelUnavailable, SettingsError
from backend.models.places import ModelPlace
from training.conditioning import Arrangement
from training.config import TrainConfig
from training.data.latents import EMPTY_TEXT, Encoded
from training.data.modes import Example
from training.data.shards import Entry
from training.loading import load_transformer
from training.model import S2VTransformer, build
from training.positions import position_scheme
from training.shapes import SHAPES, WanShape

RUN = "run:"
EXPORT = "export"
"""Of a run's folder: what it gives to others."""


def shape_of(config: TrainConfig) -> WanShape:
    """The shape that a config asks for."""
    shape = SHAPES[config.model.shape]()
    shape = replace(
        shape,
        num_attention_heads=config.model.heads or shape.num_attention_heads,
        num_layers=config.model.layers or shape.num_layers,
        ffn_dim=config.model.feed_forward or shape.ffn_dim,
    )
    if config.model.channels:
        shape = shape.with_latents(config.model.channels)
    if shape.added_kv_proj_dim is not None:
        shape = replace(shape, added_kv_proj_dim=shape.width)
    if config.model.audio_channels:
        shape = shape.with_audio(config.model.audio_channels)
    return replace(shape, isolated_anchors=config.model.isolated_anchors)


def arrangement_of(config: TrainConfig) -> Arrangement:
    """How a config puts a sequence together, in training and in sampling."""
    return Arrangement(
        scheme=position_scheme(
            config.model.positions, stride=config.model.anchor_stride, max_frames=config.model.longest_latents
        ),
        anchors_first=config.model.anchors_first,
        image_channels=shape_of(config).takes_image_channels,
    )


def build_model(config: TrainConfig, encoded: Encoded, examples: tuple[Example, ...]) -> S2VTransformer:
    """The model in float32 on the CPU, ready to learn. Raises SettingsError where it does not fit the latents, ModelUnavailable
    where the weights to start from are missing, damaged or of another shape."""
    shape = shape_of(config)
    _check_fit(shape, config, encoded, examples)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.run.seed)
        model = load_transformer(_place(config.model.init), shape) if config.model.init else build(shape)
        if config.lora.rank:
            _add_adapters(model, config)
    return model.train()


def _check_fit(shape: WanShape, config: TrainConfig, encoded: Encoded, examples: tuple[Example, ...]) -> None:
    clip = encoded.cache.find(encoded.keys.clips, examples[0].clip_id)
    text = encoded.cache.find(encoded.keys.texts, EMPTY_TEXT)
    assert clip is not None, "an example has latents"
    assert text is not None, "the cache has the empty text"
    channels, width = clip.shapes["video"][0], text.shapes["text"][1]
    if channels != shape.out_channels:
        raise SettingsError(
            f"the codec's latents have {channels} channels, model.shape {config.model.shape} takes {shape.out_channels}; "
            f"set model.channels={channels} for random weights, or choose the codec that the model was trained with"
        )
    if width != shape.text_dim:
        raise SettingsError(
            f"the text encoder gives {width} numbers a token, model.shape {config.model.shape} takes {shape.text_dim}; choose the "
            "encoder that the model was trained with (data.latents.encoders.text)"
        )
    longest = max(found.shapes["video"][1] for found in _clips(encoded, examples))
    if config.model.positions == "weak_condition" and longest > config.model.longest_latents:
        raise SettingsError(
            f"a clip has {longest} latent frames, and anchors stand beyond {config.model.longest_latents}; "
            f"set model.longest_latents={longest}, and keep it for later stages of the same model"
        )
    seen = clip.shapes.get("image")
    if shape.image_dim is not None and seen is not None and seen[1] != shape.image_dim:
        raise SettingsError(
            f"the image encoder gives {seen[1]} numbers a patch, model.shape {config.model.shape} takes {shape.image_dim}; choose the "
            "encoder that the model was trained with (data.latents.encoders.image)"
        )
    heard = clip.shapes.get("audio")
    if heard is not None and config.model.audio_channels and heard[1] != config.model.audio_channels:
        raise SettingsError(
            f"sound features have {heard[1]} channels, not model.audio_channels={config.model.audio_channels}"
        )


def _clips(encoded: Encoded, examples: tuple[Example, ...]) -> Iterator[Entry]:
    for clip_id in {example.clip_id for example in examples}:
        found = encoded.cache.find(encoded.keys.clips, clip_id)
        assert found is not None, "an example has latents"
        yield found


def _place(location: str) -> Path:
    if location.startswith(RUN):
        folder = Path(location.removeprefix(RUN)).expanduser() / EXPORT
        if not folder.is_dir():
            raise SettingsError(f"model.init names {location!r}, which has exported no model yet; let that run end first")
        return folder
    return ModelPlace("model.init", location).path()


def _add_adapters(model: S2VTransformer, config: TrainConfig) -> None:
    try:
        from peft import LoraConfig
    except ImportError as error:
        raise ModelUnavailable("adapters need the extra: pip install 'subject-studio[train]'") from error
    model.requires_grad_(False)
    alpha = config.lora.alpha or config.lora.rank
    model.add_adapter(LoraConfig(r=config.lora.rank, lora_alpha=alpha, target_modules=list(config.lora.targets)))
