"""Long work that people start and look after: what can be asked, how it goes, what it said, what it could not do."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class JobField:
    """One setting of a job's form. Values travel as text and are written as in `--set`: 12, 0.5, true, a word, ["a", "b"]."""

    name: str
    """Dotted below a settings record: `optimizer.learning_rate`."""
    type: str
    """text, integer, number, boolean, list, choice, file, folder, new_folder or paths (a list). Relative paths start at the project's folder."""
    default: str = ""
    words: str = ""
    """What the setting means, from its definition."""
    choices: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobForm:
    """What a kind of job asks. `main` is what everybody fills in; `more` comes of settings records and has good defaults."""

    kind: str
    main: tuple[JobField, ...]
    more: tuple[JobField, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeSettings:
    """A training recipe: what it is, and its settings with its defaults."""

    words: str
    settings: tuple[JobField, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """What `--set` changes of training by recipe, of latents and of generation."""

    recipes: dict[str, RecipeSettings]
    latents: tuple[JobField, ...]
    generate: tuple[JobField, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job of the project, running or ended. `interrupted` is the state of one whose owner ended before it did."""

    job_id: str
    kind: str
    state: str
    """queued, running, done, failed, cancelled or interrupted."""
    asked: dict[str, str] = field(default_factory=dict)
    """What it was started with; `start_job` takes it again."""
    actor: str = ""
    started_at: str = ""
    """ISO 8601, UTC."""
    ended_at: str = ""
    stage: str = ""
    done: int = 0
    total: int = 0
    message: str = ""
    out: str = ""
    """The folder or file that it writes, where it is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLog:
    """Lines of a job's log from `after` on; `next_after` asks for what comes behind them."""

    lines: tuple[str, ...]
    next_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineRow:
    """An item that a stage of the current plan failed on; it is not tried again until somebody says so."""

    work_key: str
    stage: str
    item_id: str
    kind: str
    """Of the item: source, video, clip, subject ..."""
    name: str
    """The file's name, and the item's id where it is a part of the file."""
    failure: str
    """What sort of failure: media, model, crash, timeout, memory ..."""
    message: str
    attempts: int
    failed_at: str
    media_id: str = ""
    """Something to look at, where there is anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinePage:
    """Rows in a stable order; `next_after` is the place behind them, None at the end. `by_stage` counts all that match."""

    rows: tuple[QuarantineRow, ...]
    total: int
    by_stage: dict[str, int]
    next_after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFlow:
    """Items through one stage of the current plan, for a Sankey picture: `entering = passed + filtered + failed + pending`.

    What gates hold back of the results that the stage gave stands in `held_back`, by gate in words; gates that let all through do not.
    """

    stage: str
    over: str
    entering: int
    passed: int
    filtered: int
    failed: int
    pending: int
    seconds: float
    gives: dict[str, int] = field(default_factory=dict)
    """Records that came of it, by kind."""
    held_back: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """A run folder as it stands."""

    run: str
    """Its folder, which names it."""
    recipe: str
    state: str
    """running, done, stopped or failed."""
    step: int
    steps: int
    checkpoints: tuple[int, ...]
    """Steps from which it can go on (`run.keep` says how many are kept)."""
    samples: tuple[int, ...]
    """Steps at which validation videos were made."""
    exported: bool = False
    """Whether it has come to an end and videos can be generated with it, as system `run:RUN`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCurves:
    """Values along a run's steps: `values[name][n]` belongs to `steps[name][n]`; long curves are thinned to about `limit` points."""

    run: str
    steps: dict[str, tuple[int, ...]]
    values: dict[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationVideo:
    """A video of a validation: the same `name` at another step has the same noise and conditions."""

    name: str
    step: int
    media_id: str
    caption: str = ""
