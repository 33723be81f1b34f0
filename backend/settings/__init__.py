"""project.toml: reading, checking, changing. Every unknown key is an error that names the nearest known one."""

from backend.settings.fields import assign, nearest, parse_assignment
from backend.settings.project import ProjectSettings, read_settings, write_settings

__all__ = ["ProjectSettings", "assign", "nearest", "parse_assignment", "read_settings", "write_settings"]
