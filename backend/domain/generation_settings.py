"""How a generation was made, as far as its maker says it."""

import dataclasses
import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationSettings:
    """None and empty where nothing is said. Size, frames and rate are those of the file where it can be read."""

    model: str = ""
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    fps: float | None = None
    seed: int | None = None
    steps: int | None = None
    sampler: str = ""
    guidance: str = ""
    """A scale, or a chain of conditions with their scales."""
    watermark: str = ""
    """none, visible or invisible."""
    hardware: str = ""
    gpu_hours: float | None = None
    """Of this one video."""
    energy_wh: float | None = None
    energy_by: str = ""
    """How the energy is known: measured, or estimated from what."""
    made_by: str = ""
    """The program that made it."""
    told_by: str = ""
    """Who says so: `generate`, a settings file's name, or empty where the video's file alone does."""

    def text(self) -> str:
        """As JSON of what is said, for the catalog; empty where nothing is."""
        said = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        said = {name: value for name, value in said.items() if value not in (None, "")}
        return json.dumps(said, sort_keys=True, ensure_ascii=False) if said else ""

    @staticmethod
    def of_text(text: str) -> "GenerationSettings":
        """Of what `text` gave. Raises TypeError for anything else."""
        return GenerationSettings(**json.loads(text)) if text else GenerationSettings()
