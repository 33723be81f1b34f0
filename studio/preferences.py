"""What this person chose for every project: keys, size of type, room for pictures in memory, the name of their votes.

Theme and language are kept beside them in studio.ini; `studio.theme` and `studio.texts` apply these.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from PySide6.QtCore import QSettings

MIB = 1 << 20
TEXT_PERCENT, FRAMES_MIB, THUMBNAILS_MIB = (80, 160), (128, 8192), (16, 2048)
"""Least and most that one can choose."""
Keys = Mapping[str, tuple[str, ...]]
"""Other keys than those of the table, by action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Values outside their bounds are brought to them."""

    text_percent: int = 100
    frames_mib: int = 1024
    """What decoded frames of one player may take."""
    thumbnails_mib: int = 96
    """What small pictures of one page may take."""
    rater: str = ""
    """Who judges; empty for the login name."""
    keys: Keys = field(default_factory=dict)


_used = [Preferences()]  # one for the process: widgets are made anew when it changes


def preferences() -> Preferences:
    """What holds now."""
    return _used[0]


def use_preferences(chosen: Preferences) -> None:
    """Holds from now on, for what is made anew."""
    _used[0] = chosen


def read_preferences(kept: QSettings) -> Preferences:
    """What was kept; what is damaged or missing has its default."""
    plain = Preferences()
    return Preferences(
        text_percent=_number(kept.value("text_percent"), plain.text_percent, TEXT_PERCENT),
        frames_mib=_number(kept.value("frames_mib"), plain.frames_mib, FRAMES_MIB),
        thumbnails_mib=_number(kept.value("thumbnails_mib"), plain.thumbnails_mib, THUMBNAILS_MIB),
        rater=str(kept.value("rater") or "").strip(),
        keys=_keys(str(kept.value("keys") or "")),
    )


def keep_preferences(kept: QSettings, chosen: Preferences) -> Preferences:
    """Writes them into studio.ini and holds them from now on; gives them within their bounds."""
    chosen = replace(
        chosen,
        text_percent=_number(chosen.text_percent, 100, TEXT_PERCENT),
        frames_mib=_number(chosen.frames_mib, 1024, FRAMES_MIB),
        thumbnails_mib=_number(chosen.thumbnails_mib, 96, THUMBNAILS_MIB),
        rater=chosen.rater.strip(),
    )
    for name in ("text_percent", "frames_mib", "thumbnails_mib", "rater"):
        kept.setValue(name, getattr(chosen, name))
    kept.setValue("keys", json.dumps({name: list(keys) for name, keys in sorted(chosen.keys.items())}))
    kept.sync()
    use_preferences(chosen)
    return chosen


def _number(said: object, default: int, bounds: tuple[int, int]) -> int:
    try:
        found = int(str(said)) if said is not None else default
    except ValueError:
        found = default
    return min(max(found, bounds[0]), bounds[1])


def _keys(said: str) -> dict[str, tuple[str, ...]]:
    try:
        found = json.loads(said or "{}")
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        name: tuple(keys)
        for name, keys in found.items()
        if isinstance(keys, list) and keys and all(isinstance(key, str) for key in keys)
    }
