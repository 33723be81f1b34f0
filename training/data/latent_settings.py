"""Settings of the `latents` job; without torch, since configs hold them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from training.data.shapes import ClipShapes, PictureShapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoders:
    """Which implementation serves each role, and where its weights lie: a folder, or `hub:OWNER/NAME` of the hub's cache."""

    codec: str = "embedded"
    codec_weights: str = ""
    text: str = "embedded"
    text_weights: str = ""
    audio: str = ""
    """Empty: sound is left out."""
    audio_weights: str = ""
    image: str = ""
    """Empty: first frames are not encoded apart; bases of Wan I2V need them."""
    image_weights: str = ""
    faces: str = "embedded"
    device: str = "auto"
    dtype: str = "float32"

    @property
    def bound(self) -> Mapping[str, tuple[str, str]]:
        """Implementation and weights of each role that is used."""
        every = {
            "LatentCodec": (self.codec, self.codec_weights),
            "TextEncoder": (self.text, self.text_weights),
            "AudioEncoder": (self.audio, self.audio_weights),
            "PatchEncoder": (self.image, self.image_weights),
            "FaceAnalyzer": (self.faces, ""),
        }
        return {role: found for role, found in every.items() if found[0]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Latents:
    """Settings of the job."""

    encoders: Encoders = field(default_factory=Encoders)
    clips: ClipShapes = field(default_factory=ClipShapes)
    pictures: PictureShapes = field(default_factory=PictureShapes)
    engine: Literal["inline", "process", "ray"] = "process"
    workers: int = 0
    """Processes; 0 takes the number of cores, or a cluster's."""
    ray_address: str = ""
    """With engine ray: HOST:PORT of the cluster's head, or auto; empty starts Ray on this machine."""
    ray_store: str = ""
    """With engine ray: a folder or URL where workers leave what they make; empty where every node sees the cache."""
    cache: str = ""
    """Folder; empty: beside the export, its name with `.latents`."""
