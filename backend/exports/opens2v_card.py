"""The README.md of an export in OpenS2V-Nexus's schema."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from backend.exports.manifest_card import bullets, facts, plain, table
from backend.exports.rows import ExportAbout

READ_BY_UPSTREAM = {
    "metadata.tech",
    "metadata.motion",
    "metadata.aesthetic",
    "annotations.gme_score",
    "annotations.aes_score",
    "annotation.foreground_ase_score",
    "annotation.background_ase_score",
}
"""Keys that upstream's demo_dataloader.py asks for by name."""


def opens2v_card(about: ExportAbout, header: Mapping[str, Any], provenance: Sequence[Mapping[str, Any]]) -> str:
    """Markdown; its numbers are counted from the rows."""
    samples = [row for row in provenance if "sample" in row]
    licences = {row["video_id"]: row["licence"] or "not stated" for row in samples}
    missing = header["keys_left_out"]
    named = [f"`{key}`: {reason}" for key, reason in sorted(missing.items())]
    wanted = sorted(READ_BY_UPSTREAM & set(missing))
    parts = [
        f"# {plain(about.project) or 'Subject Studio'}: in OpenS2V-Nexus's schema",
        "",
        f"{len(samples)} clips with the masks of their subjects, {header['num_pairs']} pairs of clips or of a clip and a picture made of it.",
        "",
        *facts(about),
        *table("Samples by dataset", "dataset", Counter(header["num_samples_by_dataset"])),
        *table("Videos by licence", "licence", Counter(licences.values())),
        *table("Left out", "reason", Counter(header["left_out"])),
        *bullets("Attribution", sorted({row["attribution"] for row in samples if row["attribution"]})),
        "## Keys of upstream's that are left out",
        "",
        "A score stands only where what measured it is on upstream's scale.",
        "",
        *(f"- {entry}" for entry in named),
        "",
        *(
            [f"Upstream's demo_dataloader.py asks for {', '.join(f'`{key}`' for key in wanted)} by name.", ""]
            if wanted
            else []
        ),
        "## Files",
        "",
        "- `step5/merge_final_json/DATASET.json`: samples by key (`VIDEO_segmentN_step1-CUT_step2-FACE_CUT_step3_step4_step5`).",
        "- `step5/final_output/DATASET/foreground/KEY.png`: the clip's surroundings without its subjects.",
        "- `step6/cluster_videos.json`, `step6/cross-frames-images/CLUSTER.json`: clips and pairs of one video.",
        "- `step6/gpt-frames/KEY/`: `main_image.png` and the pictures made of it, `NUMBER_TAG.png`.",
        "- `provenance.jsonl`, `about.json`: where each sample and pair comes from, every score with its producer.",
        "- `MANIFEST.sha256`: checksums; `sha256sum -c MANIFEST.sha256` checks the folder.",
        "",
        "Videos are not included: `path` is below the folder that holds them all. Boxes and masks lie on the frame cut by `crop`",
        "(`x0, x1, y0, y1`); frames count from the start of the video. `mask_annotation` holds every frame on which a subject is cut",
        "out, `ann_frame_data` the one with most; a subject keeps its id. `face_cut` is the longest span with a face that holds",
        "the annotated frame, or the whole cut where no face was followed. `face_cap_qwen` is the clip's caption by whoever",
        "wrote it (`caption_author`). Pairs carry `similarity` and `appearance_cosine` of our own.",
    ]
    return "\n".join(parts) + "\n"
