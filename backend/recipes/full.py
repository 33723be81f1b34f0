"""`full`: everything that the four papers' curation has in common, computed once."""

from backend.engine.plan import Step
from backend.recipes.steps import Bound, footage, movement, pairing, step, subject_check, subjects, verification


def full(bound: Bound) -> tuple[Step, ...]:
    """The union of the papers' stages."""
    return (
        *footage(clean_crop=False),
        movement(),
        step("score_quality"),
        step("hash_clips"),
        step("caption_clips"),
        step("extract_phrases"),
        subjects(),
        subject_check(),
        step("segment_subjects"),
        step("embed_appearances"),
        *pairing(),
        verification(),
        step("assemble_samples"),
        step("select_anchors"),
        step("audit_pairs"),
    )
