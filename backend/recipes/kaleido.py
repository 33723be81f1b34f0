"""`kaleido`: Kaleido's data (section 3): a taxonomy, crops that show their category, other backgrounds, other poses."""

from backend.engine.plan import Step
from backend.recipes.opens2v import made_references
from backend.recipes.steps import Bound, footage, gate, gate_on_scale, movement, pairing, plates, step, subjects, words

FRONTAL = {"paper": (0.5, "Kaleido, section 3: frontal faces of humans; no value published")}


def kaleido(bound: Bound) -> tuple[Step, ...]:
    """Phrases of the taxonomy, filtered crops, backgrounds painted anew, poses varied, references from other clips.

    Half of the real faces that cascades find are lit from one side, so that the embedded profile measures by symmetry who
    looks at the camera, and does not judge by it.
    """
    chosen = "chosen on the curation table, S19: Kaleido publishes no value"
    return (
        *footage(),
        movement(),
        step("hash_clips"),
        *words(),
        subjects(),
        step(
            "segment_subjects",
            gate("appearance.brightness", ">=", 40, chosen, unmeasured="drop"),  # what cannot be cut out
            gate("appearance.brightness", "<=", 220, chosen),
            gate("appearance.clipped", "<=", 0.05, chosen),
            gate("appearance.sharpness", ">=", 60, chosen),
        ),
        step(
            "check_categories",
            gate(
                "appearance.category_margin",
                ">=",
                0.0,
                "Kaleido, section 3: the category that CLIP sees; no value published",
            ),
        ),
        step("follow_faces"),
        step("check_frontal", *gate_on_scale(bound, "FaceWatcher", "appearance.frontal_face", ">=", FRONTAL)),
        plates(),
        step("embed_appearances"),
        *pairing(bound, upper=True),
        step("score_references"),
        *made_references(bound, num=2),
        step("assemble_samples"),
        step("audit_pairs"),
    )
