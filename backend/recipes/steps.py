"""Steps that several recipes share: stages with settings, and the gates on what they measure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backend.engine.context import load
from backend.engine.plan import Gate, Step
from backend.stages import STAGES
from backend.stages.retrieval_evidence import Bounds

Bound = Mapping[str, str]
"""Name of the implementation of each bound role: gates on a model's own scale need to know whose scale it is."""

BOUNDS = Bounds()
SIMILARITY = {"embedded": (BOUNDS.similarity, "even chance; worlds 2000 to 2004: .89 right at recall .67")}
CUT_OUTS = {"embedded": (BOUNDS.appearance_cosine, "a link's bad cut-outs lie under it")}
COPIES = {"embedded": (0.98, "from here on two cut-outs are one picture: planted copies lie above")}
ONE_FACE = {
    "paper": (0.28, "InsightFace, web-demos/src_recognition: from here on w600k_r50 says that two faces are of one person")
}
SAME_FACE = {
    "paper": (0.95, "Phantom-Data, section 4.2.2, bounds it above and publishes no value; chosen (research, section 3.3)")
}
MADE = {"embedded": (0.5, "the bound of two frames of one subject; made pictures are no truer")}
OTHER_PLACES = {"embedded": (BOUNDS.context_diversity, "Kaleido, table 1: .247 and .319")}
TAKES = {"embedded": (BOUNDS.near_duplicate, "copies of one take lie above")}
NOTHING_HELD = "nothing is held back"
LOGOS = "Phantom-Data, section 4.2.3: one logo on both sides; on worlds 5 and 1001 all of 22 pairs are right"
PRIOR = "12 inliers at a ratio of .3 for rigid things; the living within one long video only"


def step(name: str, *gates: Gate, **fields: Any) -> Step:
    """A stage of STAGES, with other settings than its defaults."""
    return Step(load(STAGES[name])(**fields), gates)


def gate(name: str, comparison: str, value: float, source: str, *, unmeasured: str = "keep") -> Gate:
    """A gate on `record.score`."""
    record, score = name.split(".")
    return Gate(record=record, score=score, comparison=comparison, value=float(value), source=source, unmeasured=unmeasured)


def gate_on_scale(
    bound: Bound, role: str, name: str, comparison: str, values: Mapping[str, tuple[float, str]]
) -> list[Gate]:
    """The gate whose value stands on the scale of what is bound to the role, if there is one: `{implementation: (value, source)}`."""
    found = values.get(bound.get(role, ""))
    return [] if found is None else [gate(name, comparison, *found)]


def gate_of_model(
    bound: Bound,
    role: str,
    name: str,
    comparison: str,
    values: Mapping[str, tuple[float, str]],
    *,
    otherwise: tuple[float, str],
) -> list[Gate]:
    """`gate_on_scale`; on any other implementation's scale a gate at another value, which says that it is not its own.

    A gate that holds nothing back is worth having: people see it, move it, and `calibrate thresholds` fits it.
    """
    if bound.get(role) in values:
        return gate_on_scale(bound, role, name, comparison, values)
    value, what = otherwise
    source = f"no value is known for {role} = {bound.get(role, 'nothing')}; {what}"
    return [replace(gate(name, comparison, value, source), is_own=False)]


def footage(*, clean_crop: bool = True) -> tuple[Step, ...]:
    """S00 to S04: sources, shots, borders, overlays; with `clean_crop` what is free of overlays is the clip's picture."""
    clean = gate("clip.clean_fraction", ">=", 0.7, "what is free of overlays is kept from 70 % of the picture on")
    return (
        step("probe_source", gate("video.short_side_px", ">=", 64, "half of Phantom-Data's smallest subject")),
        step("split_shots", gate("clip.duration_s", ">=", 0.5, "shortest take worth a pair; cosmos-curate takes 2 s")),
        step("find_borders", gate("clip.content_fraction", ">=", 0.5, "letterbox of 2.39:1 in 4:3 leaves .56")),
        step("find_overlays", *([clean] if clean_crop else []), crop=clean_crop),
    )


def plates() -> Step:
    """S29: what is left of a frame without its subjects; nobody may still be seen there."""
    return step(
        "paint_background",
        gate("plate.painted_fraction", "<=", 0.45, "OpenS2V-Nexus, step5-2: larger holes lose the size"),
        gate(
            "plate.people_left", "<=", 0, "surroundings are without their subjects: on real takes faces alone were painted"
        ),
    )


def movement(least: float = 0.001, source: str = "stills reach .0009, the stillest real take .003") -> Step:
    """S05: what does not move like footage is no footage."""
    return step(
        "measure_motion",
        gate("clip.black_fraction", "<=", 0.5, "black clips measure 1, real footage at most .06"),
        gate("clip.white_fraction", "<=", 0.5, "white clips measure 1, real footage 0"),
        gate("clip.motion", ">=", least, source, unmeasured="drop"),
        gate("clip.frozen_fraction", "<=", 0.8, "a repeated picture measures 1, animation on threes .67, real .25"),
        gate("clip.temporal_correlation", ">=", 0.3, "noise measures 0, the fastest real take .66"),
    )


def words(*more: Step) -> tuple[Step, ...]:
    """S09 to S11: captions, what of them may be shown, `more` that reads them, and their phrases."""
    return (
        step("caption_clips"),
        step("check_safety", gate("clip.safety", ">=", 0.5, "0 is unsafe, 1 safe; classifiers give a probability")),
        *more,
        step("extract_phrases"),
    )


def subjects() -> Step:
    """S12 to S16: Phantom-Data's boxes, and what can be seen of a box without asking a model."""
    return step(
        "find_subjects",
        gate("appearance.area_fraction", ">=", 0.04, "Phantom-Data, section 4.2.1: 4 to 90 % of the frame"),
        gate("appearance.area_fraction", "<=", 0.90, "Phantom-Data, section 4.2.1: 4 to 90 % of the frame"),
        gate("appearance.min_side_px", ">=", 128, "Phantom-Data, section 4.2.1"),
        gate("appearance.max_iou", "<=", 0.8, "Phantom-Data, section 4.2.1"),
        gate(
            "appearance.completeness",
            ">=",
            0.7,
            "worlds 2000 to 2002: pairs right .58 at 0, .62, .66 at .85 less 2 of 81 subjects",
        ),
        gate("appearance.specificity", ">=", 0.5, "worlds 2000 to 2002: at .7 pairs right .65, but 4 of 81 subjects go"),
    )


def pairing(
    bound: Bound, *, upper: bool = False, logos: bool = False, cosine: tuple[float, str] | None = None
) -> tuple[Step, ...]:
    """S25, S26, S28: candidates of one long video, their evidence, their surroundings.

    With an `upper` bound on likeness, and with `logos` that agree where both sides show one (after `find_logos`).
    `cosine` is a paper's own lower bound on the likeness of the two frames, and its source.
    """
    return (
        step(
            "pair_subjects",
            *_one_identity(bound, cosine),
            gate("pair.redundancy", "<", BOUNDS.redundancy, "a worthier link shows at least half of the same two"),
            gate("pair.rival_margin", ">=", BOUNDS.rival_margin, "of two side by side only the liker is the one"),
            gate("pair.prior", ">=", BOUNDS.prior, PRIOR),
            *(_other_pictures(bound) if upper else []),
        ),
        *([step("match_logos", gate("pair.logo_match", ">=", 1.0, LOGOS))] if logos else []),
        step("diverse_contexts", *_other_contexts(bound)),
    )


def across(bound: Bound) -> tuple[Step, ...]:
    """S24 to S28 across sources: things by their logo or pattern, and pictures of image banks."""
    return (
        step(
            "find_picture_subjects",
            gate("appearance.area_fraction", ">=", 0.04, "Phantom-Data, section 4.2.1: 4 to 90 % of the frame"),
            gate("appearance.min_side_px", ">=", 128, "Phantom-Data, section 4.2.1"),
            gate("appearance.max_iou", "<=", 0.8, "Phantom-Data, section 4.2.1"),
        ),
        step("build_banks"),
        step(
            "pair_across",
            gate("pair.bank_margin", ">=", 0.0, "over what chance gives in a bank of this size (research, section 3.2)"),
            *_one_identity(bound, None),
            gate("pair.prior", ">=", BOUNDS.prior, PRIOR),
            *_other_contexts(bound),
        ),
        step("match_logos_across", gate("pair.logo_match", ">=", 1.0, LOGOS)),
    )


def still_alike(bound: Bound) -> list[Gate]:
    """Whether a made picture shows the one that it was made of: by appearance, since it is to keep the clothes, and by face."""
    return [
        *_of_appearance(bound, "pair.made_similarity", ">=", MADE, otherwise=(-1.0, NOTHING_HELD)),
        *_of_faces(bound, "pair.made_face_cosine", ">=", ONE_FACE, otherwise=(-1.0, NOTHING_HELD)),
    ]


def _one_identity(bound: Bound, cosine: tuple[float, str] | None = None) -> list[Gate]:
    """Lower bounds of the appearance, where it decides, and of faces, where these do (Phantom-Data, section 4.2.2)."""
    frames, otherwise = CUT_OUTS, (-1.0, NOTHING_HELD)
    if cosine is not None:
        frames, otherwise = {"embedded": cosine}, (cosine[0], f"the paper's stands, which is of GME ({cosine[1]})")
    return [
        *_of_appearance(bound, "pair.similarity", ">=", SIMILARITY, otherwise=(0.0, NOTHING_HELD)),
        *_of_appearance(bound, "pair.appearance_cosine", ">=", frames, otherwise=otherwise),
        *_of_faces(bound, "pair.face_cosine", ">=", ONE_FACE, otherwise=(-1.0, NOTHING_HELD)),
    ]


def _other_pictures(bound: Bound) -> list[Gate]:
    """Upper bounds: what is too alike is a copy, and teaches copying."""
    equal = (0.999, "equal pictures alone are held back")
    return [
        *_of_appearance(bound, "pair.appearance_cosine", "<", COPIES, otherwise=equal),
        *_of_faces(bound, "pair.frame_face_cosine", "<", SAME_FACE, otherwise=equal),
    ]


def _other_contexts(bound: Bound) -> list[Gate]:
    kaleidos = (BOUNDS.context_diversity, "Kaleido's stands, which is of CLIP's features (table 1: .247 and .319)")
    role, takes = "BackgroundEmbedder", (BOUNDS.near_duplicate, "the classical one's stands, beside the frames' hashes")
    return [
        *gate_of_model(bound, role, "pair.context_diversity", ">=", OTHER_PLACES, otherwise=kaleidos),
        *gate_of_model(bound, role, "pair.near_duplicate", "<", TAKES, otherwise=takes),
    ]


def _of_appearance(
    bound: Bound, name: str, comparison: str, values: Mapping[str, tuple[float, str]], *, otherwise: tuple[float, str]
) -> list[Gate]:
    return gate_of_model(bound, "AppearanceEmbedder", name, comparison, values, otherwise=otherwise)


def _of_faces(
    bound: Bound, name: str, comparison: str, values: Mapping[str, tuple[float, str]], *, otherwise: tuple[float, str]
) -> list[Gate]:
    """None for the classical faces, which tell nobody apart: they are part of what `similarity` fuses."""
    if bound.get("FaceEmbedder", "embedded") == "embedded":
        return []
    return gate_of_model(bound, "FaceEmbedder", name, comparison, values, otherwise=otherwise)


def verification() -> tuple[Step, ...]:
    """S27: a judge's word on identity and context, criterion by criterion; what it cannot tell is left to people."""
    asked = (
        gate("pair.judged_identity", ">=", 1.0, "Phantom-Data, section 4.2.3: no criterion denied"),
        gate("pair.judged_context", ">=", 1.0, "Phantom-Data, section 4.2.3: surroundings that differ"),
    )
    return (step("verify_pairs", *asked), step("verify_pairs_across", *asked))


def subject_check() -> Step:
    """S15 to S17: a judge's word on whether a cut-out shows one whole thing, and the one that its phrase names."""
    asked = "Phantom-Data, section 4.2.1: InternVL checks completeness, specificity and the phrase"
    return step(
        "verify_subjects",
        gate("appearance.judged_complete", ">=", 1.0, asked),
        gate("appearance.judged_specific", ">=", 1.0, asked),
        gate("appearance.judged_phrase", ">=", 1.0, asked),
    )
