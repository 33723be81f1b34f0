"""A project's settings, what it takes on the disk, and what it keeps of people, as those who look after it see them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting by its dotted name. Values are spelled as `--set` takes them."""

    name: str
    type: str
    """choice, integer, number, boolean, text or list."""
    value: str
    default: str
    """What holds when project.toml says nothing, with the project's profile and recipe."""
    is_set: bool
    """Whether project.toml says it."""
    choices: tuple[str, ...] = ()
    meaning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings:
    """A stage of the plan with its settings, and the gates on what it measures."""

    stage: str
    over: str
    """The kind of record that it works on."""
    meaning: str
    roles: tuple[str, ...]
    settings: tuple[Setting, ...]
    gates: tuple[Setting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsSheet:
    """Every setting of a project."""

    project: tuple[Setting, ...]
    roles: tuple[Setting, ...]
    """Which implementation serves a role: the default is the profile's, empty where it has none."""
    models: tuple[Setting, ...]
    """Where the weights of a role lie."""
    stages: tuple[StageSettings, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """A setting that would change, spelled as `--set` takes it."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageForecast:
    """What other settings mean for one stage. Nothing is deleted: going back to the old settings finds the old results."""

    stage: str
    over: str
    pending_before: int
    pending: int
    """Items without a result under the draft."""
    set_aside: int
    """Results of now that the draft does not show: made otherwise, behind a stage that runs again, or held back by a gate."""
    is_other: bool
    """Whether settings, models or place in the recipe give the stage other work keys: then its own items run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsForecast:
    """What a draft of settings changes, stage by stage where a stage has anything to do or to show otherwise."""

    changes: tuple[SettingChange, ...]
    stages: tuple[StageForecast, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageKind:
    """What one kind of file takes in the project's folder."""

    kind: str
    num_bytes: int
    num_files: int
    places: tuple[str, ...]
    """Folders and files below the project's, as patterns."""
    clearable: bool = False
    """Whether it is made again when it is asked for."""
    limit_bytes: int = 0
    """The most that is kept; 0 for no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageUse:
    """Everything below a project's folder by kind, the largest first, and what is free on its disk."""

    kinds: tuple[StorageKind, ...]
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageCleared:
    """What was taken away."""

    num_bytes: int
    num_files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FarRole:
    """A role that asks an endpoint: the only way on which anything of a project leaves this machine."""

    role: str
    model: str
    url: str
    on_this_machine: bool
    """Whether the endpoint is a server of this machine's own."""
    asked_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyFacts:
    """What a project keeps of people: of those who judge, of participants in studies, and of those whom its footage shows."""

    raters: int
    """People who judged, by the names that they gave themselves."""
    verdicts: int
    studies: int
    participants: int
    participants_votes: int
    erased: int
    """Participants who were erased."""
    addresses_hashed: bool
    """Whether a key is there with which logins and addresses are hashed."""
    sources: int
    without_licence: int
    """Sources of which nobody said under which licence they may be used."""
    subjects: int
    faces: int
    """Vectors of faces."""
    backups: int
    """Backups hold what was erased after them."""
    far: tuple[FarRole, ...] = ()
