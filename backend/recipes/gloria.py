"""`gloria`: Gloria's content anchors (section 3): one person in a long take, in sync, seen from sides and with expressions."""

from backend.engine.plan import Step
from backend.recipes.steps import Bound, footage, gate, movement, pairing, step, subjects, words

UNPUBLISHED = "chosen on the curation table: Gloria publishes no value"


def gloria(bound: Bound) -> tuple[Step, ...]:
    """Long takes of a single person; global, viewpoint and expression anchors inside and outside the clip, balanced."""
    return (
        *footage(),
        movement(),
        step("hash_clips"),
        *words(),
        step("follow_faces"),
        subjects(),
        step("count_people", gate("clip.single_person", ">=", 0.9, f"S32, {UNPUBLISHED}")),
        step("segment_subjects"),
        step("embed_appearances"),
        *pairing(),
        *anchored(),
        step("assemble_samples"),
        step("audit_pairs"),
    )


def anchored(least_source_px: float = 1080.0) -> tuple[Step, ...]:
    """S33 to S36: sides and expressions measured, the anchors chosen, a judge's word on them, and their weights."""
    of_expressions = "Gloria, section 3.2: expressions from sources of 1080p on"
    return (
        step("measure_viewpoints"),
        step("read_expressions"),
        step(
            "select_anchors",
            gate("anchor.source_short_px", ">=", least_source_px, of_expressions),
            gate("anchor.num_labels", ">=", 1.0, "every side counts by itself"),
        ),
    )
