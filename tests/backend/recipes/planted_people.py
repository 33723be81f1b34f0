"""Planted roles of the script's world (`planted_script`): faces, lips, expressions, tags, logos, overlays and made pictures.

A face is a square in the upper part of a person's box who looks into the camera; it stays in its place through a shot, so
that the crops which stages cut of it are known again by their bytes. What is seen as a cut-out, re-encoded, is known by the
nearest of the world's cut-outs.
"""

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from backend.domain import Absent, Box, Footage, Inquiry, Prep, SeenFace, Verdict
from backend.domain.roles_logos import Logo
from backend.domain.roles_words import PhraseReading, SafetyFinding
from backend.geometry import boxes
from backend.geometry.viewpoint import angle_between
from backend.measures import lips
from backend.measures.matting import on_white
from backend.media.reader import VideoReader
from backend.models.phrase_answers import read_phrases
from backend.models.prompts import instruction
from backend.models.taxonomy import load_taxonomy
from backend.sampleworld import SubjectTruth, VideoTruth
from backend.sampleworld.faces import EXPRESSIONS
from backend.sampleworld.places import PLACES
from tests.backend.recipes import planted

SAMPLE_AT = (0.05, 0.5, 0.95)
FACING_DEG = 45.0
"""Who is turned further from the camera shows no face."""
FACE_SHARE = 0.32
"""Of a person's breadth."""
GRID = 3
"""Faces lie on whole pixels of pictures that are three times as small, too."""
FACES_EVERY = 4
"""Each how many frames faces are followed: where lips begin to be looked at."""
INVENTED = "red balloon"
"""A tag that no caption holds."""
MISTAKEN = {"handbag_2": "mug"}
"""What a cut-out looks like to the planted CLIP, where that is not its category."""
COPIED = "mug_1"
"""The first views of it in all clips are one picture."""
THUMB_PX = 24
SAME_LOOK = 6.0
"""Mean difference of two thumbs, of 255, below which they show one cut-out: re-encoding moves them by less."""


class Face(NamedTuple):
    """Somebody's face on a frame."""

    video: VideoTruth
    frame: int
    subject: SubjectTruth
    box: Box


def faces_on(video: VideoTruth, frame: int) -> list[Face]:
    """Faces of those who look into the camera."""
    found = []
    for subject, _ in planted.present(video, frame):
        row, first = subject.at(frame), subject.frames[0]
        if row is None or first.box is None or not _is_person(subject) or angle_between(row.azimuth_deg, 0) >= FACING_DEG:
            continue
        x0, y0, x1, _ = first.box
        side = FACE_SHARE * (x1 - x0)
        left, top = (x0 + x1 - side) / 2, y0 + 0.1 * side
        box = tuple(GRID * round(value / GRID) for value in (left, top, left + side, top + side))
        found.append(Face(video, frame, subject, (float(box[0]), float(box[1]), float(box[2]), float(box[3]))))
    return found


@lru_cache
def crops(world: Path) -> dict[bytes, Face]:
    """Every face of the world by the digest of its crop, and of the lips' crop as SyncNet takes it."""
    found = {}
    for video in planted.truth_of(world).videos:
        with VideoReader(world / video.file) as reader:
            for start, pictures in reader.stream():
                for number, picture in enumerate(pictures):
                    for face in faces_on(video, start + number):
                        x0, y0, x1, y1 = (int(side) for side in face.box)
                        found[planted.digest(picture[y0:y1, x0:x1])] = face
                        if video.sound.kind != "none" and (face.frame - face.subject.frames[0].frame) % FACES_EVERY == 0:
                            centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, y1 - y0) / 2])
                            found[planted.digest(lips.crop(picture, centre))] = face
    return found


@lru_cache
def cut_outs(world: Path) -> list[tuple[str, np.ndarray]]:
    """Identity and thumb of every cut-out on the frames that are looked at for subjects."""
    found = []
    for video in planted.truth_of(world).videos:
        frames = {
            shot.start_frame + int(at * (shot.stop_frame - shot.start_frame - 1))
            for shot in video.shots
            for at in SAMPLE_AT
        }
        with VideoReader(world / video.file) as reader:
            for frame, picture in zip(sorted(frames), reader.at(sorted(frames)), strict=True):
                for subject, box in planted.present(video, frame):
                    mask = subject.mask_at(frame, height=video.height, width=video.width)
                    assert mask is not None, "the renderer keeps masks of the frames that are looked at"
                    x0, y0, x1, y1 = boxes.to_pixels(box, video.width, video.height)
                    alpha = mask[y0:y1, x0:x1].astype(np.uint8) * 255
                    found.append((subject.identity, _thumb(on_white(np.dstack([picture[y0:y1, x0:x1], alpha])))))
    return found


def shown_on(world: Path, flat: np.ndarray) -> str | None:
    """The identity of a cut-out uint8 `(H, W, 3)` on white; None for a picture that is none of the world's."""
    thumb = _thumb(flat)
    name, far = min(
        ((name, float(np.abs(thumb - other).mean())) for name, other in cut_outs(world)), key=lambda row: row[1]
    )
    return name if far < SAME_LOOK else None


class TaggedPhrases(planted.Planted):
    """Tags as a language model gives them, in three groups: who and what a caption names, where it is, and one invented."""

    prompt_digest: str = "planted"

    def phrases(self, text: str) -> list:
        return list(self._reading(text).spans)

    def read(self, texts: Sequence[str]) -> list[PhraseReading]:
        return [self._reading(text) for text in texts]

    def _reading(self, text: str) -> PhraseReading:
        tags: dict[str, list[str]] = {"subject": [], "object": [INVENTED], "background": []}
        for identity in planted.truth_of(self.world).identities:
            if f" {identity.phrase} " in text:
                tags["subject" if identity.is_living else "object"].append(identity.phrase.partition(" in a ")[0])
        tags["background"] += [where.split(" ", 2)[2] for where, *_ in PLACES.values() if f" {where}" in text]
        return read_phrases(json.dumps(tags), text)


class CautiousSafety(planted.PlantedSafety):
    """Thinks that cats are not safe to show."""

    def words(self, texts: Sequence[str]) -> list[SafetyFinding]:
        return [SafetyFinding(0.0, "a cat") if " cat " in text else SafetyFinding(1.0) for text in texts]


class OverlaySpotter(planted.Planted):
    """True overlays that hold for the whole clip."""

    def spot(self, footage: Footage) -> list[tuple[Box, float]]:
        clip = footage.clip
        return [
            (overlay.box, 1.0)
            for overlay in self.video(footage).overlays
            if overlay.start_frame <= clip.start_frame and clip.stop_frame <= overlay.stop_frame
        ]


class PlantedWatcher(planted.Planted):
    """The true faces, turned as their bodies are."""

    least_score: float = 0.5
    least_cosine: float = 0.5

    def watch(self, frame: np.ndarray) -> list[SeenFace]:
        place = planted.places(self.world)[planted.digest(frame)]
        factor = frame.shape[1] / place.video.width
        names, found = self.identities(), []
        for face in faces_on(place.video, place.frame):
            row = face.subject.at(place.frame)
            assert row is not None
            descriptor = np.eye(len(names), dtype=np.float32)[names.index(face.subject.identity)]
            yaw = (row.azimuth_deg + 180) % 360 - 180
            box = boxes.scale(face.box, factor, factor)
            found.append(SeenFace(box=box, score=0.9, descriptor=descriptor, yaw_deg=yaw, pitch_deg=0.0))
        return found


class PlantedLips(planted.Planted):
    """Nearest where the sound truly lies, for who speaks; nothing stands out for anybody else."""

    least_confidence: float = 0.5

    def distances(self, crops_: np.ndarray, samples: np.ndarray) -> np.ndarray | Absent:
        face = crops(self.world)[planted.digest(crops_[0])]
        shot, sound = face.video.shot_at(face.frame), face.video.sound
        found = np.ones((1, 2 * lips.MAX_SHIFT + 1), np.float32)
        if shot is not None and shot.speaks == face.subject.identity and sound.offset_s is not None:
            found[0, lips.MAX_SHIFT + round(sound.offset_s * lips.RATE)] = 0.1
        return found


class PlantedMoods(planted.Planted):
    """What the faces truly express."""

    labels: tuple[str, ...] = EXPRESSIONS

    def classify(self, faces: Sequence[np.ndarray]) -> np.ndarray:
        found = np.full((len(faces), len(EXPRESSIONS)), 0.1 / (len(EXPRESSIONS) - 1), np.float32)
        for number, picture in enumerate(faces):
            face = crops(self.world)[planted.digest(picture)]
            row = face.subject.at(face.frame)
            assert row is not None
            found[number, EXPRESSIONS.index(row.expression)] = 0.9
        return found


class SadJudge(planted.PlantedJudge):
    """Says yes to all that can be denied, and sees sadness on every face."""

    def ask(
        self, inquiries: Sequence[Inquiry], answered: Callable[[Inquiry, Verdict], None] | None = None
    ) -> list[Verdict]:
        sad = EXPRESSIONS.index("sad")  # the form has the expressions in the same order
        verdicts = [Verdict(sad if "Sadness" in inquiry.prompt else 1, "planted") for inquiry in inquiries]
        for inquiry, verdict in zip(inquiries, verdicts, strict=True):
            if answered is not None:
                answered(inquiry, verdict)
        return verdicts


class PlantedClip(planted.Planted):
    """One axis for each category. Every cut-out looks like its category, but for those in MISTAKEN."""

    def texts(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        axes = np.eye(len(load_taxonomy().categories) + 1, dtype=np.float32)
        said = _prompts()
        return np.stack([axes[said[text]] for text in texts]), np.zeros(len(texts), bool)

    def crops(self, images: Sequence[np.ndarray], prep: Prep) -> np.ndarray:
        categories = list(load_taxonomy().categories)
        axes = np.eye(len(categories) + 1, dtype=np.float32)
        noun_of = {i.id: i.category for i in planted.truth_of(self.world).identities}
        found = []
        for picture in images:
            rows, columns = np.flatnonzero((picture != 255).any((1, 2))), np.flatnonzero((picture != 255).any((0, 2)))
            name = shown_on(self.world, picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
            assert name is not None, "only cut-outs of the world are looked at"
            found.append(axes[categories.index(_category(MISTAKEN.get(name, noun_of[name])))])
        return np.stack(found)


class LabelReader(planted.Planted):
    """The logo that the truth names, in the middle of the thing."""

    def find(self, cut_out: np.ndarray) -> list[Logo]:
        name = shown_on(self.world, on_white(cut_out))
        phrase = next((i.phrase for i in planted.truth_of(self.world).identities if i.id == name), "")
        if "logo" not in phrase:
            return []
        height, width = cut_out.shape[:2]
        box = (0.25 * width, 0.25 * height, 0.75 * width, 0.75 * height)
        return [Logo(box=box, score=0.9, text=phrase.split()[-2], is_uncut=True)]


class PlantedArtist(planted.Planted):
    """Pictures of the same one; of dogs it paints something else."""

    origin: str = "generated"

    def make(self, cut_out: np.ndarray, *, phrase: str, num: int, seed: int) -> list[np.ndarray | Absent]:
        if "dog" in phrase:
            cut_out = np.full((64, 64, 4), (90, 90, 90, 255), np.uint8)
        lit = (np.clip(cut_out[..., :3].astype(int) + 2 * n, 0, 255).astype(np.uint8) for n in range(num))
        return [np.dstack([picture, cut_out[..., 3]]) for picture in lit]


class MakersAppearance(planted.PlantedAppearance):
    """Takes a product for the one that it differs from by its logo only; knows made pictures by their look."""

    def embed(self, frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
        if planted.digest(frame) not in planted.places(self.world):
            name = shown_on(self.world, frame)
            return np.eye(planted.DIM, dtype=np.float32)[-1 if name is None else self.identities().index(name)]
        vector = super().embed(frame, mask, box)
        if isinstance(vector, Absent):
            return vector
        names = self.identities()
        if vector[names.index(COPIED)] and vector[self.axis(frame)] and self.view(frame) == 0:
            vector[self.axis(frame)], vector[-1] = 0.0, vector[self.axis(frame)]
        for number, identity in enumerate(planted.truth_of(self.world).identities):
            if identity.relabels is not None and vector[number]:
                vector[names.index(identity.relabels)], vector[number] = vector[number], 0.0
        return vector


@lru_cache
def _prompts() -> dict[str, int]:
    """The place of a category by each text that it is looked for with."""
    return {
        instruction("category").filled(name=name): number
        for number, category in enumerate(load_taxonomy().categories.values())
        for name in category.grounding_prompt.split(" . ")
    }


def _category(noun: str) -> str:
    return load_taxonomy().find(noun)[0].category.id


def _is_person(subject: SubjectTruth) -> bool:
    return subject.category in ("man", "woman")


def _thumb(flat: np.ndarray) -> np.ndarray:
    return cv2.resize(flat, (THUMB_PX, THUMB_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
