"""Anchors of clips as exports carry them, with the weight that brings their labels to the published shares."""

from collections import defaultdict

from backend.exports.rows import ExportAnchor
from backend.stages.balance import GLORIA_SHARES
from backend.workspace.anchor_statistics import anchor_balance
from backend.workspace.snapshot import Snapshot

_ANCHORS = """
SELECT DISTINCT n.clip_id, a.id, n.kind, CASE WHEN n.kind = 'global' THEN '' ELSE n.label END, n.inside, a.frame,
    coalesce(m.crop, a.artifact)
FROM kept_anchor k JOIN anchor_said n ON n.id = k.id AND n.work_key = k.work_key
JOIN kept_appearance ka ON ka.id = n.appearance_id JOIN appearance a ON a.id = ka.id AND a.work_key = ka.work_key
LEFT JOIN mask_shown m ON m.appearance_id = a.id
WHERE n.kind IN ('global', 'viewpoint', 'expression') AND coalesce(m.crop, a.artifact) NOTNULL AND NOT EXISTS (
    SELECT 1 FROM pair_shown p JOIN pair_status v USING (pair_id)
    JOIN kept_subject s ON s.clip_id = n.clip_id AND s.id IN (p.target_subject_id, p.reference_subject_id)
    WHERE a.subject_id IN (p.target_subject_id, p.reference_subject_id) AND a.subject_id <> s.id AND v.verdict = 'different')
ORDER BY ALL
"""


def export_anchors(now: Snapshot) -> dict[str, tuple[ExportAnchor, ...]]:
    """By clip, sorted by kind, label and picture. The labels are people's where they gave some;
    what they called no such view, or another one than the clip's subject, is left out.

    Needs `mask_shown` (`backend.workspace.clip_rows.MASKS`).
    """
    weights = {(row.kind, row.label): row.weight for row in anchor_balance(now)}
    found: dict[str, list[ExportAnchor]] = defaultdict(list)
    for clip_id, appearance_id, kind, label, inside, frame, crop in now.query(_ANCHORS):
        weight = weights.get((kind, label), 0.0) if kind in GLORIA_SHARES else 1.0
        found[clip_id].append(
            ExportAnchor(
                appearance_id=appearance_id,
                kind=kind,
                label=label,
                inside=inside,
                frame=frame,
                crop=crop,
                weight=weight,
            )
        )
    return {
        clip_id: tuple(sorted(rows, key=lambda row: (row.kind, row.label, row.appearance_id)))
        for clip_id, rows in found.items()
    }
