"""Entries as OpenS2V-Nexus's pipeline writes them, made up by hand."""

from typing import Any

import numpy as np

from backend.geometry import rle

KEY = "walk_part3_step1-40-160_step2-44-150_step3_step4_step5"
HEIGHT, WIDTH = 48, 64


def made_metadata() -> dict[str, Any]:
    return {
        "cut": [40, 160],
        "crop": [8, 72, 0, 48],
        "tech": 2.5,
        "motion": 0.0125,
        "fps": 29.97,
        "num_frames": 300,
        "resolution": {"height": 48, "width": 80},
        "cap": ["A man walks a dog."],
        "path": "films/walk_part3.mp4",
        "aesthetic": 5.0,
        "face_cut": [44, 150],
        "face_cap_qwen": "A man in a red coat walks a dog – 狗 – in a park.",
        "licence_note": {"kept": True, "by": None},
    }


def made_counts() -> str:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:30, 5:25] = True
    return rle.encode(mask).decode("ascii")


def made_annotation() -> dict[str, Any]:
    boxes = {"man": [5.0, 10.0, 25.0, 30.0], "red coat": [6.5, 14.0, 24.0, 28.0]}
    return {
        "ann_frame_data": {
            "ann_frame_idx": 44,
            "annotations": [
                {"class_name": name, "bbox": box, "gme_score": 0.25, "aes_score": 4.5} for name, box in boxes.items()
            ],
            "box_format": "xyxy",
            "img_width": WIDTH,
            "img_height": HEIGHT,
            "foreground_ase_score": 4.9,
            "background_ase_score": 4.6,
        },
        "mask_map": {"1": {"class_name": "man"}, "2": {"class_name": "red coat"}},
        "mask_annotation": {
            "44": {str(n): {"size": [HEIGHT, WIDTH], "counts": made_counts(), "score": [0.9921875]} for n in (1, 2)}
        },
    }


def made_face(frame: int) -> dict[str, Any]:
    return {
        "track_id": -1,
        "box": {"x1": 10, "y1": 12, "x2": 20, "y2": 26},
        "keypoints": {"x": [12, 17, 15, 13, 17], "y": [15, 15, 18, 22, 22]},
        "confidence": 0.5 + frame / 1000,
        "class": 0,
        "name": "FACE",
    }


def made_entry() -> dict[str, Any]:
    return {
        "metadata": made_metadata(),
        "bbox": {"44": {"face": [made_face(44)]}, "45": {"face": []}},
        "word_tags": {"background": ["park"], "subject": ["man", "dog"], "object": ["red coat"]},
        "annotation": made_annotation(),
        "of_our_own": [1, 2.0],
    }


def made_upstream_pair() -> dict[str, Any]:
    other = KEY.replace("part3", "part4")
    return {
        "cur_id": f"dataset1/{KEY}",
        "aft_id": f"dataset1/{other}",
        "cur_class_id": "1",
        "aft_class_id": "2",
        "cur_class_name": "man",
        "aft_class_name": "person",
        "text_similarity": 0.75,
        "image_similarity": 0.875,
        "cur_frame_idx": 44,
        "aft_frame_idx": "50",
    }
