"""How videos were made, for those who compare them: from what `generate` wrote, or a settings file of videos made elsewhere.

`settings.toml` (or `settings.json`, of the same fields) in the folder of videos holds for all of them:

system = "Other-S2V"
model = "Other-S2V 14B, 2025-11"
width = 832
height = 480
frames = 81
fps = 16
steps = 50
guidance = 5
hardware = "1 x H100"
gpu_hours = 0.21

[videos."singleobj_1"]
seed = 7

A table of `videos` holds for one video, by its name without suffix, over what holds for all.
"""

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.domain import ImportRefused, MediaError
from backend.domain.generation_settings import GenerationSettings
from backend.media.container import open_container
from backend.settings import nearest
from metrics.json_files import read_json

FILES = ("settings.toml", "settings.json")
SYSTEM, VIDEOS = "system", "videos"
KINDS: Mapping[str, str] = {
    field.name: getattr(field.type, "__name__", str(field.type))
    for field in dataclasses.fields(GenerationSettings)
    if field.name != "told_by"
}
OWN_MARKS = ("schema", "asked", "system")
"""What a settings file of `generate` holds, and others' JSON beside a video does not all."""
MEASURED = ("width", "height", "frames", "fps")
RATE_STEP = 0.05  # frames a second: rates nearer than this are one, as 23.976 and 24 are


@dataclass(frozen=True, slots=True)
class FolderSettings:
    """What a folder says of its videos. Empty for one without a settings file."""

    file: str = ""
    system: str = ""
    of_all: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    of_videos: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)


def read_folder(folder: Path) -> FolderSettings:
    """Raises ImportRefused for a settings file that is damaged, has unknown fields or wrong values, or stands there twice."""
    found = [folder / name for name in FILES if (folder / name).is_file()]
    if not found:
        return FolderSettings()
    if len(found) > 1:
        raise ImportRefused(f"{folder} holds {' and '.join(path.name for path in found)}; keep one of them")
    path = found[0]
    raw = dict(_read(path))
    videos = raw.pop(VIDEOS, {})
    system = raw.pop(SYSTEM, "")
    if not isinstance(videos, dict) or not all(isinstance(one, dict) for one in videos.values()):
        raise ImportRefused(f'{path}: {VIDEOS} is no set of tables; write each as [videos."NAME"]')
    if not isinstance(system, str):
        raise ImportRefused(f"{path}: {SYSTEM} is {system!r}; give the system's name")
    of_videos = {name: _checked(f"{path}: video {name!r}", fields) for name, fields in videos.items()}
    return FolderSettings(path.name, system, _checked(str(path), raw), of_videos)


def settings_of(video: Path, said: FolderSettings) -> tuple[GenerationSettings, str, tuple[str, ...]]:
    """How a video was made, the system that its own settings name (empty without), and what does not agree.

    What the file shows wins over what is said of it.
    """
    own = _own(video)
    if own is not None:
        told, system = own
    else:
        fields = {**said.of_all, **said.of_videos.get(video.stem, {})}
        told, system = GenerationSettings(**fields, told_by=said.file if fields else ""), said.system
    shown = _shown(video)
    remarks = tuple(
        f"{video.name}: {told.told_by} says {name} {getattr(told, name):g}, the file has {value:g}, which counts"
        for name, value in shown.items()
        if _differs(name, getattr(told, name), value)
    )
    return replace(told, **shown), system, remarks


def _own(video: Path) -> tuple[GenerationSettings, str] | None:
    """What `generate` wrote beside a video."""
    path = video.with_suffix(".json")
    try:
        raw = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(raw, dict) or not all(name in raw for name in OWN_MARKS):
        return None
    cost, sampler, models = _table(raw, "cost"), _table(raw, "sampler"), _table(raw, "models")
    video_told = _table(raw, "video")
    said = {
        "model": _model(raw, models),
        "width": video_told.get("width"),
        "height": video_told.get("height"),
        "frames": video_told.get("frames"),
        "fps": video_told.get("fps"),
        "seed": raw.get("seed"),
        "steps": sampler.get("steps"),
        "sampler": str(sampler.get("method", "")),
        "guidance": _guidance(_table(raw, "guidance")),
        "watermark": str(_table(raw, "watermark").get("kind", "none")),
        "hardware": str(raw.get("hardware", "")),
        "gpu_hours": cost.get("gpu_hours"),
        "energy_wh": cost.get("energy_wh"),
        "energy_by": str(cost.get("energy_by", "")) if cost.get("energy_wh") is not None else "",
        "made_by": str(raw.get("made_by", "")),
    }
    try:
        fields = _checked(str(path), {name: value for name, value in said.items() if value is not None})
    except ImportRefused:  # written by hand, or by another version: its words are not relied on
        return None
    return GenerationSettings(**fields, told_by="generate"), str(raw["system"])


def _model(raw: Mapping[str, Any], models: Mapping[str, Any]) -> str:
    kind = str(raw.get("recipe") or raw.get("pipeline") or raw.get("kind", ""))
    return f"{kind} ({models['transformer']})" if "transformer" in models else kind


def _guidance(told: Mapping[str, Any]) -> str:
    links = told.get("links")
    if isinstance(links, list):
        return " + ".join(f"{'/'.join(map(str, link[0]))} {link[1]:g}" for link in links) or "none"
    return f"{told['scale']:g}" if isinstance(told.get("scale"), int | float) else ""


def _table(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _shown(video: Path) -> dict[str, Any]:
    """What the file's header says; nothing of a file that cannot be opened, which its measuring will tell."""
    try:
        with open_container(video) as container:
            stream = next(iter(container.streams.video), None)
            if stream is None:
                return {}
            found = {
                "width": stream.width or None,
                "height": stream.height or None,
                "frames": stream.frames or None,
                "fps": round(float(stream.average_rate), 3) if stream.average_rate else None,
            }
    except MediaError:
        return {}
    return {name: value for name, value in found.items() if value is not None}


def _differs(name: str, told: float | None, shown: float) -> bool:
    if told is None:
        return False
    return abs(told - shown) > RATE_STEP if name == "fps" else told != shown


def _read(path: Path) -> Mapping[str, Any]:
    if path.suffix == ".json":
        raw = read_json(path)
        if not isinstance(raw, dict):
            raise ImportRefused(f"{path} is no object of settings")
        return raw
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ImportRefused(f"{path} is no TOML: {error}") from error


def _checked(where: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(where, name, value) for name, value in fields.items()}


def _value(where: str, name: str, value: Any) -> Any:
    if name not in KINDS:
        raise ImportRefused(f"{where}: {name} is unknown{nearest(name, (*KINDS, SYSTEM, VIDEOS))}")
    kind = KINDS[name]
    amount = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else -1.0
    if name == "guidance" and amount >= 0:
        return f"{amount:g}"
    if kind == "str" and not isinstance(value, str):
        raise ImportRefused(f"{where}: {name} is {value!r}; give text")
    if kind.startswith("int") and (not isinstance(value, int) or amount < 0):
        raise ImportRefused(f"{where}: {name} is {value!r}; give a whole number")
    if kind.startswith("float") and not 0 <= amount < float("inf"):
        raise ImportRefused(f"{where}: {name} is {value!r}; give a number of at least 0")
    return amount if kind.startswith("float") else value
