"""A script per metric, as OpenS2V-Eval and VBench are run: each decodes every video anew and holds what it looks at.

The scripts of OpenS2V-Eval hold the frames they sample; those of VBench hold the whole video, as floats where its
`load_video` makes them. Models, decoder and preparation are those of our side, so that only the order of work differs, but for
the level reader's squares: they are made as upstream makes them, ours by a shorter way to the same bits.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, cast

import cv2
import numpy as np
from PIL import Image

from backend.domain import (
    CLIP_PREP,
    VBENCH_CLIP_PREP,
    VBENCH_DINO_PREP,
    VBENCH_VICLIP_PREP,
    Inquiry,
    Prep,
    ReferencePicture,
    ShownFrame,
)
from backend.media.images import read_image, read_rgba
from backend.media.reader import VideoReader
from backend.models.prompts import prompt
from metrics.framing import Linspace, Middle, Strided
from metrics.smoothness import SHARES, windows_of
from metrics.spec import Entry, Roles

VIDEO_BATCH = 64  # get_motion_smoothness.py
LEVEL_PX = 448  # what Q-Align's vision encoder sees


def _sampled(entry: Entry, indices: Sequence[int]) -> np.ndarray:
    with VideoReader(entry.generation.path) as reader:
        return reader.at(indices)


def _whole(entry: Entry) -> np.ndarray:
    with VideoReader(entry.generation.path) as reader:
        return reader.at(range(reader.num_frames))


def _num_frames(entry: Entry) -> int:
    with VideoReader(entry.generation.path) as reader:
        return reader.num_frames


def _linspace(entry: Entry) -> list[int]:
    return Linspace().indices(_num_frames(entry), 0)


def aesthetic_opens2v(entry: Entry, roles: Any) -> float:
    frames = _sampled(entry, _linspace(entry))
    return float(roles("AestheticMlp").score(roles("ClipL14").images(list(frames), CLIP_PREP)).mean())


def facesim(entry: Entry, roles: Any) -> float:
    recognizer, embedder = roles("FaceRecognizer"), roles("AlignedFaceEmbedder")

    def embedded(picture: np.ndarray) -> np.ndarray | None:
        faces = recognizer.recognize(picture)
        return embedder.embed(embedder.align(picture, faces[0].keypoints)[None])[0] if faces else None

    wanted = embedded(np.ascontiguousarray(read_rgba(entry.case.references[0])[..., :3]))
    found = [embedded(frame) for frame in _sampled(entry, _linspace(entry))]
    likeness = [max(0.0, float(vector @ wanted)) for vector in found if vector is not None]
    return float(np.mean([value for value in likeness if value > 0]))


def gmescore(entry: Entry, roles: Any) -> float:
    gme = roles("Gme")
    frames = _sampled(entry, _linspace(entry))
    texts = np.concatenate([gme.texts([entry.case.prompt]) for _ in frames])  # upstream asks for it with each frame
    return float((gme.images(list(frames)) * texts).sum(axis=1).mean())


def motion_smoothness_opens2v(entry: Entry, roles: Any) -> float:
    frames, reader = _whole(entry), roles("LevelReader")
    windows = windows_of(len(frames), 3)
    shares = []
    for start in range(0, len(windows), VIDEO_BATCH):
        batch = [np.stack([_squared(frames[at]) for at in window]) for window in windows[start : start + VIDEO_BATCH]]
        shares.append(reader.read(batch, ("video",))[:, 0])
    jumps = np.flatnonzero(np.abs(np.diff(np.concatenate(shares).astype(np.float64) @ SHARES)) > 0.025)
    return 1 - len({*jumps.tolist(), *(jumps + 1).tolist()}) / len(frames)


def _squared(frame: np.ndarray) -> np.ndarray:
    """Upstream's `expand2square`, then its processor's resizing; every window has its pictures done anew."""
    side = max(frame.shape[:2])
    square = Image.new("RGB", (side, side), (122, 116, 104))  # CLIP's mean colour, as the processor states it
    square.paste(Image.fromarray(frame), ((side - frame.shape[1]) // 2, (side - frame.shape[0]) // 2))
    return np.asarray(square.resize((LEVEL_PX, LEVEL_PX), Image.Resampling.BICUBIC))


def natural(entry: Entry, roles: Any) -> float:
    """Three runs of the script."""
    asked = prompt("naturalness")
    scores = []
    for repeat in range(3):
        pictures = []
        for frame in _sampled(entry, Strided().indices(_num_frames(entry), 0)):
            factor = 512 / max(frame.shape[:2])
            size = int(frame.shape[1] * factor), int(frame.shape[0] * factor)
            small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
            pictures.append(cv2.imencode(".jpg", small[..., ::-1])[1].tobytes())
        scores += roles("Judge").ask([Inquiry(asked.text, tuple(pictures), asked.lowest, asked.highest, repeat)])
    return float(np.mean([verdict.score for verdict in scores]))


def nexus(entry: Entry, roles: Any) -> float:
    """References are looked for on each frame; each crop is embedded with its reference and its label, as upstream lists them."""
    case, detector, gme = entry.case, roles("ReferenceDetector"), roles("Gme")
    references = [read_image(path) for path in case.references]
    shown = [ReferencePicture(picture, hash_) for picture, hash_ in zip(references, case.hashes, strict=True)]
    indices = _linspace(entry)
    frames = _sampled(entry, indices)
    crops, owners, sure, at = [], [], [], set()
    for index, frame in zip(indices, frames, strict=True):
        prompts = detector.learn(shown)
        (found,) = detector.find(
            [ShownFrame(frame, entry.generation.content_hash, index)], prompts, min_score=0.5, max_iou=0.7, most=100
        )
        for owner, boxes in enumerate(found):
            for box, score in zip(np.round(boxes.boxes).astype(int), boxes.scores, strict=True):
                crops.append(frame[box[1] : box[3], box[0] : box[2]])
                owners.append(owner)
                sure.append(score)
                at.add(index)
    labels = ["human" if label in ("Man", "Woman") else label for label in case.labels]
    words, pictures = gme.texts([labels[n] for n in owners]), gme.images([references[n] for n in owners])
    found = gme.images(crops)
    likeness = (found * pictures).sum(axis=1)
    valid = (np.array(sure) > 0.6) & ((found * words).sum(axis=1) > 0.3) & (likeness != 0)
    return float(likeness[valid].mean() / len(at)) if valid.any() else 0.0


def _loaded(entry: Entry) -> Any:
    """VBench's `load_video`: all frames as one float tensor `(T, 3, H, W)`."""
    import torch

    return torch.from_numpy(_whole(entry)).float().permute(0, 3, 1, 2)


def _encoded(entry: Entry, encoder: Any, prep: Prep) -> np.ndarray:
    frames = _loaded(entry).permute(0, 2, 3, 1).numpy()
    return encoder.images(list(frames), prep)


def _consistency(vectors: np.ndarray) -> float:
    vectors = vectors.astype(np.float64)
    before = np.maximum((vectors[1:] * vectors[:-1]).sum(axis=1), 0)
    return float(((before + np.maximum(vectors[1:] @ vectors[0], 0)) / 2).mean())


def subject_consistency(entry: Entry, roles: Any) -> float:
    return _consistency(_encoded(entry, roles("DinoV1"), VBENCH_DINO_PREP))


def background_consistency(entry: Entry, roles: Any) -> float:
    return _consistency(_encoded(entry, roles("ClipB32"), VBENCH_CLIP_PREP))


def aesthetic_quality(entry: Entry, roles: Any) -> float:
    vectors = _encoded(entry, roles("ClipL14"), VBENCH_CLIP_PREP)
    return float(roles("AestheticLinear").score(vectors).mean() / 10)


def imaging_quality(entry: Entry, roles: Any) -> float:
    frames = _loaded(entry).permute(0, 2, 3, 1).numpy()
    return float(np.mean([roles("Musiq").quality(frame, longest_px=512) for frame in frames]) / 100)


def overall_consistency(entry: Entry, roles: Any) -> float:
    viclip = roles("ViClip")
    frames = _sampled(entry, Middle().indices(_num_frames(entry), 0))
    return float(viclip.video(list(frames), VBENCH_VICLIP_PREP) @ viclip.texts([entry.case.prompt])[0][0])


def temporal_flickering(entry: Entry, roles: Any) -> float:
    frames = _whole(entry)
    levels = [np.abs(frame.astype(np.float32) - before).mean() for before, frame in itertools.pairwise(frames)]
    return float((255 - np.mean(levels)) / 255)


def motion_smoothness(entry: Entry, roles: Any) -> float:
    """All frames, and all that come between, are held as floats before they are compared."""
    import torch

    frames = _whole(entry)
    inputs = [torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255 for frame in frames[::2]]
    outputs = [inputs[0]]
    for n, after in enumerate(inputs[1:]):
        between = roles("FrameInterpolator").between(frames[2 * n], frames[2 * n + 2])
        outputs += [torch.from_numpy(between).permute(2, 0, 1)[None].float() / 255, after]
    pictures = [(one[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy() for one in outputs]
    levels = [cv2.absdiff(frame, guess).mean() for frame, guess in zip(frames[1::2], pictures[1::2], strict=False)]
    return float((255 - np.mean(levels)) / 255)


SCRIPTS: dict[str, Callable[[Entry, Roles], float]] = {
    "aesthetic_opens2v_compat": aesthetic_opens2v,
    "facesim_cur_compat": facesim,
    "gmescore": gmescore,
    "motion_smoothness_opens2v_compat": motion_smoothness_opens2v,
    "natural_compat": natural,
    "nexus_compat": nexus,
    "aesthetic_quality": aesthetic_quality,
    "background_consistency": background_consistency,
    "imaging_quality": imaging_quality,
    "motion_smoothness": motion_smoothness,
    "overall_consistency": overall_consistency,
    "subject_consistency": subject_consistency,
    "temporal_flickering": temporal_flickering,
}


def measured(entries: Sequence[Entry], roles: Roles) -> dict[str, float]:
    """Values by `metric/case`, script after script."""
    return {
        f"{name}/{entry.case.name}": script(entry, cast(Roles, roles))
        for name, script in SCRIPTS.items()
        for entry in entries
    }
