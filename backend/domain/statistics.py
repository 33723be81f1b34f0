"""What a dataset is like, and what each of its filters is worth: figures that reports show."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A quantity over records. `values` are sorted; long lists are thinned evenly, least and most kept."""

    unit: str
    number: int
    mean: float | None
    least: float | None
    most: float | None
    values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRow:
    """One line comparable to OpenS2V-Nexus, table 2."""

    name: str
    kind: str
    resolution: str
    clips: int
    average_length_s: float | None
    duration_h: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetStatistics:
    """The figures that the four papers give of their data, over the rows of the current plan. Counts are most first."""

    row: DatasetRow
    spreads: Mapping[str, Spread] = field(default_factory=dict)
    """By name: clip length, motion, caption words, references of a sample, context diversity ..."""
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By name: resolutions, categories, subject-type combinations, subjects of a sample, pairs by kind, anchors by class ..."""
    words: Mapping[str, int] = field(default_factory=dict)
    """How often captions say each word, without the commonest words of the language."""
    scores: Mapping[str, Spread] = field(default_factory=dict)
    """Of each score that a gate stands on, as `pair.similarity`: every value, also of rows that are held back."""
    anchor_checks: tuple["AnchorCheck", ...] = ()
    anchor_accuracy: tuple["AnchorAccuracy", ...] = ()
    anchor_balance: tuple["AnchorBalance", ...] = ()
    judge_agreement: tuple["JudgeAgreement", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationRow:
    """What would be left without some gates, or what lies in one group, from stored scores alone."""

    group: str
    """gates, time gap, bank or construction."""
    name: str
    removed: tuple[str, ...] = ()
    """Names of the gates that are left out."""
    pairs: int = 0
    unmeasured: int = 0
    """Pairs more that no remaining gate denies, but that were held back before all of them were measured."""
    judged: int = 0
    """Pairs that people called the same or not."""
    same: int = 0
    precision: float | None = None
    precision_low: float | None = None
    """Wilson's interval at 95 %."""
    precision_high: float | None = None
    context_diversity: float | None = None
    """Mean over pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """What each gate on pairs is worth, and the page that shows it."""

    path: str
    rows: tuple[AblationRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeAgreement:
    """Pairs of which people and a judge told whether a criterion holds, by what they told; a disputed pair is told by nobody."""

    criterion: str
    """face, clothing, markings, colour, packaging, text, scene or pose; identity and context are what they come to."""
    both_yes: int
    both_no: int
    only_people: int
    """People say that it holds, the judge denies it."""
    only_judge: int
    unsure: int
    """Where the judge would not say; not counted in what follows."""
    agreement: float | None
    """Share of those on which both say the same; None of none."""
    agreement_low: float | None
    """Wilson's interval at 95 %."""
    agreement_high: float | None
    kappa: float | None
    """Cohen's, agreement beyond chance; None where it is not defined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorCheck:
    """What became of the labels of anchors of a kind that somebody looked at again."""

    kind: str
    """viewpoint or expression."""
    by: str
    """judge or people."""
    kept: int = 0
    corrected: int = 0
    dropped: int = 0
    unsure: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorAccuracy:
    """How many anchors of a kind have the label that people gave to their picture, before the judge looked and after."""

    kind: str
    told_before: int
    """Anchors whose picture people were sure of."""
    right_before: int
    told_after: int
    right_after: int
    before: float | None
    """Share that is right; None of none."""
    after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorBalance:
    """How often anchors of one label are to be drawn, so that labels come in the shares that Gloria published."""

    kind: str
    label: str
    number: int
    share: float
    """Of the anchors of the kind."""
    published: float
    weight: float
    """Of each anchor with this label, at most 2: others of its kind are drawn as often as their own weights say."""
    drawn: float
    """Share of the draws that this label gets; short of the published one where the weight is at its most."""
