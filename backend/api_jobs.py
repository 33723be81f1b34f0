"""What a user can do with long work: the part of `Api` that starts, follows and looks after jobs."""

from typing import Protocol

from backend.domain.jobs import (
    JobForm,
    JobLog,
    JobRow,
    QuarantinePage,
    StageFlow,
    TrainingCurves,
    TrainingRun,
    ValidationVideo,
)
from backend.domain.studies import StudySummary


class JobApi(Protocol):
    """Operations on jobs. Curation and evaluation are the owner's own work; training, encoding and generation are commands that run
    as children of the owner, which stays for them when nobody looks. Every job has a log beside the project's other files."""

    def job_form(self, *, kind: str, recipe: str = "") -> JobForm:
        """What a job of a kind asks: curate, evaluate, export, latents, train or generate; `recipe` is of `train`.

        Raises SettingsError for an unknown kind or recipe.
        """
        ...

    def start_job(self, *, kind: str, settings: dict[str, str], rater: str = "") -> JobRow:
        """Starts a job with values of its form; what is not given has its default.

        Raises SettingsError naming the field that is missing or wrong, ProjectError while a job of its lane runs.
        """
        ...

    def jobs(self, *, limit: int = 100) -> tuple[JobRow, ...]:
        """Jobs, newest first, those of earlier owners too."""
        ...

    def job_log(self, *, job_id: str, after: int = 0, limit: int = 1000) -> JobLog:
        """What a job said. Raises ProjectError for an unknown job."""
        ...

    def stage_flow(self) -> tuple[StageFlow, ...]:
        """Items through the stages of the current plan, in the order of work."""
        ...

    def quarantine(
        self, *, stage: str = "", search: str = "", limit: int = 200, after: str | None = None
    ) -> QuarantinePage:
        """What stages failed on."""
        ...

    def retry(self, *, work_keys: tuple[str, ...], rater: str = "") -> JobRow:
        """Takes items out of quarantine and starts curation, which tries them again; without keys, all."""
        ...

    def training_runs(self) -> tuple[TrainingRun, ...]:
        """Runs that jobs of this project started, newest first."""
        ...

    def training_curves(self, *, run: str, limit: int = 2000) -> TrainingCurves:
        """What a run said of itself, step by step. Raises ProjectError for a folder that is no run of this project."""
        ...

    def validation_videos(self, *, run: str, step: int) -> tuple[ValidationVideo, ...]:
        """The videos of a validation."""
        ...

    def compare_checkpoints(self, *, run: str, steps: tuple[int, int], name: str = "") -> StudySummary:
        """A blind study of two steps of a run, over their validation videos; Compare shows it.

        Raises ProjectError where a step has none, or the two have no video in common.
        """
        ...
