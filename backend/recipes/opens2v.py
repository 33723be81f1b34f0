"""`opens2v`: OpenS2V-5M (OpenS2V-Nexus, section 4 and data_process): people, subject crops, plates, clusters, GPT frames."""

from backend.engine.plan import Step
from backend.recipes.steps import (
    Bound,
    footage,
    gate,
    gate_on_scale,
    movement,
    pairing,
    plates,
    step,
    still_alike,
    subjects,
    words,
)

LOOKS = {
    "paper": (4.75, "OpenS2V-Nexus, step0_merge_json.py"),
    "embedded": (0.2, "heuristic scale: flat and dark pictures lie under it; it is no 4.75"),
}
CLEAN = {
    "paper": (
        0.0,
        "Open-Sora-Plan, Report v1.3.0, whose figures OpenS2V-Nexus takes over: DOVER's technical score under 0, its "
        "authors' mean, is dropped",
    ),
    "embedded": (
        0.4,
        "heuristic scale: takes blurred, coarsely coded or noisy lie under it, real ones have .5 to .8; it is no DOVER",
    ),
}
CALLED = {
    "paper": (0.6, "OpenS2V-Nexus, step6-2_get_cross-frame.py; GME of the class names"),
    "embedded": (
        0.6,
        "by kinship in the taxonomy: a man and a woman have .5, a man and a person .7, equal nouns .85 and more",
    ),
}
FACES = {
    "paper": (81, "OpenS2V-Nexus, step2_get_pure_person_clip.py"),
}


def opens2v(bound: Bound) -> tuple[Step, ...]:
    """People by whole words, faces for 81 frames, gates on looks, faults and movement; pairs of one cluster, bounded above.

    Cascades lose a face that turns, so that the embedded profile measures spans of faces and does not judge by them.
    """
    return (
        *footage(),
        movement(0.004, "OpenS2V-Nexus, step0_merge_json.py, on its own estimator's scale"),
        step(
            "score_quality",
            *gate_on_scale(bound, "AestheticScorer", "clip.aesthetic", ">=", LOOKS),
            *gate_on_scale(bound, "TechnicalScorer", "clip.technical", ">=", CLEAN),
        ),
        step("hash_clips"),
        *words(
            step("count_people_words", gate("clip.human", ">=", 1, "OpenS2V-Nexus, appendix: captions that name people"))
        ),
        step("follow_faces"),
        step("measure_face_spans", *gate_on_scale(bound, "FaceWatcher", "clip.face_span_frames", ">=", FACES)),
        subjects(),
        step("segment_subjects"),
        step("score_references"),
        plates(),
        step("embed_appearances"),
        *pairing(bound, upper=True, cosine=(0.6, "OpenS2V-Nexus, step6-2_get_cross-frame.py; the similarity of images")),
        step("match_phrases", *gate_on_scale(bound, "PhraseEmbedder", "pair.phrase_cosine", ">=", CALLED)),
        *made_references(bound, num=1),
        step("assemble_samples"),
        step("audit_pairs"),
    )


def made_references(bound: Bound, *, num: int, top: int = 10_000) -> tuple[Step, ...]:
    """S30 and S31: pictures made of the best cut-outs, kept where they still show the same one.

    With an endpoint that is paid for, `gates.anchor.worth.top` times its price times `num` is what they may cost.
    """
    return (
        step(
            "choose_references", gate("anchor.worth", "top", top, "OpenS2V-Nexus, section 4.2: the 10 k best by mean score")
        ),
        step("make_references", *still_alike(bound), num=num),
    )
