"""The test sets of the four papers: which cases each states, and what a project lacks for them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backend.domain import SettingsError
from backend.settings import nearest
from backend.workspace.case_drafts import EXPRESSIONS, HUMAN, VIEWS, Draft, Wanted

Fits = Callable[[Draft], bool]

LONG_S = 60.0  # Gloria, section 5.1: "each lasting minutes"; how many is lost in the text, one is the least
PRODUCTS = frozenset({"product", "vehicle", "food", "instrument", "furniture"})
FROM_PAIRS = Wanted()
OBJECTS = PRODUCTS | {"garment", "plant"}


@dataclass(frozen=True, slots=True)
class Part:
    """So many cases of one category. `missing` says what a project needs that has too few."""

    category: str
    count: int
    fits: Fits
    missing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """A paper's test set: its parts, and what holds for all of them."""

    parts: tuple[Part, ...]
    source: str
    wanted: Wanted = FROM_PAIRS
    whole_frames: bool = False
    """Whether a global anchor is given as the whole frame that it lies on."""
    pictures: int | None = None
    """Reference pictures in all."""
    synthetic: int | None = None
    """Cases with synthetic references."""
    prompts_by: str = ""
    """person or model, where the paper says so."""
    audio: str = ""
    """clip or video: whose sound is an input."""
    first_frame: bool = False
    schedule: str = ""
    """captions: those of the whole video with their times; expressions: what the clip's face was seen to express when."""
    always_lacking: tuple[str, ...] = ()
    """What no project holds."""

    def scaled(self, count: int | None) -> tuple[Part, ...]:
        """The parts of a set of `count` cases in the same proportion (largest remainders); as stated without one."""
        total = sum(part.count for part in self.parts)
        if count is None or count == total:
            return self.parts
        shares = [part.count * count / total for part in self.parts]
        counts = [int(share) for share in shares]
        by_remainder = sorted(range(len(shares)), key=lambda k: (counts[k] - shares[k], k))
        for k in by_remainder[: count - sum(counts)]:
            counts[k] += 1
        return tuple(Part(p.category, n, p.fits, p.missing) for p, n in zip(self.parts, counts, strict=True))

    def lacking(self, parts: Sequence[Part], chosen: Sequence[tuple[str, Draft]]) -> tuple[str, ...]:
        """What the paper states and the chosen cases, with their categories, have not: a line each."""
        found = Counter(category for category, _ in chosen)
        lines = [
            f"{p.category}: {found[p.category]} of {p.count}; {p.missing}" for p in parts if found[p.category] < p.count
        ]
        total, wanted = len(chosen), sum(part.count for part in parts)
        drafts = [draft for _, draft in chosen]
        share = wanted / sum(part.count for part in self.parts)
        if self.pictures is not None:
            pictures, asked = len({r.crop for d in drafts for r in d.references}), round(self.pictures * share)
            lines += [f"reference pictures: {pictures} of {asked}"] if pictures < asked else []
        if self.synthetic is not None:
            made, asked = sum(any(r.synthetic for r in d.references) for d in drafts), round(self.synthetic * share)
            lines += [f"cases with synthetic references: {made} of {asked}; add generated pictures"] if made < asked else []
        if self.prompts_by == "person" and total:
            lines.append(f"prompts written by a person: see caption_by; `cases edit` replaces a caption ({total} cases)")
        untimed = sum(not draft.schedule for draft in drafts)
        if self.schedule == "expressions" and untimed:
            lines.append(
                f"{untimed} of {total} cases without a schedule of expressions: run read_expressions, or write `schedule`"
            )
        return (*lines, *self.always_lacking)


def skeleton(name: str) -> Skeleton:
    """Raises SettingsError for a name that is none."""
    if name not in SKELETONS:
        raise SettingsError(f"skeleton {name!r} does not exist{nearest(name, SKELETONS)}; there are {', '.join(SKELETONS)}")
    return SKELETONS[name]


def plain(drafts: Sequence[Draft], count: int) -> tuple[Part, ...]:
    """As many of each category as there can be, for a set that follows no paper."""
    return tuple(Part(category, count, _named(category), _PAIRS) for category in sorted({d.category for d in drafts}))


def _named(category: str) -> Fits:
    return lambda draft: draft.category == category


def _about(domains: frozenset[str], *, several: bool) -> Fits:
    """The first subject is of a domain, alone or with others."""
    return lambda draft: draft.references[0].domain in domains and (len(draft.subjects) > 1) == several


def _several_with(domains: frozenset[str]) -> Fits:
    return lambda draft: len(draft.subjects) > 1 and any(r.domain in domains for r in draft.references)


def _alone(draft: Draft) -> bool:
    """Gloria, section 3: "keep only single-person clips and discard non-human or multi-human clips"."""
    return draft.footage.humans == 1 and all(reference.domain == HUMAN for reference in draft.references)


def _shows(kind: str, least: int) -> Fits:
    return lambda draft: _alone(draft) and sum(r.kind.startswith(f"{kind}:") for r in draft.references) >= least


def _is_talking(draft: Draft) -> bool:
    return _alone(draft) and draft.footage.has_audio and _has_global(draft)


def _has_global(draft: Draft) -> bool:
    return any(r.kind == "global" and r.inside for r in draft.references)


def _is_long(draft: Draft) -> bool:
    return _is_talking(draft) and draft.footage.video_s >= LONG_S


def _is_expressive(draft: Draft) -> bool:
    return _shows("expression", 2)(draft) and draft.footage.has_audio


_FACES = "no anchors of faces: find expressions"
_PAIRS = "accept more pairs of such subjects"

# Counts by id prefix are those of OpenS2V-Eval's Open-Domain file; the paper's seven categories are its eight prefixes,
# human-entity being humanobj and faceobj (OpenS2V-Nexus, section 3.2: 30 each, but 15 of multi-face and multi-body).
_OPENS2V = Skeleton(
    source="OpenS2V-Nexus, sections 3.1 and 3.2",
    parts=(
        Part("singleface", 30, _named("singleface"), _FACES),  # OpenS2V-Nexus, section 3.2
        Part("singlehuman", 30, _named("singlehuman"), _PAIRS),  # OpenS2V-Nexus, section 3.2
        Part("singleobj", 30, _named("singleobj"), _PAIRS),  # OpenS2V-Nexus, section 3.2
        Part("multiface", 15, _named("multiface"), _FACES),  # OpenS2V-Nexus, section 3.2
        Part("multihuman", 15, _named("multihuman"), _PAIRS),  # OpenS2V-Nexus, section 3.2
        Part("multiobject", 30, _named("multiobject"), _PAIRS),  # OpenS2V-Nexus, section 3.2
        Part("humanobj", 15, _named("humanobj"), _PAIRS),  # 30 of human-entity; 15 and 15 in the published file
        Part("faceobj", 15, _named("faceobj"), _FACES),  # 30 of human-entity; 15 and 15 in the published file
    ),
    synthetic=100,  # OpenS2V-Nexus, section 3.2: 80 real and 100 synthetic samples
    wanted=Wanted(max_references=3),  # OpenS2V-Nexus, section 3.2: no more than three
    always_lacking=("a picture of the surroundings in humanobj and faceobj, as the published file has",),
)
# The paper names five kinds of scenario and single as well as multiple subjects, and no shares: equal ones are ours.
_PHANTOM = Skeleton(
    source="Phantom-Data, section 5.1",
    parts=tuple(
        Part(f"{name}_{'multi' if several else 'single'}", 10, _about(frozenset(domains), several=several), _PAIRS)
        for name, domains in (  # Phantom-Data, section 5.1: 100 cases of these five
            ("human", {HUMAN}),
            ("animal", {"animal"}),
            ("product", PRODUCTS),
            ("environment", {"scene"}),
            ("clothing", {"garment"}),
        )
        for several in (False, True)
    ),
    prompts_by="person",  # Phantom-Data, section 5.1: "manually written text prompts"
)
# "over 170 multi-subject cases": 172 is the least that four equal parts give; shares of the four kinds are ours.
_KALEIDO = Skeleton(
    source="Kaleido, section 5.2",
    parts=(
        Part("human", 43, _several_with(frozenset({HUMAN})), _PAIRS),  # Kaleido, section 5.2: over 170 in all
        Part("animal", 43, _several_with(frozenset({"animal"})), _PAIRS),  # Kaleido, section 5.2
        Part("cartoon", 43, _several_with(frozenset({"character"})), _PAIRS),  # Kaleido, section 5.2
        Part("object", 43, _several_with(OBJECTS), _PAIRS),  # Kaleido, section 5.2
    ),
    pictures=400,  # Kaleido, section 5.2: 400 reference images
)
GLORIA = 60  # ours: Gloria's counts are lost in the text; as many as OpenS2V-Eval's human domain
_IMAGE = Wanted(anchors=True, inside="only", kinds=("global",), max_references=1)  # Gloria, section 5.1: "an image"
_LONG = Skeleton(
    source="Gloria, section 5.1: clips of various scenes, each lasting minutes, with an image, text and audio",
    parts=(Part("long", GLORIA, _is_long, f"videos of one person with sound that last {LONG_S:g} s or more"),),
    wanted=_IMAGE,
    whole_frames=True,  # Gloria, section 4.1: the global anchor keeps the video's resolution
    audio="video",
    first_frame=True,
    schedule="captions",
)
_VIEW = Skeleton(
    source="Gloria, section 5.1: characters with multi-view images and text prompts that show different views",
    parts=(Part("view", GLORIA, _shows("view", 2), "anchors of two or more views of one person"),),
    wanted=Wanted(  # Gloria, section 4.1: a global anchor, and views up to 4
        anchors=True, inside="also", kinds=("global", "view"), max_references=1 + len(VIEWS), max_globals=1
    ),
    prompts_by="person",
    always_lacking=("prompts that ask for the views: captions describe what was filmed",),
)
_EXPRESSION = Skeleton(
    source="Gloria, section 5.1: expression keyframes with corresponding audio and prompt to drive the emotion change",
    parts=(Part("expression", GLORIA, _is_expressive, "two or more expressions of one person, with sound"),),
    wanted=Wanted(  # Gloria, section 4.1: a global anchor, and expressions up to 8
        anchors=True, inside="also", kinds=("global", "expression"), max_references=1 + len(EXPRESSIONS), max_globals=1
    ),
    audio="clip",
    schedule="expressions",
    prompts_by="person",
)
_TALKING = Skeleton(
    source="Gloria, section 5.1: the input image and audio, a text prompt by a model",
    parts=(Part("talking", GLORIA, _is_talking, "clips of one person alone with sound"),),
    wanted=_IMAGE,
    whole_frames=True,
    audio="clip",
    first_frame=True,
    prompts_by="model",
)
SKELETONS: dict[str, Skeleton] = {
    "opens2v": _OPENS2V,
    "phantom": _PHANTOM,
    "kaleido": _KALEIDO,
    "gloria-long": _LONG,
    "gloria-view": _VIEW,
    "gloria-expression": _EXPRESSION,
    "gloria-talking": _TALKING,
}
