"""The project's own file, `project.toml`."""

import hashlib
import math
import os
import re
import tempfile
import tomllib
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from backend.domain import ProjectError, SettingsError
from backend.domain.privacy import ALLOW, REFUSE, UNKNOWN_IS
from backend.settings.fields import as_toml, assign

FORMAT_VERSION = 1
ENGINES, DTYPES, MODEL_SERVICES = ("inline", "process", "ray"), ("float32", "bfloat16", "float16"), ("auto", "on", "off")
_CHECKSUM = re.compile(r"^# checksum (\S*)\n?", re.MULTILINE)
"""The last line, of all others: edits go on to be read, and are told of."""
UNKNOWN = (("unknown_licence", UNKNOWN_IS), ("unknown_consent", UNKNOWN_IS))
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
    """Worker processes; 0 takes the number of cores, or a cluster's."""
    ray_address: str = ""
    """With engine ray: HOST:PORT of the cluster's head, or auto; empty starts Ray on this machine."""
    ray_store: str = ""
    """With engine ray: a folder or URL where workers leave what they make; empty where every node sees this project's folder."""
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
    unknown_licence: str = REFUSE
    """What an export does about footage whose licence nobody stated: refuse, leave_out or allow."""
    unknown_consent: str = ALLOW
    """What an export does about people of whom no consent is recorded: allow, leave_out or refuse."""
    footage_may_leave: bool = False
    """Whether pictures of this project, and texts about them, may be sent to endpoints beyond this machine."""
    retain_until: str = ""
    """The last day, as 2027-03-31, on which footage is kept; then `erase --expired` lists it."""
    study_retain_until: dict[str, str] = field(default_factory=dict)
    """By a study's name: the last day on which what its participants left is kept."""

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ValueError(f"workers is {self.workers}; give 0 (all cores) or more")
        for name, choices in (("dtype", DTYPES), ("model_service", MODEL_SERVICES), ("engine", ENGINES), *UNKNOWN):
            if getattr(self, name) not in choices:
                *most, last = choices
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose {', '.join(most)} or {last}")
        if not _DEVICE.fullmatch(self.device):
            raise ValueError(f"device is {self.device!r}; choose auto, cpu, mps, cuda or cuda:1")
        for name, day in (("retain_until", self.retain_until), *self.study_retain_until.items()):
            _require_day(name, day)
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
    """Writes project.toml whole or not at all; it is on the disk when this returns. Raises ProjectError where it cannot be."""
    try:
        _write_whole(path, _toml(settings))
    except OSError as error:
        raise ProjectError(
            f"{path} cannot be written: {error.strerror}; free some space or check who owns the folder"
        ) from error


def changed_outside(path: Path) -> str:
    """A sentence when project.toml is not as `write_settings` left it, by hand or by the disk; empty otherwise."""
    text = path.read_text("utf-8", errors="replace") if path.exists() else ""
    said = _CHECKSUM.search(text)
    if said is None or said[1] == _checksum(text[: said.start()] + text[said.end() :]):
        return ""
    return (
        f"{path} was changed since Subject Studio wrote it, by hand or by a fault of the disk: look through it, and "
        "run `studio-backend rebuild`, which takes it as it is"
    )


def _write_whole(path: Path, text: str) -> None:
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
        f"ray_address = {as_toml(settings.ray_address)}",
        f"ray_store = {as_toml(settings.ray_store)}",
        f"device = {as_toml(settings.device)}",
        f"dtype = {as_toml(settings.dtype)}",
        f"model_service = {as_toml(settings.model_service)}",
        f"model_memory_gib = {as_toml(settings.model_memory_gib)}",
        f"model_on_cpu = {as_toml(settings.model_on_cpu)}",
        f"preview_gib = {as_toml(settings.preview_gib)}",
        f"unknown_licence = {as_toml(settings.unknown_licence)}",
        f"unknown_consent = {as_toml(settings.unknown_consent)}",
        f"footage_may_leave = {as_toml(settings.footage_may_leave)}",
        f"retain_until = {as_toml(settings.retain_until)}",
    ]
    for name in ("gates", "roles", "models", "study_retain_until"):
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
    text = "\n".join(lines) + "\n"
    return f"{text}# checksum {_checksum(text)}\n"


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _require_day(name: str, day: object) -> None:
    try:
        _ = day == "" or date.fromisoformat(day)  # pyright: ignore[reportArgumentType] - whatever the file says
    except (ValueError, TypeError):
        raise ValueError(f"{name} is {day!r}; write a day, as 2027-03-31, or nothing") from None
