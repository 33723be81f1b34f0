"""A small benchmark with known answers: cases in OpenS2V-Eval's schema, references, three systems, planted votes.

OUT/cases.json          upstream's four fields by case id
OUT/references/…png     one picture of each subject, in a place and pose of its own
OUT/systems/NAME/ID.mp4 faithful: the right identity where and how the prompt says; copy_paste: the reference picture with
                        its background and pose, nearly still; wrong_identity: a look-alike where and how the prompt says
OUT/votes.jsonl         pairwise votes drawn from a preference model, as `study import` reads them (form ab)
OUT/cases_truth.json    that model's weights and every sample's planted qualities
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from backend.media.images import encode_png
from backend.media.writer import write_video
from backend.sampleworld.cast import Identity, Wardrobe
from backend.sampleworld.creatures import AnimalLook, similar_animal
from backend.sampleworld.film import film
from backend.sampleworld.people import PersonLook, similar_person
from backend.sampleworld.places import PLACES
from backend.sampleworld.products import ProductLook, similar_product
from backend.sampleworld.script import ShotPlan, VideoPlan, caption_of, draw_shot

CASES_NAME = "cases.json"
CASES_TRUTH_NAME = "cases_truth.json"
VOTES_NAME = "votes.jsonl"
SYSTEMS = ("faithful", "copy_paste", "wrong_identity")
QUALITIES = ("identity", "prompt", "motion")
SIZE = (832, 480)  # what most open video models write
FPS = 24
NUM_FRAMES = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Takes:
    """How the videos of every system are filmed."""

    size: tuple[int, int] = SIZE
    num_frames: int = NUM_FRAMES
    fps: int = FPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """The planted model: P(a preferred to b) = sigmoid(weights · (qualities of a - qualities of b))."""

    weights: tuple[float, float, float] = (2.0, 1.2, 0.6)
    raters: int = 6
    spread: float = 0.08
    """Deviation of a sample's qualities around its system's."""


PLANTED = {"faithful": (0.9, 0.9, 0.8), "copy_paste": (1.0, 0.1, 0.05), "wrong_identity": (0.15, 0.9, 0.8)}


def render_cases(
    out: Path,
    identities: Sequence[Identity],
    *,
    seed: int,
    count: int,
    preference: Preference | None = None,
    takes: Takes | None = None,
) -> None:
    """Writes the benchmark into a folder. Deterministic per identities, seed, count and takes."""
    studio = _Studio(takes or Takes(), Wardrobe())
    identities = [i for i in identities if i.relabels is None]
    rng = np.random.default_rng([seed, 61])
    order = [identities[k] for k in rng.permutation(len(identities))]
    cases: dict[str, dict] = {}
    numbers: dict[str, int] = {}
    for system in SYSTEMS:
        (out / "systems" / system).mkdir(parents=True, exist_ok=True)
    for k in range(count):
        identity = order[k % len(order)]
        prefix = "singlehuman" if isinstance(identity.look, PersonLook) else "singleobj"
        numbers[prefix] = numbers.get(prefix, 0) + 1
        case_id = f"{prefix}_{numbers[prefix]}"
        cases[case_id] = _render_case(out, case_id, identity, identities, np.random.default_rng([seed, 62, k]), studio)
    (out / CASES_NAME).write_text(json.dumps(cases, indent=4), encoding="utf-8")
    _write_votes(out, list(cases), seed, preference or Preference())


def _render_case(
    out: Path,
    case_id: str,
    identity: Identity,
    identities: Sequence[Identity],
    rng: np.random.Generator,
    studio: "_Studio",
) -> dict:
    places = [str(p) for p in rng.permutation(list(PLACES))]
    asked = draw_shot(rng, places[0], (identity,))
    elsewhere = next(p for p in places[1:] if p != asked.place)
    own = replace(draw_shot(rng, elsewhere, (identity,)), place=elsewhere)
    # A reference shows its subject's front or a half profile, as upstream's do.
    facing = float(rng.uniform(-45, 45))
    own = replace(own, subjects=tuple(replace(s, azimuth_deg=(facing, facing)) for s in own.subjects))
    label = identity.category
    image = f"references/{case_id.rsplit('_', 1)[0]}/{label.replace(' ', '_')}/{case_id.rsplit('_', 1)[1]}.png"
    picture, crop = studio.reference(own)
    path = out / image
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(crop))
    other = _look_alike(identity, identities, rng)
    stranger = replace(asked, subjects=tuple(replace(s, identity=other) for s in asked.subjects))
    videos = {
        "faithful": studio.filmed(asked),
        "copy_paste": studio.still(picture, rng),
        "wrong_identity": studio.filmed(stranger),
    }
    for system, frames in videos.items():
        path = out / "systems" / system / f"{case_id}.mp4"
        write_video(path, frames, fps=studio.takes.fps, preset="ultrafast", crf=19, threads=1)
    return {
        "img_paths": [image],
        "prompt": caption_of(asked),
        "synthesis_flag": "wrong",
        "class_label": [label.capitalize()],
    }


def _look_alike(identity: Identity, identities: Sequence[Identity], rng: np.random.Generator) -> Identity:
    twin = next((i for i in identities if i.id == identity.twin), None)
    if twin is not None:
        return twin
    match identity.look:
        case PersonLook() as look:
            other = similar_person(look, rng)
        case AnimalLook() as look:
            other = similar_animal(look, rng)
        case ProductLook() as look:
            other = similar_product(look, rng)
    return Identity(id=f"{identity.id}_look_alike", category=identity.category, look=other, twin=identity.id)


@dataclass(frozen=True, slots=True)
class _Studio:
    """Where the videos of all cases are filmed."""

    takes: Takes
    wardrobe: Wardrobe

    def filmed(self, shot: ShotPlan) -> Iterator[np.ndarray]:
        return (picture for picture, *_ in film(self._video(shot), self.takes.size, self.wardrobe))

    def reference(self, shot: ShotPlan) -> tuple[np.ndarray, np.ndarray]:
        """The picture that holds the subject, and the crop around it that is given as the reference."""
        still = replace(shot, front=None, light_swing=0.0, camera=replace(shot.camera, shake=0.0))
        picture, _, _, shown = next(film(self._video(still), self.takes.size, self.wardrobe))
        width, height = self.takes.size
        box = shown[0].row.box or (0.0, 0.0, float(width), float(height))
        pad = 0.15 * max(box[2] - box[0], box[3] - box[1])
        x0, y0 = max(0, int(box[0] - pad)), max(0, int(box[1] - pad))
        return picture, picture[y0 : int(box[3] + pad), x0 : int(box[2] + pad)].copy()

    def still(self, picture: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """The picture under a camera that hardly moves."""
        h, w = picture.shape[:2]
        drift = rng.uniform(-3, 3, 2)
        for k in range(self.takes.num_frames):
            t = k / (self.takes.num_frames - 1)
            zoom = 1.015 + 0.01 * t
            move = np.array([[zoom, 0, w / 2 * (1 - zoom) + drift[0] * t], [0, zoom, h / 2 * (1 - zoom) + drift[1] * t]])
            frame = cv2.warpAffine(picture, move, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
            noise = rng.normal(0, 1.2, (h, w, 1))
            yield np.clip(frame + noise, 0, 255).astype(np.uint8)

    def _video(self, shot: ShotPlan) -> VideoPlan:
        num = self.takes.num_frames
        return VideoPlan(
            name="case",
            num_frames=num,
            fps=self.takes.fps,
            shots=(replace(shot, start_frame=0, stop_frame=num, first_frame=0, last_frame=num),),
            transitions=(),
            overlays=(),
            border=("none", 1.0),
            sound=("none", None),
            syllables=(),
            sidecar="none",
            seed=shot.seed,
        )


def _write_votes(out: Path, case_ids: Sequence[str], seed: int, preference: Preference) -> None:
    rng = np.random.default_rng([seed, 63])
    qualities = {
        case_id: {s: np.clip(np.array(PLANTED[s]) + rng.normal(0, preference.spread, 3), 0, 1) for s in SYSTEMS}
        for case_id in case_ids
    }
    weights = np.array(preference.weights)
    lines = []
    for case_id, rater, (a, b) in itertools.product(case_ids, range(preference.raters), itertools.combinations(SYSTEMS, 2)):
        if rng.random() < 0.5:
            a, b = b, a
        chance = 1 / (1 + np.exp(-float(weights @ (qualities[case_id][a] - qualities[case_id][b]))))
        choice = "a" if rng.random() < chance else "b"
        lines.append(
            {
                "case_id": case_id,
                "systems": [a, b],
                "question": "better",
                "rater": f"rater_{rater + 1}",
                "choice": choice,
            }
        )
    (out / VOTES_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    truth = {
        "model": "P(a) = 1 / (1 + exp(-weights . (qualities_a - qualities_b)))",
        "qualities": list(QUALITIES),
        "weights": list(preference.weights),
        "samples": {c: {s: [round(float(v), 6) for v in q] for s, q in by.items()} for c, by in qualities.items()},
    }
    (out / CASES_TRUTH_NAME).write_text(json.dumps(truth, indent=1), encoding="utf-8")
