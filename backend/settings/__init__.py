"""project.toml: reading, checking, changing. Every unknown key is an error that names the nearest known one."""

from backend.settings.dotted import drafted, spelled
from backend.settings.fields import assign, nearest, parse_assignment
from backend.settings.meanings import meanings
from backend.settings.project import ProjectSettings, changed_outside, read_settings, write_settings

__all__ = [
    "ProjectSettings",
    "assign",
    "changed_outside",
    "drafted",
    "meanings",
    "nearest",
    "parse_assignment",
    "read_settings",
    "spelled",
    "write_settings",
]
