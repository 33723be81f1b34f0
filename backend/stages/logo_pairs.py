"""Whether the two sides of a pair carry one logo (S26, Phantom-Data section 4.2.3): by what is written, or by how it looks."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from backend.domain import (
    Absent,
    Appearance,
    BankPart,
    Context,
    Filtered,
    Item,
    Mask,
    Ok,
    Pair,
    Resources,
    Result,
    Score,
    Source,
    Subject,
    Survey,
    Video,
)
from backend.domain.roles_logos import Logo, LogoFinder
from backend.geometry import boxes
from backend.measures import keypoints
from backend.measures.logos import describe_marks, describe_patch, plain_text, text_agreement
from backend.media.images import read_rgba
from backend.stages.logos import logos_on, named_scores, read_logos
from backend.stages.rolled_views import rolled_views
from backend.stages.unbound import role_or_absent
from backend.store.artifacts import Artifacts

NAMES = ("logo_match", "logo_inliers", "logo_ratio", "logo_patch_cosine", "logo_text")
LEAST_LETTERS = 3
"""Shorter readings are stray strokes."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What two logos must share to be one."""

    inliers: float = 9.0
    """On worlds 2 to 4 (16 videos) other logos share up to 8; of 28 pairs of one logo 24 share more."""
    ratio: float = 0.5
    """Of the same pairs, equal logos have .58 and more."""
    text: float = 0.8
    """Agreement of readings: one letter of five may be misread."""


BAR = Bar()


@dataclass(frozen=True, slots=True)
class Marked:
    """The whole marks of one cut-out: their keypoints, a descriptor of each, and what is written on the largest."""

    points: keypoints.Keypoints
    patches: tuple[np.ndarray, ...]
    text: str = ""


def marked(cut_out: np.ndarray, logos: Sequence[Logo]) -> Marked | None:
    """What is compared of a cut-out uint8 `(H, W, 4)`; None without a mark that no edge cuts."""
    whole = [logo for logo in logos if logo.is_uncut]
    if not whole:
        return None
    rgb, mask = cut_out[..., :3], cut_out[..., 3] > 127
    written = [logo for logo in whole if len(plain_text(logo.text or "")) >= LEAST_LETTERS]
    largest = max(written, key=lambda logo: boxes.area(logo.box), default=None)
    return Marked(
        describe_marks(rgb, mask, [logo.box for logo in whole]),
        tuple(describe_patch(rgb, logo.box) for logo in whole),
        (largest.text or "") if largest else "",
    )


def agreement(a: Sequence[Marked], b: Sequence[Marked], bar: Bar) -> dict[str, float | Absent]:
    """Scores by name of two sides, each with at least one marked cut-out; the best of all their views.

    `logo_match` is 1 where the bar is met and less in proportion: that of the readings where both sides were read, since
    letters tell makers apart that look alike, else that of the keypoints.
    """
    matches = [keypoints.match(x.points, y.points) for x in a for y in b]
    best = max(matches, key=lambda match: match.inliers)
    read = [text_agreement(x.text, y.text) for x in a for y in b if x.text and y.text]
    looks = min(1.0, best.inliers / bar.inliers, best.ratio / bar.ratio)
    return {
        "logo_match": min(1.0, max(read) / bar.text) if read else looks,
        "logo_inliers": float(best.inliers),
        "logo_ratio": best.ratio,
        "logo_patch_cosine": max(float(p @ q) for x in a for y in b for p in x.patches for q in y.patches),
        "logo_text": max(read) if read else Absent("a side has no text that was read"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _LogoMatching(ABC):
    """What the stages that match logos have in common."""

    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("LogoFinder",)
    resources: ClassVar[Resources] = Resources(ram_gib=1.0)

    min_score: float = 0.15
    """On the finder's scale."""
    inliers: float = BAR.inliers
    ratio: float = BAR.ratio
    text: float = BAR.text

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        finder = role_or_absent(context, "LogoFinder")
        return [self._matched(item, finder, context) for item in items]

    @abstractmethod
    def _matched(self, item: Item, finder: object, context: Context) -> Result: ...

    @property
    def _bar(self) -> Bar:
        return Bar(self.inliers, self.ratio, self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchLogos(_LogoMatching):
    """Whether the two things of each pair of two clips carry one logo, over all their cut-outs.

    Scores of a pair: `logo_match` in [0, 1], and what it is made of: `logo_inliers` and `logo_ratio` of the best match of
    points inside the marks, `logo_patch_cosine` of the likest two marks, `logo_text` (agreement of what was read). NULL
    with the reason where a side shows no whole mark, and for the living. Marks are those of FindLogos where it ran.
    """

    name: ClassVar[str] = "match_logos"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = (Subject, Appearance, Mask, Pair, Score)

    def _matched(self, item: Item, finder: object, context: Context) -> Result:
        pairs = [pair for pair in item.all(Pair) if pair.kind == "cross_frame"]
        if not pairs:
            return Filtered(item.id, "no pair joins two clips of it")
        living = {subject.id: subject.is_living for subject in item.all(Subject)}
        crops = {mask.appearance_id: mask.crop for mask in item.all(Mask)}
        shown: dict[str, list[str]] = defaultdict(list)
        for view in item.all(Appearance):
            if view.subject_id and view.id in crops:
                shown[view.subject_id].append(view.id)
        known = {score.target: score.evidence for score in item.all(Score) if score.name == "num_logos" and score.evidence}
        sight = _Sight(
            finder, context, self.min_score, {crops[view]: name for view, name in known.items() if view in crops}
        )
        rows: list[Score] = []
        for pair in pairs:
            ends = (pair.target_subject_id, pair.reference_subject_id or "")
            sides = [_Side(living.get(end), tuple(crops[view] for view in shown[end])) for end in ends]
            rows += named_scores(pair.id, sight.compared(sides, self._bar), sight.producer(self.name, self.version))
        return Ok(item.id, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchLogosAcross(_LogoMatching):
    """`MatchLogos` for the `cross_video` pairs of a source: its cut-outs and the other side's are those in the banks."""

    name: ClassVar[str] = "match_logos_across"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = (BankPart, Pair)
    surveys: ClassVar[tuple[type, ...]] = (BankPart,)

    def _matched(self, item: Item, finder: object, context: Context) -> Result:
        pairs = [pair for pair in item.all(Pair) if pair.kind == "cross_video"]
        if not pairs or not item.all(Survey):
            return Filtered(item.id, "no pair joins it with another source")
        views = rolled_views(cast(Artifacts, context.artifacts).root, item.one(Survey).artifact)
        sight = _Sight(finder, context, self.min_score, {})
        rows: list[Score] = []
        for pair in pairs:
            ends = [views.get(end) for end in (pair.target_appearance_id, pair.reference_appearance_id)]
            sides = [_Side(None, ()) if end is None else _Side(end.is_living, end.crops) for end in ends]
            rows += named_scores(pair.id, sight.compared(sides, self._bar), sight.producer(self.name, self.version))
        return Ok(item.id, rows)


@dataclass(frozen=True, slots=True)
class _Side:
    is_living: bool | None
    crops: tuple[str, ...]


class _Sight:
    """Marks of cut-outs, each looked at once; `evidence` names what FindLogos kept of a crop."""

    def __init__(self, finder: object, context: Context, min_score: float, evidence: Mapping[str, str]) -> None:
        self._finder, self._context, self._min_score, self._evidence = finder, context, min_score, evidence
        self._seen: dict[str, Marked | None] = {}

    def compared(self, ends: Sequence[_Side], bar: Bar) -> dict[str, float | Absent]:
        why = ""
        if any(end.is_living for end in ends) or all(end.is_living is None for end in ends):
            why = "not applicable: neither side is known to be a thing, or one lives"
        elif isinstance(self._finder, Absent):
            why = self._finder.reason
        sides = [] if why else [[seen for crop in side.crops if (seen := self._marked(crop))] for side in ends]
        if not why and not all(sides):
            why = "a side shows no whole logo" if all(end.crops for end in ends) else "a side has no cut-out"
        return dict.fromkeys(NAMES, Absent(why)) if why else agreement(sides[0], sides[1], bar)

    def producer(self, name: str, version: int) -> str:
        return f"{name}/{version}:{getattr(self._finder, 'model_id', 'none')}"

    def _marked(self, crop: str) -> Marked | None:
        if crop not in self._seen:
            artifacts = self._context.artifacts
            cut_out = read_rgba(artifacts.get(crop))
            if crop in self._evidence:
                found = [logo for logo in read_logos(artifacts.get(self._evidence[crop])) if logo.score >= self._min_score]
            else:
                found = logos_on(cut_out, cast(LogoFinder, self._finder), self._min_score)
            self._seen[crop] = marked(cut_out, found)
        return self._seen[crop]
