"""How roles are bound, and what is missing on this machine."""

from dataclasses import dataclass

from backend.domain.model_work import ModelWorkerRow


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRow:
    """How a role is bound: `available` with `model_id`, else `reason`, which says what to do. `num_bytes` is of the weights that lie at
    its place, `published_bytes` about that of those which the papers take; 0 for none."""

    role: str
    implementation: str
    model_id: str
    available: bool
    licence: str = ""
    num_bytes: int = 0
    published_bytes: int = 0
    reason: str = ""
    choices: tuple[str, ...] = ()
    """Names of every implementation that there is."""
    takes_weights: bool = False
    location: str = ""
    """Where `models.ROLE` says that the weights lie."""
    suggested: str = ""
    """What the papers take, as a name on the hub or of a file."""
    asked_by: tuple[str, ...] = ()
    """Stages of the plan that ask this role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """Which roles are bound and what is missing on this machine."""

    roles: dict[str, RoleRow]
    missing: tuple[str, ...]
    models: tuple[ModelWorkerRow, ...] = ()
