"""The part of a workspace that asks training of its owner's children, and looks at what came of it."""

from collections.abc import Mapping
from typing import Any, Protocol, cast

from backend.api import MediaFile, Progress
from backend.domain import SettingsError
from backend.domain.jobs import JobField, TrainingCurves, TrainingRun, TrainingSettings, ValidationVideo
from backend.domain.studies import StudySummary
from backend.engine.context import load
from backend.jobs import CALLS
from backend.jobs.board import JobBoard
from backend.jobs.model_service import ModelService
from backend.models.places import ModelPlace
from backend.settings import nearest
from backend.store.catalog import Catalog
from backend.workspace import training_runs
from backend.workspace.job_rows import rows_of_kind
from backend.workspace.projection import Projection
from backend.workspace.training_runs import RunFolder

TRAIN = "train"
PIPELINE = "diffusers:"
"""How `generate --system` begins for a folder of diffusers."""


class _Opened(Protocol):
    catalog: Catalog
    model_service: ModelService
    _jobs: JobBoard
    _projection: Projection

    def create_study(
        self, *, name: str, systems: tuple[str, ...], cases: str | None, references: str | None
    ) -> StudySummary: ...

    def studies(self) -> tuple[StudySummary, ...]: ...

    def training_settings(self) -> TrainingSettings: ...

    def _runs(self) -> list[RunFolder]: ...


class TrainingOperations:
    """Operations of the Api on training runs, and the settings of commands that run as children."""

    def training_settings(self: _Opened) -> TrainingSettings:
        """What `studio-backend recipes` tells."""
        return cast(TrainingSettings, load(CALLS["training_settings"])())

    def recipes(self: _Opened) -> tuple[str, ...]:
        """Names of training recipes."""
        return tuple(self.training_settings().recipes)

    def further_fields(self: _Opened, kind: str, recipe: str) -> tuple[JobField, ...]:
        """Settings of a command with the defaults of a recipe. Raises SettingsError for an unknown one."""
        told = self.training_settings()
        if kind != TRAIN:
            return told.latents if kind == "latents" else told.generate
        if recipe not in told.recipes:
            raise SettingsError(f"recipe is {recipe[:80]!r}{nearest(recipe, told.recipes)}")
        return told.recipes[recipe].settings

    def start_command(
        self: _Opened,
        kind: str,
        values: Mapping[str, Any],
        *,
        assignments: list[str],
        asked: Mapping[str, str],
        actor: str,
    ) -> Progress:
        """Starts a command as a child, for which the owner's models make room."""
        command = load(CALLS["command_line"])(kind, values, assignments)
        return self._jobs.submit(
            kind,
            actor=actor,
            asked=asked,
            out=values.get("out") or "",
            command=command,
            models=self.model_service,
            weight_bytes=_weight_bytes(values.get("system") or ""),
        )

    def runs_command(self: _Opened) -> bool:
        """Whether a child trains, encodes or generates: an owner stays for that."""
        return self._jobs.is_busy(TRAIN)

    def training_runs(self: _Opened) -> tuple[TrainingRun, ...]:
        return tuple(run.summary() for run in self._runs())

    def training_curves(self: _Opened, *, run: str, limit: int = 2000) -> TrainingCurves:
        return training_runs.curves(training_runs.run_named(self._runs(), run), limit=limit)

    def validation_videos(self: _Opened, *, run: str, step: int) -> tuple[ValidationVideo, ...]:
        return training_runs.validation_videos(training_runs.run_named(self._runs(), run), step)

    def compare_checkpoints(self: _Opened, *, run: str, steps: tuple[int, int], name: str = "") -> StudySummary:
        found = training_runs.run_named(self._runs(), run)
        cases = training_runs.comparison_cases(found, steps)
        folders = [cases.parent / f"step-{step:08d}" for step in steps]
        return self.create_study(
            name=name.strip() or _free_name(f"Steps {steps[0]} and {steps[1]}", {one.name for one in self.studies()}),
            systems=tuple(f"step {step}={folder}" for step, folder in zip(steps, folders, strict=True)),
            cases=str(cases),
            references=str(found.data),
        )

    def training_medium(self: _Opened, media_id: str) -> MediaFile | None:
        """A validation video; None for an id of another kind."""
        if not training_runs.is_medium(media_id):
            return None
        return training_runs.training_medium(self._runs(), media_id)

    def _runs(self: _Opened) -> list[RunFolder]:
        self._projection.refresh()
        found = training_runs.run_folders(rows_of_kind(self.catalog, self._jobs.known(), TRAIN))
        return [run for run in found if run.path.is_dir()]  # a job may end before its run begins


def _weight_bytes(system: str) -> int:
    """Bytes of the weights of a pipeline's folder; 0 for what loads more than lies in one."""
    return ModelPlace("", system.removeprefix(PIPELINE)).weight_bytes() if system.startswith(PIPELINE) else 0


def _free_name(name: str, taken: set[str]) -> str:
    number = 1
    while (found := name if number == 1 else f"{name} ({number})") in taken:
        number += 1
    return found
