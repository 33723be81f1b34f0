"""`phantom`: cross-pair data as Phantom-Data makes them (sections 3 and 4): detect, retrieve within bounds, verify."""

from backend.engine.plan import Step
from backend.recipes.steps import (
    Bound,
    across,
    footage,
    movement,
    pairing,
    step,
    subject_check,
    subjects,
    verification,
    words,
)


def phantom(bound: Bound) -> tuple[Step, ...]:
    """Three frames a clip, phrases grounded, boxes checked again; the living within one long video, things by their logo.

    The default: looks are scored and global anchors drawn as well, so that a dataset can be chosen by them.
    """
    return (
        *footage(),
        movement(),
        step("score_quality"),
        step("hash_clips"),
        *words(),
        subjects(),
        subject_check(),
        step("segment_subjects"),
        step("find_logos"),
        step("embed_appearances"),
        *pairing(bound, upper=True, logos=True),
        *across(bound),
        *verification(),
        step("select_anchors"),
        step("assemble_samples"),
        step("audit_pairs"),
    )
