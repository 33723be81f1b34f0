"""Which scores are classical, and so are never ranked beside models': by their metric, or by what they were measured with."""

from collections.abc import Iterable
from typing import Protocol

from metrics.evaluation import metric
from metrics.stage import roles_of
from metrics.table import METRICS


class RowOfRoles(Protocol):
    """One metric of one video, as `backend.api.EvaluationRow`."""

    @property
    def metric(self) -> str: ...
    @property
    def value(self) -> float | None: ...
    @property
    def embedded(self) -> tuple[str, ...]: ...


def is_classical(name: str) -> bool:
    """Whether a metric rests on classical vision whatever is bound; False for what is no metric here."""
    return name in METRICS and metric(name).is_classical


def rests_on_models(name: str) -> bool:
    """Whether a metric asks for a model, whichever is bound; True of what is no metric here."""
    return name not in METRICS or bool(roles_of(metric(name)))


def embedded_roles(rows: Iterable[RowOfRoles]) -> dict[str, tuple[str, ...]]:
    """By metric, the roles that the embedded profile filled for a row with a value; metrics without any are left out."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.embedded and row.value is not None:
            found.setdefault(row.metric, set()).update(row.embedded)
    return {name: tuple(sorted(roles)) for name, roles in found.items()}
