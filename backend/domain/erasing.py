"""Erasing footage: what would go, and what went."""

from dataclasses import dataclass, field

SOURCE = "source"
"""A selection of this kind names files, by their path or their id, whether or not a video was found in them."""

ERASABLE = (SOURCE, "video", "clip", "subject")
"""What can be chosen. A video goes with its file and every copy of it, a subject with the clip that shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A copy that was written earlier and may hold what was erased: a backup, an export, a training run."""

    path: str
    made_at: str
    """ISO 8601, local time."""
    kind: str
    """backup, export or run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureForecast:
    """What goes, and what cannot be reached from here. Nothing has been changed."""

    files: tuple[str, ...]
    """The files whose footage goes, in whole or in part; they themselves stay where they are."""
    whole: int
    """How many of them go in whole; of the others some clips."""
    rows: dict[str, int] = field(default_factory=dict)
    """Rows of the catalog by kind: video, clip, subject, pair, score ..."""
    said: dict[str, int] = field(default_factory=dict)
    """Events of the journal by kind whose content goes: votes, corrections ..."""
    artifacts: int = 0
    """Cut-outs, masks, indexes and evidence that nothing else needs."""
    cached: int = 0
    """Previews, small pictures, copies for studies, banks: files that are made again where they are needed."""
    answers: int = 0
    """Kept answers of models that were asked, all of them: nothing tells of whom they speak."""
    studies: tuple[str, ...] = ()
    """Studies whose items are of cases that go: they keep names, prompts and paths."""
    same_elsewhere: int = 0
    """Subjects of other clips that pairs join with those that go. They stay unless they are chosen too."""
    leftovers: tuple[Leftover, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedItems:
    """What went. `leftovers` were written before and may still hold it; `deleted_backups` are gone."""

    erasure_id: str
    removed: ErasureForecast
    deleted_backups: tuple[str, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
