"""The project's own file, `project.toml`."""

import math
import os
import re
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.domain import ProjectError, SettingsError
from backend.settings.fields import as_toml, assign

FORMAT_VERSION = 1
ENGINES, DTYPES, MODEL_SERVICES = ("inline", "process"), ("float32", "bfloat16", "float16"), ("auto", "on", "off")
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSettings:
    """What a project is made with. `stages`, `gates`, `thresholds` and `roles` hold overrides only; the recipe checks their names."""

    format_version: int = FORMAT_VERSION
    profile: str = "embedded"
    recipe: str = "phantom"
    seed: int = 0
    engine: str = "process"
    workers: int = 0
    """Worker processes; 0 takes the number of cores."""
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    gates: dict[str, float] = field(default_factory=dict)
    thresholds: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By gate: values for categories of subjects, and the `producers` whose scores they were fitted to (`calibrate thresholds`)."""
    selections: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Named selections for exports: values by gate, and `where`, a condition on pairs. They change nothing by themselves."""
    roles: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    """Where the weights of a role lie: a folder or file, or `hub:OWNER/NAME` of the hub's local cache."""
    device: str = "auto"
    """Where models run: auto (a GPU when there is one), cpu, cuda or cuda:1."""
    dtype: str = "float32"
    model_service: str = "auto"
    """Who loads models with weights: one process a device, shared by all workers (on), each worker (off), or auto: shared
    where several workers or a GPU would load them."""
    model_memory_gib: float = 0.0
    """What shared models may take on one device; 0 is 80 % of a GPU's memory, half of the machine's."""
    model_on_cpu: bool = False
    """Whether a model that finds no memory on a GPU goes on on the CPU."""
    preview_gib: float = 2.0
    """What previews of clips may take on the disk; those least recently shown go first, and are made again when asked for."""

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ValueError(f"workers is {self.workers}; give 0 (all cores) or more")
        for name, choices in (("dtype", DTYPES), ("model_service", MODEL_SERVICES), ("engine", ENGINES)):
            if getattr(self, name) not in choices:
                *most, last = choices
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose {', '.join(most)} or {last}")
        if not _DEVICE.fullmatch(self.device):
            raise ValueError(f"device is {self.device!r}; choose auto, cpu, mps, cuda or cuda:1")
        if not 0 <= self.model_memory_gib < math.inf:
            raise ValueError(f"model_memory_gib is {self.model_memory_gib}; give 0 (a share of the memory) or more")
        if not 0 <= self.preview_gib < math.inf:
            raise ValueError(f"preview_gib is {self.preview_gib}; give 0 (one preview at a time) or more")


def read_settings(path: Path) -> ProjectSettings:
    """Reads project.toml; a missing file gives the defaults.

    Raises SettingsError for broken TOML (with line) or an unknown key, ProjectError for a newer format.
    """
    if not path.exists():
        return ProjectSettings()
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read: {error}; mend the line or delete the file to get the defaults"
        ) from error
    version = raw.get("format_version", FORMAT_VERSION)
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ProjectError(
            f"{path.parent} was made by a newer version (format {version}, this one reads {FORMAT_VERSION}); update subject-studio"
        )
    return assign(ProjectSettings(), raw, where=path.name)


def write_settings(path: Path, settings: ProjectSettings) -> None:
    """Writes project.toml whole or not at all; it is on the disk when this returns."""
    text = _toml(settings)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    draft = Path(name)
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(0o644)
        draft.replace(path)
    except BaseException:
        draft.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _toml(settings: ProjectSettings) -> str:
    lines = [
        f"format_version = {settings.format_version}",
        f"profile = {as_toml(settings.profile)}",
        f"recipe = {as_toml(settings.recipe)}",
        f"seed = {settings.seed}",
        f"engine = {as_toml(settings.engine)}",
        f"workers = {settings.workers}",
        f"device = {as_toml(settings.device)}",
        f"dtype = {as_toml(settings.dtype)}",
        f"model_service = {as_toml(settings.model_service)}",
        f"model_memory_gib = {as_toml(settings.model_memory_gib)}",
        f"model_on_cpu = {as_toml(settings.model_on_cpu)}",
        f"preview_gib = {as_toml(settings.preview_gib)}",
    ]
    for name in ("gates", "roles", "models"):
        table: dict[str, Any] = getattr(settings, name)
        if table:
            lines += ["", f"[{name}]", *(f"{as_toml(key)} = {as_toml(value)}" for key, value in sorted(table.items()))]
    for name in ("stages", "thresholds", "selections"):
        for key, fields in sorted(getattr(settings, name).items()):
            key = key if key.isidentifier() else as_toml(key)
            lines += [
                "",
                f"[{name}.{key}]",
                *(f"{as_toml(field)} = {as_toml(value)}" for field, value in sorted(fields.items())),
            ]
    return "\n".join(lines) + "\n"
