"""What a user can do with the stored numbers of a project: look at spreads, move cuts, keep selections, see maps."""

from typing import Protocol

from backend.domain.calibration import MetricCalibration
from backend.domain.figures import (
    Cut,
    CutOutcome,
    EmbeddingMap,
    ExportForecast,
    FrameValues,
    NamedSelection,
    ScoreSpread,
    StoredScore,
)
from backend.domain.library import ExportSummary, Selection
from backend.domain.privacy import TRAINING


class FigureApi(Protocol):
    """Operations on what is stored. Nothing here runs a model."""

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

    def export_selection(
        self, *, name: str, format: str, out: str, split: str = "", purpose: str = TRAINING
    ) -> ExportSummary:
        """Exports the pairs that hold when gates have the values of a named selection, as `export` does."""
        ...

    def forecast_export(
        self,
        *,
        selection: Selection | None = None,
        name: str = "",
        split: str = "",
        format: str = "",
        purpose: str = TRAINING,
    ) -> ExportForecast:
        """What an export of chosen items, of the named selection `name`, or of everything would hold; writes nothing.

        Permissions are those of `export`; of some formats, references' whole clips need them too.
        """
        ...

    def presets(self) -> tuple[str, ...]:
        """Names that `leaderboard` takes as `preset`: the published ones, then the project's calibrations."""
        ...

    def calibrations(self) -> tuple[MetricCalibration, ...]:
        """What `calibrate_metrics` wrote into the project, by name."""
        ...

    def frame_values(self, *, generation_id: str, metric: str) -> FrameValues:
        """A metric along a video's frames. Raises ProjectError where it was not measured."""
        ...

    def embedding_map(self, *, space: str = "appearance", method: str = "pca", limit: int = 4000) -> EmbeddingMap:
        """The kept vectors of a space on a plane: `pca`, or `umap` where umap-learn is installed.

        Of more than `limit` a fixed sample is shown. Raises SettingsError for an unknown method or an empty space.
        """
        ...
