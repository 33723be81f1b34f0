"""How an owner is: what keeps it from working, and the figures that are watched over time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Counters (`num_*`) run from the owner's start; the rest is as it is now."""

    problems: dict[str, str]
    """By what was looked at (journal, catalog, worker, disk): why it is not ready; empty where it is."""
    jobs: dict[str, int]
    """Jobs of this owner by state."""
    queued: int
    """Calls that wait for a model."""
    num_votes: int
    """Votes that were acknowledged."""
    lag: int | None
    """Events of the journal that the catalog has not seen yet; None while the catalog cannot be read."""
    commit_p99_s: float | None
    """Of the newest transactions, to the disk and back; None before the first."""
    num_restarts: int
    """Of model workers, after they died."""
    resident_bytes: int
    """Memory of the owner's process."""
    model_bytes: int
    """Models that workers hold."""
    free_bytes: int
    """Of the project's disk."""
