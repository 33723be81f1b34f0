"""`full`: the union of the papers' recipes; whatever several of them need is computed once."""

from backend.engine.plan import Step
from backend.recipes.gloria import anchored
from backend.recipes.opens2v import made_references
from backend.recipes.steps import (
    Bound,
    across,
    footage,
    movement,
    pairing,
    plates,
    step,
    subject_check,
    subjects,
    verification,
    words,
)


def full(bound: Bound) -> tuple[Step, ...]:
    """Every stage with the gates that all papers share; what one paper alone would drop is measured and kept."""
    return (
        *footage(),
        movement(),
        step("score_quality"),
        step("hash_clips"),
        *words(step("count_people_words")),
        step("follow_faces"),
        step("measure_face_spans"),
        subjects(),
        step("count_people"),
        step("measure_sync"),
        subject_check(),
        step("segment_subjects"),
        step("find_logos"),
        step("check_frontal"),
        step("check_categories"),
        step("score_references"),
        plates(),
        step("embed_appearances"),
        *pairing(bound, upper=True, logos=True),
        step("match_phrases"),
        *across(bound),
        *made_references(bound, num=1),
        *verification(),  # after everything that makes pairs: a stage is shown what stands before it
        *anchored(),
        step("assemble_samples"),
        step("audit_pairs"),
    )
