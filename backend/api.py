"""Everything a user can do, declared once.

`Workspace` implements this protocol in process; the service's routes and the HTTP client are derived from its
signatures, so that an operation is added here and in `Workspace` and nowhere else. Arguments are keyword-only and
made of str, int, float, bool, None, tuples and the dataclasses of `backend.domain` and this module; so are results.
Operations raise StudioError; over HTTP the text and `kind` survive.
"""

from dataclasses import dataclass
from typing import Protocol

from backend.api_corrections import CorrectionApi
from backend.api_figures import FigureApi
from backend.api_health import HealthApi
from backend.api_jobs import JobApi
from backend.api_library import LibraryApi
from backend.api_privacy import PrivacyApi
from backend.api_settings import SettingsApi
from backend.api_studies import StudyApi
from backend.domain import Form, Receipt, Stimulus, Trial, Vote
from backend.domain.calibration import CalibratedMetrics, CalibratedThresholds, FittedEmbedder
from backend.domain.case_sets import CaseReview, CasesMade
from backend.domain.evaluations import ComparisonFiles, CostForecast, EvaluationRow, RefusedVideo, ScoreFiles
from backend.domain.library import ExportSummary
from backend.domain.model_work import ModelEvent, ModelWorkerRow, PointPrompt, SegmentedFrame
from backend.domain.privacy import TRAINING
from backend.domain.ranking import Leaderboard, SetDistance
from backend.domain.statistics import Ablation, DatasetStatistics
from backend.domain.status_rows import FailureRow, GateRow, RemarkRow, StageRow


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is open: `api_version` changes when an operation's meaning does."""

    project: str
    version: str
    profile: str
    recipe: str
    api_version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Counts of the current plan; `states` counts sources by state."""

    counts: dict[str, int]
    states: dict[str, int]
    failures: tuple[FailureRow, ...]
    stages: tuple[StageRow, ...] = ()
    remarks: tuple[RemarkRow, ...] = ()
    gates: tuple[GateRow, ...] = ()
    models: tuple[ModelWorkerRow, ...] = ()
    """Model workers, and what they hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateChange:
    """Another value for a gate, tried without saving: `record.score` names it."""

    gate: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A running or finished job. `done` and `total` count items of the current stage."""

    job_id: str
    kind: str
    state: str
    """queued, running, done, failed, cancelled or interrupted (its owner ended before it did)."""
    stage: str = ""
    done: int = 0
    total: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSummary:
    """What a folder held: files taken, and one line for each name passed over (loops, dangling links, no permission)."""

    taken: int
    known: int
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """A pair with what people and machines say of it."""

    pair_id: str
    kind: str
    status: str
    """machine, one, agreed, disputed or adjudicated."""
    verdict: str | None
    num_votes: int
    accepted: bool
    """Whether the recipe's gates accept it now."""
    category: str | None
    phrase: str | None
    scores: dict[str, float | None]
    target: Stimulus
    reference: Stimulus


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPage:
    """A page of pairs in a stable order; `next_after` is the place behind it, to be given back as it is; None at the end."""

    rows: tuple[PairRow, ...]
    total: int
    next_after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """Where a rater stands in a study's queue."""

    study_id: str
    total: int
    judged: int
    left: int
    gold_seen: int = 0
    """Items that they judged and of which others agree what is right."""
    gold_right: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """A file that may be shown: absolute path, MIME type, number of frames for a video (0 for a still)."""

    path: str
    mime: str
    num_frames: int = 0
    fps: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The outcome of `verify`: `problems` is empty when `ok`. `catalog_hash` is of the current plan and the projection."""

    ok: bool
    catalog_hash: str
    problems: tuple[str, ...] = ()
    journal_events: int = 0
    artifacts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationJob:
    """An evaluation that was asked for: what it is about, what is odd, and the job that measures."""

    job: Progress
    benchmark: str
    cases: int
    videos: int
    metrics: tuple[str, ...]
    missing: tuple[str, ...]
    """Names of cases without a video."""
    refused: tuple[RefusedVideo, ...] = ()
    """Videos that are not measured: of no case, or of one case and seed."""
    remarks: tuple[str, ...] = ()
    missing_references: tuple[str, ...] = ()
    """Paths of reference images that are not there, each once."""


class Api(StudyApi, LibraryApi, FigureApi, CorrectionApi, JobApi, SettingsApi, PrivacyApi, HealthApi, Protocol):
    """The operations. Reading ones first project the journal to its head."""

    def about(self) -> About: ...

    def status(self) -> Status:
        """Counts, states, failures, stages and gates of the current plan."""
        ...

    def try_gates(self, *, changes: tuple[GateChange, ...]) -> Status:
        """The status there would be with other gate values; saves nothing and runs no model."""
        ...

    def set_gates(self, *, changes: tuple[GateChange, ...]) -> Status:
        """Saves gate values in project.toml. Raises SettingsError for an unknown gate."""
        ...

    def ingest(
        self, *, paths: tuple[str, ...], licence: str | None = None, attribution: str | None = None, again: bool = False
    ) -> IngestSummary:
        """Lists files and folders as Sources; known ones get the licence and attribution that are given now.

        What was erased from the project is left out with a remark, unless `again`. Raises ProjectError when a path does not exist or holds nothing.
        """
        ...

    def curate(self, *, workers: int | None = None, engine: str | None = None, retry_failed: bool = False) -> Progress:
        """Starts a job that works on everything pending, or joins the one that the owner's workers do; `progress` follows it."""
        ...

    def progress(self, *, job_id: str) -> Progress: ...

    def cancel(self, *, job_id: str) -> Progress: ...

    def models(self) -> tuple[ModelWorkerRow, ...]:
        """Model workers, one a device, with the models that they hold and the bytes of each."""
        ...

    def model_events(self, *, after: int = 0) -> tuple[ModelEvent, ...]:
        """What befell model workers since the event of that number; `/events/models` streams them."""
        ...

    def segment(
        self,
        *,
        clip_id: str,
        frame: int,
        points: tuple[PointPrompt, ...] = (),
        box: tuple[float, float, float, float] | None = None,
    ) -> SegmentedFrame:
        """The mask of what points and a box show on a frame of the source (`frame` counts from the video's start).

        Pixels are those of the displayed source frame. Raises SettingsError for places outside it or without any.
        """
        ...

    def pairs(self, *, where: str = "", order: str = "uncertain", limit: int = 50, after: str | None = None) -> PairPage:
        """Pairs of the current plan. `order`: uncertain (audit stratum first), best, id. `where` as in `export`."""
        ...

    def pair(self, *, pair_id: str) -> PairRow: ...

    def form(self, *, name: str) -> Form: ...

    def next_trials(self, *, study_id: str, rater: str, limit: int = 3, skip: tuple[str, ...] = ()) -> tuple[Trial, ...]:
        """Trials that this rater has not answered to the end, leased to them for ten minutes; `skip` names item ids already held.

        What they left half answered comes first, with its `answers`: only what these leave open is asked.
        """
        ...

    def renew_leases(self, *, study_id: str, rater: str, items: tuple[str, ...]) -> tuple[str, ...]:
        """Lets items that the rater holds last ten minutes anew and gives those; one that is missing may be another's by now."""
        ...

    def queue_state(self, *, study_id: str, rater: str) -> QueueState: ...

    def submit_votes(self, *, votes: tuple[Vote, ...]) -> tuple[Receipt, ...]:
        """Stores votes durably before returning, in order; the same `(id, rev)` again changes nothing."""
        ...

    def votes(self, *, study_id: str, item_id: str | None = None) -> tuple[Vote, ...]:
        """Current votes (highest revision, not undone) in journal order."""
        ...

    def media(self, *, media_id: str) -> MediaFile:
        """A crop, mask or clip preview by opaque id; previews are made when first asked for (≤ 720p, GOP 12)."""
        ...

    def verify(self) -> Check:
        """Checks journal chain, catalog and artifacts. (People judge pairs; this checks the project.)"""
        ...

    def rebuild(self) -> Check:
        """Makes the catalog's part of what people said again from the journal."""
        ...

    def backup(self, *, out: str | None = None) -> str:
        """Writes a backup folder and gives its path."""
        ...

    def export(self, *, format: str, out: str, where: str = "", split: str = "", purpose: str = TRAINING) -> ExportSummary:
        """Writes pairs into a folder. Those of people who did not agree to the purpose are left out, each by a reason.

        `purpose`: training, evaluation or publication. Raises ProjectError where a licence is not stated and the project
        refuses that (`unknown_licence`, and `unknown_consent` for people).
        """
        ...

    def report(self, *, out: str | None = None) -> str:
        """Writes report.html and gives its path."""
        ...

    def statistics(self) -> DatasetStatistics:
        """The papers' dataset figures of the rows that the gates keep now."""
        ...

    def calibrate_thresholds(
        self, *, score: str = "similarity", precision: float = 0.95, out: str | None = None, apply: bool = False
    ) -> CalibratedThresholds:
        """Bounds on a score of pairs by category, from verdicts; writes thresholds.json and its page. `apply`: the gate takes them."""
        ...

    def calibrate_metrics(
        self,
        *,
        study: str,
        aspect: str = "",
        name: str = "",
        metrics: tuple[str, ...] = (),
        preset: str = "",
        by: str = "domain",
        scaling: str = "isotonic",
        folds: int = 5,
        bootstraps: int = 1000,
        seed: int = 0,
        out: str | None = None,
    ) -> CalibratedMetrics:
        """Weights of metrics fitted to a study's votes on pairs; writes `calibrations/NAME.json` of the project, or `out`.

        `aspect` names the question when the study asks several, `name` is the study's by default. `by` says which cases have
        fits of their own: domain, category or none. `preset` is a published total to compare with. The file is a preset of
        `leaderboard` by its name. Raises SettingsError for unknown names and where nothing was compared or measured.
        """
        ...

    def fit_embedder(self, *, out: str) -> FittedEmbedder:
        """A projection of the appearance vectors, fitted to verdicts; written when held-out precision rises."""
        ...

    def ablate(self, *, out: str | None = None) -> Ablation:
        """What each gate on pairs is worth, from stored scores alone; writes ablation.html."""
        ...

    def evaluate(
        self,
        *,
        cases: str,
        videos: str,
        system: str,
        references: str | None = None,
        metrics: tuple[str, ...] = (),
        workers: int | None = None,
        engine: str | None = None,
        retry_failed: bool = False,
        max_cost: float | None = None,
        prices: str | None = None,
        real: str | None = None,
    ) -> EvaluationJob:
        """Lists a cases file and a system's videos, and starts measuring them; `progress` follows the job.

        `metrics` are ids and names of sets; without any, all whose roles are bound. `max_cost` is what judges may
        spend in this project in all, at `prices` (a TOML file): what is beyond it is unavailable until it is raised.
        `real` is a folder of real videos, which becomes the set that FID and FVD are to (`set_distances`).
        Raises ImportRefused for files that cannot be read, SettingsError for an unknown metric.
        """
        ...

    def forecast(
        self,
        *,
        cases: str,
        videos: str,
        system: str,
        references: str | None = None,
        metrics: tuple[str, ...] = (),
        prices: str | None = None,
    ) -> CostForecast:
        """What judges would be asked by `evaluate`, and the cost where prices are given; asks nobody."""
        ...

    def evaluation(self, *, systems: tuple[str, ...] = (), metrics: tuple[str, ...] = ()) -> tuple[EvaluationRow, ...]:
        """What was measured with the present settings, ordered by system, case, seed and metric; all without filters."""
        ...

    def set_distances(self, *, systems: tuple[str, ...] = (), benchmark: str = "") -> tuple[SetDistance, ...]:
        """FID and FVD of systems to the current set of real videos; without a value where they cannot be computed."""
        ...

    def leaderboard(
        self,
        *,
        benchmark: str = "",
        preset: str = "",
        facts: str | None = None,
        only: str = "",
        against: tuple[str, ...] = (),
        html: str | None = None,
        seed: int = 0,
    ) -> Leaderboard:
        """Systems over the cases of a benchmark (the only one, without a name), with intervals, groups and totals.

        `facts` is a systems.toml (the project's own by default), `only` keeps systems as `open=true,references=3` of it,
        `against` compares two systems. With `html` it is also written there as one offline page. `seed` is that of the
        draws of cases and seeds, of which intervals and tests are made. Raises SettingsError for unknown names, ProjectError when nothing was measured.
        """
        ...

    def compare(
        self,
        *,
        out: str,
        systems: tuple[str, ...] = (),
        cases: tuple[str, ...] = (),
        metrics: tuple[str, ...] = (),
        frames: int = 5,
        at: tuple[str, ...] = (),
        benchmark: str = "",
    ) -> ComparisonFiles:
        """Writes systems side by side, a sheet a case, and how each metric spreads over them with examples.

        Without names: every system, every measured case (the first 24) and every metric. `at` names the frames that are
        shown, by number from 0 (`12`) or time (`1.5s`); without it, `frames` of each video from the first to the last.
        Raises SettingsError for unknown names.
        """
        ...

    def import_scores(
        self, *, format: str, path: str, system: str, cases: str, references: str | None = None
    ) -> ScoreFiles:
        """Adds a system's scores that were measured elsewhere: `opens2v-scores` (a folder) or `vbench` (a file).

        Raises ImportRefused for a malformed file, naming each value that is no score.
        """
        ...

    def export_scores(self, *, format: str, out: str, system: str, benchmark: str = "", preset: str = "") -> ScoreFiles:
        """Writes a system's scores as upstream's scripts do, into a folder: `opens2v-scores` or `vbench`."""
        ...

    def make_cases(
        self,
        *,
        out: str,
        count: int | None = None,
        seed: int = 0,
        draw_from: str = "pairs",
        skeleton: str = "",
        approved_only: bool = False,
    ) -> CasesMade:
        """Draws a balanced case set into a folder and puts it up for approval; rejected cases are not drawn again.

        `draw_from`: pairs, or anchors (several references a subject); a skeleton (a paper's test set) says so itself.
        Without a count: 60, or what the skeleton states. Raises ProjectError when nothing can become a case.
        """
        ...

    def ask_approval(self, *, cases: str, references: str | None = None) -> CaseReview:
        """Puts a file's cases up for approval, in the study `cases`: `next_trials` and `submit_votes` do the rest."""
        ...

    def review_cases(self, *, cases: str, references: str | None = None, write: bool = False) -> CaseReview:
        """Who approved or rejected each case of a file; with `write` the file then says so, with prompts as edited."""
        ...

    def journal_tail(self, *, limit: int = 20) -> tuple[dict, ...]:
        """The newest journal events as plain values, newest last."""
        ...
