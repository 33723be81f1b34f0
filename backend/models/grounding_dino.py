"""Boxes of what phrases name, by GroundingDINO (transformers), linked over the frames of a clip."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from backend.domain import Detection, Footage, ModelUnavailable
from backend.geometry import boxes as geometry
from backend.models.devices import transformers_for
from backend.models.loading import loaded
from backend.models.places import ModelPlace
from backend.models.taxonomy import load_taxonomy

BATCH = 4  # frames of 800 to 1333 pixels
MIN_SCORE = 0.25  # OpenS2V-Nexus, step5-2_get_subject_image.py: box_threshold and text_threshold
MAX_IOU = 0.7  # of two boxes of one phrase; upstream leaves out none and finds persons three times


class GroundingDino:
    """Boxes of what phrases name, by GroundingDINO; phrases that share a text are told apart by their tokens."""

    model_id: str = "grounding-dino"
    suggested: ClassVar[str] = "IDEA-Research/grounding-dino-tiny"
    published_gb: ClassVar[float] = 0.69  # 172 M parameters, float32
    licence: ClassVar[str] = "Apache-2.0"
    batch: int = BATCH

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, damaged or of another kind."""
        folder = place.path()
        library = transformers_for("GroundingDINO")
        try:
            self._processor = library.AutoProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"{folder} cannot be loaded as GroundingDINO: {error}") from error
        kind = library.GroundingDinoForObjectDetection
        self._model = loaded(kind, folder, what="GroundingDINO", device=device, dtype=dtype)
        self._tokenizer = self._processor.tokenizer
        self._max_tokens = self._model.config.max_text_len
        self.model_id = place.model_id(type(self).model_id)

    def detect(self, footage: Footage, frames: Sequence[int], phrases: Sequence[str]) -> list[Detection]:
        """Detections of the phrases on the frames, best first on each, linked by `track`. Raises MediaError."""
        found: list[Detection] = []
        for text in self._texts(phrases):
            for first in range(0, len(frames), self.batch):
                indices = frames[first : first + self.batch]
                found += self._detect(footage.reader.at(indices), indices, text)
        return linked(found)

    def detect_on(self, picture: np.ndarray, phrases: Sequence[str]) -> list[Detection]:
        """Detections of the phrases on one picture uint8 `(H, W, 3)`, best first of each text; frame 0, without tracks."""
        return [found for text in self._texts(phrases) for found in self._detect(picture[None], [0], text)]

    def _detect(self, pictures: np.ndarray, indices: Sequence[int], text: Sequence[str]) -> list[Detection]:
        prompt, spans = joined(text)
        scores, places, offsets = self._answer(pictures, prompt)
        owners = phrase_of_token(offsets, spans)
        size = pictures.shape[2], pictures.shape[1]
        found: list[Detection] = []
        for index, score, place in zip(indices, scores, places, strict=True):
            found += answers(index, score[:, : len(owners)], place, owners=owners, phrases=text, size=size)
        return found

    def _answer(self, pictures: np.ndarray, prompt: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Token scores `(N, Q, L)`, relative centres and sizes `(N, Q, 4)`, and where tokens stand in the prompt `(L, 2)`."""
        import torch

        inputs = self._processor(
            images=list(pictures),
            text=[prompt] * len(pictures),
            return_tensors="pt",
            return_offsets_mapping=True,
            truncation=True,
            max_length=self._max_tokens,
        )
        offsets = inputs.pop("offset_mapping")[0].numpy()
        inputs = inputs.to(self._model.device)
        inputs["pixel_values"] = inputs["pixel_values"].to(self._model.dtype)
        with torch.inference_mode():
            outputs = self._model(**inputs)
        return outputs.logits.float().sigmoid().cpu().numpy(), outputs.pred_boxes.float().cpu().numpy(), offsets

    def _texts(self, phrases: Sequence[str]) -> Iterator[list[str]]:
        """The phrases, each once, in texts that the model can read at one time."""
        limit = self._max_tokens - 2  # for the first and last special token
        text: list[str] = []
        for phrase in dict.fromkeys(phrases):
            if not phrase.strip():
                continue
            prompt, _ = joined([*text, phrase])
            if text and len(self._tokenizer(prompt, add_special_tokens=False)["input_ids"]) > limit:
                yield text
                text = []
            text.append(phrase)
        if text:
            yield text


def joined(phrases: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """`a cat. a dog.` with the span of each phrase: lower case, each ended by a full stop, as the model was trained."""
    prompt, spans = "", []
    for phrase in phrases:
        words = " ".join(phrase.lower().replace(".", " ").split())
        start = len(prompt) + bool(prompt)
        prompt = f"{prompt} {words}." if prompt else f"{words}."
        spans.append((start, start + len(words)))
    return prompt, spans


def phrase_of_token(offsets: np.ndarray, spans: Sequence[tuple[int, int]]) -> np.ndarray:
    """Which phrase each token belongs to, int64 `(L,)`; -1 for full stops and special tokens."""
    owners = np.full(len(offsets), -1, np.int64)
    for number, (start, stop) in enumerate(spans):
        owners[(offsets[:, 0] >= start) & (offsets[:, 1] <= stop) & (offsets[:, 1] > offsets[:, 0])] = number
    return owners


def answers(
    frame: int,
    scores: np.ndarray,
    places: np.ndarray,
    *,
    owners: np.ndarray,
    phrases: Sequence[str],
    size: tuple[int, int],
) -> list[Detection]:
    """Detections on one frame, best first, of token scores `(Q, L)` and relative centres and sizes `(Q, 4)`.

    A box answers the phrase that holds its best token; of two boxes of one phrase that overlap, the surer one stays.
    """
    tokens = np.flatnonzero(owners >= 0)
    if tokens.size == 0:
        return []
    width, height = size
    best = scores[:, tokens].max(axis=1)
    labels = owners[tokens[scores[:, tokens].argmax(axis=1)]]
    centre, extent = places[:, :2], places[:, 2:]
    corners = np.concatenate([centre - extent / 2, centre + extent / 2], axis=1) * np.array([width, height] * 2)
    corners = np.clip(corners, 0, np.array([width, height] * 2))
    sure = (best > MIN_SCORE) & (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
    found: list[Detection] = []
    for label in range(len(phrases)):
        rows = np.flatnonzero(sure & (labels == label))
        tuples = [tuple(map(float, corners[row])) for row in rows]
        kept = geometry.nms(tuples, best[rows].tolist(), max_iou=MAX_IOU)  # pyright: ignore[reportArgumentType]
        found += [_detection(frame, tuples[n], float(best[rows[n]]), phrases[label]) for n in kept]
    return sorted(found, key=lambda detection: -detection.score)


def linked(found: Sequence[Detection]) -> list[Detection]:
    """The detections in order of frame, best first, numbered: a box goes on with the box of its phrase before it that it
    overlaps most, or with the only one there is."""
    numbered: list[Detection] = []
    before: list[Detection] = []
    count = 0
    for frame in sorted({detection.frame for detection in found}):
        now: list[Detection] = []
        for detection in sorted((d for d in found if d.frame == frame), key=lambda d: -d.score):
            alike = [d for d in before if d.label == detection.label and d.track not in {n.track for n in now}]
            nearest = max(alike, key=lambda d: geometry.iou(d.box, detection.box), default=None)
            alone = len(alike) == 1 and sum(d.label == detection.label for d in found if d.frame == frame) == 1
            if nearest is not None and (alone or geometry.iou(nearest.box, detection.box) > 0):
                track = nearest.track
            else:
                track, count = count, count + 1
            now.append(replace(detection, track=track))
        numbered += now
        before = now + [d for d in before if d.track not in {n.track for n in now}]
    return numbered


def _detection(frame: int, box: tuple[float, ...], score: float, phrase: str) -> Detection:
    x0, y0, x1, y1 = box
    category = load_taxonomy().lookup(phrase)
    domain = category.domain if category else ""
    kind = {"human": "person", "animal": "animal"}.get(domain, "object")
    return Detection(frame=frame, box=(x0, y0, x1, y1), score=score, kind=kind, label=phrase)
