"""`gloria`: Gloria's content anchors (section 3): one person in a long take, in sync, seen from sides and with expressions."""

from backend.engine.plan import Step
from backend.recipes.steps import Bound, footage, gate, gate_on_scale, movement, pairing, step, subjects, words

IN_SYNC = {"paper": (3, "SyncNet, three frames: what viewers take for in sync (curation table, S08)")}
UNPUBLISHED = "chosen on the curation table: Gloria publishes no value"


def gloria(bound: Bound) -> tuple[Step, ...]:
    """Long takes of a single person; global, viewpoint and expression anchors inside and outside the clip.

    Cross-correlated lips and sound are too weak to judge by: the embedded profile measures sync without a gate.
    """
    return (
        *footage(),
        movement(),
        step("hash_clips"),
        *words(),
        step("follow_faces"),
        subjects(),
        step("count_people", gate("clip.single_person", ">=", 0.9, f"S32, {UNPUBLISHED}", unmeasured="drop")),
        step("measure_sync", *gate_on_scale(bound, "SyncScorer", "clip.sync_shift", "<=", IN_SYNC)),
        step("segment_subjects"),
        step("embed_appearances"),
        *pairing(bound),
        *anchored(),
        step("assemble_samples"),
        step("audit_pairs"),
    )


def anchored(least_source_px: float = 1080.0) -> tuple[Step, ...]:
    """S33 to S35: sides and expressions are measured, the anchors chosen, and what they express looked at again."""
    return (
        step("measure_viewpoints"),
        step("read_expressions"),
        step(
            "select_anchors",
            gate("anchor.expression_source_px", ">=", least_source_px, "Gloria, section 3: expressions of 1080p sources"),
            gate("anchor.expression_labels", ">=", 2, "Gloria, section 3: clips with two expressions or more"),
            gate("anchor.expression_confidence", ">=", 0.6, f"S34, {UNPUBLISHED}"),
        ),
        step("verify_anchors", gate("anchor.judged_label", ">=", 1, "Gloria, section 3: a model keeps, corrects or drops")),
    )
