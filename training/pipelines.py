"""Pipelines of diffusers as systems: which are known, what each is given of a case, and at which sizes and rates.

Sizes, frames and rates of VACE and ConsisID are those of OpenS2V-Nexus, appendix D.2; Wan's own are its published defaults.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from PIL import Image
from safetensors import SafetensorError

from backend.domain import Case, ModelUnavailable, SettingsError
from backend.media.images import read_rgba
from backend.models.places import ModelPlace
from training.generate_settings import GenerateSettings, VideoShape
from training.probe import Looked
from training.systems import chosen_device, missing_references

LARGE_HEADS = 40  # of Wan's 14B models; the 1.3B has 12
WHITE = (255, 255, 255, 255)
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One class of pipelines."""

    video: VideoShape
    large: VideoShape | None = None
    """Of its 14B variant, where that has another."""
    guidance: float
    max_tokens: int
    lacks: Callable[[Case], str]
    images: Callable[[Any, Case], dict[str, Any]]
    """Arguments of the pipeline beside the prompt."""
    references: bool = True
    """Whether it sees a case's references."""
    frames_step: int = 4
    """Clips have 1 + this many n frames; of another number its VAE would give more."""


def _anything(case: Case) -> str:
    return ""


def _first_frame(case: Case) -> str:
    if case.first_frame and case.first_frame_hash:
        return ""
    return (
        f"case {case.name} has no first frame, which this pipeline begins from; give one, or use a pipeline with references"
    )


def _one_face(case: Case) -> str:
    if len(case.references) == 1:
        return ""
    return f"case {case.name} has {len(case.references)} references; ConsisID takes one face"


def _text_only(pipeline: Any, case: Case) -> dict[str, Any]:
    return {}


def _from_first_frame(pipeline: Any, case: Case) -> dict[str, Any]:
    return {"image": _picture(str(case.first_frame))}


def _with_references(pipeline: Any, case: Case) -> dict[str, Any]:
    return {"reference_images": [_picture(path) for path in case.references]}


def _with_face(pipeline: Any, case: Case) -> dict[str, Any]:
    """The picture, and what ConsisID's face models see in it. Raises ModelUnavailable where these are missing."""
    picture = _picture(case.references[0])
    if not pipeline.transformer.config.is_train_face:
        return {"image": picture}
    faces = _face_models(pipeline)
    try:
        from diffusers.pipelines.consisid import consisid_utils

        seen: Any = consisid_utils.process_face_embeddings_infer
        known, hidden, aligned, points = seen(
            *faces, pipeline.device, pipeline.dtype, np.asarray(picture), is_align_face=True
        )
    except IndexError as error:
        raise ModelUnavailable(f"no face was found in {case.references[0]}; ConsisID needs one") from error
    return {"image": aligned, "id_vit_hidden": hidden, "id_cond": known, "kps_cond": points}


KINDS: Mapping[str, Kind] = {
    "WanPipeline": Kind(
        video=VideoShape(frames=81, width=832, height=480, fps=16.0),  # Wan 2.1
        guidance=5.0,
        max_tokens=512,
        lacks=_anything,
        images=_text_only,
        references=False,
    ),
    "WanImageToVideoPipeline": Kind(
        video=VideoShape(frames=81, width=832, height=480, fps=16.0),  # Wan 2.1
        guidance=5.0,
        max_tokens=512,
        lacks=_first_frame,
        images=_from_first_frame,
        references=False,
    ),
    "WanVACEPipeline": Kind(
        video=VideoShape(frames=81, width=832, height=480, fps=16.0),  # OpenS2V-Nexus, appendix D.2
        large=VideoShape(frames=81, width=1280, height=720, fps=16.0),  # OpenS2V-Nexus, appendix D.2
        guidance=5.0,
        max_tokens=512,
        lacks=_anything,
        images=_with_references,
    ),
    "ConsisIDPipeline": Kind(
        video=VideoShape(frames=49, width=720, height=480, fps=8.0),  # OpenS2V-Nexus, appendix D.2
        guidance=6.0,
        frames_step=8,  # CogVideoX's VAE decodes two latents at a time
        max_tokens=226,
        lacks=_one_face,
        images=_with_face,
    ),
}
STEPS = 50  # diffusers' default for all of them


class PipelineSystem:
    """A folder that diffusers saved, told apart by its model_index.json."""

    can_be_probed = False

    def __init__(self, folder: Path, settings: GenerateSettings) -> None:
        wanted = settings.guidance, settings.sampler
        chunks = settings.video.chunk_frames or settings.video.prefix_mode != VideoShape().prefix_mode
        if wanted[0].chain or wanted[1].method or wanted[1].shift or chunks:
            raise SettingsError(
                "guidance.chain, sampler.method, sampler.shift, video.chunk_frames and video.prefix_mode are for runs; a pipeline has its own scheduler "
                "and makes a video in one go: set guidance.scale, sampler.steps and video.frames"
            )
        name = _class_of(folder)
        self._kind = KINDS[name]
        self.device, dtype = chosen_device(settings.compute)
        self._pipeline = _loaded(folder, name, dtype).to(self.device)
        self._video = self._shape(settings.video)
        self.fps = self._video.fps
        self._scale = wanted[0].scale or self._kind.guidance
        self._negative, self._steps = wanted[0].negative, wanted[1].steps or STEPS
        self.about: Mapping[str, Any] = {
            "kind": "diffusers",
            "pipeline": name,
            "models": _digests(folder),
            "sampler": {
                "method": type(self._pipeline.scheduler).__name__,
                "steps": self._steps,
                "shift": self._pipeline.scheduler.config.get("flow_shift", self._pipeline.scheduler.config.get("shift")),
            },
            "guidance": {"scale": self._scale, "negative": self._negative},
            "video": {
                "frames": self._video.frames,
                "height": self._video.height,
                "width": self._video.width,
                "fps": self.fps,
            },
            "sees_references": self._kind.references,
            "compute": {"device": self.device.type, "dtype": str(dtype).removeprefix("torch.")},
        }

    def lacks(self, case: Case) -> str:
        if self._kind.references and (lost := missing_references(case)):
            return lost
        tokens = len(self._pipeline.tokenizer(case.prompt)["input_ids"])
        if tokens > self._kind.max_tokens:
            return (
                f"the prompt of case {case.name} has {tokens} tokens, the model reads {self._kind.max_tokens}; shorten it"
            )
        return self._kind.lacks(case)

    def make(self, case: Case, seed: int, looked: list[Looked] | None = None) -> np.ndarray:
        assert looked is None, "pipelines are not probed"
        found = self._pipeline(
            prompt=case.prompt,
            negative_prompt=self._negative,
            height=self._video.height,
            width=self._video.width,
            num_frames=self._video.frames,
            num_inference_steps=self._steps,
            guidance_scale=self._scale,
            max_sequence_length=self._kind.max_tokens,
            generator=torch.Generator().manual_seed(seed),
            output_type="np",
            **self._kind.images(self._pipeline, case),
        ).frames[0]
        return np.rint(np.clip(found, 0, 1) * 255).astype(np.uint8)

    def _shape(self, wanted: VideoShape) -> VideoShape:
        heads = self._pipeline.transformer.config.num_attention_heads
        own = self._kind.large if self._kind.large is not None and heads >= LARGE_HEADS else self._kind.video
        given = {name: value for name in ("frames", "width", "height", "fps") if (value := getattr(wanted, name))}
        if any(value < 0 for value in given.values()):
            raise SettingsError(f"video: {given}; all must be above 0")
        if given.get("frames", 1) % self._kind.frames_step != 1:
            raise SettingsError(f"video.frames is {given['frames']}; clips have 1 + {self._kind.frames_step} n frames")
        return replace(own, **given)


def _class_of(folder: Path) -> str:
    path = folder / "model_index.json"
    try:
        name = json.loads(path.read_text("utf-8"))["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailable(
            f"{path} cannot be read; diffusers:FOLDER names a folder that a pipeline was saved to"
        ) from error
    if name not in KINDS:
        raise ModelUnavailable(
            f"{folder} is a {name}; known are {', '.join(KINDS)}: make its videos elsewhere and evaluate them"
        )
    return name


def _loaded(folder: Path, name: str, dtype: torch.dtype) -> Any:
    """The pipeline, from safetensors alone; a Wan VAE stays in float32, as its authors advise."""
    pickles = sorted(str(path.relative_to(folder)) for part in PICKLES for path in folder.glob(f"*/{part}"))
    if pickles:
        raise ModelUnavailable(f"{folder} holds pickles ({pickles[0]}), which may run code; convert them to safetensors")
    more: dict[str, Any] = {}
    try:
        if name.startswith("Wan"):
            more["vae"] = AutoencoderKLWan.from_pretrained(
                folder, subfolder="vae", dtype=torch.float32, local_files_only=True
            )
        pipeline = getattr(diffusers, name).from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True, **more
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelUnavailable(f"{folder} cannot be loaded as {name}: {error}; fetch the whole pipeline again") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _face_models(pipeline: Any) -> Any:
    """ConsisID's detectors and embedders, which lie in its own folder."""
    try:
        from diffusers.pipelines.consisid.consisid_utils import prepare_face_models

        return prepare_face_models(pipeline.config._name_or_path, device=pipeline.device, dtype=pipeline.dtype)
    except (ImportError, NameError, OSError) as error:
        raise ModelUnavailable(
            f"ConsisID's face models cannot be loaded: {error}; pip install consisid_eva_clip facexlib insightface, and keep "
            "face_encoder in the pipeline's folder"
        ) from error


def _digests(folder: Path) -> dict[str, str]:
    parts = sorted(path for path in folder.iterdir() if path.is_dir() and any(path.glob("*.safetensors")))
    return {path.name: ModelPlace("system", str(path)).model_id(path.name) for path in parts}


def _picture(path: str) -> Image.Image:
    """On white, as the references of these models are."""
    picture = Image.fromarray(read_rgba(Path(path)), "RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, WHITE), picture).convert("RGB")
