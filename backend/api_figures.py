"""What a user can do with the stored numbers of a project: look at spreads, move cuts, keep selections, see maps."""

from typing import Protocol

from backend.domain.figures import Cut, CutOutcome, ExportForecast, NamedSelection, ScoreSpread, StoredScore
from backend.domain.library import ExportSummary, Selection


class FigureApi(Protocol):
    """Operations on scores. Nothing here runs a model."""

    def stored_scores(self) -> tuple[StoredScore, ...]:
        """Scores that items of the current plan have, by kind and name."""
        ...

    def score_spread(self, *, kind: str, score: str, bins: int = 60) -> ScoreSpread:
        """A histogram of a score. Raises SettingsError for one that no item of the kind has."""
        ...

    def try_cuts(self, *, kind: str, score: str, cuts: tuple[Cut, ...], around: int = 0, near: int = 0) -> CutOutcome:
        """What cuts on one score would keep, by themselves; `near` items to each side of the cut number `around`."""
        ...

    def selections(self) -> tuple[NamedSelection, ...]:
        """What was saved by `save_selection`, by name."""
        ...

    def save_selection(self, *, name: str, gates: dict[str, float], where: str = "") -> NamedSelection:
        """Keeps values of gates and a condition on pairs in project.toml; the same name again replaces it.

        Raises SettingsError for an unknown gate, a wrong `where` or a name that is none.
        """
        ...

    def forget_selection(self, *, name: str) -> None:
        """Deletes a named selection. Raises SettingsError for a name that is none."""
        ...

    def export_selection(self, *, name: str, format: str, out: str, split: str = "") -> ExportSummary:
        """Exports the pairs that hold when gates have the values of a named selection, as `export` does."""
        ...

    def forecast_export(self, *, selection: Selection | None = None, name: str = "", split: str = "") -> ExportForecast:
        """What an export of chosen items, of the named selection `name`, or of everything would hold; writes nothing."""
        ...
