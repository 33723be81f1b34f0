"""What a run is made of: complete, typed, frozen; kept as JSON in the run, and read back from it.

A recipe gives a `TrainConfig`; `with_settings` changes single fields by dotted names. Unknown keys are errors.
"""

import collections.abc
import dataclasses
import json
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from backend.domain import SettingsError, json_checksum
from backend.settings import nearest
from training.anchors import SupersetAnchoring
from training.data.latent_settings import Latents
from training.dropout import DROPOUT
from training.layout import PREFIX_LATENTS
from training.positions import POSITIONS, WeakCondition
from training.shapes import SHAPES, TEXT_TOKENS
from training.times import TimeSampling

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The transformer, and how anchors enter it."""

    shape: str = "wan_1_3b"
    channels: int = 0
    """Of a latent; 0: the shape's. Must be the codec's."""
    heads: int = 0
    """0: the shape's; so are the next two. The width is the heads times the shape's channels of a head."""
    layers: int = 0
    feed_forward: int = 0
    init: str = ""
    """A folder of diffusers, or `run:DIR` for what another run exported; empty: random weights."""
    audio_channels: int = 0
    """Of the sound features; 0: no audio branch."""
    isolated_anchors: bool = False
    positions: str = "concat"
    anchor_stride: float = 1.0
    """Of weak_condition: between the positions of two categories of one kind of anchor."""
    longest_latents: int = 21
    """Of weak_condition: anchors stand beyond so many latent frames, in training as in sampling. 21: 81 frames through Wan's codec."""
    anchors_first: bool = False
    anchor_timestep: float | None = None
    """Of anchors; None: the video's (Phantom, Kaleido). 0: clean (Wan 2.2 S2V)."""
    text_tokens: int = 512
    """Texts are filled up with zeros to so many (Wan 2.1)."""

    def __post_init__(self) -> None:
        _one_of("model.shape", self.shape, SHAPES)
        _one_of("model.positions", self.positions, POSITIONS)
        WeakCondition(stride=self.anchor_stride, max_frames=self.longest_latents)  # says what is wrong with them


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """Low-rank adapters instead of all weights (peft). Rank 0: all weights learn."""

    rank: int = 0
    alpha: int = 0
    """0: the rank, so that adapters count in full."""
    targets: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What is shown, and in which batches."""

    latents: Latents = field(default_factory=Latents)
    modes: tuple[str, ...] = ("cross_pair",)
    split: str = ""
    """Of the export; empty: all of it."""
    validation_split: str = ""
    """Empty: the first samples of `split`."""
    tokens: int = 40_000
    """Of a batch on one rank, at most."""
    max_samples: int = 0
    """Of a batch; 0 sets no limit but the tokens'."""
    max_references: int = 3
    all_references: bool = True
    anchors: SupersetAnchoring = field(default_factory=SupersetAnchoring)
    """How anchors are drawn, in mode `anchors`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditioning:
    """What is left out or given away at random."""

    dropout: str = "none"
    prefix: float = 0.0
    """Probability that a batch begins with clean latents (Gloria, section 4.4)."""
    prefix_latents: int = PREFIX_LATENTS
    first_frame: float = 0.0
    """Probability that a batch without prefix has its first latent clean."""

    def __post_init__(self) -> None:
        _one_of("conditioning.dropout", self.dropout, DROPOUT)
        if min(self.prefix, self.first_frame) < 0 or self.prefix + self.first_frame > 1 or self.prefix_latents < 1:
            raise ValueError(f"prefix {self.prefix:g} and first_frame {self.first_frame:g} are no shares of 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """AdamW, and how its rate goes."""

    learning_rate: float = 1e-5
    betas: tuple[float, ...] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.01
    max_norm: float = 1.0
    """Gradients are cut to this norm over all weights."""
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        if self.learning_rate <= 0 or self.max_norm <= 0 or len(self.betas) != 2:
            raise ValueError(f"learning_rate {self.learning_rate:g}, max_norm {self.max_norm:g} and two betas are wanted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """How ranks share the work: replicate x shard x context is their number."""

    replicate: int = 1
    """Groups that hold the whole model (HSDP)."""
    shard: int = 0
    """Ranks that share one model's weights (FSDP2); 0: all that are left."""
    context: int = 1
    """Ranks that share one sequence (Ulysses); divides the heads."""
    checkpointing: Literal["none", "selective", "full"] = "none"
    """Which activations are computed again in the backward: none, all but attention and every other product, or all."""
    compile: bool = False
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of computation; weights are kept in float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What is looked at on the way."""

    every: int = 0
    """Steps; 0: never."""
    samples: int = 8
    times: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    videos: int = 0
    """How many are generated, from fixed seeds."""
    sampling_steps: int = 20

    def __post_init__(self) -> None:
        if any(not 0 < t < 1 for t in self.times) or not self.times or self.samples < 1:
            raise ValueError(f"validation times {self.times} lie between 0 and 1, of at least one sample")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How long, and what is kept."""

    steps: int = 1000
    accumulation: int = 1
    """Batches of each rank for one step."""
    seed: int = 0
    ema_decay: float = 0.0
    """0: no moving average of the weights."""
    log_every: int = 1
    save_every: int = 100
    keep: int = 2
    """Checkpoints."""
    tensorboard: bool = True

    def __post_init__(self) -> None:
        if min(self.steps, self.accumulation, self.log_every, self.save_every, self.keep) < 1:
            raise ValueError("steps, accumulation, log_every, save_every and keep are at least 1")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay {self.ema_decay:g} is not from 0 to below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """A whole run."""

    recipe: str = ""
    model: Model = field(default_factory=Model)
    lora: Lora = field(default_factory=Lora)
    data: Data = field(default_factory=Data)
    times: TimeSampling = field(default_factory=TimeSampling)
    conditioning: Conditioning = field(default_factory=Conditioning)
    optimizer: Optimizer = field(default_factory=Optimizer)
    parallel: Parallel = field(default_factory=Parallel)
    validation: Validation = field(default_factory=Validation)
    run: Run = field(default_factory=Run)

    def __post_init__(self) -> None:
        if self.model.audio_channels and not self.data.latents.encoders.audio:
            raise ValueError("model.audio_channels is set and data.latents.encoders.audio is not: sound would be silence")
        if SHAPES[self.model.shape]().takes_image_channels:
            if not self.data.latents.encoders.image:
                raise ValueError("model.shape begins from first frames; set data.latents.encoders.image before it")
            if self.model.text_tokens != TEXT_TOKENS:
                raise ValueError(
                    f"a base with image attention has texts of {TEXT_TOKENS} tokens; set model.text_tokens={TEXT_TOKENS}"
                )
            if not self.conditioning.first_frame:
                raise ValueError(
                    "model.shape begins from first frames and conditioning.first_frame is 0: it would learn from none; "
                    "set conditioning.first_frame above 0 before it"
                )
        if self.lora.rank and self.run.ema_decay:
            raise ValueError("lora.rank and run.ema_decay do not go together; adapters are small enough to keep several")
        if self.model.isolated_anchors and self.model.anchor_timestep is None:
            raise ValueError("isolated anchors may not depend on the video's time; set model.anchor_timestep=0")
        if self.model.isolated_anchors and self.parallel.context > 1:
            raise ValueError("isolated anchors and parallel.context above 1 do not go together")


def with_settings(config: TrainConfig, values: Mapping[str, Any]) -> TrainConfig:
    """The config with other values by dotted name. Raises SettingsError for an unknown name or a wrong value."""
    for name, value in values.items():
        config = _set(config, name.split("."), value, name)
    return config


def to_json(config: TrainConfig) -> str:
    """Indented JSON of every field, with a checksum of them."""
    fields = dataclasses.asdict(config)
    return json.dumps({**fields, "checksum": json_checksum(fields)}, indent=2)


def from_json(text: str | bytes) -> TrainConfig:
    """Raises SettingsError where the text is no config: damaged, or with unknown keys. Those of earlier versions have no checksum."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"the run's config.json cannot be read: {error}") from error
    said = found.pop("checksum", None) if isinstance(found, dict) else None
    if said is not None and said != json_checksum(found):
        raise SettingsError(
            "the run's config.json does not fit its checksum: it was changed or damaged; put a copy of your own in its "
            "place, or take the line `checksum` out if you changed it"
        )
    return _fitted(found, TrainConfig, "config")


def differences(one: TrainConfig, other: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """Dotted names of the fields that differ, with both values."""
    first, second = _flat(dataclasses.asdict(one)), _flat(dataclasses.asdict(other))
    return {name: (first[name], second[name]) for name in first if first[name] != second[name]}


def _set(record: Any, path: list[str], value: Any, where: str) -> Any:
    known = [each.name for each in dataclasses.fields(record)]
    if path[0] not in known:
        raise SettingsError(f"{where} is not a setting{nearest(path[0], known)}")
    if len(path) > 1:
        inner = getattr(record, path[0])
        if not dataclasses.is_dataclass(inner):
            raise SettingsError(f"{where} is not a setting: {path[0]} has no parts")
        changed = _set(inner, path[1:], value, where)
    else:
        changed = _fitted(value, get_type_hints(type(record))[path[0]], where)
    try:
        return dataclasses.replace(record, **{path[0]: changed})
    except ValueError as error:
        raise SettingsError(f"{where}={value!r}: {error}") from error


def _fitted(value: Any, hint: Any, where: str) -> Any:
    """A value of JSON or TOML as a field's type."""
    kind: Any = hint
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _record(value, hint, where)
    origin = get_origin(hint)
    if origin is Literal:
        if value not in get_args(hint):
            raise SettingsError(f"{where} is {value!r}; choose {', '.join(map(repr, get_args(hint)))}")
        return value
    if origin in (Union, types.UnionType):
        return _any_of(value, get_args(hint), where)
    if origin is collections.abc.Mapping:
        if not isinstance(value, Mapping):
            raise SettingsError(f"{where} is {value!r}; write a table")
        return {name: _fitted(each, get_args(hint)[1], f"{where}.{name}") for name, each in value.items()}
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise SettingsError(f"{where} is {value!r}; write a list")
        return tuple(_fitted(each, get_args(hint)[0], where) for each in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise SettingsError(f"{where} is {value!r}; it needs a value of type {kind.__name__}")
    return value


def _any_of(value: Any, hints: tuple[Any, ...], where: str) -> Any:
    if value is None and type(None) in hints:
        return None
    refusals = []
    for hint in hints:
        if hint is type(None):
            continue
        try:
            return _fitted(value, hint, where)
        except SettingsError as error:
            refusals.append(str(error))
    raise SettingsError("; or: ".join(refusals))


def _record(value: Any, kind: type[T], where: str) -> T:
    if not isinstance(value, Mapping):
        raise SettingsError(f"{where} is {value!r}; it has parts")
    hints = get_type_hints(kind)
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise SettingsError(f"{where}.{unknown[0]} is not a setting{nearest(unknown[0], hints)}")
    try:
        return kind(**{name: _fitted(each, hints[name], f"{where}.{name}") for name, each in value.items()})
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from error


def _flat(tree: Mapping[str, Any], start: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= _flat(value, f"{start}{name}.") if isinstance(value, dict) else {f"{start}{name}": value}
    return found


def _one_of(where: str, value: str, known: Mapping[str, Any]) -> None:
    if value not in known:
        raise ValueError(f"{where} is {value!r}{nearest(value, known)}")
