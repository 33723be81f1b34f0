"""What both sides of the speed comparison work on: clips with faces in them, their cases, and tiny models in real files.

The networks are the real ones, made narrow, behind the adapters that real weights take. Three are dear however narrow
they are, equally for both sides, and would be all that is measured: AMT-S takes 15 s and 2 GiB for one pair of 720p
frames, MUSIQ's first layers 9 s a clip, GME's 1,280 tokens a picture 6 s. A mean and an edge filter stand in for the
first two, and GME sees 64 tokens.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from backend.domain import Case, Generation
from backend.engine.context import WorkerSettings
from backend.media.writer import write_video
from backend.models import MODELS, viclip_network
from backend.models.gme import Gme
from backend.models.places import ModelPlace
from backend.models.prompts import level_words
from backend.models.vision_language import PATCH_PX
from backend.models.yolo_world_results import FORMAT
from metrics.framing import Linspace
from metrics.spec import Entry
from tests.backend.models import tiny_vision
from tests.metrics import checkpoints_faces, checkpoints_language

SIZE, FPS = (1280, 720), 24
SHORT = 9  # frames of the clip that is not timed
CELL_PX = 128  # a drawn face: 32 px where the detector sees the frame at a quarter of its size
BOXES = (("Man", (200.0, 80.0, 620.0, 700.0, 0.9)), ("Cup", (700.0, 300.0, 900.0, 560.0, 0.8)))


@dataclass(frozen=True, slots=True)
class Work:
    """Entries to be measured, and whom to ask."""

    entries: tuple[Entry, ...]
    short: Entry
    """One that is not timed."""
    workers: WorkerSettings


class Midway:
    """In place of AMT-S: the mean of both frames."""

    model_id = "midway"

    def between(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        return cv2.addWeighted(before, 0.5, after, 0.5, 0)


class Edges:
    """In place of MUSIQ: how strong the edges of the shrunk frame are."""

    model_id = "edges"

    def quality(self, frame: np.ndarray, *, longest_px: int | None) -> float:
        factor = (longest_px or max(frame.shape)) / max(frame.shape)
        small = cv2.resize(frame.astype(np.float32), None, fx=factor, fy=factor)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        return float(cv2.Laplacian(grey, cv2.CV_32F).std())


class NarrowGme(Gme):
    """GME with small pictures."""

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        super().__init__(place, device=device, dtype=dtype)
        self._processor.image_processor.size = {"shortest_edge": 16 * PATCH_PX**2, "longest_edge": 64 * PATCH_PX**2}


def prepared(folder: Path, *, num_clips: int, num_frames: int) -> Path:
    """Writes clips, references, weights and what the detector found, and gives the folder."""
    (folder / "Images" / "man").mkdir(parents=True)
    (folder / "Images" / "thing").mkdir()
    (folder / "weights").mkdir()
    face = checkpoints_faces.scene({(3, 1): 1})
    for name, picture in (("man", face), ("thing", checkpoints_language.picture(7, 300, 400))):
        cv2.imwrite(str(folder / "Images" / name / "1.png"), picture[..., ::-1])
    for n in range(num_clips + 1):
        write_video(folder / f"humanobj_{n}.mp4", _pictures(n, num_frames if n else SHORT), fps=FPS, crf=23)
    _write_weights(folder / "weights")
    hashes = [_hash(path) for path in _references(folder)]
    plan = sorted({*Linspace().indices(num_frames, FPS), *range(SHORT)})
    found = {hash_: [list(box)] for hash_, (_, box) in zip(hashes, BOXES, strict=True)}
    videos = {_hash(path): {str(index): found for index in plan} for path in _clips(folder)}
    boxes = {"format": FORMAT, "detector": "drawn", "min_score": 0.5, "max_iou": 0.7, "videos": videos}
    (folder / "weights" / "boxes.json").write_text(json.dumps(boxes))
    return folder


def opened(folder: Path) -> Work:
    """The work in a prepared folder."""
    references = _references(folder)
    entries = []
    for path in _clips(folder):
        case = Case(
            benchmark="bench",
            name=path.stem,
            prompt="A man lifts a cup from the table and looks at it",
            references=tuple(map(str, references)),
            hashes=tuple(map(_hash, references)),
            labels=tuple(label for label, _ in BOXES),
        )
        made = Generation(
            case_id=case.id,
            system="drawn",
            seed=0,
            path=str(path),
            content_hash=_hash(path),
            num_bytes=path.stat().st_size,
        )
        entries.append(Entry(case, made))
    short, *timed = entries
    return Work(tuple(timed), short, _workers(folder))


def _clips(folder: Path) -> list[Path]:
    return sorted(folder.glob("humanobj_*.mp4"))


def _references(folder: Path) -> list[Path]:
    return [folder / "Images" / "man" / "1.png", folder / "Images" / "thing" / "1.png"]


def _pictures(seed: int, num_frames: int) -> Iterator[np.ndarray]:
    """A textured picture that pans, with grain, a person's drawn face on it, and a square that crosses it."""
    rng = np.random.default_rng(seed)
    width, height = SIZE
    wide = cv2.resize(rng.integers(0, 256, (90, 240, 3), np.uint8), (width + 4 * num_frames, height))
    wide = wide // 2  # dark enough that nothing of it is taken for a face
    face = cv2.resize(checkpoints_faces.cell(1), (CELL_PX, CELL_PX), interpolation=cv2.INTER_NEAREST)
    grain = rng.integers(0, 8, (height, width, 3), np.uint8)
    for n in range(num_frames):
        frame = wide[:, 3 * n : 3 * n + width] + np.roll(grain, 37 * n, axis=1)
        frame[CELL_PX : 2 * CELL_PX, 3 * CELL_PX : 4 * CELL_PX] = face
        frame[400:600, 10 * n : 10 * n + 200] = (90, 60, n)
        yield frame


def _write_weights(folder: Path) -> None:
    import torch

    from backend.models.viclip_network import ViClipNetwork

    tiny_vision.save_clip(folder / "ClipB32")
    tiny_vision.save_clip(folder / "ClipL14", dim=768, seed=7)
    tiny_vision.save_dino(folder / "DinoV1", "vit")
    words = level_words()
    checkpoints_language.qwen2_vl(folder / "qwen", words=(*words, *(f"Ġ{word}" for word in words)), depth=1)
    checkpoints_faces.write_pack(folder / "pack")
    checkpoints_faces.write_curricular(folder / "curricular.pth")
    video = viclip_network.Sizes(patch_px=56, width=64, layers=1, text_width=64, text_layers=1, dim=24)
    states = {
        "ViClip": {"model": tiny_vision.seeded(ViClipNetwork(video), seed=1, scale=0.1).state_dict()},
        "AestheticLinear": torch.nn.Linear(768, 1).state_dict(),
        "AestheticMlp": _mlp(torch),
    }
    for role, state in states.items():
        torch.save(state, folder / f"{role}.pth")


def _mlp(torch: Any) -> dict[str, Any]:
    sides = zip((0, 2, 4, 6, 7), ((768, 1024), (1024, 128), (128, 64), (64, 16), (16, 1)), strict=True)
    torch.manual_seed(5)
    layers = {f"layers.{n}": torch.nn.Linear(*side) for n, side in sides}
    return {f"{name}.{key}": value for name, layer in layers.items() for key, value in layer.state_dict().items()}


def _workers(folder: Path) -> WorkerSettings:
    weights = folder / "weights"
    places = {
        "AestheticLinear": "AestheticLinear.pth", "AestheticMlp": "AestheticMlp.pth", "AlignedFaceEmbedder": "curricular.pth",
        "ClipB32": "ClipB32", "ClipL14": "ClipL14", "DinoV1": "DinoV1", "FaceRecognizer": "pack", "Gme": "qwen",
        "Judge": "qwen", "LevelReader": "qwen", "ReferenceDetector": "boxes.json", "ViClip": "ViClip.pth",
    }  # fmt: skip
    roles = {role: MODELS[role]["local" if role == "Judge" else "paper"] for role in places}
    small = {"FrameInterpolator": "Midway", "Gme": "NarrowGme", "Musiq": "Edges"}
    return WorkerSettings(
        artifacts=folder / "artifacts",
        roles=roles | {role: f"{__name__}:{name}" for role, name in small.items()},
        models={role: str(weights / place) for role, place in places.items()},
        device="cpu",
    )


def _hash(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
