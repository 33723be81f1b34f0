"""What makes videos of cases: a run of ours (`run:DIR`) or a pipeline of diffusers (`diffusers:FOLDER`).

Shapes: B samples (here 1), C channels, T H W of a latent, L text tokens, A channels of an encoder.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import numpy as np
import torch

from backend.domain import (
    Absent,
    AudioEncoder,
    Case,
    LatentCodec,
    ModelUnavailable,
    PatchEncoder,
    SettingsError,
    TextEncoder,
    digest,
)
from backend.engine.context import WorkContext
from backend.media.audio import sound_from_first_frame
from backend.media.images import read_rgba
from backend.models.devices import torch_device, torch_dtype
from backend.models.places import ModelPlace
from backend.store.checksums import changed_files
from training.audio_branch import FRAMES_PER_LATENT, audio_windows
from training.building import EXPORT, RUN, arrangement_of, shape_of
from training.conditioning import Conditions
from training.config import TrainConfig, from_json
from training.data.latents import worker_settings
from training.data.modes import ANCHORS
from training.data.shapes import Shape, covered, filled
from training.generate_settings import Compute, GenerateSettings, SamplerChoice, VideoShape
from training.guidance import GUIDANCE
from training.layout import ANCHOR_ROLES, anchor_segments
from training.loading import load_transformer
from training.long_video import Chunk, LongVideo, generate_long
from training.model import S2VTransformer, build
from training.probe import AttentionProbe, Looked
from training.publish import LORA_FILE
from training.sampling import GuidedModel, Sampler

DIFFUSERS = "diffusers:"
KALEIDO_SAMPLER = Sampler(method="euler", steps=50, shift=7.0)  # Kaleido's code
FRAMES_STEP = 4  # clips have 1 + 4 n frames (Wan's VAE)


class System(Protocol):
    """Makes videos of cases."""

    about: Mapping[str, Any]
    """What decides its videos, as JSON: kind, models with digests, sampler, guidance, video."""
    fps: float
    device: torch.device
    can_be_probed: bool
    """Whether `make` takes an attention probe."""

    def lacks(self, case: Case) -> str:
        """Why it cannot make a video of a case, in a sentence; empty where it can."""
        ...

    def make(self, case: Case, seed: int, looked: list[Looked] | None = None) -> np.ndarray:
        """RGB uint8 `(F, H, W, 3)`; equal seeds give equal videos on one machine. Raises StudioError.

        Into `looked`, where `can_be_probed`, goes where its tokens looked (`training.probe`).
        """
        ...


def open_system(location: str, settings: GenerateSettings, *, working: Path) -> System:
    """The system at `run:DIR` or `diffusers:FOLDER`; `working` is a folder for its own use.

    Raises SettingsError for another location or a setting that it does not have, ModelUnavailable for missing or damaged weights.
    """
    if location.startswith(RUN):
        return RunSystem(Path(location.removeprefix(RUN)).expanduser(), settings, working=working)
    if location.startswith(DIFFUSERS):
        from training.pipelines import PipelineSystem

        return PipelineSystem(Path(location.removeprefix(DIFFUSERS)).expanduser(), settings)
    raise SettingsError(f"--system is {location!r}; write run:DIR for a training run or diffusers:FOLDER for a pipeline")


def chosen_device(compute: Compute) -> tuple[torch.device, torch.dtype]:
    """The device, and the type of numbers there."""
    device = torch_device(compute.device)
    return device, torch_dtype(compute.dtype or ("float32" if device.type == "cpu" else "bfloat16"))


def missing_references(case: Case) -> str:
    """A sentence where pictures of a case are not there."""
    lost = [path for path, found in zip(case.references, case.hashes, strict=True) if not found]
    if not lost:
        return ""
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    return f"case {case.name} lacks its reference {lost[0]}{more}; put it there, or name its folder with --references"


class RunSystem:
    """What a training run exported, with the codec and the encoders that it was trained through."""

    can_be_probed = True

    def __init__(self, run: Path, settings: GenerateSettings, *, working: Path) -> None:
        if settings.guidance.scale:
            raise SettingsError("guidance.scale is for pipelines; a run has chains: set guidance.chain")
        export = run / EXPORT
        self._config = _config(export)
        self.device, self._dtype = chosen_device(settings.compute)
        self._shape, self.fps = _clip_shape(self._config, settings.video)
        self._chunk_frames = _chunk_frames(self._config, settings.video)
        self._fixed_length = bool(settings.video.frames)
        self._prefix_mode: Literal["frozen", "soft"] = settings.video.prefix_mode
        self._sampler = _sampler(self._config, settings.sampler)
        chain = settings.guidance.chain or self._config.conditioning.dropout
        self._chain = GUIDANCE[chain]
        encoders = worker_settings(working, self._config.data.latents)
        self._context = WorkContext(encoders)
        self._codec = cast(LatentCodec, self._context.role("LatentCodec"))
        prefix = self._config.conditioning.prefix_latents
        if self._makes_chunks and self._latents(self._chunk_frames) <= prefix:
            raise SettingsError(
                f"video.chunk_frames is {self._chunk_frames}; a chunk begins with {prefix} latents and needs more than these"
            )
        self._text = cast(TextEncoder, self._context.role("TextEncoder"))
        self._arrangement = arrangement_of(self._config)
        self._begins_from_image = self._arrangement.image_channels
        self._encoders = ("LatentCodec", "TextEncoder", *(("PatchEncoder",) if self._begins_from_image else ()))
        self._model = _model(export, self._config, self.device, self._dtype)
        self._negative = self._padded(self._text.encode(settings.guidance.negative))
        self.about: Mapping[str, Any] = {
            "kind": "run",
            "recipe": self._config.recipe,
            "models": {
                "transformer": ModelPlace("system", str(export)).model_id("transformer"),
                **{role: encoders.model_id(role) for role in self._encoders},
            },
            "sampler": asdict(self._sampler),
            "guidance": {
                "chain": chain,
                "links": [[list(link.conditions), link.scale] for link in self._chain.links],
                "negative": settings.guidance.negative,
            },
            "video": {
                **self._shape._asdict(),
                "fps": self.fps,
                "chunk_frames": self._chunk_frames,
                "prefix_mode": self._prefix_mode,
            },
            "compute": {"device": self.device.type, "dtype": str(self._dtype).removeprefix("torch.")},
        }

    def lacks(self, case: Case) -> str:
        if self._begins_from_image and not (case.first_frame and case.first_frame_hash):
            return f"case {case.name} has no first frame, which this run begins from; give one (first_frame), or use another run"
        limit = min(self._text.max_tokens, self._config.model.text_tokens)
        if not (lost := missing_references(case)) and len(self._text.encode(case.prompt)) >= limit:
            return f"the prompt of case {case.name} has {limit} tokens or more, where the model's texts end; shorten it"
        if not lost and len(case.references) > self._config.data.max_references:
            return (
                f"case {case.name} has {len(case.references)} references, the run was trained on up to "
                f"{self._config.data.max_references}; give fewer"
            )
        if not lost and self._frames(case) > self._chunk_frames and not self._makes_chunks:
            return (
                f"case {case.name} asks for {self._frames(case)} frames in chunks of {self._chunk_frames}, and the run has not learned to "
                "go on from a chunk before (conditioning.prefix is 0); set video.frames to make all videos as long, "
                "video.chunk_frames to make this one in one go, or video.prefix_mode=soft"
            )
        return lost

    @torch.no_grad()
    def make(self, case: Case, seed: int, looked: list[Looked] | None = None) -> np.ndarray:
        probe = None if looked is None else AttentionProbe(self._model, looked)

        def guided(conditions: Conditions, chunk: Chunk) -> GuidedModel:
            return GuidedModel(
                model=self._model,
                arrangement=self._arrangement,
                conditions=conditions,
                chain=self._chain,
                before_forward=None if probe is None else probe.chunk(chunk.index, chunk.start),
            )

        def noise(chunk: Chunk) -> torch.Tensor:
            # The first chunk's is that of a video of one chunk
            own = seed if chunk.index == 0 else int(digest((seed, "chunk", chunk.index), num_bytes=7), 16)
            size = (chunk.stop - chunk.start, self._shape.height // pixels, self._shape.width // pixels)
            drawn = torch.randn((1, self._codec.channels, *size), generator=torch.Generator().manual_seed(own))
            return drawn.to(self.device, self._dtype)

        pixels, frames = self._codec.pixels_per_latent, self._frames(case)
        if probe is not None:
            probe.attach()
        try:
            latents = generate_long(
                guided,
                self._conditions(case, frames),
                noise,
                num_latents=self._latents(frames),
                plan=self._plan(frames),
                sampler=self._sampler,
            )
        finally:
            if probe is not None:
                probe.detach()
        return self._codec.decode(latents[0].float().cpu().numpy())

    @property
    def _makes_chunks(self) -> bool:
        """Whether it can go on from a chunk before: it has learned to, or makes that one's end again."""
        return self._config.conditioning.prefix > 0 or self._prefix_mode == "soft"

    def _frames(self, case: Case) -> int:
        """As many as a case's duration asks for, unless they are set."""
        if self._fixed_length or case.duration_s is None:
            return self._shape.frames
        return 1 + FRAMES_STEP * max(1, math.ceil((case.duration_s * self.fps - 1) / FRAMES_STEP))

    def _latents(self, frames: int) -> int:
        return 1 + (frames - 1) // self._codec.frames_per_latent

    def _plan(self, frames: int) -> LongVideo:
        """One chunk where the video is no longer than one."""
        chunk = self._latents(max(self._chunk_frames, 1))
        if self._latents(frames) <= chunk:
            return LongVideo(chunk_latents=max(chunk, 2), prefix=1)
        prefix = self._config.conditioning.prefix_latents
        return LongVideo(chunk_latents=chunk, prefix=prefix, prefix_mode=self._prefix_mode)

    def _conditions(self, case: Case, frames: int) -> Conditions:
        pictures = [self._picture(path) for path in case.references]
        kinds = case.kinds or ("",) * len(pictures)
        told = [
            (*self._role(kind), (picture.shape[3], picture.shape[4])) for kind, picture in zip(kinds, pictures, strict=True)
        ]
        known = first = image = None
        if case.first_frame and self._config.conditioning.first_frame:
            shown = covered(np.ascontiguousarray(read_rgba(Path(case.first_frame))[..., :3]), self._shape)
            if self._begins_from_image:
                first, image = self._image_condition(shown, frames)
            else:
                known = self._sent(self._codec.encode(shown[None]))[None]
        return Conditions(
            text_BLA=self._padded(self._text.encode(case.prompt)),
            empty_text_BLA=self._negative,
            anchors=(anchor_segments(told, timestep=self._config.model.anchor_timestep),),
            anchor_latents=tuple(pictures),
            known_BCTHW=known,
            known_as="first_frame",
            first_frame_BCTHW=first,
            image_BIA=image,
            audio_BTWA=self._heard(case, frames) if self._config.model.audio_channels else None,
        )

    def _role(self, kind: str) -> tuple[str, str]:
        """A reference; for a run that learned from anchors, role and category of the anchor that the case says it is."""
        role, _, category = kind.partition(":")
        known = ANCHORS in self._config.data.modes and role in ANCHOR_ROLES
        return (role, category) if known else ("reference", "")

    def _picture(self, path: str) -> torch.Tensor:
        rgba = read_rgba(Path(path))
        latents = self._config.data.latents
        size = latents.pictures.size(rgba.shape[1], rgba.shape[0], clips=latents.clips)
        return self._sent(self._codec.encode(filled(rgba, size, background=latents.pictures.background)[0][None]))[None]

    def _image_condition(self, shown: np.ndarray, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
        """What Wan I2V is told of the first frame: latents of the first chunk with it and grey after it, and its features."""
        first = next(self._plan(frames).chunks(self._latents(frames)))
        num_frames = 1 + (first.stop - 1) * self._codec.frames_per_latent
        encoder = cast(PatchEncoder, self._context.role("PatchEncoder"))
        return self._sent(self._codec.encode_start(shown, num_frames))[None], self._sent(encoder.encode(shown))[None]

    def _heard(self, case: Case, frames: int) -> torch.Tensor:
        """Sound of the case from its start; silence where it ends, or where there is none."""
        encoder = cast(AudioEncoder, self._context.role("AudioEncoder"))
        samples = np.zeros(round(frames / self.fps * encoder.rate), np.float32)
        sound = sound_from_first_frame(case.audio, encoder.rate) if case.audio else Absent("no sound")
        if not isinstance(sound, Absent):
            heard = sound.samples[: len(samples)]
            samples[: len(heard)] = heard
        # As many windows as the model was shown for a latent in training, whatever the codec's step in time.
        shown = 1 + FRAMES_PER_LATENT * (self._latents(frames) - 1)
        return self._sent(audio_windows(torch.from_numpy(encoder.encode(samples))[None], shown))

    def _padded(self, features: np.ndarray) -> torch.Tensor:
        tokens = self._config.model.text_tokens
        found = torch.zeros(1, tokens, features.shape[1])
        found[0, : len(features)] = torch.from_numpy(features[:tokens])
        return self._sent(found)

    def _sent(self, values: np.ndarray | torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(values).to(self.device, self._dtype)


def _config(export: Path) -> TrainConfig:
    path = export / "training.json"
    if changed := changed_files(export):
        raise ModelUnavailable(f"{changed[0]}; delete the folder and let the run export again with --resume")
    try:
        return from_json(path.read_bytes())
    except OSError as error:
        raise ModelUnavailable(
            f"{path} is not there: {export.parent} has exported no model yet; let that run end"
        ) from error


def _model(export: Path, config: TrainConfig, device: torch.device, dtype: torch.dtype) -> S2VTransformer:
    """What was trained, with adapters over the base that they were trained on."""
    shape = shape_of(config)
    if not config.lora.rank:
        return load_transformer(export, shape, dtype=dtype, device=str(device))
    if not (export / LORA_FILE).is_file():
        raise ModelUnavailable(f"{export / LORA_FILE} is missing; let the run export again with --resume")
    place = config.model.init
    if place:
        folder = (
            Path(place.removeprefix(RUN)).expanduser() / EXPORT
            if place.startswith(RUN)
            else ModelPlace("model.init", place).path()
        )
        model = load_transformer(folder, shape, dtype=dtype, device=str(device))
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.run.seed)
            model = build(shape)
            cast(torch.nn.Module, model).to(device, dtype)
    model.load_lora_adapter(str(export / LORA_FILE), prefix="transformer")
    return model.eval()


def _clip_shape(config: TrainConfig, wanted: VideoShape) -> tuple[Shape, float]:
    """The longest of the run's buckets in its first aspect, but for what is set."""
    clips = config.data.latents.clips
    longest = max(clips.frames)
    shape = next(each for each in clips.all() if each.frames == longest)
    shape = Shape(wanted.frames or longest, wanted.height or shape.height, wanted.width or shape.width)
    if shape.frames % FRAMES_STEP != 1 or shape.height % clips.multiple or shape.width % clips.multiple:
        raise SettingsError(
            f"video: {shape}; frames are 1 + {FRAMES_STEP} n, width and height multiples of {clips.multiple}"
        )
    if min(shape) < 1 or wanted.fps < 0:
        raise SettingsError(f"video: {shape} at {wanted.fps:g} a second; all must be above 0")
    return shape, wanted.fps or clips.fps


def _chunk_frames(config: TrainConfig, wanted: VideoShape) -> int:
    frames = wanted.chunk_frames or max(config.data.latents.clips.frames)
    if frames % FRAMES_STEP != 1 or frames < 1:
        raise SettingsError(f"video.chunk_frames is {frames}; write 1 + {FRAMES_STEP} n")
    return frames


def _sampler(config: TrainConfig, wanted: SamplerChoice) -> Sampler:
    """The paper's, with the run's number of steps, but for what is set."""
    own = KALEIDO_SAMPLER if config.conditioning.dropout == "kaleido" else Sampler()
    own = replace(own, steps=config.validation.sampling_steps)
    if wanted.steps < 0 or wanted.shift < 0:
        raise SettingsError(f"sampler: {wanted.steps} steps, shift {wanted.shift:g}; both must be above 0")
    return Sampler(method=wanted.method or own.method, steps=wanted.steps or own.steps, shift=wanted.shift or own.shift)
