"""Studies that one makes and looks after: the draft of a new one, which is looked at, invitations that are told once.

The session decides and remembers; it touches no widget, thread or network. What a study can be made of, and what a draft
would come to, the service says.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from backend.domain.studies import Invitation, StudySummary
from backend.domain.study_plans import (
    BenchmarkOption,
    FormOption,
    PresetOption,
    RuleOption,
    StudyDraft,
    StudyOptions,
    WidthPoint,
)

VIEWS = ("monitor", "invite", "people", "outcome")
OUTCOMES = ("ranking", "pairings", "agreement", "funnel")
FROM_FILE = "\0file"
"""In place of a benchmark's name: cases and folders that the project does not list yet."""


@dataclass(slots=True, kw_only=True)
class DraftSession:
    """A study that is being thought out. Its parts are changed one by one; `asked` is the whole."""

    options: StudyOptions
    name: str = ""
    kind: str = ""
    form: str = ""
    left_aspects: set[str] = field(default_factory=set)
    left_systems: set[str] = field(default_factory=set)
    """Questions of the form, and systems of the benchmark, that are left out."""
    source: str = ""
    """A benchmark's name, or FROM_FILE."""
    cases: str = ""
    references: str = ""
    named: list[str] = field(default_factory=list)
    """Systems beside a cases file: `NAME=FOLDER`, or the name of an evaluated one."""
    preset: str = ""
    pairs: int = 0
    raters: int = 0
    trials: int = 0
    """0 takes the preset's."""
    sequential: bool = False
    hold_out: float = 0.1
    stop_half_width: float = 0.0
    language: str = "en"
    seed: int = 0
    values: dict[str, float] = field(default_factory=dict)
    """Of rules that differ from their default."""
    number: int = 0
    """Rises with every change; an answer to an earlier draft is dropped."""
    plan: StudySummary | None = None
    """What the draft as it is now would come to; None until that is known."""
    refusal: str = ""
    """Why it would be refused."""

    def __post_init__(self) -> None:
        self.choose_kind(self.kind or StudyDraft().kind)
        names = [one.name for one in self.options.benchmarks if one.systems]
        self.source = names[0] if names else FROM_FILE

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(form.kind for form in self.options.forms))

    @property
    def forms(self) -> tuple[FormOption, ...]:
        """Those that fit the kind, its default first."""
        return tuple(form for form in self.options.forms if form.kind == self.kind)

    @property
    def form_option(self) -> FormOption:
        return next(form for form in self.forms if form.name == self.form)

    @property
    def benchmark(self) -> BenchmarkOption | None:
        return next((one for one in self.options.benchmarks if one.name == self.source), None)

    @property
    def usual(self) -> PresetOption:
        """The sizes that 0 stands for."""
        return next(one for one in self.options.presets if one.name == self.preset)

    @property
    def aspects(self) -> tuple[str, ...]:
        """Questions that are asked, in the form's order."""
        return tuple(one.name for one in self.form_option.aspects if one.name not in self.left_aspects)

    @property
    def systems(self) -> tuple[str, ...]:
        """Those that are compared."""
        if self.benchmark is None:
            return tuple(self.named)
        return tuple(one.name for one in self.benchmark.systems if one.name not in self.left_systems)

    def choose_kind(self, kind: str) -> None:
        """Another kind, with its default form."""
        self.kind = kind
        self.choose_form(self.forms[0].name)

    def choose_form(self, form: str) -> None:
        """Another form, of which all questions are asked."""
        self.form = form
        self.left_aspects.clear()
        self.changed()

    def choose_source(self, source: str) -> None:
        """Other cases, of which all systems are compared."""
        self.source = source
        self.left_systems.clear()
        self.changed()

    def ask(self, aspect: str, *, asked: bool) -> None:
        """Asks a question of the form, or leaves it out."""
        (self.left_aspects.discard if asked else self.left_aspects.add)(aspect)
        self.changed()

    def compare(self, system: str, *, compared: bool) -> None:
        """Compares a system of the benchmark, or leaves it out."""
        (self.left_systems.discard if compared else self.left_systems.add)(system)
        self.changed()

    def add_system(self, said: str) -> bool:
        """Takes a system beside the cases file; gives whether it was not there yet."""
        said = said.strip()
        name = said.partition("=")[0].strip()
        if not name or name in {one.partition("=")[0].strip() for one in self.named}:
            return False
        self.named.append(said)
        self.changed()
        return True

    def drop_system(self, said: str) -> None:
        """Takes a system away again."""
        self.named.remove(said)
        self.changed()

    def set_rule(self, rule: RuleOption, value: float) -> None:
        """Another value for a rule; its default is no change."""
        if value == rule.value:
            self.values.pop(rule.name, None)
        else:
            self.values[rule.name] = value
        self.changed()

    def rule(self, name: str) -> float:
        """A rule's value as the draft has it."""
        return self.values.get(name, next(one.value for one in self.options.rules if one.name == name))

    def changed(self) -> None:
        """What was known of the draft before holds no longer."""
        self.number += 1
        self.plan, self.refusal = None, ""

    def asked(self) -> StudyDraft:
        """The whole draft, as the service takes it."""
        switches = {one.name for one in self.options.rules if one.is_switch}
        from_file = self.benchmark is None
        return StudyDraft(
            name=self.name.strip(),
            kind=self.kind,
            form=self.form,
            aspects=self.aspects,
            systems=self.systems,
            cases=self.cases.strip() or None if from_file else None,
            references=self.references.strip() or None if from_file else None,
            benchmark="" if from_file else self.source,
            preset=self.preset,
            pairs=self.pairs or None,
            raters=self.raters or None,
            trials=self.trials or None,
            rules=tuple(
                f"{name}={_switch(value) if name in switches else f'{value:g}'}" for name, value in self.values.items()
            ),
            sequential=self.sequential,
            hold_out=self.hold_out,
            stop_half_width=self.stop_half_width,
            language=self.language,
            seed=self.seed,
        )

    @property
    def lacks(self) -> str:
        """What has to be given before anything can be planned: aspect, system, cases; empty for nothing."""
        if not self.aspects:
            return "aspect"
        if self.benchmark is None and not self.cases.strip():
            return "cases"
        return "" if self.systems else "system"

    @property
    def is_ready(self) -> bool:
        """Whether it can be made as it stands: planned without a refusal, under a name."""
        return self.plan is not None and bool(self.name.strip()) and not self.lacks


@dataclass(slots=True, kw_only=True)
class StudiesSession:
    """Which study is looked at, how, and what was told of each once."""

    studies: tuple[StudySummary, ...] = ()
    current: str = ""
    view: str = VIEWS[0]
    outcome: str = OUTCOMES[0]
    draft: DraftSession | None = None
    """While it is there, it is shown in place of a study."""
    left_draft: DraftSession | None = None
    """One that was left, to be gone on with."""
    invitations: dict[str, list[Invitation]] = field(default_factory=dict)
    """By study: those made in this window, whose links nobody can look up again."""
    widths: dict[str, tuple[WidthPoint, ...]] = field(default_factory=dict)
    _seen: dict[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)
    """By study and what was asked for: the votes, and those who joined and finished, of then."""

    def know(self, studies: Sequence[StudySummary]) -> None:
        """Takes the studies as they are now; the one that is looked at stays, else the newest comes."""
        self.studies = tuple(studies)
        names = [one.name for one in studies]
        if self.current not in names:
            self.current = names[-1] if names else ""

    @property
    def study(self) -> StudySummary | None:
        """The one that is looked at."""
        return next((one for one in self.studies if one.name == self.current), None)

    def go(self, by: int) -> bool:
        """To the next or the previous study; gives whether there is one."""
        names = [one.name for one in self.studies]
        place = names.index(self.current) + by if self.current in names else -1
        if 0 <= place < len(names):
            self.current = names[place]
            return True
        return False

    def is_news(self, study: StudySummary, what: str) -> bool:
        """Whether something came in since `what` was asked for; asking again says no."""
        now = (study.votes, study.joined - study.withdrawn, study.finished)
        fresh = self._seen.get((study.name, what)) != now
        self._seen[study.name, what] = now
        return fresh

    def forget_seen(self, name: str) -> None:
        """Everything is to be asked for anew: somebody was taken out, or it could not be had."""
        self._seen = {key: seen for key, seen in self._seen.items() if key[0] != name}

    def told(self, name: str) -> tuple[Invitation, ...]:
        """Invitations to a study that were made in this window, newest first."""
        return tuple(reversed(self.invitations.get(name, [])))

    def tell(self, name: str, made: Sequence[Invitation]) -> None:
        """Keeps new invitations until the window closes."""
        self.invitations.setdefault(name, []).extend(made)


def state_of(study: StudySummary) -> str:
    """closed, complete (all the people it needs have finished), running or waiting (nobody has joined)."""
    if study.closed_at:
        return "closed"
    if study.participants_needed and study.finished >= study.participants_needed:
        return "complete"
    return "running" if study.joined else "waiting"


def share_of(study: StudySummary) -> float:
    """How much of the people that it needs have finished, 0 to 1."""
    return min(1.0, study.finished / study.participants_needed) if study.participants_needed else 0.0


def folder_name(study: str) -> str:
    """A study's name as a folder may be called."""
    return re.sub(r"[^\w-]+", "_", study).strip("_") or "study"


def _switch(value: float) -> str:
    return "true" if value else "false"
