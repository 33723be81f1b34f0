"""The VAE of Wan 2.1 and 2.2 as a codec, through diffusers."""

from typing import Any, ClassVar

import numpy as np

from backend.domain import ModelUnavailable
from backend.models.devices import torch_device, torch_dtype
from backend.models.pictures import whole
from backend.models.places import ModelPlace


class WanVae:
    """Latents are the deterministic mean, normalised by the checkpoint's mean and deviation of each channel.

    Read from a folder of diffusers' (a VAE's own, or a pipeline's with `vae` below).
    """

    model_id: str = "wan-vae"
    suggested: ClassVar[str] = "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"
    published_gb: ClassVar[float] = 0.51  # 127 M parameters, float32
    licence: ClassVar[str] = "Apache-2.0"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, damaged or of another kind."""
        folder = place.path()
        try:
            from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
            from safetensors import SafetensorError
        except ImportError as error:
            raise ModelUnavailable("Wan's VAE needs the extra: pip install 'subject-studio[models]'") from error
        own = folder / "vae" if (folder / "vae").is_dir() else folder
        try:
            found: Any = AutoencoderKLWan.from_pretrained(
                own,
                local_files_only=True,
                use_safetensors=True,
                torch_dtype=torch_dtype(dtype),
                low_cpu_mem_usage=False,
                output_loading_info=True,
            )
        except (OSError, ValueError, KeyError, RuntimeError, TypeError, SafetensorError) as error:
            raise ModelUnavailable(f"{own} cannot be loaded as Wan's VAE: {error}") from error
        self._model = whole(found, own, what="Wan's VAE").to(torch_device(device)).eval()
        config = self._model.config
        self.channels = int(config.z_dim)
        self.frames_per_latent = int(config.scale_factor_temporal)
        self.pixels_per_latent = int(config.scale_factor_spatial)
        if len(config.latents_mean) != self.channels or len(config.latents_std) != self.channels:
            raise ModelUnavailable(f"{own} gives {len(config.latents_mean)} means for {self.channels} channels")
        shape = (1, self.channels, 1, 1, 1)
        self._mean = self._model.encoder.conv_in.weight.new_tensor(config.latents_mean).float().view(shape)
        self._std = self._model.encoder.conv_in.weight.new_tensor(config.latents_std).float().view(shape)
        self.model_id = place.model_id(type(self).model_id)

    def encode(self, frames: np.ndarray) -> np.ndarray:
        """float32 `(C, T, h, w)` of RGB uint8 `(F, H, W, 3)`."""
        return self._encoded(frames, grey=0)

    def encode_start(self, picture: np.ndarray, num_frames: int) -> np.ndarray:
        """float32 `(C, T, h, w)` of RGB uint8 `(H, W, 3)` and grey frames."""
        return self._encoded(picture[None], grey=num_frames - 1)

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """RGB uint8 `(F, H, W, 3)` of latents float32 `(C, T, h, w)`."""
        import torch

        z = torch.from_numpy(np.ascontiguousarray(latents)).to(self._model.device)[None].float()
        with torch.inference_mode():
            found = self._model.decode((z * self._std + self._mean).to(self._model.dtype)).sample[0].float()
        pixels = ((found.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        return pixels.permute(1, 2, 3, 0).cpu().numpy()

    def _encoded(self, frames: np.ndarray, *, grey: int) -> np.ndarray:
        """Latents of the frames and as many grey ones after them."""
        import torch

        count, height, width = len(frames) + grey, *frames.shape[1:3]
        if count % self.frames_per_latent != 1 or height % self.pixels_per_latent or width % self.pixels_per_latent:
            raise ValueError(
                f"{count} frames of {width} x {height}: this VAE takes 1 + {self.frames_per_latent} n frames, "
                f"sides by {self.pixels_per_latent}"
            )
        x_FHWC = torch.from_numpy(np.ascontiguousarray(frames)).to(self._model.device)
        x_BCFHW = torch.nn.functional.pad(x_FHWC.permute(3, 0, 1, 2)[None].float() / 127.5 - 1, (0, 0, 0, 0, 0, grey))
        with torch.inference_mode():
            found = self._model.encode(x_BCFHW.to(self._model.dtype)).latent_dist.mode().float()
        return ((found - self._mean) / self._std)[0].cpu().numpy()
