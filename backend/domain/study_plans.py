"""A study before it is decided, what it could be made of, and what is told of one while it runs."""

from dataclasses import dataclass

from backend.domain.studies import StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDraft:
    """What a study is asked to be: the arguments of `create_study`. None and empty take the default or the preset's."""

    name: str = ""
    kind: str = "preference"
    form: str = ""
    aspects: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    """Names of evaluated ones, or `NAME=DIR`."""
    cases: str | None = None
    references: str | None = None
    benchmark: str = ""
    preset: str = ""
    pairs: int | None = None
    raters: int | None = None
    trials: int | None = None
    rules: tuple[str, ...] = ()
    """As `min_seconds=60`."""
    sequential: bool = False
    hold_out: float = 0.1
    stop_half_width: float = 0.0
    language: str = "en"
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AspectOption:
    """A question that a form asks."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FormOption:
    """A form that a kind of study may have, the kind's default first."""

    kind: str
    name: str
    title: str
    aspects: tuple[AspectOption, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemOption:
    """A system of which the project knows videos of so many of a benchmark's cases."""

    name: str
    cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkOption:
    """A set of cases that the project lists."""

    name: str
    cases: int
    systems: tuple[SystemOption, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetOption:
    """Sizes of a study; the one without a name is the default."""

    name: str
    pairs: int
    raters: int
    trials: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOption:
    """A rule with its default; a switch is 1 or 0."""

    name: str
    value: float
    is_switch: bool
    is_whole: bool
    """Whether it is a whole number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOptions:
    """Everything that a draft, an invitation and an export of votes can name in this project."""

    forms: tuple[FormOption, ...]
    benchmarks: tuple[BenchmarkOption, ...]
    presets: tuple[PresetOption, ...]
    rules: tuple[RuleOption, ...]
    languages: tuple[str, ...]
    groups: tuple[str, ...]
    vote_formats: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WidthPoint:
    """How well a study's main figures were known when so many responses had been handed in."""

    responses: int
    at: str
    """When the last of them was handed in, ISO 8601 UTC."""
    widest: float | None
    """The widest half of their 95 % intervals; None where one of them has none."""
    about: str
    """The aspect and the system that it is of, or why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageNotice:
    """Where the page of studies is served now; `url` is empty while it is not."""

    url: str = ""
    since: str = ""
    """ISO 8601 UTC."""
    ends_here: bool = False
    """Whether the project's owner serves it, so that `stop_study_page` ends it; else the command does that serves it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReport:
    """What a report was made of, and the files and folders that were written."""

    results: StudyResults
    files: tuple[str, ...]
