"""Where what belongs to a person lies, and to no project: keys, and the endpoints that may be asked."""

import os
from pathlib import Path


def user_folder() -> Path:
    """`$XDG_CONFIG_HOME/subject-studio`, or the same below `~/.config`; it need not exist."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "subject-studio"
