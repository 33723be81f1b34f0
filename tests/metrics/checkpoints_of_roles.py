"""Tiny random weights for every role that metrics ask, in the file formats of the published ones, and a project that names them.

A role that stands nowhere here is a KeyError: whoever lets a metric ask for it writes its weights.
"""

import itertools
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn

from backend.domain import Case, Generation
from backend.models import MODELS, curricular_face, inception, musiq_network, syncnet, viclip_network, video_features
from backend.models.amt_network import AmtNetwork
from backend.models.musiq_network import MusiqNetwork
from backend.models.viclip_network import ViClipNetwork
from backend.models.yolo_world_results import FORMAT
from tests.backend.models import tiny_scores, tiny_vision
from tests.backend.models.tiny_grounding import save_grounding_dino, save_sam2
from tests.backend.models.tiny_words import causal
from tests.metrics.checkpoints_faces import write_curricular, write_pack
from tests.metrics.checkpoints_language import qwen2_vl, video_reward

FACE_CELLS = 4
"""Faces of 4 x 4 cells, 128 px: SyncNet wants them larger than 100."""
MEDIUM = {"AestheticMlp": 5.0, "AestheticLinear": 5.0, "Musiq": 50.0}
"""What the head of each gives for a vector of zeros: the middle of the published scale, which a random head knows nothing of."""
LOCAL = ("Judge", "PhraseExtractor")
"""Roles that the profile `paper` asks of an endpoint; these weights are of those that run here."""
GRADES = tuple("012345")
BOXES = "boxes.json"
PHRASES = '{"background": ["beach"], "subject": ["man"], "object": []}'


def saved(role: str, folder: Path) -> Path:
    """Writes the weights of a role below a folder; where they lie. Raises KeyError for a role that nobody wrote weights for."""
    if role not in _SAVED:
        raise KeyError(f"role {role} has no tiny weights; write them in {__name__}")
    torch.set_num_threads(1)
    folder.mkdir(parents=True)
    return _SAVED[role](folder)


def bound(roles: Collection[str], root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """`[roles]` and `[models]` of a project of profile `paper`, with weights for all these roles below a folder.

    Roles without such an implementation are bound to the one that they have.
    """
    named = {role: next(iter(MODELS[role])) for role in roles if "paper" not in MODELS[role]}
    weights = {role: str(saved(role, root / role)) for role in sorted(set(roles) - set(named))}
    return {**named, **dict.fromkeys(set(LOCAL) & set(roles), "local")}, weights


def write_boxes(path: Path, cases: Iterable[Case], generations: Iterable[Generation], *, frames: int) -> None:
    """What YOLO-World found elsewhere: each reference in the middle of each frame of the videos of its case."""
    of_case = {case.id: [[hashed, [[48, 16, 144, 112, 0.9]]] for hashed in case.hashes] for case in cases}
    videos = {
        made.content_hash: {str(index): dict(of_case[made.case_id]) for index in range(frames)} for made in generations
    }
    path.write_text(json.dumps({"format": FORMAT, "min_score": 0.5, "max_iou": 0.7, "videos": videos}))


def _state(name: str, state: Callable[[], Mapping[str, Any]]) -> Callable[[Path], Path]:
    def save(folder: Path) -> Path:
        torch.save(state(), folder / name)
        return folder / name

    return save


def _aesthetic_mlp() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    layers = {f"layers.{n}": nn.Linear(*pair) for n, pair in zip((0, 2, 4, 6, 7), itertools.pairwise(_MLP))}
    nn.init.constant_(layers["layers.7"].bias, MEDIUM["AestheticMlp"])
    return {f"{name}.{part}": value for name, one in layers.items() for part, value in one.state_dict().items()}


def _aesthetic_linear() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    head = nn.Linear(_MLP[0], 1)
    nn.init.constant_(head.bias, MEDIUM["AestheticLinear"])
    return head.state_dict()


def _viclip() -> dict[str, Any]:
    sizes = viclip_network.Sizes(patch_px=56, width=64, layers=1, text_width=64, text_layers=1, dim=24)
    return {"model": tiny_vision.seeded(ViClipNetwork(sizes), seed=1, scale=0.1).state_dict()}


def _musiq() -> dict[str, torch.Tensor]:
    state = tiny_vision.seeded(
        MusiqNetwork(musiq_network.Sizes(width=64, mlp=96, layers=1, heads=1)), seed=2, scale=0.3
    ).state_dict()
    state["head.bias"] = state["head.bias"] * 0 + MEDIUM["Musiq"]
    return state


def _amt() -> dict[str, Any]:
    return {"state_dict": tiny_vision.seeded(AmtNetwork(), seed=3, scale=0.04).state_dict()}


def _inception() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return torchvision.models.inception_v3(weights=None, init_weights=False, aux_logits=True).state_dict()


def _syncnet() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return syncnet.network().state_dict()


def _predicted_aesthetic(folder: Path) -> Path:
    tiny_vision.save_clip(folder / "clip", dim=_MLP[0], seed=7)
    torch.save(_aesthetic_mlp(), folder / "aesthetic-model.pth")
    return folder


_MLP = (768, 1024, 128, 64, 16, 1)
_SAVED: dict[str, Callable[[Path], Path]] = {
    "AestheticLinear": _state("sa_0_4_vit_l_14_linear.pth", _aesthetic_linear),
    "AestheticMlp": _state("aesthetic-model.pth", _aesthetic_mlp),
    "AestheticScorer": _predicted_aesthetic,
    "AlignedFaceEmbedder": lambda folder: write_curricular(folder / curricular_face.FILE),
    "AppearanceEmbedder": tiny_vision.save_open_clip,
    "AuthenticityScorer": lambda folder: tiny_scores.save_classifier(folder, ("artificial", "human")),
    "BackgroundEmbedder": lambda folder: tiny_vision.save_dino(folder, "dinov2"),
    "ClipB32": lambda folder: tiny_vision.save_clip(folder, dim=24),
    "ClipFeatureExtractor": lambda folder: tiny_scores.save_i3d(folder / video_features.I3D_FILE),
    "ClipL14": lambda folder: tiny_vision.save_clip(folder, dim=_MLP[0], seed=7),
    "Detector": save_grounding_dino,
    "DinoV1": lambda folder: tiny_vision.save_dino(folder, "vit"),
    "DinoV2": lambda folder: tiny_vision.save_dino(folder, "dinov2"),
    "DinoV3": lambda folder: tiny_vision.save_dino(folder, "dinov3_vit"),
    "FaceEmbedder": lambda folder: write_pack(folder, cells=FACE_CELLS),
    "FaceRecognizer": lambda folder: write_pack(folder, cells=FACE_CELLS),
    "FeatureExtractor": _state(inception.FILES[1], _inception),
    "FrameInterpolator": _state("amt-s.pth", _amt),
    "Gme": qwen2_vl,
    "Judge": lambda folder: qwen2_vl(folder, words=GRADES),
    "LevelReader": qwen2_vl,
    "Musiq": _state("musiq_spaq_ckpt-358bb6af.pth", _musiq),
    "PhraseExtractor": lambda folder: causal(folder, says=PHRASES),
    "ReferenceDetector": lambda folder: folder / BOXES,
    "RewardModel": video_reward,
    "Segmenter": save_sam2,
    "SyncScorer": _state(syncnet.FILE, _syncnet),
    "TechnicalScorer": lambda folder: tiny_scores.save_dover(folder / "onnx_dover.onnx"),
    "ViClip": _state("ViClip-InternVid-10M-FLT.pth", _viclip),
}
