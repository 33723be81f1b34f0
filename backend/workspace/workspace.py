"""`Workspace`: the Api over an owned project folder. It delegates; the parts know how."""

import contextlib
import dataclasses
import importlib.metadata
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from backend.api import (
    About,
    CasesMade,
    Check,
    ComparisonFiles,
    CostForecast,
    EvaluationRow,
    ExportSummary,
    GateChange,
    IngestSummary,
    MediaFile,
    PairPage,
    PairRow,
    QueueState,
    ScoreFiles,
    Status,
)
from backend.domain import CASES_STUDY, ProjectError, Receipt, SettingsError, StudioError, Trial, Vote
from backend.domain.case_sets import CaseReview
from backend.domain.privacy import TRAINING
from backend.domain.ranking import Leaderboard, SetDistance
from backend.engine.plan import Plan
from backend.models.residency import GIB
from backend.recipes import plan_for, worker_settings
from backend.settings import ProjectSettings, nearest, read_settings, write_settings
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.store.whole_folder import sweep
from backend.workspace import (
    case_approving,
    case_making,
    checks,
    comparing,
    distances,
    evaluating,
    ingesting,
    ranking,
)
from backend.workspace.calibrating import CalibrationOperations
from backend.workspace.case_approving import create_case_views
from backend.workspace.case_queue import CaseQueue
from backend.workspace.containment import contained
from backend.workspace.copies import NearDuplicates, copied_clips, hashed_clips
from backend.workspace.correcting import CorrectionOperations
from backend.workspace.corrections import apply_corrections
from backend.workspace.dataset_operations import DatasetOperations
from backend.workspace.exclusions import apply_exclusions
from backend.workspace.figures import FigureOperations
from backend.workspace.health import HealthOperations
from backend.workspace.job_operations import JobOperations
from backend.workspace.layout import Layout, Ownership
from backend.workspace.media import MediaLibrary
from backend.workspace.metric_calibrating import MetricCalibrationOperations
from backend.workspace.model_work import ModelOperations
from backend.workspace.pairs import create_pair_tables, pair_page, pair_rows
from backend.workspace.previews import Previews
from backend.workspace.privacy_operations import PrivacyOperations
from backend.workspace.project_care import ProjectCareOperations
from backend.workspace.projection import Projection
from backend.workspace.queue import VerifyQueue
from backend.workspace.reporting import write_report
from backend.workspace.snapshot import Snapshot
from backend.workspace.status import status_of
from backend.workspace.studying import StudyOperations
from backend.workspace.training_operations import TrainingOperations

MAX_LIMIT = 1000  # rows of one page
MAX_FRAMES = 12  # of a video on a sheet


class Workspace(
    ModelOperations,
    DatasetOperations,
    CalibrationOperations,
    MetricCalibrationOperations,
    StudyOperations,
    FigureOperations,
    CorrectionOperations,
    JobOperations,
    TrainingOperations,
    ProjectCareOperations,
    PrivacyOperations,
    HealthOperations,
):
    """An owned project, open. Methods are those of `Api` and may be called from any thread.

    Opening takes the project's lock, brings people's part of the catalog up to the journal's head and clears
    temporary files. Raises ProjectError when another process owns it, naming that one.
    """

    def __init__(self, root: Path, *, create: bool = False, settings: ProjectSettings | None = None) -> None:
        self.layout = Layout(Path(root).resolve())
        if not create and not self.layout.exists:
            raise ProjectError(f"there is no project in {root}; make one with `studio-backend init --project {root}`")
        self.layout.create()
        self._ownership = Ownership(self.layout)
        try:
            self._open(settings)
        except BaseException:
            self._ownership.release()
            raise

    def _open(self, settings: ProjectSettings | None) -> None:
        self.settling = threading.RLock()
        """Held from reading the settings to saving others, so that of two who change them at once both are heard."""
        self.settings = settings or read_settings(self.layout.settings)
        self.plan: Plan = plan_for(self.settings)
        if settings is not None or not self.layout.settings.exists():
            write_settings(self.layout.settings, self.settings)
        self.journal = Journal(self.layout.journal)
        self.catalog = Catalog(self.layout.catalog)
        self.artifacts = Artifacts(self.layout.artifacts)
        self.artifacts.clean()
        sweep(self.layout.backups)
        with contextlib.suppress(OSError):  # who may not list the folder around has restored nothing there
            sweep(self.layout.root.parent)
        self._copies = NearDuplicates(self.artifacts)
        self._projection = Projection(self.journal, self.catalog)
        self._snapshot = Snapshot(self.catalog, prepare=_prepare)
        previews_bytes = round(self.settings.preview_gib * GIB)
        self._previews = Previews(self.layout.previews, limit_bytes=previews_bytes)
        self._media = MediaLibrary(self.catalog, self.artifacts, self._previews)
        self.open_jobs()
        self.open_models(self.catalog, self.artifacts, self.layout.artifacts)
        self._queue = VerifyQueue(self.journal)
        self._case_queue = CaseQueue(self.journal, self.artifacts)
        self.open_studies()
        self.open_library()
        self._preparing: threading.Thread | None = None
        self.note_opening()

    def prepare(self) -> None:
        """Begins to evaluate the plan for whoever reads first, and returns."""
        self._preparing = threading.Thread(target=self._prepare_first, name="first reading")
        self._preparing.start()

    def _prepare_first(self) -> None:
        with contextlib.suppress(StudioError), self._now():  # which is told to whoever reads first
            pass

    def close(self) -> None:
        """Stops work, closes the stores, gives the project up."""
        if self._preparing is not None:
            self._preparing.join()
        self.close_studies()
        self._jobs.stop()
        self.close_models()
        self.close_library()
        self._snapshot.close()
        self.catalog.close()
        self.journal.close()
        self._ownership.release()

    def about(self) -> About:
        return About(
            project=str(self.layout.root),
            version=importlib.metadata.version("subject-studio"),
            profile=self.settings.profile,
            recipe=self.settings.recipe,
        )

    def status(self) -> Status:
        return self._status(self._now(), self.plan)

    def try_gates(self, *, changes: tuple[GateChange, ...]) -> Status:
        plan = self._plan_with(changes)
        return self._status(self._apart(plan), plan)

    def set_gates(self, *, changes: tuple[GateChange, ...]) -> Status:
        with self.settling:
            plan = self._plan_with(changes)
            gates = {**self.settings.gates, **{change.gate: change.value for change in changes}}
            self.use(dataclasses.replace(self.settings, gates=gates))
            assert self.plan == plan, "saved gates give the plan that was tried"
        return self.status()

    def ingest(
        self, *, paths: tuple[str, ...], licence: str | None = None, attribution: str | None = None, again: bool = False
    ) -> IngestSummary:
        self._projection.refresh()
        return ingesting.ingest(
            self.catalog,
            self.journal,
            paths=paths,
            licence=licence,
            attribution=attribution,
            project=self.layout.root,
            erased=self.erased,
            again=again,
        )

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
        made_by = worker_settings(self.settings, self.layout.artifacts)
        return evaluating.forecast(cases, videos, system, references, metrics, prices, made_by)

    def evaluation(self, *, systems: tuple[str, ...] = (), metrics: tuple[str, ...] = ()) -> tuple[EvaluationRow, ...]:
        made_by = worker_settings(self.settings, self.layout.artifacts)
        names = evaluating.measured(self.catalog, metrics)
        plan = evaluating.plan(names, made_by, self.layout)
        with closing(Snapshot(self.catalog, one_moment=True)) as opened, opened.of(plan) as now:
            embedded = evaluating.embedded_roles(plan, made_by)
            return evaluating.rows(now, names, systems, metrics, embedded=embedded)

    def set_distances(self, *, systems: tuple[str, ...] = (), benchmark: str = "") -> tuple[SetDistance, ...]:
        made_by = worker_settings(self.settings, self.layout.artifacts)
        return distances.of_project(
            self.catalog, self.artifacts, self.layout, made_by, systems=systems, benchmark=benchmark
        )

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
        cases = ranking.cases_of(self.catalog, benchmark)
        rows = ranking.rows_of(self.evaluation(), cases)
        found = self.set_distances(benchmark=cases[0].benchmark)
        about = {"preset": preset, "facts": facts, "only": only, "against": against, "seed": seed}
        board = ranking.ranked(rows, cases, self.layout, self.catalog, **about, distances=found)
        if html:
            ranking.write_page(board, rows, self.catalog, self.artifacts, Path(html))
        return board

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
        if not 1 <= frames <= MAX_FRAMES or len(at) > MAX_FRAMES:
            raise SettingsError(f"frames is {len(at) or frames}; ask for 1 to {MAX_FRAMES} a video")
        listed = ranking.cases_of(self.catalog, benchmark)
        rows = ranking.rows_of(self.evaluation(), listed)
        board = ranking.ranked(rows, listed, self.layout, self.catalog, preset="", facts=None, only="", against=())
        return comparing.compare(
            self.catalog,
            self.artifacts,
            board,
            listed,
            rows,
            systems=systems,
            names=cases,
            metrics=metrics,
            out=Path(out),
            frames=frames,
            at=at,
        )

    def import_scores(
        self, *, format: str, path: str, system: str, cases: str, references: str | None = None
    ) -> ScoreFiles:
        return ranking.import_scores(
            self.catalog, self.artifacts, format=format, path=path, system=system, cases=cases, references=references
        )

    def export_scores(self, *, format: str, out: str, system: str, benchmark: str = "", preset: str = "") -> ScoreFiles:
        cases = ranking.cases_of(self.catalog, benchmark)
        rows = [row for row in ranking.rows_of(self.evaluation(), cases) if row.system == system]
        preset = ranking.preset_of(self.layout, preset)
        return ranking.export_scores(rows, cases, self.artifacts, format=format, out=out, system=system, preset=preset)

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
        if count is not None:
            _check_limit(count)
        with self._apart(self.plan) as now:
            made = case_making.make_cases(
                now,
                self.artifacts,
                Path(out),
                count=count,
                seed=seed,
                draw_from=draw_from,
                skeleton=skeleton,
                approved_only=approved_only,
            )
            if made.cases:
                self._case_queue.ask(now, Path(made.path), None)
        return made

    def ask_approval(self, *, cases: str, references: str | None = None) -> CaseReview:
        with self._now() as now:
            told = self._case_queue.ask(now, Path(cases), Path(references) if references else None)
        found = self.review_cases(cases=cases, references=references)
        return dataclasses.replace(found, remarks=(*told, *found.remarks))

    def review_cases(self, *, cases: str, references: str | None = None, write: bool = False) -> CaseReview:
        with self._now() as now:
            return case_approving.review(now, Path(cases), Path(references) if references else None, write=write)

    def pairs(self, *, where: str = "", order: str = "uncertain", limit: int = 50, after: str | None = None) -> PairPage:
        _check_limit(limit)
        with self._now() as now:
            return pair_page(now, where=where, order=order, limit=limit, after=after)

    def pair(self, *, pair_id: str) -> PairRow:
        with self._now() as now:
            rows = pair_rows(now, [pair_id])
        if not rows:
            raise ProjectError(f"pair {pair_id[:80]} is not in the current plan; a gate may hold it back now")
        return rows[0]

    def next_trials(self, *, study_id: str, rater: str, limit: int = 3, skip: tuple[str, ...] = ()) -> tuple[Trial, ...]:
        _check_limit(limit)
        if self.is_study(study_id):
            return self.study_queue(rater=rater, limit=limit, skip=skip)
        with self._now() as now:
            if study_id == CASES_STUDY:
                return self._case_queue.next_trials(now, rater=rater, limit=limit, skip=skip)
            return self._queue.next_trials(now, study_id=study_id, rater=rater, limit=limit, skip=skip)

    def renew_leases(self, *, study_id: str, rater: str, items: tuple[str, ...]) -> tuple[str, ...]:
        _check_limit(len(items))
        if self.is_study(study_id):
            return items  # a participant's trials are nobody else's
        queue = self._case_queue if study_id == CASES_STUDY else self._queue
        return queue.renew(items, study_id=study_id, rater=rater)

    def queue_state(self, *, study_id: str, rater: str) -> QueueState:
        if self.is_study(study_id):
            return self.study_state(study_id=study_id, rater=rater)
        with self._now() as now:
            if study_id == CASES_STUDY:
                return self._case_queue.state(now, rater=rater)
            return self._queue.state(now, study_id=study_id, rater=rater)

    def submit_votes(self, *, votes: tuple[Vote, ...]) -> tuple[Receipt, ...]:
        self.refuse_erased(votes)
        return self.store_votes(votes, others=self._queue.submit)

    def votes(self, *, study_id: str, item_id: str | None = None) -> tuple[Vote, ...]:
        with self._now() as now:
            return self._queue.votes(now, study_id=study_id, item_id=item_id)

    def media(self, *, media_id: str) -> MediaFile:
        if (of_a_run := self.training_medium(media_id)) is not None:
            return of_a_run
        return contained(self.study_medium(media_id) or self._media.find(media_id), self.layout.root)

    def verify(self) -> Check:
        with self._apart(self.plan) as now:
            return checks.verify(now, self.layout, self.catalog, self.artifacts)

    def rebuild(self) -> Check:
        self._projection.rebuild()
        write_settings(self.layout.settings, self.settings)
        return self.verify()

    def backup(self, *, out: str | None = None) -> str:
        return checks.backup(self.layout, self.catalog, out)

    def export(self, *, format: str, out: str, where: str = "", split: str = "", purpose: str = TRAINING) -> ExportSummary:
        return self.export_plan(self.plan, format=format, out=out, where=where, split=split, purpose=purpose)

    def report(self, *, out: str | None = None) -> str:
        path = Path(out) if out else self.layout.root / "report.html"
        plan = self.plan
        with self._apart(plan) as now:
            status, copied = self._with_verdicts(now, status_of(now, plan)), copied_clips(now, self._copies)
            status.counts["near_duplicates"] = len(copied)
            write_report(now, plan, self.settings, self.artifacts, status, path, title=self.layout.root.name, copied=copied)
        return str(path)

    def journal_tail(self, *, limit: int = 20) -> tuple[dict, ...]:
        _check_limit(limit)
        return tuple(event.as_dict() for event in self.journal.tail(limit))

    @contextmanager
    def _now(self) -> Iterator[Snapshot]:
        """The current plan, with people's part brought up to the journal's head. For quick reads: they take turns."""
        self._projection.refresh()
        with self._snapshot.of(self.plan) as now:
            yield now

    @contextmanager
    def _apart(self, plan: Plan) -> Iterator[Snapshot]:
        """A snapshot for one long reader, who keeps nobody waiting and sees one moment, votes included, to the end."""
        self._projection.refresh()
        apart = Snapshot(self.catalog, prepare=_prepare, one_moment=True)
        try:
            with apart.of(plan) as now:
                yield now
        finally:
            apart.close()

    def _plan_with(self, changes: tuple[GateChange, ...]) -> Plan:
        try:
            return self.plan.with_gates({change.gate: change.value for change in changes})
        except ValueError as error:
            raise SettingsError(str(error)) from error
        except KeyError as error:
            known = [gate.name for gate in self.plan.gates()]
            raise SettingsError(f"gate {error.args[0]} does not exist{nearest(error.args[0], known)}") from error

    def _status(self, reading: AbstractContextManager[Snapshot], plan: Plan) -> Status:
        with reading as now:
            status, clips = self._with_verdicts(now, status_of(now, plan)), hashed_clips(now)
        # Apart, since the first time a sheet of each clip is read: 1 ms each
        status.counts["near_duplicates"] = len(self._copies(clips))
        return status

    def _with_verdicts(self, now: Snapshot, status: Status) -> Status:
        judged = now.query("SELECT count(*) FROM pair_status WHERE pair_id IN (SELECT pair_id FROM pair_shown)")[0][0]
        status.counts["verdicts"] = judged
        return dataclasses.replace(status, models=self.models())


def _prepare(now: Snapshot) -> None:
    apply_corrections(now)
    apply_exclusions(now)
    create_pair_tables(now)
    create_case_views(now)


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise SettingsError(f"limit is {limit}; ask for 1 to {MAX_LIMIT}")
