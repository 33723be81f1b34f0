"""A first number on a laptop: identity, decoupling, prompt background and quality with the embedded profile.

Classical vision, no learned weights: these scores compare videos of one case, know nothing of what a picture means,
and are never ranked beside those of a model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, cast

import numpy as np

from backend.domain import Absent, Case, ImageScorer, PhraseExtractor
from metrics.embedded_odds import CHANCE_INLIERS, chance, identity_odds
from metrics.embedded_places import BACKGROUND_ROLE, LookOfBackground, agreement, asked_looks, look_of
from metrics.embedded_subjects import ReferenceSubjects, SubjectsSeen, reference_cuts
from metrics.framing import FramePlan, Linspace
from metrics.spec import Arrays, CaseFeature, Entry, Feature, Found, Measured, Metric, Roles, VideoFacts, VideoFeature

SOURCE = "ours, classical"
ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedIdentity(Metric):
    """The chance that the likeliest subject of the frames is each reference's and no look-alike in the same colours.

    Patches of both cut-outs are matched at like heights of the part that both show, light taken away, and points under
    one mapping; what stays unexplained is weighed into log-odds with how busy the patches are and the cosines of
    colour and shape, apart for what lives and for things (by the reference's label; the mean of both without one that
    is known). The best four fifths of the frames speak, since subjects turn away. References that no file gives are
    left out and lower the coverage. Fitted on drawn subjects; docs/accuracy.md tells how others are told apart. A
    side that no reference shows, and a subject cut out badly, look like somebody else.
    """

    id: ClassVar[str] = "embedded_identity"
    version: ClassVar[int] = 4
    is_classical: ClassVar[bool] = True
    title: ClassVar[str] = "Identity (embedded)"
    source: ClassVar[str] = SOURCE
    needs: ClassVar[tuple[str, ...]] = ("references",)

    best_share: float = 0.8
    """Of the frames on which the subject is seen, those in which it is likest."""

    @property
    def features(self) -> dict[str, Feature]:
        return {"references": ReferenceSubjects(), "subjects": SubjectsSeen()}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        seen, references = given["subjects"], given["references"]
        odds = identity_odds(seen, references["living"])
        by_frame = best_by_frame(seen, odds)
        if not np.isfinite(by_frame).any():
            return Measured(value=Absent("no detection: no subject is large enough to be described"), num_units=0)
        per_reference = chance(np.array([upper_mean(column, self.best_share) for column in by_frame.T]))
        frames = np.unique(seen["frame"])
        return Measured(
            value=nan_mean(per_reference),
            num_units=len(frames),
            coverage=float(references["readable"].mean() * len(frames) / len(seen["looked_at"])),
            per_frame={"frame": frames, "likeness": chance(by_frame)},
            evidence={"subject_frame": seen["frame"], "box": seen["box"], "subject_likeness": chance(odds)},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedDecoupling(Metric):
    """One less the likeness of the frames' backgrounds to the references': 1 when nothing of them returns.

    The likeness is the larger of the colours' and textures' cosine, of the whole frame or of the frame cropped as the
    reference is, and of the share of the background's points that one mapping explains. References without a
    background (cut-outs) have nothing to give.
    """

    id: ClassVar[str] = "embedded_decoupling"
    version: ClassVar[int] = 1
    is_classical: ClassVar[bool] = True
    title: ClassVar[str] = "Decoupling (embedded)"
    source: ClassVar[str] = SOURCE
    needs: ClassVar[tuple[str, ...]] = ("references",)

    @property
    def features(self) -> dict[str, Feature]:
        return {"references": ReferenceSubjects(), "subjects": SubjectsSeen()}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        references, seen = given["references"], given["subjects"]
        if not references["has_background"].any():
            return Measured(value=Absent("not applicable: the references show no background"), num_units=0)
        by_frame = background_likeness(seen)[:, references["has_background"]]
        if not np.isfinite(by_frame).any():
            return Measured(value=Absent("no detection: no frame shows enough background"), num_units=0)
        frames = np.unique(seen["frame"])
        worst = np.array([nan_max(row) for row in by_frame])
        return Measured(
            value=float(1.0 - nan_mean(worst)),
            num_units=int(np.isfinite(worst).sum()),
            coverage=float(np.isfinite(worst).sum() / len(seen["looked_at"])),
            per_frame={"frame": frames, "background_likeness": worst},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceAsked(CaseFeature):
    """The looks that the prompt's words of place promise, and how the references' backgrounds look."""

    name: ClassVar[str] = "embedded_place_asked"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "prompt+references"

    @property
    def roles(self) -> tuple[str, ...]:
        return ("PhraseExtractor",)

    @property
    def inputs(self) -> Mapping[str, Feature]:
        return {"references": ReferenceSubjects()}

    def compute(self, case: Case, roles: Roles, given: Mapping[str, Found]) -> Found:
        phrases = cast(PhraseExtractor, roles("PhraseExtractor")).phrases(case.prompt)
        places = [case.prompt[p.start : p.stop] for p in phrases if p.role == BACKGROUND_ROLE]
        if not places:
            return Absent("not applicable: the prompt names no place that is known")
        references = given["references"]
        looks = [np.full(3, np.nan)]
        if isinstance(references, dict):
            looks += [look_of(cut.picture, cut.mask) for cut in reference_cuts(references) if cut and cut.has_background]
        return {
            "places": np.array(places),
            "asked": asked_looks(case.prompt),
            "reference_looks": np.stack(looks[1:] or looks),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedPromptBackground(Metric):
    """Whether the background left the references' and looks as the prompt's words say, as far as colours can tell.

    Classical vision cannot see that a place is a kitchen. Two things can be measured when the prompt names a place:
    *departure*, one less the likeness of the background to the references' (excused as far as a reference already
    looks as asked), and *agreement* with what words promise of light, green and sky (night is dark, a forest green).
    The value is their mean, or the departure alone when no word promises anything; a background that departs to
    the wrong place of like colours is not noticed.
    """

    id: ClassVar[str] = "embedded_prompt_background"
    version: ClassVar[int] = 1
    is_classical: ClassVar[bool] = True
    title: ClassVar[str] = "Prompt background (embedded)"
    source: ClassVar[str] = SOURCE
    needs: ClassVar[tuple[str, ...]] = ("references", "prompt")

    agreement_weight: float = 0.3
    """Words of light and colour are weak evidence: they are shared by many places."""
    excuse: float = 0.5
    """How far a reference that looks as asked excuses a background that stays."""

    @property
    def features(self) -> dict[str, Feature]:
        return {
            "references": ReferenceSubjects(),
            "subjects": SubjectsSeen(),
            "asked": PlaceAsked(),
            "looks": LookOfBackground(),
        }

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        references, seen, asked = given["references"], given["subjects"], given["asked"]["asked"]
        if not references["has_background"].any():
            return Measured(value=Absent("not applicable: the references show no background"), num_units=0)
        alike = np.array([nan_max(row) for row in background_likeness(seen)[:, references["has_background"]]])
        if not np.isfinite(alike).any():
            return Measured(value=Absent("no detection: no frame shows enough background"), num_units=0)
        departure = 1.0 - nan_mean(alike)
        already = nan_max(agreement(asked, given["asked"]["reference_looks"]))
        agrees = agreement(asked, given["looks"]["look"])
        value = departure
        if np.isfinite(agrees).any():
            excused = departure + self.excuse * (1.0 - departure) * (already if np.isfinite(already) else 0.0) ** 2
            value = (1 - self.agreement_weight) * excused + self.agreement_weight * nan_mean(agrees)
        return Measured(
            value=float(value),
            num_units=int(np.isfinite(alike).sum()),
            per_frame={"frame": np.unique(seen["frame"]), "background_likeness": alike},
            evidence={
                "asked": asked,
                "look_frame": given["looks"]["frame"],
                "look": given["looks"]["look"],
                "agreement": agrees,
                "reference_agreement": np.array(already),
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureScores(VideoFeature):
    """AestheticScorer and TechnicalScorer of each frame, float64 `(T,)` on their own scales."""

    name: ClassVar[str] = "embedded_picture_scores"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"
    per_frame: ClassVar[bool] = True

    frames: FramePlan = field(default_factory=lambda: Linspace(8))

    @property
    def roles(self) -> tuple[str, ...]:
        return ("AestheticScorer", "TechnicalScorer")

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_ScoreCollector":
        return _ScoreCollector(cast(ImageScorer, roles("AestheticScorer")), cast(ImageScorer, roles("TechnicalScorer")))


class _ScoreCollector:
    def __init__(self, aesthetic: ImageScorer, technical: ImageScorer) -> None:
        self._scorers = {"aesthetic": aesthetic, "technical": technical}
        self._found: dict[str, list[float]] = {"aesthetic": [], "technical": []}

    def add(self, index: int, frame: np.ndarray) -> None:
        for name, scorer in self._scorers.items():
            score = scorer.score(frame[None])
            self._found[name].append(np.nan if isinstance(score, Absent) else score)

    def finish(self) -> Found:
        return {name: np.array(scores) for name, scores in self._found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedQuality(Metric):
    """Geometric mean of the heuristic aesthetic and technical scores, each in [0, 1], averaged over frames.

    Fitted to nobody's judgement: it notices blur, noise, blocks, clipping and drab colours. Not applicable to scores on
    other scales, as trained predictors give them.
    """

    id: ClassVar[str] = "embedded_quality"
    version: ClassVar[int] = 2
    is_classical: ClassVar[bool] = True
    title: ClassVar[str] = "Quality (embedded)"
    source: ClassVar[str] = SOURCE

    @property
    def features(self) -> dict[str, Feature]:
        return {"scores": PictureScores()}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        scores = given["scores"]
        for name, role in (("aesthetic", "AestheticScorer"), ("technical", "TechnicalScorer")):
            beyond = scores[name][(scores[name] < -ROUNDING) | (scores[name] > 1 + ROUNDING)]
            if beyond.size:
                told = f"role {role} gives {beyond[0]:.3g}, and scores from 0 to 1 are joined; set roles.{role} to embedded"
                return Measured(value=Absent(f"not applicable: {told}"), num_units=0, coverage=0.0)
        both = np.sqrt(np.maximum(scores["aesthetic"], 0.0) * np.maximum(scores["technical"], 0.0))
        if not np.isfinite(both).any():
            return Measured(value=Absent("failed: no frame could be scored"), num_units=0)
        return Measured(value=nan_mean(both), num_units=int(np.isfinite(both).sum()), per_frame=dict(scores))


def likeness(seen: Arrays, *, full_inliers: int = 30, details: float = 0.25, face: float = 0.25) -> np.ndarray:
    """How alike each row's subject is to each reference's, `(N, R)`, NaN where it could not be described."""
    base = seen["appearance_cosine"]
    shared = np.clip((seen["keypoint_inliers"] - CHANCE_INLIERS) / (full_inliers - CHANCE_INLIERS), 0.0, 1.0)
    faces = seen["face_cosine"]
    # Details can only speak for an identity: another side of a subject shares none.
    total = (1 - details) * base + details * np.maximum(base, shared)
    return np.where(np.isfinite(faces), (1 - face) * total + face * np.nan_to_num(faces), total)


def best_by_frame(seen: Arrays, values: np.ndarray) -> np.ndarray:
    """The largest of each frame's rows `(F, R)`, frames rising; NaN where all are."""
    frames = np.unique(seen["frame"])
    return np.stack([[nan_max(column) for column in values[seen["frame"] == frame].T] for frame in frames])


def background_likeness(seen: Arrays) -> np.ndarray:
    """Likeness in [0, 1] of each frame's background to each reference's, `(F, R)`; the surest row of a frame speaks."""
    cosine = np.fmax(seen["background_cosine"], seen["nearby_cosine"])
    points = np.clip(seen["background_share"] / FULL_BACKGROUND_SHARE, 0.0, 1.0)
    points = np.where(seen["background_inliers"] >= 2 * CHANCE_INLIERS, points, 0.0)
    alike = np.where(np.isfinite(cosine), np.clip(np.fmax(cosine, points), 0.0, 1.0), np.nan)
    return best_by_frame(seen, alike)


FULL_BACKGROUND_SHARE = 0.3  # of the points: copies under a moving camera share .2 to .6, other places none


def nan_mean(values: np.ndarray) -> float:
    """The mean of the finite values, NaN when there are none."""
    finite = np.asarray(values, np.float64)[np.isfinite(values)]
    return float(finite.mean()) if finite.size else np.nan


def upper_mean(values: np.ndarray, share: float) -> float:
    """The mean of the largest share of the finite values, of one at least; NaN when there are none."""
    finite = np.sort(np.asarray(values, np.float64)[np.isfinite(values)])[::-1]
    return nan_mean(finite[: max(1, int(np.ceil(share * len(finite))))])


def nan_max(values: np.ndarray) -> float:
    """The largest finite value, NaN when there is none."""
    finite = np.asarray(values, np.float64)[np.isfinite(values)]
    return float(finite.max()) if finite.size else np.nan
